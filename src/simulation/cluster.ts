/**
 * A network of validators in one process, under virtual time: the tree of a real node with an in-memory hub, memory disks
 * and fast signatures. One seed, one run. Deterministic. Rules SM-1, SM-2, SM-4.
 */
import { ADDRESSES, routeOf } from '../actors/addresses.ts';
import {
  canonicalText,
  child,
  createSystem,
  handler,
  type System,
  seededRandom,
  type VirtualClock,
  virtualClock,
} from '../actors/runtime/index.ts';
import { EXECUTOR_EVENTS, executorLogic } from '../application/executor.ts';
import { kv } from '../application/kv/kv.ts';
import { utf8 } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import { wallTime } from '../base/units.ts';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import { createKeyedHashEngine } from '../crypto/bls/keyed-hash.ts';
import { sha256 } from '../crypto/hash.ts';
import type { LiveView } from '../machines/consensus/view-change.setup.ts';
import { nodeTree } from '../node/tree.ts';
import { viewOf } from '../node/views.ts';
import { digestOf } from '../protocol/chain/canonical.ts';
import type { Address, ChainDomain, Round, Validator } from '../protocol/chain/types.ts';
import { addressOf, validatorSet } from '../protocol/chain/validator-set.ts';
import { type EpochContext, firstEpoch, leaderAt } from '../protocol/consensus/epoch.ts';
import { deadlinesOf } from '../protocol/consensus/pacemaker.ts';
import type { Signer } from '../protocol/consensus/safety.ts';
import { TIMELINESS_DEFAULTS } from '../protocol/consensus/timeliness.ts';
import { TIMEOUT_DEFAULTS, type TimeoutConfig } from '../protocol/consensus/timeouts.ts';
import type { PeerMessage } from '../protocol/consensus/types.ts';
import { DEFAULT_MEMPOOL_CONFIG } from '../protocol/mempool/config.ts';
import type { SafetyViolated } from '../protocol/ports/consensus.ts';
import type { BlockExecuted, ExecutionReply } from '../protocol/ports/execution.ts';
import type { Admission, MempoolReply } from '../protocol/ports/mempool.ts';
import { type MemoryDisk, type MemoryFaults, memoryDisk } from '../storage/memory-store.ts';
import { STORAGE_EVENTS, storageLogic } from '../storage/storage-actor.ts';
import type { Store } from '../storage/store.ts';
import { CALM, createHub, type Hub, type LinkFaults, type Transit } from '../transport/hub.ts';
import { hubCells } from '../transport/hub-cells.ts';
import { SafetyChecker, type Violation } from './checkers.ts';
import { processClock } from './process-clock.ts';

export interface ClusterOptions {
  readonly seed: string | number;
  /** Default 4, each of power 1. */
  readonly validators?: number;
  readonly faults?: LinkFaults;
  readonly timeouts?: Partial<TimeoutConfig>;
  /** `codec`: frames are encoded and decoded, as on the wire. Default `reference`. */
  readonly carry?: 'codec' | 'reference';
  readonly bls?: BlsEngine;
  /** Validators that may lie: what they send is no violation. By index. */
  readonly liars?: readonly number[];
  /** What becomes of a message on its way, before the faults. */
  readonly tamper?: (transit: Transit) => 'pass' | 'drop';
}

/** Wall clock at the start of a run. @unit ms since 1970 @source chosen */
const START_WALL_MS = 1_700_000_000_000;

const BLOCK_LIMITS = { batchesMax: 64, bytesMax: 1_048_576 } as const;

/** One validator: its disk outlives its process. */
export interface SimulatedNode {
  readonly index: number;
  readonly address: Address;
  readonly disk: MemoryDisk;
  /** Undefined while the process is dead. */
  readonly process: SimulatedProcess | undefined;
  /** Transactions that this node admitted. */
  readonly admitted: readonly Admission[];
}

export interface SimulatedProcess {
  readonly system: System;
  readonly store: Store;
  /** As kill -9: nothing of it runs again. */
  readonly kill: () => void;
}

interface MutableNode {
  readonly index: number;
  readonly address: Address;
  readonly secret: Uint8Array;
  readonly disk: MemoryDisk;
  readonly faults: { onSync?: MemoryFaults['onSync'] };
  process: SimulatedProcess | undefined;
  readonly admitted: Admission[];
  readonly executionFailures: unknown[];
  lives: number;
}

export class Cluster {
  readonly clock: VirtualClock;
  readonly hub: Hub;
  readonly checker: SafetyChecker;
  readonly epoch: EpochContext;
  readonly #nodes: readonly MutableNode[];
  readonly #options: ClusterOptions;
  readonly #bls: BlsEngine;
  readonly #timeouts: TimeoutConfig;
  #tag = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
    const { validators: count = 4, seed } = options;
    this.#bls = options.bls ?? createKeyedHashEngine();
    this.#timeouts = { ...TIMEOUT_DEFAULTS, ...options.timeouts };
    this.clock = virtualClock({ startWallMs: START_WALL_MS });
    const secrets = Array.from({ length: count }, (_, index) => this.#secretOf(index));
    const validators = secrets.map((secret, index) => this.#validatorOf(secret, index));
    const set = validatorSet(validators);
    invariant(!('code' in set), 'a simulated set is a set');
    const domain: ChainDomain = { chainId: 'simulated', genesisHash: digestOf(utf8(`genesis/${seed}`)) };
    this.epoch = firstEpoch(domain, set);
    const { liars = [], tamper } = options;
    this.checker = new SafetyChecker(new Set(liars.flatMap((index) => validators[index]?.address ?? [])));
    this.hub = createHub({
      clock: this.clock,
      seed: `hub/${seed}`,
      faults: options.faults ?? CALM,
      carry: options.carry ?? 'reference',
      filter: (transit) => {
        const { from, message } = transit;
        if (isPeerMessage(message)) this.checker.sent(from, message);
        return tamper?.(transit) ?? 'pass';
      },
    });
    this.#nodes = validators.map(({ address }, index): MutableNode => {
      const faults: MutableNode['faults'] = {};
      const disk = memoryDisk(domain, { onSync: () => faults.onSync?.() ?? 'ok' });
      const secret = secrets[index] ?? new Uint8Array();
      return {
        index,
        address,
        secret,
        disk,
        faults,
        process: undefined,
        admitted: [],
        executionFailures: [],
        lives: 0,
      };
    });
    for (const { index } of this.#nodes) this.start(index);
  }

  get nodes(): readonly SimulatedNode[] {
    return this.#nodes;
  }

  node(index: number): SimulatedNode {
    return this.#node(index);
  }

  /** Runs virtual time. */
  advance(ms: number): void {
    this.clock.advance(ms);
  }

  /** A process begins on what its disk holds. */
  start(index: number): void {
    const node = this.#node(index);
    invariant(node.process === undefined, 'a node has one process at a time', { index });
    node.lives += 1;
    const clock = processClock(this.clock);
    const store = node.disk.open();
    const system = createSystem({
      name: `node${index}`,
      clock,
      random: seededRandom(`${this.#options.seed}/${index}/${node.lives}`),
    });
    const detachers = new Set<() => void>();
    const kill = (): void => {
      clock.kill();
      for (const detach of [...detachers]) detach();
    };
    node.process = { system, store, kill };
    system.start(this.#treeOf(node, store, hubOfProcess(this.hub, detachers)));
  }

  /** kill -9: what was not synced is gone, and nobody is told. */
  crash(index: number): void {
    const node = this.#node(index);
    node.process?.kill();
    node.process = undefined;
    node.disk.crash();
  }

  /** Groups the validators by index; a node in no group is alone. */
  partition(...groups: readonly (readonly number[])[]): void {
    this.hub.partition(...groups.map((group) => group.map((index) => this.#node(index).address)));
  }

  heal(): void {
    this.hub.heal();
  }

  /** Faults of one node's disk from now on. */
  setDiskFaults(index: number, onSync: MemoryFaults['onSync']): void {
    this.#node(index).faults.onSync = onSync;
  }

  /** Hands a transaction to a node's mempool; its admission appears in the node's list. */
  submit(index: number, transaction: string): void {
    const node = this.#node(index);
    this.#tag += 1;
    node.process?.system.ref(ADDRESSES.mempool).tell({
      type: 'transactions.submitted',
      client: 'test',
      transactions: [utf8(transaction)],
      replyTo: ADDRESSES.rpc,
      tag: this.#tag,
    });
  }

  /** Newest committed height on a node's disk. */
  height(index: number): number {
    const latest = this.#node(index).process?.store.latest();
    return latest?.status === 'found' ? latest.value.committed : 0;
  }

  /** Admitted transactions that neither the chain has nor their batch's expiry explains: none may be lost. */
  lostTransactions(): readonly Violation[] {
    const store = this.#nodes.find(({ process }) => process !== undefined)?.process?.store;
    if (store === undefined) return [];
    const latest = store.latest();
    const height = latest.status === 'found' ? latest.value.committed : 0;
    if (height >= DEFAULT_MEMPOOL_CONFIG.batchTtlHeights) return [];
    return this.#nodes.flatMap(({ address, admitted }) =>
      admitted.flatMap((admission) => {
        if (admission.status !== 'admitted') return [];
        const found = store.transaction(admission.hash);
        if (found.status === 'found' && found.value !== undefined) return [];
        return [
          { claim: 'no admitted transaction is lost', detail: `${admission.hash} admitted by ${address}` },
        ];
      }),
    );
  }

  /** Digest of what each disk holds and of the virtual time. */
  fingerprint(): string {
    const states = this.#nodes.map(({ process }) => {
      const recovered = process?.store.recover();
      return recovered?.status === 'found' ? recovered.value : undefined;
    });
    return digestOf(utf8(canonicalText({ states, now: this.clock.now(), counts: this.hub.counts })));
  }

  /** What a node's view-change holds; undefined while it is dead or recovering. */
  view(index: number): LiveView | undefined {
    const system = this.#node(index).process?.system;
    return system === undefined ? undefined : viewOf(system);
  }

  /** A validator's key, for tests that lie in its name. */
  signerOf(index: number): Signer {
    const { address, secret } = this.#node(index);
    return { address, sign: (message) => this.#bls.sign(secret, message) };
  }

  /** Sends a message in a validator's name, whether its process runs or not. The receiver knows nothing else of it. */
  inject(from: number, to: number, message: PeerMessage): void {
    const encoding = this.hub.encode(message);
    if (encoding.outcome === 'encoded') {
      this.hub.send(this.#node(from).address, this.#node(to).address, encoding.frame);
    }
  }

  leaderOf(round: Round): Address {
    return leaderAt(this.epoch, round);
  }

  /** The present round's timeout at a node. @unit ms */
  timeoutSeenBy(index: number): number {
    const view = this.view(index);
    return view === undefined ? 0 : deadlinesOf(view.pacemaker, this.#timeouts).timeout;
  }

  #node(index: number): MutableNode {
    const node = this.#nodes[index];
    invariant(node !== undefined, 'a node has an index of the cluster', { index, nodes: this.#nodes.length });
    return node;
  }

  #secretOf(index: number): Uint8Array {
    const secret = this.#bls.generateSecret(sha256(utf8(`secret/${this.#options.seed}/${index}`)));
    invariant(secret !== undefined, 'a digest is seed enough for a key');
    return secret;
  }

  #validatorOf(secret: Uint8Array, index: number): Validator {
    const consensusKey = this.#bls.publicKeyOf(secret);
    invariant(consensusKey !== undefined, 'a generated secret has a public key');
    const nodeKey = sha256(utf8(`node/${this.#options.seed}/${index}`));
    return { address: addressOf(nodeKey), consensusKey, nodeKey, power: 1n };
  }

  #treeOf(node: MutableNode, store: Store, hub: Hub) {
    const { address, secret } = node;
    const executor = executorLogic({
      openApplication: () => kv(),
      genesis: {
        chainId: this.epoch.domain.chainId,
        genesisTime: wallTime(START_WALL_MS - 1_000),
        validators: [],
        appState: null,
      },
      limits: DEFAULT_MEMPOOL_CONFIG,
      deduplicationHeights: DEFAULT_MEMPOOL_CONFIG.batchTtlHeights,
      storage: ADDRESSES.storage,
      mempool: ADDRESSES.mempool,
      listeners: [ADDRESSES.roundManager, ADDRESSES.mempool, ADDRESSES.rpc],
    });
    return nodeTree({
      epoch: this.epoch,
      signer: { address, sign: (message) => this.#bls.sign(secret, message) },
      bls: this.#bls,
      genesisTime: wallTime(START_WALL_MS - 1_000),
      limits: BLOCK_LIMITS,
      timeliness: TIMELINESS_DEFAULTS,
      timeouts: this.#timeouts,
      mempool: DEFAULT_MEMPOOL_CONFIG,
      storage: child('storage', storageLogic({ store, routerAddress: ADDRESSES.router }), {
        publicEvents: STORAGE_EVENTS,
      }),
      network: hubCells({
        hub,
        address: 'node/network',
        self: address,
        validators: this.epoch.set.validators.map((validator) => validator.address),
        route: routeOf,
        connectivity: [ADDRESSES.mempool, ADDRESSES.viewChange, ADDRESSES.roundManager],
      }),
      executor: child('executor', executor, { publicEvents: EXECUTOR_EVENTS }),
      surface: [
        child('rpc', this.#surface(node), { publicEvents: SURFACE_EVENTS }),
        child('alarm', this.#alarm(node), { publicEvents: ['safety.violated'] }),
      ],
    });
  }

  /** Where a real node's RPC stands: the checkers listen here. */
  #surface(node: MutableNode) {
    return handler<undefined, SurfaceMessage>({
      init: () => undefined,
      receive: (message) => {
        if (message.type === 'block.executed') this.#executed(node, message);
        if (message.type === 'execution.failed') node.executionFailures.push(message);
        if (message.type === 'transactions.admitted') node.admitted.push(...message.admissions);
      },
    });
  }

  #executed(node: MutableNode, message: BlockExecuted): void {
    this.checker.executed(node.address, message);
    const stored = node.process?.store.blockAt(message.executed.height);
    if (stored?.status === 'found' && stored.value !== undefined)
      this.checker.committed(node.address, [stored.value]);
  }

  #alarm(node: MutableNode) {
    return handler<undefined, SafetyViolated>({
      init: () => undefined,
      receive: ({ detail }) => this.checker.alarmed(node.address, detail),
    });
  }
}

type SurfaceMessage =
  | BlockExecuted
  | Extract<MempoolReply, { type: 'transactions.admitted' }>
  | Extract<ExecutionReply, { type: 'execution.failed' }>;

const SURFACE_EVENTS = [
  'block.executed',
  'round.failed',
  'transactions.admitted',
  'transactions.expired',
  'execution.failed',
] as const;

/** A hub whose attachments end with the process. */
function hubOfProcess(hub: Hub, detachers: Set<() => void>): Hub {
  return {
    encode: hub.encode,
    get counts() {
      return hub.counts;
    },
    attach(id, node) {
      const detach = hub.attach(id, node);
      detachers.add(detach);
      return () => {
        detachers.delete(detach);
        detach();
      };
    },
    send: (from, to, frame) => hub.send(from, to, frame),
    setFaults: (faults, direction) => hub.setFaults(faults, direction),
    block: (from, to) => hub.block(from, to),
    partition: (...groups) => hub.partition(...groups),
    heal: () => hub.heal(),
    nodes: () => hub.nodes(),
  };
}

const PEER_KINDS: ReadonlySet<string> = new Set<PeerMessage['kind']>(['Proposal', 'Vote', 'ViewChange']);

/** What the checkers look at. */
function isPeerMessage(message: { readonly kind: string }): message is PeerMessage {
  return PEER_KINDS.has(message.kind);
}
