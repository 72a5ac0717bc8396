/**
 * How long a sealed set may be revealed: heights and time, both; and how few heights leave reveals to the mercy of leaders
 * that leave them out. Pure. Rules OR-3 and OR-6, docs/ordering.md, ADR 0013.
 */

/** A block: the one that committed, or one that may close. */
export interface BlockPlace {
  readonly height: number;
  /** @unit ms */
  readonly time: number;
}

export interface RevealWindow {
  /** R. @unit heights */
  readonly heights: number;
  /** REVEAL_MS @unit ms */
  readonly ms: number;
}

/** OR-3. Blocks that end an epoch are executed empty or not at all, so that none of them closes anything by itself (CS-16). */
export const isClosedBy = (opened: BlockPlace, block: BlockPlace, { heights, ms }: RevealWindow): boolean =>
  block.height >= opened.height + heights && block.time >= opened.time + ms;

/** Of the heights that may carry a reveal at least so many are proposed by honest leaders. @unit blocks @source chosen: the first may lack the batch yet, one more may be slow */
export const HONEST_CARRIERS_MIN = 3;
/**
 * Above h, before a block can carry a reveal: the QC of h + 1 commits h, the reveal is sent when h is executed, and its batch
 * is acknowledged while h + 3 is voted on. @unit heights
 */
const PIPELINE_HEIGHTS = 3;

/**
 * OR-6: the least R of a set of these powers. Fewer than J(W) are faulty: at most `s` validators. Turns by power give them at
 * most L − HONEST_CARRIERS_MIN of L turns in a row where L >= 3/2 (s + HONEST_CARRIERS_MIN); of equal powers s + that would do.
 * @source test/protocol/ordering/window.test.ts: every coalition of hundreds of sets
 */
export function revealHeightsMin(powers: readonly bigint[]): number {
  const turns = Math.ceil((3 * (faultyMax(powers) + HONEST_CARRIERS_MIN)) / 2);
  return PIPELINE_HEIGHTS + turns + 1;
}

/** The most validators that have less than J(W) together. */
function faultyMax(powers: readonly bigint[]): number {
  const honest = powers.reduce((sum, power) => sum + power, 0n) / 3n + 1n;
  let [count, together] = [0, 0n];
  for (const power of powers.toSorted((left, right) => (left < right ? -1 : 1))) {
    together += power;
    if (together >= honest) break;
    count += 1;
  }
  return count;
}
