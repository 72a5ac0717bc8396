/** Counting heights, rounds and epochs: the only arithmetic on these brands. Pure. */
import type { Epoch, Height, Round } from './types.ts';

/** Greatest height, round, epoch, count or sequence that is accepted anywhere: sums of a few stay exact. */
export const ORDINAL_MAX = 2 ** 52;

export const GENESIS_HEIGHT = 0 as Height;
/** Round of the block that opens an epoch: genesis, or the last block of the epoch before (CS-16). */
export const ROOT_ROUND = 0 as Round;
export const FIRST_EPOCH = 0 as Epoch;

export const nextRound = (round: Round): Round => (round + 1) as Round;
/** The round before; undefined for round 0. */
export const previousRound = (round: Round): Round | undefined =>
  round > 0 ? ((round - 1) as Round) : undefined;
/** So many rounds below, or the root's; `rounds` is a whole number >= 0. */
export const roundMinus = (round: Round, rounds: number): Round => Math.max(0, round - rounds) as Round;
export const maxRound = (left: Round, right: Round): Round => (left >= right ? left : right);

export const nextEpoch = (epoch: Epoch): Epoch => (epoch + 1) as Epoch;

/** The epoch before; undefined for the first. */
export const previousEpoch = (epoch: Epoch): Epoch | undefined =>
  epoch > FIRST_EPOCH ? ((epoch - 1) as Epoch) : undefined;

export const nextHeight = (height: Height): Height => (height + 1) as Height;
export const maxHeight = (left: Height, right: Height): Height => (left >= right ? left : right);
export const minHeight = (left: Height, right: Height): Height => (left <= right ? left : right);
/** So many heights above; `heights` is a whole number >= 0. */
export const heightPlus = (height: Height, heights: number): Height => (height + heights) as Height;
/** So many heights below, or genesis; `heights` is a whole number >= 0. */
export const heightMinus = (height: Height, heights: number): Height =>
  Math.max(0, height - heights) as Height;
/** The height below; the genesis height is its own. */
export const previousHeight = (height: Height): Height => (height > 0 ? ((height - 1) as Height) : height);
