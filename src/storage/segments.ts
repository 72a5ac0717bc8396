/**
 * Large values in append-only files of a fixed size, each value found by a location that the database keeps.
 * Boundary: disk. A value counts only once its location is committed, so a torn tail is written over (ST-3, ST-6).
 * Source: measured in docs/adr/0003-storage.md.
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32, DamagedData, verifyBytes } from './checksum.ts';

/** Memory taken for a value before its file is asked how long it is. @unit bytes @source a read of so much takes 10 times as long as asking */
const UNCHECKED_BYTES_MAX = 65_536;
/** In place of a file's number: the value is a row of the database, `offset` its id. */
export const INLINE_SEGMENT = 0;

/** Where a value lies. */
export interface Location {
  /** Number of the file, from 1; or `INLINE_SEGMENT`. */
  readonly segment: number;
  /** @unit bytes from the file's start */
  readonly offset: number;
  /** @unit bytes */
  readonly length: number;
  readonly crc: number;
}

export const located = (segment: number, offset: number, bytes: Uint8Array): Location => ({
  segment,
  offset,
  length: bytes.byteLength,
  crc: crc32(bytes),
});

/** Where the next value goes. */
export interface SegmentTail {
  readonly segment: number;
  readonly offset: number;
}

export const FIRST_TAIL: SegmentTail = { segment: 1, offset: 0 };

/** Size of one file, allocated at once. @unit bytes @source config storage.segment_bytes */
export const SEGMENT_BYTES_DEFAULT = 64 * 1_048_576;

/** Files open for reading; the one that was opened first is closed. @unit files @source 1 GB of recent values */
const OPEN_FILES_MAX = 16;

export class Segments {
  readonly #dir: string;
  readonly #segmentBytes: number;
  readonly #files = new Map<number, number>();
  readonly #unsynced = new Set<number>();
  #tail: SegmentTail;
  #created = false;

  /** Reads and writes files in `dir`, which exists; `tail` is what the database says. */
  constructor(dir: string, segmentBytes: number, tail: SegmentTail) {
    this.#dir = dir;
    this.#segmentBytes = segmentBytes;
    this.#tail = tail;
  }

  get tail(): SegmentTail {
    return this.#tail;
  }

  /** @throws DamagedData when the newest file does not reach to the tail */
  verifyTail(): void {
    if (this.#tail.offset === 0) return;
    const last = { ...this.#tail, offset: this.#tail.offset - 1, length: 1, crc: 0 };
    this.readPart(last, 0, 1);
  }

  /** Writes behind the tail; durable after `sync`. A value longer than a segment gets a file of its own length. */
  append(bytes: Uint8Array): Location {
    if (this.#tail.offset > 0 && this.#tail.offset + bytes.byteLength > this.#segmentBytes) {
      this.#tail = { segment: this.#tail.segment + 1, offset: 0 };
    }
    const { segment, offset } = this.#tail;
    const file = this.#file(segment, 'write');
    let written = 0;
    while (written < bytes.byteLength) {
      written += writeSync(file, bytes, written, bytes.byteLength - written, offset + written);
    }
    this.#unsynced.add(segment);
    this.#tail = { segment, offset: offset + bytes.byteLength };
    return located(segment, offset, bytes);
  }

  /** Makes every appended value durable. */
  sync(): void {
    for (const segment of this.#unsynced) fdatasyncSync(this.#file(segment, 'write'));
    this.#unsynced.clear();
    if (this.#created) syncDirectory(this.#dir);
    this.#created = false;
  }

  /** Gives up what was appended since `tail`; it will be written over. */
  rollback(tail: SegmentTail): void {
    this.#tail = tail;
    this.#unsynced.clear();
  }

  /** The value, checked. @throws DamagedData naming file and offset */
  read(location: Location): Uint8Array {
    const bytes = this.readPart(location, 0, location.length);
    verifyBytes(this.#where(location), bytes, location.crc);
    return bytes;
  }

  /** A piece of a value, not checked: what is in it must bring its own checksum. @throws DamagedData when it is cut off */
  readPart(location: Location, start: number, length: number): Uint8Array {
    if (start < 0 || length < 0 || start + length > location.length) {
      throw new DamagedData(`${this.#where(location)}: bytes ${start}+${length} of ${location.length}`);
    }
    this.#requireBytes(location, start + length);
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const position = location.offset + start + done;
      const read = this.#read(location, bytes, done, position);
      if (read === 0) throw new DamagedData(`${this.#where(location)}: the file ends at byte ${position}`);
      done += read;
    }
    return bytes;
  }

  close(): void {
    for (const file of this.#files.values()) closeSync(file);
    this.#files.clear();
  }

  /** No checksum covers where a value lies: before much memory is taken for it, the file must reach so far. */
  #requireBytes(location: Location, length: number): void {
    if (location.offset < 0) throw new DamagedData(`${this.#where(location)}: before the file's start`);
    if (length <= UNCHECKED_BYTES_MAX) return;
    const size = fstatSync(this.#fileOf(location)).size;
    if (location.offset + length > size) {
      throw new DamagedData(`${this.#where(location)}: the file ends at byte ${size}`);
    }
  }

  #read(location: Location, bytes: Uint8Array, done: number, position: number): number {
    return readSync(this.#fileOf(location), bytes, done, bytes.byteLength - done, position);
  }

  #fileOf(location: Location): number {
    try {
      return this.#file(location.segment, 'read');
    } catch (error) {
      if (!isMissing(error)) throw error;
      throw new DamagedData(`${this.#where(location)}: the file is missing`);
    }
  }

  #file(segment: number, use: 'read' | 'write'): number {
    const known = this.#files.get(segment);
    if (known !== undefined) return known;
    if (this.#files.size >= OPEN_FILES_MAX) this.#closeOldest();
    const path = this.#path(segment);
    const create = use === 'write' && segment === this.#tail.segment && this.#tail.offset === 0;
    const file = openSync(path, constants.O_RDWR | (create ? constants.O_CREAT : 0), 0o600);
    if (create) this.#make(file);
    this.#files.set(segment, file);
    return file;
  }

  /** A file that could not be made whole is not kept: the next attempt makes it, and its name durable. */
  #make(file: number): void {
    try {
      ftruncateSync(file, this.#segmentBytes);
      fsyncSync(file);
    } catch (error) {
      closeSync(file);
      throw error;
    }
    this.#created = true;
  }

  #closeOldest(): void {
    for (const [segment, file] of this.#files) {
      if (segment === this.#tail.segment || this.#unsynced.has(segment)) continue;
      closeSync(file);
      this.#files.delete(segment);
      return;
    }
  }

  #path(segment: number): string {
    return join(this.#dir, segmentName(segment));
  }

  #where({ segment, offset }: Location): string {
    return `${this.#path(segment)} at byte ${offset}`;
  }
}

/** `00000001.seg` */
export const segmentName = (segment: number): string => `${String(segment).padStart(8, '0')}.seg`;

/** Makes names that were created in, or removed from, a directory durable. */
export function syncDirectory(dir: string): void {
  const file = openSync(dir, constants.O_RDONLY);
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';
