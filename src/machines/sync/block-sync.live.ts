/**
 * The live part of block-sync: the newest durable block, what is wanted, the window, and what it counts. Each decision is a
 * step over the context that gives effects. Pure. Rules SY-8, SY-11 to SY-14, docs/protocol/sync.md.
 */
import type { Millis, Monotonic } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { maxHeight, minHeight } from '../../protocol/chain/ordinals.ts';
import type { Address, CommitProof, Height, QuorumCertificate } from '../../protocol/chain/types.ts';
import type { VerifiedCertificates } from '../../protocol/consensus/verified.ts';
import type { BlocksFetched, BlocksWanted } from '../../protocol/ports/consensus.ts';
import type { StorageRequest } from '../../protocol/ports/storage.ts';
import type {
  CatchUpEnded,
  CatchUpProgressed,
  CatchUpTarget,
  StateSyncRequest,
} from '../../protocol/ports/sync.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { SyncConfig } from '../../protocol/sync/config.ts';
import type { SyncFault } from '../../protocol/sync/faults.ts';
import type { Progress } from '../../protocol/sync/progress.ts';
import type { Segment } from '../../protocol/sync/segment.ts';
import { type Batch, replaced, type Tip, type Window } from '../../protocol/sync/window.ts';
import type { Decision } from '../vocabulary/index.ts';
import type { EpochAsker } from './epoch.ts';

export interface BlockSyncInput extends EpochAsker {
  readonly bls: BlsEngine;
  readonly config: SyncConfig;
  readonly storage: CellAddress;
  readonly stateSync: CellAddress;
  readonly networkSync: CellAddress;
  /** SY-10: nothing is fetched until network-sync has decided whether the node joins by a snapshot. Default: false. */
  readonly joins?: boolean;
}

/** Who asked for a height, and is to be answered. */
export interface Asker {
  readonly replyTo: CellAddress;
  readonly tag: number;
  readonly target: CatchUpTarget;
  /** How far it is gone for: of a probe one batch. */
  readonly upTo: Height;
}

/** SY-13. Since the start of this cell. */
export interface BlockSyncCounts {
  /** Blocks of answers that were verified. */
  readonly blocksFetched: number;
  /** Blocks of answers that were refused. */
  readonly blocksRejected: number;
  /** Questions that had to be asked again. */
  readonly batchesRetried: number;
  /** An estimate from above. @unit bytes */
  readonly bytesFetched: number;
  /** Answers that came when nobody needed them any more. */
  readonly answersUnused: number;
}

/** The last batch that became durable. */
export interface BatchTiming {
  readonly height: Height;
  readonly blocks: number;
  readonly askedToAnswered: Millis;
  readonly answeredToApplied: Millis;
}

export interface BlockSyncContext extends BlockSyncInput {
  readonly tip: Tip;
  /** What round-manager has committed, durable or not, as it said last. */
  readonly decided: Height;
  /** CS-12: absent once its block was told to round-manager. */
  readonly wanted: BlocksWanted | undefined;
  /** CS-16: the height at which the epoch ends, once that is proven: what is above it is for the next one. */
  readonly end: Height | undefined;
  /** Targets of round-manager, the newest last: late answers end with one of them. */
  readonly targets: readonly QuorumCertificate[];
  /** By rising height. */
  readonly askers: readonly Asker[];
  readonly window: Window;
  /** How long an ample answer by height takes, on the average. */
  readonly usualMs: Millis | undefined;
  /** A peer's committed height that ended before a batch did: the rest may be committed nowhere. */
  readonly ceiling: Height | undefined;
  readonly verified: VerifiedCertificates;
  /** Last tag, key of a batch. */
  readonly tag: number;
  /** Grows whenever the chain does: by a batch that was told, by a commit. */
  readonly advances: number;
  /** `advances` when the watchdog looked last. */
  readonly watched: number;
  readonly progress: Progress | undefined;
  /** What network-sync was told last, and when. */
  readonly told: { readonly at: Monotonic; readonly height: Height; readonly goal: Height } | undefined;
  /** When the window is looked at again. */
  readonly reviewAt: Monotonic | undefined;
  readonly counts: BlockSyncCounts;
  readonly lastApplied: BatchTiming | undefined;
}

export interface Clock {
  readonly now: Monotonic;
  readonly address: CellAddress;
  readonly draw: () => number;
}

export interface Stepped {
  readonly context: BlockSyncContext;
  readonly effects: readonly Effect[];
}

type Step = (context: BlockSyncContext) => Stepped;

const NO_EFFECTS: readonly Effect[] = [];

export const still = (context: BlockSyncContext): Stepped => ({ context, effects: NO_EFFECTS });

/** Runs the steps one after the other over the same context. */
export function chained(context: BlockSyncContext, ...steps: readonly Step[]): Stepped {
  const effects: Effect[] = [];
  let current = context;
  for (const step of steps) {
    const stepped = step(current);
    current = stepped.context;
    for (const effect of stepped.effects) effects.push(effect);
  }
  return { context: current, effects };
}

export const decided = ({ context, effects }: Stepped): Decision<BlockSyncContext> => ({ context, effects });

export const toStateSync = ({ stateSync }: BlockSyncInput, request: StateSyncRequest): Effect =>
  telling(stateSync, request);

export const toStorage = ({ storage }: BlockSyncInput, request: StorageRequest): Effect =>
  telling(storage, request);

export function toRoundManager({ roundManager }: BlockSyncInput, { blocks, verified }: Segment): Effect {
  const fetched: BlocksFetched = { type: 'blocks.fetched', blocks, verified };
  return telling(roundManager, fetched);
}

export const toNetworkSync = ({ networkSync }: BlockSyncInput, message: CatchUpProgressed): Effect =>
  telling(networkSync, message);

export function answering({ replyTo, tag }: Asker, outcome: CatchUpEnded['outcome']): Effect {
  const ended: CatchUpEnded = { type: 'catchUp.ended', tag, outcome };
  return telling(replyTo, ended);
}

export const judging = (
  input: BlockSyncInput,
  peer: Address,
  verdict: 'good' | { readonly code: SyncFault },
): Effect => toStateSync(input, { type: 'peer.judged', peer, verdict });

export const cancelling = (input: BlockSyncInput, { address }: Clock, tag: number): Effect =>
  toStateSync(input, { type: 'fetch.cancelled', replyTo: address, tag });

export const withBatch = (context: BlockSyncContext, batch: Batch): BlockSyncContext => ({
  ...context,
  window: replaced(context.window, batch),
});

export const counting = (context: BlockSyncContext, more: Partial<BlockSyncCounts>): BlockSyncContext => {
  const { counts } = context;
  return {
    ...context,
    counts: {
      blocksFetched: counts.blocksFetched + (more.blocksFetched ?? 0),
      blocksRejected: counts.blocksRejected + (more.blocksRejected ?? 0),
      batchesRetried: counts.batchesRetried + (more.batchesRetried ?? 0),
      bytesFetched: counts.bytesFetched + (more.bytesFetched ?? 0),
      answersUnused: counts.answersUnused + (more.answersUnused ?? 0),
    },
  };
};

/** Everything up to here is in round-manager's hands. */
export const floorOf = ({ tip, decided: root }: BlockSyncContext): Height => maxHeight(root, tip.height);

/** How far it is gone for an asker in this epoch; above that it waits. */
export const aimOf = ({ end }: BlockSyncContext, { upTo }: Asker): Height =>
  end === undefined ? upTo : minHeight(upTo, end);

/** The highest height that anybody waits for; the own where nobody does. */
export function goalOf(context: BlockSyncContext): Height {
  const { tip, askers, wanted } = context;
  const heights = [
    ...askers.map((asker) => aimOf(context, asker)),
    ...(wanted === undefined ? [] : [wanted.target.height]),
  ];
  return heights.reduce(maxHeight, tip.height);
}

/** Verified proofs of commits that an answer must not contradict (SY-3). */
export function proofsOf({ epoch, askers, wanted }: BlockSyncContext): readonly CommitProof[] {
  const proved = askers
    .flatMap(({ target }) => (target.kind === 'proved' ? [target.tip.proof] : []))
    .filter((proof) => proof.epoch === epoch.epoch);
  const certified =
    wanted !== undefined && wanted.target.round === wanted.target.parentRound + 1 ? [wanted.target] : [];
  return [...proved, ...certified];
}

/** Peers that are being downloaded from, each once, by address. */
export const busyPeers = ({ window }: BlockSyncContext): readonly Address[] =>
  [...new Set(window.flatMap((batch) => (batch.status === 'downloading' ? batch.flight.peers : [])))].sort();
