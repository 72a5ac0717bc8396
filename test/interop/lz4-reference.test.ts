/** Our LZ4 blocks and those of the reference implementation, liblz4 by way of Debian's python3-lz4, both ways. Rule BR-5. */
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { checkBlock } from '../../src/transport/lz4/block.ts';
import { ENGINES } from '../transport/lz4/engines.ts';

/** Of each line, a byte string in base64: the block of it, or what the block after the length on the line holds; `!` where liblz4 refuses. */
const PYTHON = `
import base64, sys, lz4.block
for line in sys.stdin:
    work, size, text = line.split(' ')
    data = base64.b64decode(text)
    try:
        if work == 'decompress':
            print(base64.b64encode(lz4.block.decompress(data, uncompressed_size=int(size))).decode())
        else:
            print(base64.b64encode(lz4.block.compress(data, mode=work, store_size=False)).decode())
    except lz4.block.LZ4BlockError:
        print('!')
`;

interface Question {
  readonly work: 'default' | 'high_compression' | 'decompress';
  readonly bytes: Uint8Array;
  readonly size: number;
}

function ask(questions: readonly Question[]): readonly (Uint8Array | 'refused')[] {
  const input = questions.map(
    ({ work, size, bytes }) => `${work} ${size} ${Buffer.from(bytes).toString('base64')}\n`,
  );
  const answers = execFileSync('/usr/bin/python3', ['-c', PYTHON], {
    input: input.join(''),
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  return answers
    .split('\n')
    .slice(0, questions.length)
    .map((line) => (line === '!' ? 'refused' : new Uint8Array(Buffer.from(line, 'base64'))));
}

const draws = seededRandom('lz4 reference').stream('samples');

/** Letters of a small alphabet, so that matches are short and many, with some long repetitions. */
function sample(): Uint8Array {
  const bytes = new Uint8Array(1 + draws.below(3_000));
  const alphabet = 2 + draws.below(40);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = draws.below(alphabet);
  for (let left = draws.below(6); left > 0; left -= 1) {
    const from = draws.below(bytes.length);
    bytes.copyWithin(draws.below(bytes.length), from, from + draws.below(600));
  }
  return bytes;
}

const samples = Array.from({ length: 600 }, sample);

describe('LZ4 blocks and liblz4 (BR-5)', () => {
  for (const work of ['default', 'high_compression'] as const) {
    it(`every block that it makes (${work}) is sound, and both engines read it`, () => {
      const blocks = ask(samples.map((bytes) => ({ work, bytes, size: 0 })));
      for (const [index, block] of blocks.entries()) {
        const bytes = samples[index] ?? new Uint8Array();
        if (block === 'refused') throw new Error('liblz4 compressed nothing');
        const check = checkBlock(block, bytes.byteLength);
        if (check.outcome !== 'sound') throw new Error(`sample ${index}: ${JSON.stringify(check)}`);
        for (const engine of ENGINES) expect(engine.decompress(check.block)).toEqual(bytes);
      }
    });
  }

  for (const engine of ENGINES) {
    it(`it reads every block of ${engine.name}`, () => {
      const made = samples.flatMap((bytes) => {
        const block = engine.compress(bytes);
        return block === undefined ? [] : [{ bytes, block }];
      });
      expect(made.length).toBeGreaterThan(300);
      const read = ask(
        made.map(({ bytes, block }) => ({ work: 'decompress', bytes: block, size: bytes.byteLength })),
      );
      for (const [index, { bytes }] of made.entries()) expect(read[index]).toEqual(bytes);
    });
  }

  it('it refuses no block that the walk takes, and reads the same from it', () => {
    const taken = samples.flatMap((bytes, index) => {
      const block = Uint8Array.from(ENGINES[index % 2]?.compress(bytes) ?? bytes);
      for (let left = draws.below(4); left > 0; left -= 1)
        block[draws.below(block.length)] = draws.below(256);
      const first = checkBlock(block, bytes.byteLength);
      const check =
        first.outcome === 'size' && first.produced < 1e6 ? checkBlock(block, first.produced) : first;
      return check.outcome === 'sound' && check.block.originalSize > 0 ? [check.block] : [];
    });
    expect(taken.length).toBeGreaterThan(100);
    const read = ask(
      taken.map(({ bytes, originalSize }) => ({ work: 'decompress', bytes, size: originalSize })),
    );
    for (const [index, block] of taken.entries()) {
      for (const engine of ENGINES) expect(engine.decompress(block)).toEqual(read[index]);
    }
  });
});
