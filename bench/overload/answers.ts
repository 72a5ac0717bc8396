/** What a node answered to each operation of one request. Gateway: anything but a clear answer is one without a code. Pure. */
import { z } from 'zod';
import { jsonOf, type Posted, reasonOf } from '../../src/cli/bench/connection.ts';

export type OperationAnswer = 'accepted' | { readonly refused: string };

const SUBMITTED = z.object({
  result: z.object({
    operations: z.array(
      z.object({ status: z.string(), code: z.string().optional(), retryable: z.boolean().optional() }),
    ),
  }),
});
const BROADCAST = z.array(
  z.object({
    result: z.object({ code: z.number(), log: z.string() }).optional(),
    error: z.object({ message: z.string(), data: z.string().optional() }).optional(),
  }),
);
const REFUSED = z.object({ error: z.object({ message: z.string(), data: z.string().optional() }) });

/** With Retry-After, and nothing was done. */
const BUSY: ReadonlySet<number> = new Set([429, 503]);

/** Undefined: no answer. */
export function readAnswers(posted: Posted, count: number): readonly OperationAnswer[] | undefined {
  if (posted.kind === 'broken') return undefined;
  const json = jsonOf(posted.text);
  const submitted = SUBMITTED.safeParse(json);
  if (submitted.success) {
    return submitted.data.result.operations.map(({ status, code = 'no code', retryable }) =>
      status === 'accepted'
        ? status
        : { refused: `${code}, ${retryable === true ? 'retryable' : 'for good'}` },
    );
  }
  const broadcast = BROADCAST.safeParse(json);
  if (broadcast.success) {
    return broadcast.data.map(({ result, error }) =>
      result?.code === 0
        ? 'accepted'
        : { refused: wordsOf(error?.data ?? error?.message ?? result?.log ?? '') },
    );
  }
  const refused = REFUSED.safeParse(json);
  const words = refused.success ? wordsOf(refused.data.error.data ?? refused.data.error.message) : 'no code';
  const again = BUSY.has(posted.status) ? ', retryable' : '';
  return Array.from({ length: count }, () => ({ refused: `HTTP ${posted.status} ${words}${again}` }));
}

const wordsOf = (text: string): string => reasonOf(text, 'no code');
