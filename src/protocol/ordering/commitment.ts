/**
 * What is ordered before anybody can read it: a commitment to a content, bound to its sender and to one of the sender's
 * transactions, so that a copy opens for nobody. Pure; runs in a browser. Rules OR-1 and OR-2, docs/ordering.md.
 */
import { equalBytes, utf8 } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/hash.ts';

/** Whose content it is, and on which chain. */
export interface Sealer {
  /** 32 bytes. */
  readonly genesisHash: Uint8Array;
  /** The account, 20 bytes. */
  readonly sender: Uint8Array;
  /** Of the transaction that commits. 0..2^64-1 */
  readonly nonce: bigint;
}

/** Hides a content that could be guessed. @unit bytes @source chosen: as long as the digest */
export const SALT_BYTES = 32;

const COMMITMENT = utf8('althing/ordering/commitment/v1');
const COMMIT_ID = utf8('althing/ordering/commit-id/v1');

/** OR-1: H(domain ‖ genesis ‖ sender ‖ nonce ‖ H(content) ‖ salt). Every field but the last has one width. */
export const commitmentOf = (
  { genesisHash, sender, nonce }: Sealer,
  content: Uint8Array,
  salt: Uint8Array,
): Uint8Array => sha256(COMMITMENT, genesisHash, sender, eightBytes(nonce), sha256(content), salt);

/** OR-2: what a commitment is known by, and sorted by: another's copy of it has another one. */
export const commitIdOf = (
  { sender, nonce }: Pick<Sealer, 'sender' | 'nonce'>,
  commitment: Uint8Array,
): Uint8Array => sha256(COMMIT_ID, sender, eightBytes(nonce), commitment);

function eightBytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

/** True of the content that was committed to. */
export function opens(
  commitment: Uint8Array,
  sealer: Sealer,
  { content, salt }: { readonly content: Uint8Array; readonly salt: Uint8Array },
): boolean {
  return equalBytes(commitment, commitmentOf(sealer, content, salt));
}
