/**
 * The outcome of one block as one value: a table of entries, then each transaction with its result, then the block's
 * events. One entry is read without the others and has its own CRC-32. Pure. Rules ST-5, ST-6, docs/storage.md.
 */
import { digestBytes, parseDigest } from '../protocol/chain/parse.ts';
import type { Digest } from '../protocol/chain/types.ts';
import { DUPLICATE_CODE, NODE_CODESPACE } from '../protocol/ports/execution.ts';
import type { ApplicationEvent, ExecutedTransaction } from '../protocol/ports/storage.ts';
import { crc32, DamagedData } from './checksum.ts';
import { fromBytes, pack, packEvents, packResult, readEvent, readResult, unpack } from './codec.ts';

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

/** Length of the table of `count` transactions: it has one row more, for the events. @unit bytes */
export const tableBytes = (count: number): number => COUNT_BYTES + ENTRY_BYTES * (count + 1);

export function encodeResults(
  transactions: readonly ExecutedTransaction[],
  events: readonly ApplicationEvent[],
): Uint8Array {
  const bodies = transactions.map(({ hash, index, bytes, result }) =>
    pack([digestBytes(hash), index, bytes, packResult(result)]),
  );
  bodies.push(pack(packEvents(events)));
  const table = new DataView(new ArrayBuffer(tableBytes(transactions.length)));
  table.setUint32(0, transactions.length);
  const parts: Uint8Array[] = [new Uint8Array(table.buffer)];
  let offset = table.byteLength;
  bodies.forEach((body, entry) => {
    const at = COUNT_BYTES + ENTRY_BYTES * entry;
    const transaction = transactions[entry];
    table.setUint32(at, offset);
    if (transaction !== undefined) {
      table.setUint32(at + 4, prefixOf(transaction.hash));
      table.setUint32(at + 8, isDuplicate(transaction) ? DUPLICATE_FLAG : 0);
    }
    const crc = new DataView(new ArrayBuffer(CRC_BYTES));
    crc.setUint32(0, crc32(body));
    parts.push(body, new Uint8Array(crc.buffer));
    offset += body.byteLength + CRC_BYTES;
  });
  return Buffer.concat(parts);
}

/** Where entry `entry` lies in a value of `total` bytes. `table` is its first `tableBytes(count)` bytes. */
export function entrySpan(
  table: Uint8Array,
  entry: number,
  total: number,
): { readonly start: number; readonly length: number } {
  const view = viewOf(table);
  const count = view.getUint32(0);
  if (table.byteLength < tableBytes(count) || entry > count) {
    throw new DamagedData(`results: entry ${entry} of ${count}`);
  }
  const start = view.getUint32(COUNT_BYTES + ENTRY_BYTES * entry);
  const end = entry === count ? total : view.getUint32(COUNT_BYTES + ENTRY_BYTES * (entry + 1));
  if (start < tableBytes(count) || end < start + CRC_BYTES || end > total) {
    throw new DamagedData(`results: entry ${entry} at ${start}..${end} of ${total} bytes`);
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
  const fields = unpack(checked(bytes, what), what);
  return {
    hash: fields.take(fromBytes(parseDigest)),
    index: fields.count(),
    bytes: fields.bytes(),
    result: fields.nested(readResult),
  };
}

export function decodeResults(
  bytes: Uint8Array,
  what: string,
): { readonly transactions: readonly ExecutedTransaction[]; readonly events: readonly ApplicationEvent[] } {
  const count = viewOf(bytes).getUint32(0);
  const part = (entry: number): Uint8Array => {
    const { start, length } = entrySpan(bytes, entry, bytes.byteLength);
    return bytes.subarray(start, start + length);
  };
  const transactions = Array.from({ length: count }, (_, entry) =>
    decodeEntry(part(entry), `${what}, transaction ${entry}`),
  );
  const events = unpack(checked(part(count), `${what}, events`), `${what}, events`);
  return { transactions, events: events.all(readEvent) };
}

/** First four bytes of a hash, as a number in 0..2^32-1. */
export const prefixOf = (hash: Digest): number => Number.parseInt(hash.slice(0, 8), 16);

export const isDuplicate = ({ result }: ExecutedTransaction): boolean =>
  result.code === DUPLICATE_CODE && result.codespace === NODE_CODESPACE;

function checked(bytes: Uint8Array, what: string): Uint8Array {
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
