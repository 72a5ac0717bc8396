/** `althing application serve`, and what a start says of `application.address`. Rules AP-1, SY-10. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beginningOf } from '../../src/application/built-in.ts';
import { remoteApplication } from '../../src/application/socket/remote.ts';
import { loadBlsEngine } from '../../src/crypto/bls/select.ts';
import { loadGenesis } from '../../src/node/config/genesis-file.ts';
import { digestOf } from '../../src/protocol/chain/canonical.ts';
import { ApplicationProcess } from '../application/socket/process.ts';
import { althing } from './run.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'althing-serve-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('althing application serve', () => {
  it('serves kv until SIGTERM, and says who comes', async () => {
    const application = new ApplicationProcess(`unix:${dir}/app.sock`, 'kv', '--dir', join(dir, 'kv'));
    await application.start();
    const far = await remoteApplication({ address: application.address, chainId: 'cli', name: 'kv' });
    expect((await far.info()).runsAhead).toBe(true);
    expect(await application.end('SIGTERM')).toBe(0);
    await expect(far.info()).rejects.toThrow('it refuses this node: the application ends');
    expect(application.lines).toContain('a node of "cli" is served');
  });

  it('serves the ledger to a node of the genesis that it is given, and to no other', async () => {
    expect((await althing(['init', '--home', join(dir, 'coins'), '--application', 'ledger'])).code).toBe(0);
    const file = join(dir, 'coins', 'config', 'genesis.json');
    const { engine } = await loadBlsEngine();
    const read = loadGenesis(file, engine);
    if (read.status === 'refused') throw new Error(JSON.stringify(read.problems));
    const { chainId } = read.genesis;
    const application = new ApplicationProcess(`unix:${dir}/coins.sock`, 'ledger', '--genesis', file);
    await application.start();
    const { address } = application;
    const other = remoteApplication({ address, chainId: 'other', name: 'ledger' });
    await expect(other).rejects.toThrow(`serves the chain "${chainId}"`);
    const far = await remoteApplication({ address, chainId, name: 'ledger' });
    const beginning = beginningOf(read.genesis);
    const genesisHash = digestOf(new Uint8Array());
    await expect(far.initChain({ ...beginning, genesisHash })).rejects.toThrow('made for the genesis');
    await far.initChain(beginning);
    const { value } = await far.query('/parameters', new Uint8Array());
    expect(JSON.parse(new TextDecoder().decode(value))).toMatchObject({ genesis_hash: read.hash });
    await application.end('SIGTERM');
  });

  it('refuses what it cannot serve, and where it cannot listen', async () => {
    expect(await althing(['application', 'serve', 'chess', '--listen', `unix:${dir}/b.sock`])).toMatchObject({
      code: 2,
      stderr: 'althing: no application "chess" is built in; there is "kv", "ledger", "dice"\n',
    });
    expect(await althing(['application', 'serve', 'ledger', '--listen', `unix:${dir}/b.sock`])).toMatchObject(
      {
        code: 2,
        stderr: expect.stringContaining('"ledger" needs the genesis of its chain: give --genesis FILE'),
      },
    );
    expect(await althing(['application', 'serve', 'kv', '--listen', 'tcp:0.0.0.0:1'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        '"tcp:0.0.0.0:1" is no address of an application: give "unix:/absolute/path"',
      ),
    });
  });
});

describe('a start with application.address', () => {
  const starting = (...settings: readonly string[]) =>
    althing(['start', '--home', join(dir, 'home'), ...settings.flatMap((setting) => ['--set', setting])]);

  it('refuses an address of another machine, and a join by a snapshot', async () => {
    expect((await althing(['init', '--home', join(dir, 'home')])).code).toBe(0);
    expect(await starting('application.address=tcp:10.0.0.1:5')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(
        'application.address = "tcp:10.0.0.1:5": must be "unix:/absolute/path"',
      ),
    });
    expect(await starting(`application.address=unix:${dir}/app.sock`, 'sync.join=snapshot')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(
        'sync.join: "snapshot" needs a built-in application, and application.address is',
      ),
    });
  });
});
