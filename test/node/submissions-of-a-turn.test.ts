import { describe, expect, it } from 'vitest';
import { SubmissionsOfATurn } from '../../src/node/submissions-of-a-turn.ts';
import { OPERATIONS_BYTES_MAX, OPERATIONS_MAX } from '../../src/protocol/bridge/messages.ts';
import { transactionHashOf } from '../../src/protocol/chain/batch.ts';
import { plain } from '../protocol/bridge/operations-of.ts';

function gatherer() {
  const sent: { readonly client: string; readonly count: number }[] = [];
  const submissions = new SubmissionsOfATurn(async (transactions, client) => {
    sent.push({ client, count: transactions.length });
    if (client === 'unlucky') throw new Error('the node is not running');
    return transactions.map((transaction) => ({
      status: 'admitted',
      hash: transactionHashOf(transaction),
    }));
  });
  return { submissions, sent };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('submissions of one turn (BR-1)', () => {
  it('of one client are one message, and each caller gets its own admissions, in order', async () => {
    const { submissions, sent } = gatherer();
    const callers = [[plain('a')], [plain('b'), plain('c')], [], [plain('d')]];
    const answers = await Promise.all(callers.map((list) => submissions.submit(list, 'one')));
    expect(sent).toEqual([{ client: 'one', count: 4 }]);
    expect(answers.map((list) => list.map(({ hash }) => hash))).toEqual(
      callers.map((list) => list.map(transactionHashOf)),
    );
  });

  it('of two clients are two, since each has its own rate', async () => {
    const { submissions, sent } = gatherer();
    await Promise.all(['one', 'two', 'one'].map((client) => submissions.submit([plain('x')], client)));
    expect(sent).toEqual([
      { client: 'one', count: 2 },
      { client: 'two', count: 1 },
    ]);
  });

  it('go at the end of the turn, however they came: none waits for the next one', async () => {
    const { submissions, sent } = gatherer();
    void submissions.submit([plain('a')], 'one');
    await Promise.resolve();
    void submissions.submit([plain('b')], 'one');
    expect(sent).toEqual([]);
    await turn();
    expect(sent).toEqual([{ client: 'one', count: 2 }]);
    void submissions.submit([plain('c')], 'one');
    await turn();
    expect(sent.map(({ count }) => count)).toEqual([2, 1]);
  });

  it('go at once when one message between bridges would hold no more, by count and by bytes', async () => {
    const { submissions, sent } = gatherer();
    for (let at = 0; at <= OPERATIONS_MAX; at += 1) void submissions.submit([plain(`${at}`)], 'one');
    expect(sent).toEqual([{ client: 'one', count: OPERATIONS_MAX }]);
    const half = new Uint8Array(OPERATIONS_BYTES_MAX / 2);
    for (let at = 0; at < 3; at += 1) void submissions.submit([half], 'two');
    expect(sent.at(-1)).toEqual({ client: 'two', count: 2 });
    // More than one message holds goes alone, as it came.
    void submissions.submit([half, half, half], 'two');
    await turn();
    expect(sent.slice(2)).toEqual([
      { client: 'two', count: 1 },
      { client: 'one', count: 1 },
      { client: 'two', count: 3 },
    ]);
  });

  it('fail for all of them, and for nobody after them', async () => {
    const { submissions, sent } = gatherer();
    const ends = await Promise.allSettled(
      ['unlucky', 'unlucky', 'one'].map((client) => submissions.submit([plain('x')], client)),
    );
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    await expect(submissions.submit([plain('y')], 'unlucky')).rejects.toThrow('the node is not running');
    expect(sent.map(({ count }) => count)).toEqual([2, 1, 1]);
  });
});
