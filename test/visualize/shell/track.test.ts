import { describe, expect, it } from 'vitest';
import type { Delta, Run, StepEvent } from '../../../src/observe/feed/feed.ts';
import { after, noActivity } from '../../../visualize/src/feed/activity.ts';
import type { TimeState } from '../../../visualize/src/feed/store.ts';
import { activityPath, atOf, marksOf, shareOf, spanOf } from '../../../visualize/src/shell/track.ts';

const time = (from: number, to: number): TimeState => ({
  isLive: true,
  at: to,
  isPlaying: false,
  speed: 1,
  from,
  to,
  breakpoint: '',
  stopped: undefined,
});
const live: Run = { kind: 'live', title: 'now' };
const step = (at: number, kind: StepEvent['kind']): StepEvent => ({
  node: 0,
  at,
  turn: at,
  kind,
  cell: 'node',
  round: 7,
});
const delta = (at: number, turns: number, steps: readonly StepEvent[] = []): Delta => ({
  type: 'delta',
  at,
  turns,
  dropped: 0,
  steps,
});

describe('the time bar', () => {
  it('shows a minute of a young live run, and all of one that is over', () => {
    expect(spanOf(time(995_000, 1_000_000), live)).toEqual({ from: 940_000, to: 1_000_000 });
    const run: Run = { kind: 'recorded', title: '', from: 10, to: 20, marks: [] };
    expect(spanOf(time(10, 20), run)).toEqual({ from: 10, to: 20 });
    expect(spanOf(time(10, 10), run)).toEqual({ from: 10, to: 11 });
  });

  it('knows where an instant stands, and which instant stands where', () => {
    const span = { from: 1_000, to: 3_000 };
    expect([shareOf(span, 0), shareOf(span, 1_500), shareOf(span, 9_000)]).toEqual([0, 0.25, 1]);
    expect([atOf(span, -1), atOf(span, 0.25), atOf(span, 2)]).toEqual([1_000, 1_500, 3_000]);
  });

  it('counts turns by seconds, and marks what is worth a look', () => {
    const run = [
      delta(1_000, 5),
      delta(1_900, 6, [step(1_890, 'voted'), step(1_895, 'tcFormed')]),
      delta(2_050, 7, [step(2_001, 'violated')]),
    ].reduce(after, noActivity);
    expect(run.seconds).toEqual([
      { at: 1_000, turns: 11 },
      { at: 2_000, turns: 7 },
    ]);
    expect(run.marks.map(({ at, kind, detail }) => [at, kind, detail])).toEqual([
      [1_895, 'timeout', 'a round timed out (7)'],
      [2_001, 'failure', 'an invariant was violated'],
    ]);
  });

  it('keeps a bounded number of seconds and marks', () => {
    let run = noActivity;
    for (let at = 0; at < 2_000; at += 1)
      run = after(run, delta(at * 1_000, 1, [step(at * 1_000, 'crashed')]));
    expect([run.seconds.length, run.marks.length]).toEqual([1_200, 600]);
  });

  it('shows of marks on one spot the gravest, and those of a recorded run', () => {
    const marks = [
      { at: 500, kind: 'start' as const, detail: 'start' },
      { at: 501, kind: 'failure' as const, detail: 'two ids at height 4' },
    ];
    const run: Run = { kind: 'simulated', title: '', from: 0, to: 10_000, marks };
    expect(marksOf(run, noActivity, { from: 0, to: 10_000 }).map(({ detail }) => detail)).toEqual([
      'two ids at height 4',
    ]);
    expect(marksOf(run, noActivity, { from: 5_000, to: 10_000 })).toEqual([]);
  });

  it('draws how busy the run was, as far as its seconds are over', () => {
    const seconds = [10, 20, 40, 3].map((turns, place) => ({ at: place * 1_000, turns }));
    expect(activityPath(seconds, { from: 0, to: 4_000 })).toBe('M125 100L125 77.5L375 55L625 10L625 100Z');
    expect(activityPath(seconds.slice(0, 2), { from: 0, to: 4_000 })).toBe('');
  });
});
