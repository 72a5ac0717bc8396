/** A node with an application of the program that starts it: it executes, and is refused where the chain's is another. Rule EX-5. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { kv } from '../../src/application/index.ts';
import { createNetwork } from '../../src/cli/homes.ts';
import { connect } from '../../src/client/index.ts';
import {
  type Config,
  loadConfig,
  type OwnApplication,
  StartRefused,
  startNode,
} from '../../src/node/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'althing-own-'));
const home = join(directory, 'home');
const ANY_PORT = '127.0.0.1:0';

beforeAll(async () => {
  await createNetwork([{ path: home, moniker: 'ada', peerAddress: ANY_PORT, rpcAddress: ANY_PORT }], {
    application: { kind: 'own', name: 'counters', addresses: [''] },
  });
});
afterAll(() => rmSync(directory, { recursive: true }));

function configOf(...settings: readonly (readonly [string, string])[]): Config {
  const overrides = [['log.level', 'fatal'], ...settings].map(([path = '', text = '']) => ({
    path,
    text,
    flag: path,
  }));
  const read = loadConfig(home, {}, overrides);
  if (read.status === 'refused') throw new StartRefused('config', read.problems);
  return read.loaded.config;
}

/** kv under another name; the first life cannot be opened. */
function flaky(name: string, folders: string[]): OwnApplication {
  return {
    name,
    open: ({ dir }) => {
      folders.push(dir);
      if (folders.length === 1) throw new Error('not yet');
      return kv();
    },
  };
}

it('is opened again after a failure, and executes operations (EX-5)', async () => {
  const folders: string[] = [];
  const node = await startNode(home, configOf(), { application: flaky('counters', folders) });
  const client = connect({ endpoints: [`http://${node.port.status().rpcAddress}`] });
  try {
    const { outcome } = await client.submit('name=ada');
    expect(await outcome).toMatchObject({ status: 'committed', result: { code: 0 } });
    expect(folders).toEqual([0, 1].map(() => join(home, 'data', 'application')));
  } finally {
    client.close();
    await node.stop();
  }
  expect(await node.ended).toEqual({ kind: 'stopped' });
});

it.each([
  [
    'another name than the genesis has',
    'counter',
    [],
    'app.name is "counters", and the node was started with the application "counter"',
  ],
  [
    'an address beside it',
    'counters',
    [['application.address', 'unix:/run/app.sock']],
    'application.address: is "unix:/run/app.sock", and the node was started with the application "counters"',
  ],
] as const)('is refused with %s, in words', async (_what, name, settings, words) => {
  const folders: string[] = [];
  const start = startNode(home, configOf(...settings), { application: flaky(name, folders) });
  await expect(start).rejects.toThrow(StartRefused);
  await expect(start).rejects.toThrow(words);
  expect(folders).toEqual([]);
});

it('is asked for by a start without one', async () => {
  await expect(startNode(home, configOf())).rejects.toThrow(
    'no application "counters" is built in; there is "kv", "ledger", "dice"; for one of your own set application.address',
  );
});

it('is in the guide as the example has it', () => {
  const [guide, example] = ['docs/applications.md', 'examples/14-own-application-in-process.ts'].map((path) =>
    readFileSync(join(import.meta.dirname, '../..', path), 'utf8'),
  );
  const [, shown] = /## In the node's process\n[\s\S]*?```ts\n([\s\S]*?)```/.exec(guide ?? '') ?? [];
  expect(shown).toBeDefined();
  expect(example).toContain(shown);
});
