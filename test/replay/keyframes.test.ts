/** What `replay --verify` compares at each keyframe. Rule RP-4. */
import { afterAll, expect, it } from 'vitest';
import type { CellRecord, Keyframe } from '../../src/actors/runtime/index.ts';
import { differenceOf } from '../../src/replay/keyframes.ts';
import { SmallRun, testFolder } from '../record/support/small-run.ts';

const { dir, remove } = testFolder();
afterAll(remove);

const run = new SmallRun({ dir, writing: 'at once' });
run.feed(3);
const recorded = run.system.keyframe();
await run.close();

/** Something done to one cell; undefined takes it away. */
const changed = (address: string, change: (cell: CellRecord) => CellRecord | undefined): Keyframe => ({
  ...recorded,
  cells: recorded.cells.flatMap((cell) => (cell.address === address ? (change(cell) ?? []) : [cell])),
});

it('finds nothing between equal ones, in whatever numbers their timers were armed', () => {
  expect(differenceOf(recorded, recorded)).toBeUndefined();
  const renumbered = recorded.cells.map((cell) => ({
    ...cell,
    timers: cell.timers.map((timer) => ({ ...timer, sequence: timer.sequence + 7 })),
  }));
  expect(differenceOf(recorded, { ...recorded, cells: renumbered })).toBeUndefined();
});

it.each([
  ['a turn', { ...recorded, turn: recorded.turn + 1 }, /turns have ended/],
  ['a cell that is missing', changed('top/b', () => undefined), /^top\/b is not there$/],
  [
    'a field of a cell',
    changed('top/a', (cell) => ({ ...cell, incarnation: cell.incarnation + 1 })),
    /^top\/a: recorded …/,
  ],
])('names %s', (_, replayed, words) => {
  expect(differenceOf(recorded, replayed)).toMatch(words);
});

it('names a cell that was not there', () => {
  expect(
    differenceOf(
      changed('top/b', () => undefined),
      recorded,
    ),
  ).toBe('top/b should not be there');
});
