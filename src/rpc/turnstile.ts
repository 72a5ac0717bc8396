/**
 * The one bound on calls from outside, and their order: so many are under way at once, so many of one client, and none waits for its
 * turn longer than so long. In one turn of the event loop calls get a bounded time; what is left of them waits, and clients that wait get
 * theirs one after the other, however many calls each has, and however many calls are in one body. Peers' messages, timers and new
 * connections wait for no more than that, however many clients call. Boundary: the event loop, the clock. BR-2.
 */
import { RingBuffer } from '../base/ring-buffer.ts';
import type { Millis } from '../base/units.ts';

/** Of one turn of the event loop; the call under way ends first. @unit ms @source chosen: half of the mempool's seal interval */
const BUDGET = 5;

export interface TurnstileBounds {
  /** Calls that have come whole and are not answered. @unit calls */
  readonly callsMax: number;
  /** Of them by one client. @unit calls */
  readonly callsPerClientMax: number;
  /** What waited longer is turned away. */
  readonly waitMax: Millis;
}

/** Nothing of the call was done: the node has no place for it, its client has no more, it waited too long. */
export type TurnedAway = 'full' | 'share' | 'late';

export interface Call {
  /** Ends with the answer. Until its first await it counts as the call's time. */
  readonly begin: () => Promise<void>;
  /** Answers in its place, at once. */
  readonly turnAway: (why: TurnedAway) => void;
}

interface Waiting {
  /** Monotonic. @unit ms */
  readonly since: number;
  readonly begin: () => void;
  /** Undefined: a part of what has begun, which is turned away no more. */
  readonly leave: (() => void) | undefined;
}

export class Turnstile {
  readonly #bounds: TurnstileBounds;
  /** By client, the oldest first; bounded by the calls under way, and by what a body may hold. */
  readonly #waiting = new Map<string, RingBuffer<Waiting>>();
  /** Clients for whom something waits, in turn. */
  readonly #clients = new RingBuffer<string>();
  #isPlanned = false;
  /** Calls under way by client, where there are any. */
  readonly #shares = new Map<string, number>();
  #underWay = 0;

  constructor(bounds: TurnstileBounds) {
    this.#bounds = bounds;
  }

  /** Calls that have entered and not ended: those that wait for their turn, and those that wait for the node. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Begins the call in its turn, or turns it away. Ends with it, and rejects as it does. */
  async enter(client: string, { begin, turnAway }: Call): Promise<void> {
    const share = this.#shares.get(client) ?? 0;
    if (this.#underWay >= this.#bounds.callsMax) return turnAway('full');
    if (share >= this.#bounds.callsPerClientMax) return turnAway('share');
    this.#count(client, 1);
    try {
      await new Promise<void>((resolve, reject) => {
        const leave = (): void => {
          turnAway('late');
          resolve();
        };
        this.#wait(client, {
          since: performance.now(),
          begin: () => void begin().then(resolve, reject),
          leave,
        });
      });
    } finally {
      this.#count(client, -1);
    }
  }

  /** One of many things that a call of the client asks for, in a turn of its own: together they may take as long as they like. */
  part<Answer>(client: string, begin: () => Promise<Answer>): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      this.#wait(client, {
        since: performance.now(),
        begin: () => void begin().then(resolve, reject),
        leave: undefined,
      });
    });
  }

  #count(client: string, by: 1 | -1): void {
    this.#underWay += by;
    const share = (this.#shares.get(client) ?? 0) + by;
    if (share === 0) this.#shares.delete(client);
    else this.#shares.set(client, share);
  }

  #wait(client: string, call: Waiting): void {
    const calls = this.#waiting.get(client) ?? new RingBuffer();
    calls.push(call);
    if (calls.length === 1) {
      this.#waiting.set(client, calls);
      this.#clients.push(client);
    }
    this.#plan();
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(this.#turn);
  }

  /** The oldest of the client whose turn it is. */
  #next(): Waiting | undefined {
    const client = this.#clients.shift();
    if (client === undefined) return undefined;
    const calls = this.#waiting.get(client);
    const call = calls?.shift();
    if (calls === undefined || calls.length === 0) this.#waiting.delete(client);
    else this.#clients.push(client);
    return call;
  }

  /** Whoever is turned away is answered within the same time: however many are late, the others wait for no more than that. */
  readonly #turn = (): void => {
    this.#isPlanned = false;
    let now = performance.now();
    const until = now + BUDGET;
    do {
      const call = this.#next();
      if (call === undefined) return;
      if (call.leave !== undefined && now - call.since > this.#bounds.waitMax) call.leave();
      else call.begin();
      now = performance.now();
    } while (now < until);
    if (this.#clients.length > 0) this.#plan();
  };
}
