/** Keyframes that players keep on their way. Rule RP-4. */
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { Waypoints } from '../../src/replay/waypoints.ts';

const CURSOR = { stretch: 0, block: 0, entry: 0 };

it('are kept within their bytes, ever farther apart, and the last one before a turn is found', () => {
  const kept = new Waypoints(1_000, () => 5_000);
  const added: number[] = [];
  for (let turn = 0; turn < 500_000; turn += 500) {
    if (!kept.isWanted({ turn, way: turn })) continue;
    // No compression makes less of it.
    kept.add({ turn, way: turn, at: turn, seq: turn, cursor: CURSOR, keyframe: () => randomBytes(500) });
    added.push(turn);
    expect(kept.bytes).toBeLessThanOrEqual(5_000);
  }
  expect(added.slice(0, 3)).toEqual([1_000, 2_000, 3_000]);
  expect(added.length).toBeLessThan(60);
  const [last, lastButOne] = [added.at(-1) ?? 0, added.at(-2) ?? 0];
  expect(last - lastButOne).toBeGreaterThanOrEqual(16_000);
  expect(kept.before(last)?.turn).toBe(last);
  expect(kept.before(last - 1)?.turn).toBeLessThan(last);
  expect(kept.before(999)).toBeUndefined();
});

it('become fewer when more runs share the bytes', () => {
  let most = 10_000;
  const kept = new Waypoints(1, () => most);
  const add = (turn: number): void =>
    kept.add({ turn, way: turn, at: 0, seq: 0, cursor: CURSOR, keyframe: () => randomBytes(500) });
  for (let turn = 1; turn <= 15; turn += 1) add(turn);
  most = 5_000;
  add(16);
  expect(kept.bytes).toBeLessThanOrEqual(5_000);
  expect(kept.before(16)).toBeDefined();
});
