/** A node's name, and a validator's address: derived from its Ed25519 key, as CometBFT does. Pure. TP-1. */
import { toHex } from '../base/bytes.ts';
import { ED25519_PUBLIC_KEY_BYTES } from './ed25519.ts';
import { sha256 } from './hash.ts';

/** @unit bytes @source CometBFT, crypto.AddressSize */
export const NODE_ID_BYTES = 20;

/** The first 20 bytes of SHA-256 of the key, as 40 lower-case hex letters; undefined unless the key has 32 bytes. */
export function nodeIdOf(publicKey: Uint8Array): string | undefined {
  if (publicKey.byteLength !== ED25519_PUBLIC_KEY_BYTES) return undefined;
  return toHex(sha256(publicKey).subarray(0, NODE_ID_BYTES));
}

/** True for 40 lower-case hex letters. */
export const isNodeId = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);
