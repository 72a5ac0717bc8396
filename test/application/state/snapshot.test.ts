import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Pair } from '../../../src/application/state/rules.ts';
import {
  byNodeKey,
  encodeSnapshot,
  SnapshotReader,
  STATE_CHUNK_BYTES,
} from '../../../src/application/state/snapshot.ts';
import { keyHashOf } from '../../../src/application/state/state-tree.ts';
import { packedValidator } from '../../../src/application/state/validators.ts';
import { SNAPSHOT_CHUNK_BYTES_MAX } from '../../../src/protocol/sync/messages.ts';

const validator = (seed: number): Uint8Array =>
  packedValidator({
    nodeKey: new Uint8Array(32).fill(seed),
    consensusKey: new Uint8Array(48).fill(seed + 1),
    power: BigInt(seed) + 1n,
  });
const inOrder = (pairs: ReadonlyMap<string, string>): readonly Pair[] =>
  [...pairs].sort(([left], [right]) => (keyHashOf(left) < keyHashOf(right) ? -1 : 1));

const latin1 = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const someState = fc.record({
  seeds: fc.uniqueArray(fc.nat(200), { maxLength: 8 }),
  pairs: fc.array(fc.tuple(latin1, latin1), { maxLength: 40 }).map((list) => new Map(list)),
});
const encode = (seeds: readonly number[], pairs: ReadonlyMap<string, string>): Uint8Array =>
  Buffer.concat([...encodeSnapshot('kv', byNodeKey(seeds.map(validator)), inOrder(pairs))]);

interface Read {
  readonly problem: string | undefined;
  readonly validators: readonly Uint8Array[];
  readonly pairs: readonly Pair[];
}

function read(chunks: Iterable<Uint8Array>): Read {
  const validators: Uint8Array[] = [];
  const pairs: Pair[] = [];
  const reader = new SnapshotReader('kv', {
    validator: (blob) => validators.push(blob),
    pair: (key, value) => pairs.push([key, value]),
  });
  for (const chunk of chunks) {
    const problem = reader.add(chunk);
    if (problem !== undefined) return { problem, validators, pairs };
  }
  return { problem: reader.end(), validators, pairs };
}

function* cut(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  let at = 0;
  for (let index = 0; at < bytes.byteLength; index += 1) {
    const length = lengths[index % lengths.length] ?? 1;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

describe('a snapshot of a state, format 1', () => {
  it('gives back what it was made of, however it is cut (SY-10)', () => {
    fc.assert(
      fc.property(
        someState,
        fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1 }),
        (state, lengths) => {
          const bytes = encode(state.seeds, state.pairs);
          const { problem, validators, pairs } = read(cut(bytes, [...lengths, 1]));
          expect(problem).toBeUndefined();
          expect(validators).toEqual(byNodeKey(state.seeds.map(validator)));
          expect(pairs).toEqual(inOrder(state.pairs));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is cut into chunks of one length, which may be sent, and the last is what is left', () => {
    expect(STATE_CHUNK_BYTES).toBeLessThanOrEqual(SNAPSHOT_CHUNK_BYTES_MAX);
    const pairs = new Map([
      ['long', 'x'.repeat(2 * STATE_CHUNK_BYTES + 7)],
      ['short', 'y'],
    ]);
    const chunks = [...encodeSnapshot('kv', [], inOrder(pairs))];
    expect(chunks.map(({ byteLength }) => byteLength)).toEqual([
      STATE_CHUNK_BYTES,
      STATE_CHUNK_BYTES,
      16 + 8 + 11 + 8 + 6,
    ]);
    expect(read(chunks)).toMatchObject({ problem: undefined, pairs: inOrder(pairs) });
  });

  it('is refused with a sentence wherever it is cut off', () => {
    const bytes = encode([1, 2], new Map([['key', 'value']]));
    const header = 16;
    for (let length = 0; length < bytes.byteLength; length += 1) {
      const { problem } = read([bytes.subarray(0, length)]);
      if (length < header) expect(problem).toBe(`it ends after ${length} bytes, within its header`);
      else if (length < header + 88) expect(problem).toBe('it ends 2 validators too early');
      else if (length < header + 176) expect(problem).toBe('it ends 1 validators too early');
      else if (length > header + 176)
        expect(problem).toMatch(/^it ends within a pair, of which \d+ bytes are there$/);
    }
  });

  it('has one encoding: other orders, and pairs that come twice, are refused', () => {
    const [first = ['', ''], second = ['', '']] = inOrder(
      new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    );
    const problemOf = (validators: readonly Uint8Array[], pairs: readonly Pair[]) =>
      read(encodeSnapshot('kv', validators, pairs)).problem;
    expect(problemOf([validator(1), validator(2)], [first, second])).toBeUndefined();
    expect(problemOf([], [second, first])).toMatch('not in the order');
    expect(problemOf([], [first, first])).toMatch('not in the order');
    expect(problemOf([validator(2), validator(1)], [])).toMatch('order of their node keys');
    expect(problemOf([validator(1), validator(1)], [])).toMatch('order of their node keys');
  });

  it('is refused when it is something else, and nothing after that is read', () => {
    const reader = new SnapshotReader('kv', {
      validator: () => {},
      pair: () => expect.fail('a pair was read'),
    });
    expect(reader.add(Buffer.from('something else entirely'))).toBe('it is no snapshot of kv, format 1');
    expect(reader.add(encode([], new Map([['a', 'b']])))).toBe('it is no snapshot of kv, format 1');
    expect(reader.end()).toBe('it is no snapshot of kv, format 1');
    const other = new SnapshotReader('other', { validator: () => {}, pair: () => expect.fail('a pair') });
    expect(other.add(encode([], new Map([['a', 'b']])))).toBe('it is no snapshot of other, format 1');
    const header = Buffer.concat([Buffer.from('althing/kv/1'), Buffer.alloc(4, 0xff)]);
    expect(read([header]).problem).toBe('it announces 4294967295 validators, at most 65536');
  });

  it('never throws, whatever is read, and never takes memory for what is only announced', () => {
    fc.assert(
      fc.property(someState, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), (state, flips) => {
        const bytes = Buffer.from(encode(state.seeds, state.pairs));
        for (const [at, value] of flips) bytes[at % bytes.byteLength] = value;
        const { problem, pairs } = read(cut(bytes, [17]));
        if (problem === undefined)
          expect(encode([], new Map(pairs)).byteLength).toBeLessThanOrEqual(bytes.byteLength);
      }),
      { numRuns: 300 },
    );
  });
});
