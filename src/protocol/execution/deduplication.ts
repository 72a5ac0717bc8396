/**
 * Which transactions appeared in the last D blocks: no transaction executes twice within them (EX-2).
 * "Appeared", not "executed": so the answer depends on those D blocks alone, and a restarted node rebuilds the same.
 * 96 bits of each hash in one flat table, no object a transaction. Mutable, deterministic; owned by the executor.
 */
import { invariant } from '../../base/invariant.ts';
import { RingBuffer } from '../../base/ring-buffer.ts';
import type { Digest } from '../chain/types.ts';

/** Three words of the hash and the stamp of its newest appearance; stamp 0 is an empty slot. */
const SLOT_WORDS = 4;
/** @unit slots */
const CAPACITY_MIN = 1_024;
/** Grow beyond; linear probing stays short below. */
const LOAD_MAX = 0.7;
/** Old slots moved at each note: the old table of C slots is gone after C / 16 notes, before the new one is full. */
const MOVES_PER_NOTE = 16;
const WORD_LETTERS = 8;

interface Slots {
  readonly words: Uint32Array;
  readonly capacity: number;
  used: number;
}

/** Three words. Written into one place again and again: a million of them a second leave no garbage. */
type Fingerprint = Uint32Array;

export class DeduplicationTable {
  /** Heights from the oldest that counts to the newest, both included. */
  readonly #span: number;
  #slots = emptySlots(CAPACITY_MIN);
  #old: { readonly slots: Slots; next: number } | undefined;
  #baseHeight: number | undefined;
  #height = 0;
  readonly #print: Fingerprint = new Uint32Array(3);
  readonly #moved: Fingerprint = new Uint32Array(3);
  /** Appearances at each height in the window, oldest first. */
  readonly #added = new RingBuffer<{ readonly height: number; count: number }>();
  #appearances = 0;

  /** @param windowHeights D: an appearance at height h counts for heights up to h + D. */
  constructor(windowHeights: number) {
    invariant(windowHeights >= 1, 'a deduplication window has at least one height', { windowHeights });
    this.#span = windowHeights + 1;
  }

  /** Appearances within the window. */
  get appearances(): number {
    return this.#appearances;
  }

  /** @unit bytes */
  get memoryBytes(): number {
    return this.#slots.words.byteLength + (this.#old?.slots.words.byteLength ?? 0);
  }

  /** True when the transaction appeared in the D heights below `height`, or at it; changes nothing. */
  knows(hash: Digest, height: number): boolean {
    if (this.#baseHeight === undefined) return false;
    const print = fingerprintOf(hash, this.#print);
    const oldest = height - this.#baseHeight + 1 - this.#span;
    return (
      isAfter(this.#slots, print, oldest) ||
      (this.#old !== undefined && isAfter(this.#old.slots, print, oldest))
    );
  }

  /** Notes an appearance at `height`, which never falls; true when it is not the first within the window. */
  appears(hash: Digest, height: number): boolean {
    invariant(height >= this.#height, 'heights are executed in order', { height, last: this.#height });
    if (height > this.#height) this.#advance(height);
    const print = fingerprintOf(hash, this.#print);
    this.#baseHeight ??= Math.max(0, height - this.#span);
    const stamp = height - this.#baseHeight + 1;
    const oldest = stamp - this.#span;
    const before = this.#old === undefined ? false : isAfter(this.#old.slots, print, oldest);
    const known = put(this.#slots, print, stamp, oldest) || before;
    this.#count();
    this.#makeRoom(oldest);
    return known;
  }

  #advance(height: number): void {
    this.#height = height;
    this.#added.push({ height, count: 0 });
    for (let oldest = this.#added.peek(); oldest !== undefined; oldest = this.#added.peek()) {
      if (oldest.height > height - this.#span) break;
      this.#appearances -= oldest.count;
      this.#added.shift();
    }
  }

  #count(): void {
    const newest = this.#added.at(this.#added.length - 1);
    if (newest === undefined) return;
    newest.count += 1;
    this.#appearances += 1;
  }

  #makeRoom(oldest: number): void {
    if (this.#old !== undefined) this.#move(this.#old, oldest);
    else if (this.#slots.used > this.#slots.capacity * LOAD_MAX) {
      this.#old = { slots: this.#slots, next: 0 };
      const room = Math.ceil(1.6 * this.#appearances + this.#old.slots.capacity / 4);
      this.#slots = emptySlots(Math.max(CAPACITY_MIN, room));
    }
  }

  #move(old: { readonly slots: Slots; next: number }, oldest: number): void {
    const { words, capacity } = old.slots;
    const end = Math.min(capacity, old.next + MOVES_PER_NOTE);
    for (let slot = old.next; slot < end; slot += 1) {
      const at = slot * SLOT_WORDS;
      const stamp = words[at + 3] ?? 0;
      if (stamp <= oldest || stamp === 0) continue;
      this.#moved[0] = words[at] ?? 0;
      this.#moved[1] = words[at + 1] ?? 0;
      this.#moved[2] = words[at + 2] ?? 0;
      put(this.#slots, this.#moved, stamp, oldest);
    }
    old.next = end;
    if (end === capacity) this.#old = undefined;
  }
}

const emptySlots = (capacity: number): Slots => ({
  words: new Uint32Array(capacity * SLOT_WORDS),
  capacity,
  used: 0,
});

/** The slot where the search for a fingerprint begins. */
const homeOf = (slots: Slots, first: number): number => Math.floor((first * slots.capacity) / 0x1_0000_0000);

/** True when the table holds the fingerprint with a stamp above `oldest`. */
function isAfter(slots: Slots, print: Fingerprint, oldest: number): boolean {
  const { words, capacity } = slots;
  const first = print[0] ?? 0;
  const second = print[1] ?? 0;
  const third = print[2] ?? 0;
  for (let slot = homeOf(slots, first); ; slot = slot + 1 === capacity ? 0 : slot + 1) {
    const at = slot * SLOT_WORDS;
    const stamp = words[at + 3] ?? 0;
    if (stamp === 0) return false;
    if (words[at] === first && words[at + 1] === second && words[at + 2] === third) {
      return stamp > oldest;
    }
  }
}

/** Writes the stamp, into the fingerprint's slot, else the first that is empty or past the window; true when it was within it. */
function put(slots: Slots, print: Fingerprint, stamp: number, oldest: number): boolean {
  const { words, capacity } = slots;
  const first = print[0] ?? 0;
  const second = print[1] ?? 0;
  const third = print[2] ?? 0;
  let free = -1;
  for (let slot = homeOf(slots, first); ; slot = slot + 1 === capacity ? 0 : slot + 1) {
    const at = slot * SLOT_WORDS;
    const held = words[at + 3] ?? 0;
    if (held === 0) {
      if (free < 0) {
        free = at;
        slots.used += 1;
      }
      break;
    }
    if (words[at] === first && words[at + 1] === second && words[at + 2] === third) {
      // A slot that moves may be older than what was noted since.
      if (stamp > held) words[at + 3] = stamp;
      return held > oldest;
    }
    if (held <= oldest && free < 0) free = at;
  }
  words[free] = first;
  words[free + 1] = second;
  words[free + 2] = third;
  words[free + 3] = stamp;
  return false;
}

function fingerprintOf(hash: Digest, into: Fingerprint): Fingerprint {
  into[0] = wordAt(hash, 0);
  into[1] = wordAt(hash, WORD_LETTERS);
  into[2] = wordAt(hash, 2 * WORD_LETTERS);
  return into;
}

/** 32 bits of a lower-case hexadecimal text. */
function wordAt(hash: string, from: number): number {
  let word = 0;
  for (let offset = 0; offset < WORD_LETTERS; offset += 1) {
    const code = hash.charCodeAt(from + offset);
    word = (word << 4) | (code < 58 ? code - 48 : code - 87);
  }
  return word >>> 0;
}
