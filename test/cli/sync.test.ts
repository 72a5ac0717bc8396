import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../rpc/server.ts';
import { heightOf, progressOf } from '../rpc/sync-report.ts';
import { althing, type Run } from './run.ts';

let rpc: TestServer;
let home = '';
beforeAll(async () => {
  rpc = await startTestServer();
  home = mkdtempSync(join(tmpdir(), 'althing-sync-'));
  for (const folder of ['config', 'keys']) mkdirSync(join(home, folder));
  writeFileSync(join(home, 'config', 'althing.toml'), `[rpc]\nlisten = "${new URL(rpc.url).host}"\n`);
  writeFileSync(join(home, 'keys', 'admin.token'), 'secret-token\n');
});
beforeEach(() => {
  rpc.node.syncFacts = {};
  rpc.node.syncOutcome = { status: 'done', sync: { kind: 'InSync' } };
  rpc.node.resyncOutcome = { status: 'running' };
  rpc.node.syncsRequested = 0;
  rpc.node.resyncs.length = 0;
});
afterAll(async () => {
  await rpc.server.close();
  rmSync(home, { recursive: true });
});

const ask = (...args: readonly string[]): Promise<Run> => althing([...args, '--rpc', rpc.url]);
const order = (...args: readonly string[]): Promise<Run> => althing([...args, '--home', home]);
const ID = 'ab'.repeat(32);

describe('althing sync', () => {
  it('shows the health line of the seed first, the peers, and nothing else on stderr', async () => {
    const { code, stdout, stderr } = await ask('sync');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^✅ In Sync: Height 12345 \(consensus: 12345\)\n\ndoing /);
    expect(stdout).toMatch(/^peer +name +power +blocks/m);
  });

  it('--json is the whole report', async () => {
    const report = JSON.parse((await ask('sync', '--json')).stdout);
    expect(report).toMatchObject({
      height: '12345',
      peers: [{ is_trusted: true }, {}, {}],
      error_counts: { Timeout: 4 },
    });
  });

  it('althing status has the health line, and the bar while it catches up', async () => {
    rpc.node.syncFacts = {
      activity: 'catchingUp',
      status: { kind: 'LargeGap', gap: 3_700 },
      health: '🔴 Large Gap: Height 8645 (consensus: 12345, gap: 3700)',
      progress: progressOf(),
    };
    const { stdout } = await ask('status');
    expect(stdout).toMatch(
      /^🔴 Large Gap: Height 8645 \(consensus: 12345, gap: 3700\)\ntier 2 \[#+·+\] 63 %/m,
    );
    expect(JSON.parse((await ask('status', '--json')).stdout)).toMatchObject({
      sync: { activity: 'catchingUp', status: { kind: 'LargeGap', gap: 3_700 }, progress: { to: '12345' } },
    });
  });

  it('--watch shows it again each second, and ends with 0 at Ctrl-C', async () => {
    const { code, stdout } = await althing(['sync', '--rpc', rpc.url, '--watch'], {}, (child) => {
      let said = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        rpc.node.syncFacts = { health: '⚠️ Small Gap' };
        if (/Small Gap[\s\S]*trusted/.test(said)) child.kill('SIGINT');
      });
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^✅ In Sync[\s\S]*^⚠️ Small Gap/m);
    expect(stdout).not.toContain('\u001b');
  });
});

describe('althing sync --now (seed 002: manualSync)', () => {
  it('without the token begins nothing: exit 2', async () => {
    const { code, stdout, stderr } = await ask('sync', '--now');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('sync --now is an operator command: give --home DIR');
    expect(rpc.node.syncsRequested).toBe(0);
  });

  it('shows what became of it: exit 0 when in sync', async () => {
    const { code, stdout } = await order('sync', '--now');
    expect([code, rpc.node.syncsRequested]).toEqual([0, 1]);
    expect(stdout).toContain('✅ In Sync');
  });

  it('is exit 1 with the error when nobody answers: never "synced" (SY-2)', async () => {
    const status = { kind: 'Unknown', reason: 'nobody' } as const;
    rpc.node.syncFacts = { status, health: '❔ Unknown: nobody' };
    rpc.node.syncOutcome = {
      status: 'done',
      sync: status,
      error: { code: 'NoPeersAvailable', detail: 'nobody' },
    };
    const { code, stdout, stderr } = await order('sync', '--now');
    expect([code, stderr]).toEqual([1, 'althing: not in sync: NoPeersAvailable: nobody\n']);
    expect(stdout).toContain('❔ Unknown: nobody');
    rpc.node.syncOutcome = { status: 'done', sync: status };
    expect(await order('sync', '--now')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('❔ Unknown'),
    });
  });

  it('shows the progress of one that goes on, until it rests', async () => {
    rpc.node.syncOutcome = { status: 'running' };
    rpc.node.syncFacts = { activity: 'catchingUp', progress: progressOf() };
    const { code, stdout, stderr } = await althing(['sync', '--now', '--home', home], {}, (child) => {
      child.stderr?.on('data', () => {
        rpc.node.syncFacts = {};
      });
    });
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^tier 2 \[#+·+\] 63 %.*\n$/)]);
    expect(stdout).toContain('✅ In Sync');
  });

  it('Ctrl-C ends the watching alone: exit 130, and says that the node goes on', async () => {
    rpc.node.syncOutcome = { status: 'running' };
    rpc.node.syncFacts = { activity: 'catchingUp', progress: progressOf() };
    const { code, stderr } = await althing(['sync', '--now', '--home', home], {}, (child) => {
      child.stderr?.once('data', () => child.kill('SIGINT'));
    });
    expect([code, stderr]).toEqual([130, expect.stringContaining('the node goes on')]);
  });
});

describe('althing resync (SY-9)', () => {
  it('without the token begins nothing: exit 2', async () => {
    const { code, stdout, stderr } = await ask('resync', '--yes');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('resync is an operator command: give --home DIR');
    expect(rpc.node.resyncs).toEqual([]);
  });

  it('with a wrong token is exit 1, and begins nothing', async () => {
    writeFileSync(join(home, 'keys', 'admin.token'), 'another\n');
    const { code, stderr } = await order('resync', '--yes');
    writeFileSync(join(home, 'keys', 'admin.token'), 'secret-token\n');
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /an operator's, and the token of the given --home is not that of the node at http/,
      ),
    ]);
    expect(rpc.node.resyncs).toEqual([]);
  });

  it.each([[[]], [['--json']]])(
    'asks for a word, and where there is no terminal for --yes: %j',
    async (flags) => {
      const { code, stdout, stderr } = await order('resync', ...flags);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain('resync asks for a word at a terminal: give --yes where there is none');
      expect(rpc.node.resyncs).toEqual([]);
    },
  );

  it.each([
    [['--checkpoint', '5']],
    [['--checkpoint', `0:${ID}`]],
    [['--checkpoint', `5:${ID.slice(1)}`]],
    [['--checkpoint', `-5:${ID}`]],
    [['--checkpoint', `9999999999999999:${ID}`]],
  ])('refuses %j: exit 2', async (flags) => {
    const { code, stderr } = await order('resync', '--yes', ...flags);
    expect([code, stderr]).toEqual([2, expect.stringContaining('give HEIGHT:ID')]);
    expect(rpc.node.resyncs).toEqual([]);
  });

  it.each([
    [['--rollback', '--checkpoint', `5:${ID}`], "'--rollback' cannot be used with option '--checkpoint"],
    [['--rollback', '--rpc', '127.0.0.1:1'], "'--rollback' cannot be used with option '--rpc"],
    [['--checkpont', `5:${ID}`], "unknown option '--checkpont'"],
  ])('%j is exit 2', async (flags, words) => {
    const { code, stderr } = await order('resync', '--yes', ...flags);
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
  });

  it('says where the node is, gives the checkpoint, and follows the download until it is whole', async () => {
    rpc.node.syncFacts = {
      activity: 'resyncing',
      resync: { status: 'running' },
      progress: progressOf({ tier: 3 }),
    };
    const { code, stdout, stderr } = await althing(
      ['resync', '--yes', '--home', home, '--checkpoint', `5:${ID.toUpperCase()}`],
      {},
      (child) => {
        child.stderr?.on('data', (chunk: Buffer) => {
          if (chunk.toString().includes('tier 3'))
            rpc.node.syncFacts = { resync: { status: 'ready', height: heightOf(12_345) } };
        });
      },
    );
    expect(stderr).toMatch(
      /^memory of memory-chain is at height \d+\n✅ In Sync.*\n.*Ctrl-C ends this command alone.*\ntier 3 \[#+·+\] 63 %.*\n$/,
    );
    expect(stdout).toContain('the new chain is whole at height 12345: the node starts again by itself');
    expect([code, rpc.node.resyncs]).toEqual([0, [{ height: 5, id: ID }]]);
  });

  it('is exit 1 with the reason where it is refused, at once or later', async () => {
    const failed = {
      status: 'failed',
      error: { code: 'NoPeersAvailable', detail: 'no peer has 5 h' },
    } as const;
    rpc.node.resyncOutcome = failed;
    const words = 'althing: NoPeersAvailable: no peer has 5 h; the old chain is as it was\n';
    const refused = await order('resync', '--yes', '--json');
    expect([refused.code, refused.stdout, JSON.parse(refused.stderr).error]).toEqual([
      1,
      '',
      words.slice('althing: '.length, -1),
    ]);
    rpc.node.resyncOutcome = { status: 'running' };
    rpc.node.syncFacts = { resync: failed };
    const later = await order('resync', '--yes');
    expect([later.code, later.stderr]).toEqual([1, expect.stringContaining(words)]);
  });

  it('a node that is not there is exit 1', async () => {
    const away = join(home, 'away');
    for (const folder of ['config', 'keys']) mkdirSync(join(away, folder), { recursive: true });
    writeFileSync(join(away, 'config', 'althing.toml'), '[rpc]\nlisten = "127.0.0.1:9"\n');
    writeFileSync(join(away, 'keys', 'admin.token'), 'secret-token\n');
    const { code, stderr } = await althing(['resync', '--yes', '--home', away]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('no node answers at http://127.0.0.1:9')]);
  });
});

describe('althing resync --rollback', () => {
  let chain = '';
  beforeAll(async () => {
    chain = join(home, 'chain');
    expect((await althing(['init', '--home', chain])).code).toBe(0);
  });

  it('needs the home, which must be there: exit 2', async () => {
    const none = await althing(['resync', '--rollback', '--yes']);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('give --home DIR')]);
    const away = await althing(['resync', '--rollback', '--yes', '--home', '/no/such/home']);
    expect([away.code, away.stderr]).toEqual([2, expect.stringContaining('there is no such directory')]);
  });

  it('asks for a word too', async () => {
    const { code, stderr } = await althing(['resync', '--rollback', '--home', chain]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('rollback asks for a word')]);
  });

  it('without a chain that was replaced is exit 2, and changes nothing', async () => {
    const { code, stdout, stderr } = await althing(['resync', '--rollback', '--yes', '--home', chain]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('there is no backup of a chain that was replaced');
  });
});
