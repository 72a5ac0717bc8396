/** Finds what was accepted in the blocks of one node, after the load. Boundary: HTTP. */
import { z } from 'zod';
import { summarise } from '../../src/cli/bench/statistics.ts';
import { callRpc } from '../../src/cli/rpc-client.ts';
import { numberIn } from './bodies.ts';
import type { Ledger } from './ledger.ts';
import type { Judged } from './talk.ts';

const BLOCK = z.object({ block: z.object({ data: z.object({ txs: z.array(z.string()) }) }) });

/** `blocks`: those since the run began, and when each was committed. @unit ms since 1970 */
export async function findInBlocks(
  address: string,
  blocks: readonly { readonly height: number; readonly at: number }[],
  ledger: Ledger,
): Promise<Judged> {
  const target = { url: `http://${address}`, token: undefined };
  const seen = new Set<number>();
  const latencies: number[] = [];
  let repeated = 0;
  for (const { height, at } of blocks) {
    const { block } = await callRpc(target, 'block', { height: String(height) }, BLOCK);
    for (const transaction of block.data.txs) {
      const number = numberIn(Buffer.from(transaction, 'base64'));
      const intendedAt = number === undefined ? undefined : ledger.intendedAt(number);
      if (number === undefined || intendedAt === undefined) continue;
      if (seen.has(number)) {
        repeated += 1;
        continue;
      }
      seen.add(number);
      latencies.push(at - intendedAt);
    }
  }
  const latency = summarise(latencies);
  return {
    kind: 'judged',
    committed: seen.size,
    missing: ledger.accepted - seen.size,
    repeated,
    ...(latency === undefined ? {} : { latency }),
  };
}
