/** One segment while it is written: bytes leave in order, many blocks in one call, and what waits is counted. Boundary: disk. Rule RP-2. */
import { close, closeSync, mkdirSync, openSync, writev, writevSync } from 'node:fs';
import { dirname } from 'node:path';

/** `background`: the caller goes on while the disk works. `at once`: for runs that never let go of the thread. */
export type Writing = 'background' | 'at once';

export class SegmentFile {
  readonly #writing: Writing;
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  #length = 0;
  #flying = 0;
  #fd: number | undefined;
  #isEnding = false;
  readonly #failed: (detail: string) => void;
  readonly #closed = Promise.withResolvers<void>();

  /** Made at once; a failure is told, once. */
  constructor(path: string, writing: Writing, failed: (detail: string) => void) {
    this.#writing = writing;
    this.#failed = failed;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      this.#fd = openSync(path, 'wx', 0o600);
    } catch (error) {
      this.#abandon(error);
    }
  }

  /** @unit bytes, written and waiting */
  get length(): number {
    return this.#length;
  }

  /** @unit bytes */
  get waiting(): number {
    return this.#partsBytes + this.#flying;
  }

  /** The bytes must not change afterwards. */
  write(parts: readonly Uint8Array[]): void {
    if (this.#fd === undefined) return;
    for (const part of parts) {
      if (part.byteLength === 0) continue;
      this.#parts.push(part);
      this.#partsBytes += part.byteLength;
      this.#length += part.byteLength;
    }
    this.#send();
  }

  /** Nothing more is written. */
  end(): void {
    this.#isEnding = true;
    this.#send();
  }

  /** Settles when all is written and closed, or failed. */
  closed(): Promise<void> {
    return this.#closed.promise;
  }

  #send(): void {
    const fd = this.#fd;
    if (fd === undefined || this.#flying > 0) return;
    if (this.#parts.length === 0) {
      if (!this.#isEnding) return;
      this.#fd = undefined;
      if (this.#writing === 'at once') closeSync(fd);
      else close(fd, () => undefined);
      this.#closed.resolve();
      return;
    }
    const parts = this.#parts;
    this.#flying = this.#partsBytes;
    this.#parts = [];
    this.#partsBytes = 0;
    if (this.#writing === 'background') this.#writeAll(fd, parts, this.#flying);
    else this.#writeNow(fd, parts, this.#flying);
  }

  #writeNow(fd: number, parts: readonly Uint8Array[], bytes: number): void {
    try {
      const written = writevSync(fd, parts);
      if (written < bytes) {
        this.#writeNow(fd, without(parts, written), bytes - written);
        return;
      }
      this.#flying = 0;
      this.#send();
    } catch (error) {
      this.#broken(fd, error);
    }
  }

  #writeAll(fd: number, parts: readonly Uint8Array[], bytes: number): void {
    writev(fd, parts, (error, written) => {
      if (error !== null) {
        this.#broken(fd, error);
        return;
      }
      if (written < bytes) {
        this.#writeAll(fd, without(parts, written), bytes - written);
        return;
      }
      this.#flying = 0;
      this.#send();
    });
  }

  #broken(fd: number, error: unknown): void {
    this.#flying = 0;
    this.#fd = undefined;
    close(fd, () => undefined);
    this.#abandon(error);
  }

  #abandon(error: unknown): void {
    this.#parts = [];
    this.#partsBytes = 0;
    this.#closed.resolve();
    this.#failed(error instanceof Error ? error.message : String(error));
  }
}

/** What is left of `parts` when so many bytes of them are written. */
function without(parts: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let left = written;
  return parts.flatMap((part) => {
    const skipped = Math.min(left, part.byteLength);
    left -= skipped;
    return skipped === part.byteLength ? [] : [part.subarray(skipped)];
  });
}
