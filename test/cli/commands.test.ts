import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commitOperation } from '../../src/cli/commit.ts';
import { startTestServer, type TestServer } from '../rpc/server.ts';
import { althing, type Run } from './run.ts';

let rpc: TestServer;
let home = '';
beforeAll(async () => {
  rpc = await startTestServer();
  home = mkdtempSync(join(tmpdir(), 'althing-commands-'));
  for (const folder of ['config', 'keys']) mkdirSync(join(home, folder));
  writeFileSync(join(home, 'config', 'althing.toml'), `[rpc]\nlisten = "${new URL(rpc.url).host}"\n`);
  writeFileSync(join(home, 'keys', 'admin.token'), 'secret-token\n');
});
afterAll(async () => {
  await rpc.server.close();
  rmSync(home, { recursive: true });
});

const ask = (...args: readonly string[]): Promise<Run> => althing([...args, '--rpc', rpc.url]);

describe('commands that ask a node', () => {
  it('tx commits, block shows it, query finds it', async () => {
    const sent = await ask('tx', 'name=ada');
    expect([sent.code, sent.stdout]).toEqual([
      0,
      expect.stringMatching(/^committed {2}height 1, after \d+ ms\n/),
    ]);
    const block = await ask('block', '1');
    expect(block.stdout).toMatch(/parent\s+genesis\n/);
    expect(block.stdout).toContain('\n  name=ada\n');
    expect(await ask('query', 'name')).toEqual({ code: 0, stdout: 'ada\n', stderr: '' });
    const json = await ask('tx', 'name=bob', '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({ height: '2', tx_result: { code: 0 } });
    expect(JSON.parse((await ask('query', 'name', '--json')).stdout)).toEqual({
      key: 'name',
      value: 'bob',
      height: '2',
    });
  });

  it('a transaction that is refused is exit 1, with the reason', async () => {
    const { code, stdout, stderr } = await ask('tx', 'nonsense');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toBe('althing: refused by the application: expected key=value\n');
  });

  it('a transaction that nobody checked is exit 1, and never called committed', async () => {
    const { code, stdout, stderr } = await ask('tx', 'unchecked');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toBe('althing: refused: NOT_CHECKED: APPLICATION_FAILED: opening failed\n');
  });

  it('a server that answers in another shape has committed nothing: exit 1', async () => {
    const server = createServer((_, response) => {
      response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { hash: 'AB', height: '7' } }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    for (const json of [[], ['--json']]) {
      const { code, stdout, stderr } = await althing(['tx', 'a=1', '--rpc', `127.0.0.1:${port}`, ...json]);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toContain('is it an Althing node?');
    }
    await new Promise((resolve) => server.close(resolve));
  });

  it('a transaction that expires is exit 1, and says that it never will be executed', async () => {
    rpc.node.hold = true;
    const sent = ask('tx', 'late=1');
    await expect.poll(() => rpc.node.waiting, { timeout: 10_000 }).toBeGreaterThan(0);
    rpc.node.passOver(2_000);
    const { code, stdout, stderr } = await sent;
    rpc.node.passOver(0);
    rpc.node.hold = false;
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /operation [0-9A-F]{64} expired: height \d+ was executed without it, and it never/,
    );
  });

  it('a transaction without an end is a failure that says by when it has one', async () => {
    rpc.node.hold = true;
    const target = { url: rpc.url, token: undefined };
    const sent = commitOperation(target, Buffer.from('slow=1'), { endWaitMs: 500 });
    await expect(sent).rejects.toThrow(
      /^operation [0-9A-F]{64} has no end after 0\.5 s: it may still be committed, up to height \d+; ask/,
    );
    rpc.node.release();
  });

  it('an empty transaction is wrong use: exit 2', async () => {
    expect(await ask('tx', '')).toMatchObject({ code: 2, stderr: expect.stringContaining('is empty') });
  });

  it('what is not there is exit 1', async () => {
    expect((await ask('query', 'nobody')).stderr).toMatch(/^althing: "nobody" has no value at height \d+\n$/);
    const { code, stderr } = await ask('block', '999');
    expect([code, stderr]).toEqual([1, expect.stringContaining('height 999 must be less than or equal to')]);
  });

  it("control characters in a stored value do not reach the reader's terminal", async () => {
    await ask('tx', 'bell=\u001b[31m');
    expect((await ask('query', 'bell')).stdout).toBe(`0x${Buffer.from('\u001b[31m').toString('hex')}\n`);
  });

  it('status, peers, net-info and rounds show what the node says', async () => {
    const status = await ask('status');
    expect(status.stdout).toContain('memory-chain');
    expect(status.stdout).toMatch(/in sync\s+yes\n/);
    expect(status.stdout).toMatch(/time +synchronised by peers, ±2\.504 ms, system clock 10\.50 s ahead/);
    expect(JSON.parse((await ask('status', '--json')).stdout)).toMatchObject({
      node_info: { network: 'memory-chain' },
      time: { state: 'synchronised', error_ms: 2.504, alerts: [{ alert: 'ClockDriftCritical' }] },
    });
    expect((await ask('peers')).stdout.trim().split('\n')).toHaveLength(4);
    expect((await ask('net-info')).stdout).toContain('Listener(@127.0.0.1:26656)');
    const rounds = await ask('rounds');
    expect(rounds.stdout).toContain('ROUND_ALREADY_VOTED');
    expect(rounds.stdout).toContain('LeaderTimeout  412 ms');
    expect(JSON.parse((await ask('rounds', '--json')).stdout).view_changes[0].reason).toBe('LeaderTimeout');
  });

  it('health is exit 0 when ready, 1 with the reasons when not', async () => {
    expect(await ask('health')).toMatchObject({ code: 0, stdout: 'ready\n' });
    rpc.node.reasons = ['no quorum'];
    expect(await ask('health')).toMatchObject({ code: 1, stdout: 'not ready\n- no quorum\n' });
    rpc.node.reasons = [];
  });

  it('view-change needs the token of the home', async () => {
    const { code, stdout } = await althing(['view-change', '--home', home]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^asked to leave round \d+\n$/)]);
    expect(rpc.node.viewChangesRequested).toBe(1);
    writeFileSync(join(home, 'keys', 'admin.token'), 'another\n');
    const refused = await althing(['view-change', '--home', home]);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining('is not that of the node at'),
    ]);
    expect(rpc.node.viewChangesRequested).toBe(1);
  });

  it.each([[['status']], [['tx', 'a=b']], [['view-change']], [['health', '--json']]])(
    'a --home that is none is exit 3, and nobody is asked: %j',
    async (words) => {
      const { submitted } = rpc.node;
      const { code, stdout, stderr } = await althing([...words, '--home', `${home}x`, '--rpc', rpc.url]);
      expect([code, stdout]).toEqual([3, '']);
      expect(stderr).toContain(`--home ${home}x: no home there`);
      expect(rpc.node.submitted).toBe(submitted);
    },
  );

  it("--home finds the node's address in its configuration", async () => {
    expect((await althing(['status', '--home', home])).stdout).toContain('memory-chain');
  });
});
