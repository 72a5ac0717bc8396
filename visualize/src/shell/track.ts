/** Where things stand on the time bar. Pure. */
import type { At, Run } from '../../../src/observe/feed/feed.ts';
import type { Activity, Second, TimeMark } from '../feed/activity.ts';
import type { TimeState } from '../feed/store.ts';

export interface Span {
  readonly from: At;
  readonly to: At;
}

/** A young live run does not fill the bar: its left end stays a minute away. @unit ms */
const SPAN_MS_MIN = 60_000;

/** What the bar shows: all of a recorded run, or the past of a live one. */
export function spanOf({ from, to }: TimeState, run: Run | undefined): Span {
  if (run?.kind !== 'live') return { from, to: Math.max(to, from + 1) };
  return { from: Math.min(from, to - SPAN_MS_MIN), to: Math.max(to, 1) };
}

/** 0 at the left end, 1 at the right one. */
export const shareOf = ({ from, to }: Span, at: At): number =>
  Math.min(1, Math.max(0, (at - from) / (to - from)));

export const atOf = ({ from, to }: Span, share: number): At =>
  from + (to - from) * Math.min(1, Math.max(0, share));

export interface PlacedMark extends TimeMark {
  readonly share: number;
}

/** The marks of a recorded run, or those that a live one made; of those that would stand on the same spot, the gravest. */
export function marksOf(
  run: Run | undefined,
  activity: Activity,
  span: Span,
  places = 300,
): readonly PlacedMark[] {
  const marks: readonly TimeMark[] =
    run === undefined || run.kind === 'live' ? activity.marks : [...run.marks, ...activity.marks];
  const byPlace = new Map<number, PlacedMark>();
  for (const mark of marks) {
    if (mark.at < span.from || mark.at > span.to) continue;
    const share = shareOf(span, mark.at);
    const place = Math.round(share * places);
    const held = byPlace.get(place);
    if (held === undefined || GRAVITY[mark.kind] > GRAVITY[held.kind]) byPlace.set(place, { ...mark, share });
  }
  return [...byPlace.values()];
}

const GRAVITY: Readonly<Record<TimeMark['kind'], number>> = {
  failure: 6,
  divergence: 5,
  fault: 4,
  timeout: 3,
  epoch: 2,
  start: 1,
  end: 0,
};

/** The run's turns a second as a closed path in a box of 1000 by 100: how busy it was. */
export function activityPath(seconds: readonly Second[], span: Span): string {
  const shown = seconds.filter(({ at }) => at + 1_000 >= span.from && at <= span.to);
  // The present second is not over.
  const whole = shown.slice(0, -1);
  const highest = Math.max(1, ...whole.map(({ turns }) => turns));
  if (whole.length < 2) return '';
  const points = whole.map(({ at, turns }) => {
    const x = Math.round(shareOf(span, at + 500) * 10_000) / 10;
    return `${x} ${Math.round(1_000 - (turns / highest) * 900) / 10}`;
  });
  const [first, last] = [points[0]?.split(' ')[0] ?? '0', points.at(-1)?.split(' ')[0] ?? '0'];
  return `M${first} 100L${points.join('L')}L${last} 100Z`;
}
