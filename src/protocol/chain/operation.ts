/**
 * An operation as a transaction: magic 5 bytes, the height it must be committed by u64, a nonce u64, then what the
 * application gets. Integers are big-endian. Above that height every node gives it a result of its own and the application
 * never sees it: so "expired" means never, whoever copies the bytes. Pure. Rules BR-1, EX-7, docs/client.md.
 */
import { ORDINAL_MAX } from './ordinals.ts';
import type { Height } from './types.ts';

/** A NUL, "aop", and the version: no text and no msgpack map begins so. */
const MAGIC = Uint8Array.of(0, 0x61, 0x6f, 0x70, 1);
const EXPIRY_AT = MAGIC.byteLength;
const NONCE_AT = EXPIRY_AT + 8;
/** @unit bytes */
export const OPERATION_HEADER_BYTES = NONCE_AT + 8;

export interface OperationContent {
  /** The last height at which it may execute. */
  readonly expiresAtHeight: Height;
  /** Tells two operations with the same payload apart. 0 to 2^64 - 1 */
  readonly nonce: bigint;
  /** At least one byte. */
  readonly payload: Uint8Array;
}

/** The transaction; its SHA-256 is the operation's id. */
export function encodeOperation({ expiresAtHeight, nonce, payload }: OperationContent): Uint8Array {
  const bytes = new Uint8Array(OPERATION_HEADER_BYTES + payload.byteLength);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setBigUint64(EXPIRY_AT, BigInt(expiresAtHeight));
  view.setBigUint64(NONCE_AT, nonce);
  bytes.set(payload, OPERATION_HEADER_BYTES);
  return bytes;
}

/** Undefined: a transaction that is no operation, and is the application's whole. The payload is a view. */
export function parseOperation(transaction: Uint8Array): OperationContent | undefined {
  if (transaction.byteLength <= OPERATION_HEADER_BYTES || !beginsAsOperation(transaction)) return undefined;
  const view = new DataView(transaction.buffer, transaction.byteOffset, OPERATION_HEADER_BYTES);
  const expiresAtHeight = Number(view.getBigUint64(EXPIRY_AT));
  if (expiresAtHeight > ORDINAL_MAX) return undefined;
  return {
    // The gateway: a whole number from 0 to ORDINAL_MAX.
    expiresAtHeight: expiresAtHeight as Height,
    nonce: view.getBigUint64(NONCE_AT),
    payload: transaction.subarray(OPERATION_HEADER_BYTES),
  };
}

/**
 * The head of an operation with no payload behind it: a transaction that names no height, though whoever made it thinks so. Refused
 * at the door.
 */
export const isEmptyOperation = (transaction: Uint8Array): boolean =>
  transaction.byteLength === OPERATION_HEADER_BYTES && beginsAsOperation(transaction);

function beginsAsOperation(transaction: Uint8Array): boolean {
  for (let index = 0; index < MAGIC.byteLength; index += 1) {
    if (transaction[index] !== MAGIC[index]) return false;
  }
  return true;
}
