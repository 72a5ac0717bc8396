/**
 * Two certificates of one round, truly signed: a running validator keeps the proof before it ends, and where no folder takes it
 * it stays up, signs nothing, and says so. Rule SY-5, docs/protocol/sync.md.
 */
import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { signerBitmap } from '../../src/crypto/signer-bitmap.ts';
import { homePaths } from '../../src/node/config/home.ts';
import { digestOf, voteStatementBytes } from '../../src/protocol/chain/canonical.ts';
import { parseBlockId, parseHeight, parseRound } from '../../src/protocol/chain/parse.ts';
import type { QuorumCertificate } from '../../src/protocol/chain/types.ts';
import { readForkEvidence } from '../../src/storage/fork-evidence.ts';
import { nodeIdentity } from '../../src/transport/identity.ts';
import { Attacker } from './support/attacker.ts';
import { readKeys } from './support/chain.ts';
import { althing, eventually } from './support/local-network.ts';
import { newestSafetyRecord } from './support/safety-record.ts';
import { HOLDERS, JOINER, SyncNetwork } from './support/sync-network.ts';

const BLOCKS = 20;

let network: SyncNetwork;
beforeAll(async () => {
  network = await SyncNetwork.create({ blocks: BLOCKS, starts: [BLOCKS] });
}, 120_000);
afterAll(() => network?.remove());
afterEach(() => network.end());

function known<Value>(value: Value | 'malformed'): Value {
  if (value === 'malformed') throw new Error('malformed');
  return value;
}
const anId = (name: string) => known(parseBlockId(digestOf(utf8(name))));

/** Four of five have signed each of them. */
function rivals({ epoch, bls }: Attacker): readonly QuorumCertificate[] {
  const keys = HOLDERS.map((index) => readKeys(network.homeOf(index), bls));
  const indices = keys.map(
    ({ nodeSecret }) => epoch.set.indexByAddress.get(nodeIdentity(nodeSecret).id) ?? 0,
  );
  const signers = signerBitmap(epoch.set.validators.length, indices);
  return ['one', 'another'].map((name) => {
    const statement = {
      epoch: epoch.epoch,
      round: known(parseRound(BLOCKS + 50)),
      height: known(parseHeight(BLOCKS + 2)),
      blockId: anId(name),
      parentId: anId('parent'),
      parentRound: known(parseRound(BLOCKS + 49)),
    };
    const message = voteStatementBytes(epoch.domain, statement);
    const signatures = keys.flatMap(({ consensusSecret }) => bls.sign(consensusSecret, message) ?? []);
    const signature = bls.aggregateSignatures(signatures);
    if (signature === undefined) throw new Error('no signature');
    return { ...statement, signers, signature };
  });
}

/** The joiner alone is told both. */
async function proveFork(): Promise<void> {
  network.start(JOINER);
  await network.seen('the joiner answers', JOINER, () => true);
  const attacker = await Attacker.create(network.validators, 3);
  const line = await attacker.connect(JOINER);
  for (const qc of rivals(attacker)) line.say({ kind: 'QC', qc });
}

const places = () => homePaths(network.homeOf(JOINER));
const lastVersion = (): number => newestSafetyRecord(network.homeOf(JOINER))?.version ?? 0;

describe('a fork that is proved to a running validator (SY-5)', () => {
  it('ends it with exit code 5, the proof on the disk; the next start signs nothing', async () => {
    network.begin(BLOCKS);
    await proveFork();
    const end = await eventually('it ends', 30_000, () => network.ends.find(({ code }) => code === 5));
    expect(end.stderr).toMatch(/SAFETY VIOLATION, this validator has stopped voting for good/);
    expect(readForkEvidence(places())).toMatchObject({
      status: 'kept',
      evidence: { kind: 'RoundCertificates', first: { round: BLOCKS + 50 }, second: { round: BLOCKS + 50 } },
    });
    const version = lastVersion();
    network.start(...HOLDERS, JOINER);
    await network.seen('Critical', JOINER, ({ status }) => status.kind === 'Critical');
    await network.seen('it follows', JOINER, ({ height }) => Number(height) > BLOCKS + 3);
    await network.stop(JOINER);
    expect(lastVersion()).toBe(version);
  });

  it('whose proof no folder takes: stays up and Critical, catching up for its readers, and ends when there is room', async () => {
    network.begin(BLOCKS);
    network.ends.length = 0;
    const { home, keys } = places();
    const blocks = [home, keys].map((dir) => join(dir, 'fork-evidence.json.new'));
    for (const path of blocks) mkdirSync(path);
    await proveFork();
    const { health } = await network.seen('Critical', JOINER, ({ status }) => status.kind === 'Critical');
    expect(health).toContain('🚨 Critical: Fork detected!');
    expect(network.validators.wordsOf(JOINER)).toMatch(
      /could not be kept in .*EISDIR.*signs nothing and stays up/,
    );
    expect(await network.validators.network.call(JOINER, 'status')).toMatchObject({
      sync_info: { catching_up: true },
    });
    const version = lastVersion();
    for (const path of blocks) rmdirSync(path);
    const end = await eventually('it ends', 30_000, () => network.ends.find(({ code }) => code === 5));
    expect(end.stderr).toContain('SAFETY VIOLATION');
    expect(readForkEvidence(places())).toMatchObject({ status: 'kept' });
    expect(lastVersion()).toBe(version);
  });

  it('and whose operator stops it before there is room: exit code 5, and what must not be done', async () => {
    network.begin(BLOCKS);
    network.ends.length = 0;
    const { home, keys } = places();
    for (const dir of [home, keys]) mkdirSync(join(dir, 'fork-evidence.json.new'));
    await proveFork();
    await network.seen('Critical', JOINER, ({ status }) => status.kind === 'Critical');
    process.kill(network.validators.pid(JOINER) ?? 0, 'SIGTERM');
    const end = await eventually('it ends', 30_000, () => network.ends[0]);
    expect([end.code, end.stderr]).toEqual([
      5,
      expect.stringMatching(/no disk takes the evidence .*do not start this validator again/),
    ]);
    expect(existsSync(join(home, 'fork-evidence.json'))).toBe(false);
    expect((await althing('resync', '--settle-fork', '--yes', '--home', home)).code).toBe(2);
  });
});
