/**
 * A network of validators in one process, under virtual time: the tree of a real node with an in-memory hub, memory disks
 * and fast signatures; and what a scenario does to it. One seed, one run. Deterministic. Rules SM-1, SM-2, SM-4.
 */
import { ADDRESSES } from '../actors/addresses.ts';
import { canonicalText, type VirtualClock, virtualClock } from '../actors/runtime/index.ts';
import { utf8 } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import { millis } from '../base/units.ts';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import { createKeyedHashEngine } from '../crypto/bls/keyed-hash.ts';
import type { VrfEngine } from '../crypto/vrf.ts';
import type { LiveView } from '../machines/consensus/view-change.setup.ts';
import { epochOf, viewOf } from '../node/views.ts';
import { BRIDGE_DEFAULTS } from '../protocol/bridge/config.ts';
import { transactionHashOf } from '../protocol/chain/batch.ts';
import { digestOf } from '../protocol/chain/canonical.ts';
import { DEFAULT_CHAIN_PARAMETERS } from '../protocol/chain/genesis.ts';
import type { Address, ChainDomain, Round, Validator } from '../protocol/chain/types.ts';
import { validatorOf, validatorSet } from '../protocol/chain/validator-set.ts';
import {
  type EpochContext,
  type EpochParameters,
  firstEpoch,
  leaderAt,
} from '../protocol/consensus/epoch.ts';
import { deadlinesOf } from '../protocol/consensus/pacemaker.ts';
import type { Signer } from '../protocol/consensus/safety.ts';
import { TIMEOUT_DEFAULTS, type TimeoutConfig } from '../protocol/consensus/timeouts.ts';
import type { PeerMessage } from '../protocol/consensus/types.ts';
import { DEFAULT_MEMPOOL_CONFIG } from '../protocol/mempool/config.ts';
import type { ValidatorUpdate } from '../protocol/ports/application.ts';
import { SYNC_DEFAULTS, type SyncConfig } from '../protocol/sync/config.ts';
import { TIME_DEFAULTS, type TimeConfig } from '../protocol/time/config.ts';
import type { SyncFault } from '../storage/memory-store.ts';
import { CALM, createHub, type Hub, type LinkFaults, type Transit } from '../transport/hub.ts';
import { NOTHING_LOST, NodeChecker, SafetyChecker, type Violation } from './checkers/index.ts';
import type { ClusterOptions } from './cluster-options.ts';
import { EpochBook } from './epoch-book.ts';
import { ExcusedOperations } from './excused.ts';
import { Directory } from './instance.ts';
import { KeyRing } from './key-ring.ts';
import { ntpServerName } from './ntp-servers.ts';
import { type Observer, together } from './observer.ts';
import type { NtpServerPlan } from './plan.ts';
import { replicatedKv } from './replicated.ts';
import { RoundRules } from './round-rules.ts';
import { EVIDENCE_AGE, type Setting, START_WALL_MS } from './setting.ts';
import { SimulatedNode } from './validator.ts';

const NO_ERROR = { offsetMs: 0, driftPpm: 0 } as const;

export class Cluster {
  readonly clock: VirtualClock;
  /** Its nodes are instances: see `Instance.id`. */
  readonly hub: Hub;
  readonly checker: SafetyChecker;
  /** The first. */
  readonly epoch: EpochContext;
  readonly epochs: EpochBook;
  readonly bls: BlsEngine;
  readonly vrf: VrfEngine;
  readonly directory: Directory;
  readonly nodes: readonly SimulatedNode[];
  readonly time: TimeConfig;
  readonly ntpServers: readonly NtpServerPlan[];
  readonly sync: SyncConfig;
  readonly #nodeChecker: NodeChecker;
  readonly #observer: Required<Observer>;
  readonly #options: ClusterOptions;
  readonly #keys: KeyRing;
  readonly #timeouts: TimeoutConfig;
  #rulesLifted = false;
  /** When a clogged direction flows again, by `from>to`. @unit ms */
  readonly #clogged = new Map<string, number>();
  #tag = 0;
  readonly #excused = new ExcusedOperations(() => this.nodes);

  constructor(options: ClusterOptions) {
    this.#options = options;
    const { validators: count = 4, seed, twins = [], liars = [] } = options;
    this.bls = options.bls ?? createKeyedHashEngine();
    this.#timeouts = { ...TIMEOUT_DEFAULTS, ...options.timeouts };
    this.ntpServers = options.ntpServers ?? [];
    const servers = this.ntpServers.map((_, index) => ntpServerName(index));
    this.time = { ...TIME_DEFAULTS, source: 'peers', ...options.time, servers };
    this.sync = { ...SYNC_DEFAULTS, ...options.sync };
    this.clock = virtualClock({ startWallMs: START_WALL_MS });
    const leadership = options.leadership ?? DEFAULT_CHAIN_PARAMETERS;
    // With real signatures the VRF is the real one too.
    const hasCurve = leadership.vrf && options.bls !== undefined;
    this.#keys = new KeyRing({ seed, count, powers: options.powers, bls: this.bls, hasCurve });
    const { validators } = this.#keys;
    this.vrf = this.#keys.vrf;
    const addresses = validators.map(({ address }) => address);
    const { members = count, epochLength = 0 } = options;
    const parameters = { ...leadership, epochLength };
    this.epoch = beginningOf(seed, validators.slice(0, members), parameters, options.leaders);
    this.directory = new Directory(addresses, twins, liars);
    const faulty = new Set(
      this.directory.instances.flatMap((instance) => (instance.faulty ? [instance.address] : [])),
    );
    this.epochs = new EpochBook(this.epoch, () =>
      this.nodes
        .filter(({ instance }) => !instance.faulty)
        .map((node) => ({ address: node.address, read: (of) => node.read(of) })),
    );
    this.checker = new SafetyChecker(faulty, { epoch: this.epoch, epochs: this.epochs, bls: this.bls });
    this.#nodeChecker = new NodeChecker(this.checker, faulty);
    this.#observer = together([
      this.#nodeChecker.observer(),
      this.#excused.observer(),
      ...(options.observers ?? []),
    ]);
    this.hub = createHub({
      clock: this.clock,
      seed: `hub/${seed}`,
      faults: options.faults ?? CALM,
      carry: options.carry ?? 'reference',
      filter: this.#filter(),
    });
    const setting: Setting = {
      seed,
      epoch: this.epoch,
      bls: this.bls,
      vrf: this.vrf,
      application: (options.application ?? replicatedKv)(this.epoch, this.bls),
      timeouts: this.#timeouts,
      time: this.time,
      ntpServers: this.ntpServers,
      sync: this.sync,
      bridge: { ...BRIDGE_DEFAULTS, ...options.bridge },
      batchTtlHeights: options.batchTtlHeights ?? DEFAULT_MEMPOOL_CONFIG.batchTtlHeights,
      evidenceAge: EVIDENCE_AGE,
      snapshotIntervalHeights: options.snapshotIntervalHeights ?? 0,
      joining: options.joining ?? [],
      clock: this.clock,
      hub: this.hub,
      directory: this.directory,
      observer: this.#observer,
      recordTo: options.recordTo,
      voiceOf: (instance) => options.voiceOf?.(instance, this),
    };
    this.nodes = this.directory.instances.map((instance) => {
      const error = options.clocks?.find(({ node }) => node === instance.node) ?? NO_ERROR;
      return new SimulatedNode(setting, instance, this.#keys.signerOf(instance), error);
    });
    this.#nodeChecker.watch(this);
    if (options.start ?? true) this.startAll();
  }

  /** Offences that committed blocks carry, and at which heights (CS-14). */
  get carried(): NodeChecker['carried'] {
    return this.#nodeChecker.carried;
  }

  /** The processes that are there from the start begin. */
  startAll(): void {
    const { absent = [] } = this.#options;
    for (const { index } of this.nodes) if (!absent.includes(index)) this.start(index);
  }

  node(index: number): SimulatedNode {
    const node = this.nodes[index];
    invariant(node !== undefined, 'a node has an index of the cluster', { index, nodes: this.nodes.length });
    return node;
  }

  /** Runs virtual time. */
  advance(ms: number): void {
    this.clock.advance(ms);
  }

  /** A process begins on what its disk holds; false when one runs already. */
  start(index: number): boolean {
    return this.node(index).start();
  }

  /** kill -9: what was not synced is gone, and nobody is told. False when nothing ran. */
  crash(index: number): boolean {
    return this.node(index).crash();
  }

  /** Groups the nodes by index; a node in no group is alone, one in two groups hears both. */
  partition(...groups: readonly (readonly number[])[]): void {
    this.hub.partition(...groups.map((group) => group.map((index) => this.node(index).instance.id)));
  }

  /** Cuts one direction. */
  cut(from: number, to: number): void {
    this.hub.block(this.node(from).instance.id, this.node(to).instance.id);
  }

  /** Nothing passes for so long, then everything at once. @unit ms */
  clog(from: number, to: number, ms: number): void {
    const key = `${this.node(from).instance.id}>${this.node(to).instance.id}`;
    this.#clogged.set(key, Math.max(this.#clogged.get(key) ?? 0, this.clock.now() + ms));
  }

  /** Behaviour of one direction, or of all links. */
  setLinks(faults: LinkFaults, direction?: { readonly from: number; readonly to: number }): void {
    if (direction === undefined) this.hub.setFaults(faults);
    else {
      const [from, to] = [this.node(direction.from).instance.id, this.node(direction.to).instance.id];
      this.hub.setFaults(faults, { from, to });
    }
  }

  /** Joins all links again; their behaviour stays as it is. */
  heal(): void {
    this.hub.heal();
    this.#clogged.clear();
  }

  /** Messages of all rounds pass from now on, whatever the rules of the rounds say. */
  liftRoundRules(): void {
    this.#rulesLifted = true;
  }

  /** Joins these nodes with each other on calm links; the rest stays as it is. */
  healAmong(indices: readonly number[]): void {
    this.hub.join(indices.map((index) => this.node(index).instance.id));
    for (const from of indices) {
      for (const to of indices) {
        this.setLinks(CALM, { from, to });
        this.#clogged.delete(`${this.node(from).instance.id}>${this.node(to).instance.id}`);
      }
    }
  }

  /** Faults of one node's disk from now on. */
  setDiskFaults(index: number, onSync: (() => SyncFault) | undefined): void {
    this.node(index).faults.ruleSyncs(onSync);
  }

  /** No two are equal. */
  nextTag(): number {
    this.#tag += 1;
    return this.#tag;
  }

  /** Hands transactions to a node's mempool; their admissions appear in the node's list. */
  submit(index: number, ...transactions: readonly string[]): boolean {
    const tag = this.nextTag();
    return this.node(index).reach((system) => {
      system.ref(ADDRESSES.bridge).tell({
        type: 'operations.submitted',
        client: 'test',
        transactions: transactions.map(utf8),
        replyTo: ADDRESSES.rpc,
        tag,
      });
    });
  }

  /**
   * As `submit`, what the application may refuse by a later state: handed to others by a node that has left the set meanwhile, or found
   * again after a restart, it is checked anew, and may end as expired.
   */
  submitPassing(index: number, ...transactions: readonly string[]): boolean {
    for (const one of transactions) this.#excused.passing(transactionHashOf(utf8(one)));
    return this.submit(index, ...transactions);
  }

  /** Newest committed height on a node's disk. */
  height(index: number): number {
    return this.node(index).height;
  }

  /** Admitted transactions that are neither in the chain nor told as expired: none may be lost. */
  lostTransactions(): readonly Violation[] {
    const reader = this.nodes.reduce((best, node) => (node.height > best.height ? node : best), this.node(0));
    return this.checker.unsettled().flatMap(({ hash, by }) => {
      if (this.#excused.has(hash)) return [];
      // Who died before it told an outcome never tells it.
      const found = reader.read((store) => store.transaction(hash));
      if (found === undefined || (found.status === 'found' && found.value !== undefined)) return [];
      return [{ claim: NOTHING_LOST, detail: `${hash} admitted by ${by}` }];
    });
  }

  /** The last looks into the nodes, after which nothing more happens (RT-8). */
  finish(): void {
    for (const node of this.nodes) node.endRecording();
    this.#nodeChecker.finish();
    this.epochs.check(this.checker.report);
  }

  /** Digest of what each disk holds and of the virtual time. */
  fingerprint(): string {
    const states = this.nodes.map((node) => {
      const recovered = node.read((store) => store.recover());
      return recovered?.status === 'found' ? recovered.value : undefined;
    });
    return digestOf(utf8(canonicalText({ states, now: this.clock.now(), counts: this.hub.counts })));
  }

  /** What a node's view-change holds; undefined while it is dead or recovering. */
  view(index: number): LiveView | undefined {
    const system = this.node(index).process?.system;
    return system === undefined ? undefined : viewOf(system);
  }

  /** The newest epoch that any process is in. */
  get present(): EpochContext {
    return this.nodes.reduce((newest, { process }) => {
      const epoch = process === undefined ? undefined : epochOf(process.system);
      return epoch !== undefined && epoch.epoch > newest.epoch ? epoch : newest;
    }, this.epoch);
  }

  /** The newest round that any node has reached in it; 0 before the first. */
  get round(): number {
    const { epoch } = this.present;
    const there = this.nodes.filter(({ index }) => this.epochAt(index)?.epoch === epoch);
    return Math.max(0, ...there.map(({ index }) => this.view(index)?.pacemaker.round ?? 0));
  }

  /** The epoch that a node is in; undefined while it is dead or recovering. */
  epochAt(index: number): EpochContext | undefined {
    const system = this.node(index).process?.system;
    return system === undefined ? undefined : epochOf(system);
  }

  /** What brings a node into the set, gives it another power or key, or with 0 takes it out. @param key of its own, from 0 */
  updateOf(index: number, power: bigint, key = 0): ValidatorUpdate {
    const instance = this.directory.at(index);
    invariant(instance !== undefined, 'who is to change is a node of the cluster', { index });
    return this.#keys.updateOf(instance.validator, power, key);
  }

  /** A node's key in the present epoch, for what lies in its name; its first, where it is not in the set. */
  signerOf(node: number): Signer {
    const instance = this.directory.at(node);
    invariant(instance !== undefined, 'a signer is a node of the cluster', { node });
    const { address, sign, prove } = this.#keys.signerOf(instance);
    const first = this.#keys.keyOf(instance.validator, 0).consensusKey;
    const own = () => validatorOf((this.epochAt(node) ?? this.epoch).set, address)?.consensusKey ?? first;
    return { address, sign: (message) => sign(message, own()), prove };
  }

  /** Sends a message in a node's name, whether its process runs or not. The receiver knows nothing else of it. */
  inject(from: number, to: number, message: PeerMessage): void {
    const encoding = this.hub.encode(message);
    const [sender, receiver] = [this.node(from).instance, this.node(to).instance];
    this.#observer.sent(sender, receiver.address, message);
    if (encoding.outcome === 'encoded') this.hub.send(sender.id, receiver.id, encoding.frame);
  }

  /** In the present epoch. */
  leaderOf(round: Round): Address {
    return leaderAt(this.present, round);
  }

  /** The present round's timeout at a node. @unit ms */
  timeoutSeenBy(index: number): number {
    const view = this.view(index);
    return view === undefined ? 0 : deadlinesOf(view.pacemaker, this.#timeouts).timeout;
  }

  #filter() {
    const { rounds = [], tamper } = this.#options;
    const rules = rounds.length === 0 ? undefined : new RoundRules(rounds, this.directory);
    return (transit: Transit) => {
      if ((!this.#rulesLifted && rules?.stops(transit) === true) || tamper?.(transit) === 'drop')
        return 'drop';
      if (this.#clogged.size === 0) return 'pass';
      const wait = (this.#clogged.get(`${transit.from}>${transit.to}`) ?? 0) - this.clock.now();
      return wait > 0 ? { delay: millis(wait) } : 'pass';
    };
  }
}

function beginningOf(
  seed: string | number,
  validators: readonly Validator[],
  parameters: EpochParameters,
  leaders: readonly [number, ...number[]] | undefined,
): EpochContext {
  const set = validatorSet(validators);
  invariant(!('code' in set), 'a simulated set is a set');
  const domain: ChainDomain = { chainId: 'simulated', genesisHash: digestOf(utf8(`genesis/${seed}`)) };
  const epoch = firstEpoch(domain, set, parameters);
  if (leaders === undefined) return epoch;
  // `turns[round mod length]` leads: round 1 is the table's first.
  const [first, ...others] = [leaders.at(-1) ?? leaders[0], ...leaders.slice(0, -1)].map((index) => {
    const validator = validators[index];
    invariant(validator !== undefined, 'a leader is a validator', { index });
    return validator.address;
  });
  invariant(first !== undefined, 'a table of leaders has a leader');
  return { ...epoch, leaders: { kind: 'round-robin', turns: [first, ...others] } };
}
