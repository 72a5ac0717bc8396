/**
 * Answers that are made and not sent: of a body whose other answers are not there yet, and of clients that read slowly, or not at all.
 * A question costs some bytes, its answer many megabytes: so what has been answered bounds what is answered next. Mutable. BR-2.
 */
import type { ServerResponse } from 'node:http';

/** Of all clients; beyond, what is asked is not answered now. Each answer may go beyond it once. @unit bytes @source chosen: half for one client, some six of the largest blocks */
export const UNSENT_BYTES_MAX = 128 * 1024 * 1024;

/** Answers to one request. */
export interface Held {
  /** These bytes wait from now on, until the answer is sent, or the connection is gone. */
  readonly add: (bytes: number) => void;
}

export class Unsent {
  readonly #max: number;
  /** Where there are any. */
  readonly #byClient = new Map<string, number>();
  #all = 0;

  constructor(max = UNSENT_BYTES_MAX) {
    this.#max = max;
  }

  /** A client may have as much as it leaves to all others, so that one more finds room. */
  hasRoomFor(client: string): boolean {
    return (this.#byClient.get(client) ?? 0) + this.#all < this.#max;
  }

  hold(client: string, response: ServerResponse): Held {
    let bytes = 0;
    // Then nobody says so any more.
    let isOver = response.destroyed;
    response.once('close', () => {
      isOver = true;
      this.#give(client, -bytes);
    });
    return {
      add: (more) => {
        if (isOver) return;
        bytes += more;
        this.#give(client, more);
      },
    };
  }

  #give(client: string, bytes: number): void {
    this.#all += bytes;
    const own = (this.#byClient.get(client) ?? 0) + bytes;
    if (own === 0) this.#byClient.delete(client);
    else this.#byClient.set(client, own);
  }
}
