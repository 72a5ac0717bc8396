import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { NEW_COURSE, ruleOnReception } from '../../src/client/course.ts';
import { type Client, type ClientOptions, connect, type Operation } from '../../src/client/index.ts';
import { parseOperation } from '../../src/protocol/chain/operation.ts';
import { REFUSALS } from '../../src/rpc/refusals.ts';
import { type Asked, type Reply, ScriptedChain, ScriptedNode, turnedAway } from './scripted-node.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const CLIENT = 'src/client/index.ts';
const nodes: ScriptedNode[] = [];
const clients: Client[] = [];
let chain = new ScriptedChain();

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const node of nodes.splice(0)) await node.stop().catch(() => undefined);
  chain = new ScriptedChain();
});

async function network(count: number, options: Partial<ClientOptions> = {}) {
  const made = await Promise.all(Array.from({ length: count }, () => ScriptedNode.start(chain)));
  nodes.push(...made);
  const client = connect({ endpoints: made.map(({ url }) => url), ...options });
  clients.push(client);
  const [first, second] = made;
  if (first === undefined) throw new Error('a network has a node');
  return { client, nodes: made, first, second: second ?? first };
}

/** Only the first node can be submitted to, until this is called. */
function onlyFirst(others: readonly ScriptedNode[]): () => void {
  for (const node of others) node.script.set('althing_submit', () => turnedAway(429));
  return () => {
    for (const node of others) node.script.delete('althing_submit');
  };
}

const outcomesOf =
  (change: (outcome: Record<string, unknown>) => unknown) =>
  (node: ScriptedNode) =>
  (asked: Asked): Reply => {
    const honest = node.honest(asked) as { readonly outcomes: readonly Record<string, unknown>[] };
    return { result: { ...honest, outcomes: honest.outcomes.map(change) } };
  };

/** As a gateway of JSON-RPC before the node says that it failed. */
const gateways = (status: number, code: number): Reply => ({
  status,
  body: JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message: 'upstream: no answer' } }),
});

async function settledWithin(operation: Operation, ms: number): Promise<unknown> {
  const late = new Promise((resolve) => setTimeout(() => resolve('pending'), ms));
  return Promise.race([operation.outcome, late]);
}

const held = (nodes: readonly ScriptedNode[], id: string): number =>
  nodes.filter((node) => node.held.has(id)).length;

describe('the end of an operation (BR-1)', () => {
  it('is committed with height, place and result; its id is the hash of the RPC, its expiry 500 above the height', async () => {
    const { client } = await network(1);
    const operation = await client.submit('a=1');
    expect(operation).toMatchObject({ id: expect.stringMatching(/^[0-9A-F]{64}$/), expiresAtHeight: 510 });
    expect(client.pending).toBe(1);
    chain.commit(operation.id);
    const events = [{ type: 'set', attributes: [{ key: 'key', value: 'a' }] }];
    const result = { code: 0, log: 'yes', data: Uint8Array.of(1, 2), events };
    expect(await operation.outcome).toEqual({ status: 'committed', height: 11, index: 0, result });
    expect(client.pending).toBe(0);
  });

  it('is expired once a node has executed a height above its expiry without it', async () => {
    const { client } = await network(2, { expiryHeights: 5 });
    const operation = await client.submit('a=1');
    chain.height = operation.expiresAtHeight;
    expect(await settledWithin(operation, 150)).toBe('pending');
    chain.height += 1;
    expect(await operation.outcome).toEqual({ status: 'expired', height: 16 });
  });

  it('has its expiry and its nonce in its bytes, as every node reads them (EX-7)', async () => {
    const { client, first } = await network(1);
    const { id, expiresAtHeight } = await client.submit('a=1', { nonce: 2n ** 64n - 1n });
    await expect.poll(() => first.held.has(id)).toBe(true);
    const sent = first.asked.find(({ method }) => method === 'althing_submit');
    const bytes = new Uint8Array(Buffer.from(String(sent?.params['operations']), 'base64'));
    const payload = new Uint8Array(Buffer.from('a=1'));
    expect(parseOperation(bytes)).toEqual({ expiresAtHeight, nonce: 2n ** 64n - 1n, payload });
  });

  it('is at most batch_ttl_heights above the height, whatever the client asks for', async () => {
    const { client } = await network(1, { expiryHeights: 1_000_000 });
    expect((await client.submit('a=1')).expiresAtHeight).toBe(1_010);
  });

  it('is rejected where the only node that got it says no for good', async () => {
    const { client, first } = await network(1);
    first.script.set('althing_submit', (asked) => refused(first, asked, 'CHECK_FAILED', false));
    const operation = await client.submit('a=1');
    expect(await operation.outcome).toEqual({ status: 'rejected', code: 'CHECK_FAILED', reason: 'no' });
  });

  it('is what the chain says where another node accepted it before one said no', async () => {
    const { client, nodes, first, second } = await network(2, { resubmitAfterMs: 100 });
    const open = onlyFirst([second]);
    const operation = await client.submit('a=1');
    await expect.poll(() => first.held.has(operation.id)).toBe(true);
    open();
    second.script.set('althing_submit', (asked) => refused(second, asked, 'CHECK_FAILED', false));
    await expect.poll(() => nodes[1]?.count('althing_submit'), { timeout: 5_000 }).toBeGreaterThan(1);
    expect(await settledWithin(operation, 100)).toBe('pending');
    chain.commit(operation.id);
    expect(await operation.outcome).toMatchObject({ status: 'committed' });
  });

  it('is not rejected after the answer to a submission was lost: it may be anywhere', async () => {
    const { client, first } = await network(1, { expiryHeights: 5 });
    let calls = 0;
    first.script.set('althing_submit', (asked) => {
      calls += 1;
      return calls === 1 ? 'destroy' : refused(first, asked, 'CHECK_FAILED', false);
    });
    const operation = await client.submit('a=1');
    await expect.poll(() => calls, { timeout: 5_000 }).toBe(2);
    expect(await settledWithin(operation, 100)).toBe('pending');
    chain.height += 6;
    expect(await operation.outcome).toMatchObject({ status: 'expired' });
  });

  it.each([
    ['503 without a word of the node', { status: 503, body: 'upstream connect error' }],
    ['429 without a word of the node', { status: 429 }],
    ['403 without a word of the node', { status: 403, body: '<html></html>' }],
    ['413 without a word of the node', { status: 413 }],
    ["503 with JSON-RPC that is not the node's", gateways(503, -32_000)],
    ["503 with a gateway's word that the request is invalid", gateways(503, -32_600)],
    ["502 with a gateway's word that it cannot read an answer", gateways(502, -32_700)],
  ] as const)('is not rejected after HTTP %s: a proxy may have handed it on', async (_, reply) => {
    const { client, first } = await network(1, { whenRefused: 'reject' });
    let calls = 0;
    first.script.set('althing_submit', (asked) => {
      calls += 1;
      return calls === 1 ? reply : refused(first, asked, 'CHECK_FAILED', false);
    });
    const operation = await client.submit('a=1');
    await expect.poll(() => calls, { timeout: 5_000 }).toBe(2);
    expect(await settledWithin(operation, 100)).toBe('pending');
    chain.commit(operation.id);
    expect(await operation.outcome).toMatchObject({ status: 'committed' });
  });

  it.each(Object.entries(REFUSALS))(
    'is rejected after %s only where the node says it holds nothing',
    (code, meaning) => {
      const { isFinal, mayBeHeld } = meaning;
      const reception = {
        id: '',
        status: 'refused',
        code,
        log: 'no',
        retryable: !isFinal,
        mayBeHeld,
      } as const;
      const { next } = ruleOnReception(NEW_COURSE, 0, reception, 'reject');
      const rejected = { status: 'rejected', code, reason: 'no' };
      expect(next).toEqual(!mayBeHeld ? rejected : isFinal ? 'follow' : 'send');
    },
  );

  it('is what the chain says after EXPIRES_TOO_SOON, since nobody looked whether it is known', async () => {
    const { isFinal, mayBeHeld } = REFUSALS.EXPIRES_TOO_SOON;
    const { client, first } = await network(1, { whenRefused: 'reject' });
    first.script.set('althing_submit', (asked) =>
      refused(first, asked, 'EXPIRES_TOO_SOON', !isFinal, mayBeHeld),
    );
    const operation = await client.submit('a=1', { expiresAtHeight: 12 });
    await expect.poll(() => first.count('althing_submit')).toBe(1);
    expect(await settledWithin(operation, 100)).toBe('pending');
    chain.height = 13;
    expect(await operation.outcome).toMatchObject({ status: 'expired' });
    expect(first.count('althing_submit')).toBe(1);
  });

  it('is committed, not rejected, where it is submitted again after its commit (the same nonce and expiry)', async () => {
    const { client, first } = await network(1);
    const again = { nonce: 7n, expiresAtHeight: 12 };
    const operation = await client.submit('a=1', again);
    await expect.poll(() => first.held.has(operation.id)).toBe(true);
    chain.commit(operation.id);
    expect(await operation.outcome).toMatchObject({ status: 'committed', height: 11 });
    chain.height = 20;
    for (const code of ['EXPIRES_TOO_SOON', 'CHECK_FAILED']) {
      first.script.set('althing_submit', (asked) => refused(first, asked, code, false));
      const later = connect({ endpoints: [first.url] });
      clients.push(later);
      for (const one of [client, later])
        expect(await (await one.submit('a=1', again)).outcome).toMatchObject({
          status: 'committed',
          height: 11,
        });
    }
  });

  it.each([
    ['STORAGE_FAILED', true] as const,
    ['NOT_ANSWERED', true] as const,
    ['A_CODE_OF_AN_OLDER_NODE', 'unsaid'] as const,
  ])('is not rejected after %s, which says that the bytes may be held', async (code, mayBeHeld) => {
    const { client, first } = await network(1, { expiryHeights: 5 });
    let calls = 0;
    first.script.set('althing_submit', (asked) => {
      calls += 1;
      return calls === 1
        ? refused(first, asked, code, true, mayBeHeld)
        : refused(first, asked, 'CHECK_FAILED', false);
    });
    const operation = await client.submit('a=1');
    await expect.poll(() => calls, { timeout: 5_000 }).toBe(2);
    expect(await settledWithin(operation, 100)).toBe('pending');
    chain.commit(operation.id);
    expect(await operation.outcome).toMatchObject({ status: 'committed' });
  });

  it('is submitted where it was only followed before', async () => {
    const { client, first } = await network(1);
    const { id } = await client.submit('a=1', { nonce: 7n, expiresAtHeight: 500 });
    const other = connect({ endpoints: [first.url] });
    clients.push(other);
    const followed = await other.follow(id, 500);
    await expect.poll(() => first.held.delete(id)).toBe(true);
    expect(await other.submit('a=1', { nonce: 7n, expiresAtHeight: 500 })).toBe(followed);
    await expect.poll(() => first.held.has(id)).toBe(true);
  });

  it('is rejected by a refusal for now where that is asked for, and only while no node can hold it', async () => {
    const { client, first } = await network(1, { whenRefused: 'reject' });
    first.script.set('althing_submit', (asked) => refused(first, asked, 'PARTITIONED', true));
    expect(await (await client.submit('a=1')).outcome).toMatchObject({ code: 'PARTITIONED' });
    const exposed = await client.submit('a=1', { nonce: 7n });
    expect(await settledWithin(exposed, 100)).toBe('pending');
  });

  it('is found by its id and expiry after a restart of the client', async () => {
    const { client } = await network(1);
    const { id, expiresAtHeight } = await client.submit('a=1');
    client.close();
    chain.commit(id);
    const again = connect({ endpoints: nodes.map(({ url }) => url) });
    clients.push(again);
    const operation = await again.follow(id.toLowerCase(), expiresAtHeight);
    expect(await operation.outcome).toMatchObject({ status: 'committed', height: 11 });
    expect(nodes[0]?.count('althing_submit')).toBeLessThanOrEqual(1);
  });

  it('is told to be out of reach where every endpoint lacks the blocks that could hold it', async () => {
    const { client, nodes } = await network(2);
    for (const node of nodes)
      node.script.set('althing_outcomes', outcomesOf(({ id }) => ({ id, status: 'unknown' }))(node));
    const operation = await client.follow('A'.repeat(64), 5);
    await expect(operation.outcome).rejects.toThrow(/no endpoint has the blocks that could hold it/);
  });
});

/** An honest answer's ids, refused. */
function refused(
  node: ScriptedNode,
  asked: Asked,
  code: string,
  retryable: boolean,
  held: boolean | 'unsaid' = false,
): Reply {
  const honest = node.honest(asked) as { readonly operations: readonly { readonly id: string }[] };
  for (const { id } of honest.operations) node.held.delete(id);
  const operations = honest.operations.map(({ id }) => ({
    id,
    status: 'refused',
    code,
    log: 'no',
    retryable,
    ...(held === 'unsaid' ? {} : { may_be_held: held }),
  }));
  return { result: { ...honest, operations } };
}

describe('nodes that die, refuse and lie', () => {
  it('gives what a dead node alone held to another one, with the same expiry', async () => {
    const { client, first, second } = await network(2);
    const open = onlyFirst([second]);
    const operation = await client.submit('a=1');
    await expect.poll(() => first.held.has(operation.id)).toBe(true);
    open();
    await first.stop();
    await expect.poll(() => second.held.has(operation.id), { timeout: 5_000 }).toBe(true);
    const sent = [...first.asked, ...second.asked]
      .filter(({ method }) => method === 'althing_submit')
      .map(({ params }) => JSON.stringify(params['operations']));
    expect([new Set(sent).size, operation.expiresAtHeight]).toEqual([1, 510]);
    chain.commit(operation.id);
    expect(await operation.outcome).toMatchObject({ status: 'committed' });
    // The connection that broke is the first to say so, then the port.
    await expect.poll(() => client.endpoints[0]?.problem).toContain('ECONNREFUSED');
    await expect.poll(() => client.endpoints[0]?.failures ?? 0).toBeGreaterThan(0);
  });

  it.each(['MEMPOOL_FULL', 'NOT_A_VALIDATOR', 'QUEUE_FULL'])(
    'goes on to another node after %s',
    async (code) => {
      const { client, first, second } = await network(2);
      first.script.set('althing_submit', (asked) => refused(first, asked, code, true));
      const operations = await client.submitAll(['a=1', 'b=2']);
      for (const { id } of operations)
        await expect.poll(() => second.held.has(id), { timeout: 5_000 }).toBe(true);
    },
  );

  it('says why an endpoint refused for now what it was given last, until it takes something', async () => {
    const { client, first } = await network(1);
    first.script.set('althing_submit', (asked) => refused(first, asked, 'NOT_ANSWERED', true, true));
    const { id } = await client.submit('a=1');
    const refusals = () => client.endpoints.map(({ refusal }) => refusal);
    await expect.poll(refusals, { timeout: 5_000 }).toEqual(['NOT_ANSWERED: no']);
    first.script.delete('althing_submit');
    await expect.poll(() => first.held.has(id), { timeout: 5_000 }).toBe(true);
    await expect.poll(refusals).toEqual(['']);
  });

  it('gives an operation that its holder does not get committed to one node more', async () => {
    const { client, nodes } = await network(3, { resubmitAfterMs: 50 });
    const operation = await client.submit('a=1');
    await expect.poll(() => held(nodes, operation.id), { timeout: 8_000 }).toBeGreaterThan(1);
  });

  it.each<[string, (outcome: Record<string, unknown>) => unknown]>([
    [
      'expired at a height that is not above the expiry',
      ({ id }) => ({ id, status: 'expired', height: '10' }),
    ],
    ['expired at a height above its own', ({ id }) => ({ id, status: 'expired', height: '999999' })],
    [
      'committed above the expiry',
      (one) => ({ ...one, status: 'committed', height: '600', index: 0, result: {} }),
    ],
    ['committed without a result', ({ id }) => ({ id, status: 'committed', height: '10', index: 0 })],
    ['the end of what was not asked', () => ({ id: 'B'.repeat(64), status: 'expired', height: '10' })],
    ['a word that does not exist', ({ id }) => ({ id, status: 'perhaps' })],
    ['no object', () => null],
  ])('does not believe a node that says %s, and lets it rest', async (_, change) => {
    const { client, first } = await network(2);
    first.script.set('althing_outcomes', outcomesOf(change)(first));
    const operation = await client.submit('a=1');
    await expect.poll(() => client.endpoints[0]?.failures, { timeout: 5_000 }).toBeGreaterThan(0);
    expect(await settledWithin(operation, 50)).toBe('pending');
    chain.commit(operation.id);
    expect(await operation.outcome).toMatchObject({ status: 'committed', height: 11 });
  });

  it.each<[string, Reply]>([
    ['HTML', { status: 200, body: '<html></html>' }],
    ['an answer beyond the bound', { status: 200, body: 'x'.repeat(200_000) }],
    ['a redirect', { status: 307, headers: { location: 'http://127.0.0.1:1/' } }],
    ['another program’s JSON', { status: 200, body: '{"ok":true}' }],
    [
      'an error of its own',
      { error: { code: -32_603, message: 'Internal error', data: 'the store failed' } },
    ],
    ['nothing in time', 'hang'],
  ])('fails over from a node that gives %s', async (_, reply) => {
    const options = { answerBytesMax: 100_000, callTimeoutMs: 300 };
    const { client, first, second } = await network(2, options);
    for (const method of ['althing_submit', 'althing_outcomes', 'abci_query', 'status'])
      first.script.set(method, () => reply);
    const operation = await client.submit('a=1');
    await expect.poll(() => second.held.has(operation.id), { timeout: 5_000 }).toBe(true);
    chain.commit(operation.id);
    expect(await operation.outcome).toMatchObject({ status: 'committed' });
    expect(client.endpoints[0]?.failures).toBeGreaterThan(0);
    expect(client.endpoints[0]?.problem).not.toBe('');
  });

  it('is not made wrong by a node far behind, which tells an old height and sees nothing', async () => {
    const { client, first, second } = await network(2);
    const behind = { height: '3', expires_at_height_max: '1003' };
    first.script.set('althing_outcomes', (asked) => {
      const operations = asked.params['operations'] as readonly { readonly id: string }[];
      return { result: { ...behind, outcomes: operations.map(({ id }) => ({ id, status: 'pending' })) } };
    });
    chain.height = 2_000;
    const operation = await client.submit('a=1');
    expect(operation.expiresAtHeight).toBe(2_500);
    await expect
      .poll(() => first.count('althing_outcomes') > 1 && second.count('althing_outcomes') > 1)
      .toBe(true);
    chain.commit(operation.id);
    expect(await operation.outcome).toMatchObject({ status: 'committed', height: 2_001 });
  });

  it('follows no height that one of three nodes makes up', async () => {
    const { client, first } = await network(3);
    first.script.set('althing_outcomes', () => ({
      result: { height: '900000', expires_at_height_max: '901000', outcomes: [] },
    }));
    expect((await client.submit('a=1')).expiresAtHeight).toBe(510);
  });

  it('waits while all are down, and goes on when one is back', async () => {
    const { client, first } = await network(1);
    const { port } = first;
    await first.stop();
    const submitted = client.submit('a=1');
    await new Promise((resolve) => setTimeout(resolve, 300));
    await first.listen(port);
    const operation = await submitted;
    await expect.poll(() => first.held.has(operation.id), { timeout: 5_000 }).toBe(true);
  });

  it('asks a node less that has no place for polls that wait, and takes what it says', async () => {
    const { client, first } = await network(1);
    first.script.set('althing_outcomes', (asked) => ({
      result: { ...(first.honest(asked) as object), crowded: true },
    }));
    const operation = await client.submit('a=1');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(first.count('althing_outcomes')).toBeLessThan(8);
    chain.commit(operation.id);
    expect(await operation.outcome).toMatchObject({ status: 'committed' });
    expect(client.endpoints[0]?.failures).toBe(0);
  });

  it.each([429, 503] as const)('slows down after %i, and takes nobody for dead', async (status) => {
    const { client, first } = await network(1);
    let calls = 0;
    first.script.set('althing_submit', () => {
      calls += 1;
      return calls < 3 ? turnedAway(status) : undefined;
    });
    const operation = await client.submit('a=1');
    await expect.poll(() => first.held.has(operation.id), { timeout: 5_000 }).toBe(true);
    expect(calls).toBe(3);
    expect(client.endpoints[0]?.failures).toBe(0);
  });

  it('comes again when Retry-After has passed, and not before', async () => {
    const { client, first } = await network(1);
    const asked: number[] = [];
    const busy = { ...turnedAway(429), headers: { 'Retry-After': '0.7' } };
    first.script.set('althing_submit', () => {
      asked.push(performance.now());
      return asked.length === 1 ? busy : undefined;
    });
    const operation = await client.submit('a=1');
    await expect.poll(() => first.held.has(operation.id), { timeout: 5_000 }).toBe(true);
    const [began = 0, again = 0] = asked;
    expect(again - began).toBeGreaterThanOrEqual(690);
  });
});

describe('many operations', () => {
  it('brings what one turn submitted in one call', async () => {
    const { client, first } = await network(1);
    await client.submitAll(Array.from({ length: 300 }, (_, index) => `k${index}=1`));
    await expect.poll(() => first.held.size).toBe(300);
    expect(first.count('althing_submit')).toBe(1);
  });

  it('splits by the bound on a body, and more where a node finds it too large still', async () => {
    const { client, first } = await network(1, { bodyBytesMax: 10_000 });
    first.script.set('althing_submit', ({ params }) =>
      JSON.stringify(params).length > 3_000 ? turnedAway(413) : undefined,
    );
    const all = await client.submitAll([
      ...Array.from({ length: 100 }, (_, index) => `k${index}=${'x'.repeat(100)}`),
    ]);
    await expect.poll(() => first.held.size, { timeout: 5_000 }).toBe(100);
    const huge = await client.submit('y'.repeat(8_000));
    expect(await huge.outcome).toMatchObject({ status: 'rejected', code: 'TOO_LARGE' });
    expect(all.every(({ id }) => first.held.has(id))).toBe(true);
  });

  it('splits what a node cannot hand to a validator in one message', async () => {
    const { client, first } = await network(1);
    const sizes: number[] = [];
    first.script.set('althing_submit', (asked) => {
      const { length } = asked.params['operations'] as readonly string[];
      sizes.push(length);
      return length > 30 ? refused(first, asked, 'TOO_MANY_TOGETHER', true) : undefined;
    });
    await client.submitAll(Array.from({ length: 100 }, (_, index) => `key${index + 100}=1`));
    await expect.poll(() => first.held.size, { timeout: 5_000 }).toBe(100);
    expect(sizes[0]).toBe(100);
  });

  it('are different ones with the same payload, and one with the same nonce too', async () => {
    const { client, first } = await network(1);
    const nonce = 7n;
    const [one, same, other] = await Promise.all([
      client.submit('a=1', { nonce }),
      client.submit('a=1', { nonce }),
      client.submit('a=1'),
    ]);
    expect(same).toBe(one);
    expect(other?.id).not.toBe(one?.id);
    await expect.poll(() => first.held.size).toBe(2);
    expect(client.pending).toBe(2);
  });

  it('waits for a place beyond pendingMax, or refuses where that is asked for (BR-2)', async () => {
    const { client, first } = await network(1, { pendingMax: 2 });
    const [one] = await client.submitAll(['a=1', 'b=2']);
    if (one === undefined) throw new Error('two were submitted');
    const third = client.submit('c=3');
    const [fourth, beyond] = [client.submit('d=4'), client.submit('e=5')];
    await expect(beyond).rejects.toThrow('2 operations have not ended: wait for one, or raise pendingMax');
    expect(client.pending).toBe(2);
    chain.commit(one.id);
    await third;
    expect(client.pending).toBe(2);
    const strict = connect({ endpoints: [first.url], pendingMax: 1, whenFull: 'reject' });
    clients.push(strict);
    await strict.submit('a=1');
    await expect(strict.submit('b=2')).rejects.toMatchObject({ name: 'PendingFull' });
    client.close();
    await expect(fourth).rejects.toMatchObject({ name: 'ClientClosed' });
  });

  it('follows more than one poll can carry, each to its own end', async () => {
    const { client } = await network(2, { expiryHeights: 900 });
    const operations = await client.submitAll(Array.from({ length: 2_500 }, (_, index) => `k${index}=1`));
    const [even, odd] = [0, 1].map((rest) => operations.filter((_, index) => index % 2 === rest));
    for (const { id } of even ?? []) chain.committed.set(id, chain.height);
    for (const { outcome } of even ?? []) expect(await outcome).toMatchObject({ status: 'committed' });
    chain.height += 1_000;
    for (const { outcome } of odd ?? []) expect(await outcome).toMatchObject({ status: 'expired' });
    expect(client.pending).toBe(0);
  });
});

describe('close', () => {
  it('rejects what has not ended with ClientClosed, and asks nobody any more', async () => {
    const { client, first } = await network(1);
    const operation = await client.submit('a=1');
    client.close();
    await expect(operation.outcome).rejects.toMatchObject({ name: 'ClientClosed' });
    await expect(client.submit('b=2')).rejects.toMatchObject({ name: 'ClientClosed' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { length } = first.asked;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(first.asked.length).toBe(length);
  });
});

describe('questions', () => {
  it('tells new heights to who listens, until it ends', async () => {
    const { client } = await network(1);
    const heights: number[] = [];
    const end = client.onHeight((height) => heights.push(height));
    await expect.poll(() => heights).toEqual([10]);
    chain.height = 12;
    await expect.poll(() => heights).toEqual([10, 12]);
    end();
    chain.height = 13;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(heights).toEqual([10, 12]);
  });

  it('are answered from a state that has what was told as committed', async () => {
    const { client, nodes } = await network(2);
    const operation = await client.submit('a=1');
    chain.commit(operation.id);
    await operation.outcome;
    const heights = [10, 10];
    nodes.forEach((node, at) => {
      node.script.set('abci_query', () => {
        const response = { code: 0, log: '', key: null, value: null, height: String(heights[at]) };
        return { result: { response } };
      });
    });
    const asked = client.query('', 'a');
    await expect.poll(() => nodes.every((node) => node.count('abci_query') > 1)).toBe(true);
    heights[1] = 11;
    expect((await asked).height).toBe(11);
  });

  it('refuses endpoints, ids, payloads, nonces and expiries that cannot be meant', async () => {
    expect(() => connect({ endpoints: [] })).toThrow('name the URL of one node at least');
    expect(() => connect({ endpoints: ['127.0.0.1:26657'] })).toThrow('give an http or https URL');
    const { client } = await network(1);
    await expect(client.submitAll('abc')).rejects.toThrow('payloads: give a list of them, or use submit');
    await expect(client.follow('abc', 5)).rejects.toThrow('give 64 hexadecimal letters');
    await expect(client.submit('')).rejects.toThrow('give at least one byte');
    for (const nonce of [-1n, 2n ** 64n])
      await expect(client.submit('a=1', { nonce })).rejects.toThrow('from 0 to 2^64 - 1');
    await expect(client.submit('a=1', { expiresAtHeight: 0.5 })).rejects.toThrow(
      'give a whole number above 0',
    );
  });

  it('says what each endpoint did where none answers a query', async () => {
    const { client, nodes } = await network(2);
    for (const node of nodes) node.script.set('abci_query', () => ({ status: 500, body: 'no' }));
    await expect(client.query('', 'key')).rejects.toThrow(
      /abci_query: no endpoint has answered \(http.*; http/,
    );
  });
});

describe('in a browser', () => {
  it('needs only what a browser has: it compiles with the types of the DOM, and without those of Node', async () => {
    const options =
      '--noEmit --ignoreConfig --strict --target esnext --module nodenext --allowImportingTsExtensions';
    const words = [...options.split(' '), '--types', '', '--lib', 'esnext,dom,dom.iterable', CLIENT];
    const { stdout } = await run(join(ROOT, 'node_modules/.bin/tsc'), words, { cwd: ROOT }).catch(
      (failure: { readonly stdout: string }) => failure,
    );
    expect(stdout).toBe('');
  });
});
