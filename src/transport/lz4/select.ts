/**
 * Which LZ4 engine this machine runs: lz4-napi where its binary loads and is right, lz4js elsewhere. Chosen once, when this
 * module loads. Loads a native module. Rule BR-5.
 */
import { createRequire } from 'node:module';
import { equalBytes } from '../../base/bytes.ts';
import { checkBlock } from './block.ts';
import type { Lz4Engine } from './engine.ts';
import { createNativeEngine, type Lz4Library } from './native.ts';
import { createPortableEngine } from './portable.ts';

/** The engine to use; `fallbackReason` says why it is not the first choice, for the log. */
export interface Lz4EngineChoice {
  readonly engine: Lz4Engine;
  readonly fallbackReason?: string;
}

/** The engine that `load` gives, or the portable one when it throws or its engine is wrong. Never throws. */
export function chooseLz4Engine(load: () => Lz4Engine): Lz4EngineChoice {
  try {
    const engine = load();
    return isRight(engine) ? { engine } : portable('gave wrong bytes');
  } catch (error) {
    return portable(`did not load (${error instanceof Error ? error.message : String(error)})`);
  }
}

const portable = (problem: string): Lz4EngineChoice => ({
  engine: createPortableEngine(),
  fallbackReason: `lz4-napi ${problem} on ${process.platform}-${process.arch}; LZ4 runs in JavaScript, and a state of 24 KiB takes up to half a millisecond`,
});

/** Twice the length that a frame's state has at most. @unit bytes */
const SAMPLE_BYTES = 48 * 1024;

/** Compresses a sample of runs, repetitions and noise, and gives it back. */
function isRight(engine: Lz4Engine): boolean {
  const sample = Uint8Array.from({ length: SAMPLE_BYTES }, (_, index) =>
    index % 3_000 < 1_000 ? 7 : (index * index * 31) >>> (index % 5),
  );
  const bytes = engine.compress(sample);
  const check = bytes === undefined ? undefined : checkBlock(bytes, sample.byteLength);
  if (check?.outcome !== 'sound') return false;
  const again = engine.decompress(check.block);
  return again !== undefined && equalBytes(again, sample);
}

function loadNative(): Lz4Engine {
  const require = createRequire(import.meta.url);
  const library: Lz4Library = require('lz4-napi');
  return createNativeEngine(library);
}

/** This process's engine. */
export const LZ4: Lz4EngineChoice = chooseLz4Engine(loadNative);
