/** A validator whose application cannot be opened: it says so to its clients, to its probes and in its log (MP-2, EX-5). */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { homePaths } from '../../src/node/config/home.ts';
import { althing, eventually } from './support/local-network.ts';
import { Validators } from './support/validators.ts';

let validators: Validators;
let rpc = '';

const probe = async (
  path: string,
): Promise<{ readonly status: number; readonly text: string } | undefined> => {
  const response = await fetch(`http://${rpc}${path}`).catch(() => undefined);
  return response === undefined ? undefined : { status: response.status, text: await response.text() };
};

beforeAll(async () => {
  validators = await Validators.create({ count: 1 });
  rpc = validators.network.rpcOf(0);
  validators.start(0);
  await eventually(
    'the node is ready',
    30_000,
    async () => (await probe('/readyz'))?.status === 200 || undefined,
  );
  expect(await althing('tx', 'a=1', '--rpc', rpc)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^committed/),
  });
  await validators.kill(0);
  const file = join(homePaths(validators.network.homeOf(0)).applicationData, 'kv.db');
  // After a kill -9 the log would mend the file.
  for (const log of ['-wal', '-shm']) rmSync(`${file}${log}`, { force: true });
  writeFileSync(file, Buffer.alloc(8_192, 0xa5));
  validators.start(0);
  await eventually('the RPC listens', 30_000, () => probe('/livez'));
});
afterAll(() => validators.remove());

describe('a validator whose application cannot be opened', () => {
  it('is alive, not ready, and says why', async () => {
    const { status, text } = await eventually('it hears of the failure', 30_000, async () => {
      const answer = await probe('/readyz');
      return answer?.text.includes('not executed') ? answer : undefined;
    });
    expect(status).toBe(503);
    expect(JSON.parse(text).reasons).toContainEqual(
      expect.stringMatching(
        /^blocks are not executed: APPLICATION_FAILED: .*data\/application: file is not a database/,
      ),
    );
    expect((await probe('/livez'))?.status).toBe(200);
  });

  it('writes it to its log', () => {
    expect(validators.stderr).toMatch(
      /"component":"application".*"code":"APPLICATION_FAILED".*execution failed/,
    );
  });

  it.each([[[]], [['--json']]])(
    'never tells a client that its transaction is committed: %j',
    async (json) => {
      const { code, stdout, stderr } = await althing('tx', 'z=1', '--rpc', rpc, ...json);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toContain('NOT_CHECKED');
    },
  );

  it('nor accepts it by broadcast_tx_sync', async () => {
    const tx = Buffer.from('y=1').toString('base64');
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'broadcast_tx_sync', params: { tx } });
    const answer = await (await fetch(`http://${rpc}`, { method: 'POST', body })).json();
    expect(answer).toMatchObject({ error: { data: expect.stringContaining('NOT_CHECKED') } });
  });

  it('is ready again once the application can be opened, with the state that the chain gives', async () => {
    rmSync(homePaths(validators.network.homeOf(0)).applicationData, { recursive: true });
    const isReady = async () => (await probe('/readyz'))?.status === 200 || undefined;
    await eventually('the application is tried again', 90_000, isReady);
    expect(await althing('query', 'a', '--rpc', rpc)).toMatchObject({ code: 0, stdout: '1\n' });
    expect(await althing('tx', 'z=1', '--rpc', rpc)).toMatchObject({ code: 0 });
    expect(validators.stderr).toContain('execution goes on');
  });
});
