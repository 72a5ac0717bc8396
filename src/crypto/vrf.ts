/**
 * A verifiable random function on Ed25519 keys: the holder of a key alone can compute what it makes of an input, in one way
 * only, and anyone can check it. Pure and total: no bytes make a function throw. Plain JavaScript, for Node and browsers.
 * RFC 9381, ECVRF-EDWARDS25519-SHA512-TAI (section 5.5); section numbers below are the RFC's. Rule CS-17.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { concatBytes, equalBytes, toHex } from '../base/bytes.ts';
import { sha512 } from './hash-noble.ts';

/** Gamma, challenge, response. @unit bytes @source RFC 9381, section 5.5: ptLen + cLen + qLen */
export const VRF_PROOF_BYTES = 80;
/** @unit bytes @source RFC 9381, section 5.5: hLen */
export const VRF_OUTPUT_BYTES = 64;

/** The two halves behind one name: the simulator has a quick one of its own. The output of a proof is `vrfOutput`'s for both. */
export interface VrfEngine {
  readonly prove: (secret: Uint8Array, alpha: Uint8Array) => Uint8Array | undefined;
  readonly verify: (publicKey: Uint8Array, alpha: Uint8Array, proof: Uint8Array) => Uint8Array | undefined;
}

const { Point } = ed25519;
type CurvePoint = InstanceType<typeof Point>;

const ORDER = Point.Fn.ORDER;
const POINT_BYTES = 32;
const CHALLENGE_BYTES = 16;
const SECRET_BYTES = 32;

const SUITE = 0x03;
/** Domain separators, first and last byte of what is hashed. @source RFC 9381, sections 5.2, 5.4.1.1 and 5.4.3 */
const ENCODE_TO_CURVE = Uint8Array.of(SUITE, 0x01);
const CHALLENGE = Uint8Array.of(SUITE, 0x02);
const PROOF_TO_HASH = Uint8Array.of(SUITE, 0x03);
const END = Uint8Array.of(0x00);

/** Every second candidate is no point: 256 in a row are not found. @source RFC 9381, section 5.4.1.1 */
const CANDIDATES_MAX = 256;

/** Section 5.1. The proof of `alpha`, 80 bytes, the same each time; undefined unless `secret` is an Ed25519 key of 32 bytes. */
export function vrfProve(secret: Uint8Array, alpha: Uint8Array): Uint8Array | undefined {
  if (secret.byteLength !== SECRET_BYTES) return undefined;
  const { prefix, scalar, pointBytes: publicKey } = ed25519.utils.getExtendedPublicKey(secret);
  const h = encodeToCurve(publicKey, alpha);
  if (h === undefined) return undefined;
  const hBytes = h.toBytes();
  const x = scalar % ORDER;
  const gammaBytes = h.multiply(x).toBytes();
  // Section 5.4.2.2, as RFC 8032 makes its nonces: no randomness, hence none that could repeat.
  const k = integerOf(sha512(prefix, hBytes)) % ORDER;
  if (k === 0n) return undefined;
  const u = Point.BASE.multiply(k).toBytes();
  const challenge = challengeOf([publicKey, hBytes, gammaBytes, u, h.multiply(k).toBytes()]);
  const s = (k + integerOf(challenge) * x) % ORDER;
  return concatBytes(gammaBytes, challenge, scalarBytes(s));
}

/**
 * Section 5.3, with the check of the key (5.4.5). The output, 64 bytes, if `proof` is what the holder of `publicKey` must
 * make of `alpha`; else undefined, for malformed bytes of any kind too.
 */
export function vrfVerify(
  publicKey: Uint8Array,
  alpha: Uint8Array,
  proof: Uint8Array,
): Uint8Array | undefined {
  const key = pointOf(publicKey);
  const decoded = decodeProof(proof);
  // 5.4.5: a key of low order lets one proof stand for every input.
  if (key === undefined || key.isSmallOrder() || decoded === undefined) return undefined;
  const h = encodeToCurve(publicKey, alpha);
  if (h === undefined) return undefined;
  const { gamma, challenge, s } = decoded;
  const c = integerOf(challenge);
  const u = Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(c));
  const v = h.multiplyUnsafe(s).subtract(gamma.multiplyUnsafe(c));
  const points = [publicKey, h.toBytes(), proof.subarray(0, POINT_BYTES), u.toBytes(), v.toBytes()];
  return equalBytes(challenge, challengeOf(points)) ? outputOf(gamma) : undefined;
}

/**
 * Section 5.2. The output of a proof that was verified, by this node or by the quorum that signed it: says nothing of whether
 * it is right. Undefined for bytes that are no proof.
 */
export function vrfOutput(proof: Uint8Array): Uint8Array | undefined {
  const decoded = decodeProof(proof);
  return decoded === undefined ? undefined : outputOf(decoded.gamma);
}

/** RFC 9381's. */
export const ECVRF: VrfEngine = { prove: vrfProve, verify: vrfVerify };

/** Section 5.4.1.1, with the public key as salt: hashes under a growing counter, until one is a point. */
function encodeToCurve(publicKey: Uint8Array, alpha: Uint8Array): CurvePoint | undefined {
  for (let counter = 0; counter < CANDIDATES_MAX; counter += 1) {
    const candidate = sha512(ENCODE_TO_CURVE, publicKey, alpha, Uint8Array.of(counter), END);
    const point = pointOf(candidate.subarray(0, POINT_BYTES))?.clearCofactor();
    if (point !== undefined && !point.is0()) return point;
  }
  return undefined;
}

interface DecodedProof {
  readonly gamma: CurvePoint;
  readonly challenge: Uint8Array;
  readonly s: bigint;
}

/** Section 5.4.4. */
function decodeProof(proof: Uint8Array): DecodedProof | undefined {
  if (proof.byteLength !== VRF_PROOF_BYTES) return undefined;
  const gamma = pointOf(proof.subarray(0, POINT_BYTES));
  const challenge = proof.subarray(POINT_BYTES, POINT_BYTES + CHALLENGE_BYTES);
  const s = integerOf(proof.subarray(POINT_BYTES + CHALLENGE_BYTES));
  return gamma === undefined || s >= ORDER ? undefined : { gamma, challenge, s };
}

/** Section 5.4.3. */
const challengeOf = (points: readonly Uint8Array[]): Uint8Array =>
  sha512(CHALLENGE, ...points, END).slice(0, CHALLENGE_BYTES);

const outputOf = (gamma: CurvePoint): Uint8Array =>
  sha512(PROOF_TO_HASH, gamma.clearCofactor().toBytes(), END);

/** RFC 8032, section 5.1.3: of a canonical encoding alone. */
function pointOf(bytes: Uint8Array): CurvePoint | undefined {
  if (bytes.byteLength !== POINT_BYTES) return undefined;
  try {
    return Point.fromBytes(bytes, false);
  } catch {
    return undefined;
  }
}

const integerOf = (littleEndian: Uint8Array): bigint => BigInt(`0x${toHex(littleEndian.toReversed())}`);
const scalarBytes = (scalar: bigint): Uint8Array => Point.Fn.toBytes(scalar);
