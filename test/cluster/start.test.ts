/** What keeps a validator, or a network, from starting: each a sentence and an exit code, and nothing of it is touched. */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { homePaths } from '../../src/node/config/home.ts';
import { althing, type CommandResult, eventually, LocalNetwork, MAIN } from './support/local-network.ts';

describe('a validator whose peer address cannot be listened on', () => {
  let directory = '';
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'althing-start-'));
    expect(await althing('init', '--home', join(directory, 'node'))).toMatchObject({ code: 0 });
  });
  afterAll(() => rmSync(directory, { recursive: true }));
  const start = (listen: string): Promise<CommandResult> =>
    althing(
      'start',
      '--home',
      join(directory, 'node'),
      '--p2p-listen',
      listen,
      '--rpc-listen',
      '127.0.0.1:0',
    );

  it('nor one that believes NTP alone and names no server: exit 3', async () => {
    const home = join(directory, 'node');
    const { code, stderr } = await althing('start', '--home', home, '--set', 'time.source=ntp');
    expect([code, stderr]).toEqual([3, expect.stringContaining('time.servers')]);
  });

  it('because it is in use: exit 2, naming it', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const bound = holder.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    const { code, stderr } = await start(`127.0.0.1:${port}`);
    holder.close();
    expect([code, stderr]).toEqual([2, expect.stringContaining(`althing: 127.0.0.1:${port} is in use: `)]);
  });

  it('because it is of another machine: exit 2, naming it', async () => {
    const { code, stderr } = await start('10.99.99.99:4000');
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('althing: cannot listen on 10.99.99.99:4000 (EADDRNOTAVAIL)'),
    ]);
  });
});

describe('a network that runs', () => {
  let network: LocalNetwork;
  beforeAll(async () => {
    network = await LocalNetwork.create();
    network.start();
    await eventually('it commits', 60_000, () => network.events.find(({ type }) => type === 'block'));
  });
  afterAll(() => network.remove());

  it('is not started a second time: exit 2, and its homes and logs stay as they are', async () => {
    const { configFile } = homePaths(network.homeOf(0));
    const log = join(network.homeOf(0), 'node.log');
    writeFileSync(log, 'what a validator said\n', { flag: 'a' });
    const [configBefore, logBefore] = [configFile, log].map((path) => readFileSync(path, 'utf8'));
    const { code, stdout, stderr } = await althing(
      '--json',
      '--data',
      network.directory,
      '--base-port',
      '39000',
    );
    expect([code, stdout, JSON.parse(stderr).error]).toEqual([
      2,
      '',
      expect.stringMatching(
        /^the network in .* runs already \(process \d+\): stop it first, or choose another --data$/,
      ),
    ]);
    expect(readFileSync(configFile, 'utf8')).toBe(configBefore);
    expect(readFileSync(log, 'utf8').startsWith(logBefore ?? '')).toBe(true);
  });

  it('does not let one of its homes start a second time: exit 4, and its log stays', async () => {
    const log = join(network.homeOf(1), 'node.log');
    writeFileSync(log, 'what a validator said\n', { flag: 'a' });
    const before = readFileSync(log, 'utf8');
    const { code, stderr } = await althing('start', '--home', network.homeOf(1));
    expect([code, stderr]).toEqual([
      4,
      expect.stringMatching(/process \d+ has it open; stop that node first/),
    ]);
    expect(readFileSync(log, 'utf8').startsWith(before)).toBe(true);
  });

  it("does not start over a validator that runs by itself, nor with another's record, nor without its own", async () => {
    await network.interrupt();
    const alone = spawn(process.execPath, [MAIN, 'start', '--home', network.homeOf(1)], { stdio: 'ignore' });
    const ended = new Promise((resolve) => alone.once('exit', resolve));
    await eventually('it runs', 30_000, () => network.height(1));
    const beside = await althing('--data', network.directory, '--base-port', '39000');
    expect([beside.code, beside.stderr]).toEqual([
      2,
      expect.stringMatching(/node1 runs already \(process \d+\)/),
    ]);
    alone.kill('SIGTERM');
    expect(await ended).toBe(0);

    const [own, other] = [0, 1].map((index) => homePaths(network.homeOf(index)));
    if (own === undefined || other === undefined) throw new Error('two homes');
    cpSync(own.data, `${own.data}.kept`, { recursive: true });
    rmSync(own.data, { recursive: true });
    const lost = await althing('start', '--home', own.home);
    expect([lost.code, lost.stderr]).toEqual([4, expect.stringContaining('this validator has signed')]);
    rmSync(own.data, { recursive: true });
    cpSync(other.data, own.data, { recursive: true });
    const wrong = await althing('start', '--home', own.home);
    expect([wrong.code, wrong.stderr]).toEqual([4, expect.stringContaining('holds what validator')]);
    rmSync(own.data, { recursive: true });
    cpSync(`${own.data}.kept`, own.data, { recursive: true });
  });

  it('tells why each validator ended where none came up, without `ready`, with their exit code', async () => {
    for (const index of [0, 1, 2, 3]) {
      const { data } = homePaths(network.homeOf(index));
      expect(existsSync(data)).toBe(true);
      rmSync(data, { recursive: true });
    }
    const { code, stdout } = await althing('--json', '--data', network.directory);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(code).toBe(4);
    expect(lines).toHaveLength(4);
    for (const line of lines) {
      expect(line).toMatchObject({
        type: 'stopped',
        code: 4,
        reason: expect.stringContaining('the database is gone or empty'),
      });
    }
  });
});

describe('a fresh installation', () => {
  it('starts a network without compiling: npm has run scripts/prepare.mjs', async () => {
    const network = await LocalNetwork.create();
    const cache = mkdtempSync(join(tmpdir(), 'althing-cache-'));
    const environment = { NODE_COMPILE_CACHE: cache };
    const compiled = (): number =>
      readdirSync(cache, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
    execFileSync(process.execPath, [join(import.meta.dirname, '../../scripts/prepare.mjs')], {
      env: { ...process.env, ...environment },
    });
    const prepared = compiled();
    network.start(environment);
    await eventually('it commits', 60_000, () => network.events.find(({ type }) => type === 'block'));
    await network.remove();
    const added = compiled() - prepared;
    rmSync(cache, { recursive: true });
    expect(prepared).toBeGreaterThan(500);
    expect(added).toBeLessThan(prepared / 20);
  });
});
