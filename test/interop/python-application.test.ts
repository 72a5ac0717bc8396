/** A whole application in Python, written after docs/application-protocol.md alone. Rules AP-2 to AP-5. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { remoteApplication } from '../../src/application/socket/remote.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { digestOf } from '../../src/protocol/chain/canonical.ts';
import { blockOf, Ground } from '../application/socket/rig.ts';

const ground = new Ground();
afterEach(() => ground.settle());
afterAll(() => ground.remove());

/** Debian's: it has what the package python3-msgpack brings. */
const PYTHON = '/usr/bin/python3';

async function counter(): Promise<string> {
  const path = ground.path();
  const child = spawn(PYTHON, [join(import.meta.dirname, 'counter.py'), path], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  ground.finally(() => child.kill());
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`python ended with ${code}: ${errors}`)));
  });
  return `unix:${path}`;
}

describe('an application in another language', () => {
  it('executes blocks, answers beside them, and repeats its last answer on the next connection', async () => {
    const address = await counter();
    const open = () => remoteApplication({ address, chainId: 'python', name: 'counter' });
    const blocks = [['a', 'b'], [], ['ø', 'x'.repeat(400)]].map((block) => block.map(utf8));
    const far = await open();
    await far.initChain({
      chainId: 'python',
      genesisHash: digestOf(new Uint8Array()),
      genesisTime: blockOf(0, []).time,
      validators: [],
      appState: { a: 1 },
    });
    const logs: string[] = [];
    for (const [index, transactions] of blocks.entries()) {
      const answer = await far.finalizeBlock(blockOf(index + 1, transactions));
      logs.push(...answer.results.map(({ log }) => log));
      expect((await far.info()).executed).toEqual({ height: index + 1, appHash: answer.appHash });
    }
    expect(logs).toEqual(['number 1', 'number 2', 'number 3', 'number 4']);
    await far.close?.();
    const again = await open();
    expect((await again.finalizeBlock(blockOf(3, blocks[2] ?? []))).results.map(({ log }) => log)).toEqual([
      'number 3',
      'number 4',
    ]);
    expect(await again.query('', utf8('k'))).toMatchObject({ value: new Uint8Array(utf8('4')), height: 3 });
    expect([(await again.checkTx(utf8('a'))).code, (await again.checkTx(new Uint8Array(100))).code]).toEqual([
      0, 1,
    ]);
    await again.close?.();
  });

  it('takes and gives blocks of many parts', async () => {
    const address = await counter();
    const far = await remoteApplication({ address, chainId: 'python' });
    const transactions = Array.from({ length: 20_000 }, (_, index) => utf8(`${index}`.padEnd(250, '.')));
    await far.initChain({
      chainId: 'python',
      genesisHash: digestOf(new Uint8Array()),
      genesisTime: blockOf(0, []).time,
      validators: [],
      appState: {},
    });
    const { results } = await far.finalizeBlock(blockOf(1, transactions));
    expect([results.length, results.at(-1)?.log, results.at(-1)?.events]).toEqual([
      20_000,
      'number 20000',
      [{ type: 'counted', attributes: [{ key: 'log', value: 'number 20000', index: true }] }],
    ]);
    await far.close?.();
  });
});
