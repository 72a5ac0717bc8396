/**
 * Fields one after the other, without names or gaps: numbers are big-endian, and every width is known beforehand, so that
 * what was written has one reading and what was read one writing. Pure; runs in a browser. docs/ledger.md, LG-2.
 */

/** The greatest number of a field, and of any amount. @unit 1 @source LG-1: eight bytes */
export const U64_MAX = 2n ** 64n - 1n;

/** Writes into a buffer of the length that was said; the caller's widths must add up to it. */
export class FieldWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(length: number) {
    this.#bytes = new Uint8Array(length);
    this.#view = new DataView(this.#bytes.buffer);
  }

  u8(value: number): this {
    this.#view.setUint8(this.#offset, value);
    this.#offset += 1;
    return this;
  }

  /** @throws RangeError outside 0..2^64-1: a number that was cut would be another number */
  u64(value: bigint): this {
    if (value < 0n || value > U64_MAX) throw new RangeError(`${value} is not a number of eight bytes`);
    this.#view.setBigUint64(this.#offset, value);
    this.#offset += 8;
    return this;
  }

  fixed(bytes: Uint8Array, length: number): this {
    if (bytes.byteLength !== length) {
      throw new RangeError(`a field of ${length} bytes cannot hold ${bytes.byteLength}`);
    }
    this.#bytes.set(bytes, this.#offset);
    this.#offset += length;
    return this;
  }

  /** @throws RangeError when the widths did not add up */
  finish(): Uint8Array {
    if (this.#offset !== this.#bytes.byteLength) {
      throw new RangeError(`${this.#offset} of ${this.#bytes.byteLength} bytes were written`);
    }
    return this.#bytes;
  }
}

/** Reads what `FieldWriter` wrote. Lengths are checked by the caller, before. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = offset;
  }

  u8(): number {
    this.#offset += 1;
    return this.#view.getUint8(this.#offset - 1);
  }

  u64(): bigint {
    this.#offset += 8;
    return this.#view.getBigUint64(this.#offset - 8);
  }

  /** A copy: a view would keep the batch around it alive. */
  fixed(length: number): Uint8Array {
    this.#offset += length;
    return this.#bytes.slice(this.#offset - length, this.#offset);
  }
}
