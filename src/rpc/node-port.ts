/**
 * What the RPC, the command line's live display and embedders read from a running node, and ask of it.
 * Types only: `src/node/` implements it. Everything answered is a copy; no answer waits longer than its timeout.
 */
import type { Millis, WallTime } from '../base/units.ts';
import type { GenesisDocument } from '../protocol/chain/genesis.ts';
import type {
  Address,
  BlockId,
  Digest,
  Epoch,
  ExecutedState,
  Height,
  Power,
  Round,
  ValidatorSet,
} from '../protocol/chain/types.ts';
import type { ViewChangeReason } from '../protocol/consensus/types.ts';
import type { ApplicationInfo, Misbehavior, QueryResult } from '../protocol/ports/application.ts';
import type { Admission } from '../protocol/ports/mempool.ts';
import type {
  ApplicationEvent,
  CommittedBlock,
  ExecutedTransaction,
  TransactionResult,
} from '../protocol/ports/storage.ts';
import type { BridgeReport } from './bridge-port.ts';
import type { ProofsPort } from './proofs-port.ts';
import type { Checkpoint, ResyncOutcome, SyncNowOutcome, SyncReport } from './sync-port.ts';
import type { TimeReport } from './time-port.ts';

/** A committed block in a line. The genesis block has height 0, its genesis id, and the genesis time. */
export interface BlockLabel {
  readonly height: Height;
  readonly id: BlockId;
  readonly time: WallTime;
}

/** One coherent reading of the node's owners of facts. */
export interface NodeStatus {
  /** Address of the node key: also its peer id. */
  readonly nodeId: Address;
  readonly nodeKey: Uint8Array;
  readonly moniker: string;
  /** Version of this program. */
  readonly version: string;
  readonly chainId: string;
  readonly genesisHash: Digest;
  /** `host:port` where peers and clients reach it; what is listened on when no external address is set. */
  readonly peerAddress: string;
  readonly rpcAddress: string;
  readonly startedAt: WallTime;
  readonly epoch: Epoch;
  /** Of the epoch. */
  readonly validators: number;
  readonly totalPower: Power;
  readonly round: Round;
  /** Leader of `round`. */
  readonly leader: Address;
  /** Oldest block that is stored; genesis before the first. */
  readonly earliest: BlockLabel;
  readonly committed: BlockLabel;
  readonly executed: ExecutedState;
  readonly syncing: boolean;
  /** This node's voting weight; 0 when it is not a validator. */
  readonly power: Power;
  /** Power of the validators connected now, this one included, and what a quorum needs. */
  readonly reachablePower: Power;
  readonly quorumPower: Power;
}

/** Why a node is not ready, if it is not. Empty `reasons` means ready. */
export interface NodeHealth {
  readonly reasons: readonly string[];
}

export interface StoredBlock {
  readonly committed: CommittedBlock;
  /** All transactions of its batches, in order, duplicates included. */
  readonly transactions: readonly Uint8Array[];
}

export interface StoredResults {
  readonly height: Height;
  readonly transactions: readonly ExecutedTransaction[];
  readonly events: readonly ApplicationEvent[];
  /** State after this block. */
  readonly executed: ExecutedState;
}

export interface IndexedTransaction {
  readonly height: Height;
  readonly executed: ExecutedTransaction;
}

/** The end of an admitted transaction, or that it had none within the wait. */
export type TransactionFate =
  | {
      readonly status: 'committed';
      readonly height: Height;
      readonly index: number;
      readonly result: TransactionResult;
    }
  /** A height beyond its batch's expiry has committed: that batch never commits. Another validator's batch may carry it still. */
  | { readonly status: 'expired'; readonly height: Height }
  | { readonly status: 'timeout' };

/** A transaction by its hash, and the height above which it is not executed (EX-7). */
export interface FollowedOperation {
  readonly id: Digest;
  readonly expiresAtHeight: Height;
}

/** `expired`: executed beyond its expiry without it, so it commits nowhere. `unknown`: the blocks that could hold it are not stored here. */
export type OperationStanding =
  | {
      readonly status: 'committed';
      readonly height: Height;
      readonly index: number;
      readonly result: TransactionResult;
    }
  | { readonly status: 'expired' | 'unknown' | 'pending' };

export interface Followed {
  /** Of the newest block that was executed when the standings were read. */
  readonly height: Height;
  readonly standings: readonly OperationStanding[];
  /** It was to wait, and there was no place for it: answered at once. */
  readonly isCrowded: boolean;
}

/** Calls of `follow` that wait now, and the operations that they wait for. */
export interface FollowersReport {
  readonly calls: number;
  readonly operations: number;
  /** Calls that found no place to wait, since the start. */
  readonly crowded: number;
}

export interface QueryAsked {
  readonly path: string;
  readonly data: Uint8Array;
  readonly height?: Height;
  /** `data` is a key of the state, whose value is to be proven; `path` is PROVEN_PATH. */
  readonly prove?: boolean;
}

export type QueryAnswer =
  | { readonly status: 'answered'; readonly result: QueryResult }
  | { readonly status: 'failed'; readonly detail: string };

export interface PeerStatus {
  readonly id: Address;
  readonly moniker: string;
  /** `host:port` of the other end. */
  readonly address: string;
  readonly outbound: boolean;
  readonly connectedAt: WallTime;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Power of the validator at the other end; 0 when it is none. */
  readonly power: Power;
}

/** One round, as the round manager labels it. */
export interface RoundReport {
  readonly epoch: Epoch;
  readonly round: Round;
  readonly height: Height;
  readonly leader: Address;
  /** NewRound, Propose, Prevote, Precommit, Commit, TimedOut, Abandoned */
  readonly step: string;
  readonly proposal?: BlockId;
  /** Power of the votes counted here. */
  readonly votePower: Power;
  readonly timeoutPower: Power;
  /** Why this node did not vote in it, if it refused: the refusal's code and operands. */
  readonly refusal?: string;
  readonly enteredAt: WallTime;
}

export interface ViewChangeReport {
  readonly epoch: Epoch;
  /** The round that failed; its leader. */
  readonly round: Round;
  readonly leader: Address;
  readonly reason: ViewChangeReason;
  /** From entering the round to leaving it. */
  readonly duration: Millis;
  readonly at: WallTime;
}

/** The last rounds and view changes, oldest first; both bounded by the node. */
export interface RoundsReport {
  readonly epoch: Epoch;
  readonly current: Round;
  readonly highQcRound: Round;
  readonly lockedRound: Round;
  readonly lastVotedRound: Round;
  readonly quorumPower: Power;
  readonly rounds: readonly RoundReport[];
  readonly viewChanges: readonly ViewChangeReport[];
}

export interface PendingTransactions {
  /** Count and bytes of all that is pending here. */
  readonly total: number;
  readonly totalBytes: number;
  /** The first of them, up to the asked limit. */
  readonly transactions: readonly Uint8Array[];
}

/** What subscribers are told, after it is durable. A slow listener is the listener's problem: calls are synchronous. */
export type NodeEvent =
  | {
      readonly type: 'block.committed';
      readonly block: BlockLabel;
      readonly round: Round;
      readonly proposer: Address;
      readonly transactionCount: number;
      /** Offences that it proves (CS-14). */
      readonly misbehavior: readonly Misbehavior[];
    }
  | { readonly type: 'view-change.completed'; readonly viewChange: ViewChangeReport };

export type BlockSelector = { readonly height: Height } | { readonly id: BlockId };

export interface SubmissionsRefused {
  readonly code: 'QUEUE_FULL';
  /** A sentence. */
  readonly log: string;
}

export interface NodePort extends ProofsPort {
  status(): NodeStatus;
  health(): NodeHealth;
  genesis(): GenesisDocument;
  /** One admission for each transaction, in order. `client` keys the rate limit (an IP address). */
  submit(transactions: readonly Uint8Array[], client: string): Promise<readonly Admission[]>;
  /** Why `submit` would take nothing now, whatever it is; undefined: it is to be asked. Costs next to nothing. */
  refusalOfSubmissions(): SubmissionsRefused | undefined;
  /**
   * How operations stand, each by itself, in their order: at once where one has ended, else when one ends, or after `wait`, or
   * when `signal` is aborted. Without operations: at the next executed height. Where too many wait, or too many of `client`,
   * which is what keys rates too, at once (BR-2).
   */
  follow(
    operations: readonly FollowedOperation[],
    client: string,
    wait: Millis,
    signal: AbortSignal,
  ): Promise<Followed>;
  followers(): FollowersReport;
  /** State after the newest executed block. */
  executed(): ExecutedState;
  /** Answers at once when the transaction is committed or expired already. `hash`: SHA-256 of the transaction. */
  waitCommitted(hash: Digest, timeout: Millis): Promise<TransactionFate>;
  query(asked: QueryAsked): Promise<QueryAnswer>;
  applicationInfo(): Promise<ApplicationInfo>;
  /** Undefined: not stored here (not yet, or pruned). */
  block(selector: BlockSelector): Promise<StoredBlock | undefined>;
  /** The same without its transactions, which may be megabytes. */
  committed(selector: BlockSelector): Promise<CommittedBlock | undefined>;
  blockResults(height: Height): Promise<StoredResults | undefined>;
  transaction(hash: Digest): Promise<IndexedTransaction | undefined>;
  /** The set that decides `height`; the newest without it. */
  validators(height?: Height): Promise<ValidatorSet | undefined>;
  peers(): readonly PeerStatus[];
  rounds(): RoundsReport;
  time(): TimeReport;
  /** What all of the node sees as the time; never decreases once it is adjusted (seed 000: getAdjustedTime). */
  adjustedTime(): WallTime;
  sync(): SyncReport;
  /** Undefined while its cell is down. @param limit pending operations that are shown, the oldest first */
  bridge(limit: number): BridgeReport | undefined;
  pending(limit: number): PendingTransactions;
  /** Operator command: this node gives up its round (reason ExplicitRequest). The round that it left. */
  requestViewChange(): Promise<{ readonly round: Round }>;
  /** Operator command: a check at once (seed 002: manualSync). Rejects where the cell does not take it. */
  syncNow(): Promise<SyncNowOutcome>;
  /**
   * Operator command: downloads the whole chain beside the own one (seed 001: fullResync; SY-9). With a checkpoint a chain that
   * does not hold that block is refused. Answers the refusal where it comes at once, else that it runs.
   */
  resync(checkpoint?: Checkpoint): Promise<ResyncOutcome>;
  /** The returned function ends it. */
  subscribe(listener: (event: NodeEvent) => void): () => void;
}
