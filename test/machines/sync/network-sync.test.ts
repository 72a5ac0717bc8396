import { afterAll, describe, expect, it } from 'vitest';
import { powerOf } from '../../../src/protocol/chain/validator-set.ts';
import type { HeightOutcome } from '../../../src/protocol/ports/sync.ts';
import { SYNC_DEFAULTS } from '../../../src/protocol/sync/config.ts';
import { height, world } from '../../protocol/consensus/fixture.ts';
import { strangeId } from '../../protocol/sync/peer-states.ts';
import { toldTo } from '../reach.ts';
import { began, chainOfEpochs } from './epochs.ts';
import { agreed, CHAIN, checkFailed, FORK, NOT_FOUND, newReach, place, Rig } from './network-rig.ts';

const reach = newReach();
const rigAt = (own: number) => new Rig(reach).begin(own);
const TIER2_SILENCE = 180_000;
const TIER3_SILENCE = 1_800_000;

describe('after a start', () => {
  it('the height comes from the store, and nobody being asked yet is never InSync (SY-2, SY-12)', () => {
    const rig = new Rig(reach);
    expect(rig.state).toBe('starting');
    expect(rig.statuses.map(({ status }) => status.kind)).toEqual(['Unknown']);
    rig.begin(9);
    expect(rig.state).toBe('joining');
    expect(rig.context.ownHeight).toBe(9);
    expect(rig.context.status).toEqual({ kind: 'Unknown', reason: 'joining: no peer has been asked yet' });
    expect(rig.context.consensusHeight).toBeUndefined();
  });

  it('a store that does not answer is asked again; the answer to the first question is late', () => {
    const rig = new Rig(reach);
    const tag = rig.tag('storage');
    rig.send({ type: 'storage.failed', tag, request: 'tip.requested', code: 'BUSY', detail: '' });
    rig.elapse(1_000);
    expect(rig.count('storage')).toBe(2);
    rig.send({
      type: 'tip.found',
      tag,
      base: height(1),
      height: height(9),
      id: strangeId('late'),
      executed: { height: height(0), appHash: place.epoch.set.hash },
    });
    expect(rig.context.ownHeight).toBeUndefined();
    expect(rig.context.counts.late).toBe(2);
    rig.begin(9);
    expect(rig.context.ownHeight).toBe(9);
  });

  it('who asks meanwhile is served when the height is known (seed 001: syncOnJoin)', () => {
    const rig = new Rig(reach);
    rig.request(4, 'coordinator', 'join');
    expect(rig.count('height-sync')).toBe(0);
    rig.begin(9);
    expect(rig.state).toBe('checking');
    expect(rig.context.cause).toBe('join');
    rig.checked(agreed({ own: 9, exact: 9, supported: 9, proved: CHAIN.tip(9) }));
    expect(rig.done).toEqual([{ type: 'sync.done', tag: 4, status: { kind: 'InSync' } }]);
  });

  it('what is committed before the store answers is not lost', () => {
    const rig = new Rig(reach);
    rig.committed(11);
    rig.begin(9);
    expect(rig.context.ownHeight).toBe(11);
  });

  it('a validator that is a quorum alone is in sync (SY-2, solo)', () => {
    const alone = world([7n, 1n, 1n]);
    const self = alone.validators.find(({ power }) => power === 7n)?.address ?? alone.addressAt(0);
    expect(powerOf(alone.epoch.set, self)).toBe(7n);
    const rig = new Rig(reach, { epoch: alone.epoch, self }).begin(9);
    expect(rig.context.status).toEqual({ kind: 'InSync' });
    expect(rig.context.consensusHeight).toBe(9);
  });
});

describe('tier 1', () => {
  it('in sync: proceed, and the listeners are told once (seed 001, flow 1)', () => {
    const rig = rigAt(9).check(agreed({ own: 9, exact: 9, supported: 9, proved: CHAIN.tip(9) }));
    expect(rig.state).toBe('resting');
    expect(rig.count('block-sync')).toBe(0);
    expect(rig.statuses.at(-1)).toEqual({
      type: 'sync.statusChanged',
      status: { kind: 'InSync' },
      forkProved: false,
    });
    const told = rig.statuses.length;
    rig.committed(10);
    rig.committed(11);
    expect(rig.statuses).toHaveLength(told);
    expect(rig.context.consensusHeight).toBe(11);
  });

  it('"No peers" taken for "synced": Unknown with the seed’s error, an alert when it lasts, cleared by the first answer (SY-2)', () => {
    const rig = rigAt(9).check(checkFailed('NoPeersAvailable'));
    expect(rig.done.at(-1)).toEqual({
      type: 'sync.done',
      tag: 1,
      status: { kind: 'Unknown', reason: 'NoPeersAvailable: in the test' },
      error: { code: 'NoPeersAvailable', detail: 'in the test' },
    });
    expect(rig.alerts).toEqual([]);
    rig.now += SYNC_DEFAULTS.checkInterval;
    rig.check(checkFailed('NoPeersAvailable'));
    expect(rig.alerts).toEqual(['NoSyncPeers']);
    expect(rig.context.failures.get('NoPeersAvailable')).toBe(2);
    rig.check(agreed({ own: 9, supported: 9 }));
    expect(rig.alerts).toEqual([]);
    expect(rig.cleared).toEqual(['NoSyncPeers']);
  });

  it('Exact-height 67 % stalling on [1,21,24,24]: the supported height does (SY-1)', () => {
    const rig = rigAt(21).check(agreed({ own: 21, supported: 21 }));
    expect(rig.context.status).toEqual({ kind: 'InSync' });
  });

  it('answers all who asked while it ran with one result, and runs once (Competing loops)', () => {
    const rig = rigAt(9);
    rig.request(1);
    rig.request(2, 'other', 'manual');
    rig.request(3, 'operator', 'manual');
    rig.request(4, 'operator', 'manual');
    rig.checked(agreed({ own: 9, supported: 9 }));
    expect(rig.count('height-sync')).toBe(1);
    expect(rig.done.map(({ tag }) => tag).sort()).toEqual([1, 2, 3, 4]);
    expect(rig.context.askers).toEqual([]);
  });

  it('a cell that asks again is answered once, by its newest question', () => {
    const rig = rigAt(9);
    rig.request(1);
    rig.request(2);
    rig.checked(agreed({ own: 9, supported: 9 }));
    expect(rig.done.map(({ tag }) => tag)).toEqual([2]);
  });

  it('one asker too many is answered at once, and counted', () => {
    const rig = rigAt(9);
    for (let tag = 1; tag <= 17; tag += 1) rig.request(tag, 'operator', 'manual');
    expect(rig.done).toMatchObject([{ tag: 17, error: { code: 'Timeout' } }]);
    expect(rig.context.counts.dropped).toBe(1);
    rig.checked(agreed({ own: 9, supported: 9 }));
    expect(rig.done).toHaveLength(17);
  });

  it('`syncing = true` left behind by an early return: a silent tier 1 ends the sync, and the next one runs', () => {
    const rig = rigAt(9);
    rig.request(1);
    const late = rig.tag('height-sync');
    rig.elapse(SYNC_DEFAULTS.tier1Timeout + 5_000);
    expect(rig.state).toBe('resting');
    expect(rig.done).toMatchObject([{ tag: 1, status: { kind: 'Unknown' }, error: { code: 'Timeout' } }]);
    rig.send({ type: 'heights.checked', tag: late, outcome: agreed({ own: 9, supported: 9 }) });
    expect(rig.context.counts.late).toBe(1);
    rig.check(agreed({ own: 9, supported: 9 }));
    expect(rig.context.status).toEqual({ kind: 'InSync' });
  });

  it('Height in memory out of step with disk: the disk counts, unless blocks were committed meanwhile (SY-12)', () => {
    const rig = rigAt(9);
    rig.committed(10, 11, 12);
    rig.check(agreed({ own: 10, supported: 10 }));
    expect(rig.context.ownHeight).toBe(10);
    rig.check(agreed({ own: 14, supported: 14 }));
    expect(rig.context.ownHeight).toBe(14);
    rig.request();
    rig.committed(15, 16);
    rig.checked(agreed({ own: 14, supported: 14 }));
    expect(rig.context.ownHeight).toBe(16);
  });
});

describe('tier 2', () => {
  it('goes for a proved tip, looks again where it was reached, and rests in sync (seed 001, flow 2)', () => {
    const rig = rigAt(9).check(agreed({ own: 9, supported: 100, proved: CHAIN.tip(120) }));
    expect(rig.state).toEqual({ catchingUp: 'awaiting' });
    expect(rig.context.status).toEqual({ kind: 'LargeGap', gap: 111 });
    expect(rig.asked.get('block-sync')).toMatchObject({ target: { kind: 'proved', tip: CHAIN.tip(120) } });
    rig.now += 500;
    rig.committed(120);
    expect(rig.done).toEqual([]);
    rig.ended(120);
    expect(rig.state).toBe('checking');
    rig.checked(agreed({ own: 120, supported: 120, proved: CHAIN.tip(120) }));
    expect(rig.done).toEqual([{ type: 'sync.done', tag: 1, status: { kind: 'InSync' } }]);
    expect(rig.context.latency.get(2)).toBe(500);
    expect(rig.context.counts).toMatchObject({ checks: 2, catchUps: 1, probes: 0 });
  });

  it('goes for one honest proof though the poll failed (SY-3)', () => {
    const rig = rigAt(9).check({
      ...checkFailed('NoConsensusReached'),
      own: height(9),
      proved: CHAIN.tip(20),
    });
    expect(rig.asked.get('block-sync')).toMatchObject({ target: { tip: { height: 20 } } });
    expect(rig.context.status).toEqual({ kind: 'MediumGap', gap: 11 });
  });

  it('an old proof is no reason to fetch while nobody answers', () => {
    const rig = rigAt(9).check(agreed({ own: 9, supported: 20, proved: CHAIN.tip(20) }));
    rig.ended(NOT_FOUND);
    rig.check(checkFailed('NoPeersAvailable'));
    expect(rig.state).toBe('resting');
    expect(rig.count('block-sync')).toBe(1);
    expect(rig.context.status).toEqual({ kind: 'MediumGap', gap: 11 });
  });

  it('what 67 % report without proof is only probed (SY-3)', () => {
    const rig = rigAt(9).check(agreed({ own: 9, exact: 40, supported: 40 }));
    expect(rig.asked.get('block-sync')).toMatchObject({ target: { kind: 'probe', height: 40 } });
    expect(rig.context.counts).toMatchObject({ catchUps: 0, probes: 1 });
  });

  it('Auto-download on Critical: an unproved gap above tier2_max_gap starts nothing (SY-3, SY-9)', () => {
    const rig = rigAt(9).check(agreed({ own: 9, exact: 5_000, supported: 5_000 }));
    expect(rig.state).toBe('resting');
    expect(rig.count('block-sync') + rig.count('chain-sync')).toBe(0);
    expect(rig.alerts).toEqual(['CriticalSyncRequired']);
    expect(rig.done.at(-1)).toMatchObject({
      status: { kind: 'Critical' },
      error: { code: 'SyncGapTooLarge', gap: 4_991 },
    });
  });

  it('a failure ends the sync with its error (seed 001, flow 2)', () => {
    const rig = rigAt(9).check(agreed({ own: 9, supported: 40, proved: CHAIN.tip(40) }));
    rig.ended(NOT_FOUND);
    expect(rig.state).toBe('resting');
    expect(rig.done.at(-1)).toMatchObject({ status: { kind: 'MediumGap', gap: 31 }, error: NOT_FOUND });
    rig.send({ type: 'catchUp.progressed' });
  });

  it('a stall is another alert, and is seen though tier 2 says nothing at all (SY-11)', () => {
    const rig = rigAt(9).check(agreed({ own: 9, supported: 40, proved: CHAIN.tip(40) }));
    rig.elapse(TIER2_SILENCE);
    expect(rig.state).toBe('resting');
    expect(rig.alerts).toEqual(['SyncStalled']);
    expect(rig.done.at(-1)).toMatchObject({ error: { code: 'Timeout' } });
    rig.ended(40);
    expect(rig.context.counts.late).toBe(1);
  });

  it('a block and a word of progress each begin the wait anew (SY-11)', () => {
    const rig = rigAt(9).check(agreed({ own: 9, supported: 40, proved: CHAIN.tip(40) }));
    const armed = () => rig.chart.effects.filter(({ kind }) => kind === 'startStateTimer').length;
    rig.committed(10);
    expect(armed()).toBe(1);
    rig.send({ type: 'catchUp.progressed' });
    expect(armed()).toBe(1);
  });

  it('an end that is not of the target that is under way is late', () => {
    const rig = rigAt(9).check(agreed({ own: 9, supported: 40, proved: CHAIN.tip(40) }));
    rig.send({ type: 'catchUp.ended', tag: 3, outcome: { status: 'reached', height: height(40) } });
    expect(rig.state).toEqual({ catchingUp: 'awaiting' });
    expect(rig.context.counts.late).toBe(1);
  });
});

it('hears of ids and of the genesis in any state, and counts what nobody waits for', () => {
  const rig = rigAt(9).check(agreed({ own: 9, supported: 9 }));
  rig.hash('agreed');
  rig.hash('agreed');
  rig.send({ type: 'genesis.judged', outcome: { status: 'unanimous', asked: 3, answered: 3 } });
  expect(rig.context.counts.late).toBe(1);
  expect(rig.state).toBe('resting');
});

describe('a proven fork (SY-5)', () => {
  it('is Critical at once, in the middle of a sync too; safety and the alarm get the evidence', () => {
    const rig = rigAt(9);
    rig.request(1);
    rig.checked(agreed({ own: 9, supported: 40, proved: CHAIN.tip(40) }));
    rig.fork();
    expect(rig.state).toBe('critical');
    expect(rig.violations).toEqual([
      {
        type: 'safety.violated',
        detail: expect.stringContaining('Two commit proofs for height 3'),
        evidence: FORK,
      },
    ]);
    expect(toldTo(rig.chart.effects, 'alarm')).toContainEqual(rig.violations[0]);
    expect(rig.done.at(-1)).toMatchObject({
      tag: 1,
      status: { kind: 'Critical' },
      error: { code: 'CriticalSyncRequired' },
    });
    expect(rig.statuses.at(-1)).toMatchObject({ forkProved: true });
    expect(rig.alerts).toEqual(['ForkDetected', 'CriticalSyncRequired']);
  });

  it('is final: no check and no agreement takes it back, and no second one replaces the evidence', () => {
    const rig = rigAt(9);
    rig.fork();
    rig.request(5);
    expect(rig.done.at(-1)).toMatchObject({ tag: 5, error: { code: 'CriticalSyncRequired' } });
    expect(rig.count('height-sync')).toBe(0);
    rig.fork({ kind: 'RoundCertificates', first: CHAIN.tip(1).proof, second: CHAIN.tip(2).proof });
    rig.send({ type: 'safety.violated', detail: 'again' });
    expect(rig.context.fork?.evidence).toBe(FORK);
    expect(rig.violations).toHaveLength(1);
    expect(rig.context.counts.forks).toBe(3);
    rig.committed(12);
    expect(rig.state).toBe('critical');
    expect(rig.context.status.kind).toBe('Critical');
  });

  it('that consensus found is shown, and told to nobody a second time', () => {
    const rig = rigAt(9);
    rig.send({ type: 'safety.violated', detail: 'height 3: two commits' });
    expect(rig.state).toBe('critical');
    expect(rig.context.fork).toEqual({ detail: 'height 3: two commits' });
    expect(rig.violations).toEqual([]);
    const other = rigAt(9);
    other.send({ type: 'safety.violated', detail: 'height 3', evidence: FORK });
    expect(other.context.fork?.evidence).toBe(FORK);
  });

  it('of an earlier life is Critical from the start, and does not end the node again', () => {
    const rig = new Rig(reach, { fork: { detail: 'two commits', evidence: FORK } });
    expect(rig.context.status.kind).toBe('Critical');
    rig.begin(9);
    expect(rig.state).toBe('critical');
    expect(rig.violations).toEqual([]);
    expect(rig.alerts).toEqual(['ForkDetected', 'CriticalSyncRequired']);
    const without = new Rig(reach, { fork: { detail: 'height 3: two commits' } });
    expect(without.context.status).toEqual({
      kind: 'Critical',
      reason: 'Fork detected! height 3: two commits',
    });
  });
});

describe('tier 3', () => {
  it('is begun by the operator only, also out of Critical, and its end is told (SY-9)', () => {
    const rig = rigAt(9);
    rig.fork();
    rig.send({
      type: 'resync.requested',
      replyTo: 'operator',
      tag: 9,
      checkpoint: { height: height(3), id: CHAIN.tip(3).id },
    });
    expect(rig.state).toEqual({ resyncing: 'awaiting' });
    expect(rig.asked.get('chain-sync')).toMatchObject({
      type: 'resync.requested',
      replyTo: 'network-sync',
      checkpoint: { height: 3 },
    });
    rig.now += 60_000;
    rig.resyncEnded(height(200));
    expect(rig.toOperator.at(-1)).toEqual({
      type: 'resync.ended',
      tag: 9,
      outcome: { status: 'ready', height: 200 },
    });
    expect(rig.context.latency.get(3)).toBe(60_000);
    expect(rig.state).toBe('critical');
  });

  it('who else asks is refused, with words (SY-9)', () => {
    const rig = rigAt(9);
    const told = rig.send({ type: 'resync.requested', replyTo: 'node/consensus/round-manager', tag: 2 });
    expect(rig.state).toBe('joining');
    expect(rig.count('chain-sync')).toBe(0);
    expect(toldTo(told, 'node/consensus/round-manager')).toMatchObject([
      {
        type: 'resync.ended',
        tag: 2,
        outcome: { status: 'failed', error: { code: 'CriticalSyncRequired' } },
      },
    ]);
  });

  it('takes the place of a sync that runs; syncs asked for meanwhile are answered at once, a second resync refused', () => {
    const rig = rigAt(9).check(agreed({ own: 9, supported: 40, proved: CHAIN.tip(40) }));
    rig.resync();
    expect(rig.done).toMatchObject([{ tag: 1, status: { kind: 'MediumGap' } }]);
    rig.request(2);
    expect(rig.done.at(-1)).toMatchObject({ tag: 2, error: { detail: 'a full resync is under way' } });
    rig.resync('operator', 10);
    expect(rig.toOperator.at(-1)).toMatchObject({ tag: 10, outcome: { status: 'failed' } });
    expect(rig.count('chain-sync')).toBe(1);
    rig.send({ type: 'resync.ended', tag: 1, outcome: { status: 'ready', height: height(7) } });
    expect(rig.state).toEqual({ resyncing: 'awaiting' });
    rig.send({ type: 'resync.progressed' });
    rig.resyncEnded({ code: 'NoPeersAvailable', detail: 'nobody is trusted' });
    expect(rig.state).toBe('resting');
    expect(rig.context.failures.get('NoPeersAvailable')).toBe(1);
    rig.send({ type: 'resync.progressed' });
    rig.send({ type: 'resync.ended', tag: 1, outcome: { status: 'ready', height: height(7) } });
    expect(rig.context.counts.late).toBe(3);
  });

  it('a fork that is proved meanwhile does not break it off; Critical follows', () => {
    const rig = rigAt(9);
    rig.resync();
    rig.fork();
    rig.send({ type: 'safety.violated', detail: 'the same' });
    expect(rig.state).toEqual({ resyncing: 'awaiting' });
    expect(rig.violations).toHaveLength(1);
    rig.elapse(TIER3_SILENCE);
    expect(rig.toOperator.at(-1)).toMatchObject({
      outcome: { status: 'failed', error: { code: 'Timeout' } },
    });
    expect(rig.state).toBe('critical');
  });

  it('waits until the store was read', () => {
    const rig = new Rig(reach);
    rig.resync();
    expect(rig.chart.effects).toEqual([{ kind: 'postpone' }]);
  });
});

describe('a new home that is to join by a snapshot (SY-10)', () => {
  const joiner = () => new Rig(reach, { joins: true }).begin(0);
  const ahead = agreed({ supported: 40, proved: CHAIN.tip(40) });

  it('orders the join at the first check that proves how far the network is, and tier 2 fetches nothing', () => {
    const rig = joiner().check(ahead);
    expect(rig.state).toEqual({ resyncing: 'awaiting' });
    expect(rig.asked.get('chain-sync')).toMatchObject({ type: 'resync.requested', mode: 'snapshot' });
    expect(rig.count('block-sync')).toBe(0);
    expect(rig.done).toMatchObject([{ tag: 1, status: { kind: 'MediumGap' } }]);
    expect(rig.context.counts).toMatchObject({ joins: 1, resyncs: 0 });
  });

  it('orders it, too, where somebody claims to be in a later epoch: at once where J(W) do, else after three checks (CS-16)', () => {
    const error = { code: 'NoConsensusReached', detail: 'nobody is understood' } as const;
    const failed = { status: 'failed', error, own: height(0), answered: 0, connected: 3 } as const;
    const claimed = { claimedLater: height(5_000) };
    const agreed = joiner().check({ ...failed, ...claimed, later: height(5_000) });
    expect(agreed.asked.get('chain-sync')).toMatchObject({ mode: 'snapshot' });
    const one = joiner().check({ ...failed, ...claimed });
    one.check({ ...failed, ...claimed });
    expect([one.state, one.count('chain-sync')]).toEqual(['resting', 0]);
    one.check({ ...failed, ...claimed });
    expect(one.asked.get('chain-sync')).toMatchObject({ mode: 'snapshot' });
    const near = joiner().check({ ...failed, claimedLater: height(5), later: height(5) });
    expect([near.state, near.count('chain-sync')]).toEqual(['resting', 0]);
  });

  it('that fails falls back to blocks, says so until they are here, and is not tried again', () => {
    const rig = joiner().check(ahead);
    rig.resyncEnded({ code: 'BlockNotFound', detail: 'no peer offers a snapshot' });
    expect(rig.state).toBe('resting');
    expect(rig.asked.get('block-sync')).toEqual({ type: 'joining.settled' });
    expect(rig.context.catchUpError?.detail).toMatch(/the blocks are fetched instead: .*no peer offers/);
    expect(rig.alerts).toContain('GapNotClosed');
    rig.check(ahead);
    expect(rig.state).toEqual({ catchingUp: 'awaiting' });
    expect(rig.count('chain-sync')).toBe(1);
    rig.committed(40);
    rig.ended(40);
    rig.checked(agreed({ own: 40, exact: 40, supported: 40, proved: CHAIN.tip(40) }));
    expect(rig.alerts).toEqual([]);
  });

  it('says so too where the gap is not known any more', () => {
    const rig = joiner().check(ahead);
    rig.resyncEnded({ code: 'BlockNotFound', detail: 'no peer offers a snapshot' });
    rig.check(checkFailed('NoConsensusReached'));
    rig.committed(40);
    expect(rig.context.status.kind).toBe('Unknown');
    expect(rig.alerts).toContain('GapNotClosed');
  });

  it('that says nothing for so long counts as failed', () => {
    const rig = joiner().check(ahead);
    rig.elapse(TIER3_SILENCE);
    expect([rig.state, rig.context.joining]).toEqual(['resting', 'failed']);
    expect(rig.asked.get('block-sync')).toEqual({ type: 'joining.settled' });
  });

  it.each([
    ['the network is not ahead', agreed({ exact: 0, supported: 0 }), 'resting'],
    [
      'it is ahead by a small gap',
      agreed({ supported: 5, proved: CHAIN.tip(5) }),
      { catchingUp: 'awaiting' },
    ],
    ['nothing of it is proved', agreed({ supported: 40 }), { catchingUp: 'awaiting' }],
  ] as const)('is not ordered where %s: block-sync yields no longer', (_, outcome, state) => {
    const rig = joiner();
    rig.request();
    const told = rig.send({ type: 'heights.checked', tag: rig.tag('height-sync'), outcome });
    expect(toldTo(told, 'block-sync')[0]).toEqual({ type: 'joining.settled' });
    expect([rig.state, rig.count('chain-sync')]).toEqual([state, 0]);
  });

  it('is neither ordered nor given up by one voice, early or lying: it waits for an agreement', () => {
    for (const lone of [3, 40]) {
      const rig = joiner();
      const alone = { ...checkFailed('NoConsensusReached'), own: height(0), answered: 1, connected: 1 };
      rig.check({ ...alone, proved: CHAIN.tip(lone) });
      expect([rig.state, rig.context.joining, rig.count('block-sync')]).toEqual(['resting', 'undecided', 0]);
      rig.check(agreed({ exact: 200, supported: 200, proved: CHAIN.tip(200) }));
      expect([rig.state, rig.count('chain-sync')]).toEqual([{ resyncing: 'awaiting' }, 1]);
    }
  });

  it.each([
    [40, { resyncing: 'awaiting' }, 1],
    [3, { catchingUp: 'awaiting' }, 0],
  ] as const)(
    'is decided by what is proved where three checks found no agreement: height %i',
    (at, state, joins) => {
      const rig = joiner();
      const lone: HeightOutcome = { ...checkFailed('NoConsensusReached'), proved: CHAIN.tip(at) };
      rig.check(lone).check(lone);
      expect([rig.state, rig.count('block-sync')]).toEqual(['resting', 0]);
      rig.check(lone);
      expect([rig.state, rig.count('chain-sync')]).toEqual([state, joins]);
    },
  );

  it('is not ordered over a chain, whatever the input said as it was read (SY-9)', () => {
    const rig = new Rig(reach, { joins: true })
      .begin(9)
      .check(agreed({ own: 9, supported: 40, proved: CHAIN.tip(40) }));
    expect([rig.state, rig.count('chain-sync')]).toEqual([{ catchingUp: 'awaiting' }, 0]);
    const alone = new Rig(reach, { joins: true }).begin(9).check(checkFailed('NoPeersAvailable'));
    expect(alone.asked.get('block-sync')).toEqual({ type: 'joining.settled' });
  });

  it('waits for somebody to be heard, three checks long', () => {
    const rig = joiner();
    for (const checks of [1, 2]) {
      rig.check(checkFailed('NoPeersAvailable'));
      expect([rig.state, rig.context.counts.checks, rig.count('block-sync')]).toEqual(['resting', checks, 0]);
    }
    rig.check(checkFailed('NoPeersAvailable'));
    expect(rig.asked.get('block-sync')).toEqual({ type: 'joining.settled' });
    rig.check(ahead);
    expect(rig.count('chain-sync')).toBe(0);
  });

  it('is never ordered where the configuration does not say so, nor by the operator', () => {
    const rig = rigAt(0).check(ahead);
    expect([rig.state, rig.count('chain-sync')]).toEqual([{ catchingUp: 'awaiting' }, 0]);
    rig.send({ type: 'resync.requested', replyTo: 'operator', tag: 9, mode: 'snapshot' });
    expect(rig.asked.get('chain-sync')).not.toHaveProperty('mode');
  });
});

it('a listener that starts later asks for the status', () => {
  const rig = rigAt(9);
  const told = rig.send({ type: 'sync.statusRequested', replyTo: 'round-manager' });
  expect(toldTo(told, 'round-manager')).toEqual([rig.context.told]);
});

it('whoever asks for the status is told the next ones too, once each, however often it asked', () => {
  const rig = rigAt(9);
  for (let time = 0; time < 3; time += 1) rig.send({ type: 'sync.statusRequested', replyTo: 'follower' });
  rig.check(agreed({ own: 9, exact: 9, supported: 9, proved: CHAIN.tip(9) }));
  expect(rig.toFollower.map(({ status }) => status.kind)).toEqual([
    'Unknown',
    'Unknown',
    'Unknown',
    'InSync',
  ]);
});

it('of those who ask the ninth puts out the one that asked longest ago', () => {
  const rig = rigAt(9);
  for (const who of ['bridge', 'bridge', ...Array.from({ length: 8 }, (_, index) => `cell ${index}`)])
    rig.send({ type: 'sync.statusRequested', replyTo: who });
  rig.send({ type: 'sync.statusRequested', replyTo: 'cell 0' });
  expect(rig.context.followers).toEqual([1, 2, 3, 4, 5, 6, 7, 0].map((index) => `cell ${index}`));
});

afterAll(() => {
  expect(reach.missing(), 'states and transitions that no test of this file reached').toEqual([]);
});

describe('over epochs (CS-16)', () => {
  const epochs = chainOfEpochs(place, 1, 3);
  const failed = {
    status: 'failed',
    error: { code: 'Timeout', detail: 'nobody is understood' },
    ...{ own: height(3), answered: 0, connected: 3 },
  } as const;

  it('is behind where J(W) proves later epochs, however far: no target, nothing critical, and never in sync', () => {
    const rig = new Rig(reach).begin(3).check({ ...failed, later: height(5_000) });
    expect(rig.context.status).toEqual({ kind: 'LargeGap', gap: 4_997 });
    expect(rig.count('block-sync')).toBe(0);
    rig.check({ ...failed });
    expect(rig.context.status.kind).toBe('Unknown');
  });

  it('forgets what was proved by an epoch that has ended: it may have been discarded', () => {
    const rig = new Rig(reach).begin(3);
    rig.check({ ...failed, proved: CHAIN.tip(9) });
    expect(rig.context.proved?.height).toBe(9);
    rig.send(began(epochs, 1));
    expect(rig.context.proved).toBeUndefined();
    rig.ended({ code: 'BlockNotFound', detail: 'gone' });
    rig.check({ ...failed, proved: CHAIN.tip(9) });
    expect(rig.context.proved, 'what was asked for before').toBeUndefined();
    expect(rig.send(began(epochs, 1))).toEqual([]);
  });
});
