/**
 * A block-sync among peers that do as a test says: virtual time, its timers, a state-sync that asks them in order, a
 * round-manager that commits by CS-5, and storage that takes its time. Everything that block-sync tells anybody is kept.
 */
import { type Monotonic, monotonic } from '../../../src/base/units.ts';
import { blockSyncMachine } from '../../../src/machines/sync/block-sync.machine.ts';
import type { BlockSyncContext } from '../../../src/machines/sync/block-sync.setup.ts';
import type {
  Address,
  BlockId,
  CertifiedBlock,
  QuorumCertificate,
} from '../../../src/protocol/chain/types.ts';
import { verifyQC } from '../../../src/protocol/consensus/certificates.ts';
import type { BlocksFetched, BlocksWanted } from '../../../src/protocol/ports/consensus.ts';
import type { StorageReply, StorageRequest } from '../../../src/protocol/ports/storage.ts';
import type {
  CatchUpEnded,
  CatchUpProgressed,
  CatchUpTarget,
  StateSyncRequest,
} from '../../../src/protocol/ports/sync.ts';
import type { Message } from '../../../src/protocol/supervision/effect.ts';
import { SYNC_DEFAULTS, type SyncConfig } from '../../../src/protocol/sync/config.ts';
import type { SyncErrorCode } from '../../../src/protocol/sync/types.ts';
import { height, present } from '../../protocol/consensus/fixture.ts';
import { ofKind, type Reach, reachOf } from '../reach.ts';
import { type Chain, type Given, type PeerModel, silent } from './block-sync.peers.ts';

export type BlockSyncReach = Reach<typeof blockSyncMachine>;
type Chart = ReturnType<BlockSyncReach['start']>;
type Event = Parameters<Chart['send']>[0];
type Effects = Chart['effects'];

export const newReach = (): BlockSyncReach => reachOf(blockSyncMachine, 'block-sync');

export interface RigOptions {
  /** It may join by a snapshot. */
  readonly joins?: boolean;
  readonly chain: Chain;
  readonly peers: readonly PeerModel[];
  readonly config?: Partial<SyncConfig>;
  /** The newest durable block at the start. */
  readonly tip?: number;
  /** From the decision to the news that it is durable. @unit ms */
  readonly commitDelay?: number;
  /** Round-manager loses this many messages at first. */
  readonly loses?: number;
  /** Storage refuses so many requests at first. */
  readonly refuses?: number;
  /** Storage never answers so many requests to save batches, at first. */
  readonly silences?: number;
  readonly draws?: () => number;
}

interface Due {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

interface Fetch {
  readonly request: Extract<StateSyncRequest, { type: 'blocks.fetchRequested' }>;
  readonly at: number;
  readonly tried: Address[];
  open: number;
  answered: number;
  hurried: number;
}

const isFetched = (message: Message): message is BlocksFetched => message.type === 'blocks.fetched';
const isToStateSync = (message: Message): message is StateSyncRequest =>
  ['blocks.fetchRequested', 'fetch.hurried', 'fetch.cancelled', 'peer.judged'].includes(message.type);
const isToStorage = (message: Message): message is StorageRequest =>
  ['tip.requested', 'batches.persistRequested'].includes(message.type);
const isProgress = (message: Message): message is CatchUpProgressed => message.type === 'catchUp.progressed';
const isEnded = (message: Message): message is CatchUpEnded => message.type === 'catchUp.ended';

export class Rig {
  readonly #agenda = new Map<string, Due>();
  readonly #options: RigOptions;
  readonly chart: Chart;
  readonly chain: Chain;
  readonly peers: readonly Address[];
  models: PeerModel[];
  now = 0;
  /** Connected, by index. */
  readonly gone = new Set<Address>();
  readonly fetches: { readonly at: number; readonly peers: Address[]; readonly request: Fetch['request'] }[] =
    [];
  readonly #fetching = new Map<number, Fetch>();
  readonly #lies = new Map<Address, number>();
  readonly cancelled: number[] = [];
  readonly hurried: number[] = [];
  readonly judged: { readonly peer: Address; readonly verdict: 'good' | { readonly code: string } }[] = [];
  readonly fetched: BlocksFetched[] = [];
  readonly progress: { readonly at: number; readonly message: CatchUpProgressed }[] = [];
  readonly ended: (CatchUpEnded & { readonly at: number })[] = [];
  readonly saved = new Set<string>();
  /** What went to whom, in order: what was saved before what was told. */
  readonly log: string[] = [];
  /** Round-manager's: decided, and durable. */
  root: { readonly height: number; readonly id: BlockId };
  durable: number;
  readonly held = new Map<BlockId, CertifiedBlock>();
  readonly #proofs: QuorumCertificate[] = [];
  #loses: number;
  #refuses: number;
  #silences: number;
  #order = 0;
  maxHeld = 0;

  constructor(reach: BlockSyncReach, options: RigOptions) {
    this.#options = options;
    this.chain = options.chain;
    const { place } = options.chain;
    const [, ...others] = place.validators.map(({ address }) => address);
    this.peers = others;
    this.models = others.map((_, index) => options.peers[index] ?? silent);
    // A peer without a model is not there.
    for (const peer of others.slice(options.peers.length)) this.gone.add(peer);
    const tip = options.tip ?? 0;
    this.root = { height: tip, id: options.chain.ids[tip - 1] ?? place.epoch.rootQC.blockId };
    this.durable = tip;
    this.#loses = options.loses ?? 0;
    this.#refuses = options.refuses ?? 0;
    this.#silences = options.silences ?? 0;
    const input = {
      epoch: place.epoch,
      bls: place.bls,
      config: { ...SYNC_DEFAULTS, ...options.config },
      storage: 'storage',
      stateSync: 'state-sync',
      roundManager: 'round-manager',
      networkSync: 'network-sync',
      joins: options.joins ?? false,
    };
    this.chart = reach.start(input, { now: monotonic(0) });
    this.#take(this.chart.effects);
    this.advance(0);
  }

  get context(): BlockSyncContext {
    return this.chart.snapshot.context;
  }

  get state() {
    return this.chart.snapshot.value;
  }

  /** Codes that peers were blamed for, by index. */
  blamed(index: number): readonly string[] {
    return this.judged.flatMap(({ peer, verdict }) =>
      peer === this.peers[index] && verdict !== 'good' ? [verdict.code] : [],
    );
  }

  /** Indices of the peers that were asked, by each fetch. */
  get asked(): readonly (readonly number[])[] {
    return this.fetches.map(({ peers }) => peers.map((peer) => this.peers.indexOf(peer)));
  }

  get heights(): readonly number[] {
    return this.fetched.flatMap(({ blocks }) => blocks.map(({ block }) => block.header.height));
  }

  /** Storage refuses so many requests from now on. */
  refuse(requests: number): void {
    this.#refuses = requests;
  }

  qc(at: number): QuorumCertificate {
    return present(this.chain.certified[at - 1]?.qc, `QC at ${at}`);
  }

  want(at: number, holders: readonly Address[] = this.peers): void {
    const target = this.qc(at);
    const wanted: BlocksWanted = {
      type: 'blocks.wanted',
      target,
      committedHeight: height(this.root.height),
      holders,
    };
    this.send(wanted);
  }

  /** Goes for the committed block at `at`, proven by its child. */
  catchUp(at: number, tag = 1): void {
    this.ask(
      {
        kind: 'proved',
        tip: { height: height(at), id: present(this.chain.ids[at - 1], 'id'), proof: this.qc(at + 1) },
      },
      tag,
    );
  }

  ask(target: CatchUpTarget, tag = 1): void {
    this.send({ type: 'blocks.catchUpRequested', target, replyTo: 'asker', tag });
  }

  send(event: Event): Effects {
    const effects = this.chart.send(event, this.#circumstances());
    this.#take(effects);
    return effects;
  }

  /** Virtual time passes, and everything that is due happens. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (let next = this.#next(); next !== undefined && next[1].at <= end; next = this.#next()) {
      this.#agenda.delete(next[0]);
      this.now = Math.max(this.now, next[1].at);
      next[1].run();
    }
    this.now = end;
  }

  /** Until nothing is fetched any more, at most `ms`. */
  settle(ms: number): void {
    const end = this.now + ms;
    while (this.now < end && (this.context.wanted !== undefined || this.context.askers.length > 0))
      this.advance(10);
  }

  #next() {
    return [...this.#agenda].sort(([, a], [, b]) => a.at - b.at || a.order - b.order)[0];
  }

  after(delay: number, run: () => void, key = `event/${this.#order}`): void {
    this.#order += 1;
    this.#agenda.set(key, { at: this.now + delay, order: this.#order, run });
  }

  #circumstances(): { readonly now: Monotonic; readonly draws: readonly number[] } {
    const { draws } = this.#options;
    return { now: monotonic(this.now), draws: draws === undefined ? [] : [draws(), draws(), draws()] };
  }

  #take(effects: Effects): void {
    for (const { key, delayMs, message } of ofKind(effects, 'startTimer')) {
      if (message.type !== 'review.due') throw new Error(message.type);
      this.after(delayMs, () => this.send({ type: 'review.due' }), `timer/${key}`);
    }
    for (const effect of effects) {
      if (effect.kind === 'cancelStateTimer') this.#agenda.delete(`state/${effect.id}`);
      if (effect.kind !== 'startStateTimer') continue;
      const { delayMs } = effect;
      this.after(
        delayMs,
        () => this.#take(this.chart.elapse(delayMs, this.#circumstances())),
        `state/${effect.id}`,
      );
    }
    for (const effect of effects) {
      if (effect.kind !== 'tell') continue;
      const { to, message } = effect;
      this.log.push(`${to} ${message.type}`);
      if (to === 'state-sync' && isToStateSync(message)) this.#tellStateSync(message);
      if (to === 'storage' && isToStorage(message)) this.#tellStorage(message);
      if (to === 'round-manager' && isFetched(message)) this.#tellRoundManager(message);
      if (to === 'network-sync' && isProgress(message)) this.progress.push({ at: this.now, message });
      if (to === 'asker' && isEnded(message)) this.ended.push({ ...message, at: this.now });
    }
    const blocks = this.context.window.reduce((sum, batch) => {
      if (batch.status === 'verifying' || batch.status === 'applying')
        return sum + batch.segment.blocks.length;
      return sum + (batch.need.by === 'id' ? (batch.need.upper?.blocks.length ?? 0) : 0);
    }, 0);
    this.maxHeld = Math.max(this.maxHeld, blocks);
  }

  #tellStateSync(message: StateSyncRequest): void {
    switch (message.type) {
      case 'blocks.fetchRequested': {
        const fetch: Fetch = { request: message, at: this.now, tried: [], open: 0, answered: 0, hurried: 0 };
        this.#fetching.set(message.tag, fetch);
        this.fetches.push({ at: this.now, peers: fetch.tried, request: message });
        this.after(0, () => this.#askPeers(fetch));
        return;
      }
      case 'fetch.hurried': {
        this.hurried.push(message.tag);
        const fetch = this.#fetching.get(message.tag);
        if (fetch === undefined) return;
        fetch.hurried += 1;
        this.after(0, () => this.#askPeers(fetch));
        return;
      }
      case 'fetch.cancelled':
        this.cancelled.push(message.tag);
        this.#fetching.delete(message.tag);
        return;
      case 'peer.judged':
        this.judged.push(message);
        if (message.verdict !== 'good') this.#punish(message.peer);
    }
  }

  /** As the router does (TP-6): two lies are a ban. */
  #punish(peer: Address): void {
    const lies = (this.#lies.get(peer) ?? 0) + 1;
    this.#lies.set(peer, lies % 2);
    if (lies < 2 || this.gone.has(peer)) return;
    this.gone.add(peer);
    this.after(60_000, () => this.gone.delete(peer));
  }

  /** As state-sync does: those to avoid last, each once, as many at once as copies are missing. */
  #askPeers(fetch: Fetch): void {
    const { request, tried } = fetch;
    const { tag, copies, attempts, holders, avoid, query, timeout } = request;
    if (this.#fetching.get(tag) !== fetch) return;
    while (fetch.open < copies - fetch.answered + fetch.hurried) {
      const candidates = this.peers
        .filter(
          (peer) => (holders ?? this.peers).includes(peer) && !tried.includes(peer) && !this.gone.has(peer),
        )
        .sort((left, right) => avoid.indexOf(left) - avoid.indexOf(right));
      const [peer] = candidates;
      if (peer === undefined || tried.length >= copies + attempts - 1 + fetch.hurried) break;
      tried.push(peer);
      fetch.open += 1;
      this.send({ type: 'fetch.started', tag, peer });
      const given = this.models[this.peers.indexOf(peer)]?.(query, this.now) ?? 'silent';
      const isLate = given !== 'silent' && (given.delay ?? 20) > timeout;
      if (given !== 'silent') this.after(given.delay ?? 20, () => this.#answer(fetch, peer, given, isLate));
      if (given === 'silent' || isLate) this.after(timeout, () => this.#fail(fetch));
    }
    if (fetch.open === 0) this.#end(fetch, tried.length === 0 ? 'NoPeersAvailable' : 'BlockNotFound');
  }

  #answer(fetch: Fetch, peer: Address, { blocks, batches, height: at }: Given, isLate: boolean): void {
    const { tag } = fetch.request;
    if (this.#fetching.get(tag) !== fetch) return;
    if (blocks.length === 0) {
      if (!isLate) this.#fail(fetch);
      return;
    }
    if (!isLate) fetch.open -= 1;
    fetch.answered += 1;
    if (fetch.answered >= fetch.request.copies) this.#fetching.delete(tag);
    this.send({ type: 'blocks.answered', tag, peer, blocks, batches, height: at });
    this.#askPeers(fetch);
  }

  #fail(fetch: Fetch): void {
    fetch.open -= 1;
    this.#askPeers(fetch);
  }

  #end(fetch: Fetch, code: Exclude<SyncErrorCode, 'SyncGapTooLarge'>): void {
    const { tag } = fetch.request;
    this.#fetching.delete(tag);
    this.send({ type: 'fetch.failed', tag, error: { code, detail: 'nobody gave it' }, tried: fetch.tried });
  }

  #tellStorage(message: StorageRequest): void {
    if (message.type !== 'tip.requested' && message.type !== 'batches.persistRequested') return;
    const { tag } = message;
    if (this.#refuses > 0) {
      this.#refuses -= 1;
      const failed = {
        type: 'storage.failed',
        tag,
        request: message.type,
        code: 'BUSY',
        detail: 'full',
      } as const;
      this.after(1, () => this.send(failed));
      return;
    }
    if (message.type === 'tip.requested') {
      const found: Extract<StorageReply, { type: 'tip.found' }> = {
        type: 'tip.found',
        tag,
        base: height(0),
        height: height(this.durable),
        id: this.chain.ids[this.durable - 1] ?? this.chain.place.epoch.rootQC.blockId,
        executed: {
          height: height(0),
          appHash: present(this.chain.certified[0], 'block').block.header.executed.appHash,
        },
      };
      this.after(0, () => this.send(found));
      return;
    }
    const digests = message.batches.map(({ digest }) => digest);
    this.#silences -= 1;
    if (this.#silences >= 0) return;
    this.after(2, () => {
      for (const digest of digests) this.saved.add(digest);
      this.send({ type: 'batches.persisted', tag, digests });
    });
  }

  /** CS-5, on what is in the tree: every message is checked for what the port promises. */
  #tellRoundManager(message: BlocksFetched): void {
    this.fetched.push(message);
    const { epoch, bls } = this.chain.place;
    for (const qc of message.verified) {
      if (verifyQC(epoch, bls, qc) !== 'valid') throw new Error(`a QC at ${qc.height} that was not verified`);
    }
    if (message.verified.length === 0) throw new Error('nothing vouches for these blocks');
    if (this.#loses > 0) {
      this.#loses -= 1;
      return;
    }
    for (const certified of message.blocks) {
      const { header } = certified.block;
      if (header.height <= this.root.height) continue;
      if (header.parentId !== this.root.id && !this.held.has(header.parentId)) continue;
      this.held.set(certified.qc.blockId, certified);
    }
    this.prove(...message.verified);
  }

  /** Round-manager learns of certificates, and commits what it can. */
  prove(...qcs: readonly QuorumCertificate[]): void {
    this.#proofs.push(...qcs);
    const newest = this.#proofs
      .filter((qc) => qc.round === qc.parentRound + 1 && qc.height - 1 > this.root.height)
      .sort((left, right) => right.height - left.height)
      .map((proof) => ({ proof, path: this.#pathTo(proof.parentId) }))
      .find(({ path }) => path !== undefined);
    if (newest?.path === undefined) return;
    const { proof, path } = newest;
    const blocks = path.map((certified) => ({ ...certified, id: certified.qc.blockId, commitProof: proof }));
    this.root = { height: proof.height - 1, id: proof.parentId };
    this.after(this.#options.commitDelay ?? 3, () => {
      this.durable = Math.max(this.durable, proof.height - 1);
      this.send({ type: 'blocks.committed', blocks });
    });
  }

  #pathTo(id: BlockId): readonly CertifiedBlock[] | undefined {
    const path: CertifiedBlock[] = [];
    for (let at = id; at !== this.root.id; ) {
      const certified = this.held.get(at);
      if (certified === undefined) return undefined;
      path.unshift(certified);
      at = certified.block.header.parentId;
    }
    return path;
  }
}
