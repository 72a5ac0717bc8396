/**
 * Values of any length: small ones as rows of the database, so that the group's one sync makes them durable too, large
 * ones in segment files. A location says where. Boundary: disk. Rules ST-3, ST-6; measured in docs/adr/0003-storage.md.
 */
import { DamagedData, verifyBytes } from './checksum.ts';
import { blobOf } from './rows.ts';
import { INLINE_SEGMENT, type Location, located, type Segments, type SegmentTail } from './segments.ts';
import type { Statements } from './statements.ts';

/** Longest value kept in the database. @unit bytes @source one page; up to 16 KiB a row is faster than a second sync */
export const INLINE_BYTES_MAX = 4_096;

type InlineStatements = Pick<Statements, 'inlineValue' | 'putInline' | 'forgetInline'>;

export class Values {
  readonly #sql: InlineStatements;
  readonly #segments: Segments;
  readonly #inlineBytesMax: number;

  constructor(sql: InlineStatements, segments: Segments, inlineBytesMax: number) {
    this.#sql = sql;
    this.#segments = segments;
    this.#inlineBytesMax = inlineBytesMax;
  }

  /** Where the next large value goes. */
  get tail(): SegmentTail {
    return this.#segments.tail;
  }

  /** Inside a transaction. Durable after `sync` and the commit that follows it. */
  append(bytes: Uint8Array): Location {
    if (bytes.byteLength > this.#inlineBytesMax) return this.#segments.append(bytes);
    const { lastInsertRowid } = this.#sql.putInline.run(bytes);
    return located(INLINE_SEGMENT, Number(lastInsertRowid), bytes);
  }

  /** Makes appended large values durable. */
  sync(): void {
    this.#segments.sync();
  }

  /** Gives up the large values appended since `tail`; the small ones go with their transaction. */
  rollback(tail: SegmentTail): void {
    this.#segments.rollback(tail);
  }

  /** Gives back the room of a small value; a large one stays in its segment. */
  forget(location: Location): void {
    if (location.segment === INLINE_SEGMENT) this.#sql.forgetInline.run(location.offset);
  }

  /** The value, checked. @throws DamagedData naming table and row, or file and offset */
  read(location: Location): Uint8Array {
    if (location.segment !== INLINE_SEGMENT) return this.#segments.read(location);
    const bytes = this.#inline(location);
    verifyBytes(whereOf(location), bytes, location.crc);
    return bytes;
  }

  /** A piece of a value, not checked: what is in it must bring its own checksum. @throws DamagedData when it is cut off */
  readPart(location: Location, start: number, length: number): Uint8Array {
    if (location.segment !== INLINE_SEGMENT) return this.#segments.readPart(location, start, length);
    const bytes = this.#inline(location);
    if (start + length > bytes.byteLength) {
      throw new DamagedData(`${whereOf(location)}: bytes ${start}+${length} of ${bytes.byteLength}`);
    }
    return bytes.subarray(start, start + length);
  }

  close(): void {
    this.#segments.close();
  }

  #inline(location: Location): Uint8Array {
    const row = this.#sql.inlineValue.get(location.offset);
    if (row === undefined) throw new DamagedData(`${whereOf(location)}: the row is missing`);
    return blobOf(row, 'body');
  }
}

const whereOf = ({ offset }: Location): string => `inline_values, row ${offset}`;
