/** An operation's bytes and id, and bytes as text where there is no Buffer. Pure. The encoding: EX-7, docs/applications.md. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';

/** A NUL, "aop", and the version. */
const MAGIC = Uint8Array.of(0, 0x61, 0x6f, 0x70, 1);
/** Magic, expiry u64, nonce u64, big-endian. @unit bytes */
const HEADER_BYTES = MAGIC.length + 16;

/** The transaction: above `expiresAtHeight` every node withholds its payload from the application. */
export function encodeOperation(payload: Uint8Array, expiresAtHeight: number, nonce: bigint): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setBigUint64(MAGIC.length, BigInt(expiresAtHeight));
  view.setBigUint64(MAGIC.length + 8, nonce);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** 64 random bits. */
export function freshNonce(): bigint {
  const [nonce = 0n] = crypto.getRandomValues(new BigUint64Array(1));
  return nonce;
}

export const idOf = (bytes: Uint8Array): string => bytesToHex(sha256(bytes)).toUpperCase();

export const hexOf = (bytes: Uint8Array): string => bytesToHex(bytes);

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Arguments of one call to a function. @unit bytes @source engines take 65,535 */
const ARGUMENTS_MAX = 32_768;

export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += ARGUMENTS_MAX) {
    text += String.fromCharCode(...bytes.subarray(at, at + ARGUMENTS_MAX));
  }
  return btoa(text);
}

/** @param hex letters in pairs */
export const base64OfHex = (hex: string): string => toBase64(hexToBytes(hex));

export function fromBase64(text: string): Uint8Array | 'malformed' {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return 'malformed';
  }
}
