import { describe, expect, it } from 'vitest';
import { millis, monotonic, wallTime } from '../../src/base/units.ts';
import { initialNetworkSync, type NetworkSyncContext } from '../../src/machines/sync/network-sync.setup.ts';
import { type SyncCells, syncReport } from '../../src/node/sync-report.ts';
import { SYNC_DEFAULTS } from '../../src/protocol/sync/config.ts';
import type { PeerState, SyncProgress } from '../../src/protocol/sync/types.ts';
import { chainOf, height, world } from '../protocol/consensus/fixture.ts';

const place = world([1n, 1n, 1n, 1n]);
const [self, other, third] = place.validators.map(({ address }) => address);
const tip = chainOf(place, [1, 2, 3]).qcs[2];
if (self === undefined || other === undefined || third === undefined || tip === undefined)
  throw new Error('a world has them');

const NOW = monotonic(100_000);
const WALL = wallTime(20 * 3_600_000);

const network = (facts: Partial<NetworkSyncContext>, state = 'resting'): SyncCells['network'] => ({
  state,
  context: {
    ...initialNetworkSync(
      {
        epoch: place.epoch,
        self,
        config: SYNC_DEFAULTS,
        storage: 'storage',
        heightSync: 'height-sync',
        blockSync: 'block-sync',
        chainSync: 'chain-sync',
        stateSync: 'state-sync',
        roundManager: 'round-manager',
        safety: 'safety',
        alarm: 'alarm',
        operator: 'rpc',
        listeners: [],
      },
      monotonic(0),
    ),
    ...facts,
  },
});

const report = (cells: Partial<SyncCells>, resynced?: Parameters<typeof syncReport>[1]['resynced']) =>
  syncReport(
    { network: undefined, peers: [], blocks: undefined, ...cells },
    {
      now: NOW,
      wall: WALL,
      committed: height(7),
      trustTime: SYNC_DEFAULTS.tier3TrustTime,
      names: new Map([[other, 'ada']]),
      resynced,
    },
  );

const progress = (facts: Partial<SyncProgress> = {}): SyncProgress => ({
  tier: 2,
  from: height(10),
  at: height(20),
  to: height(30),
  blocksPerSecond: 100,
  remainingMs: millis(100),
  peers: [other],
  startedAt: monotonic(99_000),
  ...facts,
});

const peer = (facts: Partial<PeerState> = {}): PeerState => ({
  peer: other,
  power: 1n,
  failures: 0,
  reputation: { peer: other, score: 0.9, at: WALL, consistentSince: wallTime(WALL - 5 * 3_600_000) },
  ...facts,
});

describe('the report on sync', () => {
  it('is Unknown while the cells are down, at the height of the disk: never InSync (SY-2)', () => {
    expect(report({})).toMatchObject({
      activity: 'starting',
      status: { kind: 'Unknown' },
      height: 7,
      consensusHeight: undefined,
      progress: undefined,
      peers: [],
      alerts: [],
      lastCheckAge: undefined,
      durations: { 1: undefined, 2: undefined, 3: undefined },
      counts: { checks: 0, forks: 0, blocksFetched: 0, bytesFetched: 0 },
    });
    expect(report({}).health).toMatch(/^❔ Unknown: Height 7 \(consensus: -\)/);
  });

  it('has the facts of network-sync, with the health line of its status', () => {
    const facts = {
      status: { kind: 'SmallGap', gap: 3 },
      ownHeight: height(12),
      consensusHeight: height(15),
      supported: height(15),
      exact: height(14),
      lastCheckAt: monotonic(98_500),
      latency: new Map([[1, millis(40)] as const, [3, millis(9)] as const]),
      error: { code: 'Timeout', detail: 'x' },
      failures: new Map([['Timeout', 2] as const]),
      alertCounts: new Map([['NoSyncPeers', 1] as const]),
      alerts: new Map([
        ['NoSyncPeers', { detail: 'nobody', since: monotonic(90_000) }] as const,
        ['ForkDetected', { detail: 'two', since: monotonic(99_999) }] as const,
      ]),
    } as const;
    const found = report({ network: network(facts) });
    expect(found).toMatchObject({
      activity: 'resting',
      status: { kind: 'SmallGap', gap: 3 },
      health: '⚠️ Small Gap: Height 12 (consensus: 15, gap: 3)',
      height: 12,
      consensusHeight: 15,
      proved: undefined,
      supported: 15,
      exact: 14,
      lastCheckAge: 1_500,
      lastError: { code: 'Timeout' },
      durations: { 1: 40, 2: undefined, 3: 9 },
    });
    // The gravest first, each with what to do.
    expect(found.alerts).toEqual([
      { alert: 'ForkDetected', detail: 'two', age: 1, remedy: expect.stringContaining('evidence') },
      { alert: 'NoSyncPeers', detail: 'nobody', age: 10_000, remedy: expect.stringContaining('network') },
    ]);
    expect([found.errorCounts.get('Timeout'), found.alertCounts.get('NoSyncPeers')]).toEqual([2, 1]);
  });

  it('has the proved height apart from what is said (SY-3)', () => {
    const proved = { height: height(2), id: tip.blockId, proof: tip };
    expect(report({ network: network({ proved, supported: height(9) }) })).toMatchObject({
      proved: 2,
      supported: 9,
    });
  });

  it('says what sync is doing by the state of its chart, and that consensus has blocks fetched meanwhile (CS-12)', () => {
    const doing = (state: string, facts: Partial<NetworkSyncContext> = {}) =>
      report({ network: network(facts, state) }).activity;
    expect(['starting', 'joining', 'checking', 'critical'].map((state) => doing(state))).toEqual([
      'starting',
      'joining',
      'checking',
      'critical',
    ]);
    expect(doing('weighing')).toBe('checking');
    expect(doing('resting', { progress: progress() })).toBe('catchingUp');
    expect(doing('resyncing', { progress: progress({ tier: 3 }) })).toBe('resyncing');
    expect(doing('critical', { progress: progress() })).toBe('critical');
  });

  it('has a progress that is never below its begin, above its end, or negative (SY-11)', () => {
    const shown = (facts: Partial<SyncProgress>) =>
      report({ network: network({ progress: progress(facts) }) }).progress;
    expect(shown({})).toEqual({
      tier: 2,
      from: 10,
      at: 20,
      to: 30,
      blocksPerSecond: 100,
      remaining: 100,
      elapsed: 1_000,
      peers: [other],
    });
    expect(shown({ at: height(31) })).toMatchObject({ at: 30, to: 30 });
    expect(shown({ at: height(9) })).toMatchObject({ at: 10 });
    expect(shown({ to: height(5), at: height(7) })).toMatchObject({ from: 10, at: 10, to: 10 });
    expect(shown({ blocksPerSecond: -1, startedAt: monotonic(100_001) })).toMatchObject({
      blocksPerSecond: 0,
      elapsed: 0,
    });
  });

  it('a resync runs by the state of the chart, and ends as its asker was told: no flag can be left behind', () => {
    const ready = { status: 'ready', height: height(9) } as const;
    expect(report({ network: network({}, 'resyncing') }, ready).resync).toEqual({ status: 'running' });
    expect(report({ network: network({}) }, ready).resync).toEqual(ready);
    expect(report({ network: network({}) }).resync).toBeUndefined();
  });

  it('has each peer with claim, age, uptime and trust (SY-9)', () => {
    const claim = { base: height(1), height: height(9), tipId: tip.blockId } as const;
    const { peers } = report({
      peers: [
        peer({ claim: { ...claim, status: 'proved' }, answeredAt: monotonic(99_000), latencyMs: millis(2) }),
        peer({
          peer: third,
          power: 0n,
          claim: { ...claim, status: 'unproved' },
          failures: 4,
          reputation: {
            ...peer().reputation,
            consistentSince: wallTime(WALL - 5 * 3_600_000 + 1),
            removedUntil: wallTime(WALL + 250),
          },
        }),
      ],
    });
    expect(peers).toMatchObject([
      {
        id: other,
        name: 'ada',
        claim: { base: 1, height: 9, isProved: true },
        claimAge: 1_000,
        latency: 2,
        score: 0.9,
        consistentUptime: 5 * 3_600_000,
        isTrusted: true,
        removedFor: undefined,
      },
      {
        id: third,
        name: '',
        power: 0n,
        claim: { isProved: false },
        failures: 4,
        isTrusted: false,
        removedFor: 250,
      },
    ]);
    const [silent] = report({ peers: [peer()] }).peers;
    expect([silent?.claim, silent?.claimAge, silent?.latency]).toEqual([undefined, undefined, undefined]);
  });

  it('trusts nobody who was caught in a contradiction, and shows a score that fades as time passes (SY-6)', () => {
    const { reputation } = peer();
    const [liar, quiet] = report({
      peers: [
        peer({ reputation: { ...reputation, score: 0, removedUntil: wallTime(WALL + 1) } }),
        peer({ reputation: { ...reputation, score: 1, at: wallTime(WALL - 1_800_000) } }),
      ],
    }).peers;
    expect(liar?.isTrusted).toBe(false);
    expect(quiet?.score).toBeCloseTo(0.75, 9);
  });

  it('has the counts of network-sync and block-sync (SY-13)', () => {
    const counts = { checks: 1, forks: 2, catchUps: 3, probes: 9, resyncs: 4, joins: 9, dropped: 9, late: 9 };
    const fetched = {
      blocksFetched: 5,
      blocksRejected: 6,
      batchesRetried: 7,
      bytesFetched: 8,
      answersUnused: 9,
    };
    const lastApplied = {
      height: height(1),
      blocks: 2,
      askedToAnswered: millis(3),
      answeredToApplied: millis(4),
    };
    const found = report({ network: network({ counts }), blocks: { counts: fetched, lastApplied } });
    expect([found.counts, found.validation]).toEqual([
      {
        checks: 1,
        forks: 2,
        catchUps: 3,
        resyncs: 4,
        blocksFetched: 5,
        blocksRejected: 6,
        batchesRetried: 7,
        bytesFetched: 8,
      },
      4,
    ]);
  });
});
