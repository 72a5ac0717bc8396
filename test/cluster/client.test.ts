/**
 * 500 operations through the client, a validator killed in the middle: each has one end, what is committed is so on all
 * validators, and nothing is executed twice. Real processes. Rules BR-1, BR-2, EX-2.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, connect, type Operation, type Outcome } from '../../src/client/index.ts';
import { executionsOf } from './support/executions.ts';
import { eventually } from './support/local-network.ts';
import { Validators } from './support/validators.ts';

const VALIDATORS = [0, 1, 2, 3];
const VICTIM = 1;
const COUNT = 500;
const ROOT = join(import.meta.dirname, '../..');
const EXAMPLE = join(ROOT, 'examples/12-client.ts');
const LIGHT_EXAMPLE = join(ROOT, 'examples/15-light-client.ts');

const codeOf = (text: string): readonly string[] =>
  [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);

let validators: Validators;
let client: Client;

beforeAll(async () => {
  validators = await Validators.create();
  for (const index of VALIDATORS) validators.start(index);
  client = connect({ endpoints: VALIDATORS.map((index) => `http://${validators.network.rpcOf(index)}`) });
  await eventually('blocks are committed', 30_000, async () =>
    ((await validators.network.height(0)) ?? 0) > 1 ? true : undefined,
  );
});
afterAll(async () => {
  client.close();
  await validators.remove();
});

describe('500 operations, and a validator killed in the middle', () => {
  const operations: Operation[] = [];
  const outcomes = new Map<string, Outcome>();
  let ends = 0;

  it('each has exactly one end', async () => {
    for (let sequence = 0; sequence < COUNT; sequence += 1) {
      const operation = await client.submit(`op${sequence}=${sequence}`);
      operations.push(operation);
      void operation.outcome.then((outcome) => {
        ends += 1;
        outcomes.set(operation.id, outcome);
      });
      if (sequence % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 30));
      if (sequence === COUNT / 2) await validators.kill(VICTIM);
    }
    await Promise.all(operations.map(({ outcome }) => outcome));
    expect(ends).toBe(COUNT);
    expect(outcomes.size).toBe(COUNT);
    expect(client.pending).toBe(0);
    expect([...outcomes.values()].filter(({ status }) => status === 'rejected')).toEqual([]);
  }, 120_000);

  it('what is committed is so at the same place on all validators, once, and what is not is nowhere', async () => {
    validators.start(VICTIM);
    const expected = new Map<string, string>();
    for (const [id, outcome] of outcomes) {
      if (outcome.status === 'committed') expected.set(id, `${outcome.height}/${outcome.index}`);
    }
    const top = Math.max(...[...outcomes.values()].map((one) => ('height' in one ? one.height : 0)));
    for (const index of VALIDATORS) {
      await eventually(`validator ${index} has executed height ${top}`, 60_000, async () =>
        ((await validators.network.height(index)) ?? 0) > top ? true : undefined,
      );
      const found = await executionsOf(`http://${validators.network.rpcOf(index)}`, top);
      const own = new Map([...found].filter(([id]) => outcomes.has(id)));
      expect(own).toEqual(new Map([...expected].map(([id, place]) => [id, [place]])));
    }
    console.log(`${expected.size} of ${COUNT} committed, the others expired`);
    expect(expected.size).toBeGreaterThan(COUNT / 2);
  }, 120_000);
});

describe('an operation that is submitted again (the same nonce and expiry)', () => {
  it('is told the same end before its commit, after it, and beyond its expiry, by a new client too', async () => {
    const { height } = await client.status();
    const again = { nonce: 7n, expiresAtHeight: height + 10 };
    const others = VALIDATORS.slice(1).map((index) =>
      connect({ endpoints: ['http://127.0.0.1:1', `http://${validators.network.rpcOf(index)}`] }),
    );
    const both = await Promise.all([client, ...others].map((one) => one.submit('again=1', again)));
    const [first, ...rest] = await Promise.all(both.map(({ outcome }) => outcome));
    expect(first).toMatchObject({ status: 'committed', result: { code: 0 } });
    expect(rest).toEqual(others.map(() => first));
    expect(await (await client.submit('again=1', again)).outcome).toEqual(first);
    while ((await client.status()).height <= again.expiresAtHeight)
      await (await client.submit(`push=${Math.random()}`)).outcome;
    for (const one of [client, ...others])
      expect(await (await one.submit('again=1', again)).outcome).toEqual(first);
    const late = { expiresAtHeight: again.expiresAtHeight };
    expect(await (await client.submit('late=1', { ...late, nonce: 8n })).outcome).toMatchObject({
      status: 'expired',
    });
    expect(await (await client.submit('late=2', late)).outcome).toMatchObject({
      status: 'expired',
    });
    for (const one of others) one.close();
  }, 60_000);
});

describe('the guide to the client', () => {
  it('shows only code of its example, which runs against this network', async () => {
    const source = readFileSync(EXAMPLE, 'utf8');
    const guide = readFileSync(join(ROOT, 'docs/client.md'), 'utf8');
    const [client = '', light = ''] = guide.split('\n## The light client\n');
    expect(codeOf(client)).toHaveLength(3);
    for (const block of codeOf(client)) expect(source).toContain(block);
    expect(codeOf(light)).toHaveLength(2);
    for (const block of codeOf(light)) expect(readFileSync(LIGHT_EXAMPLE, 'utf8')).toContain(block);
    const env = {
      ...process.env,
      ALTHING_NODES: VALIDATORS.map((index) => `http://${validators.network.rpcOf(index)}`).join(','),
    };
    const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=althing-source', EXAMPLE], {
      cwd: ROOT,
      env,
    });
    const lines = stdout.trim().split('\n');
    expect(lines.slice(0, 2)).toEqual([0, 1].map(() => expect.stringMatching(/ committed .*: code 0$/)));
    expect(lines[2]).toMatch(/ rejected: CHECK_FAILED$/);
    expect(lines[3]).toBe('ada is what was submitted');
  }, 60_000);
});
