/** Reads single blocks of a segment file: heads to find one's way, bodies when they are wanted. Boundary: disk. Rule RP-2. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import {
  type Block,
  type BlockHead,
  type BlocksEnd,
  checkBody,
  HEAD_BYTES,
  MAGIC,
  readHead,
  readMagic,
} from './blocks.ts';

export class SegmentReader {
  readonly path: string;
  readonly #fd: number;
  /** When it was opened: one that is still written to grows. @unit bytes */
  readonly length: number;

  /** @throws Error of the system */
  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, 'r');
    this.length = fstatSync(this.#fd).size;
  }

  /** The head at `offset`; the first block's for 0. */
  head(offset: number): BlockHead | BlocksEnd {
    if (offset === 0) {
      const magic = readMagic(this.#bytes(0, MAGIC.byteLength));
      return magic.status === 'ended' ? this.head(magic.offset) : magic;
    }
    return readHead(this.#bytes(offset, HEAD_BYTES), offset, this.length - offset);
  }

  block(head: BlockHead): Block | BlocksEnd {
    const start = head.offset + HEAD_BYTES;
    return checkBody(head, this.#bytes(start, head.end - start));
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Fewer at the end of the file. */
  #bytes(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.length - offset)));
    let read = 0;
    while (read < bytes.byteLength) {
      const got = readSync(this.#fd, bytes, read, bytes.byteLength - read, offset + read);
      // Cut since it was opened.
      if (got === 0) return bytes.subarray(0, read);
      read += got;
    }
    return bytes;
  }
}
