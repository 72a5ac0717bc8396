/**
 * A chain-sync among peers that do as a test says, with a real side store in memory: what it asks is answered in an order that
 * a seed decides, and time passes only when nothing else is left to do.
 */
import { child, createSystem, handler, supervisor, virtualClock } from '../../../src/actors/runtime/index.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { millis, monotonic, wallTime } from '../../../src/base/units.ts';
import { sha256Hex } from '../../../src/crypto/hash.ts';
import { chainSyncMachine } from '../../../src/machines/sync/chain-sync.machine.ts';
import { batchDigestOf, encodeBatch } from '../../../src/protocol/chain/batch.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { parseDigest } from '../../../src/protocol/chain/parse.ts';
import type {
  Address,
  BatchReference,
  CertifiedBlock,
  CommitProof,
  EpochChange,
  ExecutedState,
} from '../../../src/protocol/chain/types.ts';
import type { RestoreReply, RestoreRequest } from '../../../src/protocol/ports/snapshots.ts';
import type {
  ResyncProgressed,
  SideStoreReply,
  SideStoreRequest,
  StateSyncRequest,
} from '../../../src/protocol/ports/sync.ts';
import type { Message } from '../../../src/protocol/supervision/effect.ts';
import { SYNC_DEFAULTS, type SyncConfig } from '../../../src/protocol/sync/config.ts';
import type { ChainCheckpoint, SnapshotManifest } from '../../../src/protocol/sync/messages.ts';
import type { PeerState, Reputation } from '../../../src/protocol/sync/types.ts';
import type { MemoryFaults } from '../../../src/storage/memory-store.ts';
import { type MemorySideDisk, memorySide } from '../../../src/storage/side-disk.ts';
import { SIDE_STORE_EVENTS, sideStoreLogic } from '../../../src/storage/side-store.ts';
import {
  blockOn,
  GENESIS_EXECUTED,
  height,
  idOf,
  present,
  qcOf,
  seeded,
  type World,
  world,
} from '../../protocol/consensus/fixture.ts';
import { ofKind, type Reach, reachOf, toldTo } from '../reach.ts';
import { encoded } from './epochs.ts';

export const WALL = 1_700_000_000_000;
export const TRUST_MS = SYNC_DEFAULTS.tier3TrustTime;

/** D of the genesis. @unit heights */
export const WINDOW = 20;

export interface MadeChain {
  readonly blocks: readonly CertifiedBlock[];
  /** Commits the newest. */
  readonly proof: CommitProof;
  readonly bytes: ReadonlyMap<string, Uint8Array>;
}

export interface ChainOptions {
  readonly base?: MadeChain;
  /** Blocks of `base` that are taken over. */
  readonly upTo?: number;
  readonly salt?: number;
  /** Bytes of the batch at a height; 0: none. */
  readonly batchBytes?: (height: number) => number;
  /** Rounds that are skipped before the block at a height. */
  readonly skipped?: (height: number) => number;
  /** Which state the header at a height states; default: of two below. */
  readonly stated?: (height: number) => number;
}

/** The application's state after a height: its hash. */
export const stateAfter = (at: number, salt = ''): ExecutedState => {
  if (at <= 0) return GENESIS_EXECUTED;
  const appHash = parseDigest(sha256Hex(utf8(`state ${at}${salt}`)));
  if (appHash === 'malformed') throw new Error('SHA-256 has 64 letters');
  return { height: height(at), appHash };
};

/** Certified blocks 1 to `length`, with batches. */
export function madeChain(place: World, length: number, options: ChainOptions = {}): MadeChain {
  const {
    base,
    upTo = base?.blocks.length ?? 0,
    salt = 0,
    batchBytes = () => 0,
    skipped = () => 0,
    stated = (at) => at - 2,
  } = options;
  const blocks: CertifiedBlock[] = [...(base?.blocks.slice(0, upTo) ?? [])];
  const bytes = new Map<string, Uint8Array>(base?.bytes);
  let qc = blocks.at(-1)?.qc ?? place.epoch.rootQC;
  const next = (at: number): CertifiedBlock => {
    const size = batchBytes(at);
    const batches = size === 0 ? [] : [batchOf(place, at, size, bytes)];
    const inRound = qc.round + 1 + skipped(at);
    const block = blockOn(place, qc, inRound, {
      batches,
      time: 2_000_000 + inRound * 10 + salt,
      executed: stateAfter(stated(at)),
    });
    qc = qcOf(place, block);
    return { block, qc };
  };
  while (blocks.length < length) blocks.push(next(blocks.length + 1));
  // Round r + 1 on the newest: its certificate commits the newest.
  const above = blockOn(place, qc, qc.round + 1, { time: 3_000_000 + qc.round * 10 + salt });
  return { blocks, proof: qcOf(place, above), bytes };
}

function batchOf(place: World, at: number, size: number, bytes: Map<string, Uint8Array>): BatchReference {
  const encoded = encodeBatch({
    author: place.addressAt(0),
    sequence: at,
    expiresAtHeight: height(at + 100),
    transactions: [new Uint8Array(size).fill(at % 251)],
  });
  const digest = batchDigestOf(encoded);
  bytes.set(digest, encoded);
  return { digest, count: 1, bytes: encoded.byteLength };
}

export const idAt = (place: World, { blocks }: MadeChain, at: number) =>
  idOf(place, present(blocks[at - 1], `block ${at}`).block);

/** What one peer answers to a question for blocks; undefined: nothing in time. */
export type Answering = (question: {
  readonly from: number;
  readonly limit: number;
  readonly draw: () => number;
}) => { readonly blocks: readonly CertifiedBlock[]; readonly batches: readonly Uint8Array[] } | undefined;

export interface PeerModel {
  readonly chain: MadeChain;
  readonly answers: Answering;
  /** Default: six hours. @unit ms */
  readonly consistentFor?: number;
  readonly removed?: boolean;
  /** Default: 1. */
  readonly base?: number;
  readonly describes?: boolean;
  /** Until its answers to questions for blocks are here, by the question's `limit`. Default: at once. @unit ms */
  readonly delay?: (limit: number) => number;
  readonly snapshot?: SnapshotModel;
  /** How epochs ended from one on, at most `limit`; 'silent': no answer in time; 'busy': state-sync had no place for the question. */
  readonly epochs?: (from: number, limit: number) => readonly EpochChange[] | 'silent' | 'busy';
}

/** A snapshot of `state` at the height, and how its chunks are given. */
export interface SnapshotModel {
  readonly manifest: SnapshotManifest;
  /** Undefined: it keeps it no more; 'silent': nothing at all; 'unasked': state-sync had no place for the question. */
  readonly gives: (chunk: number) => Uint8Array | undefined | 'silent' | 'unasked';
}

/** The chunks say which state they are of: the model of an application reads it there. */
export function snapshotOf(state: ExecutedState, count = 12): SnapshotModel {
  const chunks = Array.from({ length: count }, (_, index) => utf8(`${index} ${JSON.stringify(state)}`));
  const manifest: SnapshotManifest = {
    height: state.height,
    format: 1,
    bytes: chunks.reduce((sum, { byteLength }) => sum + byteLength, 0),
    chunks: chunks.map((chunk) => digestOf(chunk)),
  };
  return { manifest, gives: (chunk) => chunks[chunk] };
}

/** Blocks as asked, cut at random where `cuts`; batches as many as fit into `fit` bytes. */
export const honest =
  (chain: MadeChain, { cuts = false, fit = Number.POSITIVE_INFINITY } = {}): Answering =>
  ({ from, limit, draw }) => {
    const all = chain.blocks.slice(from - 1, from - 1 + limit);
    const count = cuts ? 1 + Math.floor(draw() * all.length) : all.length;
    const blocks = all.slice(0, count);
    const batches: Uint8Array[] = [];
    let room = fit;
    for (const { digest } of blocks.flatMap(({ block }) => block.header.batches)) {
      const bytes = present(chain.bytes.get(digest), 'batch');
      room -= bytes.byteLength;
      if (room < 0) break;
      batches.push(bytes);
    }
    return { blocks, batches };
  };

export const peerOf = (chain: MadeChain, answers: Answering = honest(chain)): PeerModel => ({
  chain,
  answers,
});

export type ChainSyncReach = Reach<typeof chainSyncMachine>;
export const newReach = (): ChainSyncReach => reachOf(chainSyncMachine, 'chain-sync');

/** What only a chain of several epochs reaches: chain-sync.epochs.test.ts. */
export const isOfEpochs = (name: string): boolean =>
  /(choosingChain on always \[2\]|walking on (epochs|fetch|always \[0\]|xstate)|awaitingGuide|passing on|sync on (epochs\.answered|side\.passed))/.test(
    name,
  );

/** What only a join by a snapshot reaches: chain-sync.join.test.ts. */
export const isOfJoin = (name: string): boolean =>
  /choosingSnapshot|awaitingBlocks|passing|restoring|certifying|leaving|abandoning|restore\.|snapshot|side\.(planted|restored)/i.test(
    name,
  ) ||
  [
    'chain-sync.proceeding on always [0]',
    'chain-sync.preparing on side.opened [0]',
    'chain-sync.preparing on side.failed [0]',
    'chain-sync.downloading on always [1]',
    'chain-sync.failing.deciding on always [1]',
  ].includes(name);

type Chart = ReturnType<ChainSyncReach['start']>;
type ChartEvent = Parameters<Chart['send']>[0];

type FetchRequest = Extract<StateSyncRequest, { type: 'blocks.fetchRequested' }>;

export interface RigOptions {
  readonly seed?: number;
  readonly config?: Partial<SyncConfig>;
  /** By order of address, without this node. */
  readonly peers: readonly (PeerModel | 'absent')[];
  readonly own?: MadeChain;
  readonly faults?: MemoryFaults;
  /** What the application says at a request; default: it takes all, and says what the chunks are of. */
  readonly restoring?: (request: RestoreRequest, taken: readonly Uint8Array[]) => RestoreReply | undefined;
  /** These are not answered. */
  readonly silent?: readonly string[];
}

/** Checkpoints that a chain is described by: every 32nd, and its tip. */
export function checkpointsOf(place: World, chain: MadeChain): readonly ChainCheckpoint[] {
  const { blocks } = chain;
  return blocks
    .map((_, index) => index + 1)
    .filter((at) => at % 32 === 0 || at === blocks.length)
    .map((at) => ({ height: height(at), id: idAt(place, chain, at) }));
}

export class Rig {
  readonly place: World;
  readonly peers: readonly Address[];
  readonly chart: Chart;
  readonly disk: MemorySideDisk;
  readonly judged: { readonly peer: Address; readonly verdict: string }[] = [];
  readonly told: Message[] = [];
  readonly alarmed: Message[] = [];
  readonly asked: Extract<StateSyncRequest, { type: 'blocks.fetchRequested' }>[] = [];
  readonly sideAsked: string[] = [];
  /** Whom it asked to describe their chains, each time. */
  readonly chainsAsked: (readonly Address[])[] = [];
  readonly epochsAsked: { readonly peer: Address; readonly from: number }[] = [];
  readonly restorerAsked: string[] = [];
  readonly chunksAsked: { readonly peer: Address; readonly chunk: number }[] = [];
  #taken: Uint8Array[] = [];
  readonly #toSide: SideStoreRequest[] = [];
  readonly cancelled: number[] = [];
  now = 0;
  readonly #options: RigOptions;
  readonly #draw: () => number;
  readonly #askSide: (request: SideStoreRequest) => readonly SideStoreReply[];
  #pending: (() => void)[] = [];
  /** What takes its time. */
  #onItsWay: { readonly at: number; readonly arrive: () => void }[] = [];
  readonly #tried = new Map<number, { readonly request: FetchRequest; readonly tried: readonly Address[] }>();
  readonly #fetched = new Set<number>();
  readonly #timers = new Map<string, { readonly at: number; readonly message: ChartEvent }>();

  constructor(reach: ChainSyncReach, place: World, options: RigOptions) {
    this.#options = options;
    this.place = place;
    this.#draw = seeded(options.seed ?? 1);
    const [, ...peers] = place.validators.map(({ address }) => address);
    this.peers = peers;
    this.disk = memorySide(place.epoch.domain, options.faults);
    this.#askSide = sideStore(this.disk, place);
    this.chart = reach.start(
      {
        first: place.epoch,
        bls: place.bls,
        config: { ...SYNC_DEFAULTS, ...options.config },
        storage: 'storage',
        stateSync: 'state-sync',
        sideStore: 'side-store',
        snapshotRestorer: 'snapshot-restorer',
        deduplicationHeights: WINDOW,
        networkSync: 'network-sync',
        alarm: 'alarm',
      },
      this.#circumstances(),
    );
  }

  get context() {
    return this.chart.snapshot.context;
  }

  get state(): string {
    const { value } = this.chart.snapshot;
    return typeof value === 'string' ? value : (Object.keys(value)[0] ?? '');
  }

  get progress() {
    return this.told.flatMap((message) => (isProgress(message) ? [message.progress] : []));
  }

  get outcome() {
    return this.told.findLast(({ type }) => type === 'resync.ended');
  }

  peer(index: number): Address {
    return present(this.peers[index], `peer ${index}`);
  }

  send(event: ChartEvent) {
    const effects = this.chart.send(event, this.#circumstances());
    this.#take(effects);
    return effects;
  }

  order(checkpoint?: ChainCheckpoint, replyTo = 'network-sync') {
    const named = checkpoint === undefined ? {} : { checkpoint };
    return this.send({ type: 'resync.requested', replyTo, tag: 99, ...named });
  }

  /** As network-sync does by the operator's configuration. */
  join() {
    return this.send({ type: 'resync.requested', replyTo: 'network-sync', tag: 99, mode: 'snapshot' });
  }

  elapse(delayMs: number) {
    this.now += delayMs;
    this.#take(this.chart.elapse(delayMs, this.#circumstances()));
  }

  /** One waiting message is delivered. */
  step(): boolean {
    const index = Math.floor(this.#draw() * this.#pending.length);
    const [next] = this.#pending.splice(index, 1);
    if (next === undefined) return false;
    this.now += 1;
    next();
    return true;
  }

  /** Until nothing is left to deliver and the end has come, or no more than `steps`. */
  run(steps = 5_000): this {
    for (let count = 0; count < steps; count += 1) {
      if (this.step()) continue;
      if (this.state === 'awaitingBlocks' || this.state === 'awaitingGuide') {
        this.elapse(this.state === 'awaitingBlocks' ? 1_000 : 250);
        continue;
      }
      if (this.state === 'idle' || this.state === 'ready' || !this.fire()) return this;
    }
    throw new Error(`still ${this.state} after ${steps} steps`);
  }

  /** The timer that is due first. */
  fire(): boolean {
    const [first] = [...this.#timers].sort(([, a], [, b]) => a.at - b.at);
    const [arriving] = [...this.#onItsWay].sort((a, b) => a.at - b.at);
    if (arriving !== undefined && (first === undefined || arriving.at <= first[1].at)) {
      this.#onItsWay = this.#onItsWay.filter((one) => one !== arriving);
      this.now = Math.max(this.now, arriving.at);
      arriving.arrive();
      return true;
    }
    if (first === undefined) return false;
    const [key, { at, message }] = first;
    this.#timers.delete(key);
    this.now = Math.max(this.now, at);
    this.send(message);
    return true;
  }

  get timers(): readonly string[] {
    return [...this.#timers.keys()].sort();
  }

  #circumstances() {
    const draws = Array.from({ length: 4 }, () => this.#draw());
    return { now: monotonic(this.now), wall: wallTime(WALL + this.now), draws };
  }

  #take(effects: Chart['effects']): void {
    for (const { key, delayMs, message } of ofKind(effects, 'startTimer')) {
      const { type } = message;
      if (type !== 'retry.due' && type !== 'watch.due' && type !== 'progress.due' && type !== 'hurry.due')
        throw new Error(type);
      this.#timers.set(key, { at: this.now + delayMs, message: { type } });
    }
    for (const { key } of ofKind(effects, 'cancelTimer')) this.#timers.delete(key);
    this.told.push(...toldTo(effects, 'network-sync'));
    this.alarmed.push(...toldTo(effects, 'alarm'));
    for (const message of toldTo(effects, 'storage')) this.#storage(message);
    for (const message of toldTo(effects, 'side-store')) {
      if (!isSideRequest(message)) throw new Error(message.type);
      this.sideAsked.push(message.type);
      if (this.#options.silent?.includes(message.type) === true) continue;
      // In the order in which they were sent (RT-4).
      this.#toSide.push(message);
      this.#pending.push(() => {
        const [next] = this.#toSide.splice(0, 1);
        for (const reply of next === undefined ? [] : this.#askSide(next)) this.send(reply);
      });
    }
    for (const message of toldTo(effects, 'snapshot-restorer')) {
      if (!isRestoreRequest(message)) throw new Error(message.type);
      this.restorerAsked.push(message.type);
      this.#later(message.type, () => {
        const reply = (this.#options.restoring ?? restoring)(message, this.#taken);
        if (message.type === 'restore.beginRequested') this.#taken = [];
        if (message.type === 'restore.chunkRequested') this.#taken.push(message.bytes);
        if (reply !== undefined) this.send(reply);
      });
    }
    for (const message of toldTo(effects, 'state-sync')) {
      if (!isStateSyncRequest(message)) throw new Error(message.type);
      this.#stateSync(message);
    }
  }

  #later(type: string, run: () => void): void {
    if (this.#options.silent?.includes(type) !== true) this.#pending.push(run);
  }

  #storage(message: Message): void {
    const { own } = this.#options;
    const tag = 'tag' in message && typeof message['tag'] === 'number' ? message['tag'] : 0;
    this.#later(message.type, () => {
      if (own === undefined) {
        const request = 'blockIds.requested';
        this.send({ type: 'storage.failed', tag, request, code: 'IO', detail: 'the disk is gone' });
        return;
      }
      this.send({ type: 'blockIds.found', tag, ids: checkpointsOf(this.place, own) });
    });
  }

  #present(): readonly { readonly peer: Address; readonly model: PeerModel }[] {
    return this.#options.peers.flatMap((model, index) =>
      model === 'absent' ? [] : [{ peer: this.peer(index), model }],
    );
  }

  #stateSync(request: StateSyncRequest): void {
    switch (request.type) {
      case 'peers.pollRequested':
        this.#later(request.type, () => {
          const peers = this.#present().map(({ peer, model }) => this.#stateOf(peer, model));
          this.send({ type: 'peers.polled', tag: request.tag, peers, answered: [] });
        });
        return;
      case 'chains.requested':
        this.chainsAsked.push(request.peers);
        this.#later(request.type, () => {
          const chains = this.#present()
            .filter(({ peer, model }) => request.peers.includes(peer) && model.describes !== false)
            .map(({ peer, model }) => ({
              peer,
              chain: {
                kind: 'Chain' as const,
                requestId: 1,
                base: height(model.base ?? 1),
                proof: model.chain.proof,
                checkpoints: checkpointsOf(this.place, model.chain).filter(
                  (one) => one.height >= (model.base ?? 1),
                ),
              },
            }));
          this.send({ type: 'chains.answered', tag: request.tag, chains });
        });
        return;
      case 'snapshots.requested':
        this.#later(request.type, () => {
          const snapshots = this.#present().flatMap(({ peer, model: { snapshot } }) =>
            snapshot === undefined ? [] : [{ peer, manifest: snapshot.manifest }],
          );
          this.send({ type: 'snapshots.answered', tag: request.tag, snapshots });
        });
        return;
      case 'snapshotChunk.requested':
        this.chunksAsked.push({ peer: request.peer, chunk: request.chunk });
        this.#later(request.type, () => this.#chunk(request));
        return;
      case 'epochs.fetchRequested':
        this.epochsAsked.push({ peer: request.peer, from: request.from });
        this.#later(request.type, () => this.#epochs(request));
        return;
      case 'blocks.fetchRequested':
        this.asked.push(request);
        this.#later(request.type, () => this.#fetch(request));
        return;
      case 'fetch.cancelled':
        this.cancelled.push(request.tag);
        return;
      case 'fetch.hurried':
        this.#hurry(request.tag);
        return;
      case 'peer.judged': {
        const { peer, verdict } = request;
        this.judged.push({ peer, verdict: verdict === 'good' ? verdict : verdict.code });
        return;
      }
      default:
        throw new Error(request.type);
    }
  }

  #epochs({ tag, peer, from, limit }: Extract<StateSyncRequest, { type: 'epochs.fetchRequested' }>) {
    const model = this.#present().find((one) => one.peer === peer)?.model;
    const answer = model?.epochs?.(from, limit) ?? 'silent';
    if (typeof answer !== 'string') this.send({ type: 'epochs.answered', tag, changes: encoded(answer) });
    else {
      const error = { code: answer === 'busy' ? 'NoPeersAvailable' : 'Timeout', detail: answer } as const;
      this.send({ type: 'fetch.failed', tag, error, tried: answer === 'busy' ? [] : [peer] });
    }
  }

  #chunk({ tag, peer, chunk, height: at }: Extract<StateSyncRequest, { type: 'snapshotChunk.requested' }>) {
    const snapshot = this.#present().find((one) => one.peer === peer)?.model.snapshot;
    const bytes = snapshot?.manifest.height === at ? snapshot.gives(chunk) : undefined;
    if (bytes === 'silent') return;
    const error = { code: 'BlockNotFound', detail: 'it keeps it no more' } as const;
    if (bytes === 'unasked') {
      const busy = { code: 'NoPeersAvailable', detail: 'it cannot be asked now' } as const;
      this.send({ type: 'fetch.failed', tag, error: busy, tried: [] });
    } else if (bytes === undefined) this.send({ type: 'fetch.failed', tag, error, tried: [peer] });
    else this.send({ type: 'snapshotChunk.answered', tag, bytes });
  }

  /** As state-sync: holders only, whom to avoid last, others after each failure. */
  #fetch(request: FetchRequest, tried: readonly Address[] = []) {
    const { tag, query, holders, avoid, attempts, timeout } = request;
    if (query.by !== 'height' || this.cancelled.includes(tag) || this.#fetched.has(tag)) return;
    const [next] = this.#present()
      .filter(({ peer }) => (holders?.includes(peer) ?? true) && !tried.includes(peer))
      .map((one) => ({ ...one, order: (avoid.includes(one.peer) ? 1 : 0) + this.#draw() * 0.5 }))
      .sort((left, right) => left.order - right.order);
    this.#tried.set(tag, { request, tried: next === undefined ? tried : [...tried, next.peer] });
    if (next === undefined || tried.length >= attempts) {
      this.send({ type: 'fetch.failed', tag, error: { code: 'Timeout', detail: 'nobody answered' }, tried });
      return;
    }
    const { peer, model } = next;
    this.send({ type: 'fetch.started', tag, peer });
    const { from, limit } = query;
    const answer = model.answers({ from, limit, draw: this.#draw });
    const delay = model.delay?.(limit);
    const arrive = (): void => {
      if (this.cancelled.includes(tag) || this.#fetched.has(tag)) return;
      if (answer === undefined) {
        this.#fetch(request, this.#tried.get(tag)?.tried ?? []);
        return;
      }
      this.#fetched.add(tag);
      this.send({ type: 'blocks.answered', tag, peer, ...answer, height: height(model.chain.blocks.length) });
    };
    if (delay === undefined) arrive();
    else this.#onItsWay.push({ at: this.now + (answer === undefined ? timeout : delay), arrive });
  }

  /** As state-sync: one more, beside whom it waits for. */
  #hurry(tag: number): void {
    const known = this.#tried.get(tag);
    const isLeft = this.#present().some(
      ({ peer }) => known?.tried.includes(peer) === false && known.request.holders?.includes(peer) === true,
    );
    if (known !== undefined && isLeft) this.#pending.push(() => this.#fetch(known.request, known.tried));
  }

  #stateOf(peer: Address, { consistentFor = 6 * 3_600_000, removed = false }: PeerModel): PeerState {
    const reputation: Reputation = {
      peer,
      score: removed ? 0 : 0.5,
      at: wallTime(WALL),
      consistentSince: wallTime(WALL - consistentFor),
      ...(removed ? { removedUntil: wallTime(WALL + TRUST_MS) } : {}),
    };
    return { peer, power: 1n, failures: 0, latencyMs: millis(10), reputation };
  }
}

function sideStore(
  disk: MemorySideDisk,
  { epoch }: World,
): (request: SideStoreRequest) => readonly SideStoreReply[] {
  const clock = virtualClock();
  const heard: SideStoreReply[] = [];
  const system = createSystem({ name: 'side', clock, random: seededRandom('side') });
  const listener = handler<undefined, SideStoreReply>({
    init: () => undefined,
    receive: (message) => {
      heard.push(message);
    },
  });
  system.start(
    child(
      'node',
      supervisor({
        strategy: 'one_for_one',
        intensity: 0,
        children: [
          child('side', sideStoreLogic({ disk, epoch }), {
            restart: 'permanent',
            publicEvents: SIDE_STORE_EVENTS,
          }),
          child('listener', listener, { restart: 'permanent' }),
        ],
      }),
    ),
  );
  clock.settle();
  return (request) => {
    system.ref('node/side').tell({ ...request, replyTo: 'node/listener' });
    clock.settle();
    return heard.splice(0);
  };
}

/** An application that believes its chunks. */
export function restoring(request: RestoreRequest, taken: readonly Uint8Array[]): RestoreReply {
  const { tag } = request;
  switch (request.type) {
    case 'restore.beginRequested':
      return { type: 'restore.begun', tag };
    case 'restore.chunkRequested':
      return { type: 'restore.took', tag };
    case 'restore.endRequested':
      return { type: 'restore.ended', tag, executed: statedBy(taken) };
    case 'restore.abandonRequested':
      return { type: 'restore.abandoned', tag };
  }
}

function statedBy([first]: readonly Uint8Array[]): ExecutedState {
  const text = new TextDecoder().decode(first);
  const { height: at, appHash } = JSON.parse(text.slice(text.indexOf('{')));
  return { height: at, appHash };
}

const isRestoreRequest = (message: Message): message is RestoreRequest => message.type.startsWith('restore.');
const isProgress = (message: Message): message is ResyncProgressed => message.type === 'resync.progressed';
const isSideRequest = (message: Message): message is SideStoreRequest => message.type.startsWith('side.');
const isStateSyncRequest = (message: Message): message is StateSyncRequest =>
  [
    'peers.pollRequested',
    'chains.requested',
    'snapshots.requested',
    'snapshotChunk.requested',
    'epochs.fetchRequested',
    'blocks.fetchRequested',
    'fetch.cancelled',
    'fetch.hurried',
    'peer.judged',
  ].includes(message.type);

export const newWorld = (): World => world([1n, 1n, 1n, 1n, 1n], 'resync');
