/**
 * Lookups in the store take turns with the rest of the node: so many in one turn of the event loop, for all calls together, and
 * clients that wait get theirs one after the other, however many calls each has. Boundary: the event loop. BR-2.
 */
import { RingBuffer } from '../base/ring-buffer.ts';

/** In one turn of the event loop. @unit lookups @source measured: 64 among the newest 65,536 transactions take 1 to 3 ms */
const LOOKUPS_PER_TURN = 64;
/** What one client gets before the next one. @unit lookups @source chosen: four clients in a turn */
const LOOKUPS_AT_ONCE = 16;

export class LookupTurns {
  #left = LOOKUPS_PER_TURN;
  #isPlanned = false;
  /** By client, its calls in order; one waits once at a time, so the RPC's bound on calls bounds them. */
  readonly #waiting = new Map<string, RingBuffer<() => void>>();
  /** Clients with a call that waits, in turn. */
  readonly #clients = new RingBuffer<string>();

  /** How many lookups the caller may do now, without waiting for anything; for one that needs `wanted`. */
  async take(client: string, wanted: number): Promise<number> {
    if (this.#left === 0 || this.#clients.length > 0) {
      await new Promise<void>((resolve) => this.#wait(client, resolve));
    }
    const given = Math.min(wanted, LOOKUPS_AT_ONCE, this.#left);
    this.#left -= given;
    this.#plan();
    return given;
  }

  #wait(client: string, go: () => void): void {
    const calls = this.#waiting.get(client) ?? new RingBuffer();
    calls.push(go);
    this.#waiting.set(client, calls);
    if (calls.length === 1) this.#clients.push(client);
    this.#plan();
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#isPlanned = false;
    this.#left = LOOKUPS_PER_TURN;
    // As many as surely get something: each takes its share when it goes on, before anything else of this loop's turn.
    for (let share = 0; share < LOOKUPS_PER_TURN; share += LOOKUPS_AT_ONCE) this.#next();
    if (this.#clients.length > 0) this.#plan();
  };

  #next(): void {
    const client = this.#clients.shift();
    if (client === undefined) return;
    const calls = this.#waiting.get(client);
    calls?.shift()?.();
    if (calls === undefined || calls.length === 0) this.#waiting.delete(client);
    else this.#clients.push(client);
  }
}
