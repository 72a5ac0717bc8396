/**
 * What the committed headers of an epoch add up to, and what the next epoch takes from it: the seed that leaders are drawn
 * from (CS-17), and who is passed over (CS-15). A small value that goes forward block by block, kept with each commit. Pure.
 */
import { vrfOutput } from '../../crypto/vrf.ts';
import { digestOf } from '../chain/canonical.ts';
import { CanonicalWriter } from '../chain/canonical-writer.ts';
import { maxRound, nextEpoch, nextRound, roundMinus } from '../chain/ordinals.ts';
import type { Address, Digest, Epoch, EpochDescriptor, Round, ValidatorSet } from '../chain/types.ts';
import { type EpochContext, leaderAt } from './epoch.ts';
import { passedOverPowerMax } from './leader.ts';

/** Plain data. `led` and `failed` are counts by index in the epoch's set; empty where the genesis chose no reputation. */
export interface EpochStanding {
  readonly epoch: Epoch;
  /** The epoch's own, and the VRF outputs of its committed blocks, one after the other. */
  readonly seed: Digest;
  /** Rounds that it led, up to the newest committed block's. */
  readonly led: readonly number[];
  /** Those of them whose block is not in the chain. */
  readonly failed: readonly number[];
}

/** Of a committed block of the epoch. */
export interface CommittedRound {
  readonly round: Round;
  readonly parentRound: Round;
  readonly vrfProof: Uint8Array;
}

/**
 * Failed rounds between two blocks that count, the newest: of a longer gap all leaders had their share, and a network that was
 * down says nothing of them. @unit rounds @source half the largest set of validators
 */
const GAP_ROUNDS_MAX = 256;
/** A count stays there: two of them multiplied are safe integers. @unit rounds @source 21 years of ten rounds a second, of one of 100 leaders */
const COUNT_MAX = 2 ** 26;
/** Fewer say little: one proposal was lost to a busy machine. @unit rounds @source chosen */
const FAILED_MIN = 2;
/** Who fails so many of its rounds costs the others more time than it gives them. @unit share of the rounds led @source chosen */
const FAILED_SHARE = 1 / 2;

/** Whether anything depends on it, beyond the epoch's number: else it stays what it was at the start. */
export const countsBlocks = ({ leadership: { vrf, leaderReputation } }: EpochContext): boolean =>
  vrf || leaderReputation;

/** At the epoch's start. */
export function rootStanding({ descriptor, leadership, set }: EpochContext): EpochStanding {
  const none = leadership.leaderReputation ? set.validators.map(() => 0) : [];
  return { epoch: descriptor.epoch, seed: descriptor.seed, led: none, failed: none };
}

/** With one more committed block, the next above the newest that was counted. */
export function standingAfter(
  epoch: EpochContext,
  standing: EpochStanding,
  { round, parentRound, vrfProof }: CommittedRound,
): EpochStanding {
  const seed = epoch.leadership.vrf ? seedWith(standing.seed, vrfProof) : standing.seed;
  if (!epoch.leadership.leaderReputation) return { ...standing, seed };
  const [led, failed] = [[...standing.led], [...standing.failed]];
  const count = (counts: number[], leader: Address): void => {
    const index = epoch.set.indexByAddress.get(leader);
    if (index !== undefined) counts[index] = Math.min(COUNT_MAX, (counts[index] ?? 0) + 1);
  };
  for (const gone of roundsBetween(parentRound, round)) {
    const leader = leaderAt(epoch, gone);
    count(led, leader);
    count(failed, leader);
  }
  count(led, leaderAt(epoch, round));
  return { ...standing, seed, led, failed };
}

/** What the next epoch is, if `validators` are its set: everyone computes the same out of the committed chain. */
export function nextDescriptor(
  epoch: EpochContext,
  standing: EpochStanding,
  validators: ValidatorSet,
): EpochDescriptor {
  return {
    epoch: nextEpoch(standing.epoch),
    validators,
    seed: nextSeed(standing),
    passedOver: passedOverFor(epoch, standing, validators),
  };
}

/** CS-17: of the whole epoch; where there is no VRF, known to all from the beginning. */
export const nextSeed = ({ seed, epoch }: EpochStanding): Digest =>
  digestOf(new CanonicalWriter().text('althing/epoch-seed/v1').hex(seed).u64(epoch).finish());

/**
 * CS-15: who of `next` leads no round of the next epoch, rising. Those that failed half of their rounds or more, the worst
 * first, as long as their power is within `passedOverPowerMax`. Whoever led no round has no record: who was passed over leads
 * again an epoch later, and may show that it lives.
 */
export function passedOverFor(
  { set }: EpochContext,
  standing: EpochStanding,
  next: ValidatorSet,
): readonly Address[] {
  const candidates = next.validators.flatMap(({ address, power }) => {
    const index = set.indexByAddress.get(address);
    const led = index === undefined ? 0 : (standing.led[index] ?? 0);
    const failed = index === undefined ? 0 : (standing.failed[index] ?? 0);
    return failed >= FAILED_MIN && failed >= FAILED_SHARE * led ? [{ address, power, led, failed }] : [];
  });
  // Stable: of two that failed alike, the first of the set.
  candidates.sort(
    (one, other) => other.failed * one.led - one.failed * other.led || other.failed - one.failed,
  );
  let spare = passedOverPowerMax(next);
  const passedOver = candidates.filter(({ power }) => {
    if (power > spare) return false;
    spare -= power;
    return true;
  });
  return passedOver.map(({ address }) => address).sort();
}

/** H(seed ‖ output): of the proof only what no proposer can choose (RFC 9381, "full uniqueness"). */
const seedWith = (seed: Digest, vrfProof: Uint8Array): Digest =>
  digestOf(
    new CanonicalWriter()
      .text('althing/seed/v1')
      .hex(seed)
      .prefixed(vrfOutput(vrfProof) ?? vrfProof)
      .finish(),
  );

/** The failed rounds between a parent and its block; of a long gap the newest. */
function* roundsBetween(parentRound: Round, round: Round): Generator<Round> {
  const first = maxRound(nextRound(parentRound), roundMinus(round, GAP_ROUNDS_MAX));
  for (let gone = first; gone < round; gone = nextRound(gone)) yield gone;
}
