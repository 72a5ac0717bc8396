/**
 * Asks every usable endpoint how the pending operations stand, by long polls, and ends them by the first answer. An endpoint that
 * fails, or whose answer cannot be true, rests. Bounded: some calls for each endpoint, each for some operations, by turns.
 */
import { type OutcomeAnswer, parseOutcomes } from './answers.ts';
import { type Calls, OPERATIONS_MAX } from './calls.ts';
import type { Called, Endpoint } from './endpoint.ts';
import type { Entry } from './pending.ts';
import { HistoryNotHeld } from './types.ts';

/** Polls at one endpoint: while one waits, another asks for what was submitted since. @unit calls @source a browser has six connections */
const CALLS_MAX = 3;
/** What a node may keep a poll waiting; beyond three polls, a new operation waits so long for its turn. @unit ms */
const WAIT_MS = 2_000;
/** Between polls, so that they gather. @unit ms @source chosen: a fraction of a block interval */
const GATHER_MS = 20;

export interface FollowerParts extends Calls {
  readonly endpoint: Endpoint;
  readonly endpointCount: number;
  /** True when somebody wants to hear of heights, whether or not there are operations. */
  readonly wantsHeights: () => boolean;
}

export class Follower {
  readonly #parts: FollowerParts;
  /** Operations that no poll under way asks for, the one asked for longest ago first. */
  readonly #open = new Set<Entry>();
  #polls = 0;
  #asksHeight = false;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
  }

  add(entry: Entry): void {
    this.#open.add(entry);
    this.wake();
  }

  /** It has ended. */
  forget(entry: Entry): void {
    this.#open.delete(entry);
  }

  wake(): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#begin();
      },
      Math.max(GATHER_MS, this.#restLeft()),
    );
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#open.clear();
    this.#closed = true;
  }

  #begin(): void {
    if (this.#restLeft() > 0) {
      this.wake();
      return;
    }
    if (this.#open.size > 0 && this.#polls < CALLS_MAX) void this.#poll(this.#take());
    if (this.#parts.wantsHeights() && !this.#asksHeight) void this.#pollHeight();
    if (this.#open.size > 0 && this.#polls < CALLS_MAX) this.wake();
  }

  /** @unit ms */
  #restLeft(): number {
    const { endpoint, now } = this.#parts;
    return Math.max(endpoint.rest.leftAt(now()), endpoint.pollRest.leftAt(now()));
  }

  #take(): readonly Entry[] {
    const taken: Entry[] = [];
    for (const entry of this.#open) {
      if (taken.length >= OPERATIONS_MAX) break;
      this.#open.delete(entry);
      taken.push(entry);
    }
    return taken;
  }

  async #poll(entries: readonly Entry[]): Promise<void> {
    const { endpoint, pending } = this.#parts;
    const operations = entries.map(({ operation: { id, expiresAtHeight } }) => ({
      id,
      expires_at_height: String(expiresAtHeight),
    }));
    this.#polls += 1;
    const called = await this.#ask(operations);
    this.#polls -= 1;
    this.#takeAnswer(entries, called);
    for (const entry of entries) {
      if (pending.has(entry) && !entry.unknownTo.has(endpoint.index)) this.#open.add(entry);
    }
    if (this.#open.size > 0) this.wake();
  }

  /** Answered at the next height. */
  async #pollHeight(): Promise<void> {
    this.#asksHeight = true;
    this.#takeAnswer([], await this.#ask([]));
    this.#asksHeight = false;
    if (this.#parts.wantsHeights()) this.wake();
  }

  #ask(operations: readonly object[]): Promise<Called> {
    const { endpoint, call } = this.#parts;
    return call(endpoint, 'althing_outcomes', { operations, wait_ms: String(WAIT_MS) });
  }

  #takeAnswer(entries: readonly Entry[], called: Called): void {
    const { endpoint, now, onFailure, onHeights } = this.#parts;
    if (called.kind !== 'answered') {
      // It lives, and is asked too much.
      if (called.cause === 'busy') endpoint.pollRest.begin(now(), called.retryAfterMs);
      else onFailure(endpoint, called.detail, called.retryAfterMs);
      return;
    }
    const byId = new Map(entries.map((entry) => [entry.operation.id, entry]));
    const expiries = new Map(entries.map(({ operation }) => [operation.id, operation.expiresAtHeight]));
    const answer = parseOutcomes(called.result, expiries);
    if (answer === 'malformed') {
      onFailure(endpoint, 'it answered althing_outcomes with what cannot be true');
      return;
    }
    // It answers all the same, and has no place for polls that wait.
    if (answer.isCrowded) endpoint.pollRest.begin(now());
    else endpoint.pollRest.end();
    onHeights(endpoint, answer);
    for (const outcome of answer.outcomes) {
      const entry = byId.get(outcome.id);
      if (entry !== undefined) this.#settle(entry, outcome);
    }
  }

  #settle(entry: Entry, outcome: OutcomeAnswer): void {
    const { endpoint, endpointCount, pending } = this.#parts;
    switch (outcome.status) {
      case 'committed': {
        const { status, height, index, result } = outcome;
        pending.end(entry, { status, height, index, result });
        return;
      }
      case 'expired':
        pending.end(entry, { status: 'expired', height: outcome.height });
        return;
      case 'unknown':
        entry.unknownTo.add(endpoint.index);
        if (entry.unknownTo.size >= endpointCount) pending.end(entry, historyNotHeld(entry));
        return;
      case 'pending':
        return;
    }
  }
}

const historyNotHeld = ({ operation: { id, expiresAtHeight } }: Entry): HistoryNotHeld =>
  new HistoryNotHeld(
    `operation ${id}, which expires at height ${expiresAtHeight}: no endpoint has the blocks that could hold it; ` +
      'name one with the whole chain',
  );
