/**
 * Reads what `CanonicalWriter` wrote, from anybody: big-endian u64, lengths before texts and byte strings. Total: after the
 * first thing that cannot be, everything reads as nothing, and `isRead` says so at the end. Takes no more memory than it is given.
 */
import { toHex } from '../../base/bytes.ts';
import { ORDINAL_MAX } from './ordinals.ts';

const NOTHING = new Uint8Array(0);

export class CanonicalReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #isBroken = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Everything was what it must be so far. */
  get isSound(): boolean {
    return !this.#isBroken;
  }

  /** Everything was what it must be, and nothing is left. */
  get isRead(): boolean {
    return !this.#isBroken && this.#at === this.#bytes.byteLength;
  }

  /** What was read cannot be: from now on there is nothing. */
  refuse(): void {
    this.#isBroken = true;
  }

  wide(): bigint {
    return this.#has(8) ? this.#view.getBigUint64(this.#at - 8) : 0n;
  }

  /** A whole number in 0..`max`. */
  u64(max = ORDINAL_MAX): number {
    const value = this.wide();
    if (value <= BigInt(max)) return Number(value);
    this.refuse();
    return 0;
  }

  /** So many bytes, as they are: a copy, since the whole may be a view of memory that is used again. */
  fixed(length: number): Uint8Array {
    return this.#has(length) ? new Uint8Array(this.#bytes.subarray(this.#at - length, this.#at)) : NOTHING;
  }

  /** So many bytes, as lower-case hex. */
  hex(length: number): string {
    return toHex(this.fixed(length));
  }

  /** A byte string behind its length. */
  prefixed(max: number): Uint8Array {
    return this.fixed(this.u64(max));
  }

  /** A UTF-8 text behind its length in bytes. */
  text(bytesMax: number): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.prefixed(bytesMax));
    } catch {
      this.refuse();
      return '';
    }
  }

  #has(length: number): boolean {
    if (this.#isBroken || length > this.#bytes.byteLength - this.#at) {
      this.refuse();
      return false;
    }
    this.#at += length;
    return true;
  }
}
