/** Where a validator executed each transaction, read off its blocks and results. Boundary: HTTP. */
import { createHash } from 'node:crypto';

interface BlockAnswer {
  readonly block: { readonly data: { readonly txs: readonly string[] } };
}

interface ResultsAnswer {
  readonly txs_results: readonly { readonly code: number; readonly codespace: string }[] | null;
}

/** Heights in one batch of calls. @source below rpc.batch_requests_max */
const HEIGHTS = 40;

/** By id, every place `height/index` up to `top` where it was executed: the node's own results are no execution (EX-2, EX-7). */
export async function executionsOf(
  url: string,
  top: number,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const places = new Map<string, string[]>();
  for (let from = 1; from <= top; from += HEIGHTS) {
    const heights = Array.from({ length: Math.min(HEIGHTS, top - from + 1) }, (_, at) => from + at);
    const blocks = await ask<BlockAnswer>(url, 'block', heights);
    const results = await ask<ResultsAnswer>(url, 'block_results', heights);
    heights.forEach((height, at) => {
      const made = results[at]?.txs_results ?? [];
      (blocks[at]?.block.data.txs ?? []).forEach((tx, index) => {
        const result = made[index];
        if (result === undefined)
          throw new Error(`${url}: no result of transaction ${index} at height ${height}`);
        if (result.codespace === 'althing') return;
        const id = createHash('sha256').update(Buffer.from(tx, 'base64')).digest('hex').toUpperCase();
        places.set(id, [...(places.get(id) ?? []), `${height}/${index}`]);
      });
    });
  }
  return places;
}

async function ask<Answer>(
  url: string,
  method: string,
  heights: readonly number[],
): Promise<readonly Answer[]> {
  const calls = heights.map((height) => ({ jsonrpc: '2.0', id: height, method, params: { height } }));
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(calls) });
  const answers = (await response.json()) as readonly { readonly id: number; readonly result: Answer }[];
  const byId = new Map(answers.map(({ id, result }) => [id, result]));
  return heights.map((height) => {
    const result = byId.get(height);
    if (result === undefined) throw new Error(`${url}: no answer to ${method} of height ${height}`);
    return result;
  });
}
