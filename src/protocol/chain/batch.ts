/**
 * The encoding of a batch: made once by its author, then hashed, sent, stored and executed as the same bytes.
 * version u8, author 20 bytes, sequence u64, expiresAtHeight u64, count u32; then `count` lengths u32; then the
 * transactions, one after the other. Integers are big-endian. Strict: one content has one encoding. Pure.
 */
import { toHex } from '../../base/bytes.ts';
import { sha256Hex } from '../../crypto/hash.ts';
import { ORDINAL_MAX } from './ordinals.ts';
import { ADDRESS_BYTES, addressBytes, type Malformed } from './parse.ts';
import type { Address, BatchContent, BatchDigest, BatchReference, Digest, Height } from './types.ts';

const VERSION = 1;
const SEQUENCE_AT = 1 + ADDRESS_BYTES;
const EXPIRY_AT = SEQUENCE_AT + 8;
const COUNT_AT = EXPIRY_AT + 8;
/** @unit bytes */
export const BATCH_HEADER_BYTES = COUNT_AT + 4;
/** What a transaction costs beside its own bytes. @unit bytes */
export const TRANSACTION_OVERHEAD_BYTES = 4;
/**
 * A batch holds no more, however small they are: executing one costs its hash, its index entry and its result, whatever its
 * length. @unit transactions @source 1 MiB of 256 bytes
 */
export const BATCH_TRANSACTIONS_MAX = 4_096;
/** A block's batches together hold no more, for the same reason. @unit transactions @source two full batches */
export const BLOCK_TRANSACTIONS_MAX = 8_192;

/** What a batch may hold at most; both are the genesis's (`ChainParameters`). */
export interface BatchLimits {
  /** Whole encoding. @unit bytes */
  readonly batchBytesMax: number;
  /** @unit bytes */
  readonly transactionBytesMax: number;
}

/** A parsed batch that still is its bytes: transactions are views, not copies. */
export interface BatchView {
  readonly author: Address;
  readonly sequence: number;
  readonly expiresAtHeight: Height;
  readonly count: number;
  readonly bytes: Uint8Array;
  /** Where transaction i begins in `bytes`; one more entry ends the last. */
  readonly offsets: Uint32Array;
}

/**
 * The bytes of a batch. At least one transaction, none of them empty; whoever seals keeps to `BatchLimits`,
 * `parseBatch` refuses the rest.
 */
export function encodeBatch(content: BatchContent): Uint8Array {
  const { transactions } = content;
  const payloadAt = BATCH_HEADER_BYTES + transactions.length * TRANSACTION_OVERHEAD_BYTES;
  const length = transactions.reduce((sum, { byteLength }) => sum + byteLength, payloadAt);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, VERSION);
  bytes.set(addressBytes(content.author), 1);
  view.setBigUint64(SEQUENCE_AT, BigInt(content.sequence));
  view.setBigUint64(EXPIRY_AT, BigInt(content.expiresAtHeight));
  view.setUint32(COUNT_AT, transactions.length);
  let lengthAt = BATCH_HEADER_BYTES;
  let at = payloadAt;
  for (const transaction of transactions) {
    view.setUint32(lengthAt, transaction.byteLength);
    bytes.set(transaction, at);
    lengthAt += TRANSACTION_OVERHEAD_BYTES;
    at += transaction.byteLength;
  }
  return bytes;
}

/** A view of `bytes`, or 'malformed': wrong version, a limit passed, an empty batch or transaction, a byte too many or too few. */
export function parseBatch(bytes: Uint8Array, limits: BatchLimits): BatchView | Malformed {
  const { byteLength } = bytes;
  if (byteLength <= BATCH_HEADER_BYTES || byteLength > limits.batchBytesMax) return 'malformed';
  const view = new DataView(bytes.buffer, bytes.byteOffset, byteLength);
  if (view.getUint8(0) !== VERSION) return 'malformed';
  const sequence = Number(view.getBigUint64(SEQUENCE_AT));
  const expiresAtHeight = Number(view.getBigUint64(EXPIRY_AT));
  if (sequence > ORDINAL_MAX || expiresAtHeight > ORDINAL_MAX) return 'malformed';
  const offsets = parseOffsets(view, limits);
  if (offsets === 'malformed') return 'malformed';
  return {
    author: toHex(bytes.subarray(1, SEQUENCE_AT)) as Address,
    sequence,
    expiresAtHeight: expiresAtHeight as Height,
    count: offsets.length - 1,
    bytes,
    offsets,
  };
}

function parseOffsets(view: DataView, limits: BatchLimits): Uint32Array | Malformed {
  const count = view.getUint32(COUNT_AT);
  // Before anything of that size is allocated: each transaction takes its length and at least one byte.
  const countMax = Math.floor((view.byteLength - BATCH_HEADER_BYTES) / (TRANSACTION_OVERHEAD_BYTES + 1));
  if (count === 0 || count > Math.min(countMax, BATCH_TRANSACTIONS_MAX)) return 'malformed';
  const offsets = new Uint32Array(count + 1);
  let at = BATCH_HEADER_BYTES + count * TRANSACTION_OVERHEAD_BYTES;
  for (let index = 0; index < count; index += 1) {
    const length = view.getUint32(BATCH_HEADER_BYTES + index * TRANSACTION_OVERHEAD_BYTES);
    if (length === 0 || length > limits.transactionBytesMax) return 'malformed';
    offsets[index] = at;
    at += length;
    if (at > view.byteLength) return 'malformed';
  }
  if (at !== view.byteLength) return 'malformed';
  offsets[count] = at;
  return offsets;
}

/** Views of all transactions, in the batch's order. */
export function transactionsOf(batch: BatchView): readonly Uint8Array[] {
  const { bytes, offsets, count } = batch;
  const views = new Array<Uint8Array>(count);
  for (let index = 0; index < count; index += 1) {
    views[index] = bytes.subarray(offsets[index], offsets[index + 1]);
  }
  return views;
}

/** SHA-256 of the encoding: how blocks name the batch. */
export const batchDigestOf = (bytes: Uint8Array): BatchDigest => sha256Hex(bytes) as Digest as BatchDigest;

/** SHA-256 of a transaction: how clients and the deduplication name it. */
export const transactionHashOf = (transaction: Uint8Array): Digest => sha256Hex(transaction) as Digest;

/** How a block names this batch. */
export const batchReferenceOf = (batch: BatchView, digest: BatchDigest): BatchReference => ({
  digest,
  count: batch.count,
  bytes: batch.bytes.byteLength,
});
