/**
 * A map that is never changed: `set` and `remove` give a new one and share nearly all of the old, in O(log32 n).
 * Plain data (no class), so that a snapshot with it can be stored. Pure. Source: P. Bagwell, Ideal Hash Trees, 2001.
 */

interface Leaf<Value> {
  readonly key: string;
  readonly value: Value;
}

/** `bits` says which of 32 branches exist; `slots` holds those in order. Below the last level all leaves stand in one node. */
interface Branch<Value> {
  readonly bits: number;
  readonly slots: readonly Slot<Value>[];
}

type Slot<Value> = Leaf<Value> | Branch<Value>;

export interface PersistentMap<Value> {
  readonly size: number;
  readonly root: Branch<Value>;
}

const BITS_A_LEVEL = 5;
/** Levels that 32 bits of hash can tell apart; deeper keys have equal hashes. */
const SHIFT_MAX = 30;

/** A map that holds nothing. */
export const emptyMap = <Value>(): PersistentMap<Value> => ({ size: 0, root: { bits: 0, slots: [] } });

/** The value of `key`, if there is one. */
export function getIn<Value>(map: PersistentMap<Value>, key: string): Value | undefined {
  const hash = hashOf(key);
  let branch = map.root;
  for (let shift = 0; shift <= SHIFT_MAX; shift += BITS_A_LEVEL) {
    const slot = branch.slots[placeOf(branch, bitOf(hash, shift))];
    if ((branch.bits & bitOf(hash, shift)) === 0 || slot === undefined) return undefined;
    if ('key' in slot) return slot.key === key ? slot.value : undefined;
    branch = slot;
  }
  return findEqual(branch, key)?.value;
}

/** The map with `key` set to `value`. */
export function setIn<Value>(map: PersistentMap<Value>, key: string, value: Value): PersistentMap<Value> {
  const isNew = getIn(map, key) === undefined;
  return {
    size: map.size + (isNew ? 1 : 0),
    root: insert(map.root, { key, value }, hashOf(key), 0),
  };
}

/** The map without `key`. */
export function removeIn<Value>(map: PersistentMap<Value>, key: string): PersistentMap<Value> {
  if (getIn(map, key) === undefined) return map;
  return { size: map.size - 1, root: without(map.root, key, hashOf(key), 0) };
}

/** All values, in an order that the keys alone decide. */
export function valuesOf<Value>(map: PersistentMap<Value>): Value[] {
  const values: Value[] = [];
  collect(map.root, values);
  return values;
}

function insert<Value>(branch: Branch<Value>, leaf: Leaf<Value>, hash: number, shift: number): Branch<Value> {
  if (shift > SHIFT_MAX) {
    const others = branch.slots.filter((slot) => !('key' in slot) || slot.key !== leaf.key);
    return { bits: 0, slots: [...others, leaf] };
  }
  const bit = bitOf(hash, shift);
  const place = placeOf(branch, bit);
  const slot = branch.slots[place];
  if ((branch.bits & bit) === 0 || slot === undefined) {
    return { bits: branch.bits | bit, slots: branch.slots.toSpliced(place, 0, leaf) };
  }
  const below = shift + BITS_A_LEVEL;
  return { bits: branch.bits, slots: branch.slots.with(place, merge(slot, leaf, hash, below)) };
}

function merge<Value>(slot: Slot<Value>, leaf: Leaf<Value>, hash: number, shift: number): Slot<Value> {
  if (!('key' in slot)) return insert(slot, leaf, hash, shift);
  if (slot.key === leaf.key) return leaf;
  const pair = insert({ bits: 0, slots: [] }, slot, hashOf(slot.key), shift);
  return insert(pair, leaf, hash, shift);
}

function without<Value>(branch: Branch<Value>, key: string, hash: number, shift: number): Branch<Value> {
  if (shift > SHIFT_MAX) {
    return { bits: 0, slots: branch.slots.filter((slot) => !('key' in slot) || slot.key !== key) };
  }
  const bit = bitOf(hash, shift);
  const place = placeOf(branch, bit);
  const slot = branch.slots[place];
  if (slot === undefined) return branch;
  if ('key' in slot) return { bits: branch.bits & ~bit, slots: branch.slots.toSpliced(place, 1) };
  const rest = without(slot, key, hash, shift + BITS_A_LEVEL);
  if (rest.slots.length === 0) return { bits: branch.bits & ~bit, slots: branch.slots.toSpliced(place, 1) };
  const [only] = rest.slots;
  const kept = rest.slots.length === 1 && only !== undefined && 'key' in only ? only : rest;
  return { bits: branch.bits, slots: branch.slots.with(place, kept) };
}

function findEqual<Value>(branch: Branch<Value>, key: string): Leaf<Value> | undefined {
  for (const slot of branch.slots) if ('key' in slot && slot.key === key) return slot;
  return undefined;
}

function collect<Value>(branch: Branch<Value>, into: Value[]): void {
  for (const slot of branch.slots) {
    if ('key' in slot) into.push(slot.value);
    else collect(slot, into);
  }
}

const bitOf = (hash: number, shift: number): number => 1 << ((hash >>> shift) & 31);

function placeOf({ bits }: { readonly bits: number }, bit: number): number {
  let rest = bits & (bit - 1);
  rest -= (rest >>> 1) & 0x55555555;
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333);
  return Math.imul((rest + (rest >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** FNV-1a over UTF-16 units. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
