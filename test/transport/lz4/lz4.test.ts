import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CheckedBlock, checkBlock } from '../../../src/transport/lz4/block.ts';
import type { Lz4Engine } from '../../../src/transport/lz4/engine.ts';
import { createPortableEngine } from '../../../src/transport/lz4/portable.ts';
import { chooseLz4Engine, LZ4 } from '../../../src/transport/lz4/select.ts';
import { ENGINES, native, portable } from './engines.ts';

const letters = (count: number): number[] => new Array<number>(count).fill(0x41);

/** Bytes that repeat themselves, as state does. */
const repetitive = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat({ max: 60 })), { maxLength: 40 })
  .map((runs) => Uint8Array.from(runs.flatMap(([bytes, times]) => new Array(times).fill([...bytes]).flat())));
const anyBytes = fc.oneof(repetitive, fc.uint8Array({ maxLength: 3_000 }));

const soundBlock = (bytes: Uint8Array, originalSize: number): CheckedBlock => {
  const check = checkBlock(bytes, originalSize);
  if (check.outcome !== 'sound') throw new Error(JSON.stringify(check));
  return check.block;
};

describe('the walk over a block (BR-5)', () => {
  const faults: Readonly<Record<string, readonly [readonly number[], number, object]>> = {
    'nothing at all': [[], 0, { fault: 'TRUNCATED', offset: 0 }],
    'fewer literals than its token says': [[0x30, 1, 2], 3, { fault: 'TRUNCATED', offset: 3 }],
    'a length of literals that does not end': [[0xf0, 255, 255], 600, { fault: 'TRUNCATED', offset: 3 }],
    'half an offset': [[0x10, 1, 1], 20, { fault: 'TRUNCATED', offset: 3 }],
    'a length of a match that does not end': [[0x1f, 1, 1, 0, 255], 300, { fault: 'TRUNCATED', offset: 5 }],
    'a match and nothing after it': [[0x10, 1, 1, 0], 5, { fault: 'TRUNCATED', offset: 4 }],
    'an offset of 0': [[0x10, 1, 0, 0, 0xc0, ...letters(12)], 17, { fault: 'OFFSET_ZERO', offset: 2 }],
    'an offset before the first byte': [
      [0x10, 1, 2, 0, 0xc0, ...letters(12)],
      17,
      { fault: 'OFFSET_BEFORE_START', offset: 2 },
    ],
    'a match as its first': [[0x00, 1, 0, 0xc0, ...letters(12)], 16, { fault: 'OFFSET_BEFORE_START' }],
    'fewer than 5 literals at the end': [
      [0x1f, 1, 1, 0, 20, 0x40, ...letters(4)],
      44,
      { fault: 'MATCH_NEAR_END' },
    ],
    'a last match 11 bytes before the end': [
      [0x10, 1, 1, 0, 0x70, ...letters(7)],
      12,
      { fault: 'MATCH_NEAR_END' },
    ],
    'a match in the last token': [[0x51, ...letters(5)], 5, { fault: 'LAST_TOKEN_HAS_MATCH', offset: 0 }],
    'bytes behind the last of the state': [
      [0x50, ...letters(5), 1, 0, 0x50, ...letters(5)],
      5,
      { fault: 'TRAILING_BYTES', offset: 6 },
    ],
  };
  for (const [what, [bytes, originalSize, refusal]] of Object.entries(faults)) {
    it(`refuses ${what}`, () => {
      expect(checkBlock(Uint8Array.from(bytes), originalSize)).toMatchObject({
        outcome: 'malformed',
        ...refusal,
      });
    });
  }

  it('takes a last match 12 bytes before the end, and the shortest blocks', () => {
    expect(checkBlock(Uint8Array.of(0x10, 1, 1, 0, 0x80, ...letters(8)), 13).outcome).toBe('sound');
    expect(checkBlock(Uint8Array.of(0x00), 0).outcome).toBe('sound');
    expect(checkBlock(Uint8Array.of(0x10, 9), 1).outcome).toBe('sound');
  });

  it('tells the exact length of a sound block that is not as long as was said', () => {
    fc.assert(
      fc.property(anyBytes, fc.integer({ min: -5, max: 5 }), (bytes, wrong) => {
        const block = native.compress(bytes);
        fc.pre(block !== undefined && wrong !== 0);
        const check = checkBlock(block, bytes.byteLength + wrong);
        // Where the shorter length ends a sequence's literals, the rest is behind the end.
        if (check.outcome === 'malformed') expect(check.fault).toBe('TRAILING_BYTES');
        else expect(check).toEqual({ outcome: 'size', produced: bytes.byteLength });
      }),
    );
  });

  it('measures 1.6 GB in a block of 6.4 MB, and makes none of them', () => {
    const length = 6_400_000;
    const block = new Uint8Array(5 + length + 14).fill(255);
    block.set([0x1f, 0x41, 1, 0]);
    block.set([0, 0xc0, ...letters(12)], block.byteLength - 14);
    const before = process.memoryUsage().rss;
    const produced = 1 + 19 + 255 * (length + 1) + 12;
    expect(checkBlock(block, 2_000)).toEqual({ outcome: 'size', produced });
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  });

  it('never throws, and both engines read the same from whatever it takes', () => {
    fc.assert(
      fc.property(
        anyBytes,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }),
        fc.constantFrom(...ENGINES),
        (bytes, edits, engine) => {
          const block = Uint8Array.from(engine.compress(bytes) ?? bytes);
          for (const [place, value] of edits) block[place % Math.max(1, block.length)] = value;
          const first = checkBlock(block, bytes.byteLength);
          const check =
            first.outcome === 'size' && first.produced < 1e6 ? checkBlock(block, first.produced) : first;
          if (check.outcome !== 'sound') return;
          const [one, other] = ENGINES.map((each) => each.decompress(check.block));
          expect(one).toBeDefined();
          expect(one).toEqual(other);
        },
      ),
      { numRuns: 5_000 },
    );
  });
});

describe('LZ4 engines (BR-5)', () => {
  for (const writer of ENGINES) {
    for (const reader of ENGINES) {
      it(`${reader.name} gives back any bytes that ${writer.name} makes shorter`, () => {
        fc.assert(
          fc.property(anyBytes, (bytes) => {
            const block = writer.compress(bytes);
            if (block === undefined) return;
            expect(block.byteLength).toBeLessThan(bytes.byteLength);
            expect(reader.decompress(soundBlock(block, bytes.byteLength))).toEqual(bytes);
          }),
          { numRuns: 1_000 },
        );
      });
    }

    it(`${writer.name} makes repetitions shorter, and gives up at noise`, () => {
      const noise = Uint8Array.from({ length: 3_000 }, (_, index) => (index * index * 7919) >>> 5);
      expect(writer.compress(new Uint8Array(4_000))?.byteLength).toBeLessThan(40);
      expect(writer.compress(noise)).toBeUndefined();
    });

    it(`${writer.name} keeps nothing of one call for the next`, () => {
      const bytes = Uint8Array.from({ length: 5_000 }, (_, index) => index % 251);
      const alone = writer.compress(bytes);
      for (let round = 0; round < 20; round += 1) {
        writer.compress(bytes.subarray(round));
        expect(writer.compress(bytes)).toEqual(alone);
      }
    });
  }
});

describe('the choice of an engine (BR-5)', () => {
  const wrong = (change: Partial<Lz4Engine>): Lz4Engine => ({
    ...createPortableEngine(),
    name: 'lz4-napi',
    ...change,
  });

  it('is the native one here, and says no reason', () => {
    expect(LZ4.engine.name).toBe('lz4-napi');
    expect(LZ4.fallbackReason).toBeUndefined();
  });

  it('is lz4js where the binary does not load, and says why', () => {
    const { engine, fallbackReason } = chooseLz4Engine(() => {
      throw new Error('no binary for this platform');
    });
    expect(engine.name).toBe('lz4js');
    expect(fallbackReason).toMatch(/did not load \(no binary for this platform\).*LZ4 runs in JavaScript/);
  });

  it('is lz4js where the binary is wrong', () => {
    for (const engine of [
      wrong({ decompress: ({ originalSize }) => new Uint8Array(originalSize) }),
      wrong({ decompress: () => undefined }),
      wrong({ compress: (bytes) => portable.compress(bytes)?.subarray(1) }),
      wrong({ compress: () => undefined }),
    ]) {
      expect(chooseLz4Engine(() => engine)).toMatchObject({
        engine: { name: 'lz4js' },
        fallbackReason: expect.stringContaining('gave wrong bytes'),
      });
    }
  });
});
