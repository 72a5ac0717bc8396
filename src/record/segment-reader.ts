/** Reads single blocks of a segment file: heads to find one's way, bodies when they are wanted. Boundary: disk. Rule RP-2. */
import { statSync } from 'node:fs';
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
import type { OpenFiles } from './open-files.ts';

/** Heads are read so much at a time. @unit bytes @source blocks of a node at rest are some hundred bytes long */
const WINDOW_BYTES = 8_192;

export class SegmentReader {
  readonly path: string;
  readonly #files: OpenFiles;
  /** When it was found: one that is still written to grows. @unit bytes */
  readonly length: number;
  #window: Uint8Array = new Uint8Array();
  #windowAt = 0;

  /** @throws Error of the system */
  constructor(path: string, files: OpenFiles) {
    this.path = path;
    this.#files = files;
    this.length = statSync(path).size;
  }

  /** The head at `offset`; the first block's for 0. @throws Error of the system */
  head(offset: number): BlockHead | BlocksEnd {
    if (offset === 0) {
      const magic = readMagic(this.#glance(0, MAGIC.byteLength));
      return magic.status === 'ended' ? this.head(magic.offset) : magic;
    }
    return readHead(this.#glance(offset, HEAD_BYTES), offset, this.length - offset);
  }

  /** @throws Error of the system */
  block(head: BlockHead): Block | BlocksEnd {
    const start = head.offset + HEAD_BYTES;
    return checkBody(head, this.#bytes(start, head.end - start));
  }

  /** Like `#bytes`, for a few of them, valid until the next call. */
  #glance(offset: number, length: number): Uint8Array {
    const end = Math.min(offset + length, this.length);
    if (offset < this.#windowAt || end > this.#windowAt + this.#window.byteLength) {
      this.#window = this.#bytes(offset, WINDOW_BYTES);
      this.#windowAt = offset;
    }
    return this.#window.subarray(offset - this.#windowAt, end - this.#windowAt);
  }

  /** Fewer at the end of the file, or where it was cut since. */
  #bytes(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.length - offset)));
    return bytes.subarray(0, this.#files.read(this.path, bytes, offset));
  }
}
