/**
 * Addresses of accounts: 20 bytes of a hash of the owner's key, and their text in bech32m, which finds a mistyped letter.
 * Pure; runs in a browser. LG-3, docs/ledger.md; BIP-350.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bech32m } from '@scure/base';
import { ADDRESS_BYTES } from './widths.ts';

/** What the text begins with, before the "1". */
export const ADDRESS_PREFIX = 'al';
const DOMAIN = new TextEncoder().encode('althing/ledger/account/v1');

/** The account of an Ed25519 public key, 20 bytes. A validator with the same key has another address. */
export function accountAddressOf(publicKey: Uint8Array): Uint8Array {
  return sha256.create().update(DOMAIN).update(publicKey).digest().slice(0, ADDRESS_BYTES);
}

/** As `al1…`, 41 letters. */
export const addressText = (address: Uint8Array): string => bech32m.encodeFromBytes(ADDRESS_PREFIX, address);

/** The 20 bytes of such a text, in lower case only; or what is wrong with it. */
export function parseAddressText(text: string): Uint8Array | { readonly problem: string } {
  const decoded = decodedOf(text);
  if (decoded === undefined) return wrong(text, 'a letter is wrong or missing: copy it again');
  if (decoded.prefix !== ADDRESS_PREFIX) return wrong(text, `an address begins with ${ADDRESS_PREFIX}1`);
  if (decoded.bytes.byteLength !== ADDRESS_BYTES) {
    return wrong(text, `it has ${decoded.bytes.byteLength} bytes, expected ${ADDRESS_BYTES}`);
  }
  // BIP-350 reads capitals too; one address has one text here.
  return text === text.toLowerCase() ? decoded.bytes : wrong(text, 'write it in lower case');
}

function decodedOf(text: string): { readonly prefix: string; readonly bytes: Uint8Array } | undefined {
  const decoded = bech32m.decodeUnsafe(text);
  if (decoded === undefined) return undefined;
  const bytes = bech32m.fromWordsUnsafe(decoded.words);
  return bytes === undefined ? undefined : { prefix: decoded.prefix, bytes: new Uint8Array(bytes) };
}

/** Texts of strangers are cut: an error line is for people. @unit letters */
const SHOWN_LETTERS_MAX = 60;

const wrong = (text: string, why: string): { readonly problem: string } => ({
  problem: `"${text.length > SHOWN_LETTERS_MAX ? `${text.slice(0, SHOWN_LETTERS_MAX)}…` : text}" is no address: ${why}`,
});
