import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mayBeNamedAt, referenceProblem } from '../../../src/protocol/mempool/payload.ts';
import { height, World } from './world.ts';

describe('when a batch may be named (MP-7)', () => {
  it('is a span of heights no longer than its life, so that a window of that length catches every repetition', () => {
    fc.assert(
      fc.property(
        fc.nat(200),
        fc.nat(200),
        fc.nat(200),
        fc.integer({ min: 1, max: 50 }),
        (one, two, expiry, life) => {
          if (!mayBeNamedAt(one, expiry, life) || !mayBeNamedAt(two, expiry, life)) return;
          expect(Math.abs(one - two)).toBeLessThanOrEqual(life);
        },
      ),
    );
    expect(mayBeNamedAt(10, 10, 5)).toBe(true);
    expect(mayBeNamedAt(11, 10, 5)).toBe(false);
    expect(mayBeNamedAt(5, 10, 5)).toBe(true);
    expect(mayBeNamedAt(4, 10, 5)).toBe(false);
  });

  it('refuses a block that names it with another count or length, too late or too early', () => {
    const world = new World([1]);
    world.submit(0, ['a']);
    world.advance(5);
    const [reference] = world.payload(0);
    if (reference === undefined) throw new Error('a batch is proposable');
    const facts = { count: reference.count, bytes: reference.bytes, expiresAtHeight: height(10) };
    const problem = (at: number, changed = {}) =>
      referenceProblem({ ...reference, ...changed }, facts, height(at), 5)?.code;
    expect(problem(10)).toBeUndefined();
    expect(problem(11)).toBe('BATCH_EXPIRED');
    expect(problem(4)).toBe('BATCH_TOO_FAR_AHEAD');
    expect(problem(10, { count: 2 })).toBe('REFERENCE_MISMATCH');
    expect(problem(10, { bytes: 1 })).toBe('REFERENCE_MISMATCH');
  });
});

describe('what a leader names (MP-8)', () => {
  const filled = (): World => {
    const world = new World([1, 1, 1, 1]);
    for (let turn = 0; turn < 3; turn += 1) {
      for (const index of [0, 1, 2, 3]) world.submit(index, [`${index} ${turn} ${'x'.repeat(index * 20)}`]);
      world.advance(15);
    }
    return world;
  };

  it('is nothing that an ancestor names, nor more than fits', () => {
    const world = filled();
    const all = world.payload(0);
    expect(all).toHaveLength(12);
    const exclude = all.slice(0, 5).map(({ digest }) => digest);
    expect(world.payload(0, { exclude })).toHaveLength(7);
    expect(world.payload(0, { countMax: 4 })).toHaveLength(4);
    const few = world.payload(0, { bytesMax: 400 });
    expect(few.length).toBeGreaterThan(1);
    expect(few.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(400);
    expect(world.payload(0, { bytesMax: 10 })).toEqual([]);
  });

  it('takes from every author in turn, each in order of sequence, whoever asks', () => {
    const world = filled();
    const authors = world.payload(0).map(({ digest }) => {
      for (const [index, { state }] of world.nodes.entries()) {
        for (const shard of state.batches.shards) {
          const entry = shard?.get(digest);
          if (entry?.own !== undefined) return `${index} ${entry.sequence}`;
        }
      }
      return '?';
    });
    expect(new Set(authors.slice(0, 4).map((each) => each[0]))).toEqual(new Set(['0', '1', '2', '3']));
    expect(authors.map((each) => each.split(' ')[1])).toEqual([
      '0',
      '0',
      '0',
      '0',
      '1',
      '1',
      '1',
      '1',
      '2',
      '2',
      '2',
      '2',
    ]);
    expect(world.payload(2)).toEqual(world.payload(0));
  });

  it('names none that expired at the height, nor one that is committed', () => {
    const world = filled();
    expect(world.payload(0, { at: 10 })).toHaveLength(12);
    expect(world.payload(0, { at: 11 })).toEqual([]);
    world.commit(world.payload(0).slice(0, 5));
    expect(world.payload(0)).toHaveLength(7);
    world.commit(world.payload(0));
    expect(world.payload(0)).toEqual([]);
    expect(world.nodes.map(({ hasWork }) => hasWork)).toEqual([false, false, false, false]);
  });

  it('names the batches of an author that died', () => {
    const world = new World([1, 1, 1, 1]);
    world.submit(0, ['last words']);
    world.advance(10);
    world.crash(0);
    expect(world.payload(2)).toHaveLength(1);
  });
});
