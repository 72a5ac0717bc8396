/**
 * A state-sync in virtual time: its timers, what it asked of whom, what it told whom; and a storage that holds a chain. Peers
 * answer as a test says, or by real chain-servers of their own (`serve`).
 */
import { millis, monotonic, wallTime } from '../../../src/base/units.ts';
import { chainServerMachine } from '../../../src/machines/sync/chain-server.machine.ts';
import { stateSyncMachine } from '../../../src/machines/sync/state-sync.machine.ts';
import { blockIdOf } from '../../../src/protocol/chain/canonical.ts';
import type {
  Address,
  BatchDigest,
  BlockId,
  CertifiedBlock,
  CommitProof,
} from '../../../src/protocol/chain/types.ts';
import type { StorageReply, StorageRequest } from '../../../src/protocol/ports/storage.ts';
import type { StateSyncReply, StateSyncRequest } from '../../../src/protocol/ports/sync.ts';
import { SYNC_DEFAULTS, type SyncConfig } from '../../../src/protocol/sync/config.ts';
import type {
  BlockHeightMessage,
  BlocksMessage,
  SyncAnswer,
  SyncQuestion,
} from '../../../src/protocol/sync/messages.ts';
import type { KnownPeer } from '../../../src/protocol/sync/peers.ts';
import type { PeerState, Reputation } from '../../../src/protocol/sync/types.ts';
import {
  type BlockOptions,
  chainOf,
  GENESIS_EXECUTED,
  height,
  present,
  type World,
  world,
} from '../../protocol/consensus/fixture.ts';
import { type Reach, type Chart as ReachedChart, reachOf, toldTo } from '../reach.ts';

export const START_WALL = 1_700_000_000_000;

export type StateSyncReach = Reach<typeof stateSyncMachine>;
export const newStateSyncReach = (): StateSyncReach => reachOf(stateSyncMachine, 'state-sync');
type StateSyncEvent = Parameters<ReachedChart<typeof stateSyncMachine>['send']>[0];
type Effects = ReachedChart<typeof stateSyncMachine>['effects'];

/** A chain as a node has it on disk: blocks by height from 1, each certified; the last of `proofs` commits the tip. */
export interface TestChain {
  readonly blocks: readonly CertifiedBlock[];
  /** Of the block at each height: the certificate of the block above it. */
  readonly proofs: readonly CommitProof[];
  readonly batches?: ReadonlyMap<BatchDigest, Uint8Array>;
}

/** `length` committed blocks; the block above the tip exists, and its certificate commits the tip. */
export function chainIn(
  place: World,
  length: number,
  options?: (index: number) => BlockOptions,
  firstRound = 1,
): TestChain {
  const rounds = Array.from({ length: length + 1 }, (_, index) => firstRound + index);
  const { blocks, qcs } = chainOf(place, rounds, options);
  return {
    blocks: blocks.slice(0, length).map((block, index) => ({ block, qc: present(qcs[index], 'QC') })),
    proofs: qcs.slice(1),
  };
}

export const idAt = (place: World, { blocks }: TestChain, at: number): BlockId =>
  at === 0 ? place.epoch.rootQC.blockId : present(blocks[at - 1], `block ${at}`).qc.blockId;

/** What storage answers about a chain of which heights up to `committed` are committed. */
export function storageReply(
  place: World,
  chain: TestChain,
  committed: number,
  request: StorageRequest,
): StorageReply | undefined {
  const upTo = Math.min(committed, chain.blocks.length);
  const proof = (at: number) => present(chain.proofs[at - 1], `proof of ${at}`);
  switch (request.type) {
    case 'tip.requested':
      return {
        ...{ type: 'tip.found', tag: request.tag, base: height(upTo === 0 ? 0 : 1), height: height(upTo) },
        ...{ id: idAt(place, chain, upTo), executed: GENESIS_EXECUTED },
        ...(upTo === 0 ? {} : { proof: proof(upTo) }),
      };
    case 'blockIds.requested': {
      const ids = request.heights
        .filter((at) => at <= upTo)
        .map((at) => ({ height: at, id: idAt(place, chain, at) }));
      return { type: 'blockIds.found', tag: request.tag, ids };
    }
    case 'blocks.requested': {
      const blocks = chain.blocks.slice(request.from - 1, Math.min(upTo, request.from - 1 + request.limit));
      const newest = blocks.at(-1)?.block.header.height;
      return {
        ...{ type: 'blocks.found', tag: request.tag, blocks, height: height(upTo) },
        ...(newest === undefined ? {} : { commitProof: proof(newest) }),
      };
    }
    case 'block.requested': {
      const index = chain.blocks.findIndex(
        ({ block }) => blockIdOf(place.epoch.domain, block) === request.id,
      );
      const blocks = index < 0 ? [] : chain.blocks.slice(Math.max(0, index - request.ancestors), index + 1);
      return { type: 'blocks.found', tag: request.tag, blocks, height: height(upTo) };
    }
    case 'batches.requested': {
      const found = request.digests.map((digest) => ({ digest, bytes: chain.batches?.get(digest) }));
      return {
        type: 'batches.found',
        tag: request.tag,
        batches: found.flatMap(({ digest, bytes }) => (bytes === undefined ? [] : [{ digest, bytes }])),
        missing: found.flatMap(({ digest, bytes }) => (bytes === undefined ? [digest] : [])),
      };
    }
    case 'reputations.requested':
      return { type: 'reputations.found', tag: request.tag, reputations: [] };
    default:
      return undefined;
  }
}

const isRequest = (message: object): message is StorageRequest => 'type' in message && 'tag' in message;

export interface Asked {
  readonly at: number;
  readonly to: Address;
  readonly message: SyncQuestion;
}

const SYNC_KINDS =
  /^Get(Block|Blocks|BlockHeight|GenesisHash|BlockHash|Chain|Snapshot|SnapshotChunk|Epochs)$/;
const isQuestion = (message: { readonly kind?: unknown }): message is SyncQuestion =>
  typeof message.kind === 'string' && SYNC_KINDS.test(message.kind);

/** Messages of sync that went to peers, by the effects of a step. */
export function sentIn(
  effects: Effects,
): readonly { readonly to: Address; readonly message: SyncAnswer | SyncQuestion }[] {
  return toldTo(effects, 'router').flatMap((message) => {
    const outgoing = 'outgoing' in message ? message['outgoing'] : undefined;
    return Array.isArray(outgoing)
      ? outgoing.map(({ to, message: sent }) => ({ to: to[0], message: sent }))
      : [];
  });
}

export const answersIn = (effects: Effects): readonly SyncAnswer[] =>
  sentIn(effects).flatMap(({ message }) => (isQuestion(message) ? [] : [message]));

type ServerReply = Extract<
  StorageReply,
  { type: 'blocks.found' | 'batches.found' | 'tip.found' | 'blockIds.found' }
>;
const SERVER_REPLIES = new Set(['blocks.found', 'batches.found', 'tip.found', 'blockIds.found']);
const isServerReply = (reply: StorageReply): reply is ServerReply => SERVER_REPLIES.has(reply.type);

/** What storage answers a chain-server that asked it something. */
export function storageReplies(
  place: World,
  chain: TestChain,
  committed: number,
  effects: Effects,
): readonly ServerReply[] {
  return toldTo(effects, 'storage').flatMap((asked) => {
    const reply = isRequest(asked) ? storageReply(place, chain, committed, asked) : undefined;
    return reply !== undefined && isServerReply(reply) ? [reply] : [];
  });
}

type RequestOf<Type extends StateSyncRequest['type']> = Extract<StateSyncRequest, { type: Type }>;

/** Every validator is asked how far it is. */
export const pollOf = (maxAge = 0): RequestOf<'peers.pollRequested'> => ({
  ...{
    type: 'peers.pollRequested',
    replyTo: 'asker',
    tag: 7,
    maxAge: millis(maxAge),
    timeout: millis(10_000),
  },
});

/** Blocks of one peer, at the third attempt at the latest. */
export const fetchOf = (
  from: number,
  limit: number,
  changes: Partial<RequestOf<'blocks.fetchRequested'>> = {},
): RequestOf<'blocks.fetchRequested'> => ({
  ...{ type: 'blocks.fetchRequested', replyTo: 'asker', tag: 1, avoid: [], copies: 1, attempts: 3 },
  ...{ query: { by: 'height', from: height(from), limit }, timeout: millis(10_000) },
  ...changes,
});

interface Due {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

const isReply = (message: object): message is StateSyncReply => 'type' in message;

export interface RigOptions {
  readonly powers?: readonly bigint[];
  readonly config?: Partial<SyncConfig>;
  readonly chain?: (place: World) => TestChain;
  /** Committed here. */
  readonly committed?: number;
  readonly kept?: (place: World) => readonly Reputation[];
  /** Storage answers nothing by itself. */
  readonly silentStorage?: boolean;
  readonly draws?: readonly number[];
}

/** Node 0 of the set, among the others. */
export class StateSyncRig {
  readonly place: World;
  readonly self: Address;
  /** The other validators, by address. */
  readonly peers: readonly Address[];
  readonly chain: TestChain;
  readonly #options: RigOptions;
  readonly #agenda = new Map<string, Due>();
  readonly #servers = new Map<Address, (message: SyncQuestion) => readonly SyncAnswer[]>();
  chart: ReachedChart<typeof stateSyncMachine>;
  now = 1_000;
  wall = START_WALL;
  committed: number;
  #order = 0;
  readonly asked: Asked[] = [];
  readonly replies: StateSyncReply[] = [];
  readonly forks: StateSyncReply[] = [];
  /** Peers of later epochs, as the epoch-keeper was told. */
  readonly met: { readonly type: string }[] = [];
  readonly blamed: { readonly peer: Address; readonly code: string }[] = [];
  readonly persisted: (readonly Reputation[])[] = [];
  readonly storageRequests: StorageRequest[] = [];

  constructor(reach: StateSyncReach, options: RigOptions = {}) {
    this.#options = options;
    this.place = world(options.powers ?? [1n, 1n, 1n, 1n]);
    this.self = this.place.addressAt(0);
    this.peers = this.place.validators.slice(1).map(({ address }) => address);
    this.chain = options.chain?.(this.place) ?? chainIn(this.place, 20);
    this.committed = options.committed ?? 0;
    this.chart = reach.start(
      {
        ...{ epoch: this.place.epoch, self: this.self, bls: this.place.bls },
        config: { ...SYNC_DEFAULTS, ...options.config },
        ...{ storage: 'storage', router: 'router', networkSync: 'network-sync' },
        ...{ roundManager: 'round-manager', epochKeeper: 'epoch-keeper' },
      },
      this.#circumstances(),
    );
    this.#take(this.chart.effects);
  }

  get context() {
    return this.chart.snapshot.context;
  }

  peer(index: number): Address {
    return present(this.peers[index], `peer ${index}`);
  }

  state(index: number): PeerState {
    return this.known(index).state;
  }

  known(index: number): KnownPeer {
    return present(this.context.peers.get(this.peer(index)), `peer ${index}`);
  }

  send(event: StateSyncEvent): Effects {
    const effects = this.chart.send(event, this.#circumstances());
    this.#take(effects);
    return effects;
  }

  /** Connects these and says nothing for them; their first questions are answered with a claim where `claims` says one. */
  connect(...indices: readonly number[]): void {
    for (const index of indices) this.send({ type: 'peer.connected', peer: this.peer(index) });
  }

  disconnect(index: number): void {
    this.send({ type: 'peer.disconnected', peer: this.peer(index) });
  }

  /** From now on a real chain-server answers for the peer: `upTo` heights of the chain are committed there. */
  serve(index: number, upTo: number, chain = this.chain): void {
    const server = reachOf(chainServerMachine, 'chain-server').start({
      ...{ epoch: this.place.epoch, bls: this.place.bls, storage: 'storage', router: 'router' },
      roundManager: 'round-manager',
    });
    this.#servers.set(this.peer(index), (message) => {
      const answers: SyncAnswer[] = [];
      const pending: Effects[] = [server.send({ type: 'message.received', from: this.self, message })];
      for (let effects = pending.pop(); effects !== undefined; effects = pending.pop()) {
        answers.push(...answersIn(effects));
        for (const reply of storageReplies(this.place, chain, upTo, effects))
          pending.push(server.send(reply));
      }
      return answers;
    });
  }

  /** Lets every peer that has a server answer what it was asked, until nothing is asked any more. */
  settle(after = 0): void {
    for (let guard = 0; guard < 1_000; guard += 1) {
      const [next] = this.asked.splice(0, 1);
      if (next === undefined) return;
      const serve = this.#servers.get(next.to);
      if (serve === undefined) continue;
      if (after > 0) this.advance(after);
      for (const message of serve(next.message)) this.answer(next, message);
    }
    throw new Error('the peers and state-sync never come to rest');
  }

  /** A message from the one who was asked, or from somebody else. */
  answer({ to }: { readonly to: Address }, message: SyncAnswer, from = to): void {
    this.send({ type: 'message.received', from, message });
  }

  /** The questions of a kind that were asked since this was called last, of whatever kind. */
  take<Kind extends SyncQuestion['kind']>(
    kind: Kind,
  ): readonly (Asked & { readonly message: Extract<SyncQuestion, { kind: Kind }> })[] {
    const taken = this.asked.splice(0);
    return taken.filter(
      (one): one is Asked & { readonly message: Extract<SyncQuestion, { kind: Kind }> } =>
        one.message.kind === kind,
    );
  }

  /** What a peer with so many blocks of the chain says of itself. */
  claim(
    requestId: number,
    at: number,
    changes: Partial<BlockHeightMessage> = {},
    chain = this.chain,
  ): BlockHeightMessage {
    const proof = at === 0 ? {} : { proof: present(chain.proofs[at - 1], `proof of ${at}`) };
    return {
      ...{ kind: 'BlockHeight', requestId, base: height(at === 0 ? 0 : 1), height: height(at) },
      tipId: idAt(this.place, chain, at),
      ...proof,
      ...changes,
    };
  }

  /** Connects a peer, and lets it claim so many blocks. */
  join(index: number, at: number, changes: Partial<BlockHeightMessage> = {}, took = 0): void {
    this.asked.splice(0);
    this.connect(index);
    const [question] = this.take('GetBlockHeight').filter(({ to }) => to === this.peer(index));
    if (took > 0) this.advance(took);
    const { requestId } = present(question, 'GetBlockHeight').message;
    this.answer({ to: this.peer(index) }, this.claim(requestId, at, changes));
  }

  /** Virtual time passes on both clocks, and everything that is due happens. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (let next = this.#next(); next !== undefined && next[1].at <= end; next = this.#next()) {
      this.#agenda.delete(next[0]);
      this.#to(Math.max(this.now, next[1].at));
      next[1].run();
    }
    this.#to(end);
  }

  #to(at: number): void {
    this.wall += at - this.now;
    this.now = at;
  }

  #next() {
    return [...this.#agenda].sort(([, a], [, b]) => a.at - b.at || a.order - b.order)[0];
  }

  #circumstances() {
    return {
      now: monotonic(this.now),
      wall: wallTime(this.wall),
      draws: this.#options.draws ?? [],
    };
  }

  #take(effects: Effects): void {
    for (const effect of effects) {
      if (effect.kind === 'cancelTimer') this.#agenda.delete(effect.key);
      if (effect.kind === 'startTimer') {
        const { key, delayMs, message } = effect;
        this.#order += 1;
        this.#agenda.set(key, {
          ...{ at: this.now + delayMs, order: this.#order },
          run: () => this.#due(message),
        });
      }
    }
    this.met.push(...toldTo(effects, 'epoch-keeper'));
    for (const { to, message } of sentIn(effects)) {
      if (isQuestion(message)) this.asked.push({ at: this.now, to, message });
    }
    for (const message of toldTo(effects, 'router')) {
      if (message.type !== 'peer.misbehaved' || !('peer' in message) || !('code' in message)) continue;
      const peer = this.peers.find((one) => one === message['peer']);
      if (peer !== undefined) this.blamed.push({ peer, code: String(message['code']) });
    }
    for (const message of toldTo(effects, 'asker')) if (isReply(message)) this.replies.push(message);
    for (const message of toldTo(effects, 'network-sync')) if (isReply(message)) this.forks.push(message);
    for (const message of toldTo(effects, 'storage')) this.#ask(message);
  }

  #due(message: { readonly type: string }): void {
    if (isStateSyncEvent(message)) this.send(message);
  }

  #ask(message: object): void {
    if (isPersist(message)) {
      this.persisted.push(message.reputations);
      return;
    }
    if (!isRequest(message)) return;
    this.storageRequests.push(message);
    if (this.#options.silentStorage === true) return;
    const kept = this.#options.kept?.(this.place) ?? [];
    const reply =
      message.type === 'reputations.requested'
        ? ({ type: 'reputations.found', tag: message.tag, reputations: kept } as const)
        : storageReply(this.place, this.chain, this.committed, message);
    if (reply !== undefined && isStateSyncEvent(reply)) this.send(reply);
  }
}

const EVENTS = new Set([
  'question.expired',
  'task.expired',
  'asking.due',
  'reputations.due',
  'reputations.found',
  'blockIds.found',
  'blocks.found',
]);
const isStateSyncEvent = (message: { readonly type: string }): message is StateSyncEvent =>
  EVENTS.has(message.type);
const isPersist = (
  message: object,
): message is Extract<StorageRequest, { type: 'reputations.persistRequested' }> =>
  'type' in message && message.type === 'reputations.persistRequested';

/** Peers that proved 20 blocks, and the questions for blocks that came of a fetch. */
export const fetchingWith =
  (rig: (options: RigOptions) => StateSyncRig) =>
  (changes: Parameters<typeof fetchOf>[2] = {}, options: RigOptions = {}) => {
    const at = rig(options);
    for (const index of at.peers.keys()) at.join(index, 20);
    at.take('GetBlocks');
    at.send(fetchOf(1, 10, changes));
    return { at, asked: at.take('GetBlocks') };
  };

export const only = (asked: ReturnType<StateSyncRig['take']>) => present(asked[0], 'question');

export const blocksOf = (at: StateSyncRig, requestId: number, from = 1, count = 10): BlocksMessage => ({
  ...{ kind: 'Blocks', requestId, blocks: at.chain.blocks.slice(from - 1, from - 1 + count) },
  ...{ batches: [], height: height(20) },
});
