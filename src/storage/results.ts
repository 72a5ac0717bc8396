/**
 * The outcome of one block as one value: a table of entries, then each transaction with its result, then the block's
 * events. One entry is read without the others and has its own CRC-32. Pure. Rules ST-5, ST-6, docs/storage.md.
 */
import { DIGEST_BYTES, digestFromBytes, parseCount } from '../protocol/chain/parse.ts';
import type { Digest } from '../protocol/chain/types.ts';
import { isWithheld } from '../protocol/execution/outcome.ts';
import type { ApplicationEvent, ExecutedTransaction, TransactionResult } from '../protocol/ports/storage.ts';
import { crc32, DamagedData } from './checksum.ts';
import { unpack } from './packed.ts';
import { encodeEvents, encodeResult, readEvent, readResult } from './result-rows.ts';

/** What the table says of one transaction. */
export interface ResultEntry {
  /** First four bytes of the hash, big-endian. */
  readonly prefix: number;
  /** A repetition: not found by its hash, because the first execution is. */
  readonly duplicate: boolean;
}

/** Offset u32, prefix u32, flags u32, all big-endian. @unit bytes */
const ENTRY_BYTES = 12;
/** @unit bytes */
const COUNT_BYTES = 4;
/** @unit bytes */
const CRC_BYTES = 4;
const DUPLICATE_FLAG = 1;
/** Hash, index f64, length of the transaction u32; then the transaction and its packed result. @unit bytes */
const HEAD_BYTES = DIGEST_BYTES + 8 + 4;
/** What most transactions end with. */
const PLAIN_RESULT = encodeResult({
  code: 0,
  data: new Uint8Array(0),
  log: '',
  codespace: '',
  gasWanted: 0n,
  gasUsed: 0n,
  events: [],
});

/** Length of the table of `count` transactions: it has one row more, for the events. @unit bytes */
export const tableBytes = (count: number): number => COUNT_BYTES + ENTRY_BYTES * (count + 1);

export function encodeResults(
  transactions: readonly ExecutedTransaction[],
  events: readonly ApplicationEvent[],
): Uint8Array {
  const count = transactions.length;
  const results = transactions.map(({ result }) => (isPlain(result) ? PLAIN_RESULT : encodeResult(result)));
  const packedEvents = encodeEvents(events);
  let total = tableBytes(count) + packedEvents.byteLength + CRC_BYTES;
  transactions.forEach(({ bytes }, entry) => {
    total += HEAD_BYTES + bytes.byteLength + (results[entry]?.byteLength ?? 0) + CRC_BYTES;
  });
  const value = Buffer.allocUnsafe(total);
  value.writeUInt32BE(count);
  let offset = tableBytes(count);
  const seal = (entry: number, end: number, prefix: number, flags: number): void => {
    const at = COUNT_BYTES + ENTRY_BYTES * entry;
    value.writeUInt32BE(offset, at);
    value.writeUInt32BE(prefix, at + 4);
    value.writeUInt32BE(flags, at + 8);
    value.writeUInt32BE(crc32(value.subarray(offset, end)), end);
    offset = end + CRC_BYTES;
  };
  transactions.forEach((transaction, entry) => {
    const result = results[entry] ?? PLAIN_RESULT;
    value.write(transaction.hash, offset, 'hex');
    value.writeDoubleBE(transaction.index, offset + DIGEST_BYTES);
    value.writeUInt32BE(transaction.bytes.byteLength, offset + DIGEST_BYTES + 8);
    value.set(transaction.bytes, offset + HEAD_BYTES);
    value.set(result, offset + HEAD_BYTES + transaction.bytes.byteLength);
    const end = offset + HEAD_BYTES + transaction.bytes.byteLength + result.byteLength;
    seal(entry, end, value.readUInt32BE(offset), isWithheld(transaction.result) ? DUPLICATE_FLAG : 0);
  });
  value.set(packedEvents, offset);
  seal(count, offset + packedEvents.byteLength, 0, 0);
  return value;
}

/** Where the table's rows of a transaction and of what follows it stand: `spanOf` needs these bytes. */
export const spanRows = (entry: number): { readonly start: number; readonly length: number } => ({
  start: COUNT_BYTES + ENTRY_BYTES * entry,
  length: 2 * ENTRY_BYTES,
});

/** Where a transaction lies in a value of `total` bytes, by its two rows. */
export function spanOf(rows: Uint8Array, total: number): { readonly start: number; readonly length: number } {
  const view = viewOf(rows);
  const [start, end] = [view.getUint32(0), view.getUint32(ENTRY_BYTES)];
  if (end < start + CRC_BYTES || end > total) {
    throw new DamagedData(`results: a transaction at ${start}..${end} of ${total} bytes`);
  }
  return { start, length: end - start };
}

/** The entries of a table, in the order of execution. */
export function readEntries(table: Uint8Array): readonly ResultEntry[] {
  const view = viewOf(table);
  const count = view.getUint32(0);
  if (table.byteLength < tableBytes(count)) throw new DamagedData(`results: table of ${count} is cut off`);
  return Array.from({ length: count }, (_, entry) => {
    const at = COUNT_BYTES + ENTRY_BYTES * entry;
    return { prefix: view.getUint32(at + 4), duplicate: view.getUint32(at + 8) === DUPLICATE_FLAG };
  });
}

/** One transaction from its span of bytes, checked. */
export function decodeEntry(bytes: Uint8Array, what: string): ExecutedTransaction {
  const body = checked(bytes, what);
  if (body.byteLength < HEAD_BYTES) throw new DamagedData(`${what}: ${body.byteLength} bytes`);
  const view = viewOf(body);
  const end = HEAD_BYTES + view.getUint32(DIGEST_BYTES + 8);
  const hash = digestFromBytes(body.subarray(0, DIGEST_BYTES));
  const index = parseCount(view.getFloat64(DIGEST_BYTES));
  if (hash === 'malformed' || index === 'malformed') throw new DamagedData(`${what}: its index is malformed`);
  return {
    hash,
    index,
    bytes: body.slice(HEAD_BYTES, end),
    result: readResult(unpack(body.subarray(end), what)),
  };
}

export function decodeResults(
  bytes: Uint8Array,
  what: string,
): { readonly transactions: readonly ExecutedTransaction[]; readonly events: readonly ApplicationEvent[] } {
  const count = viewOf(bytes).getUint32(0);
  if (bytes.byteLength < tableBytes(count)) throw new DamagedData(`${what}: table of ${count} is cut off`);
  const transactions = Array.from({ length: count }, (_, entry) => {
    const rows = spanRows(entry);
    const span = spanOf(bytes.subarray(rows.start, rows.start + rows.length), bytes.byteLength);
    return decodeEntry(bytes.subarray(span.start, span.start + span.length), `${what}, transaction ${entry}`);
  });
  const last = viewOf(bytes).getUint32(COUNT_BYTES + ENTRY_BYTES * count);
  const where = `${what}, events`;
  const events = unpack(checked(bytes.subarray(last), where), where);
  return { transactions, events: events.all(readEvent) };
}

/** First four bytes of a hash, as a number in 0..2^32-1. */
export const prefixOf = (hash: Digest): number => Number.parseInt(hash.slice(0, 8), 16);

const isPlain = (result: TransactionResult): boolean =>
  result.code === 0 &&
  result.data.byteLength === 0 &&
  result.log === '' &&
  result.codespace === '' &&
  result.gasWanted === 0n &&
  result.gasUsed === 0n &&
  result.events.length === 0;

function checked(bytes: Uint8Array, what: string): Uint8Array {
  if (bytes.byteLength < CRC_BYTES) throw new DamagedData(`${what}: ${bytes.byteLength} bytes`);
  const body = bytes.subarray(0, bytes.byteLength - CRC_BYTES);
  if (viewOf(bytes).getUint32(body.byteLength) !== crc32(body)) {
    throw new DamagedData(`${what}: CRC-32 does not match`);
  }
  return body;
}

function viewOf(bytes: Uint8Array): DataView {
  if (bytes.byteLength < COUNT_BYTES) throw new DamagedData(`results: ${bytes.byteLength} bytes`);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
