/**
 * LZ4 and CRC-32 by engine, in microseconds and MB/s, at fixed sizes: lists of executed states, zeros, noise; and the walk that
 * comes before decompression. Run: npm run bench -- lz4. Set-up is outside the loops; each line is the median of 5 runs.
 */
import { crc32 } from 'node:zlib';
import crc from 'crc-32';
import { seededRandom } from '../src/base/random.ts';
import { packr } from '../src/transport/codec/packr.ts';
import { checkBlock } from '../src/transport/lz4/block.ts';
import { ENGINES } from '../test/transport/lz4/engines.ts';

const RUNS = 5;
const SIZES = [1_024, 64 * 1_024, 1_024 * 1_024];
/** Of each run. @unit bytes */
const BYTES_A_RUN = 4 * 1_024 * 1_024;

const draws = seededRandom('lz4 bench').stream('bytes');
const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => draws.below(256));

/** As a StateSync has it: half of it hashes in hex. */
function states(length: number): Uint8Array {
  const list = Array.from({ length: Math.ceil(length / 80) }, (_, index) => ({
    height: 1_000_000 - index,
    appHash: Buffer.from(noise(32)).toString('hex'),
  }));
  return new Uint8Array(packr.pack(list)).slice(0, length);
}

const SAMPLES: Readonly<Record<string, (length: number) => Uint8Array>> = {
  states,
  zeros: (length) => new Uint8Array(length),
  noise,
};

function measure(name: string, bytes: number, call: () => unknown): void {
  const repeats = Math.max(3, Math.ceil(BYTES_A_RUN / bytes));
  for (let count = 0; count < repeats; count += 1) call();
  const micros = Array.from({ length: RUNS }, () => {
    const start = process.hrtime.bigint();
    for (let count = 0; count < repeats; count += 1) call();
    return Number(process.hrtime.bigint() - start) / 1_000 / repeats;
  });
  const median = micros.sort((left, right) => left - right)[RUNS >> 1] ?? Number.NaN;
  console.log(`| ${name} | ${median.toFixed(1)} | ${(bytes / median).toFixed(0)} |`);
}

console.log('| what | µs | MB/s of the state |\n|---|---|---|');
for (const size of SIZES) {
  for (const [what, make] of Object.entries(SAMPLES)) {
    const bytes = make(size);
    for (const engine of ENGINES) {
      const block = engine.compress(bytes);
      const label = `${size / 1_024} KiB of ${what}, ${engine.name}`;
      measure(`${label}: compress to ${block?.byteLength ?? 'nothing shorter'}`, size, () =>
        engine.compress(bytes),
      );
      if (block === undefined) continue;
      const check = checkBlock(block, size);
      if (check.outcome !== 'sound') throw new Error(`${label}: ${JSON.stringify(check)}`);
      measure(`${label}: walk`, size, () => checkBlock(block, size));
      measure(`${label}: decompress`, size, () => engine.decompress(check.block));
    }
  }
  const bytes = noise(size);
  measure(`${size / 1_024} KiB, CRC-32 of node:zlib`, size, () => crc32(bytes));
  measure(`${size / 1_024} KiB, CRC-32 of crc-32`, size, () => crc.buf(bytes, 0));
}
