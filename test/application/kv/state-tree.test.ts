import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BUCKET_ENTRIES_MAX,
  keyHashOf,
  StateTree,
  type WalkPath,
} from '../../../src/application/kv/state-tree.ts';

const sha = (...parts: readonly (Buffer | string)[]): Buffer => {
  const state = createHash('sha256');
  for (const part of parts) state.update(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
  return state.digest();
};

/** The definition, from nothing: what the tree must be equal to. */
function naive(pairs: ReadonlyMap<string, string>): string {
  const leaf = (key: string): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(key.length);
    return sha('\x00', length, key, pairs.get(key) ?? '');
  };
  const below = (keys: readonly string[], depth: number): Buffer => {
    if (keys.length <= BUCKET_ENTRIES_MAX) return sha('\x01', ...keys.map(leaf));
    const children = Array.from({ length: 16 }, (_, nibble) => {
      const mine = keys.filter((key) => parseInt(sha(key).toString('hex').charAt(depth), 16) === nibble);
      return mine.length === 0 ? Buffer.alloc(32) : below(mine, depth + 1);
    });
    return sha('\x02', ...children);
  };
  return below([...pairs.keys()].sort(), 0).toString('hex');
}

const treeOf = (sets: Iterable<readonly [string, string]>): StateTree => {
  const tree = new StateTree();
  for (const [key, value] of sets) tree.set(key, value);
  return tree;
};
const rootOf = (tree: StateTree): string => Buffer.from(tree.root()).toString('hex');

/** Keys that lie so deep together that their buckets become branches again and again. */
function crowded(count: number): readonly string[] {
  const keys: string[] = [];
  for (let index = 0; keys.length < count; index += 1) {
    const key = `k${index}`;
    if (sha(key).toString('hex').startsWith('a7')) keys.push(key);
  }
  return keys;
}
const CROWD = crowded(BUCKET_ENTRIES_MAX * 2);

const someKey = fc.oneof(
  fc.nat(600).map((index) => `key ${index}`),
  fc.constantFrom(...CROWD),
  fc.string({ unit: 'binary-ascii', maxLength: 6 }),
);
const someSets = fc.array(fc.tuple(someKey, fc.nat(5).map(String)), { maxLength: 700, size: 'max' });

function walked(tree: StateTree, meanwhile: () => void = () => {}): readonly string[] {
  const keys: string[] = [];
  for (let from: WalkPath | undefined = []; from !== undefined; ) {
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

  it('is pinned: another value of it would be another application', () => {
    const pairs = Array.from({ length: 1_000 }, (_, index) => [`key${index}`, `value ${index}`] as const);
    expect(rootOf(treeOf(pairs))).toBe('8699f221afcd47ebaafb9e6de0cd62bbcf82f900510912be9c969ab557ac470f');
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

  it('misses none and repeats none while others are set and buckets become branches', () => {
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
