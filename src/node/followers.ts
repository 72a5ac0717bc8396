/**
 * How operations stand that clients follow: committed, expired or pending, told when it changes (BR-1). Boundary: timers,
 * the store. An operation is registered before the store is read, so that nothing falls between the two.
 */
import type { Millis } from '../base/units.ts';
import { GENESIS_HEIGHT } from '../protocol/chain/ordinals.ts';
import { parseHeight } from '../protocol/chain/parse.ts';
import type { Digest, Height } from '../protocol/chain/types.ts';
import { isWithheld } from '../protocol/execution/outcome.ts';
import type { BlockResults } from '../protocol/ports/execution.ts';
import type { Followed, FollowedOperation, FollowersReport, OperationStanding } from '../rpc/node-port.ts';
import type { HeightRange, TransactionFound } from '../storage/store.ts';
import { LookupTurns } from './lookup-turns.ts';

/** Calls that wait at once; further ones are answered without waiting. @unit calls @source above rpc.connections_max by default */
const CALLS_MAX = 1_024;
/** Operations that are waited for at once, in all calls; further ones as with calls. @unit operations */
const WAITED_MAX = 65_536;
/**
 * Operations that are known at once, some 200 bytes each; the one asked for longest ago is forgotten, if nobody waits for it.
 * @unit operations @source twice as many as are waited for: every second one may be forgotten, so that looking for one is short
 */
const WATCHED_MAX = 2 * WAITED_MAX;

export interface FollowersParts {
  readonly find: (hash: Digest, within: HeightRange) => TransactionFound | undefined;
  /** True when the results of this height are stored. */
  readonly hasResults: (height: Height) => boolean;
  /** The newest executed height at the start. */
  readonly executed: Height;
  /** How far below its expiry an operation's first appearance can be. @unit heights */
  readonly reach: number;
}

const FIRST_HEIGHT = 1;

/** What is known of one operation. From `isRead` on, `committedAt` is all there is up to the executed height. */
interface Watched {
  readonly id: Digest;
  readonly expiresAtHeight: Height;
  readonly calls: Set<Call>;
  isRead: boolean;
  committedAt: Height | undefined;
}

/** What one client has of the places, or all have. */
interface Places {
  readonly calls: number;
  readonly operations: number;
}

const NO_PLACES: Places = { calls: 0, operations: 0 };

interface Call {
  readonly expiresFirst: number;
  readonly wake: () => void;
}

export class Followers {
  readonly #parts: FollowersParts;
  /** By id; least recently asked for first. */
  readonly #watched = new Map<Digest, Watched>();
  /** Goes on where it was: one that begins anew passes all that was deleted before. @source measured: 3 in place of 86 µs for each that is forgotten */
  #oldest = this.#watched.values();
  readonly #calls = new Set<Call>();
  readonly #lookups = new LookupTurns();
  /** By client, where it waits at all. */
  readonly #shares = new Map<string, Places>();
  #executed: Height;
  #taken = NO_PLACES;
  #crowded = 0;
  /** Results of all heights above are stored; those of `#lackedAt` are not. */
  #coveredAbove: number;
  #lackedAt = -1;

  constructor(parts: FollowersParts) {
    this.#parts = parts;
    this.#executed = parts.executed;
    this.#coveredAbove = parts.executed;
  }

  get report(): FollowersReport {
    return { ...this.#taken, crowded: this.#crowded };
  }

  /** As `NodePort.follow`. */
  async follow(
    operations: readonly FollowedOperation[],
    client: string,
    wait: Millis,
    signal: AbortSignal,
  ): Promise<Followed> {
    const asked: Places = { calls: 1, operations: operations.length };
    const isCrowded = wait > 0 && !this.#hasPlaceFor(client, asked);
    if (isCrowded) this.#crowded += 1;
    if (isCrowded || wait <= 0) {
      for (const operation of operations) this.#watch(operation);
      await this.#read(operations, client, signal);
      return { ...this.#standings(operations), isCrowded };
    }
    this.#give(client, asked);
    const waiting = this.#waitFor(operations, wait, signal);
    try {
      await this.#read(operations, client, signal);
      const now = this.#standings(operations);
      const hasEnded = now.standings.some(({ status }) => status !== 'pending');
      if (hasEnded || signal.aborted) return { ...now, isCrowded };
      await waiting.woken;
      // What came while the store was not to be read is read now.
      await this.#read(operations, client, signal);
      return { ...this.#standings(operations), isCrowded };
    } finally {
      waiting.end();
      this.#give(client, { calls: -1, operations: -operations.length });
    }
  }

  /** A block was executed, and its results are durable. */
  take({ executed: { height }, transactions }: BlockResults): void {
    const woken = new Set<Call>();
    // Blocks between were not told here: a snapshot took their place, or the cell was restarted.
    if (height !== this.#executed + 1) {
      this.#passOver(height - 1);
      for (const call of this.#calls) woken.add(call);
    }
    this.#executed = height;
    if (this.#watched.size > 0) {
      for (const { hash, result } of transactions) {
        const watched = this.#watched.get(hash);
        if (watched === undefined || height > watched.expiresAtHeight || isWithheld(result)) continue;
        watched.committedAt ??= height;
        for (const call of watched.calls) woken.add(call);
      }
    }
    for (const call of this.#calls) if (height > call.expiresFirst) woken.add(call);
    for (const call of woken) call.wake();
  }

  /** BR-2: a client may have as much as it leaves to all others, so that however many there are, one more finds a place. */
  #hasPlaceFor(client: string, { calls, operations }: Places): boolean {
    const own = this.#shares.get(client) ?? NO_PLACES;
    const leftCalls = CALLS_MAX - this.#taken.calls - calls;
    const leftOperations = WAITED_MAX - this.#taken.operations - operations;
    return (
      own.calls + calls <= leftCalls && (operations === 0 || own.operations + operations <= leftOperations)
    );
  }

  /** What ends gives back what it got. */
  #give(client: string, places: Places): void {
    const share = sumOf(this.#shares.get(client) ?? NO_PLACES, places);
    if (share.calls === 0) this.#shares.delete(client);
    else this.#shares.set(client, share);
    this.#taken = sumOf(this.#taken, places);
  }

  #waitFor(operations: readonly FollowedOperation[], wait: Millis, signal: AbortSignal) {
    let wake = (): void => undefined;
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const heights = operations.map(({ expiresAtHeight }) => expiresAtHeight);
    // Without operations the next height is what is waited for.
    const expiresFirst = operations.length === 0 ? this.#executed : lowestOf(heights);
    const call: Call = { expiresFirst, wake };
    const watched = operations.map((operation) => this.#watch(operation));
    for (const { calls } of watched) calls.add(call);
    this.#calls.add(call);
    const timer = setTimeout(wake, wait);
    signal.addEventListener('abort', wake, { once: true });
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      this.#calls.delete(call);
      for (const { calls } of watched) calls.delete(call);
    };
    return { woken, end };
  }

  #watch({ id, expiresAtHeight }: FollowedOperation): Watched {
    const known = this.#watched.get(id);
    this.#watched.delete(id);
    const watched =
      known?.expiresAtHeight === expiresAtHeight
        ? known
        : { id, expiresAtHeight, calls: known?.calls ?? new Set(), isRead: false, committedAt: undefined };
    this.#watched.set(id, watched);
    this.#forgetOldest();
    return watched;
  }

  #forgetOldest(): void {
    while (this.#watched.size > WATCHED_MAX) {
      const { done, value: watched } = this.#oldest.next();
      if (done === true) {
        this.#oldest = this.#watched.values();
        continue;
      }
      this.#watched.delete(watched.id);
      // Waited for, so no older than the call: it goes to the end, and is not met again soon.
      if (watched.calls.size > 0) this.#watched.set(watched.id, watched);
    }
  }

  /** BR-2: what all calls look up in one turn of the event loop is bounded, whoever they are of. */
  async #read(operations: readonly FollowedOperation[], client: string, signal: AbortSignal): Promise<void> {
    const unread = operations.filter(({ id }) => this.#watched.get(id)?.isRead === false);
    let granted = 0;
    for (const [index, operation] of unread.entries()) {
      if (granted === 0) granted = await this.#lookups.take(client, unread.length - index);
      if (signal.aborted) return;
      const watched = this.#watched.get(operation.id);
      // Another call read it meanwhile, or it was forgotten.
      if (watched === undefined || watched.isRead) continue;
      granted -= 1;
      const found = this.#parts.find(watched.id, this.#rangeOf(watched.expiresAtHeight));
      // A block that came meanwhile may have told it first; the store has it by then.
      if (found !== undefined && !isWithheld(found.executed.result)) watched.committedAt = found.height;
      watched.isRead = true;
    }
  }

  #standings(operations: readonly FollowedOperation[]): Omit<Followed, 'isCrowded'> {
    return {
      height: this.#executed,
      standings: operations.map((operation) => this.#standingOf(operation)),
    };
  }

  #standingOf({ id, expiresAtHeight }: FollowedOperation): OperationStanding {
    const watched = this.#watched.get(id);
    // Another call asks for the same one with another expiry, or too many are asked for: not known now.
    if (watched?.isRead !== true || watched.expiresAtHeight !== expiresAtHeight) return { status: 'pending' };
    if (watched.committedAt !== undefined) return this.#committed(id, watched.committedAt);
    if (this.#executed <= expiresAtHeight) return { status: 'pending' };
    return { status: this.#isCovered(this.#rangeOf(expiresAtHeight).above) ? 'expired' : 'unknown' };
  }

  #committed(id: Digest, upTo: Height): OperationStanding {
    const found = this.#parts.find(id, { above: heightAt(upTo - 1), upTo });
    if (found === undefined) return { status: 'pending' };
    const { height, executed } = found;
    return { status: 'committed', height, index: executed.index, result: executed.result };
  }

  #rangeOf(expiresAtHeight: Height): HeightRange {
    return { above: heightAt(expiresAtHeight - this.#parts.reach - 1), upTo: expiresAtHeight };
  }

  /** Whether the results of all heights above are stored. Stored heights have no gap, so one of them tells for those above it. */
  #isCovered(above: Height): boolean {
    if (above >= this.#coveredAbove) return true;
    if (above <= this.#lackedAt) return false;
    // Where a node began with a snapshot, the row of that height has no results.
    const isStored = this.#parts.hasResults(heightAt(Math.max(above, FIRST_HEIGHT)));
    if (isStored) this.#coveredAbove = above;
    else this.#lackedAt = above;
    return isStored;
  }

  /** Heights up to `above` were not told here: what is known of operations must be read again. */
  #passOver(above: number): void {
    for (const watched of this.#watched.values()) watched.isRead = false;
    this.#coveredAbove = above;
    this.#lackedAt = -1;
  }
}

const sumOf = (one: Places, other: Places): Places => ({
  calls: one.calls + other.calls,
  operations: one.operations + other.operations,
});

const lowestOf = (heights: readonly Height[]): number =>
  heights.reduce((lowest, height) => Math.min(lowest, height), Number.POSITIVE_INFINITY);

/** Genesis for what is below it. */
function heightAt(raw: number): Height {
  const height = parseHeight(Math.max(GENESIS_HEIGHT, raw));
  return height === 'malformed' ? GENESIS_HEIGHT : height;
}
