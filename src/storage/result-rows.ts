/** The result of one transaction, and the events of a block, as rows of msgpack. Pure. Rule ST-5, docs/storage.md. */
import type { ApplicationEvent, TransactionResult } from '../protocol/ports/storage.ts';
import type { Fields } from './packed.ts';
import { RowWriter } from './row-writer.ts';

/** Heads of an array, a text or bytes, or a number, or more. @unit bytes */
const HEAD_BYTES = 9;
/** Of one letter, in UTF-8, at the most. @unit bytes */
const LETTER_BYTES = 3;
/** Fields of a result that are no text. */
const RESULT_FIELDS = 7;

export function encodeResult(result: TransactionResult): Uint8Array {
  const { code, data, log, codespace, gasWanted, gasUsed, events } = result;
  const room =
    RESULT_FIELDS * HEAD_BYTES + data.byteLength + roomOfText(log) + roomOfText(codespace) + roomOf(events);
  const row = new RowWriter(room).array(RESULT_FIELDS).integer(code).bytes(data).text(log).text(codespace);
  return writeEvents(row.bigint(gasWanted).bigint(gasUsed), events).written;
}

export const encodeEvents = (events: readonly ApplicationEvent[]): Uint8Array =>
  writeEvents(new RowWriter(roomOf(events)), events).written;

export const readResult = (fields: Fields): TransactionResult => ({
  code: fields.integer(),
  data: fields.bytes(),
  log: fields.text(),
  codespace: fields.text(),
  gasWanted: fields.bigint(),
  gasUsed: fields.bigint(),
  events: fields.list(readEvent),
});

export const readEvent = (fields: Fields): ApplicationEvent => ({
  type: fields.text(),
  attributes: fields.list((attribute) => ({
    key: attribute.text(),
    value: attribute.text(),
    index: attribute.flag(),
  })),
});

function writeEvents(row: RowWriter, events: readonly ApplicationEvent[]): RowWriter {
  row.array(events.length);
  for (const { type, attributes } of events) {
    row.array(2).text(type).array(attributes.length);
    for (const { key, value, index } of attributes) row.array(3).text(key).text(value).flag(index);
  }
  return row;
}

function roomOf(events: readonly ApplicationEvent[]): number {
  let room = HEAD_BYTES;
  for (const { type, attributes } of events) {
    room += 2 * HEAD_BYTES + roomOfText(type);
    for (const { key, value } of attributes) room += 2 * HEAD_BYTES + roomOfText(key) + roomOfText(value);
  }
  return room;
}

const roomOfText = (text: string): number => HEAD_BYTES + LETTER_BYTES * text.length;
