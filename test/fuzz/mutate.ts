/**
 * Makes inputs out of inputs: bytes flipped, cut, repeated and spliced, extreme integers, lengths that lie, words of a
 * dictionary. Mutations that know a form (msgpack, JSON, lines) stand in `forms/`. Deterministic by its draws.
 */
import { seededRandom } from '../../src/base/random.ts';

/** Numbers by a seed. */
export interface Draws {
  /** 0..count-1. */
  readonly below: (count: number) => number;
  readonly pick: <Item>(items: readonly Item[]) => Item | undefined;
}

/** `donor` is another input of the corpus. The result may equal the input. */
export type Mutation = (input: Uint8Array, draws: Draws, from: MutationSource) => Uint8Array;

export interface MutationSource {
  readonly donor: Uint8Array;
  readonly dictionary: readonly Uint8Array[];
  /** @unit bytes */
  readonly bytesMax: number;
}

/** Draws by a seed. */
export function drawsOf(seed: number | string): Draws {
  const stream = seededRandom(seed).stream('fuzz');
  const below = (count: number): number => stream.below(Math.max(1, count));
  return { below, pick: (items) => items[below(items.length)] };
}

/** One to eight mutations on top of each other. */
export function mutated(
  input: Uint8Array,
  draws: Draws,
  from: MutationSource,
  forms: readonly Mutation[],
): Uint8Array {
  let bytes = input;
  for (let left = 1 << (draws.below(2) * draws.below(4)); left > 0; left -= 1) {
    // Most of them know the form, where there is one.
    const ofForm = forms.length > 0 && draws.below(8) > 0;
    const mutation = draws.pick(ofForm ? forms : OF_BYTES) ?? flipBit;
    bytes = mutation(bytes, draws, from);
    if (bytes.byteLength > from.bytesMax) bytes = bytes.subarray(0, from.bytesMax);
  }
  return bytes;
}

const changed = (input: Uint8Array, change: (bytes: Uint8Array) => void): Uint8Array => {
  const bytes = new Uint8Array(input);
  if (bytes.byteLength > 0) change(bytes);
  return bytes;
};

const flipBit: Mutation = (input, { below }) =>
  changed(input, (bytes) => {
    const at = below(bytes.byteLength);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
  });

const setByte: Mutation = (input, { below }) =>
  changed(input, (bytes) => {
    bytes[below(bytes.byteLength)] = below(256);
  });

/** Bytes that mean something to parsers: msgpack's heads, ends of ranges, quotes and brackets. */
const TELLING = [
  0x00, 0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xca, 0xcb,
]
  .concat([0xcc, 0xcf, 0xd3, 0xd6, 0xdb, 0xdd, 0xdf, 0xe0, 0xfe, 0xff])
  .concat([...'"\'\\[]{}(),:;=.+-#&?%!\r\n\t 09azAZ_'].map((letter) => letter.charCodeAt(0)));

const setTelling: Mutation = (input, { below, pick }) =>
  changed(input, (bytes) => {
    bytes[below(bytes.byteLength)] = pick(TELLING) ?? 0;
  });

const addToByte: Mutation = (input, { below }) =>
  changed(input, (bytes) => {
    const at = below(bytes.byteLength);
    bytes[at] = (bytes[at] ?? 0) + below(71) - 35;
  });

const EXTREMES: readonly bigint[] = [
  ...[0n, 1n, 127n, 128n, 255n, 256n, 32_767n, 32_768n, 65_535n, 65_536n],
  ...[
    2n ** 31n - 1n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 52n,
    2n ** 53n - 1n,
    2n ** 53n,
    2n ** 63n,
    2n ** 64n - 1n,
  ],
];

/** An integer of 1, 2, 4 or 8 bytes, of either order, at an end of some range: also a length that lies. */
const setInteger: Mutation = (input, { below, pick }) =>
  changed(input, (bytes) => {
    const width = 1 << below(4);
    if (bytes.byteLength < width) return;
    const scratch = new DataView(new ArrayBuffer(8));
    scratch.setBigUint64(0, BigInt.asUintN(64, (pick(EXTREMES) ?? 0n) - BigInt(below(3)) + 1n));
    const integer = new Uint8Array(scratch.buffer).slice(8 - width);
    bytes.set(below(2) === 0 ? integer : integer.reverse(), below(bytes.byteLength - width + 1));
  });

const setDouble: Mutation = (input, { below, pick }) =>
  changed(input, (bytes) => {
    if (bytes.byteLength < 8) return;
    const value =
      pick([0, -0, 1.5, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 2 ** 52, 1e300, 5e-324]) ?? 0;
    new DataView(bytes.buffer).setFloat64(below(bytes.byteLength - 7), value);
  });

/** `bytes` in place of `length` bytes at `at`. */
export function replaced(input: Uint8Array, at: number, length: number, bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(input.byteLength - length + bytes.byteLength);
  result.set(input.subarray(0, at));
  result.set(bytes, at);
  result.set(input.subarray(at + length), at + bytes.byteLength);
  return result;
}

const spanOf = (length: number, { below }: Draws): { readonly at: number; readonly length: number } => {
  const at = below(length + 1);
  const longest = Math.min(length - at, below(4) === 0 ? length : 16);
  return { at, length: below(longest + 1) };
};

const cut: Mutation = (input, draws) => {
  const { at, length } = spanOf(input.byteLength, draws);
  return replaced(input, at, length, new Uint8Array());
};

const truncate: Mutation = (input, { below }) => input.slice(0, below(input.byteLength + 1));

const insertRandom: Mutation = (input, { below }) => {
  const bytes = Uint8Array.from({ length: 1 + below(8) }, () => below(256));
  return replaced(input, below(input.byteLength + 1), 0, bytes);
};

/** A part, again and again, now and then up to the greatest length: what costs more than its length shows here. */
const repeat: Mutation = (input, draws, { bytesMax }) => {
  const { at, length } = spanOf(input.byteLength, draws);
  if (length === 0) return input;
  const room = Math.max(0, bytesMax - input.byteLength);
  const count = draws.below(64) === 0 ? Math.floor(room / length) : 1 + draws.below(8);
  const part = Buffer.from(input.subarray(at, at + length));
  return replaced(input, at, 0, Buffer.alloc(Math.min(room, length * count), part));
};

const splice: Mutation = (input, draws, { donor }) => {
  const there = spanOf(donor.byteLength, draws);
  const here = spanOf(input.byteLength, draws);
  const part = donor.subarray(there.at, there.at + there.length);
  return replaced(input, here.at, draws.below(2) === 0 ? here.length : 0, part);
};

/** The beginning of this one and the end of another. */
const cross: Mutation = (input, { below }, { donor }) => {
  const at = below(Math.min(input.byteLength, donor.byteLength) + 1);
  return replaced(input, at, input.byteLength - at, donor.subarray(at));
};

const insertWord: Mutation = (input, draws, { dictionary }) => {
  const word = draws.pick(dictionary) ?? new Uint8Array();
  const at = draws.below(input.byteLength + 1);
  const over = draws.below(2) === 0 ? Math.min(word.byteLength, input.byteLength - at) : 0;
  return replaced(input, at, over, word);
};

const OF_BYTES: readonly Mutation[] = [
  ...[flipBit, setByte, setTelling, addToByte, setInteger, setInteger, setDouble],
  ...[cut, truncate, insertRandom, repeat, splice, splice, cross, insertWord, insertWord],
];
