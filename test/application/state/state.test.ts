import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SnapshotReader } from '../../../src/application/state/snapshot.ts';
import { PairState } from '../../../src/application/state/state.ts';
import { packedValidator } from '../../../src/application/state/validators.ts';

const validator = (seed: number, power = 1n): Uint8Array =>
  packedValidator({
    nodeKey: new Uint8Array(32).fill(seed),
    consensusKey: new Uint8Array(48).fill(seed),
    power,
  });

const KV = { name: 'kv', version: '3' };

const someSets = fc.array(fc.tuple(fc.nat(300).map(String), fc.nat(9).map(String)), {
  maxLength: 300,
  size: 'max',
});

function contentOf(chunks: Iterable<Uint8Array>) {
  const pairs = new Map<string, string>();
  const validators: Uint8Array[] = [];
  const reader = new SnapshotReader('kv', {
    pair: (key, value) => pairs.set(key, value),
    validator: (blob) => validators.push(blob),
  });
  for (const chunk of chunks) expect(reader.add(chunk)).toBeUndefined();
  expect(reader.end()).toBeUndefined();
  return { pairs, validators };
}

const stateOf = (sets: Iterable<readonly [string, string]>): PairState => {
  const state = new PairState(KV);
  for (const [key, value] of sets) state.set(key, value);
  state.appHash([]);
  return state;
};

/** Values so long that one is more than half a chunk: each read is an occasion to change something. */
const long = (name: string): string => name.repeat(300_000).slice(0, 300_000);

describe('a state of pairs', () => {
  it('has one hash, whatever the blocks were that led to it (SY-10)', () => {
    fc.assert(
      fc.property(someSets, fc.integer({ min: 1, max: 50 }), (sets, blockLength) => {
        const inBlocks = new PairState(KV);
        for (const [index, [key, value]] of sets.entries()) {
          inBlocks.set(key, value);
          if (index % blockLength === 0) inBlocks.appHash([]);
        }
        const atOnce = new PairState(KV, new Map([...inBlocks.pairs()].reverse()));
        expect(inBlocks.appHash([])).toBe(atOnce.appHash([]));
      }),
    );
  });

  it('has another hash for rules of another name or version', () => {
    const hashes = [
      KV,
      { name: 'other', version: '3' },
      { name: 'kv', version: '4' },
      { name: 'kv', version: '33' },
    ].map((rules) => new PairState(rules, [['a', '1']]).appHash([]));
    expect(new Set(hashes).size).toBe(4);
  });

  it('has another hash with another validator or power, and the same in another order', () => {
    const state = stateOf([['a', '1']]);
    const hashes = [
      state.appHash([]),
      state.appHash([validator(1)]),
      state.appHash([validator(1, 2n)]),
      state.appHash([validator(1), validator(2)]),
    ];
    expect(new Set(hashes).size).toBe(4);
    expect(state.appHash([validator(2), validator(1)])).toBe(hashes[3]);
  });

  it('is read as it was when the snapshot was taken, whatever changes meanwhile', () => {
    fc.assert(
      fc.property(someSets, someSets, fc.nat(5), (sets, later, letters) => {
        const state = stateOf(sets);
        const expected = new Map(state.pairs());
        const chunks = state.chunks([validator(1)]);
        const coming = later.values();
        const reading = function* () {
          for (const chunk of chunks ?? []) {
            yield chunk;
            for (const [key, value] of coming) state.set(key, value.repeat(letters));
          }
        };
        for (const [key, value] of later.slice(0, 9)) state.set(key, value);
        state.appHash([]);
        expect(contentOf(reading())).toEqual({ pairs: expected, validators: [validator(1)] });
      }),
    );
  });

  it('is read as it was, deleted pairs too, whatever is deleted and set again meanwhile', () => {
    const value = 'v'.repeat(9_000);
    const changes = fc.array(fc.tuple(fc.nat(300).map(String), fc.boolean()), {
      maxLength: 400,
      size: 'max',
    });
    fc.assert(
      fc.property(someSets, changes, fc.nat(40), (sets, later, atOnce) => {
        const state = stateOf(sets.map(([key, end]) => [key, `${value}${end}`]));
        const expected = new Map(state.pairs());
        const coming = later.values();
        const change = (times: number) => {
          for (const [key, isSet] of coming.take(times)) {
            if (isSet) state.set(key, 'changed');
            else state.delete(key);
          }
          state.appHash([]);
        };
        const chunks = state.chunks([]);
        change(atOnce);
        const reading = function* () {
          for (const chunk of chunks ?? []) {
            yield chunk;
            change(60);
          }
        };
        expect(contentOf(reading()).pairs).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('is read as it was where all of it is deleted before the first chunk', () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `key${index}`);
    const state = stateOf(names.map((name) => [name, name]));
    const expected = new Map(state.pairs());
    const chunks = state.chunks([]);
    for (const name of names) state.delete(name);
    expect(state.appHash([])).toBe(new PairState(KV).appHash([]));
    expect(contentOf(chunks ?? []).pairs).toEqual(expected);
    expect([...state.pairs()]).toEqual([]);
  });

  it('is read as it was also where reading stands in the middle of a bucket', () => {
    const names = Array.from({ length: 12 }, (_, index) => `key${index}`);
    const state = stateOf(names.map((name) => [name, long(name)]));
    const expected = new Map(state.pairs());
    let changes = 0;
    const reading = function* () {
      for (const chunk of state.chunks([]) ?? []) {
        yield chunk;
        changes += 1;
        for (const name of names) state.set(name, `${changes}`);
        for (let index = 0; index < 40; index += 1) state.set(`new ${changes}/${index}`, 'x');
        state.appHash([]);
      }
    };
    expect(contentOf(reading()).pairs).toEqual(expected);
    expect(changes).toBeGreaterThan(5);
  });

  it('is read by one at a time, until the end or until the reader leaves, even before the first chunk', () => {
    const state = stateOf([['a', '1']]);
    const first = state.chunks([]);
    expect(state.chunks([])).toBeUndefined();
    first?.[Symbol.iterator]().return?.();
    const second = state.chunks([]);
    expect([...(second ?? [])]).toHaveLength(1);
    expect(state.chunks([])).toBeDefined();
  });

  it('keeps a bounded number of changes apart: beyond, the snapshot is lost and says so', () => {
    const names = ['a', 'b', 'c'];
    const changed = (max: number) => {
      const state = new PairState(KV, new Map(names.map((name) => [name, long(name)])), max);
      const chunks = state.chunks([]);
      for (const name of names) state.set(name, 'changed');
      return () => contentOf(chunks ?? []).pairs.size;
    };
    expect(changed(3)()).toBe(3);
    expect(changed(2)).toThrow('more than 2 pairs changed while the snapshot was read');
    const state = new PairState(KV, new Map(names.map((name) => [name, name])), 2);
    const chunks = state.chunks([]);
    for (const name of names) state.delete(name);
    expect(() => contentOf(chunks ?? [])).toThrow('more than 2 pairs changed while the snapshot was read');
  });

  it('keeps nothing apart when nobody reads', () => {
    const state = new PairState(KV, new Map([['a', '1']]), 0);
    state.set('a', '2');
    expect(contentOf(state.chunks([]) ?? []).pairs).toEqual(new Map([['a', '2']]));
  });
});
