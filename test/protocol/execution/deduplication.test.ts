import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { DeduplicationTable } from '../../../src/protocol/execution/deduplication.ts';

const hash = (index: number) => digestOf(utf8(String(index)));

describe('the deduplication table (EX-2)', () => {
  it('says what a map from hash to its newest height would', () => {
    const blocks = fc.array(
      fc.record({
        pause: fc.integer({ min: 1, max: 4 }),
        indexes: fc.array(fc.nat(40), { maxLength: 12 }),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.nat(1_000), blocks, (window, from, made) => {
        const table = new DeduplicationTable(window);
        const newest = new Map<number, number>();
        let height = from;
        for (const { pause, indexes } of made) {
          height += pause;
          for (const index of indexes) {
            const last = newest.get(index);
            const expected = last !== undefined && height - last <= window;
            expect(table.knows(hash(index), height)).toBe(expected);
            expect(table.appears(hash(index), height)).toBe(expected);
            newest.set(index, height);
          }
        }
      }),
    );
  });

  it('answers the same after it was rebuilt from the last blocks alone', () => {
    const window = 5;
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(20), { maxLength: 6 }), { minLength: 20, maxLength: 40 }),
        (made) => {
          const whole = new DeduplicationTable(window);
          const rebuilt = new DeduplicationTable(window);
          const from = made.length - window;
          made.forEach((indexes, at) => {
            for (const index of indexes) {
              whole.appears(hash(index), at + 1);
              if (at >= from) rebuilt.appears(hash(index), at + 1);
            }
          });
          for (let index = 0; index <= 20; index += 1) {
            const next = made.length + 1;
            expect(rebuilt.appears(hash(index), next)).toBe(whole.appears(hash(index), next));
          }
        },
      ),
    );
  });

  it('says the same while it moves to a larger table', () => {
    const table = new DeduplicationTable(6);
    const newest = new Map<number, number>();
    const wrong: string[] = [];
    let seed = 1;
    for (let height = 1; height <= 60; height += 1) {
      for (let count = 0; count < height * 12; count += 1) {
        seed = (seed * 48_271) % 2_147_483_647;
        const index = seed % 4_000;
        const last = newest.get(index);
        const expected = last !== undefined && height - last <= 6;
        if (table.appears(hash(index), height) !== expected) wrong.push(`${index} at ${height}`);
        newest.set(index, height);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('grows, shrinks and forgets without a wrong answer, in memory near 34 bytes an appearance', () => {
    const window = 8;
    const table = new DeduplicationTable(window);
    let next = 0;
    const at: number[][] = [];
    const wrong: number[] = [];
    for (let height = 1; height <= 120; height += 1) {
      const count = height < 60 ? 3_000 : 20;
      at[height] = Array.from({ length: count }, () => next++);
      for (const index of at[height] ?? []) if (table.appears(hash(index), height)) wrong.push(index);
      const old = at[height - window]?.[0];
      const older = at[height - window - 1]?.[0];
      if (old !== undefined) expect(table.knows(hash(old), height)).toBe(true);
      if (older !== undefined) expect(table.knows(hash(older), height)).toBe(false);
      if (height === 59) expect(table.memoryBytes).toBeLessThan(table.appearances * 80);
    }
    expect(wrong).toEqual([]);
    expect(table.appearances).toBe(20 * (window + 1));
  });
});
