/** One submission for the transactions of one batch, and each call its own admission. */
import { describe, expect, it } from 'vitest';
import type { Admission } from '../../src/protocol/ports/mempool.ts';
import { Submissions } from '../../src/rpc/submissions.ts';
import { MemoryNode } from './memory-node.ts';
import { startTestServer } from './server.ts';

class CountingNode extends MemoryNode {
  readonly submissions: { readonly client: string; readonly count: number }[] = [];
  failure: Error | undefined;

  override async submit(transactions: readonly Uint8Array[], client = 'none'): Promise<readonly Admission[]> {
    this.submissions.push({ client, count: transactions.length });
    if (this.failure !== undefined) throw this.failure;
    return super.submit(transactions);
  }
}

const transaction = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

describe('submissions', () => {
  it('gives the mempool what one turn brought as one submission for each client, and each call its own answer', async () => {
    const node = new CountingNode();
    const submissions = new Submissions(node);
    const [first, other, again] = await Promise.all([
      submissions.submit(transaction('a=1'), 'ada'),
      submissions.submit(transaction('b=2'), 'bob'),
      submissions.submit(transaction('c=3'), 'ada'),
    ]);
    expect(node.submissions).toEqual([
      { client: 'ada', count: 2 },
      { client: 'bob', count: 1 },
    ]);
    expect(new Set([first?.hash, other?.hash, again?.hash]).size).toBe(3);
  });

  it('submits what a later turn brings by itself', async () => {
    const node = new CountingNode();
    const submissions = new Submissions(node);
    await submissions.submit(transaction('a=1'), 'ada');
    await submissions.submit(transaction('b=2'), 'ada');
    expect(node.submissions.map(({ count }) => count)).toEqual([1, 1]);
  });

  it('tells every caller when the node cannot take the submission, and takes the next', async () => {
    const node = new CountingNode();
    node.failure = new Error('the node is stopping');
    const submissions = new Submissions(node);
    const calls = [
      submissions.submit(transaction('a=1'), 'ada'),
      submissions.submit(transaction('b=2'), 'ada'),
    ];
    expect((await Promise.allSettled(calls)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    node.failure = undefined;
    await expect(submissions.submit(transaction('c=3'), 'ada')).resolves.toMatchObject({
      status: 'admitted',
    });
  });

  it('makes a JSON-RPC batch one submission', async () => {
    const node = new CountingNode();
    const server = await startTestServer({ port: node });
    const batch = ['a=1', 'b=2', 'c=3'].map((text, id) => ({
      jsonrpc: '2.0',
      id,
      method: 'broadcast_tx_sync',
      params: { tx: Buffer.from(text).toString('base64') },
    }));
    const { text } = await server.post(batch);
    await server.server.close();
    const answers: readonly { readonly id: number; readonly result: { readonly hash: string } }[] =
      JSON.parse(text);
    expect(node.submissions.map(({ count }) => count)).toEqual([3]);
    expect(answers.map(({ id }) => id)).toEqual([0, 1, 2]);
    expect(new Set(answers.map(({ result }) => result.hash)).size).toBe(3);
  });
});
