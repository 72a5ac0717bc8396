/**
 * BR-11: how much one batch and one block carry, and how often batches are sealed, by what the chain shows and by measured
 * round trips. Its only inputs on the chain are heights, rounds, times and sizes of committed blocks, so validators that are
 * configured alike come to alike limits. Pure. docs/protocol/bridge.md.
 */
import { type Millis, millis, type WallTime } from '../../base/units.ts';
import type { Header, Height, Round } from '../chain/types.ts';

/** The bounds. Least = greatest turns the adaption of that number off. */
export interface PacingConfig {
  /** Two batches that are not full are sealed so far apart; the first at once. */
  readonly sealInterval: Millis;
  readonly sealIntervalMax: Millis;
  /** A batch is sealed as soon as its encoding would pass this. @unit bytes */
  readonly sealBytes: number;
  readonly sealBytesMax: number;
  /** Blocks shrink while they take longer than this, and than BLOCK_ROUND_TRIPS round trips. */
  readonly blockTimeTarget: Millis;
  /** A block is never held below one batch of the greatest size: such a batch could never be named. @unit bytes */
  readonly batchBytesMax: number;
  /** The genesis's. @unit bytes */
  readonly blockBytesMax: number;
}

/** Batches that one author seals in the time of a block. @unit batches @source chosen: what waits for its batch, waits a quarter of a block */
const BATCHES_PER_BLOCK = 4;
/** A block cannot be quicker than a round trip to a quorum; so many are no sign of load. @unit round trips @source chosen */
const BLOCK_ROUND_TRIPS = 4;
/** Weight of the newest block in what is smoothed. @unit ratio @source RFC 6298 section 2 (alpha) */
const SMOOTHING = 1 / 8;
/** Of the limit for one that is too much. @unit ratio @source RFC 9438 section 4.6 (CUBIC's beta) */
const DECREASE = 0.7;
/** Of the greatest limit, what one that is not too much adds. @unit ratio @source chosen: from nothing to the greatest in 48 blocks */
const INCREASE = 1 / 16;
/** Blocks that are under way when the limit changes: they were made by the one before. @unit heights @source the pipeline of a 2-chain */
const IN_FLIGHT = 3;
/** A leader's clock counts for no more. @unit ms @source the default of round_timeout_ms_max */
const BLOCK_TIME_MAX = 30_000;

/** The newest committed block, as far as the next is measured against it. */
interface Newest {
  readonly height: Height;
  readonly round: Round;
  readonly time: WallTime;
  /** Of the batches that it names. @unit bytes */
  readonly bytes: number;
}

export interface Pacing {
  /** To the slowest validator of a quorum; 0 while unknown. */
  readonly roundTrip: Millis;
  /** From a block that names something to the next, smoothed; absent before the first. */
  readonly blockTime?: Millis;
  /** Own transactions that came since the newest block. @unit bytes */
  readonly arrived: number;
  /** The same in the time of a block, smoothed. @unit bytes */
  readonly arrivedPerBlock: number;
  /** @unit bytes */
  readonly blockBytes: number;
  /** Blocks up to this height were proposed under a limit before the present one. */
  readonly limitedUntil: number;
  readonly newest?: Newest;
}

export const startPacing = ({ blockBytesMax }: PacingConfig): Pacing => ({
  roundTrip: millis(0),
  arrived: 0,
  arrivedPerBlock: 0,
  blockBytes: blockBytesMax,
  limitedUntil: 0,
});

export const withRoundTrip = (pacing: Pacing, roundTrip: Millis): Pacing => ({ ...pacing, roundTrip });

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
  const { newest, arrived, arrivedPerBlock } = pacing;
  const counted: Pacing = {
    ...pacing,
    arrived: 0,
    arrivedPerBlock: smoothed(arrivedPerBlock, arrived),
    newest: { height, round, time, bytes: batches.reduce((sum, { bytes }) => sum + bytes, 0) },
  };
  // After an empty block a leader may wait for work; after a failed round the time is that of the timeout.
  const isMeasured =
    newest !== undefined && newest.bytes > 0 && newest.height + 1 === height && newest.round + 1 === round;
  if (!isMeasured) return counted;
  const took = Math.min(Math.max(0, time - newest.time), BLOCK_TIME_MAX);
  const blockTime = millis(smoothed(pacing.blockTime ?? took, took));
  return { ...counted, blockTime, ...limited(pacing, newest, took, config) };
}

/** Additive increase, multiplicative decrease: only blocks that used the limit say something of it (RFC 7661). */
function limited(
  { blockBytes, limitedUntil, roundTrip }: Pacing,
  { height, bytes }: Newest,
  took: number,
  config: PacingConfig,
): Pick<Pacing, 'blockBytes' | 'limitedUntil'> {
  if (height <= limitedUntil || 2 * bytes < blockBytes) return { blockBytes, limitedUntil };
  const next =
    took > blockTimeTargetOf({ roundTrip }, config)
      ? Math.floor(blockBytes * DECREASE)
      : blockBytes + Math.ceil(config.blockBytesMax * INCREASE);
  const within = Math.min(Math.max(next, config.batchBytesMax), config.blockBytesMax);
  return { blockBytes: within, limitedUntil: within === blockBytes ? limitedUntil : height + IN_FLIGHT };
}

/** Above it, blocks that use their limit shrink. */
export const blockTimeTargetOf = (
  { roundTrip }: Pick<Pacing, 'roundTrip'>,
  { blockTimeTarget }: PacingConfig,
): Millis => millis(Math.max(blockTimeTarget, BLOCK_ROUND_TRIPS * roundTrip));

/** From one batch that is not full to the next. */
export const sealIntervalOf = ({ blockTime }: Pacing, config: PacingConfig): Millis =>
  millis(between(config.sealInterval, (blockTime ?? 0) / BATCHES_PER_BLOCK, config.sealIntervalMax));

/** A batch is full with so much. @unit bytes */
export const sealBytesOf = ({ arrivedPerBlock }: Pacing, config: PacingConfig): number =>
  Math.floor(between(config.sealBytes, arrivedPerBlock / BATCHES_PER_BLOCK, config.sealBytesMax));

const smoothed = (before: number, newest: number): number => before + (newest - before) * SMOOTHING;

const between = (least: number, value: number, greatest: number): number =>
  Math.max(least, Math.min(value, greatest));
