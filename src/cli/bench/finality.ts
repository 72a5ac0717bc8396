/**
 * Finality as a client sees it: `broadcast_tx_commit` at fixed times, none waiting for another's answer. A latency
 * counts from the intended send time, so a stall of network or generator is in it. Boundary: sockets, the clock.
 */
import { z } from 'zod';
import { pause } from '../pause.ts';
import type { Connection, Posted } from './connection.ts';
import { OpenLoop } from './pace.ts';
import { transactionOf } from './payload.ts';

export interface FinalityOptions {
  readonly connections: readonly Connection[];
  /** @unit transactions/s */
  readonly rate: number;
  /** @unit ms */
  readonly durationMs: number;
  /** Number of the first transaction: different from all others sent. */
  readonly firstNumber: number;
  readonly signal: AbortSignal;
}

export interface FinalityMeasured {
  /** @unit ms */
  readonly latencies: readonly number[];
  readonly failed: number;
  /** The last failure's words. */
  readonly failure: string | undefined;
}

/** Sends for `durationMs` and waits for the last answer. */
export async function measureFinality(options: FinalityOptions): Promise<FinalityMeasured> {
  const { connections, rate, durationMs, firstNumber, signal } = options;
  const startsAt = performance.now();
  const schedule = new OpenLoop(rate, startsAt);
  const count = Math.max(1, Math.floor((durationMs * rate) / 1_000));
  const latencies: number[] = [];
  const failures: string[] = [];
  const probes: Promise<void>[] = [];
  for (let index = 0; index < count && !signal.aborted; index += 1) {
    const intendedAt = schedule.intendedAt(index);
    const early = intendedAt - performance.now();
    if (early > 0) await pause(early, signal);
    const connection = connections[index % connections.length];
    if (signal.aborted || connection === undefined) break;
    const answered = connection.post(commitBody(firstNumber + index)).then((posted) => {
      const failure = failureOf(posted);
      if (failure === undefined) latencies.push(performance.now() - intendedAt);
      else failures.push(failure);
    });
    probes.push(answered);
  }
  await Promise.all(probes);
  return { latencies, failed: failures.length, failure: failures.at(-1) };
}

function commitBody(number: number): Buffer {
  const tx = transactionOf(number).toString('base64');
  return Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"broadcast_tx_commit","params":{"tx":"${tx}"}}`);
}

const COMMIT_ANSWER = z.object({
  result: z.object({ height: z.string(), tx_result: z.object({ code: z.number() }) }).optional(),
  error: z.object({ message: z.string(), data: z.string().optional() }).optional(),
});

function failureOf(posted: Posted): string | undefined {
  if (posted.kind === 'broken') return posted.detail;
  try {
    const { result, error } = COMMIT_ANSWER.parse(JSON.parse(posted.text));
    if (error !== undefined) return error.data ?? error.message;
    return result !== undefined && result.height !== '0' && result.tx_result.code === 0
      ? undefined
      : 'it was refused';
  } catch {
    return `HTTP ${posted.status}: the answer is not readable`;
  }
}
