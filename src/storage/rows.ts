/** Columns of rows that node:sqlite gives, narrowed; a column of another type is damage. Pure. */
import type { SQLOutputValue } from 'node:sqlite';
import { DamagedData } from './checksum.ts';
import type { Location } from './segments.ts';

export type Row = Readonly<Record<string, SQLOutputValue>>;

export function blobOf(row: Row, column: string): Uint8Array {
  const value = row[column];
  if (value instanceof Uint8Array) return value;
  throw new DamagedData(`column ${column} holds ${typeof value}, bytes are expected`);
}

export function integerOf(row: Row, column: string): number {
  const value = row[column];
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw new DamagedData(`column ${column} holds ${String(value)}, a whole number is expected`);
}

export function textOf(row: Row, column: string): string {
  const value = row[column];
  if (typeof value === 'string') return value;
  throw new DamagedData(`column ${column} holds ${typeof value}, a text is expected`);
}

/** Undefined where nothing is stored. */
export function locationOf(row: Row): Location | undefined {
  if (row['segment'] === null) return undefined;
  return {
    segment: integerOf(row, 'segment'),
    offset: integerOf(row, 'offset'),
    length: integerOf(row, 'length'),
    crc: integerOf(row, 'crc'),
  };
}
