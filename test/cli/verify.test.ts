/** `althing verify` before a node of another chain: what its user is told. docs/operator-guide.md. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadBlsEngine } from '../../src/crypto/bls/select.ts';
import { homePaths } from '../../src/node/config/home.ts';
import { LightNode, lightChain } from '../client/light/light-node.ts';
import { startTestServer } from '../rpc/server.ts';
import { althing } from './run.ts';

it('says of a node of another chain than the genesis that it is one, or lies, and what to give instead', async () => {
  const home = mkdtempSync(join(tmpdir(), 'althing-verify-'));
  const { engine } = await loadBlsEngine();
  const { server, url } = await startTestServer({ port: new LightNode(lightChain(engine)) });
  expect((await althing(['init', '--home', home, '--chain-id', 'mine'])).code).toBe(0);
  const { genesisFile } = homePaths(home);
  const { code, stdout, stderr } = await althing(['verify', 'header', '1', '--home', home, '--rpc', url]);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain(
    `\nwhat ${url}/ shows is of another chain than the genesis ${genesisFile}, or a lie: give the genesis of the chain that is meant (--genesis), or ask another node (--rpc)\n`,
  );
  await server.close();
  rmSync(home, { recursive: true });
});
