/**
 * From an epoch that is trusted to one whose blocks this node does not hold: how each epoch ended, asked of peers that claim to be
 * in a later one, verified by the validators of the one before. Whoever comes to the last epoch knows who decides in each.
 * Pure and total. Rules CS-16, SY-9, SY-10, docs/protocol/sync.md.
 */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { FIRST_EPOCH } from '../chain/ordinals.ts';
import type { Address, EncodedChange, Epoch, EpochChange, Height } from '../chain/types.ts';
import { type EpochContext, epochAfter } from '../consensus/epoch.ts';
import { verifiedEnd } from '../consensus/epoch-change.ts';
import { EPOCHS_ASKED_MAX } from './messages.ts';
import type { ProvedTip } from './types.ts';

/** Ends of epochs that one walk holds, by their encodings. @unit bytes @source chosen: 50,000 epochs of four validators, 5,000 of a hundred */
export const WALK_BYTES_MAX = 64 * 1_048_576;

/** A peer, and the latest epoch in which it claims to be. */
export interface EpochClaim {
  readonly peer: Address;
  readonly epoch: Epoch;
}

export interface EpochWalk {
  readonly first: EpochContext;
  /** As far as it was proven. */
  readonly reached: EpochContext;
  /** How each epoch before `reached` ended, from the first one on. */
  readonly changes: readonly EpochChange[];
  /** @unit bytes of their encodings */
  readonly bytes: number;
  /** Who may be asked, in order; without those that gave what is false, or nothing. */
  readonly guides: readonly EpochClaim[];
}

export const beginWalk = (first: EpochContext): EpochWalk => ({
  first,
  reached: first,
  changes: [],
  bytes: 0,
  guides: [],
});

/** Who claims the latest epoch first, of these by rising address. Those from before are not asked any more. */
export const withGuides = (walk: EpochWalk, claims: readonly EpochClaim[]): EpochWalk => ({
  ...walk,
  guides: [...claims].sort(
    (left, right) =>
      right.epoch - left.epoch || (left.peer < right.peer ? -1 : left.peer === right.peer ? 0 : 1),
  ),
});

export const withoutGuide = (walk: EpochWalk, peer: Address): EpochWalk => ({
  ...walk,
  guides: walk.guides.filter((guide) => guide.peer !== peer),
});

/** Whom to ask how `reached` ended; undefined: nobody claims to be farther. */
export const guideOf = ({ guides, reached }: EpochWalk): Address | undefined =>
  guides.find(({ epoch }) => epoch > reached.epoch)?.peer;

export interface EpochsTaken {
  readonly walk: EpochWalk;
  readonly verdict:
    | 'good'
    /** It knows of no end, though it claims to be in a later epoch: nobody is to blame, and it is not asked again. */
    | 'nothing'
    /** Something in it is false: what came before that still holds. Its giver is to blame, and is not asked again. */
    | 'false'
    /** More than WALK_BYTES_MAX. */
    | 'tooLong';
}

/** What the guide gave to the question how epochs ended from `reached` on. Two certificates each. */
export function takeEpochs(
  walk: EpochWalk,
  bls: BlsEngine,
  peer: Address,
  told: readonly EncodedChange[],
): EpochsTaken {
  if (told.length === 0) return { walk: withoutGuide(walk, peer), verdict: 'nothing' };
  if (told.length > EPOCHS_ASKED_MAX) return { walk: withoutGuide(walk, peer), verdict: 'false' };
  let { reached, bytes } = walk;
  const held = [...walk.changes];
  for (const one of told) {
    const isHigher = one.qc.height > reached.rootQC.height;
    const change = isHigher ? verifiedEnd(reached, bls, one) : undefined;
    if (change === undefined) {
      const kept = { ...walk, reached, bytes, changes: held };
      return { walk: withoutGuide(kept, peer), verdict: 'false' };
    }
    bytes += one.proof.byteLength;
    if (bytes > WALK_BYTES_MAX) return { walk, verdict: 'tooLong' };
    reached = epochAfter(reached, change);
    held.push(change);
  }
  return { walk: { ...walk, reached, bytes, changes: held }, verdict: 'good' };
}

/** Undefined: the walk has not come so far. */
export function epochIn({ first, changes }: EpochWalk, epoch: Epoch): EpochContext | undefined {
  if (epoch === FIRST_EPOCH) return first;
  const change = changes[epoch - FIRST_EPOCH - 1];
  return change === undefined ? undefined : epochAfter(first, change);
}

/** How it ended; undefined where the walk does not know. */
export const endOf = ({ changes }: EpochWalk, epoch: Epoch): EpochChange | undefined =>
  changes[epoch - FIRST_EPOCH];

/** The epoch in which the block above this one is, as far as the walk has come. */
export function epochAbove(walk: EpochWalk, height: Height): EpochContext {
  const change = walk.changes.findLast(({ qc }) => qc.height <= height);
  return change === undefined ? walk.first : epochAfter(walk.first, change);
}

/**
 * What of a chain up to `target` one epoch's validators judge: up to the block that ended it, or to the target, if that is in it.
 * The proof commits that block, and may certify one high above it.
 */
export function partOf(walk: EpochWalk, epoch: Epoch, target: ProvedTip): ProvedTip {
  const change = epoch < target.proof.epoch ? endOf(walk, epoch) : undefined;
  if (change === undefined) return target;
  const { qc, proof } = change;
  return { height: qc.height, id: qc.blockId, proof: proof.last.certificate };
}
