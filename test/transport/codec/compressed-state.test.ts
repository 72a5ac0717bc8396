import crc from 'crc-32';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  COMPRESSED_ABOVE_BYTES,
  type CompressedState,
  compressState,
  restoreState,
  type StateOnWire,
} from '../../../src/transport/codec/compressed-state.ts';
import type { Lz4Engine } from '../../../src/transport/lz4/engine.ts';
import { ENGINES, native, portable } from '../lz4/engines.ts';
import {
  CRAFTED_BYTES_MAX,
  CRAFTED_SEQUENCE,
  type CraftedState,
  craftedStates,
} from '../support/crafted-states.ts';

const expectation = { sequence: 5, bytesMax: 10_000 };
const text = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index % 97) + Math.floor(index / 1_000));

function compressed(length = 4_000): CompressedState {
  const state = compressState(text(length), 5);
  if (state instanceof Uint8Array) throw new Error('not compressed');
  return state;
}

const refusalOf = (state: StateOnWire, engine: Lz4Engine = native): unknown => {
  const reading = restoreState(state, expectation, engine);
  return reading.outcome === 'refused' ? reading.refusal : reading;
};

describe('state on the wire (BR-5)', () => {
  it('is raw up to 1,024 bytes, and compressed above', () => {
    expect(compressState(new Uint8Array(COMPRESSED_ABOVE_BYTES), 5)).toBeInstanceOf(Uint8Array);
    expect(compressState(new Uint8Array(COMPRESSED_ABOVE_BYTES + 1), 5)).toMatchObject({
      sequence: 5,
      originalSize: COMPRESSED_ABOVE_BYTES + 1,
    });
  });

  it('carries the CRC-32 of its serialised bytes, as another implementation has it', () => {
    expect(compressed().checksum).toBe(crc.buf(text(4_000), 0) >>> 0);
  });

  it('is raw where LZ4 makes it no shorter', () => {
    const noise = Uint8Array.from({ length: 3_000 }, (_, index) => (index * index * 7919) >>> 5);
    for (const engine of ENGINES) {
      const state = compressState(noise, 5, engine);
      expect(state).toBe(noise);
      expect(restoreState(state, expectation, engine)).toEqual({ outcome: 'read', serialised: noise });
    }
  });

  for (const writer of ENGINES) {
    for (const reader of ENGINES) {
      it(`comes back from ${writer.name} through ${reader.name}, whatever it is`, () => {
        const bytes = fc.oneof(
          fc.uint8Array({ minLength: 1, maxLength: 3_000 }),
          fc
            .tuple(fc.uint8Array({ minLength: 1, maxLength: 90 }), fc.integer({ min: 1, max: 100 }))
            .map(([once, times]) => Uint8Array.from(new Array(times).fill([...once]).flat())),
        );
        fc.assert(
          fc.property(bytes, (serialised) => {
            const state = compressState(serialised, 5, writer);
            expect(restoreState(state, expectation, reader)).toEqual({ outcome: 'read', serialised });
          }),
          { numRuns: 300 },
        );
      });
    }
  }
});

describe('state that is refused (BR-5)', () => {
  it('holds another state than its checksum is of: State checksum mismatch', () => {
    const honest = compressed();
    const got = honest.checksum;
    expect(refusalOf({ ...honest, checksum: 1 })).toEqual({
      code: 'STATE_CHECKSUM_MISMATCH',
      problem: 'State checksum mismatch',
      expected: 1,
      got,
    });
  });

  it('is not as long as it says: Size mismatch', () => {
    const size = { code: 'STATE_SIZE_MISMATCH', problem: 'Size mismatch', got: 4_000 };
    expect(refusalOf({ ...compressed(), originalSize: 4_001 })).toEqual({ ...size, expected: 4_001 });
    expect(refusalOf({ ...compressed(), originalSize: 3_999 })).toEqual({ ...size, expected: 3_999 });
  });

  it('is no LZ4 block, with the fault and its place', () => {
    const honest = compressed();
    expect(refusalOf({ ...honest, data: honest.data.slice(0, -1) })).toEqual({
      code: 'STATE_BLOCK_MALFORMED',
      problem: 'Malformed LZ4 block',
      fault: 'TRUNCATED',
      offset: honest.data.byteLength - 1,
    });
    const data = Uint8Array.from([...honest.data, 1, 0, 0]);
    expect(refusalOf({ ...honest, data })).toMatchObject({ fault: 'TRAILING_BYTES' });
  });

  it('is larger than such a state is, raw or as it says, before it is looked at', () => {
    const large = { code: 'STATE_TOO_LARGE', problem: 'State too large', bytesMax: 10_000 };
    expect(refusalOf(new Uint8Array(10_001))).toEqual({ ...large, bytes: 10_001 });
    expect(refusalOf({ ...compressed(), originalSize: 2 ** 50 })).toEqual({ ...large, bytes: 2 ** 50 });
  });

  it('is compressed though it has 1,024 bytes at most, or though that makes it no shorter', () => {
    const bytes = text(1_024);
    const data = native.compress(bytes) ?? new Uint8Array();
    const small = { sequence: 5, data, checksum: crc.buf(bytes, 0) >>> 0, originalSize: 1_024 };
    expect(refusalOf(small)).toMatchObject({ code: 'STATE_COMPRESSED_NEEDLESSLY', originalSize: 1_024 });
    const longer = { ...compressed(), data: new Uint8Array(4_000) };
    expect(refusalOf(longer)).toMatchObject({ code: 'STATE_COMPRESSED_NEEDLESSLY', compressedSize: 4_000 });
  });

  it('is empty, raw or compressed', () => {
    expect(refusalOf(new Uint8Array())).toMatchObject({ code: 'STATE_EMPTY' });
    expect(refusalOf({ ...compressed(), data: new Uint8Array() })).toMatchObject({ code: 'STATE_EMPTY' });
  });

  it('is that of another message', () => {
    expect(refusalOf({ ...compressed(), sequence: 6 })).toMatchObject({
      code: 'STATE_SEQUENCE_MISMATCH',
      expected: 5,
      got: 6,
    });
  });

  it('is sound, and the engine fails at it: a refusal that blames nobody', () => {
    const broken: Lz4Engine = { ...portable, decompress: () => undefined };
    expect(refusalOf(compressed(), broken)).toEqual({
      code: 'STATE_NOT_DECOMPRESSED',
      problem: 'lz4js failed at a sound block',
    });
  });
});

describe('crafted states (BR-5)', () => {
  const COUNT = 6_600;
  const read = ({ state }: CraftedState, engine: Lz4Engine) =>
    restoreState(state, { sequence: CRAFTED_SEQUENCE, bytesMax: CRAFTED_BYTES_MAX }, engine);

  it(`of ${COUNT}, none is taken for what it is not, and both engines answer alike`, () => {
    const outcomes = new Map<string, Set<string>>();
    let left = COUNT;
    for (const crafted of craftedStates('crafted states', portable)) {
      const [one, other] = ENGINES.map((engine) => read(crafted, engine));
      expect(one).toEqual(other);
      if (one?.outcome === 'read')
        expect([crafted.craft, one.serialised]).toEqual([crafted.craft, crafted.original]);
      const outcome = one?.outcome === 'refused' ? one.refusal.code : 'read';
      outcomes.set(crafted.craft, (outcomes.get(crafted.craft) ?? new Set()).add(outcome));
      left -= 1;
      if (left === 0) break;
    }
    expect([...(outcomes.get('honest') ?? [])]).toEqual(['read']);
    const codes = new Set([...outcomes.values()].flatMap((each) => [...each]));
    expect([...codes].sort()).toEqual([
      'STATE_BLOCK_MALFORMED',
      'STATE_CHECKSUM_MISMATCH',
      'STATE_COMPRESSED_NEEDLESSLY',
      'STATE_EMPTY',
      'STATE_SEQUENCE_MISMATCH',
      'STATE_SIZE_MISMATCH',
      'STATE_TOO_LARGE',
      'read',
    ]);
  });
});
