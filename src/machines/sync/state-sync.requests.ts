/** How state-sync takes the requests of the other cells of sync. Pure. Rules SY-1 to SY-10, docs/protocol/sync.md. */
import { type Millis, millis } from '../../base/units.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type { StateSyncRequest } from '../../protocol/ports/sync.ts';
import { connectedOf, isFresh } from '../../protocol/sync/peers.ts';
import { openAt, type UnaskedQuestion } from '../../protocol/sync/questions.ts';
import {
  askGenesis,
  askPeer,
  callRoll,
  cancel,
  genesisCandidates,
  hurry,
  queryPeerState,
  requestBlocksRedundant,
} from './state-sync.asking.ts';
import {
  change,
  count,
  startTimer,
  TASKS_MAX,
  type Task,
  tellAsker,
  type Work,
  withTask,
} from './state-sync.live.ts';
import { chargeLie, praise } from './state-sync.standing.ts';
import { finishIfDone, replyFor } from './state-sync.tasks.ts';

type RequestOf<Type extends StateSyncRequest['type']> = Extract<StateSyncRequest, { type: Type }>;

export function takeRequest(work: Work, request: StateSyncRequest): void {
  switch (request.type) {
    case 'peers.pollRequested':
      pollPeers(work, request);
      return;
    case 'genesis.verifyRequested':
      verifyGenesis(work, request);
      return;
    case 'hash.verifyRequested':
      verifyBlockHashConsensus(work, request);
      return;
    case 'blocks.fetchRequested':
      fetchBlocks(work, request);
      return;
    case 'fetch.hurried':
      hurry(work, request.replyTo, request.tag);
      return;
    case 'fetch.cancelled':
      cancel(work, request.replyTo, request.tag);
      return;
    case 'peer.judged':
      request.verdict === 'good'
        ? praise(work, request.peer)
        : chargeLie(work, request.peer, request.verdict.code);
      return;
    case 'chains.requested':
      askChains(work, request);
      return;
    case 'snapshots.requested':
      askSnapshots(work, request);
      return;
    case 'snapshotChunk.requested':
      askChunk(work, request);
      return;
    case 'epochs.fetchRequested':
      askEpochs(work, request);
      return;
  }
}

/** Notes the task; without a place for it, the asker is told at once what is known. */
function beginTask(work: Work, task: Task): number | undefined {
  if (work.context.tasks.size >= TASKS_MAX) {
    count(work, 'refused');
    tellAsker(work, task, replyFor(work, task));
    return undefined;
  }
  const id = work.context.taskId + 1;
  change(work, { taskId: id });
  withTask(work, id, task);
  return id;
}

/** Asks these peers for the task; those that have no place for it are not waited for. */
function askAll(work: Work, id: number, peers: readonly Address[], query: (peer: Address) => boolean): void {
  const awaiting = new Set(peers.filter(query));
  const task = work.context.tasks.get(id);
  if (task !== undefined && 'awaiting' in task) withTask(work, id, { ...task, awaiting });
  finishIfDone(work, id);
}

const reached = (work: Work): readonly Address[] => connectedOf(work.context.peers).map(({ peer }) => peer);

const nobody: ReadonlySet<Address> = new Set();

/** Seed 001: queryPeerHeights. */
function pollPeers(work: Work, { replyTo, tag, maxAge, timeout }: RequestOf<'peers.pollRequested'>): void {
  const { now } = work.clock;
  const { book, peers, config } = work.context;
  const id = beginTask(work, { kind: 'poll', replyTo, tag, maxAge, since: now, awaiting: nobody });
  if (id === undefined) return;
  const asked = connectedOf(peers).filter((state) => !isFresh(state, maxAge, now));
  // Not yet heard of, just after a start: their answer to the roll call is waited for.
  const unknown = [...peers.values()]
    .filter(({ presence, state: { peer } }) => presence === 'unknown' && openAt(book, peer).length > 0)
    .map(({ state }) => state);
  startTimer(work, `task/${id}`, timeout, { type: 'task.expired', task: id });
  const wait = millis(Math.min(config.peerQueryTimeout, timeout));
  askAll(
    work,
    id,
    [...asked, ...unknown].map(({ peer }) => peer),
    (peer) => queryPeerState(work, peer, wait),
  );
  callRoll(work);
}

/** SY-4: of min(genesisPeers, connected), at each check. */
function verifyGenesis(work: Work, { replyTo, tag }: RequestOf<'genesis.verifyRequested'>): void {
  const { genesisPeers, peerQueryTimeout } = work.context.config;
  const asked = genesisCandidates(work, []).slice(0, genesisPeers);
  const id = beginTask(work, { kind: 'genesis', replyTo, tag, asked, awaiting: nobody });
  if (id === undefined) return;
  startTimer(work, `task/${id}`, peerQueryTimeout, { type: 'task.expired', task: id });
  askAll(work, id, asked, (peer) => askGenesis(work, peer));
  // Who was silent when this cell began may be there by now: the next check asks it.
  callRoll(work);
}

/** Seed 002. */
function verifyBlockHashConsensus(
  work: Work,
  { replyTo, tag, height, id: blockId }: RequestOf<'hash.verifyRequested'>,
): void {
  const { peerQueryTimeout } = work.context.config;
  const peers = reached(work);
  const id = beginTask(work, {
    ...{ kind: 'hash', replyTo, tag, height, id: blockId },
    ...{ connected: peers.length, votes: [], awaiting: nobody },
  });
  if (id === undefined) return;
  const question: UnaskedQuestion = { kind: 'GetBlockHash', height };
  askAll(work, id, peers, (peer) => askPeer(work, peer, question, peerQueryTimeout, id));
}

function fetchBlocks(work: Work, request: RequestOf<'blocks.fetchRequested'>): void {
  const { replyTo, tag } = request;
  const id = beginTask(work, {
    kind: 'fetch',
    replyTo,
    tag,
    request,
    tried: [],
    hurried: 0,
    answered: 0,
    error: { code: 'NoPeersAvailable', detail: 'no peer is known that can have it' },
  });
  if (id !== undefined) requestBlocksRedundant(work, id);
}

function askChains(work: Work, { replyTo, tag, peers, timeout }: RequestOf<'chains.requested'>): void {
  const id = beginTask(work, { kind: 'chains', replyTo, tag, found: [], awaiting: nobody });
  if (id === undefined) return;
  const wanted = reached(work).filter((peer) => peers.includes(peer));
  askAll(work, id, wanted, (peer) => askPeer(work, peer, { kind: 'GetChain' }, timeout, id));
}

function askSnapshots(work: Work, { replyTo, tag, timeout }: RequestOf<'snapshots.requested'>): void {
  const id = beginTask(work, { kind: 'snapshots', replyTo, tag, found: [], awaiting: nobody });
  if (id === undefined) return;
  askAll(work, id, reached(work), (peer) => askPeer(work, peer, { kind: 'GetSnapshot' }, timeout, id));
}

function askChunk(work: Work, request: RequestOf<'snapshotChunk.requested'>): void {
  const { replyTo, tag, peer, height, format, chunk, timeout } = request;
  const question: UnaskedQuestion = { kind: 'GetSnapshotChunk', height, format, chunk };
  askOne(work, { kind: 'chunk', replyTo, tag, peer }, question, timeout);
}

/** CS-16. */
function askEpochs(work: Work, request: RequestOf<'epochs.fetchRequested'>): void {
  const { replyTo, tag, peer, from, limit, timeout } = request;
  askOne(work, { kind: 'epochs', replyTo, tag, peer }, { kind: 'GetEpochs', from, limit }, timeout);
}

/** Of this peer alone: if it has no place, the asker is told at once. */
function askOne(
  work: Work,
  task: Extract<Task, { readonly kind: 'chunk' | 'epochs' }>,
  question: UnaskedQuestion,
  timeout: Millis,
): void {
  const id = beginTask(work, task);
  if (id === undefined) return;
  const { peer } = task;
  if (askPeer(work, peer, question, timeout, id)) return;
  const tasks = new Map(work.context.tasks);
  tasks.delete(id);
  change(work, { tasks });
  tellAsker(work, task, replyFor(work, task));
}
