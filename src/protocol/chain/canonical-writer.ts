/** Writes canonical bytes into one growing buffer: big-endian u64, lengths before texts and byte strings. Needs nothing of Node's. */
import type { ChainDomain, Digest, Epoch } from './types.ts';

/** First size of the buffer: a vote statement fits. @unit bytes */
const BYTES_FIRST = 512;
const ASCII_MAX = 0x7f;
const WIDE_HALF = 2 ** 32;

const encoder = new TextEncoder();

/** Append-only; `finish` hands out what was written. Values are whole numbers in 0..2^53-1 or bigints below 2^64. */
export class CanonicalWriter {
  #buffer = new Uint8Array(BYTES_FIRST);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;

  u64(value: number | bigint): this {
    this.#reserve(8);
    if (typeof value === 'bigint') this.#view.setBigUint64(this.#length, BigInt.asUintN(64, value));
    else {
      this.#view.setUint32(this.#length, Math.floor(value / WIDE_HALF));
      this.#view.setUint32(this.#length + 4, value);
    }
    this.#length += 8;
    return this;
  }

  /** Bytes of a known length, as they are. */
  fixed(bytes: Uint8Array): this {
    this.#reserve(bytes.byteLength);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.byteLength;
    return this;
  }

  /** Hex text of a known length, as bytes: digests, ids, addresses. */
  hex(text: string): this {
    const bytes = text.length >>> 1;
    this.#reserve(bytes);
    for (let index = 0; index < bytes; index += 1) {
      const high = nibbleOf(text.charCodeAt(2 * index));
      this.#buffer[this.#length + index] = (high << 4) | nibbleOf(text.charCodeAt(2 * index + 1));
    }
    this.#length += bytes;
    return this;
  }

  /** A byte string behind its length. */
  prefixed(bytes: Uint8Array): this {
    return this.u64(bytes.byteLength).fixed(bytes);
  }

  /** A UTF-8 text behind its length in bytes. */
  text(value: string): this {
    const at = this.#length + 8;
    this.#reserve(8 + value.length);
    for (let index = 0; index < value.length; index += 1) {
      const letter = value.charCodeAt(index);
      // Most are plain; a call to an encoder takes longer than all of them.
      if (letter > ASCII_MAX) return this.prefixed(encoder.encode(value));
      this.#buffer[at + index] = letter;
    }
    this.u64(value.length);
    this.#length += value.length;
    return this;
  }

  /** How every statement begins: `althing/<kind>/v1`, genesis hash, chain id, epoch. */
  statement(kind: string, domain: ChainDomain, epoch: Epoch): this {
    const genesisHash: Digest = domain.genesisHash;
    return this.text(`althing/${kind}/v1`).hex(genesisHash).text(domain.chainId).u64(epoch);
  }

  finish(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.byteLength) return;
    const grown = new Uint8Array(Math.max(2 * this.#buffer.byteLength, this.#length + bytes));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Of a letter of lower-case hex: digits are 0x30 to 0x39, a to f are 0x61 to 0x66. */
const nibbleOf = (letter: number): number => (letter & 15) + (letter > 0x39 ? 9 : 0);
