/** Writes canonical bytes into one growing buffer: big-endian u64, lengths before texts and byte strings. */
import type { ChainDomain, Digest, Epoch } from './types.ts';

/** First size of the buffer: a vote statement fits. @unit bytes */
const BYTES_FIRST = 512;

/** Append-only; `finish` hands out what was written. Values are whole numbers in 0..2^53-1 or bigints below 2^64. */
export class CanonicalWriter {
  #buffer = Buffer.allocUnsafe(BYTES_FIRST);
  #length = 0;

  u64(value: number | bigint): this {
    this.#reserve(8);
    if (typeof value === 'bigint') this.#buffer.writeBigUInt64BE(BigInt.asUintN(64, value), this.#length);
    else {
      this.#buffer.writeUInt32BE(Math.floor(value / 2 ** 32) >>> 0, this.#length);
      this.#buffer.writeUInt32BE(value >>> 0, this.#length + 4);
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
    this.#buffer.fill(0, this.#length, this.#length + bytes);
    this.#buffer.write(text, this.#length, bytes, 'hex');
    this.#length += bytes;
    return this;
  }

  /** A byte string behind its length. */
  prefixed(bytes: Uint8Array): this {
    return this.u64(bytes.byteLength).fixed(bytes);
  }

  /** A UTF-8 text behind its length in bytes. */
  text(value: string): this {
    const bytes = Buffer.byteLength(value);
    this.u64(bytes).#reserve(bytes);
    this.#length += this.#buffer.write(value, this.#length, bytes, 'utf8');
    return this;
  }

  /** How every statement begins: `althing/<kind>/v1`, genesis hash, chain id, epoch. */
  statement(kind: string, domain: ChainDomain, epoch: Epoch): this {
    const genesisHash: Digest = domain.genesisHash;
    return this.text(`althing/${kind}/v1`).hex(genesisHash).text(domain.chainId).u64(epoch);
  }

  finish(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#buffer, 0, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.byteLength) return;
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#buffer.byteLength, this.#length + bytes));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}
