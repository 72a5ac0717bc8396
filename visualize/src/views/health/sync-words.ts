/** How a node's sync, clock and links are said in a few words. Pure. */
import type { NodeHealth } from '../../../../src/observe/feed/feed.ts';
import { count, duration } from '../words.ts';

export interface Progress {
  readonly words: string;
  /** From 0 to 1; undefined: nothing is under way. */
  readonly part: number | undefined;
}

export function syncOf({ state, tier, height, target, etaMs }: NodeHealth['sync']): Progress {
  const isBehind = target !== undefined && target > height;
  if (tier === undefined && !isBehind) return { words: state, part: undefined };
  const eta = etaMs === undefined ? '' : `, ${duration(etaMs)} left`;
  const way = target === undefined ? count(height) : `${count(height)} of ${count(target)}`;
  return {
    words: `${tier ?? state}: ${way}${eta}`,
    part: target === undefined || target === 0 ? undefined : Math.min(1, height / target),
  };
}

export const signed = (ms: number): string => `${ms > 0 ? '+' : ms < 0 ? '−' : ''}${duration(Math.abs(ms))}`;

export const clockWords = ({ offsetMs, errorMs }: NodeHealth['clock']): string =>
  [
    ...(offsetMs === undefined ? [] : [signed(offsetMs)]),
    ...(errorMs === undefined ? [] : [`± ${duration(errorMs)}`]),
  ].join(' ');

/** Those that do not simply let everything through. */
export const openBreakers = ({ breakers }: NodeHealth): NodeHealth['breakers'] =>
  breakers.filter(({ state }) => state !== 'closed');
