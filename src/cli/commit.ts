/**
 * Submits an operation by `althing/client` and waits for its one end (BR-1). That it has none yet is a failure in words, as is, for
 * those who ask for a commit, another end; they say whether it can still get into a block. Boundary: HTTP.
 */
import { z } from 'zod';
import { type Client, ClientClosed, connect, type Operation, type Outcome } from '../client/index.ts';
import { runtimeFailure } from './failure.ts';
import { callRpc, type RpcTarget } from './rpc-client.ts';

export interface Ended {
  /** Of the operation's bytes: `hash` of the RPC. */
  readonly hash: string;
  readonly outcome: Outcome;
  /** As `12 ms`. */
  readonly took: string;
}

export interface Committed extends Ended {
  /** Its `result` may still say that it failed. */
  readonly outcome: Extract<Outcome, { status: 'committed' }>;
}

export interface CommitOptions {
  /** Chosen by the client where it is left out. */
  readonly expiresAtHeight?: number;
  /** @unit ms */
  readonly endWaitMs?: number;
}

/** What somebody at a terminal waits for; the operation goes on without them. @unit ms @source chosen: more than a hundred blocks */
const END_WAIT_MS = 60_000;

const wholeHeight = z.string().transform(Number).pipe(z.int().min(0));
const HEIGHTS = z.object({ height: wholeHeight, expires_at_height_max: wholeHeight });

export async function commitOperation(
  target: RpcTarget,
  payload: Uint8Array,
  options: CommitOptions = {},
): Promise<Committed> {
  const ended = await endOperation(target, payload, options);
  const { hash, outcome } = ended;
  if (outcome.status !== 'committed') throw runtimeFailure(wordsOfEnd(hash, outcome));
  return { ...ended, outcome };
}

/** The height that a node has executed, and the highest that an operation may expire at there. */
export const askHeights = (target: RpcTarget) =>
  callRpc(target, 'althing_outcomes', { operations: [], wait_ms: '0' }, HEIGHTS);

export async function endOperation(
  target: RpcTarget,
  payload: Uint8Array,
  { expiresAtHeight, endWaitMs = END_WAIT_MS }: CommitOptions = {},
): Promise<Ended> {
  const startedAt = performance.now();
  // The client would wait for a node; who sits at a terminal wants to hear that there is none.
  await askHeights(target);
  const client = connect({ endpoints: [target.url], whenRefused: 'reject' });
  const late = setTimeout(() => client.close(), endWaitMs);
  let operation: Operation | undefined;
  try {
    operation = await client.submit(payload, expiresAtHeight === undefined ? {} : { expiresAtHeight });
    const outcome = await operation.outcome;
    return { hash: operation.id, outcome, took: `${Math.round(performance.now() - startedAt)} ms` };
  } catch (failure) {
    throw failure instanceof ClientClosed ? runtimeFailure(lateWords(operation, endWaitMs, client)) : failure;
  } finally {
    clearTimeout(late);
    client.close();
  }
}

export function wordsOfEnd(id: string, outcome: Exclude<Outcome, { status: 'committed' }>): string {
  if (outcome.status === 'expired')
    return `operation ${id} expired: height ${outcome.height} was executed without it, and it never will be; send it again`;
  const { code, reason } = outcome;
  const words = reason === '' ? 'it gave no reason' : reason;
  return code === 'CHECK_FAILED' ? `refused by the application: ${words}` : `refused: ${code}: ${words}`;
}

function lateWords(operation: Operation | undefined, waitedMs: number, { endpoints }: Client): string {
  const problem = endpoints
    .flatMap((one) => [one.problem, one.refusal].filter((words) => words !== ''))
    .join('; ');
  const after = `after ${waitedMs / 1_000} s${problem === '' ? '' : ` (${problem})`}`;
  if (operation === undefined) return `nothing was sent: the node told no height ${after}`;
  const { id, expiresAtHeight } = operation;
  return (
    `operation ${id} has no end ${after}: it may still be committed, up to height ${expiresAtHeight}; ` +
    `ask the RPC's "tx" for it, and do not send it again before that height`
  );
}
