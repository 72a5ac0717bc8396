/**
 * What the bridge knows, and the small steps over it. Pure. Rules BR-1 to BR-10, docs/protocol/bridge.md.
 */
import { emptyMap, type PersistentMap } from '../../base/persistent-map.ts';
import type { Monotonic } from '../../base/units.ts';
import type { DoorRefusal } from '../../protocol/bridge/admission.ts';
import type { BridgeConfig } from '../../protocol/bridge/config.ts';
import { type Deduplicator, EMPTY_DEDUPLICATOR } from '../../protocol/bridge/deduplicator.ts';
import type { BridgeMessage, StateSyncMessage } from '../../protocol/bridge/messages.ts';
import { NO_OPERATIONS, type Operations, placesTaken } from '../../protocol/bridge/operations.ts';
import { type Partition, partitionOf } from '../../protocol/bridge/partition.ts';
import type { RecentStates, StatedStates } from '../../protocol/bridge/state-sync.ts';
import type { Address, Digest, Height, ValidatorSet } from '../../protocol/chain/types.ts';
import { isValidator } from '../../protocol/chain/validator-set.ts';
import type { StateDivergence } from '../../protocol/ports/bridge.ts';
import type { Admission, MempoolRequest } from '../../protocol/ports/mempool.ts';
import type { NetworkRequest } from '../../protocol/ports/network.ts';
import type { SyncStatusRequested } from '../../protocol/ports/sync.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { Decision } from '../vocabulary/index.ts';
import type { BreakerState } from './breaker.setup.ts';
import { type Handed, nothingHanded } from './bridge.checking.ts';

export interface BridgeInput {
  readonly config: BridgeConfig;
  readonly self: Address;
  readonly validators: ValidatorSet;
  /** Of the genesis. @unit heights */
  readonly batchTtlHeights: number;
  /** D of the genesis. @unit heights */
  readonly deduplicationHeights: number;
  readonly storage: CellAddress;
  readonly mempool: CellAddress;
  /** Before the application, which judges first what this node hands to validators. */
  readonly executor: CellAddress;
  readonly networkSync: CellAddress;
  readonly router: CellAddress;
  readonly alarm: CellAddress;
  /** Does not propose any more once this node's state is not the chain's. */
  readonly roundManager: CellAddress;
  /** Told `operations.expired`. */
  readonly listeners: readonly CellAddress[];
}

/** Who waits for the answer to a submission: a cell, or the bridge of another node. */
export type Asker =
  | { readonly kind: 'cell'; readonly address: CellAddress; readonly tag: number }
  | { readonly kind: 'peer'; readonly peer: Address; readonly tag: number }
  /** Submissions that are handed over together, in the order of their operations. */
  | {
      readonly kind: 'several';
      readonly parts: readonly { readonly asker: Asker; readonly operations: number }[];
    }
  /** Nobody: it was answered long ago, and is handed to one more validator. */
  | { readonly kind: 'again' }
  /** Of a submission of which something was refused here: what is handed over is the rest. */
  | ({ readonly kind: 'rest' } & Pick<Submission, 'asker' | 'ids' | 'refused' | 'unread'>);

/** A submission that is not answered yet. */
export interface Submission {
  /** Of the newest question about it. */
  readonly tag: number;
  readonly asker: Asker;
  readonly client: string;
  /** Of all its transactions, in order. */
  readonly ids: readonly Digest[];
  /** By position; all others are `asked`. */
  readonly refused: ReadonlyMap<number, Admission>;
  /** What another node's operations beyond `ids` are refused with, unread. */
  readonly unread: DoorRefusal | undefined;
  readonly asked: readonly {
    readonly position: number;
    readonly hash: Digest;
    readonly transaction: Uint8Array;
  }[];
  readonly since: Monotonic;
  /** By the own application, where this node is no validator: to be asked, asked, it let all of it through, or said nothing and is asked no more. */
  readonly check: 'due' | 'asked' | 'passed' | 'over';
  /** Validators that it was handed to, the newest last, this node among them where it has become one since; none: the own mempool has it. */
  readonly handedTo: readonly Address[];
  /** Of them, those whose breaker did not let it pass: nothing was sent. */
  readonly heldBack: readonly Address[];
  /** What a block carried before the answer came; `unknown`: this cell was not told of every block meanwhile. */
  readonly early: ReadonlySet<Digest> | 'unknown';
}

export interface BridgeCounts {
  /** Messages of peers, duplicates too (seed 004). */
  readonly messagesProcessed: number;
  readonly duplicates: number;
  /** Committed blocks (seed 004). */
  readonly consensusRoundsCompleted: number;
  readonly stateSyncsSent: number;
  readonly partitions: number;
  /** Operations whose end this cell cannot know: it was not told of every block. */
  readonly forgotten: number;
  /** Submissions that the mempool never answered. */
  readonly unanswered: number;
  /** Operations that went to one more validator, since those that had them brought them into no block (BR-8). */
  readonly handedAgain: number;
}

export interface BridgeContext extends BridgeInput {
  readonly operations: Operations;
  /** By tag. */
  readonly submissions: PersistentMap<Submission>;
  /** Tags of what a validator did not answer in time, and who owes the answer. At most OWED_MAX, the oldest goes. */
  readonly owed: ReadonlyMap<number, Address>;
  /** While partitioned, where the configuration says so, until the committed height is known, and what is gathered to be handed over; by tag. */
  readonly queue: PersistentMap<Waiting>;
  /** Operations in the queue. Within `maxPendingOperations`. */
  readonly queued: number;
  /** Something was handed over a moment ago: what comes now waits for the next message (BR-8). */
  readonly isGathering: boolean;
  readonly nextTag: number;
  /** Network-sync says that this node's chain is the network's, or nearly: false until it has said anything. */
  readonly isNearTip: boolean;
  /** The own application did not answer in time: it is asked nothing more until an answer comes, or the next cleanup. */
  readonly isApplicationLate: boolean;
  /** What the own application may give no end to any more (BR-8). */
  readonly handed: Handed;
  /** Before, nothing is handed over again (HAND_AGAIN_PAUSE_MS). */
  readonly handAgainFrom: Monotonic;
  /** Undefined until storage, or a commit, has said it: what is submitted meanwhile waits in the queue. */
  readonly committedHeight: Height | undefined;
  readonly connected: ReadonlySet<Address>;
  readonly failedRounds: number;
  readonly failingSince: Monotonic | undefined;
  readonly overdueSince: Monotonic | undefined;
  /** Computed: see `withPartition`. */
  readonly partition: Partition | undefined;
  /** When the present partition began; how long the newest took that healed. @unit ms */
  readonly partitionedAt: Monotonic | undefined;
  readonly healedAfter: number | undefined;
  readonly recent: RecentStates;
  readonly stated: StatedStates;
  /** By who says so; one each, and one of all certificates together. */
  readonly divergences: ReadonlyMap<string, StateDivergence>;
  readonly seen: Deduplicator;
  /** Messages and operations since state was told last. */
  readonly activity: number;
  readonly told: StateSyncMessage | undefined;
  /** Up to which height each connected peer was told; and where a validator was when it told its own. */
  readonly toldTo: ReadonlyMap<Address, Height>;
  readonly heardAt: ReadonlyMap<Address, Height>;
  readonly lastStateSync: Monotonic;
  readonly breakers: ReadonlyMap<Address, BreakerState>;
  /** Validators that have left, and since when: their breakers wait for what is late. Bounded by the sets of an interval. */
  readonly leaving: ReadonlyMap<Address, Monotonic>;
  readonly overdue: number;
  readonly counts: BridgeCounts;
}

/** A submission that waits: for the end of a partition, or for the next message. QUEUE_MS at the longest. */
export interface Waiting {
  readonly tag: number;
  readonly since: Monotonic;
  readonly asker: Asker;
  readonly client: string;
  readonly transactions: readonly Uint8Array[];
  /** As of a submission: what was asked about is not asked about again. */
  readonly check: Exclude<Submission['check'], 'asked'>;
  /** Of what was checked: what a block carried since. */
  readonly early?: Submission['early'];
}

export type Decided = Decision<BridgeContext>;

/** @unit tags/ms @source 60 times the operations of 15,000/s, one in each submission */
const TAGS_A_MS = 1_000;

export const initialBridge = (input: BridgeInput, now: Monotonic): BridgeContext =>
  withPartition(
    {
      ...input,
      operations: NO_OPERATIONS,
      submissions: emptyMap(),
      owed: new Map(),
      queue: emptyMap(),
      queued: 0,
      isGathering: false,
      // Not those of an earlier life, whose answers may be on their way: it used less than one a microsecond.
      nextTag: Math.floor(now * TAGS_A_MS),
      isNearTip: false,
      isApplicationLate: false,
      handed: nothingHanded(now),
      handAgainFrom: now,
      committedHeight: undefined,
      connected: new Set(),
      failedRounds: 0,
      failingSince: undefined,
      overdueSince: undefined,
      partition: undefined,
      partitionedAt: undefined,
      healedAfter: undefined,
      recent: [],
      stated: [],
      divergences: new Map(),
      seen: EMPTY_DEDUPLICATOR,
      activity: 0,
      told: undefined,
      toldTo: new Map(),
      heardAt: new Map(),
      lastStateSync: now,
      breakers: new Map(),
      leaving: new Map(),
      overdue: 0,
      counts: {
        messagesProcessed: 0,
        duplicates: 0,
        consensusRoundsCompleted: 0,
        stateSyncsSent: 0,
        partitions: 0,
        unanswered: 0,
        forgotten: 0,
        handedAgain: 0,
      },
    },
    now,
  );

/** What cuts the node off is computed anew from the facts, after every change of them (BR-10). */
export const withPartition = (context: BridgeContext, now: Monotonic): BridgeContext => ({
  ...context,
  partition: partitionOf(context, now, context.config.partitionTimeout),
});

/** Operations that wait or are pending, and places that are promised. */
export const load = ({ operations, queued }: BridgeContext): number => placesTaken(operations) + queued;

export const counted = (
  { counts }: BridgeContext,
  name: keyof BridgeCounts,
  by = 1,
): Pick<BridgeContext, 'counts'> => ({ counts: { ...counts, [name]: counts[name] + by } });

/** Whoever certifies it, says it all. */
export const CERTIFIED = 'a certificate';

/** A certificate says that this node's state is not the chain's. */
export const isDiverged = ({ divergences }: Pick<BridgeContext, 'divergences'>): boolean =>
  divergences.has(CERTIFIED);

/** Seed 004: isConsensusHealthy. */
export const isConsensusHealthy = (context: BridgeContext): boolean =>
  context.partition === undefined &&
  !isDiverged(context) &&
  load(context) < context.config.maxPendingOperations;

/** Seed 004: getStats. */
export interface NetworkConsensusBridgeStats {
  readonly messagesProcessed: number;
  readonly consensusRoundsCompleted: number;
  readonly failedOperations: number;
  readonly pendingOperations: number;
  readonly activeParticipants: number;
}

export function getStats(context: BridgeContext): NetworkConsensusBridgeStats {
  const { counts, operations, connected, validators, self } = context;
  const own = isValidator(validators, self) ? 1 : 0;
  return {
    messagesProcessed: counts.messagesProcessed,
    consensusRoundsCompleted: counts.consensusRoundsCompleted,
    failedOperations: operations.counts.expired + operations.counts.rejected,
    pendingOperations: operations.pending.size,
    activeParticipants: connected.size + own,
  };
}

export const toPeer = ({ router }: BridgeInput, to: readonly Address[], message: BridgeMessage): Effect =>
  telling(router, { type: 'network.sendRequested', outgoing: [{ to, message }] });

export function askMempool(
  { mempool }: BridgeInput,
  { client, asked }: Submission,
  tag: number,
  replyTo: CellAddress,
): Effect {
  const transactions = asked.map(({ transaction }) => transaction);
  const hashes = asked.map(({ hash }) => hash);
  const request: MempoolRequest = {
    type: 'transactions.submitted',
    ...{ replyTo, tag, client, transactions, hashes },
  };
  return telling(mempool, request);
}

/** How near the tip its own application judges; a validator hands nothing over. Network-sync tells changes; one that was started anew knows of nobody who asked. */
export function askSync(
  { networkSync, validators, self }: BridgeInput,
  replyTo: CellAddress,
): readonly Effect[] {
  const request: SyncStatusRequested = { type: 'sync.statusRequested', replyTo };
  return isValidator(validators, self) ? [] : [telling(networkSync, request)];
}

/** The router owns who can be reached; this cell has a copy. */
export function askConnectivity({ router }: BridgeInput, replyTo: CellAddress): Effect {
  const request: NetworkRequest = { type: 'connectivity.requested', replyTo };
  return telling(router, request);
}
