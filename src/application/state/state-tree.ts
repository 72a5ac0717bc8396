/**
 * Pairs, and a hash of them that is the same whatever way they were reached: a binary tree by the bits of the hash of the
 * key, as deep as it takes to tell one key from the others. A block costs the pairs that it changed and the paths above
 * them, which are hashed level by level, many at once. Mutable, deterministic, no I/O. Rule SY-10, docs/applications.md.
 */
import { hash } from 'node:crypto';
import { LEAF_BYTES_MIN, LEAF_HEADER_BYTES } from '../../protocol/light/state.ts';
import type { Pair } from './rules.ts';
import { SlotHashes } from './slot-hashes.ts';

/** A pair up to this length is hashed without taking memory. @unit bytes */
const SCRATCH_BYTES = 4_096;
/** Slots that there is room for at first; it doubles. @unit slots */
const SLOTS_MIN = 1_024;
/** Keys of one step of a walk. @unit keys */
const WALK_KEYS = 64;

interface Leaf {
  readonly key: string;
  value: string;
  slot: number;
  /** The hash in its slot is of another value. */
  isTouched: boolean;
}

/** What is in a slot: nothing, a branch by its number, or a leaf by the complement of its number. */
type Child = number;
const EMPTY: Child = 0;

/** Branch n has the slots 2n and 2n + 1; there is no branch 0, and one of its slots holds the top of the tree. */
const ROOT_SLOT = 1;
const branchOf = (slot: number): number => slot >> 1;
const besides = (slot: number): number => slot ^ 1;
/** A slot that no branch has: of leaves and branches that are gone. */
const NOWHERE = 0;

/** The hash of the last key that a walk gave; '' at its beginning. */
export type WalkPlace = string;
export const WALK_START: WalkPlace = '';

/** Keys by rising hash of the key, and where the walk goes on; undefined: there are no more. */
export interface WalkStep {
  readonly keys: readonly string[];
  readonly next?: WalkPlace;
}

/** The way of a key from the top of the tree. */
export interface TreeWay {
  /** Hashes beside it, the top's first. */
  readonly siblings: readonly Uint8Array[];
  /** The pair at its end, the key's own or another one; undefined: nothing is there. */
  readonly end: Pair | undefined;
}

export class StateTree {
  readonly #leaves = new Map<string, Leaf>();
  /** By number of leaf. */
  readonly #numbered: (Leaf | undefined)[] = [];
  /** Numbers of what is gone, for what comes: never more than there were at once. */
  readonly #freeLeaves: number[] = [];
  readonly #freeBranches: number[] = [];
  /** By slot. */
  #children = new Int32Array(SLOTS_MIN);
  readonly #hashes = new SlotHashes(ROOT_SLOT);
  /** By branch: the slot that it is in, how many branches are above it, and whether its hash is of other children. */
  #slots = new Int32Array(SLOTS_MIN / 2);
  #depths = new Uint8Array(SLOTS_MIN / 2);
  #isTouched = new Uint8Array(SLOTS_MIN / 2);
  #lastBranch = 0;
  #touchedLeaves: Leaf[] = [];
  /** Slots whose leaf is gone, since the last hash. */
  #emptiedSlots: number[] = [];
  /** By depth. */
  readonly #touchedBranches: number[][] = [];

  get(key: string): string | undefined {
    return this.#leaves.get(key)?.value;
  }

  /** In the order in which their keys were first set. */
  *pairs(): Generator<Pair, void> {
    for (const { key, value } of this.#leaves.values()) yield [key, value];
  }

  /** From now on the key has this value. */
  set(key: string, value: string): void {
    const leaf = this.#leaves.get(key) ?? this.#add(key);
    leaf.value = value;
    this.#touch(leaf);
  }

  /** From now on the key is not there. */
  delete(key: string): void {
    const leaf = this.#leaves.get(key);
    if (leaf === undefined) return;
    const { slot } = leaf;
    const number = ~this.#childAt(slot);
    this.#leaves.delete(key);
    this.#numbered[number] = undefined;
    this.#freeLeaves.push(number);
    this.#clear(slot);
    leaf.slot = NOWHERE;
    if (slot === ROOT_SLOT) return;
    const beside = this.#leafOf(this.#childAt(besides(slot)));
    if (beside === undefined) this.#emptiedSlots.push(slot);
    else this.#raise(beside);
  }

  /** SHA-256, 32 bytes; zeros without a pair. */
  root(): Uint8Array {
    for (const leaf of this.#touchedLeaves) {
      leaf.isTouched = false;
      if (leaf.slot === NOWHERE) continue;
      this.#hashes.write(leaf.slot, hashOf(leaf));
      this.#touchAbove(leaf.slot);
    }
    this.#touchedLeaves = [];
    for (const slot of this.#emptiedSlots) {
      if (this.#slots[branchOf(slot)] !== NOWHERE) this.#touchAbove(slot);
    }
    this.#emptiedSlots = [];
    for (const branches of this.#touchedBranches.toReversed()) {
      this.#hashes.hashPairs(branches, this.#slots);
      for (const branch of branches) this.#isTouched[branch] = 0;
      branches.length = 0;
    }
    return this.#hashes.read(ROOT_SLOT);
  }

  /** What proves the key's value under `root`, or that it has none. As long as the tree is deep there. */
  wayOf(key: string): TreeWay {
    this.root();
    const place = keyHashOf(key);
    const siblings: Uint8Array[] = [];
    let slot = ROOT_SLOT;
    for (let child = this.#childAt(slot); child > EMPTY; child = this.#childAt(slot)) {
      slot = 2 * child + bitOf(place, siblings.length);
      siblings.push(this.#hashes.read(besides(slot)));
    }
    const leaf = this.#leafOf(this.#childAt(slot));
    return { siblings, end: leaf === undefined ? undefined : [leaf.key, leaf.value] };
  }

  /** Some keys by rising hash of the key, behind `from`, and where it goes on. Changes in between do not disturb it. */
  walk(from: WalkPlace): WalkStep {
    const keys: string[] = [];
    this.#collect(ROOT_SLOT, 0, from, keys);
    const last = keys.length < WALK_KEYS ? undefined : keys.at(-1);
    return { keys, ...(last === undefined ? {} : { next: keyHashOf(last) }) };
  }

  #collect(slot: number, depth: number, from: WalkPlace, keys: string[]): void {
    const child = this.#childAt(slot);
    if (child === EMPTY || keys.length === WALK_KEYS) return;
    if (child < EMPTY) {
      const key = this.#leafOf(child)?.key ?? '';
      if (from === WALK_START || keyHashOf(key) > from) keys.push(key);
      return;
    }
    const side = from === WALK_START ? 0 : bitOf(from, depth);
    this.#collect(2 * child + side, depth + 1, from, keys);
    // All of the other side is behind `from`.
    if (side === 0) this.#collect(2 * child + 1, depth + 1, WALK_START, keys);
  }

  /** A leaf for a key that has none; a leaf that is in its way goes down until their ways part. */
  #add(key: string): Leaf {
    const place = keyHashOf(key);
    let slot = ROOT_SLOT;
    let depth = 0;
    const goDown = (branch: number) => {
      slot = 2 * branch + bitOf(place, depth);
      depth += 1;
    };
    while (this.#childAt(slot) > EMPTY) goDown(this.#childAt(slot));
    const other = this.#leafOf(this.#childAt(slot));
    const otherPlace = other === undefined ? '' : keyHashOf(other.key);
    while (other !== undefined && other.slot === slot) {
      const branch = this.#newBranch(slot, depth);
      this.#move(other, 2 * branch + bitOf(otherPlace, depth));
      this.#children[slot] = branch;
      goDown(branch);
    }
    const leaf = { key, value: '', slot, isTouched: false };
    this.#children[slot] = ~this.#numberOf(leaf);
    this.#leaves.set(key, leaf);
    return leaf;
  }

  #numberOf(leaf: Leaf): number {
    const freed = this.#freeLeaves.length === 0 ? undefined : this.#freeLeaves.pop();
    if (freed === undefined) return this.#numbered.push(leaf) - 1;
    this.#numbered[freed] = leaf;
    return freed;
  }

  /** A leaf that has nothing beside it goes up until it has, or is the top: where it would be, had nothing else been. */
  #raise(leaf: Leaf): void {
    while (leaf.slot !== ROOT_SLOT && this.#childAt(besides(leaf.slot)) === EMPTY) {
      const { slot } = leaf;
      const branch = branchOf(slot);
      this.#move(leaf, this.#slots[branch] ?? ROOT_SLOT);
      this.#clear(slot);
      this.#slots[branch] = NOWHERE;
      this.#freeBranches.push(branch);
    }
    this.#touch(leaf);
  }

  #touch(leaf: Leaf): void {
    if (leaf.isTouched) return;
    leaf.isTouched = true;
    this.#touchedLeaves.push(leaf);
  }

  #clear(slot: number): void {
    this.#children[slot] = EMPTY;
    this.#hashes.clear(slot);
  }

  #move(leaf: Leaf, to: number): void {
    this.#children[to] = this.#childAt(leaf.slot);
    this.#hashes.copy(leaf.slot, to);
    leaf.slot = to;
  }

  #newBranch(slot: number, depth: number): number {
    const freed = this.#freeBranches.length === 0 ? undefined : this.#freeBranches.pop();
    const branch = freed ?? this.#addedBranch();
    this.#slots[branch] = slot;
    this.#depths[branch] = depth;
    return branch;
  }

  #addedBranch(): number {
    this.#lastBranch += 1;
    if (this.#lastBranch === this.#slots.length) this.#grow();
    this.#hashes.reach(2 * this.#lastBranch);
    return this.#lastBranch;
  }

  #grow(): void {
    this.#children = doubled(this.#children, Int32Array);
    this.#slots = doubled(this.#slots, Int32Array);
    this.#depths = doubled(this.#depths, Uint8Array);
    this.#isTouched = doubled(this.#isTouched, Uint8Array);
  }

  #touchAbove(slot: number): void {
    for (let branch = branchOf(slot); branch > 0 && this.#isTouched[branch] === 0; ) {
      this.#isTouched[branch] = 1;
      const depth = this.#depths[branch] ?? 0;
      while (this.#touchedBranches.length <= depth) this.#touchedBranches.push([]);
      this.#touchedBranches[depth]?.push(branch);
      branch = branchOf(this.#slots[branch] ?? 0);
    }
  }

  #childAt(slot: number): Child {
    return this.#children[slot] ?? EMPTY;
  }

  #leafOf(child: Child): Leaf | undefined {
    return this.#numbered[~child];
  }
}

/** SHA-256 of the key, a letter a byte: the order in which a walk gives keys. */
export const keyHashOf = (key: string): string => {
  const bytes = roomFor(key.length);
  bytes.write(key, 0, 'latin1');
  return sha256Latin1(bytes.subarray(0, key.length));
};

/** Bit `depth` of the hash; bit 0 is the highest of the first byte. */
const bitOf = (place: string, depth: number): number =>
  (place.charCodeAt(depth >> 3) >> (7 - (depth & 7))) & 1;

const scratch = Buffer.alloc(SCRATCH_BYTES);
const roomFor = (length: number): Buffer => (length <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafe(length));

/** A letter a byte: half the time of a buffer of its own. */
const sha256Latin1 = (bytes: Uint8Array): string => hash('sha256', bytes, 'binary');

function hashOf({ key, value }: Leaf): string {
  const end = LEAF_HEADER_BYTES + key.length + value.length;
  const length = Math.max(end, LEAF_BYTES_MIN);
  const bytes = roomFor(length);
  bytes.writeUInt32BE(key.length, 0);
  bytes.writeUInt32BE(value.length, 4);
  bytes.write(key, LEAF_HEADER_BYTES, 'latin1');
  bytes.write(value, LEAF_HEADER_BYTES + key.length, 'latin1');
  bytes.fill(0, end, length);
  return sha256Latin1(bytes.subarray(0, length));
}

function doubled<Numbers extends Int32Array | Uint8Array>(
  numbers: Numbers,
  kind: new (length: number) => Numbers,
): Numbers {
  const larger = new kind(2 * numbers.length);
  larger.set(numbers);
  return larger;
}
