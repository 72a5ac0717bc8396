/** What a journal's file gives back of what was written, and what it says of any bit that changed. Rule RP-2. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type JournalEntry, monotonic, wallTime } from '../../src/actors/runtime/index.ts';
import { type Block, type BlocksEnd, headOf, MAGIC, readBlock } from '../../src/record/blocks.ts';
import { packEntries, unpackEntries } from '../../src/record/entries.ts';
import { ValuePacker } from '../../src/record/values.ts';

const stamp = (seq: number) => ({
  seq,
  turn: seq * 2,
  now: monotonic(seq + 0.25),
  wall: wallTime(1.7e12 + seq),
});
const values = fc.anything({
  withBigInt: true,
  withMap: true,
  withSet: true,
  withTypedArray: false,
  withNullPrototype: false,
  key: fc.string().filter((key) => key !== '__proto__'),
});
const packer = new ValuePacker(() => undefined);
const packed = (given: readonly JournalEntry[]): Uint8Array => packEntries(packer, given);

/** Zero has no sign in a journal. */
function unsigned(value: unknown): unknown {
  if (typeof value === 'number') return value + 0;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(unsigned);
  if (value instanceof Set) return new Set([...value].map(unsigned));
  if (value instanceof Map) return new Map([...value].map(([key, one]) => [unsigned(key), unsigned(one)]));
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, unsigned(one)]));
}

const entries: readonly JournalEntry[] = [
  { kind: 'open', ...stamp(1), address: 'top' },
  { kind: 'started', ...stamp(2), address: 'top/world' },
  {
    ...{ kind: 'message', ...stamp(3), from: 'top/world', to: 'top/a', lane: 'user' },
    message: {
      type: 'note',
      bytes: new Uint8Array([1, 2]),
      of: new Map([[1n, new Set(['x'])]]),
      none: undefined,
    },
  },
  { kind: 'draw', turn: 7, value: 0.125 },
  { kind: 'result', turn: 7, name: 'sign', value: new Uint8Array(3) },
  { kind: 'digest', turn: 7, address: 'top/a', digest: 'ab' },
  { kind: 'timer', ...stamp(4), address: 'top/a', key: 'named/k' },
  { kind: 'stale', ...stamp(5), from: 'top/world', address: 'top/a', message: { type: 'late' } },
  { kind: 'lapsed', ...stamp(6), address: '@ask/1' },
  { kind: 'ended', ...stamp(7), address: 'top/world', reason: { kind: 'crash', error: 'died' } },
  { kind: 'close', ...stamp(8), address: 'top' },
];

function fileOf(...bodies: readonly Uint8Array[]): Uint8Array {
  const parts = bodies.flatMap((body) => [headOf('entries', body, { turn: 7, at: 1.5 }), body]);
  return new Uint8Array(Buffer.concat([MAGIC, ...parts]));
}

function read(file: Uint8Array): { readonly blocks: readonly Block[]; readonly end: BlocksEnd } {
  const blocks: Block[] = [];
  let next = readBlock(file, 0);
  if ('status' in next && next.status === 'ended') next = readBlock(file, next.offset);
  while ('kind' in next) {
    blocks.push(next);
    next = readBlock(file, next.end);
  }
  return { blocks, end: next };
}

const file = fileOf(packed(entries.slice(0, 5)), packed(entries.slice(5)), new Uint8Array());

describe('entries', () => {
  it('of every kind are read as they were written', () => {
    const { blocks, end } = read(file);
    expect(end).toEqual({ status: 'ended', offset: file.byteLength });
    expect(blocks.slice(0, 2).flatMap(({ body }) => unpackEntries(body))).toEqual(entries);
  });

  it('hold any plain value, and share no memory with the file', () => {
    fc.assert(
      fc.property(values, fc.uint8Array(), (value, bytes) => {
        const entry: JournalEntry = { kind: 'result', turn: 1, name: 'any', value: { value, bytes } };
        const body = packed([entry]);
        const [again] = unpackEntries(body);
        body.fill(0);
        expect(again).toEqual(unsigned(entry));
      }),
    );
  });

  it('of another version are refused by name', () => {
    const foreign = packed(entries.slice(0, 1)).map((byte, place) => (place === 2 ? 99 : byte));
    expect(() => unpackEntries(foreign)).toThrow(/kind 99|fields/);
  });
});

describe('a file', () => {
  it('with any one bit flipped is found to be damaged, at the block that holds the bit', () => {
    const { blocks } = read(file);
    for (let bit = 0; bit < file.byteLength * 8; bit += 1) {
      const flipped = file.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const { end } = read(flipped);
      const holder = blocks.find(({ offset, end: next }) => bit >> 3 >= offset && bit >> 3 < next);
      expect(end, `bit ${bit}`).toMatchObject({ status: 'damaged', offset: holder?.offset ?? 0 });
    }
  });

  it('cut anywhere gives its whole blocks, and says where the torn one begins', () => {
    const { blocks } = read(file);
    for (let length = MAGIC.byteLength; length < file.byteLength; length += 1) {
      const cut = read(file.subarray(0, length));
      const whole = blocks.filter(({ end }) => end <= length);
      expect(cut.blocks).toHaveLength(whole.length);
      const from = whole.at(-1)?.end ?? MAGIC.byteLength;
      expect(cut.end).toEqual(
        from === length
          ? { status: 'ended', offset: from }
          : { status: 'torn', offset: from, bytes: length - from },
      );
    }
  });
});
