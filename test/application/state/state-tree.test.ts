import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  keyHashOf,
  StateTree,
  WALK_START,
  type WalkPlace,
} from '../../../src/application/state/state-tree.ts';

const sha = (...parts: readonly (Buffer | string)[]): Buffer => {
  const state = createHash('sha256');
  for (const part of parts) state.update(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
  return state.digest();
};
const ZEROS = Buffer.alloc(32);

/** The definition, from nothing: what the tree must be equal to. */
function naive(pairs: ReadonlyMap<string, string>): string {
  const length = (text: string): Buffer => Buffer.from(Uint32Array.of(text.length).buffer).swap32();
  const leaf = ([key, value]: readonly [string, string]): Buffer => {
    const bytes = Buffer.concat([length(key), length(value), Buffer.from(key + value, 'latin1')]);
    return sha(bytes, Buffer.alloc(Math.max(0, 65 - bytes.byteLength)));
  };
  const bits = (key: string): string =>
    BigInt(`0x1${sha(key).toString('hex')}`)
      .toString(2)
      .slice(1);
  const below = (some: readonly (readonly [string, string])[], depth: number): Buffer => {
    const [first, second] = some;
    if (first === undefined) return ZEROS;
    if (second === undefined) return leaf(first);
    return sha(
      ...['0', '1'].map((side) =>
        below(
          some.filter(([key]) => bits(key).charAt(depth) === side),
          depth + 1,
        ),
      ),
    );
  };
  return below([...pairs], 0).toString('hex');
}

const treeOf = (sets: Iterable<readonly [string, string]>): StateTree => {
  const tree = new StateTree();
  for (const [key, value] of sets) tree.set(key, value);
  return tree;
};
const rootOf = (tree: StateTree): string => Buffer.from(tree.root()).toString('hex');

/** Keys whose hashes begin alike, so that many branches are above them that have one child. */
function crowded(count: number): readonly string[] {
  const keys: string[] = [];
  for (let index = 0; keys.length < count; index += 1) {
    const key = `k${index}`;
    if (sha(key).toString('hex').startsWith('a7c')) keys.push(key);
  }
  return keys;
}
const CROWD = crowded(12);

const someKey = fc.oneof(
  fc.nat(600).map((index) => `key ${index}`),
  fc.constantFrom(...CROWD),
  fc.string({ unit: 'binary-ascii', maxLength: 6 }),
);
const someSets = fc.array(fc.tuple(someKey, fc.nat(5).map(String)), { maxLength: 700, size: 'max' });

function walked(tree: StateTree, meanwhile: () => void = () => {}): readonly string[] {
  const keys: string[] = [];
  for (let from: WalkPlace | undefined = WALK_START; from !== undefined; ) {
    const step = tree.walk(from);
    keys.push(...step.keys);
    from = step.next;
    meanwhile();
  }
  return keys;
}

describe('the hash of the state', () => {
  it('is that of a recomputation from nothing, whenever it is asked for (SY-10)', () => {
    fc.assert(
      fc.property(someSets, fc.nat(699), (sets, early) => {
        const tree = new StateTree();
        const pairs = new Map<string, string>();
        for (const [index, [key, value]] of sets.entries()) {
          tree.set(key, value);
          pairs.set(key, value);
          if (index === early) expect(rootOf(tree)).toBe(naive(pairs));
        }
        expect(rootOf(tree)).toBe(naive(pairs));
      }),
      { numRuns: 25 },
    );
  });

  it('is that of what is left where pairs were deleted, and a fresh tree is the same (SY-10)', () => {
    const step = fc.tuple(
      someKey,
      fc.oneof({ weight: 2, arbitrary: fc.nat(5).map(String) }, fc.constant(undefined)),
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 600, size: 'max' }),
        fc.integer({ min: 1, max: 90 }),
        (steps, length) => {
          const tree = new StateTree();
          const pairs = new Map<string, string>();
          for (const [index, [key, value]] of steps.entries()) {
            if (value === undefined) tree.delete(key);
            else tree.set(key, value);
            if (value === undefined) pairs.delete(key);
            else pairs.set(key, value);
            if (index % length === 0) expect(rootOf(tree)).toBe(rootOf(treeOf(pairs)));
          }
          expect(rootOf(tree)).toBe(naive(pairs));
          expect(new Map(tree.pairs())).toEqual(pairs);
          expect([...walked(tree)].sort()).toEqual([...pairs.keys()].sort());
          for (const key of [...pairs.keys()].reverse()) tree.delete(key);
          expect(rootOf(tree)).toBe(ZEROS.toString('hex'));
          for (const [key, value] of pairs) tree.set(key, value);
          expect(rootOf(tree)).toBe(naive(pairs));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('takes no more memory for pairs that come and go', () => {
    const tree = new StateTree();
    const turn = (name: string) => {
      for (let index = 0; index < 20_000; index += 1) tree.set(`${name}${index}`, 'v');
      tree.root();
      for (let index = 0; index < 20_000; index += 1) tree.delete(`${name}${index}`);
      tree.root();
    };
    turn('first');
    const before = process.memoryUsage().arrayBuffers;
    for (let round = 0; round < 5; round += 1) turn(`round${round}/`);
    // Five times 20,000 pairs would be 6.4 MB of hashes and more.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(3_000_000);
  });

  it('is the same whatever the history was', () => {
    fc.assert(
      fc.property(someSets, someSets, (sets, earlier) => {
        const last = new Map(sets);
        const others = earlier.filter(([key]) => last.has(key));
        const shuffled = [...last].sort(([left], [right]) => (sha(left).compare(sha(right)) < 0 ? -1 : 1));
        expect(rootOf(treeOf([...others, ...sets]))).toBe(rootOf(treeOf(shuffled)));
      }),
      { numRuns: 40 },
    );
  });

  it('differs as soon as one pair differs, is there, or is split elsewhere', () => {
    const base = new Map(Array.from({ length: 200 }, (_, index) => [`key${index}`, 'v'] as const));
    const root = rootOf(treeOf(base));
    const roots = [
      treeOf([...base, ['key7', 'w']]),
      treeOf([...base, ['one more', 'v']]),
      treeOf([...base].slice(1)),
      treeOf([...[...base].slice(1), ['key0v', '']]),
      treeOf([]),
    ].map(rootOf);
    expect(new Set([root, ...roots]).size).toBe(6);
  });

  it('takes pairs longer than its own buffer, and the empty key', () => {
    const pairs = new Map([
      ['', 'x'],
      ['k'.repeat(5_000), 'v'.repeat(9_000)],
      ['short', 'v'.repeat(4_096)],
    ]);
    expect(rootOf(treeOf(pairs))).toBe(naive(pairs));
  });

  it('is zeros for no pair, and a leaf alone for one', () => {
    expect(rootOf(treeOf([]))).toBe(ZEROS.toString('hex'));
    expect(rootOf(treeOf([['a', '1']]))).toBe(naive(new Map([['a', '1']])));
  });

  it('takes no pair for a branch, however it is written', () => {
    // A leaf is never 64 bytes long; padded ones differ by the lengths that they begin with.
    const roots = [1, 54, 55, 56, 57, 58].flatMap((length) => [
      rootOf(treeOf([['k', '\0'.repeat(length)]])),
      rootOf(treeOf([['k'.padEnd(length, '\0'), '']])),
    ]);
    expect(new Set(roots).size).toBe(12);
  });

  it('grows over many pages, and each block counts', () => {
    const tree = new StateTree();
    const pairs = new Map<string, string>();
    for (let block = 0; block < 30; block += 1) {
      for (let index = 0; index < 200; index += 1) {
        const key = `key ${(block * 7_919 + index * 13) % 5_000}`;
        tree.set(key, `${block}`);
        pairs.set(key, `${block}`);
      }
      if (block % 10 === 9) expect(rootOf(tree)).toBe(naive(pairs));
      else tree.root();
    }
    expect(new Map(tree.pairs())).toEqual(pairs);
    expect(tree.get('key 13')).toBe(pairs.get('key 13'));
    expect(tree.get('none')).toBeUndefined();
  });

  it('is pinned: another value of it would be another application', () => {
    const pairs = Array.from({ length: 1_000 }, (_, index) => [`key${index}`, `value ${index}`] as const);
    expect(rootOf(treeOf(pairs))).toBe('119c10b64b992bdb28d1537db6916096f5165f7f973e68747943a04c4300ce9e');
  });
});

describe('a walk over the keys', () => {
  it('gives each key once, by rising hash of the key', () => {
    fc.assert(
      fc.property(someSets, (sets) => {
        const tree = treeOf(sets);
        const keys = walked(tree);
        expect([...keys].sort()).toEqual([...new Map(sets).keys()].sort());
        const places = keys.map(keyHashOf);
        expect(places).toEqual([...places].sort());
      }),
      { numRuns: 40 },
    );
  });

  it('misses none and repeats none while others are set', () => {
    fc.assert(
      fc.property(someSets, someSets, (sets, later) => {
        const tree = treeOf(sets);
        const before = walked(tree);
        const coming = later.values();
        const during = walked(tree, () => {
          for (const [key, value] of [coming.next(), coming.next(), coming.next()].flatMap(({ value }) =>
            value === undefined ? [] : [value],
          ))
            tree.set(key, value);
        });
        const known = new Set(before);
        expect(during.filter((key) => known.has(key))).toEqual(before);
      }),
      { numRuns: 40 },
    );
  });
});
