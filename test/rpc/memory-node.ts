/**
 * A node's port over a chain held in memory, for tests of what stands on the port: every submitted transaction
 * becomes a block of its own at once, unless `hold` keeps it back. Headers, ids and hashes are the real ones.
 */
import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { type Millis, millis, type WallTime, wallTime } from '../../src/base/units.ts';
import {
  blockIdOf,
  digestOf,
  genesisCertificate,
  merkleRootOf,
  NO_EVIDENCE,
  statementOf,
} from '../../src/protocol/chain/canonical.ts';
import type { GenesisDocument } from '../../src/protocol/chain/genesis.ts';
import { DEFAULT_CHAIN_PARAMETERS, genesisHash } from '../../src/protocol/chain/genesis.ts';
import { parseOperation } from '../../src/protocol/chain/operation.ts';
import { FIRST_EPOCH, nextHeight, nextRound } from '../../src/protocol/chain/ordinals.ts';
import { parseBatchDigest, parseHeight } from '../../src/protocol/chain/parse.ts';
import type {
  Block,
  BlockId,
  ChainDomain,
  Digest,
  EpochProof,
  ExecutedState,
  Height,
  ProvenHeader,
  QuorumCertificate,
  Round,
  ValidatorSet,
} from '../../src/protocol/chain/types.ts';
import { addressOf, validatorSet } from '../../src/protocol/chain/validator-set.ts';
import type { TransactionProof } from '../../src/protocol/light/types.ts';
import type { ApplicationInfo, Misbehavior } from '../../src/protocol/ports/application.ts';
import type { Admission, NodeRefusalCode } from '../../src/protocol/ports/mempool.ts';
import type { CommittedBlock, TransactionResult } from '../../src/protocol/ports/storage.ts';
import { BRIDGE_COUNTS, type BridgeReport } from '../../src/rpc/bridge-port.ts';
import type {
  BlockSelector,
  Followed,
  FollowedOperation,
  FollowersReport,
  IndexedTransaction,
  NodeEvent,
  NodeHealth,
  NodePort,
  NodeStatus,
  OperationStanding,
  PeerStatus,
  PendingTransactions,
  QueryAnswer,
  QueryAsked,
  RoundsReport,
  StoredBlock,
  StoredResults,
  SubmissionsRefused,
  TransactionFate,
} from '../../src/rpc/node-port.ts';
import type { EpochProofs } from '../../src/rpc/proofs-port.ts';
import type { Checkpoint, ResyncOutcome, SyncNowOutcome, SyncReport } from '../../src/rpc/sync-port.ts';
import type { TimeReport } from '../../src/rpc/time-port.ts';
import { syncReport } from './sync-report.ts';

const START: WallTime = wallTime(Date.UTC(2026, 0, 31, 12, 0, 0, 0));
const NODE_KEYS = [1, 2, 3, 4].map((seed) => new Uint8Array(32).fill(seed));

const GENESIS: GenesisDocument = {
  chainId: 'memory-chain',
  genesisTime: START,
  validators: NODE_KEYS.map((nodeKey, index) => ({
    address: addressOf(nodeKey),
    nodeKey,
    consensusKey: new Uint8Array(48).fill(index + 1),
    possessionProof: new Uint8Array(96),
    power: 10n,
    name: `validator ${index}`,
  })),
  parameters: DEFAULT_CHAIN_PARAMETERS,
  application: { name: 'kv', state: { greeting: 'hello' } },
};

/** What an application gets of it (EX-7). */
const textOf = (transaction: Uint8Array): string =>
  Buffer.from(parseOperation(transaction)?.payload ?? transaction).toString('utf8');

export class MemoryNode implements NodePort {
  readonly #domain: ChainDomain = { genesisHash: genesisHash(GENESIS), chainId: GENESIS.chainId };
  readonly #set: ValidatorSet = requireSet();
  readonly #blocks: { readonly stored: StoredBlock; readonly results: StoredResults }[] = [];
  readonly #state = new Map<string, string>();
  readonly #waiting = new Map<Digest, Uint8Array>();
  readonly #listeners = new Set<(event: NodeEvent) => void>();
  readonly #waiters = new Set<() => void>();
  /** Transactions stay pending while true. */
  hold = false;
  /** There is no place for calls that wait. */
  isCrowded = false;
  reasons: readonly string[] = [];
  /** What each block from now on proves of validators. */
  misbehavior: readonly Misbehavior[] = [];
  viewChangesRequested = 0;
  submissionsRefused: SubmissionsRefused | undefined;
  /** Transactions that `submit` was given. */
  submitted = 0;
  /** What `time()` says beside what this node says by itself. */
  timeFacts: Partial<TimeReport> = {};
  /** What `bridge()` says beside what this node says by itself; how many operations it was asked for. */
  bridgeFacts: Partial<BridgeReport> = {};
  bridgeIsDown = false;
  readonly bridgeLimits: number[] = [];
  /** What `sync()` says beside what this node says by itself. */
  syncFacts: Partial<SyncReport> = {};
  syncsRequested = 0;
  /** What it can prove. */
  proofs: {
    readonly headers?: ReadonlyMap<Height, ProvenHeader>;
    readonly epochs?: readonly EpochProof[];
    readonly transaction?: TransactionProof;
  } = {};
  syncOutcome: SyncNowOutcome = { status: 'done', sync: { kind: 'InSync' } };
  readonly resyncs: (Checkpoint | undefined)[] = [];
  resyncOutcome: ResyncOutcome = { status: 'running' };
  #expired: Height | undefined;
  #beyond = 0;

  status(): NodeStatus {
    const [self] = this.#set.validators;
    const nodeKey = NODE_KEYS[0] ?? new Uint8Array();
    const last = this.#blocks.at(-1)?.stored.committed;
    const committed =
      last === undefined
        ? { height: 0 as const, id: this.#genesisQc().blockId, time: START }
        : { height: last.block.header.height, id: last.id, time: last.block.header.time };
    return {
      nodeId: addressOf(nodeKey),
      nodeKey,
      moniker: 'memory',
      version: '0.1.0',
      chainId: GENESIS.chainId,
      genesisHash: this.#domain.genesisHash,
      peerAddress: '127.0.0.1:26656',
      rpcAddress: '127.0.0.1:26657',
      startedAt: START,
      validators: this.#set.validators.length,
      totalPower: this.#set.totalPower,
      epoch: FIRST_EPOCH,
      round: nextRound(this.#highQc().round),
      leader: self?.address ?? addressOf(nodeKey),
      earliest: { height: height(this.#blocks.length === 0 ? 0 : 1), id: committed.id, time: START },
      committed: { ...committed, height: height(committed.height) },
      executed: this.#executed(),
      syncing: false,
      power: 10n,
      reachablePower: 40n,
      quorumPower: this.#set.quorumPower,
    };
  }

  bridge(limit: number): BridgeReport | undefined {
    this.bridgeLimits.push(limit);
    if (this.bridgeIsDown) return undefined;
    const none = Object.fromEntries(BRIDGE_COUNTS.map((count) => [count, 0]));
    return {
      ...{ reach: 'connected', partition: undefined, healedAfter: undefined, healthy: true },
      ...{ reachablePower: 40n, requiredVotes: this.#set.quorumPower },
      ...{ pending: 0, pendingMax: 10_000, queued: 0, overdue: 0, pacing: undefined },
      counts: none as BridgeReport['counts'],
      ...{ divergences: [], breakers: [], missing: [], operations: [] },
      stateSync: { height: undefined, age: millis(0), interval: millis(60_000) },
      ...this.bridgeFacts,
    };
  }

  health(): NodeHealth {
    return { reasons: this.reasons };
  }

  genesis(): GenesisDocument {
    return GENESIS;
  }

  refusalOfSubmissions(): SubmissionsRefused | undefined {
    return this.submissionsRefused;
  }

  async submit(transactions: readonly Uint8Array[]): Promise<readonly Admission[]> {
    this.submitted += transactions.length;
    return transactions.map((transaction) => this.#admit(transaction));
  }

  executed(): ExecutedState {
    const executed = this.#executed();
    return { ...executed, height: height(executed.height + this.#beyond) };
  }

  async follow(
    operations: readonly FollowedOperation[],
    client: string,
    wait: Millis,
    signal: AbortSignal,
  ): Promise<Followed> {
    const { height } = this.executed();
    const standings = operations.map(({ id, expiresAtHeight }): OperationStanding => {
      const found = this.#find(id);
      if (found === undefined) return { status: height > expiresAtHeight ? 'expired' : 'pending' };
      const { index, result } = found.executed;
      return { status: 'committed', height: found.height, index, result };
    });
    if (wait <= 0 || this.isCrowded || signal.aborted || standings.some(({ status }) => status !== 'pending'))
      return { height, standings, isCrowded: this.isCrowded };
    const woken = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), wait);
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        resolve(true);
      };
      this.#waiters.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
    return this.follow(operations, client, woken ? wait : millis(0), signal);
  }

  followers(): FollowersReport {
    return { calls: 3, operations: 2_001, crowded: 7 };
  }

  /** Calls that wait. */
  get waiting(): number {
    return this.#waiters.size;
  }

  async waitCommitted(hash: Digest, timeout: Millis): Promise<TransactionFate> {
    const found = this.#find(hash);
    if (found !== undefined) {
      return {
        status: 'committed',
        height: found.height,
        index: found.executed.index,
        result: found.executed.result,
      };
    }
    if (this.#expired !== undefined) return { status: 'expired', height: this.#expired };
    const woken = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), timeout);
      this.#waiters.add(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
    return woken ? this.waitCommitted(hash, timeout) : { status: 'timeout' };
  }

  async provenHeader(at: Height): Promise<ProvenHeader | undefined> {
    return this.proofs.headers?.get(at);
  }

  async epochProofs(): Promise<EpochProofs> {
    return { current: FIRST_EPOCH, proofs: this.proofs.epochs ?? [] };
  }

  async transactionProof(): Promise<TransactionProof | undefined> {
    return this.proofs.transaction;
  }

  async query({ path, data, prove }: QueryAsked): Promise<QueryAnswer> {
    const key = Buffer.from(data).toString('utf8');
    if (path === '/fail') return { status: 'failed', detail: 'the application is stopped' };
    const value = this.#state.get(key);
    return {
      status: 'answered',
      result: {
        code: 0,
        log: value === undefined ? 'does not exist' : 'exists',
        codespace: '',
        key: data,
        value: value === undefined ? new Uint8Array() : utf8(value),
        height: this.#executed().height,
        ...(prove === true ? { proof: { isPresent: value !== undefined, bytes: utf8('proof') } } : {}),
      },
    };
  }

  async applicationInfo(): Promise<ApplicationInfo> {
    return { name: 'kv', version: '1', executed: this.#executed() };
  }

  async block(selector: BlockSelector): Promise<StoredBlock | undefined> {
    return this.#stored(selector);
  }

  async committed(selector: BlockSelector): Promise<CommittedBlock | undefined> {
    return this.#stored(selector)?.committed;
  }

  #stored(selector: BlockSelector): StoredBlock | undefined {
    if ('height' in selector) return this.#blocks[selector.height - 1]?.stored;
    return this.#blocks.find(({ stored }) => stored.committed.id === selector.id)?.stored;
  }

  async blockResults(at: Height): Promise<StoredResults | undefined> {
    return this.#blocks[at - 1]?.results;
  }

  async transaction(hash: Digest): Promise<IndexedTransaction | undefined> {
    return this.#find(hash);
  }

  async validators(): Promise<ValidatorSet | undefined> {
    return this.#set;
  }

  peers(): readonly PeerStatus[] {
    return this.#set.validators.slice(1).map(({ address }, index) => ({
      id: address,
      moniker: `peer${index}`,
      address: `127.0.0.1:${26_666 + 10 * index}`,
      outbound: index % 2 === 0,
      connectedAt: START,
      bytesSent: 1_000,
      bytesReceived: 2_000,
      power: 10n,
    }));
  }

  rounds(): RoundsReport {
    const { round, leader } = this.status();
    const label = { epoch: FIRST_EPOCH, round, leader };
    return {
      epoch: FIRST_EPOCH,
      current: round,
      highQcRound: this.#highQc().round,
      lockedRound: this.#highQc().round,
      lastVotedRound: round,
      quorumPower: this.#set.quorumPower,
      rounds: [
        {
          ...label,
          height: nextHeight(this.status().committed.height),
          step: 'Propose',
          votePower: 10n,
          timeoutPower: 0n,
          refusal: 'ROUND_ALREADY_VOTED round=3 lastVotedRound=3',
          enteredAt: START,
        },
      ],
      viewChanges: [{ ...label, reason: 'LeaderTimeout', duration: millis(412.4), at: START }],
    };
  }

  /** Led by its peers once; its system clock is 10.5 s ahead. */
  time(): TimeReport {
    const [, one, two, three] = GENESIS.validators;
    if (one === undefined || two === undefined || three === undefined) throw new Error('there are four');
    const heard = { lastUpdateAge: millis(3_340.2), reliabilityScore: 0.78, isSynchronised: true };
    return {
      state: 'synchronised',
      source: 'hybrid',
      ledBy: 'peers',
      adjustedTime: this.adjustedTime(),
      isAdjusted: true,
      systemTime: wallTime(this.adjustedTime() + 10_500),
      systemOffset: 10_500,
      error: millis(2.5044),
      ratePpm: -12.34,
      slewLeft: -0.25,
      updates: 4,
      lastUpdateAge: millis(3_340.2),
      mayPropose: true,
      alerts: [{ alert: 'ClockDriftCritical', detail: "this machine's clock is 10.5 s ahead" }],
      alertCounts: new Map([['ClockDriftCritical', 2]]),
      peers: [
        { id: one.address, name: one.name, offset: -0.06, roundTripTime: millis(1.498), ...heard },
        { id: two.address, name: two.name, offset: 0.2274, roundTripTime: millis(1.15), ...heard },
        {
          id: three.address,
          name: three.name,
          offset: undefined,
          lastUpdateAge: undefined,
          roundTripTime: undefined,
          reliabilityScore: 0.05,
          isSynchronised: false,
        },
      ],
      servers: [
        {
          server: 'ntp.example',
          status: 'falseticker',
          why: 'it contradicts the majority of the servers',
          reach: 0b111,
          offset: 5_000,
          delay: millis(12.5),
          rootDistance: millis(20),
          stratum: 2,
        },
        {
          server: '127.0.0.1:123',
          status: 'waiting',
          why: '',
          reach: 0,
          offset: undefined,
          delay: undefined,
          rootDistance: undefined,
          stratum: undefined,
        },
      ],
      findings: {
        peers: {
          status: 'agreed',
          lo: -0.844,
          hi: 0.724,
          offset: 0.1,
          error: 0.944,
          low: [one.address],
          high: [],
        },
        ntp: { status: 'noMajority', candidates: 2, agreeing: 1 },
        conflict: false,
        peersAreSynchronised: true,
      },
      history: [
        {
          at: wallTime(START + 10_500),
          by: 'peers',
          outcome: 'stepped',
          correction: -10_500,
          error: 1.5,
          systemOffset: 10_500,
          peers: [{ peer: one.address, offset: -10_500.0004 }],
        },
        {
          at: wallTime(START + 10_000),
          by: 'peers',
          outcome: 'slewed',
          correction: -0.00001,
          error: 2.5,
          systemOffset: 10_500,
          peers: [
            { peer: one.address, offset: -0.06 },
            { peer: two.address, offset: 0.2274 },
          ],
        },
      ],
      ...this.timeFacts,
    };
  }

  adjustedTime(): WallTime {
    return wallTime(START + 13_340);
  }

  pending(limit: number): PendingTransactions {
    const all = [...this.#waiting.values()];
    const totalBytes = all.reduce((sum, { length }) => sum + length, 0);
    return { total: all.length, totalBytes, transactions: all.slice(0, limit) };
  }

  sync(): SyncReport {
    return { ...syncReport(GENESIS), ...this.syncFacts };
  }

  async syncNow(): Promise<SyncNowOutcome> {
    this.syncsRequested += 1;
    return this.syncOutcome;
  }

  async resync(checkpoint?: Checkpoint): Promise<ResyncOutcome> {
    this.resyncs.push(checkpoint);
    return this.resyncOutcome;
  }

  async requestViewChange(): Promise<{ readonly round: Round }> {
    this.viewChangesRequested += 1;
    return { round: this.status().round };
  }

  subscribe(listener: (event: NodeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Commits what `hold` kept back. */
  release(): void {
    this.hold = false;
    for (const transaction of this.#waiting.values()) this.#commit(transaction);
    this.#waiting.clear();
    this.#wake();
  }

  /** So many heights were executed that this node does not show, without anything that waits. */
  passOver(heights: number): void {
    this.#beyond = heights;
    this.#waiting.clear();
    this.#wake();
  }

  /** The batches of what waits can never commit any more. */
  expire(): void {
    this.#expired = this.status().committed.height;
    this.#waiting.clear();
    this.#wake();
  }

  emitViewChange(): void {
    const [viewChange] = this.rounds().viewChanges;
    if (viewChange !== undefined) this.#tell({ type: 'view-change.completed', viewChange });
  }

  #admit(transaction: Uint8Array): Admission {
    const hash = digestOf(transaction);
    const text = textOf(transaction);
    const refuse = (code: NodeRefusalCode, log: string): Admission => ({
      status: 'refused',
      hash,
      code,
      log,
    });
    if (transaction.length === 0) return refuse('EMPTY', 'a transaction has at least one byte');
    if (this.#find(hash) !== undefined || this.#waiting.has(hash)) return refuse('ALREADY_KNOWN', '');
    if (text === 'full') return refuse('MEMPOOL_FULL', '500000 transactions wait');
    if (text === 'unchecked') return refuse('NOT_CHECKED', 'APPLICATION_FAILED: opening failed');
    if (text === 'zero')
      return { status: 'refused', hash, code: 'CHECK_FAILED', log: '', applicationCode: 0 };
    if (!text.includes('=')) {
      return {
        status: 'refused',
        hash,
        code: 'CHECK_FAILED',
        log: 'expected key=value',
        applicationCode: 7,
      };
    }
    if (this.hold) this.#waiting.set(hash, transaction);
    else this.#commit(transaction);
    return { status: 'admitted', hash };
  }

  #commit(transaction: Uint8Array): void {
    const [key = '', value = ''] = textOf(transaction).split('=');
    const qc = this.#highQc();
    const header = this.#header(qc, transaction);
    const block: Block = { header, qc };
    const id = blockIdOf(this.#domain, block);
    this.#state.set(key, value);
    const executed: ExecutedState = {
      height: header.height,
      appHash: digestOf(utf8(`${id}${key}=${value}`)),
    };
    const own = this.#certify(block, id);
    const committed = { block, qc: own, id, commitProof: own };
    const transactions = [
      { hash: digestOf(transaction), index: 0, bytes: transaction, result: resultOf(key) },
    ];
    const results = { height: header.height, transactions, events: [], executed };
    this.#blocks.push({ stored: { committed, transactions: [transaction] }, results });
    const label = { height: header.height, id, time: header.time };
    const { round, proposer } = header;
    const { misbehavior } = this;
    this.#tell({ type: 'block.committed', block: label, round, proposer, transactionCount: 1, misbehavior });
  }

  #header(qc: QuorumCertificate, transaction: Uint8Array): Block['header'] {
    const digest = parseBatchDigest(digestOf(concatBytes(utf8('batch'), transaction)));
    if (digest === 'malformed') throw new Error('a digest is a digest');
    const at = nextHeight(qc.height);
    return {
      epoch: FIRST_EPOCH,
      round: nextRound(qc.round),
      height: at,
      parentId: qc.blockId,
      time: wallTime(START + 250 * at),
      proposer: this.#set.validators[at % 4]?.address ?? addressOf(new Uint8Array(32)),
      batches: [{ digest, count: 1, bytes: transaction.length }],
      batchesRoot: merkleRootOf([digest]),
      executed: this.#executed(),
      validatorsHash: this.#set.hash,
      nextValidatorsHash: this.#set.hash,
      evidenceHash: NO_EVIDENCE,
      vrfProof: new Uint8Array(),
    };
  }

  #certify(block: Block, id: BlockId): QuorumCertificate {
    return { ...statementOf(block, id), signers: Uint8Array.of(0b1110), signature: new Uint8Array(96) };
  }

  #executed(): ExecutedState {
    const genesisState = { height: height(0), appHash: digestOf(utf8('genesis state')) };
    return this.#blocks.at(-1)?.results.executed ?? genesisState;
  }

  #find(hash: Digest): IndexedTransaction | undefined {
    for (const { results } of this.#blocks) {
      const executed = results.transactions.find((transaction) => transaction.hash === hash);
      if (executed !== undefined) return { height: results.height, executed };
    }
    return undefined;
  }

  #genesisQc(): QuorumCertificate {
    return genesisCertificate(this.#domain, FIRST_EPOCH);
  }

  #highQc(): QuorumCertificate {
    return this.#blocks.at(-1)?.stored.committed.qc ?? this.#genesisQc();
  }

  #tell(event: NodeEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }
}

function resultOf(key: string): TransactionResult {
  const attributes = [{ key: 'key', value: key, index: true }];
  return {
    code: 0,
    data: new Uint8Array(),
    log: '',
    codespace: '',
    gasWanted: 1n,
    gasUsed: 1n,
    events: [{ type: 'set', attributes }],
  };
}

function height(raw: number): Height {
  const parsed = parseHeight(raw);
  if (parsed === 'malformed') throw new Error(`${raw} is no height`);
  return parsed;
}

function requireSet(): ValidatorSet {
  const set = validatorSet(GENESIS.validators);
  if ('code' in set) throw new Error(JSON.stringify(set, (_, value) => String(value)));
  return set;
}
