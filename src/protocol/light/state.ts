/**
 * Whether a key has a value, or none, in the state whose hash a header states: SHA-256(domain ‖ top of the tree of pairs ‖
 * hash of the validators). The tree is binary, by the bits of the key's hash; leaves are hashed over more than 64 bytes and
 * branches over 64, so that neither passes for the other. Pure and total. Rule SY-10, docs/applications.md.
 */
import { concatBytes, equalBytes, utf8 } from '../../base/bytes.ts';
import { SHA256_BYTES, sha256 } from '../../crypto/hash.ts';
import { digestOf } from '../chain/canonical.ts';
import type { Digest } from '../chain/types.ts';
import { STATE_SIBLINGS_MAX, type StateEnd, type StateProof, type StateRefusal } from './types.ts';

/** Lengths of key and value. @unit bytes */
export const LEAF_HEADER_BYTES = 8;
/** One more than a branch has. @unit bytes */
export const LEAF_BYTES_MIN = 2 * SHA256_BYTES + 1;
/** What stands for a place with nothing in it. */
const EMPTY = new Uint8Array(SHA256_BYTES);

export type StateVerdict = StateRefusal | 'valid';

/** @param value undefined: the key is not there */
export function verifyStateProof(
  appHash: Digest,
  key: Uint8Array,
  value: Uint8Array | undefined,
  proof: StateProof,
): StateVerdict {
  const found = appHashBy(key, value, proof);
  if (typeof found === 'object') return found;
  return found === appHash ? 'valid' : { code: 'APP_HASH_WRONG', appHash: found, expected: appHash };
}

/** The hash of the state that the proof is of, if key and value are as claimed: to be compared with what a header states. */
export function appHashBy(
  key: Uint8Array,
  value: Uint8Array | undefined,
  proof: StateProof,
): Digest | StateRefusal {
  const problem = problemOfForm(proof);
  if (problem !== undefined) return problem;
  const { state, validatorsHash, siblings, end } = proof;
  const place = sha256(key);
  if ((end.kind === 'pair') !== (value !== undefined)) return { code: 'STATE_END_WRONG', end: end.kind };
  if (end.kind === 'other' && !isOnWay(key, place, end.key, siblings.length))
    return { code: 'STATE_END_WRONG', end: end.kind };
  let top = hashAtEnd(key, value, end);
  for (let depth = siblings.length - 1; depth >= 0; depth -= 1) {
    const sibling = siblings[depth] ?? EMPTY;
    top = bitOf(place, depth) === 0 ? sha256(top, sibling) : sha256(sibling, top);
  }
  return digestOf(utf8(state), top, validatorsHash);
}

function hashAtEnd(key: Uint8Array, value: Uint8Array | undefined, end: StateEnd): Uint8Array {
  if (end.kind === 'other') return leafHashOf(end.key, end.value);
  return value === undefined ? EMPTY : leafHashOf(key, value);
}

function problemOfForm({ validatorsHash, siblings }: StateProof): StateRefusal | undefined {
  if (siblings.length > STATE_SIBLINGS_MAX)
    return { code: 'STATE_PATH_TOO_LONG', siblings: siblings.length, limit: STATE_SIBLINGS_MAX };
  const wrong = [validatorsHash, ...siblings].find(({ byteLength }) => byteLength !== SHA256_BYTES);
  if (wrong === undefined) return undefined;
  return { code: 'STATE_HASH_LENGTH_WRONG', bytes: wrong.byteLength, expected: SHA256_BYTES };
}

/** Another key, where this one would be. */
function isOnWay(key: Uint8Array, place: Uint8Array, other: Uint8Array, depth: number): boolean {
  if (equalBytes(other, key)) return false;
  const otherPlace = sha256(other);
  for (let at = 0; at < depth; at += 1) if (bitOf(place, at) !== bitOf(otherPlace, at)) return false;
  return true;
}

/** Length of key and of value u32, key, value, and zeros up to more than a branch has. */
function leafHashOf(key: Uint8Array, value: Uint8Array): Uint8Array {
  const bytes = concatBytes(new Uint8Array(LEAF_HEADER_BYTES), key, value);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, key.byteLength);
  view.setUint32(4, value.byteLength);
  return sha256(bytes, new Uint8Array(Math.max(0, LEAF_BYTES_MIN - bytes.byteLength)));
}

/** Bit 0 is the highest of the first byte. */
const bitOf = (place: Uint8Array, depth: number): number =>
  ((place[depth >> 3] ?? 0) >> (7 - (depth & 7))) & 1;
