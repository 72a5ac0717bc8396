import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { homePaths } from '../../src/node/config/home.ts';
import { genesisCertificate } from '../../src/protocol/chain/canonical.ts';
import { FIRST_EPOCH, nextRound, ROOT_ROUND } from '../../src/protocol/chain/ordinals.ts';
import { parseDigest } from '../../src/protocol/chain/parse.ts';
import type { ChainDomain } from '../../src/protocol/chain/types.ts';
import { openStore } from '../../src/storage/open.ts';
import type { Store } from '../../src/storage/store.ts';
import { althing } from './run.ts';

const SIGNED_ROUND = nextRound(nextRound(ROOT_ROUND));

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'althing-reset-'));
  mkdirSync(homePaths(home).applicationData, { recursive: true });
  writeFileSync(join(homePaths(home).applicationData, 'kv.db'), 'state');
});
afterEach(() => rmSync(home, { recursive: true }));

function open(): Store {
  const genesisHash = parseDigest('ab'.repeat(32));
  if (genesisHash === 'malformed') throw new Error('a digest is a digest');
  const domain: ChainDomain = { genesisHash, chainId: 'reset-chain' };
  const opened = openStore(homePaths(home).data, domain);
  if ('detail' in opened) throw new Error(opened.detail);
  return opened;
}

/** A store whose validator has signed round 2. */
function signedStore(): Store {
  const store = open();
  const highQC = genesisCertificate(store.identity, FIRST_EPOCH);
  const record = { epoch: FIRST_EPOCH, lastVotedRound: SIGNED_ROUND, lockedRound: ROOT_ROUND, highQC };
  expect(store.stage([{ kind: 'record', record, expectedVersion: 0 }]).status).toBe('staged');
  expect(store.sync().status).toBe('durable');
  return store;
}

function lastVotedRound(): number {
  const store = open();
  const recovered = store.recover();
  store.close();
  if (recovered.status !== 'found') throw new Error(recovered.detail);
  return recovered.value.record.lastVotedRound;
}

describe('althing reset', () => {
  it('deletes chain and application state, and keeps what was signed', async () => {
    signedStore().close();
    // A chain that was downloaded and waits for the next start.
    mkdirSync(homePaths(home).resyncData, { recursive: true });
    const { code, stdout } = await althing(['reset', '--home', home]);
    expect(existsSync(homePaths(home).resyncData)).toBe(false);
    expect([code, stdout]).toEqual([0, expect.stringContaining('the safety record is kept')]);
    expect(existsSync(homePaths(home).applicationData)).toBe(false);
    expect(lastVotedRound()).toBe(SIGNED_ROUND);
  });

  it('forgets what was signed only with --force', async () => {
    signedStore().close();
    const { code, stdout } = await althing(['reset', '--home', home, '--force', '--json']);
    expect([code, JSON.parse(stdout)]).toEqual([0, { home, record_version: 0 }]);
    expect(lastVotedRound()).toBe(ROOT_ROUND);
  });

  it('touches nothing while a node has it open: exit 1', async () => {
    const store = signedStore();
    const { code, stderr } = await althing(['reset', '--home', home]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^althing: .*chain\.db/)]);
    expect(existsSync(homePaths(home).applicationData)).toBe(true);
    store.close();
    expect(lastVotedRound()).toBe(SIGNED_ROUND);
  });

  it('deletes nothing of a store that it cannot read: exit 4', async () => {
    signedStore().close();
    writeFileSync(join(homePaths(home).data, 'chain.db'), 'x'.repeat(8_192));
    const { code, stderr } = await althing(['reset', '--home', home]);
    expect([code, stderr]).toEqual([4, expect.stringContaining('file is not a database')]);
    expect(stderr.match(/chain\.db/g), stderr).toHaveLength(1);
    expect(existsSync(join(homePaths(home).data, 'chain.db'))).toBe(true);
    expect(existsSync(homePaths(home).applicationData)).toBe(true);
  });

  it('names a home that is not there: exit 2', async () => {
    const { code, stderr } = await althing(['reset', '--home', join(home, 'nowhere')]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('there is no such directory')]);
  });
});
