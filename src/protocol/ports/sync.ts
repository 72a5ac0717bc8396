/**
 * What the cells of sync say to each other and to the boundary actors below them. Messages only. Owners: state-sync (peers, what was asked of
 * them), block-sync (the window), network-sync (are we in sync), sync-coordinator (the loop), chain-sync (tier 3).
 * Rules SY-1 to SY-14, docs/protocol/sync.md.
 */
import type { Millis } from '../../base/units.ts';
import type {
  Address,
  BatchDigest,
  BlockId,
  CertifiedBlock,
  CommitProof,
  Digest,
  EncodedChange,
  Epoch,
  EpochChange,
  ExecutedState,
  Height,
  Power,
} from '../chain/types.ts';
import type { SyncFault } from '../sync/faults.ts';
import type { ChainMessage, SnapshotManifest } from '../sync/messages.ts';
import type {
  ForkEvidence,
  PeerState,
  ProvedTip,
  Reputation,
  SyncAlert,
  SyncError,
  SyncProgress,
  SyncStatus,
} from '../sync/types.ts';

/** `replyTo` is the address of the cell that gets the answer; `tag` comes back in it. */
interface Request {
  readonly replyTo: string;
  readonly tag: number;
}

/** Which blocks: committed ones by height, or one that is not committed with its ancestors. */
export type BlocksQuery =
  | { readonly by: 'height'; readonly from: Height; readonly limit: number }
  | { readonly by: 'id'; readonly id: BlockId; readonly ancestors: number };

/** To state-sync. */
export type StateSyncRequest =
  /** Seed 001: queryPeerHeights. Peers whose state is older than `maxAge` are asked (0: all). Answered when all have answered, or after `timeout`. */
  | ({ readonly type: 'peers.pollRequested'; readonly maxAge: Millis; readonly timeout: Millis } & Request)
  /** SY-4: the genesis of min(genesisPeers, connected) peers. */
  | ({ readonly type: 'genesis.verifyRequested' } & Request)
  /** Seed 002: verifyBlockHashConsensus. */
  | ({ readonly type: 'hash.verifyRequested'; readonly height: Height; readonly id: BlockId } & Request)
  /**
   * Asks the best peers, `copies` of them at once (seed 002: requestBlocksRedundant), others after each failure, up to
   * `attempts`. Every answer is handed on; ends with as many as `copies`, or with `fetch.failed`.
   */
  | ({
      readonly type: 'blocks.fetchRequested';
      readonly query: BlocksQuery;
      /** Who can have it; absent: anybody whose chain reaches so far. */
      readonly holders?: readonly Address[];
      /** Asked last. */
      readonly avoid: readonly Address[];
      readonly copies: number;
      readonly attempts: number;
      readonly timeout: Millis;
    } & Request)
  /** One more peer for a fetch that is under way: a leading gap (SY-8). */
  | { readonly type: 'fetch.hurried'; readonly replyTo: string; readonly tag: number }
  | { readonly type: 'fetch.cancelled'; readonly replyTo: string; readonly tag: number }
  /** What a peer gave was verified: good, or refused by the code. Moves its reputation; a code also its score (TP-6). */
  | {
      readonly type: 'peer.judged';
      readonly peer: Address;
      readonly verdict: 'good' | { readonly code: SyncFault };
    }
  /** The whole chain's description of these peers (tier 3). */
  | ({
      readonly type: 'chains.requested';
      readonly peers: readonly Address[];
      readonly timeout: Millis;
    } & Request)
  | ({ readonly type: 'snapshots.requested'; readonly timeout: Millis } & Request)
  | ({
      readonly type: 'snapshotChunk.requested';
      readonly peer: Address;
      readonly height: Height;
      readonly format: number;
      readonly chunk: number;
      readonly timeout: Millis;
    } & Request)
  /** How epochs ended, from this one on (CS-16). */
  | ({
      readonly type: 'epochs.fetchRequested';
      readonly peer: Address;
      readonly from: Epoch;
      readonly limit: number;
      readonly timeout: Millis;
    } & Request);

/** SY-4. `unanimous` is over those that remain; `split`: J(W) or more of validator power has another genesis. */
export type GenesisOutcome =
  | { readonly status: 'unanimous'; readonly asked: number; readonly answered: number }
  | { readonly status: 'split'; readonly genesisHash: Digest; readonly peers: readonly Address[] }
  | { readonly status: 'unanswered'; readonly error: SyncError };

/** Seed 002: 2/3+ of the answers. */
export type HashOutcome =
  | { readonly status: 'agreed'; readonly answered: number }
  /** At least 2/3+ say another id; `power`: of those who say it. */
  | { readonly status: 'differs'; readonly id: BlockId; readonly answered: number; readonly power: Power }
  | { readonly status: 'failed'; readonly error: SyncError };

/** From state-sync. */
export type StateSyncReply =
  | {
      readonly type: 'peers.polled';
      readonly tag: number;
      /** Every connected peer, whether it answered or not. */
      readonly peers: readonly PeerState[];
      /** Those that answered, in this poll or lately enough. */
      readonly answered: readonly Address[];
    }
  | { readonly type: 'genesis.verified'; readonly tag: number; readonly outcome: GenesisOutcome }
  | { readonly type: 'hash.verified'; readonly tag: number; readonly outcome: HashOutcome }
  | { readonly type: 'fetch.started'; readonly tag: number; readonly peer: Address }
  | {
      readonly type: 'blocks.answered';
      readonly tag: number;
      readonly peer: Address;
      /** As they came: not verified. */
      readonly blocks: readonly CertifiedBlock[];
      readonly batches: readonly Uint8Array[];
      /** The peer's committed height, as it says. */
      readonly height: Height;
    }
  | {
      readonly type: 'fetch.failed';
      readonly tag: number;
      readonly error: SyncError;
      readonly tried: readonly Address[];
    }
  | {
      readonly type: 'chains.answered';
      readonly tag: number;
      readonly chains: readonly { readonly peer: Address; readonly chain: ChainMessage }[];
    }
  | {
      readonly type: 'snapshots.answered';
      readonly tag: number;
      readonly snapshots: readonly { readonly peer: Address; readonly manifest: SnapshotManifest }[];
    }
  | { readonly type: 'snapshotChunk.answered'; readonly tag: number; readonly bytes: Uint8Array }
  /** As they came: not verified. */
  | { readonly type: 'epochs.answered'; readonly tag: number; readonly changes: readonly EncodedChange[] }
  /** state-sync → network-sync, unasked: two proofs contradict each other (SY-5). */
  | { readonly type: 'fork.found'; readonly evidence: ForkEvidence; readonly from: Address };

/** To height-sync (seed 001: checkAndCatchupSmallGaps). */
export interface HeightsCheckRequested extends Request {
  readonly type: 'heights.checkRequested';
}

/** What tier 1 found. Heights in power-weighted agreement of validators (SY-1). */
export type HeightOutcome =
  | {
      readonly status: 'agreed';
      /** Reported by >= 67 %, exactly. */
      readonly exact?: Height;
      /** The largest that >= 67 % report at or above. */
      readonly supported?: Height;
      /** The highest for which a commit proof is held: the only one that may be a target. */
      readonly proved?: ProvedTip;
      /** This node's own, at the time of the answer. */
      readonly own: Height;
      readonly answered: number;
      readonly connected: number;
      /** >= 67 % report, without proof, another block at a height of ours. */
      readonly differsAt?: Height;
      /** Peers with J(W) claim, with proofs of later epochs, to be there (CS-16). */
      readonly later?: Height;
      /** The highest that anybody claims so. */
      readonly claimedLater?: Height;
    }
  | {
      readonly status: 'failed';
      readonly error: SyncError;
      readonly answered: number;
      readonly connected: number;
      /** Absent while storage has not said. */
      readonly own?: Height;
      /** As above: one honest proof beats any poll. */
      readonly proved?: ProvedTip;
      /** As above. */
      readonly later?: Height;
      readonly claimedLater?: Height;
    };

export interface HeightsChecked {
  readonly type: 'heights.checked';
  readonly tag: number;
  readonly outcome: HeightOutcome;
}

/** What tier 2 goes for. A probe asks for one batch and stops at the first failure (SY-3). */
export type CatchUpTarget =
  | { readonly kind: 'proved'; readonly tip: ProvedTip }
  | { readonly kind: 'probe'; readonly height: Height };

/** To block-sync (seed 001: catchUpToConsensus). A target only rises; the newest asker of each height is answered. */
export interface CatchUpRequested extends Request {
  readonly type: 'blocks.catchUpRequested';
  readonly target: CatchUpTarget;
}

/** network-sync → block-sync, once, where a join by a snapshot was possible: it will not be, consensus may have its blocks (SY-10). */
export interface JoiningSettled {
  readonly type: 'joining.settled';
}

/** block-sync → whoever asked. */
export interface CatchUpEnded {
  readonly type: 'catchUp.ended';
  readonly tag: number;
  readonly outcome:
    | { readonly status: 'reached'; readonly height: Height }
    | { readonly status: 'failed'; readonly error: SyncError };
}

/** block-sync → network-sync, whenever a fetch begins, grows or ends (absent: nothing is being fetched). */
export interface CatchUpProgressed {
  readonly type: 'catchUp.progressed';
  readonly progress?: SyncProgress;
}

/** sync-coordinator, the operator → network-sync: check, and catch up as far as the rules allow. */
export interface SyncRequested extends Request {
  readonly type: 'sync.requested';
  readonly cause: 'loop' | 'join' | 'manual';
}

/** network-sync → whoever asked. */
export interface SyncDone {
  readonly type: 'sync.done';
  readonly tag: number;
  readonly status: SyncStatus;
  readonly error?: SyncError;
}

export interface SyncStanding {
  readonly status: SyncStatus;
  /** Critical by two proofs that contradict each other: nothing is signed any more (SY-5). */
  readonly forkProved: boolean;
}

/** network-sync → its listeners and those who asked: after a start, and whenever the kind of the status or its reason is another. */
export interface SyncStatusChanged extends SyncStanding {
  readonly type: 'sync.statusChanged';
}

/** Whoever (re)started asks for the newest `sync.statusChanged`, and is told those that follow. */
export interface SyncStatusRequested {
  readonly type: 'sync.statusRequested';
  readonly replyTo: string;
}

/** network-sync → the node's alarm: what is raised and cleared once each. */
export interface SyncAlertsChanged {
  readonly type: 'sync.alertsChanged';
  readonly raised: readonly { readonly alert: SyncAlert; readonly detail: string }[];
  readonly cleared: readonly SyncAlert[];
}

/** sync-coordinator → network-sync, after each question about the genesis (SY-4). */
export interface GenesisJudged {
  readonly type: 'genesis.judged';
  readonly outcome: GenesisOutcome;
}

/** The operator → sync-coordinator (seed 002: manualSync). */
export interface ManualSyncRequested extends Request {
  readonly type: 'sync.manualRequested';
}

/** The operator → network-sync → chain-sync (seed 001: fullResync). Nothing that a peer sends ever becomes one. */
export interface ResyncRequested extends Request {
  readonly type: 'resync.requested';
  /**
   * `snapshot`: the application's state is restored, and the chain begins a little below it (SY-10); network-sync alone asks
   * for it, by the operator's configuration. Default: `chain`, all of it.
   */
  readonly mode?: 'chain' | 'snapshot';
  /** The chain must hold this block, or it is refused. */
  readonly checkpoint?: { readonly height: Height; readonly id: BlockId };
}

/** chain-sync → whoever asked, at the end; `ready`: the new chain is whole and takes the old one's place at the restart. */
export interface ResyncEnded {
  readonly type: 'resync.ended';
  readonly tag: number;
  readonly outcome:
    | { readonly status: 'ready'; readonly height: Height }
    | { readonly status: 'failed'; readonly error: SyncError };
}

/** chain-sync → network-sync. */
export interface ResyncProgressed {
  readonly type: 'resync.progressed';
  readonly progress?: SyncProgress;
}

/** chain-sync → the boundary actor before the side store (SY-9). */
export type SideStoreRequest =
  /** What an earlier attempt left is deleted. */
  | ({
      readonly type: 'side.openRequested';
      /** Of the application's snapshot that comes with the chain; there must be room for it (SY-10). @unit bytes */
      readonly snapshotBytes?: number;
    } & Request)
  /** How epochs ended whose blocks the chain will not hold, each after the one before; then it is planted (SY-10). */
  | ({ readonly type: 'side.passRequested'; readonly changes: readonly EpochChange[] } & Request)
  /** Verified, gapless, oldest first, of one epoch; written and synced. */
  | ({
      readonly type: 'side.appendRequested';
      /** How the epoch before that of the blocks ended: with the newest block that is written. */
      readonly ended?: EpochChange;
      readonly blocks: readonly {
        readonly id: BlockId;
        readonly certified: CertifiedBlock;
        readonly commitProof: CommitProof;
      }[];
      readonly batches: readonly { readonly digest: BatchDigest; readonly bytes: Uint8Array }[];
    } & Request)
  /** After `side.openRequested`: the chain begins above this block (SY-10). */
  | ({ readonly type: 'side.plantRequested'; readonly height: Height; readonly id: BlockId } & Request)
  /** The application was restored to the state after a block that is written, and certified (SY-10). */
  | ({
      readonly type: 'side.restoredRequested';
      readonly blockId: BlockId;
      readonly executed: ExecutedState;
    } & Request)
  /** Checks what is on the disk once more, syncs it, and marks it complete. */
  | ({ readonly type: 'side.sealRequested'; readonly height: Height; readonly id: BlockId } & Request)
  | ({ readonly type: 'side.discardRequested' } & Request);

export type SideStoreReply =
  | { readonly type: 'side.opened'; readonly tag: number }
  | { readonly type: 'side.passed'; readonly tag: number }
  | { readonly type: 'side.planted'; readonly tag: number }
  | { readonly type: 'side.restored'; readonly tag: number }
  | { readonly type: 'side.appended'; readonly tag: number; readonly height: Height }
  | { readonly type: 'side.sealed'; readonly tag: number; readonly height: Height }
  | { readonly type: 'side.discarded'; readonly tag: number }
  | {
      readonly type: 'side.failed';
      readonly tag: number;
      readonly code: 'IO' | 'FULL' | 'CORRUPT';
      readonly detail: string;
    };

/** chain-sync → the node's alarm: the side store is sealed; stop, and start on it. */
export interface ResyncReady {
  readonly type: 'resync.ready';
  readonly height: Height;
}

/** To storage, from the cells of sync. */
export type SyncStorageRequest =
  | ({ readonly type: 'tip.requested' } & Request)
  /** Ids of committed blocks at these heights; at most 256. */
  | ({ readonly type: 'blockIds.requested'; readonly heights: readonly Height[] } & Request)
  | ({ readonly type: 'reputations.requested' } & Request)
  /** All that are kept; not answered. At most 1,024. */
  | { readonly type: 'reputations.persistRequested'; readonly reputations: readonly Reputation[] };

export type SyncStorageReply =
  | {
      readonly type: 'tip.found';
      readonly tag: number;
      /** Lowest committed height that is held; 0 while nothing is committed. */
      readonly base: Height;
      /** The newest committed block; genesis at height 0. */
      readonly height: Height;
      readonly id: BlockId;
      readonly proof?: CommitProof;
      readonly executed: ExecutedState;
    }
  | {
      readonly type: 'blockIds.found';
      readonly tag: number;
      /** Those that are held, by rising height. */
      readonly ids: readonly { readonly height: Height; readonly id: BlockId }[];
    }
  | { readonly type: 'reputations.found'; readonly tag: number; readonly reputations: readonly Reputation[] };
