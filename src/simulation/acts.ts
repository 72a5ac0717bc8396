/** Plays one act of a plan on a cluster. Total: what does not apply does nothing. Deterministic. Rule SM-2. */
import { ADDRESSES } from '../actors/addresses.ts';
import type { CellAddress, Message } from '../actors/runtime/index.ts';
import { unreachable } from '../base/invariant.ts';
import { parseRound } from '../protocol/chain/parse.ts';
import type { ValidatorUpdate } from '../protocol/ports/application.ts';
import { poison } from '../record/poison.ts';
import type { Cluster } from './cluster.ts';
import type { Act, FillableCell, KillableCell } from './plan.ts';

/** @unit digits @source what `kv` reads as a power */
const POWER_DIGITS_MAX = 18;

/** Does `act` at `at`; false when it did not apply: no such node, nothing to crash, nothing that runs. */
export function play(cluster: Cluster, act: Act, at: number): boolean {
  if (!nodesOf(act).every((node) => cluster.nodes[node] !== undefined)) return false;
  switch (act.kind) {
    case 'crash':
      return cluster.crash(act.node);
    case 'restart':
      return cluster.start(act.node);
    case 'pause':
      return cluster.node(act.node).pause(act.ms);
    case 'partition':
      cluster.partition(...act.groups);
      return true;
    case 'isolate-leader':
      return isolateLeader(cluster);
    case 'cut':
      cluster.cut(act.from, act.to);
      return true;
    case 'clog':
      cluster.clog(act.from, act.to, act.ms);
      return true;
    case 'heal':
      cluster.heal();
      return true;
    case 'links':
      cluster.setLinks(act.faults, act.direction);
      return true;
    case 'mailbox-overflow':
      return fill(cluster, act.node, act.cell, act.messages);
    case 'kill-cell':
      return tell(cluster, act.node, ...POISONS[act.cell]);
    case 'order-view-change':
      return tell(cluster, act.node, ADDRESSES.viewChange, { type: 'viewChange.ordered' });
    case 'submit':
      return cluster.submit(act.node, act.transaction);
    case 'load':
      return cluster.submit(act.node, ...transactionsOf(act, at));
    case 'change-validator':
      return changeValidator(cluster, act);
    default:
      return spoil(cluster, act);
  }
}

/** What goes wrong with one machine. */
function spoil(
  cluster: Cluster,
  act: Extract<Act, { kind: 'disk' | 'disk-slow' | 'disk-bit-flip' | 'clock-step' | 'application-crash' }>,
): boolean {
  const { faults, wall } = cluster.node(act.node);
  switch (act.kind) {
    case 'disk':
      faults.failSyncs(act.fault, act.times);
      return true;
    case 'disk-slow':
      faults.slowDisk(act.syncMs, act.ms);
      return true;
    case 'disk-bit-flip':
      faults.damageReads(act.times);
      return true;
    case 'clock-step':
      wall.step(act.ms);
      return true;
    case 'application-crash':
      faults.crashApplication(act.times);
      return true;
    default:
      return unreachable(act);
  }
}

/** Every node that an act names. */
export function nodesOf(act: Act): readonly number[] {
  const direction = 'direction' in act ? act.direction : undefined;
  return [
    ...('node' in act ? [act.node] : []),
    ...('from' in act ? [act.from, act.to] : []),
    ...(direction === undefined ? [] : [direction.from, direction.to]),
    ...('groups' in act ? act.groups.flat() : []),
  ];
}

/** Both ways of asking: one of them is void, as the validator is in the set by then or is not. */
function changeValidator(cluster: Cluster, act: Extract<Act, { kind: 'change-validator' }>): boolean {
  const { node, validator, power, key } = act;
  const known = cluster.nodes[validator];
  if (known === undefined || known.instance.twin === 1) return false;
  const asked = changesOf(cluster.updateOf(validator, BigInt(power), key), cluster.nextTag());
  return cluster.submitPassing(node, ...asked);
}

/** What an operator would send. Zeros before the power tell two equal wishes apart, which would be taken for one transaction (EX-2). */
function changesOf(
  { nodeKey, consensusKey, possessionProof, power }: ValidatorUpdate,
  tag: number,
): readonly [string, ...string[]] {
  const [name, ...proven] = [nodeKey, consensusKey, possessionProof].map((bytes) =>
    Buffer.from(bytes).toString('base64'),
  );
  const asked = `${power}`.padStart(1 + (tag % POWER_DIGITS_MAX), '0');
  const short = `val:${name}!${asked}`;
  return power === 0n ? [short] : [[`val:${name}`, ...proven, asked].join('!'), short];
}

function isolateLeader(cluster: Cluster): boolean {
  const round = parseRound(cluster.round);
  if (round === 'malformed') return false;
  const leader = cluster.leaderOf(round);
  const alone = cluster.nodes.filter(({ address }) => address === leader).map(({ index }) => index);
  const others = cluster.nodes.map(({ index }) => index).filter((index) => !alone.includes(index));
  cluster.partition(alone, others);
  return true;
}

/** What a cell takes and does nothing with. */
const FILLERS: Readonly<Record<FillableCell, readonly [CellAddress, Message]>> = {
  mempool: [ADDRESSES.mempool, { type: 'batches.unwanted', replyTo: ADDRESSES.rpc, tag: -1 }],
  'round-manager': [ADDRESSES.roundManager, unasked()],
  'view-change': [ADDRESSES.viewChange, unasked()],
};

function unasked(): Message {
  return { type: 'storage.failed', tag: -1, request: 'batches.requested', code: 'IO', detail: 'a filler' };
}

function fill(cluster: Cluster, node: number, cell: FillableCell, messages: number): boolean {
  const [address, filler] = FILLERS[cell];
  return cluster.node(node).reach((system) => {
    const ref = system.ref(address);
    for (let count = 0; count < messages; count += 1) ref.tell(filler);
  });
}

const POISONS: Readonly<Record<KillableCell, readonly [CellAddress, Message]>> = {
  mempool: [ADDRESSES.mempool, poison('message.received')],
  'round-manager': [ADDRESSES.roundManager, poison('message.received')],
  'view-change': [ADDRESSES.viewChange, poison('message.received')],
  safety: [ADDRESSES.safety, poison('vote.requested')],
  executor: [ADDRESSES.executor, poison('recovery.found')],
  'side-store': [ADDRESSES.sideStore, poison('side.discardRequested')],
  'chain-server': [ADDRESSES.chainServer, poison('message.received')],
  'state-sync': [ADDRESSES.stateSync, poison('message.received')],
  'height-sync': [ADDRESSES.heightSync, poison('heights.checkRequested')],
  'block-sync': [ADDRESSES.blockSync, poison('blocks.committed')],
  'chain-sync': [ADDRESSES.chainSync, poison('resync.requested')],
  'network-sync': [ADDRESSES.networkSync, poison('blocks.committed')],
  'sync-coordinator': [ADDRESSES.syncCoordinator, poison('sync.manualRequested')],
  router: [ADDRESSES.router, poison('network.sendRequested')],
  'time-coordinator': [ADDRESSES.timeCoordinator, poison('message.received')],
};

function tell(cluster: Cluster, node: number, address: CellAddress, message: Message): boolean {
  return cluster.node(node).reach((system) => {
    system.ref(address).tell(message);
  });
}

function transactionsOf({ node, transactions, bytes }: Extract<Act, { kind: 'load' }>, at: number): string[] {
  return Array.from({ length: transactions }, (_, index) =>
    `load/${node}/${at}/${index}=`.padEnd(bytes, 'x'),
  );
}
