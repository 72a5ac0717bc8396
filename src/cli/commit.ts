/**
 * Submits an operation by `althing/client` and waits for its one end (BR-1). What did not get into a block is a failure in words,
 * and says whether it still can. Boundary: HTTP.
 */
import { z } from 'zod';
import { type Client, connect, type Operation, type Outcome } from '../client/index.ts';
import { runtimeFailure } from './failure.ts';
import { callRpc, type RpcTarget } from './rpc-client.ts';

export interface Committed {
  /** Of the operation's bytes: `hash` of the RPC. */
  readonly hash: string;
  /** Its `result` may still say that it failed. */
  readonly outcome: Extract<Outcome, { status: 'committed' }>;
  /** As `12 ms`. */
  readonly took: string;
}

/** What somebody at a terminal waits for; the operation goes on without them. @unit ms @source chosen: more than a hundred blocks */
const END_WAIT_MS = 60_000;

const HEIGHTS = z.object({ height: z.string(), expires_at_height_max: z.string() });

export async function commitOperation(target: RpcTarget, payload: Uint8Array): Promise<Committed> {
  const startedAt = performance.now();
  // The client would wait for a node; who sits at a terminal wants to hear that there is none.
  await callRpc(target, 'althing_outcomes', { operations: [], wait_ms: '0' }, HEIGHTS);
  const client = connect({ endpoints: [target.url], whenRefused: 'reject' });
  const late = setTimeout(() => client.close(), END_WAIT_MS);
  try {
    const operation = await client.submit(payload);
    const outcome = await operation.outcome.catch(() => undefined);
    if (outcome?.status !== 'committed') throw runtimeFailure(wordsOf(operation, outcome, client));
    return { hash: operation.id, outcome, took: `${Math.round(performance.now() - startedAt)} ms` };
  } finally {
    clearTimeout(late);
    client.close();
  }
}

function wordsOf(
  { id, expiresAtHeight }: Operation,
  outcome: Exclude<Outcome, { status: 'committed' }> | undefined,
  { endpoints }: Client,
): string {
  switch (outcome?.status) {
    case 'rejected':
      return outcome.code === 'CHECK_FAILED'
        ? `refused by the application: ${outcome.reason}`
        : `refused: ${outcome.code}: ${outcome.reason}`;
    case 'expired':
      return `operation ${id} expired: height ${outcome.height} was executed without it, and it never will be; send it again`;
    case undefined: {
      const problem = endpoints.map((endpoint) => endpoint.problem).join('; ');
      return (
        `operation ${id} has no end after ${END_WAIT_MS / 1_000} s${problem === '' ? '' : ` (${problem})`}: it may still be ` +
        `committed up to height ${expiresAtHeight}; ask the RPC's "tx" for it, and do not send it again before that height`
      );
    }
  }
}
