/** Files that are opened when something is read from them; only the few that were read last stay open. Boundary: disk. Rule RP-2. */
import { closeSync, openSync, readSync } from 'node:fs';

/** @unit files @source a week of segments is 2,000 of them, a process may hold 1,024 */
const OPEN_MAX = 16;

export class OpenFiles {
  /** The one that was read last comes last. */
  readonly #fds = new Map<string, number>();

  /** Fills `bytes` from `offset` on. @returns how many are there @throws Error of the system */
  read(path: string, bytes: Uint8Array, offset: number): number {
    const fd = this.#open(path);
    let read = 0;
    while (read < bytes.byteLength) {
      const got = readSync(fd, bytes, read, bytes.byteLength - read, offset + read);
      if (got === 0) break;
      read += got;
    }
    return read;
  }

  close(): void {
    for (const fd of this.#fds.values()) closeSync(fd);
    this.#fds.clear();
  }

  #open(path: string): number {
    const known = this.#fds.get(path);
    if (known !== undefined) {
      this.#fds.delete(path);
      this.#fds.set(path, known);
      return known;
    }
    const fd = openSync(path, 'r');
    this.#fds.set(path, fd);
    if (this.#fds.size > OPEN_MAX) {
      const [oldest] = this.#fds;
      if (oldest !== undefined) {
        closeSync(oldest[1]);
        this.#fds.delete(oldest[0]);
      }
    }
    return fd;
  }
}
