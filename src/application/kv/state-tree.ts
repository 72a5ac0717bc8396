/**
 * A hash of pairs, whatever way they were reached: they lie in buckets by the hash of their key, a tree of hashes stands
 * over the buckets, and a bucket that is full becomes 16. A block costs the pairs that it changed and the paths above them.
 * Mutable, deterministic, no I/O. Rule SY-10, docs/applications.md.
 */
import { hash } from 'node:crypto';

/** A bucket with more becomes a branch. @unit entries @source chosen: its hash then costs as much as a branch's */
export const BUCKET_ENTRIES_MAX = 24;
/** Children of a branch: four bits of the key's hash. @source measured: costs a third of branches of 2 */
const FAN_OUT = 16;
/** @unit bytes @source FIPS 180-4 */
const HASH_BYTES = 32;
/** Entries that a bucket has room for at first; it grows by half. @unit entries */
const ENTRIES_MIN = 4;
/** A pair up to this length is hashed without taking memory. @unit bytes */
const SCRATCH_BYTES = 4_096;

/** What is hashed begins with what it is: no leaf can pass for a bucket, no bucket for a branch. */
const LEAF = 0;
const BUCKET = 1;
const BRANCH = 2;
const LEAF_HEADER_BYTES = 5;

/** `hashes` is the tag, then the hash of each pair in the order of `keys`, then room. */
interface Bucket {
  readonly kind: 'bucket';
  readonly keys: string[];
  hashes: Buffer;
}

/** `hashes` is the tag and the hash of each child, zeros where there is none. */
interface Branch {
  readonly kind: 'branch';
  readonly children: (Node | undefined)[];
  readonly hashes: Buffer;
  /** One bit a child whose hash is not in `hashes` yet. */
  touched: number;
}

type Node = Bucket | Branch;

/** Where a walk goes on: four bits of the key's hash each. */
export type WalkPath = readonly number[];

/** Keys and values are latin1 texts, one letter a byte. */
export class StateTree {
  #top: Node = emptyBucket();

  /** From now on the key has this value. */
  set(key: string, value: string): void {
    const place = keyHashOf(key);
    const leaf = leafOf(key, value);
    let above: Branch | undefined;
    let node = this.#top;
    let depth = 0;
    while (node.kind === 'branch') {
      const nibble = nibbleOf(place, depth);
      node.touched |= 1 << nibble;
      above = node;
      node = childOf(node, nibble);
      depth += 1;
    }
    put(node, key, leaf);
    if (node.keys.length <= BUCKET_ENTRIES_MAX) return;
    const branch = split(node, depth);
    if (above === undefined) this.#top = branch;
    else above.children[nibbleOf(place, depth - 1)] = branch;
  }

  /** SHA-256, 32 bytes. */
  root(): Uint8Array {
    return new Uint8Array(Buffer.from(settled(this.#top), 'latin1'));
  }

  /** Some keys by rising hash of the key, from the walk's start or where it stood, and where it goes on. Sets in between do not disturb it. */
  walk(from: WalkPath): { readonly keys: readonly string[]; readonly next?: WalkPath } {
    let node: Node | undefined = this.#top;
    const path: number[] = [];
    while (node?.kind === 'branch') {
      const nibble: number = from[path.length] ?? 0;
      path.push(nibble);
      node = node.children[nibble];
    }
    const next = after(path);
    return { keys: byHash(node?.keys ?? []), ...(next === undefined ? {} : { next }) };
  }
}

/** SHA-256 of the key, a letter a byte: the order in which a walk gives keys. */
export const keyHashOf = (key: string): string => {
  const bytes = roomFor(key.length);
  bytes.write(key, 0, 'latin1');
  return sha256Latin1(bytes.subarray(0, key.length));
};

const scratch = Buffer.alloc(SCRATCH_BYTES);
const roomFor = (length: number): Buffer => (length <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafe(length));

/** A letter a byte: half the time of a buffer of its own. */
const sha256Latin1 = (bytes: Uint8Array): string => hash('sha256', bytes, 'binary');

function leafOf(key: string, value: string): string {
  const length = LEAF_HEADER_BYTES + key.length + value.length;
  const bytes = roomFor(length);
  bytes[0] = LEAF;
  bytes.writeUInt32BE(key.length, 1);
  bytes.write(key, LEAF_HEADER_BYTES, 'latin1');
  bytes.write(value, LEAF_HEADER_BYTES + key.length, 'latin1');
  return sha256Latin1(bytes.subarray(0, length));
}

const nibbleOf = (place: string, depth: number): number =>
  (place.charCodeAt(depth >> 1) >> (depth % 2 === 0 ? 4 : 0)) & (FAN_OUT - 1);

function emptyBucket(entries = ENTRIES_MIN): Bucket {
  const hashes = Buffer.allocUnsafe(1 + entries * HASH_BYTES);
  hashes[0] = BUCKET;
  return { kind: 'bucket', keys: [], hashes };
}

function childOf(branch: Branch, nibble: number): Node {
  const known = branch.children[nibble];
  if (known !== undefined) return known;
  const made = emptyBucket();
  branch.children[nibble] = made;
  return made;
}

function put(bucket: Bucket, key: string, leaf: string): void {
  const position = positionOf(bucket.keys, key);
  if (bucket.keys[position] !== key) makeRoom(bucket, position, key);
  bucket.hashes.write(leaf, 1 + position * HASH_BYTES, 'latin1');
}

/** Where the key is, or belongs. */
function positionOf(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = keys[middle];
    if (at !== undefined && at < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function makeRoom(bucket: Bucket, position: number, key: string): void {
  const count = bucket.keys.length;
  const at = 1 + position * HASH_BYTES;
  const end = 1 + count * HASH_BYTES;
  if (end + HASH_BYTES > bucket.hashes.byteLength) {
    const larger = Buffer.allocUnsafe(1 + Math.ceil(count * 1.5) * HASH_BYTES);
    bucket.hashes.copy(larger, 0, 0, end);
    bucket.hashes = larger;
  }
  bucket.hashes.copyWithin(at + HASH_BYTES, at, end);
  bucket.keys.splice(position, 0, key);
}

/** A branch at `depth` over the bucket's pairs. Children that are full become branches themselves. */
function split(bucket: Bucket, depth: number): Branch {
  const children = new Array<Node | undefined>(FAN_OUT).fill(undefined);
  const branch: Branch = {
    kind: 'branch',
    children,
    hashes: Buffer.alloc(1 + FAN_OUT * HASH_BYTES),
    touched: 0,
  };
  branch.hashes[0] = BRANCH;
  for (const [index, key] of bucket.keys.entries()) {
    const nibble = nibbleOf(keyHashOf(key), depth);
    branch.touched |= 1 << nibble;
    const child = childOf(branch, nibble);
    const at = 1 + index * HASH_BYTES;
    if (child.kind === 'bucket') {
      put(child, key, bucket.hashes.toString('latin1', at, at + HASH_BYTES));
    }
  }
  for (const [nibble, child] of children.entries()) {
    if (child?.kind === 'bucket' && child.keys.length > BUCKET_ENTRIES_MAX) {
      children[nibble] = split(child, depth + 1);
    }
  }
  return branch;
}

function settled(node: Node): string {
  if (node.kind === 'bucket') return sha256Latin1(node.hashes.subarray(0, 1 + node.keys.length * HASH_BYTES));
  for (let nibble = 0; node.touched !== 0; nibble += 1, node.touched >>>= 1) {
    const child = node.children[nibble];
    if ((node.touched & 1) === 1 && child !== undefined) {
      node.hashes.write(settled(child), 1 + nibble * HASH_BYTES, 'latin1');
    }
  }
  return sha256Latin1(node.hashes);
}

function byHash(keys: readonly string[]): readonly string[] {
  return keys
    .map((key) => ({ key, place: keyHashOf(key) }))
    .sort((left, right) => (left.place < right.place ? -1 : 1))
    .map(({ key }) => key);
}

/** The place behind everything below `path`; undefined at the end. */
function after(path: readonly number[]): WalkPath | undefined {
  const next = [...path];
  while (next.length > 0) {
    const last = next.pop() ?? 0;
    if (last + 1 < FAN_OUT) return [...next, last + 1];
  }
  return undefined;
}
