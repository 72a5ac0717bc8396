/**
 * Plain values to bytes and back, as messages and contexts of cells hold them: objects, arrays, maps, sets, texts, numbers, bigints of any size,
 * byte strings, undefined. What is read shares no memory with what it was read from; zero has no sign. Gateway: msgpackr. Rules RP-1, RP-2.
 */
import { Packr } from 'msgpackr';
import { functionMark, type Keyframe, revive } from '../actors/runtime/index.ts';

// Records tell objects from maps, and name the fields of each shape once in a block.
// Without pointers: a few bytes of them make a value that nobody comes to the end of.
const OPTIONS = {
  ...{ useRecords: true, moreTypes: true, useBigIntExtension: true, copyBuffers: true },
  structuredClone: false,
} as const;

/** msgpackr has it, and its types do not tell of it. */
interface FunctionWriter {
  writeFunction?: (work: unknown) => unknown;
}

/** Packs values of one journal, whose functions have names. */
export class ValuePacker {
  readonly #packr: Packr;

  /** @param nameOf the name of a function; undefined for one that has none */
  constructor(nameOf: (work: unknown) => string | undefined) {
    const packr: Packr & FunctionWriter = new Packr(OPTIONS);
    packr.writeFunction = (work) => functionMark(nameOf(work) ?? '?');
    this.#packr = packr;
  }

  /** Immutable values in, a copy out. */
  pack(values: readonly unknown[]): Uint8Array {
    return new Uint8Array(this.#packr.pack(values));
  }
}

const unpackr = new Packr(OPTIONS);

/** The values of a block. @throws Error where the bytes are no values; their CRC was looked at before */
export function unpackValues(bytes: Uint8Array): readonly unknown[] {
  // Out of a plain array msgpackr copies plain arrays, out of a Buffer it would give Buffers, whose `slice` copies nothing.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: unknown = unpackr.unpack(plain);
  if (!Array.isArray(values)) throw new Error('a block holds a list of values');
  return values;
}

/** A keyframe of a running system, for a journal or for going back to it. */
export const packKeyframe = (packer: ValuePacker, keyframe: Keyframe): Uint8Array => packer.pack([keyframe]);

/** @param functionOf what cells call, by the name that `packer` gave it */
export const unpackKeyframe = (body: Uint8Array, functionOf: (name: string) => unknown): Keyframe =>
  // Gateway: written by `packKeyframe`; the CRC of a block holds.
  revive(unpackValues(body)[0], functionOf) as Keyframe;
