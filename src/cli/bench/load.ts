/**
 * The load generator: lanes to every validator, each one request at a time, which take what is due from one pace.
 * Boundary: sockets, the monotonic clock.
 */
import { z } from 'zod';
import { type Connection, jsonOf, type Posted, reasonOf } from './connection.ts';
import type { Pace } from './pace.ts';
import { BodyWriter } from './payload.ts';

export interface LoadOptions {
  readonly connections: readonly Connection[];
  readonly lanesPerValidator: number;
  /** Transactions in one request. */
  readonly batchMax: number;
  readonly pace: Pace;
  readonly tally: LoadTally;
  readonly signal: AbortSignal;
}

/** What became of what was sent. A refusal's words up to the first colon or digit are its key. */
export class LoadTally {
  sent = 0;
  admitted = 0;
  refused = 0;
  /** No answer: admitted or not. */
  unknown = 0;
  readonly reasons = new Map<string, number>();
  /** From the intended send time of a request's first transaction to the answer. @unit ms */
  readonly admissionLatencies: number[] = [];
  /** Numbers of admitted transactions, one of each request, for the check afterwards. */
  readonly samples: number[] = [];

  refuse(reason: string, count: number): void {
    this.refused += count;
    if (this.reasons.size < REASONS_MAX || this.reasons.has(reason))
      this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + count);
  }
}

/** Different refusals that are told apart. */
const REASONS_MAX = 50;
/** How often lanes look for due transactions. @unit ms */
const TICK = 1;
/** A lane whose transactions were refused pauses, as a client would. @unit ms */
const REFUSED_PAUSE = 20;

/** Runs until `signal` is aborted and the last answers are here. */
export async function runLoad(options: LoadOptions): Promise<void> {
  const { connections, lanesPerValidator, signal } = options;
  const waiting: (() => void)[] = [];
  const timer = setInterval(() => {
    for (const wake of waiting.splice(0)) wake();
  }, TICK);
  const wait = (): Promise<void> => new Promise((resolve) => void waiting.push(resolve));
  // Neighbouring lanes belong to different validators, so that a low rate reaches all of them.
  const lanes = Array.from({ length: lanesPerValidator }, () => connections).flat();
  await Promise.all(lanes.map((connection) => runLane(options, connection, wait, signal)));
  clearInterval(timer);
}

async function runLane(
  { batchMax, pace, tally }: LoadOptions,
  connection: Connection,
  wait: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const writer = new BodyWriter('broadcast_tx_sync', batchMax);
  while (!signal.aborted) {
    const portion = pace.take(batchMax, performance.now());
    if (portion === undefined) {
      await wait();
      continue;
    }
    const { count, intendedAt } = portion;
    const first = tally.sent;
    tally.sent += count;
    const posted = await connection.post(writer.write(first, count));
    const refusedBefore = tally.refused;
    settle(tally, posted, first, count);
    if (posted.kind === 'answered') tally.admissionLatencies.push(performance.now() - intendedAt);
    if (tally.refused > refusedBefore) await new Promise((resolve) => setTimeout(resolve, REFUSED_PAUSE));
  }
}

const ANSWERS = z.array(
  z.object({
    result: z.object({ code: z.number(), log: z.string() }).optional(),
    error: z.object({ message: z.string(), data: z.string().optional() }).optional(),
  }),
);

/** Counts one answer. Exported for tests. */
export function settle(tally: LoadTally, posted: Posted, first: number, count: number): void {
  if (posted.kind === 'broken') {
    tally.unknown += count;
    return;
  }
  if (posted.status === 200 && !posted.text.includes('"error"') && !/"code":[1-9]/.test(posted.text)) {
    tally.admitted += count;
    tally.samples.push(first);
    return;
  }
  const answers = ANSWERS.safeParse(jsonOf(posted.text));
  if (!answers.success) {
    tally.refuse(`HTTP ${posted.status}`, count);
    return;
  }
  for (const { result, error } of answers.data) {
    if (result?.code === 0) tally.admitted += 1;
    else tally.refuse(reasonOf(error?.data ?? error?.message ?? result?.log ?? '', 'refused'), 1);
  }
}
