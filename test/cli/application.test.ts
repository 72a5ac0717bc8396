/** `althing application serve`, and what a start says of `application.address`. Rules AP-1, SY-10. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { remoteApplication } from '../../src/application/socket/remote.ts';
import { ApplicationProcess } from '../application/socket/process.ts';
import { althing } from './run.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'althing-serve-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('althing application serve', () => {
  it('serves kv until SIGTERM, and says who comes', async () => {
    const application = new ApplicationProcess(`unix:${dir}/app.sock`, '--dir', join(dir, 'kv'));
    await application.start();
    const far = await remoteApplication({ address: application.address, chainId: 'cli', name: 'kv' });
    expect((await far.info()).runsAhead).toBe(true);
    expect(await application.end('SIGTERM')).toBe(0);
    await expect(far.info()).rejects.toThrow('it refuses this node: the application ends');
    expect(application.lines).toContain('a node of "cli" is served');
  });

  it('refuses what it cannot serve, and where it cannot listen', async () => {
    expect(await althing(['application', 'serve', 'chess', '--listen', `unix:${dir}/b.sock`])).toMatchObject({
      code: 2,
      stderr: 'althing: no application "chess" is built in; there is "kv", "ledger", "dice"\n',
    });
    expect(await althing(['application', 'serve', 'ledger', '--listen', `unix:${dir}/b.sock`])).toMatchObject(
      {
        code: 2,
        stderr: expect.stringContaining('"ledger" needs the genesis of its chain'),
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
