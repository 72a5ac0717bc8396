/**
 * BR-11: how much a batch and a block carry, and how often batches are sealed, by what the chain shows and by measured round
 * trips. On the chain it looks at heights, rounds, times and sizes of committed blocks, so validators that are configured
 * alike come to alike limits after some blocks, whoever leads. Pure. docs/protocol/bridge.md.
 */
import { type Millis, millis, type WallTime } from '../../base/units.ts';
import { BLOCK_TRANSACTIONS_MAX } from '../chain/batch.ts';
import type { BatchReference, Header, Height, Round } from '../chain/types.ts';

/** The bounds. Least = greatest turns the adaptation of that number off. */
export interface PacingConfig {
  /** Two batches that are not full are sealed so far apart; the first at once. */
  readonly sealInterval: Millis;
  readonly sealIntervalMax: Millis;
  /** A batch is sealed as soon as its encoding would pass this. @unit bytes */
  readonly sealBytes: number;
  readonly sealBytesMax: number;
  /** Blocks shrink while they take longer than this, and than BLOCK_ROUND_TRIPS round trips, and it helps. */
  readonly blockTimeTarget: Millis;
  /** The genesis's. @unit bytes */
  readonly blockBytesMax: number;
  /** The genesis's. @unit batches */
  readonly blockBatchesMax: number;
}

/** Batches that one author seals in the time of a block. @unit batches @source chosen: what waits for its batch, waits a quarter of a block */
const BATCHES_PER_BLOCK = 4;
/** A block cannot be quicker than a round trip to a quorum; so many are no sign of load. @unit round trips @source chosen */
const BLOCK_ROUND_TRIPS = 4;
/** The least of so many counts: a busy machine answers late, which is no distance. @unit polls @source chosen: five minutes at 10 s */
const ROUND_TRIPS_KEPT = 30;
/** Weight of the newest block in what is smoothed. @unit ratio @source RFC 6298 section 2 (alpha) */
const SMOOTHING = 1 / 8;
/** A leader's clock counts for no more. @unit ms @source the default of round_timeout_ms_max */
const BLOCK_TIME_MAX = 30_000;

/** Full blocks that are measured for one decision. @unit blocks @source chosen: two turns of four leaders, and one */
const WINDOW = 9;
/**
 * Of them the third fastest is believed, as in ADR 0005: liars of less than a third delay fewer than two thirds of the
 * blocks, as leaders and as collectors, and a machine that stalls now and then delays fewer. @unit index, from 0
 */
const BELIEVED = 2;
/** Blocks that were under way when the limit changed. @unit heights @source the pipeline of a 2-chain, and one that becomes durable */
const IN_FLIGHT = 4;
/** Of the limit for one that is too much. @unit ratio @source RFC 9438 section 4.6 (CUBIC's beta) */
const DECREASE = 0.7;
/** A cut that did not make blocks so much quicker was for nothing: their size is not what takes the time. @unit ratio @source chosen */
const HELPED = 0.9;
/** What one window that is not too much adds at most, of the limit and of the whole. @unit ratio @source chosen */
const [GROWTH, GROWTH_MAX] = [1 / 4, 1 / 16];
/** Least and first share of what the genesis allows; from the first it doubles until it is too much once. @unit ratio @source chosen */
export const BLOCK_SHARE_MIN = 1 / 64;
const BLOCK_SHARE_START = 1 / 8;

/** A committed block, as far as its child is measured against it. */
interface Parent {
  readonly height: Height;
  readonly round: Round;
  readonly time: WallTime;
  /** Of what the genesis allows, by whichever of its limits is nearest. @unit ratio */
  readonly use: number;
}

export interface Pacing {
  /** To the slowest validator of a quorum, newest last. */
  readonly roundTrips: readonly Millis[];
  /** From a block that names something to the next, smoothed; absent before the first. */
  readonly blockTime?: Millis;
  /** Own transactions that came since the newest block. @unit bytes */
  readonly arrived: number;
  /** The same in the time of a block, smoothed. @unit bytes */
  readonly arrivedPerBlock: number;
  readonly size: BlockSize;
  readonly newest?: Parent;
}

/** How much of what the genesis allows this node proposes, and what the next decision on it will know. */
interface BlockSize {
  /** @unit ratio */
  readonly share: number;
  /** It never was too much. */
  readonly isStarting: boolean;
  /** Blocks up to this height were proposed under another share. */
  readonly settledAt: number;
  /** What full blocks took since then; fewer than WINDOW. @unit ms */
  readonly took: readonly number[];
  /** The newest decision was a cut: from what, and what blocks took then. */
  readonly cutFrom?: { readonly share: number; readonly took: number };
}

export const START_PACING: Pacing = {
  roundTrips: [],
  arrived: 0,
  arrivedPerBlock: 0,
  size: { share: BLOCK_SHARE_START, isStarting: true, settledAt: 0, took: [] },
};

export const withRoundTrip = (pacing: Pacing, roundTrip: Millis): Pacing => ({
  ...pacing,
  roundTrips: [...pacing.roundTrips.slice(1 - ROUND_TRIPS_KEPT), roundTrip],
});

/** @param bytes of own transactions that wait for a batch from now on */
export const withArrived = (pacing: Pacing, bytes: number): Pacing => ({
  ...pacing,
  arrived: pacing.arrived + bytes,
});

/** Weighs the next committed block. One without its parent here, as after a start or a sync, is measured by its child. */
export function withBlock(
  pacing: Pacing,
  header: Pick<Header, 'height' | 'round' | 'time' | 'batches'>,
  config: PacingConfig,
): Pacing {
  const { height, round, time, batches } = header;
  const { newest: parent, arrived, arrivedPerBlock } = pacing;
  const counted: Pacing = {
    ...pacing,
    arrived: 0,
    arrivedPerBlock: smoothed(arrivedPerBlock, arrived),
    newest: { height, round, time, use: useOf(batches, config) },
  };
  // After an empty block a leader may wait for work; after a failed round the time is that of the timeout.
  const isMeasured =
    parent !== undefined && parent.use > 0 && parent.height + 1 === height && parent.round + 1 === round;
  if (!isMeasured) return counted;
  const took = Math.min(Math.max(0, time - parent.time), BLOCK_TIME_MAX);
  const target = blockTimeTargetOf(pacing, config);
  return {
    ...counted,
    blockTime: millis(smoothed(pacing.blockTime ?? took, took)),
    size: measured(pacing.size, parent, took, target),
  };
}

/** What batches together are of a block that the genesis allows, by whichever of its limits is nearest. @unit ratio */
export function useOf(
  batches: readonly BatchReference[],
  { blockBytesMax, blockBatchesMax }: PacingConfig,
): number {
  let [bytes, transactions] = [0, 0];
  for (const batch of batches) {
    bytes += batch.bytes;
    transactions += batch.count;
  }
  return Math.max(
    bytes / blockBytesMax,
    transactions / BLOCK_TRANSACTIONS_MAX,
    batches.length / blockBatchesMax,
  );
}

/** Only blocks that used the limit say something of it (RFC 7661); a window of them decides. */
function measured(size: BlockSize, { height, use }: Parent, took: number, target: Millis): BlockSize {
  if (height <= size.settledAt || use < size.share / 2) return size;
  const window = [...size.took, took];
  if (window.length < WINDOW) return { ...size, took: window };
  const believed = window.toSorted((left, right) => left - right)[BELIEVED] ?? took;
  return { ...decided(size, believed, target), took: [], settledAt: height + IN_FLIGHT };
}

/** Additive increase, multiplicative decrease, where a decrease must show that it helps. */
function decided(
  { cutFrom, ...size }: BlockSize,
  took: number,
  target: Millis,
): Omit<BlockSize, 'took' | 'settledAt'> {
  const { share, isStarting } = size;
  if (took <= target) return { isStarting, share: isStarting ? Math.min(1, 2 * share) : grown(share) };
  if (cutFrom !== undefined && took > HELPED * cutFrom.took)
    return { isStarting: false, share: grown(cutFrom.share) };
  const less = Math.max(BLOCK_SHARE_MIN, share * DECREASE);
  return { isStarting: false, share: less, cutFrom: { share, took } };
}

const grown = (share: number): number => Math.min(1, share + Math.min(GROWTH * share, GROWTH_MAX));

/** Above it, full blocks shrink. */
export const blockTimeTargetOf = (pacing: Pacing, { blockTimeTarget }: PacingConfig): Millis =>
  millis(Math.max(blockTimeTarget, BLOCK_ROUND_TRIPS * (roundTripOf(pacing) ?? 0)));

/** To the slowest validator of a quorum; undefined while unknown. */
export const roundTripOf = ({ roundTrips }: Pacing): Millis | undefined =>
  roundTrips.length === 0 ? undefined : millis(Math.min(...roundTrips));

/**
 * The beginning of `batches` that a leader proposes: until it has its share. The last one may pass it, so that one batch
 * always fits, and small ones of one author keep nobody's great ones out.
 */
export function shareOf(
  batches: readonly BatchReference[],
  { size }: Pacing,
  config: PacingConfig,
): readonly BatchReference[] {
  let use = 0;
  const end = batches.findIndex((batch) => {
    const isEnough = use >= size.share;
    use += useOf([batch], config);
    return isEnough;
  });
  return end < 0 ? batches : batches.slice(0, end);
}

/** From one batch that is not full to the next. */
export const sealIntervalOf = ({ blockTime }: Pacing, config: PacingConfig): Millis =>
  millis(between(config.sealInterval, (blockTime ?? 0) / BATCHES_PER_BLOCK, config.sealIntervalMax));

/** A batch is full with so much; a small block is made of small batches. @unit bytes */
export const sealBytesOf = ({ arrivedPerBlock, size }: Pacing, config: PacingConfig): number => {
  const wanted = Math.min(arrivedPerBlock, size.share * config.blockBytesMax) / BATCHES_PER_BLOCK;
  return Math.floor(between(config.sealBytes, wanted, config.sealBytesMax));
};

const smoothed = (before: number, newest: number): number => before + (newest - before) * SMOOTHING;

const between = (least: number, value: number, greatest: number): number =>
  Math.max(least, Math.min(value, greatest));
