/** Sends a transaction and waits until it is in a block. What did not get there is a failure in words. Boundary: HTTP. */
import type { z } from 'zod';
import { runtimeFailure } from './failure.ts';
import { callRpc, type RpcTarget } from './rpc-client.ts';
import { COMMITTED } from './shapes.ts';

export interface Committed {
  /** Its `tx_result` may still say that it failed. */
  readonly answer: z.infer<typeof COMMITTED>;
  /** As `12 ms`. */
  readonly took: string;
}

export async function commitTransaction(target: RpcTarget, transaction: Uint8Array): Promise<Committed> {
  const startedAt = performance.now();
  const tx = Buffer.from(transaction).toString('base64');
  const answer = await callRpc(target, 'broadcast_tx_commit', { tx }, COMMITTED);
  const took = `${Math.round(performance.now() - startedAt)} ms`;
  if (answer.check_tx.code !== 0) {
    throw runtimeFailure(`refused by the application: ${answer.check_tx.log} (code ${answer.check_tx.code})`);
  }
  // Height 0 is no block: whatever the node means by it, it is no commit.
  if (!/^[1-9][0-9]*$/.test(answer.height)) {
    throw runtimeFailure(`not committed: the node answers height ${answer.height} for ${answer.hash}`);
  }
  return { answer, took };
}
