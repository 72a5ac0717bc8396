/**
 * Hashes of 32 bytes in numbered slots, in pages of memory. Those of the slots 2n and 2n + 1 lie together: pair n, to be
 * hashed as one. Mutable, no I/O.
 */
import { invariant } from '../../base/invariant.ts';
import { SHA256_BYTES } from '../../crypto/hash.ts';
import { hashPairs, PAIR_BYTES } from '../../crypto/hash-pairs.ts';

/** Slots of one allocation. @unit slots @source chosen: 32 KiB */
const PAGE_SLOTS = 1_024;
/** Pairs hashed in one call. @unit pairs @source chosen: 64 KiB */
const PAIRS_AT_ONCE = 1_024;

/** Memory as bytes, and as words: a few of them are copied quicker one by one than by a call. */
interface Room {
  readonly words: Int32Array;
  readonly bytes: Buffer;
}
const WORDS_PER_HASH = SHA256_BYTES / 4;
const WORDS_PER_PAIR = PAIR_BYTES / 4;

const PAIRS = roomOf(PAIRS_AT_ONCE * PAIR_BYTES);
const HASHES = roomOf(PAIRS_AT_ONCE * SHA256_BYTES);

/** Zeros where nothing was written. */
export class SlotHashes {
  readonly #pages: Room[] = [];

  /** Room for the slots up to `last`. */
  constructor(last: number) {
    this.reach(last);
  }

  reach(last: number): void {
    while (this.#pages.length * PAGE_SLOTS <= last) this.#pages.push(roomOf(PAGE_SLOTS * SHA256_BYTES));
  }

  read(slot: number): Uint8Array {
    const at = (slot % PAGE_SLOTS) * SHA256_BYTES;
    return new Uint8Array(this.#pageOf(slot).bytes.subarray(at, at + SHA256_BYTES));
  }

  /** @param hashed 32 letters, one a byte */
  write(slot: number, hashed: string): void {
    this.#pageOf(slot).bytes.write(hashed, (slot % PAGE_SLOTS) * SHA256_BYTES, 'latin1');
  }

  clear(slot: number): void {
    const at = (slot % PAGE_SLOTS) * SHA256_BYTES;
    this.#pageOf(slot).bytes.fill(0, at, at + SHA256_BYTES);
  }

  copy(from: number, to: number): void {
    copyWords(this.#pageOf(from).words, wordOf(from), this.#pageOf(to).words, wordOf(to), WORDS_PER_HASH);
  }

  /** Hashes each of `pairs` into its slot, `slots[pair]`. None of them is in another one of them. */
  hashPairs(pairs: readonly number[], slots: Int32Array): void {
    for (let from = 0; from < pairs.length; from += PAIRS_AT_ONCE) {
      const count = Math.min(PAIRS_AT_ONCE, pairs.length - from);
      for (let index = 0; index < count; index += 1) {
        const slot = 2 * (pairs[from + index] ?? 0);
        copyWords(
          this.#pageOf(slot).words,
          wordOf(slot),
          PAIRS.words,
          index * WORDS_PER_PAIR,
          WORDS_PER_PAIR,
        );
      }
      hashPairs(PAIRS.bytes.subarray(0, count * PAIR_BYTES), HASHES.bytes.subarray(0, count * SHA256_BYTES));
      for (let index = 0; index < count; index += 1) {
        const slot = slots[pairs[from + index] ?? 0] ?? 0;
        copyWords(
          HASHES.words,
          index * WORDS_PER_HASH,
          this.#pageOf(slot).words,
          wordOf(slot),
          WORDS_PER_HASH,
        );
      }
    }
  }

  #pageOf(slot: number): Room {
    const page = this.#pages[Math.trunc(slot / PAGE_SLOTS)];
    invariant(page !== undefined, 'a slot is reached before it is used');
    return page;
  }
}

const wordOf = (slot: number): number => (slot % PAGE_SLOTS) * WORDS_PER_HASH;

function roomOf(bytes: number): Room {
  const words = new Int32Array(bytes / 4);
  return { words, bytes: Buffer.from(words.buffer) };
}

function copyWords(from: Int32Array, start: number, to: Int32Array, at: number, count: number): void {
  for (let index = 0; index < count; index += 1) to[at + index] = from[start + index] ?? 0;
}
