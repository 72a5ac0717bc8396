import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freeBasePort } from '../cluster/support/local-network.ts';
import { althing } from './run.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'althing-cli-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** A free port, held by nobody when this returns. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

describe("a user's mistake is a sentence and an exit code, never a stack trace", () => {
  it('a passphrase file that is not there: its path, and what it should be', async () => {
    const gone = join(directory, 'gone');
    const run = await althing(['init', '--home', join(directory, 'sealed')], {
      ALTHING_PASSPHRASE_FILE: gone,
    });
    expect(run).toMatchObject({
      code: 3,
      stderr: `althing: ALTHING_PASSPHRASE_FILE: ${gone} cannot be read (ENOENT): name the file whose first line is the passphrase\n`,
    });
  });

  it.concurrent.each([
    [['statsu'], "unknown command 'statsu'; did you mean status?"],
    [['xyzzy'], "unknown command 'xyzzy'; see `althing --help`"],
    [['--validtors', '3'], "unknown option '--validtors'\n(Did you mean --validators?)"],
    [['status', '--jsno'], "unknown option '--jsno'\n(Did you mean --json?)"],
    [['config', 'prnt'], "unknown command 'prnt'\n(Did you mean print?)"],
    [['start'], "required option '--home <dir>' not specified"],
    [['tx'], "missing required argument 'text'"],
    [['block', 'abc'], 'block abc: give a height above 0'],
    [
      ['inspect', '--home', 'x', '--feed', 'http://x'],
      'give one of --home DIR, --data DIR and --feed ADDRESS',
    ],
    [['inspect', '--feed', 'ftp://x', '--stately'], 'give an address such as http://127.0.0.1:'],
    [['query', 'x', '--height', '-3'], '--height -3: give a whole number'],
    [['--validators', '0'], 'give a whole number from 1 to 64.'],
    [['testnet', '--output', '/tmp/x', '--validators', '99999'], 'give a whole number from 1 to 512.'],
    [['status', '--rpc', 'http://'], '--rpc http://: give host:port or a URL'],
    [['view-change'], 'view-change is an operator command: give --home DIR'],
    [['config', 'print', '--home', '.'], '--home and --set belong to `config print --effective`'],
    [
      ['init', '--home', 'x', '--genesis', 'a', '--chain-id', 'b'],
      '--chain-id and --genesis exclude each other',
    ],
    [['init', '--home', 'x', '--full'], '--full needs --genesis FILE'],
    [['init', '--home', 'x', '--full', '--genesis', 'a'], '--full needs a --peer id@host:port or more'],
    [['init', '--home', 'x', '--genesis', 'a', '--peer', 'host:1'], '--peer host:1: give "id@host:port"'],
    [['init', '--home', 'x', '--peer', `${'0'.repeat(40)}@h:1`], '--peer and a new chain exclude each other'],
    [['testnet', '--output', '/tmp/x', '--full', '33'], 'give a whole number from 0 to 32.'],
    [
      ['init', '--home', 'x', '--application-address', 'in-process'],
      '--application-address needs --application NAME',
    ],
    [['--application', 'kvv'], 'no application "kvv" is built in; there is "kv"'],
    [
      ['init', '--home', 'x', '--genesis', 'a', '--application', 'kv'],
      '--application and --genesis exclude each other',
    ],
    [
      ['testnet', '--output', '/tmp/never-made', '--chain-id', '-x-'],
      'chain_id = "-x-": must be 1 to 50 letters',
    ],
  ])('althing %j: exit 2', async (args, expected) => {
    const { code, stdout, stderr } = await althing(args);
    expect(stderr).toContain(expected);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect([code, stdout]).toEqual([2, '']);
  });

  it('a wrong configuration is exit 3, with file, line and column', async () => {
    const home = join(directory, 'wrong');
    mkdirSync(join(home, 'config'), { recursive: true });
    const file = join(home, 'config', 'althing.toml');
    writeFileSync(file, '[p2p]\nlissten = "127.0.0.1:1"\n');
    for (const args of [
      ['start', '--home', home],
      ['config', 'print', '--effective', '--home', home],
    ]) {
      const { code, stderr } = await althing(args);
      expect([code, stderr]).toEqual([
        3,
        `althing: ${file}:2:1: unknown key lissten in [p2p]; did you mean listen?\n`,
      ]);
    }
  });

  it('a --home that is none is exit 3, and its settings are not told', async () => {
    const nowhere = join(directory, 'nowhere');
    const { code, stdout, stderr } = await althing(['config', 'print', '--effective', '--home', nowhere]);
    expect([code, stdout, stderr]).toEqual([
      3,
      '',
      expect.stringContaining(`--home ${nowhere}: no home there`),
    ]);
  });

  it('a wrong --set is exit 3, and names the flag', async () => {
    const { code, stderr } = await althing(['config', 'print', '--effective', '--set', 'log.level=loud']);
    expect([code, stderr]).toEqual([3, expect.stringContaining('--set: log.level = "loud": must be one of')]);
  });

  it('a genesis that is not JSON is exit 3', async () => {
    const file = join(directory, 'broken.json');
    writeFileSync(file, '{');
    const { code, stderr } = await althing(['init', '--home', join(directory, 'joined'), '--genesis', file]);
    expect([code, stderr]).toEqual([3, expect.stringContaining(`${file}: is not JSON: `)]);
  });

  it('no node at the address is exit 1, and says how to start one', async () => {
    const { code, stderr } = await althing(['status', '--rpc', `127.0.0.1:${await freePort()}`]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/no node answers at .* start one with `althing`/),
    ]);
  });

  it('with --json the failure is JSON on stderr', async () => {
    const { code, stderr } = await althing(['status', '--json', '--rpc', `127.0.0.1:${await freePort()}`]);
    expect([code, JSON.parse(stderr)]).toEqual([
      1,
      { error: expect.stringContaining('no node answers'), exit_code: 1 },
    ]);
  });

  it.concurrent.each([
    [['status', '--json', '--jsno'], "unknown option '--jsno'\n(Did you mean --json?)"],
    [['start', '--json'], "required option '--home <dir>' not specified"],
    [['tx', '--json'], "missing required argument 'text'"],
    [['statsu', '--json'], "unknown command 'statsu'; did you mean status?"],
    [['--json', '--validators', '0'], 'give a whole number from 1 to 64.'],
  ])('althing %j: a usage error is JSON on stderr too, and nothing else', async (args, expected) => {
    const { code, stdout, stderr } = await althing(args);
    expect([code, stdout, JSON.parse(stderr)]).toEqual([
      2,
      '',
      { error: expect.stringContaining(expected), exit_code: 2 },
    ]);
    expect(stderr).not.toContain('error: ');
  });

  it('a port in use is exit 2, and names the port and its purpose', async () => {
    const base = await freeBasePort(1);
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(base + 1, '127.0.0.1', resolve));
    const data = join(directory, 'taken');
    const { code, stderr } = await althing([
      '--data',
      data,
      '--base-port',
      String(base),
      '--validators',
      '1',
    ]);
    expect(stderr).toContain(`port ${base + 1} (RPC of validator 0) is in use`);
    expect(code).toBe(2);
    expect(existsSync(join(data, 'node0'))).toBe(false);
    await new Promise((resolve) => holder.close(resolve));
  });
});

describe('help and version', () => {
  it('go to stdout with exit 0', async () => {
    const help = await althing(['--help']);
    expect([help.code, help.stderr]).toEqual([0, '']);
    for (const name of ['start', 'testnet', 'status', 'rounds', 'view-change', 'config', 'reset']) {
      expect(help.stdout).toMatch(new RegExp(`^ {2}${name} `, 'm'));
    }
    const version = await althing(['version', '--json']);
    expect(JSON.parse(version.stdout)).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      node: process.version,
    });
    expect((await althing(['--version'])).code).toBe(0);
  });
});

describe('config print', () => {
  it('prints the default file, as it is in the repository', async () => {
    const { stdout } = await althing(['config', 'print']);
    expect(stdout).toContain('[consensus]\n');
    expect(stdout).toContain('round_timeout_ms_min = 200\n');
  });

  it('--effective --json says where each value comes from', async () => {
    const home = join(directory, 'bare');
    mkdirSync(join(home, 'config'), { recursive: true });
    writeFileSync(join(home, 'config', 'althing.toml'), '');
    const { stdout } = await althing(
      ['config', 'print', '--effective', '--json', '--home', home, '--set', 'log.level=debug'],
      { ALTHING_RPC__CONNECTIONS_MAX: '7' },
    );
    const rows: readonly { readonly key: string }[] = JSON.parse(stdout);
    const row = (key: string): unknown => rows.find((entry) => entry.key === key);
    expect(row('log.level')).toEqual({ key: 'log.level', value: 'debug', origin: 'flag --set' });
    expect(row('rpc.connections_max')).toEqual({
      key: 'rpc.connections_max',
      value: 7,
      origin: 'environment ALTHING_RPC__CONNECTIONS_MAX',
    });
    expect(row('node.moniker')).toEqual({ key: 'node.moniker', value: 'althing', origin: 'default' });
  });
});
