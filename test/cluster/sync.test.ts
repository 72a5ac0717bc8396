/**
 * Validators that are behind, as processes: how far they say they are, how they come level, whom they blame; a full re-sync
 * and its rollback; a fork that was proved; a disk that fills. Rules SY-1 to SY-12, docs/protocol/sync.md.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { wallTime } from '../../src/base/units.ts';
import { SYNC } from '../../src/cli/shapes.ts';
import { homePaths } from '../../src/node/config/home.ts';
import { keepForkEvidence } from '../../src/storage/fork-evidence.ts';
import { althing, althingUntil, eventually } from './support/local-network.ts';
import { newestSafetyRecord } from './support/safety-record.ts';
import { HOLDERS, JOINER, SyncNetwork, type SyncView } from './support/sync-network.ts';

const BLOCKS = 1_500;
const LADDER = [
  { behind: 3, kind: 'SmallGap', words: '⚠️ Small Gap' },
  { behind: 50, kind: 'MediumGap', words: '🟠 Medium Gap' },
  { behind: 500, kind: 'LargeGap', words: '🔴 Large Gap' },
  { behind: BLOCKS, kind: 'LargeGap', words: '🔴 Large Gap' },
] as const;

let network: SyncNetwork;

beforeAll(async () => {
  network = await SyncNetwork.create({
    blocks: BLOCKS,
    starts: LADDER.map(({ behind }) => BLOCKS - behind),
  });
}, 120_000);
afterAll(() => network?.remove());
afterEach(() => network.end());

/** What `althing sync --json` says of the joiner. */
async function told(): Promise<SyncView> {
  const { code, stdout, stderr } = await althing('sync', '--json', '--home', network.homeOf(JOINER));
  expect([code, stderr]).toEqual([0, '']);
  return SYNC.parse(JSON.parse(stdout));
}

/** Of the joiner, which does not run. */
const lastVotedRound = (): number => newestSafetyRecord(network.homeOf(JOINER))?.record.lastVotedRound ?? -1;

const heightOf = ({ height }: SyncView): number => Number(height);

/** The joiner has committed at least this. */
const reaches = (height: number): Promise<SyncView> =>
  network.seen(`the joiner is at ${height}`, JOINER, (view) => heightOf(view) >= height);

describe('a validator that is behind', () => {
  it.each(LADDER)(
    'by $behind blocks: says $kind while nobody gives them, then is level, executed too (SY-3, SY-7, SY-8)',
    async ({ behind, kind, words }) => {
      const own = BLOCKS - behind;
      network.begin(own);
      network.start(JOINER);
      await network.seen('the joiner answers', JOINER, () => true);
      // The only peer proves how far the others are, and gives nothing.
      await network.playBad(3, 'stalls');
      const fetching = await network.seen('it fetches', JOINER, ({ progress }) => progress !== null);
      // A small gap is closed within tier 1.
      expect(fetching.activity).toBe(kind === 'SmallGap' ? 'checking' : 'catchingUp');
      expect(fetching.progress).toMatchObject({ tier: 2, from: `${own}`, at: `${own}`, to: `${BLOCKS}` });
      await network.seen('the check ends', JOINER, ({ status }) => status.kind !== 'Unknown');
      const before = await told();
      expect(before.status).toEqual({ kind, gap: behind, reason: null });
      expect(before.health).toBe(`${words}: Height ${own} (consensus: ${BLOCKS}, gap: ${behind})`);

      network.start(0, 1, 2);
      await reaches(BLOCKS);
      // Of five a quorum is four: without the joiner nothing goes on.
      expect(await network.appHashes([0, 1, 2, JOINER], BLOCKS + 3)).toHaveLength(1);
      const end = await network.seen('in sync', JOINER, ({ status }) => status.kind === 'InSync');
      expect(end.health).toMatch(/^✅ In Sync: Height \d+ \(consensus: \d+\)$/);
      expect(end.counts.blocks_fetched).toBeGreaterThanOrEqual(behind);
    },
  );

  it('with a liar and a staller among four holders: arrives, and the liar is blamed (SY-3, SY-6, SY-8)', async () => {
    network.begin(0);
    network.start(JOINER);
    await network.seen('the joiner answers', JOINER, () => true);
    const liar = await network.playBad(2, 'lies');
    await network.playBad(3, 'stalls');
    const caught = await network.seen('a lie is refused', JOINER, ({ counts }) => counts.blocks_rejected > 0);
    expect(heightOf(caught)).toBeLessThan(BLOCKS);
    expect(caught.status.kind).not.toBe('InSync');
    network.start(0, 1);
    // Three of five: the chain stands still, so that all have the same newest block.
    await reaches(BLOCKS);
    expect(await network.appHashes([0, 1, JOINER], BLOCKS)).toHaveLength(1);
    expect(liar.asked.get('GetBlocks')).toBeGreaterThan(0);
    await network.seen('in sync', JOINER, ({ status }) => status.kind === 'InSync');
    await network.stop(JOINER);
    const [liarsScore = 1, ...others] = network.reputations([2, 0, 1, 3]).map(({ score }) => score);
    expect(liarsScore).toBeLessThan(0.5);
    expect(Math.min(...others)).toBeGreaterThan(liarsScore);
  });

  it('whose disk fills on the way: ends with code 1 and what to do, and goes on from there (SY-12)', async () => {
    network.begin(0);
    network.fileBlocksMax = 2_100;
    network.start(JOINER, 0, 1);
    const end = await eventually('it ends', 60_000, () => network.ends.find(({ code }) => code === 1));
    const last = end.stderr.trim().split('\n').at(-1);
    expect(last).toMatch(/^althing: the node failed: .*check that disk, then start the node again/);
    network.fileBlocksMax = undefined;
    network.start(JOINER);
    await reaches(BLOCKS);
    expect(await network.appHashes([0, 1, JOINER], BLOCKS)).toHaveLength(1);
  });
});

describe('althing resync', () => {
  const rpc = (): string => `http://${network.validators.network.rpcOf(JOINER)}`;
  const home = (): string => network.homeOf(JOINER);
  const backups = (): readonly string[] =>
    network.folders().filter((name) => name.startsWith('data-backup-'));
  /** 3.6 s. */
  const brief = { ALTHING_SYNC__TIER3_TRUST_HOURS: '0.001' };
  const TRUSTED_AFTER_MS = 4_000;

  it('is refused without the token (2), and with peers that are not trusted yet, naming them (SY-9)', async () => {
    network.begin(BLOCKS);
    network.start(0, JOINER);
    await network.seen('a peer is there', JOINER, ({ peers }) => peers.length > 0);
    const stranger = await althing('resync', '--yes', '--rpc', rpc());
    expect([stranger.code, stranger.stderr]).toEqual([
      2,
      expect.stringContaining('resync is an operator command: give --home DIR'),
    ]);
    const early = await althing('resync', '--yes', '--home', home());
    expect(early.code).toBe(1);
    expect(early.stderr).toMatch(
      /no peer has been consistent for 5 h 0 min: [0-9a-f]{40} 0 h \d min; wait, or lower tier3_trust_hours in sync\.toml/,
    );
    expect(early.stderr).toMatch(/the old chain is as it was/);
    expect(network.folders().filter((name) => name.startsWith('data-'))).toEqual([]);
  });

  it('survives kill -9 in the download, swaps the new chain in, goes on, and is rolled back (SY-9, SY-12)', async () => {
    network.begin(BLOCKS);
    network.env = brief;
    network.start(0, 1, 2, JOINER);
    const { height: first } = await reaches(BLOCKS + 1);
    await sleep(TRUSTED_AFTER_MS);

    const watching = new AbortController();
    const cut = althingUntil(watching.signal, 'resync', '--yes', '--home', home());
    await eventually(
      'the download begins',
      60_000,
      () => network.folders().includes('data-resync') || undefined,
    );
    await network.stop(JOINER);
    watching.abort();
    await cut;
    const killed = lastVotedRound();
    network.start(JOINER);
    await reaches(Number(first) + 1);
    expect(network.folders().filter((name) => name.startsWith('data-'))).toEqual([]);

    await sleep(TRUSTED_AFTER_MS);
    const ids = await Promise.all([1, BLOCKS].map((height) => network.blockId(JOINER, height)));
    const pid = network.validators.pid(JOINER);
    const before = heightOf(await reaches(0));
    const done = await althing('resync', '--yes', '--home', home());
    expect([done.code, done.stdout]).toEqual([
      0,
      expect.stringContaining('the new chain is whole at height'),
    ]);
    const [backup, ...others] = await eventually('the old chain is kept', 30_000, () =>
      backups().length > 0 ? backups() : undefined,
    );
    expect([typeof backup, others]).toEqual(['string', []]);
    await reaches(before + 3);
    expect([network.validators.pid(JOINER), network.validators.runs(JOINER)]).toEqual([pid, true]);
    expect(await Promise.all([1, BLOCKS].map((height) => network.blockId(JOINER, height)))).toEqual(ids);
    expect(await network.appHashes([0, JOINER], before + 3)).toHaveLength(1);

    const running = await althing('resync', '--rollback', '--yes', '--home', home());
    expect([running.code, running.stderr]).toEqual([
      1,
      expect.stringContaining('has it open; stop that node first'),
    ]);
    const top = heightOf(await reaches(0));
    await network.stop(JOINER);
    const swapped = lastVotedRound();
    const back = await althing('resync', '--rollback', '--yes', '--home', home());
    expect([back.code, backups()]).toEqual([0, []]);
    const restored = lastVotedRound();
    network.start(JOINER);
    // A quorum needs its votes.
    await reaches(top + 3);
    expect(await network.appHashes([0, JOINER], top + 3)).toHaveLength(1);
    await network.stop(JOINER);
    const last = lastVotedRound();
    expect([killed > 0, swapped > killed, restored, last > restored]).toEqual([true, true, swapped, true]);
  });
});

describe('a home with the evidence of a fork', () => {
  it('starts, says Critical, signs nothing, and signs again after resync --settle-fork (SY-5)', async () => {
    const home = network.homeOf(JOINER);
    network.begin(BLOCKS);
    network.start(...HOLDERS, JOINER);
    const { height: first } = await reaches(BLOCKS + 2);
    await network.stop(JOINER);
    const voted = lastVotedRound();
    expect(voted).toBeGreaterThan(BLOCKS);
    keepForkEvidence(homePaths(home), { detail: 'two proofs for height 7', at: wallTime(Date.now()) });

    network.start(JOINER);
    await reaches(Number(first) + 5);
    const { status, health, alerts } = await told();
    expect(status).toMatchObject({ kind: 'Critical', reason: 'Fork detected! two proofs for height 7' });
    expect(health).toBe('🚨 Critical: Fork detected! two proofs for height 7');
    expect(alerts.map(({ alert }) => alert)).toContain('ForkDetected');
    const shown = await althing('status', '--home', home);
    expect(shown.stdout).toMatch(/in sync +no\n/);
    expect(shown.stdout).toContain('🚨 Critical: Fork detected! two proofs for height 7');
    const early = await althing('resync', '--settle-fork', '--yes', '--home', home);
    expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('stop it first')]);
    await network.stop(JOINER);
    expect(lastVotedRound()).toBe(voted);

    const settled = await althing('resync', '--settle-fork', '--yes', '--home', home);
    expect([settled.code, settled.stdout]).toEqual([
      0,
      expect.stringContaining('this validator signs again'),
    ]);
    // From here on a quorum needs it.
    await network.stop(3);
    const top = (await network.validators.network.height(0)) ?? Number.NaN;
    network.start(JOINER);
    await reaches(top + 3);
    expect((await told()).status.kind).not.toBe('Critical');
    await network.stop(JOINER);
    expect(lastVotedRound()).toBeGreaterThan(voted);
  });
});
