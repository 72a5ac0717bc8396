/** Compressed states as an attacker makes them, decided by a seed: each with its name and whether it may be taken. Rule BR-5. */
import { crc32 } from 'node:zlib';
import { type RandomStream, seededRandom } from '../../../src/base/random.ts';
import type { CompressedState, StateOnWire } from '../../../src/transport/codec/compressed-state.ts';
import type { Lz4Engine } from '../../../src/transport/lz4/engine.ts';

export interface CraftedState {
  readonly craft: string;
  readonly state: StateOnWire;
  /** The bytes that it was made of: the only ones that it may be taken as, if at all. */
  readonly original: Uint8Array;
}

/** What a reader of these expects. @unit bytes */
export const CRAFTED_BYTES_MAX = 24 * 1024;
export const CRAFTED_SEQUENCE = 7;
/** What a frame of the kind StateSync has room for. @unit bytes */
const DATA_BYTES_MAX = 32 * 1024 - 64;

/** Repetitions, noise and runs in turn, of a length that may be compressed and may not. */
function original(draws: RandomStream): Uint8Array {
  const bytes = new Uint8Array(1_025 + draws.below(CRAFTED_BYTES_MAX - 1_024));
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + draws.below(400);
    const from = draws.below(Math.max(1, at));
    switch (draws.below(3)) {
      case 0:
        for (let index = 0; index < length; index += 1) bytes[at + index] = draws.below(256);
        break;
      case 1:
        bytes.fill(draws.below(256), at, at + length);
        break;
      default:
        bytes.copyWithin(at, from, from + length);
    }
    at += length;
  }
  return bytes;
}

type Craft = (honest: CompressedState, draws: RandomStream, original: Uint8Array) => StateOnWire;

const withData = (state: CompressedState, data: Uint8Array): CompressedState => ({ ...state, data });

/** A literal, then one match whose length goes on for `bytes` bytes, then the end as the format asks for it. */
function bomb(bytes: number, offset: number): Uint8Array {
  const head = [0x1f, 0x41, offset & 0xff, offset >> 8];
  const length = new Uint8Array(bytes).fill(255);
  return Uint8Array.from([...head, ...length, 0, 0xc0, ...new Array<number>(12).fill(0x41)]);
}

const CRAFTS: Readonly<Record<string, Craft>> = {
  honest: (state) => state,
  'mutated bytes': (state, draws) => {
    const data = Uint8Array.from(state.data);
    for (let left = 1 + draws.below(4); left > 0; left -= 1)
      data[draws.below(data.length)] = draws.below(256);
    return withData(state, data);
  },
  truncated: (state, draws) => withData(state, state.data.slice(0, draws.below(state.data.length))),
  'bytes behind': (state, draws) =>
    withData(state, Uint8Array.from([...state.data, ...state.data.subarray(0, 1 + draws.below(20))])),
  'bytes moved': (state, draws) => {
    const data = Uint8Array.from(state.data);
    const from = draws.below(data.length);
    data.copyWithin(draws.below(data.length), from, from + draws.below(200));
    return withData(state, data);
  },
  'long match, true length': (state, draws) => {
    const bytes = draws.below(DATA_BYTES_MAX - 64);
    return {
      ...state,
      data: bomb(bytes, 1),
      originalSize: 1 + 19 + 255 * bytes + 12,
    };
  },
  'long match, length of the state': (state, draws) =>
    withData(state, bomb(draws.below(DATA_BYTES_MAX - 64), 1)),
  'many matches': (state, draws) => {
    const sequences = Array.from({ length: 1 + draws.below(4_000) }, () => [0x0f, 1, 0, 255, 255, 255, 0]);
    return withData(state, Uint8Array.from([0x1f, 0x41, 1, 0, 0, ...sequences.flat(), 0x50, 1, 2, 3, 4, 5]));
  },
  'offset 0': (state, draws) => withData(state, bomb(draws.below(90), 0)),
  'offset before the start': (state, draws) =>
    withData(state, bomb(draws.below(90), 2 + draws.below(65_000))),
  'longer than said': (state, draws) => ({
    ...state,
    originalSize: state.originalSize - 1 - draws.below(900),
  }),
  'shorter than said': (state, draws) => ({
    ...state,
    originalSize: state.originalSize + 1 + draws.below(900),
  }),
  'size beyond all': (state, draws) => ({ ...state, originalSize: 2 ** (20 + draws.below(32)) }),
  'size of nothing': (state) => ({ ...state, originalSize: 0 }),
  'another checksum': (state, draws) => ({
    ...state,
    checksum: (state.checksum ^ (1 << draws.below(31))) >>> 0,
  }),
  'another state under its checksum': (state, draws, bytes) => {
    const data = bomb(80, 1);
    const size = 1 + 19 + 255 * 80 + 12;
    return draws.below(2) === 0
      ? { ...state, data, originalSize: size }
      : { ...state, data, checksum: crc32(bytes), originalSize: bytes.byteLength };
  },
  'another sequence': (state, draws) => ({ ...state, sequence: 8 + draws.below(1_000) }),
  empty: (state) => withData(state, new Uint8Array()),
  'empty and raw': () => new Uint8Array(),
  'raw and too long': () => new Uint8Array(CRAFTED_BYTES_MAX + 1),
  noise: (state, draws) =>
    withData(
      state,
      Uint8Array.from({ length: 1 + draws.below(2_000) }, () => draws.below(256)),
    ),
  'only 255': (state, draws) => withData(state, new Uint8Array(1 + draws.below(DATA_BYTES_MAX)).fill(255)),
};

/** Different states before they are used again. @unit states @source chosen: making one takes longer than reading it */
const HONEST = 64;

/** Endless; the same for the same seed. */
export function* craftedStates(seed: string, engine: Lz4Engine): Generator<CraftedState, never> {
  const draws = seededRandom(seed).stream('crafted');
  const honest = Array.from({ length: HONEST }, () => {
    for (;;) {
      const bytes = original(draws);
      const data = engine.compress(bytes);
      if (data === undefined) continue;
      const state = { sequence: CRAFTED_SEQUENCE, data, checksum: crc32(bytes), originalSize: bytes.length };
      return { bytes, state };
    }
  });
  for (;;) {
    for (const [craft, make] of Object.entries(CRAFTS)) {
      const one = honest[draws.below(HONEST)];
      if (one === undefined) continue;
      yield { craft, state: make(one.state, draws, one.bytes), original: one.bytes };
    }
  }
}
