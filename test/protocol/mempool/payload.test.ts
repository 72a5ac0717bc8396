import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { batchDigestOf, encodeBatch } from '../../../src/protocol/chain/batch.ts';
import { mayBeNamedAt, referenceProblem } from '../../../src/protocol/mempool/payload.ts';
import { height, SMALL, textsOf, World } from './world.ts';

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

describe('the order of one author across batches (MP-8)', () => {
  /** Validator 0 leads and is the author, but where said otherwise. */
  const four = (): World => new World([1, 1, 1, 1]);
  const sealed = (world: World, text: string): void => {
    world.submit(0, [text]);
    world.advance(12);
  };
  const named = (world: World, index = 0, options = {}) =>
    world.payload(index, options).flatMap(({ digest }) => {
      const bytes = world.nodes.map(({ disk }) => disk.get(digest)).find((each) => each !== undefined);
      return bytes === undefined ? [] : textsOf(bytes).map((text) => text.slice(0, 6));
    });
  /** What validator 0 sends reaches only these. */
  const reach = (world: World, ...to: readonly number[]): void => {
    world.link = (from, at) => from !== 0 || to.includes(at);
  };

  it('waits for a batch that a quorum has not acknowledged yet, and then names all in order', () => {
    const world = four();
    reach(world, 3);
    sealed(world, '@ada:0');
    reach(world, 1, 2, 3);
    sealed(world, '@ada:1');
    expect(named(world)).toEqual([]);
    expect(named(world, 3)).toEqual([]);
    world.submit(1, ['other']);
    world.advance(12);
    expect(named(world)).toEqual(['other']);
    world.advance(SMALL.resendMin + SMALL.tick);
    expect(named(world).filter((text) => text !== 'other')).toEqual(['@ada:0', '@ada:1']);
  });

  it('goes on without a batch that its author does not get acknowledged in time', () => {
    const world = four();
    reach(world, 3);
    sealed(world, '@ada:0');
    reach(world, 1, 2, 3);
    sealed(world, '@ada:1');
    reach(world, 3);
    world.advance(SMALL.orderPatience - 30);
    expect(named(world)).toEqual([]);
    world.advance(30);
    expect(named(world)).toEqual(['@ada:1']);
  });

  it('waits for a batch that this leader has not got, by its sequence, and no longer than for one it has', () => {
    const world = four();
    sealed(world, '@ada:0');
    world.commit(world.payload(0));
    reach(world, 2, 3);
    sealed(world, '@ada:1');
    reach(world, 1, 2, 3);
    sealed(world, '@ada:2');
    reach(world);
    expect(named(world, 2)).toEqual(['@ada:1', '@ada:2']);
    expect(named(world, 1)).toEqual([]);
    world.advance(SMALL.orderPatience);
    expect(named(world, 1)).toEqual(['@ada:2']);
  });

  it('waits for none among its own batches, of which a restart may find some committed', () => {
    const world = four();
    for (const text of ['@ada:0', '@ada:1', '@ada:2']) sealed(world, text);
    world.commit(world.payload(0).slice(1, 2));
    world.crash(0);
    world.restart(0);
    world.advance(SMALL.tick);
    expect(named(world)).toEqual(['@ada:0', '@ada:2']);
  });

  it('does not wait for one that an ancestor names or that expired', () => {
    const world = four();
    sealed(world, '@ada:0');
    const exclude = world.payload(0).map(({ digest }) => digest);
    sealed(world, '@ada:1');
    expect(named(world, 1, { exclude })).toEqual(['@ada:1']);
    const late = four();
    reach(late, 3);
    sealed(late, '@ada:0');
    late.commit([]);
    reach(late, 1, 2, 3);
    sealed(late, '@ada:1');
    expect(named(late, 0, { at: 10 })).toEqual([]);
    expect(named(late, 0, { at: 11 })).toEqual(['@ada:1']);
  });

  it('leaves what comes after a batch that does not fit for the next block, and gives others the room', () => {
    const world = new World([1, 1]);
    sealed(world, 'first');
    world.commit(world.payload(0));
    world.submit(0, [`@ada:0${' x'.repeat(100)}`, `filler${' y'.repeat(100)}`]);
    world.advance(12);
    sealed(world, '@ada:1');
    world.submit(1, ['other']);
    world.advance(12);
    expect(named(world, 0, { bytesMax: 300 })).toEqual(['other']);
    expect(named(world, 0, { bytesMax: 1_000 }).filter((text) => text !== 'other')).toEqual([
      '@ada:0',
      'filler',
      '@ada:1',
    ]);
  });

  /** Validator 3 names it, so validator 1 wants it, and gets it from there. */
  const forge = (world: World, sequence: number) => {
    const bytes = encodeBatch({
      author: world.node(0).address,
      sequence,
      expiresAtHeight: height(world.height + SMALL.batchTtlHeights),
      transactions: [utf8('forged')],
    });
    const reference = { digest: batchDigestOf(bytes), count: 1, bytes: bytes.byteLength };
    world.link = () => false;
    const holders = [world.node(3).address];
    const want = {
      references: [reference],
      holders,
      height: height(world.height + 1),
      replyTo: 'round',
      tag: 99,
    };
    world.send(1, { type: 'batches.wanted', ...want });
    world.receive(1, 3, { kind: 'Batch', bytes });
    expect(world.node(1).disk.has(reference.digest)).toBe(true);
    return reference;
  };

  it('is not held up by a batch in an author’s name that another made (the author is not signed)', () => {
    const world = four();
    sealed(world, '@ada:0');
    world.commit(world.payload(0));
    sealed(world, '@ada:1');
    forge(world, 0);
    expect(named(world, 1)).toEqual(['@ada:1']);
  });

  it('is kept all the same when such a batch of a sequence far ahead was committed', () => {
    const world = four();
    sealed(world, '@ada:0');
    world.commit(world.payload(0));
    world.commit([forge(world, 1_000)]);
    reach(world, 2, 3);
    sealed(world, '@ada:1');
    reach(world, 1, 2, 3);
    sealed(world, '@ada:2');
    expect(named(world, 1)).toEqual([]);
  });
});
