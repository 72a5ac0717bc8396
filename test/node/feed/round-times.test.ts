/** How long rounds take, and how soon their certificate comes. Rule IN-1. */
import { describe, expect, it } from 'vitest';
import { RoundTimes } from '../../../src/node/feed/round-times.ts';
import type { StepKind } from '../../../src/observe/feed/feed.ts';

type Row = readonly [at: number, kind: StepKind, round: number, by?: 'qc' | 'tc'];

function figuresOf(...rows: readonly Row[]) {
  const times = new RoundTimes();
  for (const [at, kind, round, by] of rows)
    times.take({ kind, epoch: 0, round, ...(by === undefined ? {} : { by }) }, at);
  return times.figures;
}

describe('the figures of rounds', () => {
  it('are those of the last round, also where it waited for work', () => {
    expect(figuresOf([1_000, 'roundEntered', 5, 'qc'], [1_900, 'voted', 5])).toEqual({});
    expect(
      figuresOf([1_000, 'roundEntered', 5, 'qc'], [1_950, 'voted', 5], [2_000, 'roundEntered', 6, 'qc']),
    ).toEqual({ durationMs: 1_000, qcDelayMs: 50 });
  });

  it('count the certificate from when its maker formed it', () => {
    expect(
      figuresOf(
        [0, 'roundEntered', 5, 'qc'],
        [10, 'voted', 5],
        [14, 'qcFormed', 5],
        [15, 'roundEntered', 6, 'qc'],
      ),
    ).toEqual({ durationMs: 15, qcDelayMs: 4 });
  });

  it('have no certificate of a round that was given up', () => {
    expect(figuresOf([0, 'roundEntered', 5, 'qc'], [10, 'voted', 5], [900, 'roundEntered', 6, 'tc'])).toEqual(
      { durationMs: 900 },
    );
  });

  it('leave out rounds that were jumped over, and what belongs to another round', () => {
    expect(
      figuresOf(
        [0, 'roundEntered', 5, 'qc'],
        [10, 'voted', 4],
        [12, 'qcFormed', 4],
        [20, 'roundEntered', 9, 'qc'],
      ),
    ).toEqual({});
  });
});
