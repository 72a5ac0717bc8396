/**
 * Brings operations to nodes: what was submitted in one turn goes in one call; what a node did not take, or whose holders are
 * down, goes to another one with the same expiry. Bounded by the table of the pending, and in calls for each endpoint.
 */
import { parseSubmission, type SubmissionAnswer } from './answers.ts';
import { type Calls, OPERATIONS_MAX } from './calls.ts';
import { chooseFor, isOrphaned, type Reception, ruleOnReception } from './course.ts';
import type { Called, Endpoint } from './endpoint.ts';
import type { Entry } from './pending.ts';
import type { WhenRefused } from './types.ts';

/** Submissions under way at one endpoint; further operations wait and go together. @unit calls @source chosen: one is read while one is checked, and two on their way */
const CALLS_MAX = 4;
/** Letters of one call around its operations, and around one of them. @unit bytes */
const FRAME_BYTES = 200;
const ENTRY_BYTES = 3;
/** How often holders that keep an operation for long are looked for. @unit ms */
const PATIENCE_CHECK_MS = 1_000;

export interface SenderParts extends Calls {
  readonly endpoints: readonly Endpoint[];
  readonly bodyBytesMax: number;
  readonly whenRefused: WhenRefused;
}

export class Sender {
  readonly #parts: SenderParts;
  /** To be sent, in order. */
  readonly #queue = new Set<Entry>();
  /** By endpoint: what it refused as too large halves it. @unit bytes */
  readonly #bytesMax: number[];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  readonly #patrol: ReturnType<typeof setInterval>;
  #turn = 0;
  #closed = false;

  constructor(parts: SenderParts) {
    this.#parts = parts;
    this.#bytesMax = parts.endpoints.map(() => parts.bodyBytesMax);
    this.#patrol = setInterval(() => this.#lookForStuck(), PATIENCE_CHECK_MS);
  }

  add(entry: Entry): void {
    this.#queue.add(entry);
    this.#flushIn(0);
  }

  /** An endpoint is down: what it alone holds goes to another. */
  takeOver(): void {
    for (const entry of this.#parts.pending.values()) {
      if (entry.body !== undefined && this.#isOrphaned(entry)) this.#queue.add(entry);
    }
    this.#flushIn(0);
  }

  /** It has ended. */
  forget(entry: Entry): void {
    this.#queue.delete(entry);
  }

  close(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#patrol);
    this.#queue.clear();
    this.#closed = true;
  }

  #flushIn(ms: number): void {
    const at = this.#parts.now() + ms;
    if (at >= this.#timerAt || this.#closed) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#flush();
    }, ms);
  }

  #flush(): void {
    const usable = this.#usable();
    const chunks = new Map<
      string,
      { readonly endpoint: Endpoint; readonly entries: Entry[]; bytes: number }
    >();
    for (const entry of this.#queue) {
      if (usable.length === 0) break;
      if (!this.#isWanted(entry)) {
        this.#queue.delete(entry);
        continue;
      }
      const index = chooseFor(entry.course, usable);
      const endpoint = index === undefined ? undefined : this.#parts.endpoints[index];
      if (endpoint === undefined) {
        // Only its holders are usable: the patrol comes back to it.
        this.#queue.delete(entry);
        continue;
      }
      const bytes = (entry.body?.length ?? 0) + ENTRY_BYTES;
      const key = `${endpoint.index} ${entry.operation.expiresAtHeight}`;
      const chunk = chunks.get(key) ?? { endpoint, entries: [], bytes: FRAME_BYTES };
      const isFull =
        chunk.entries.length >= OPERATIONS_MAX ||
        (chunk.entries.length > 0 && chunk.bytes + bytes > this.#bytesMaxOf(endpoint));
      // What is left goes with the next flush, which follows at once.
      if (isFull) break;
      chunk.entries.push(entry);
      chunk.bytes += bytes;
      chunks.set(key, chunk);
      this.#queue.delete(entry);
    }
    for (const { endpoint, entries } of chunks.values()) void this.#send(endpoint, entries);
    const pause = chunks.size > 0 ? 0 : this.#soonest();
    if (this.#queue.size > 0 && Number.isFinite(pause)) this.#flushIn(pause);
  }

  /** Endpoints that may be given something, in turn. */
  #usable(): readonly number[] {
    const { endpoints, now } = this.#parts;
    this.#turn += 1;
    const turned = endpoints.map((_, at) => (at + this.#turn) % endpoints.length);
    return turned.filter((index) => {
      const endpoint = endpoints[index];
      if (endpoint === undefined || endpoint.submissions >= CALLS_MAX) return false;
      return !endpoint.rest.isResting(now()) && !endpoint.submissionRest.isResting(now());
    });
  }

  /** Not where it has ended, or is with a holder that is back, or there is nobody else to give it to. */
  #isWanted(entry: Entry): boolean {
    const { endpoints, pending, now } = this.#parts;
    const { holders } = entry.course;
    if (!pending.has(entry)) return false;
    if (holders.size === 0 || this.#isOrphaned(entry)) return true;
    return holders.size < endpoints.length && entry.heldSince + entry.patience <= now();
  }

  #isOrphaned({ course }: Entry): boolean {
    const { endpoints, now } = this.#parts;
    return isOrphaned(course, (index) => endpoints[index]?.rest.isResting(now()) === true);
  }

  /** Until an endpoint may be tried; infinite where all have calls enough: the end of one begins a flush. @unit ms */
  #soonest(): number {
    const { endpoints, now } = this.#parts;
    const open = endpoints.filter(({ submissions }) => submissions < CALLS_MAX);
    const lefts = open.map(({ rest, submissionRest }) =>
      Math.max(rest.leftAt(now()), submissionRest.leftAt(now())),
    );
    return Math.min(Number.POSITIVE_INFINITY, ...lefts);
  }

  async #send(endpoint: Endpoint, entries: readonly Entry[]): Promise<void> {
    const { call, now, whenRefused } = this.#parts;
    const operations = entries.map(({ body }) => body);
    endpoint.submissions += 1;
    const called = await call(endpoint, 'althing_submit', { operations });
    endpoint.submissions -= 1;
    const receptions = this.#receptionsOf(endpoint, entries, called);
    entries.forEach((entry, at) => {
      const reception = receptions[at] ?? { status: 'lost' };
      const { course, next } = ruleOnReception(entry.course, endpoint.index, reception, whenRefused);
      entry.course = course;
      entry.heldSince = now();
      if (next === 'follow' && course.holders.size > 1) entry.patience *= 2;
      if (next === 'send') this.#queue.add(entry);
      else if (next !== 'follow') this.#parts.pending.end(entry, next);
    });
    if (this.#queue.size > 0) this.#flushIn(0);
  }

  #receptionsOf(endpoint: Endpoint, entries: readonly Entry[], called: Called): readonly Reception[] {
    const { now, onFailure, onHeights } = this.#parts;
    if (called.kind !== 'answered') {
      const { kind, cause, detail, retryAfterMs } = called;
      const isTooLarge = cause === 'tooLarge';
      if (isTooLarge && (kind === 'notTaken' || entries.length > 1))
        return this.#tooLarge(endpoint, entries, kind, detail);
      if (cause === 'busy' || isTooLarge) endpoint.submissionRest.begin(now(), retryAfterMs);
      else onFailure(endpoint, detail, retryAfterMs);
      return entries.map(() => ({ status: kind }));
    }
    const ids = entries.map(({ operation }) => operation.id);
    const answer = parseSubmission(called.result, ids);
    if (answer === 'malformed') {
      onFailure(endpoint, 'it answered althing_submit with what it cannot mean');
      return entries.map(() => ({ status: 'lost' }));
    }
    onHeights(endpoint, answer);
    const refused = answer.operations.find((one) => one.status === 'refused' && one.retryable);
    if (refused === undefined) endpoint.submissionRest.end();
    else endpoint.submissionRest.begin(now());
    endpoint.refusal = refused?.status === 'refused' ? `${refused.code}: ${refused.log}` : '';
    if (entries.length === 1 || !answer.operations.some(isTogether)) return answer.operations;
    this.#halve(endpoint, entries);
    return answer.operations.map((one) => (isTogether(one) ? { status: 'notTaken' } : one));
  }

  /** One alone is refused for good, if the node says so; several go again in smaller calls. */
  #tooLarge(
    endpoint: Endpoint,
    entries: readonly Entry[],
    status: 'notTaken' | 'lost',
    log: string,
  ): readonly Reception[] {
    const [only, second] = entries;
    if (only !== undefined && second === undefined) {
      const { id } = only.operation;
      return [{ id, status: 'refused', code: 'TOO_LARGE', log, retryable: false, mayBeHeld: false }];
    }
    this.#halve(endpoint, entries);
    return entries.map(() => ({ status }));
  }

  /** So many, of so many bytes, were too much for one call. */
  #halve(endpoint: Endpoint, entries: readonly Entry[]): void {
    const bytes = entries.reduce((sum, { body = '' }) => sum + body.length + ENTRY_BYTES, FRAME_BYTES);
    this.#bytesMax[endpoint.index] = Math.min(this.#bytesMaxOf(endpoint), Math.ceil(bytes / 2));
  }

  #bytesMaxOf({ index }: Endpoint): number {
    return this.#bytesMax[index] ?? this.#parts.bodyBytesMax;
  }

  /** BR-2: a holder that answers and does not get it committed (it is cut off, or lies) is given company. */
  #lookForStuck(): void {
    for (const entry of this.#parts.pending.values()) {
      const isStuck = entry.course.holders.size > 0 && this.#isWanted(entry);
      if (entry.body !== undefined && isStuck) this.#queue.add(entry);
    }
    if (this.#queue.size > 0) this.#flushIn(0);
  }
}

/** More than the node can hand to a validator in one message: each by itself may fit. */
const isTogether = (answer: SubmissionAnswer): boolean =>
  answer.status === 'refused' && answer.code === 'TOO_MANY_TOGETHER';
