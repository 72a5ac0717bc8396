import { afterAll, describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import { syncCoordinatorMachine } from '../../../src/machines/sync/sync-coordinator.machine.ts';
import type { GenesisOutcome, SyncDone } from '../../../src/protocol/ports/sync.ts';
import { SYNC_DEFAULTS } from '../../../src/protocol/sync/config.ts';
import type { SyncStatus } from '../../../src/protocol/sync/types.ts';
import { world } from '../../protocol/consensus/fixture.ts';
import { type Reach, reachOf, toldTo } from '../reach.ts';
import { began, chainOfEpochs } from './epochs.ts';

const place = world();
const STRANGER = world([1n, 1n, 1n, 1n], 'another').addressAt(0);
type CoordinatorReach = Reach<typeof syncCoordinatorMachine>;
type Chart = ReturnType<CoordinatorReach['start']>;
const reach: CoordinatorReach = reachOf(syncCoordinatorMachine, 'coordinator');

const JOIN_DELAY = 500;
const SYNC_SILENCE = 600_000;
const IN_SYNC: SyncStatus = { kind: 'InSync' };
const UNKNOWN: SyncStatus = { kind: 'Unknown', reason: 'NoConsensusReached' };
const UNANIMOUS: GenesisOutcome = { status: 'unanimous', asked: 3, answered: 3 };
const NO_PEERS: GenesisOutcome = {
  status: 'unanswered',
  error: { code: 'NoPeersAvailable', detail: 'nobody' },
};
const SPLIT: GenesisOutcome = {
  status: 'split',
  genesisHash: place.epoch.set.hash,
  peers: [place.addressAt(1), place.addressAt(2)],
};

type Told = { readonly type: string };
const isDone = (message: Told): message is SyncDone => message.type === 'sync.done';
const tagOf = (message: Told | undefined): number =>
  message !== undefined && 'tag' in message && typeof message.tag === 'number' ? message.tag : -1;

class Rig {
  readonly chart: Chart;
  now = 0;
  readonly toStateSync: Told[] = [];
  readonly toNetworkSync: Told[] = [];
  readonly done: SyncDone[] = [];

  constructor(self = place.addressAt(0)) {
    const cells = { stateSync: 'state-sync', networkSync: 'network-sync', roundManager: 'round-manager' };
    const input = { config: SYNC_DEFAULTS, epoch: place.epoch, self, ...cells };
    this.chart = reach.start(input, { now: monotonic(0) });
  }

  get state() {
    return this.chart.snapshot.value;
  }

  get context() {
    return this.chart.snapshot.context;
  }

  send(event: Parameters<Chart['send']>[0]) {
    return this.#note(this.chart.send(event, { now: monotonic(this.now) }));
  }

  elapse(delayMs: number) {
    this.now += delayMs;
    return this.#note(this.chart.elapse(delayMs, { now: monotonic(this.now) }));
  }

  genesis(outcome: GenesisOutcome): void {
    this.send({ type: 'genesis.verified', tag: tagOf(this.toStateSync.at(-1)), outcome });
  }

  syncs(): readonly Told[] {
    return this.toNetworkSync.filter(({ type }) => type === 'sync.requested');
  }

  ended(status: SyncStatus, error?: SyncDone['error']): void {
    const tag = tagOf(this.syncs().at(-1));
    this.send({ type: 'sync.done', tag, status, ...(error === undefined ? {} : { error }) });
  }

  manual(tag: number): void {
    this.send({ type: 'sync.manualRequested', replyTo: 'operator', tag });
  }

  /** A whole check, from its timer on. */
  check(status: SyncStatus, after = JOIN_DELAY): void {
    this.elapse(after);
    this.genesis(UNANIMOUS);
    this.ended(status);
  }

  #note(effects: ReturnType<Chart['send']>) {
    this.toStateSync.push(...toldTo(effects, 'state-sync'));
    this.toNetworkSync.push(...toldTo(effects, 'network-sync'));
    this.done.push(...toldTo(effects, 'operator').filter(isDone));
    return effects;
  }
}

describe('startSyncLoop (seed 002)', () => {
  it('the first check is within a second of the start: the genesis first, then the sync (SY-4)', () => {
    const rig = new Rig();
    rig.elapse(JOIN_DELAY);
    expect(rig.toStateSync).toMatchObject([{ type: 'genesis.verifyRequested', replyTo: 'coordinator' }]);
    expect(rig.toNetworkSync).toEqual([]);
    rig.genesis(UNANIMOUS);
    expect(rig.toNetworkSync).toMatchObject([
      { type: 'genesis.judged', outcome: UNANIMOUS },
      { type: 'sync.requested', cause: 'join', replyTo: 'coordinator' },
    ]);
    expect(rig.state).toEqual({ syncing: 'conducting' });
    rig.ended(IN_SYNC);
    expect(rig.state).toEqual({ resting: 'waiting' });
    expect(rig.context.status).toEqual(IN_SYNC);
  });

  it('of a node that is no validator: one check a follow interval, never a longer pause (SY-15)', () => {
    const rig = new Rig(STRANGER);
    rig.check(IN_SYNC);
    rig.check(UNKNOWN, SYNC_DEFAULTS.followInterval);
    for (let silent = 0; silent < 5; silent += 1) rig.check(UNKNOWN, SYNC_DEFAULTS.followInterval);
    expect(rig.syncs()).toHaveLength(7);
  });

  it('then one check an interval, and connections change nothing', () => {
    const rig = new Rig();
    rig.check(IN_SYNC);
    rig.send({ type: 'peer.connected', peer: place.addressAt(1) });
    rig.send({ type: 'peer.disconnected', peer: place.addressAt(1) });
    expect(rig.state).toEqual({ resting: 'waiting' });
    rig.check(IN_SYNC, SYNC_DEFAULTS.checkInterval);
    expect(rig.syncs()).toMatchObject([{ cause: 'join' }, { cause: 'loop' }]);
    expect(rig.context.counts.syncs).toBe(2);
  });

  it('"No peers" taken for "synced": without an answer it is Unknown, nothing is fetched, and it is asked again, ever later (SY-2)', () => {
    const rig = new Rig();
    rig.elapse(JOIN_DELAY);
    for (const wait of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      rig.genesis(NO_PEERS);
      expect(rig.syncs()).toEqual([]);
      expect(rig.context.status.kind).toBe('Unknown');
      expect(rig.toNetworkSync.at(-1)).toEqual({ type: 'genesis.judged', outcome: NO_PEERS });
      rig.elapse(wait);
    }
  });

  it('the first peer that comes is asked within a second, not an interval later', () => {
    const rig = new Rig();
    rig.elapse(JOIN_DELAY);
    rig.genesis(NO_PEERS);
    rig.send({ type: 'peer.connected', peer: place.addressAt(1) });
    rig.send({ type: 'peer.connected', peer: place.addressAt(2) });
    rig.check(UNKNOWN);
    expect(rig.syncs()).toHaveLength(1);
    // Too few of them answered: another one may be what is missing.
    rig.send({ type: 'peer.connected', peer: place.addressAt(3) });
    rig.check(IN_SYNC);
    expect(rig.context.unanswered).toBe(0);
    rig.elapse(SYNC_DEFAULTS.checkInterval);
  });
});

describe('the genesis gate (SY-4)', () => {
  it('a split is an error and no sync; the next interval asks again', () => {
    const rig = new Rig();
    rig.manual(4);
    rig.genesis(SPLIT);
    expect(rig.syncs()).toEqual([]);
    expect(rig.toNetworkSync).toEqual([{ type: 'genesis.judged', outcome: SPLIT }]);
    expect(rig.done).toMatchObject([
      { tag: 4, status: { kind: 'Unknown' }, error: { code: 'NoConsensusReached' } },
    ]);
    expect(rig.context.counts.splits).toBe(1);
    expect(rig.state).toEqual({ resting: 'waiting' });
    rig.check(IN_SYNC, SYNC_DEFAULTS.checkInterval);
    expect(rig.context.error).toBeUndefined();
  });

  it('a state-sync that does not answer is no reason to wait for ever, nor to sync', () => {
    const rig = new Rig();
    rig.manual(4);
    rig.elapse(SYNC_DEFAULTS.peerQueryTimeout + 5_000);
    expect(rig.state).toEqual({ resting: 'waiting' });
    expect(rig.syncs()).toEqual([]);
    expect(rig.toNetworkSync).toMatchObject([
      { outcome: { status: 'unanswered', error: { code: 'Timeout' } } },
    ]);
    expect(rig.done).toMatchObject([{ tag: 4, error: { code: 'Timeout' } }]);
  });
});

describe('manualSync (seed 002)', () => {
  it('runs at once, and tells what came of it', () => {
    const rig = new Rig();
    rig.check(IN_SYNC);
    rig.manual(7);
    expect(rig.state).toEqual({ syncing: 'verifyingGenesis' });
    rig.genesis(UNANIMOUS);
    expect(rig.syncs().at(-1)).toMatchObject({ cause: 'manual' });
    rig.ended({ kind: 'SmallGap', gap: 2 }, { code: 'BlockNotFound', detail: 'nobody' });
    expect(rig.done).toEqual([
      {
        type: 'sync.done',
        tag: 7,
        status: { kind: 'SmallGap', gap: 2 },
        error: { code: 'BlockNotFound', detail: 'nobody' },
      },
    ]);
  });

  it('Competing loops: it joins the one that runs, in each of its steps', () => {
    const rig = new Rig();
    rig.elapse(JOIN_DELAY);
    rig.manual(7);
    rig.genesis(UNANIMOUS);
    rig.manual(8);
    expect(rig.toStateSync).toHaveLength(1);
    expect(rig.syncs()).toHaveLength(1);
    rig.ended(IN_SYNC);
    expect(rig.done.map(({ tag, status }) => [tag, status])).toEqual([
      [7, IN_SYNC],
      [8, IN_SYNC],
    ]);
    expect(rig.context.askers).toEqual([]);
  });

  it('one asker too many is answered at once, and counted', () => {
    const rig = new Rig();
    for (let tag = 0; tag <= 16; tag += 1) rig.manual(tag);
    expect(rig.done).toMatchObject([{ tag: 16, error: { code: 'Timeout' } }]);
    expect(rig.context.counts.dropped).toBe(1);
    rig.genesis(UNANIMOUS);
    rig.ended(IN_SYNC);
    expect(rig.done).toHaveLength(17);
  });
});

describe('`syncing = true` left behind by an early return', () => {
  it('whatever way a check ends, it is not syncing any more, and the next one comes', () => {
    const ways: readonly ((rig: Rig) => void)[] = [
      (rig) => rig.genesis(SPLIT),
      (rig) => rig.genesis(NO_PEERS),
      (rig) => rig.elapse(SYNC_DEFAULTS.peerQueryTimeout + 5_000),
      (rig) => {
        rig.genesis(UNANIMOUS);
        rig.ended(UNKNOWN, { code: 'NoPeersAvailable', detail: '' });
      },
      (rig) => {
        rig.genesis(UNANIMOUS);
        rig.elapse(SYNC_SILENCE);
      },
    ];
    for (const [index, way] of ways.entries()) {
      const rig = new Rig();
      rig.manual(1);
      expect(rig.chart.snapshot.matches('syncing'), `way ${index}`).toBe(true);
      way(rig);
      expect(rig.chart.snapshot.matches('syncing'), `way ${index}`).toBe(false);
      expect(rig.done, `way ${index}`).toHaveLength(1);
      rig.manual(2);
      rig.genesis(UNANIMOUS);
      rig.ended(IN_SYNC);
      expect(rig.done.at(-1), `way ${index}`).toMatchObject({ tag: 2, status: IN_SYNC });
    }
  });

  it('a sync without an end in time is told as such, and the next check joins it', () => {
    const rig = new Rig();
    rig.manual(1);
    rig.genesis(UNANIMOUS);
    rig.elapse(SYNC_SILENCE);
    expect(rig.done).toMatchObject([{ tag: 1, error: { code: 'Timeout' } }]);
    expect(rig.context.counts.silent).toBe(1);
    const late = tagOf(rig.syncs().at(-1));
    rig.elapse(SYNC_DEFAULTS.checkInterval);
    rig.send({ type: 'sync.done', tag: late, status: UNKNOWN });
    rig.genesis(UNANIMOUS);
    rig.send({ type: 'sync.done', tag: late, status: UNKNOWN });
    expect(rig.state).toEqual({ syncing: 'conducting' });
    rig.ended(IN_SYNC);
    expect(rig.context.status).toEqual(IN_SYNC);
    expect(rig.context.counts.late).toBe(2);
  });

  it('answers to an earlier life, and to an earlier question, are counted and change nothing', () => {
    const rig = new Rig();
    rig.send({ type: 'genesis.verified', tag: 99, outcome: SPLIT });
    rig.send({ type: 'sync.done', tag: 99, status: UNKNOWN });
    rig.elapse(JOIN_DELAY);
    rig.send({ type: 'genesis.verified', tag: 99, outcome: UNANIMOUS });
    rig.send({ type: 'peer.connected', peer: place.addressAt(1) });
    expect(rig.state).toEqual({ syncing: 'verifyingGenesis' });
    expect(rig.context.counts.late).toBe(3);
  });
});

afterAll(() => {
  expect(reach.missing(), 'states and transitions that no test of this file reached').toEqual([]);
});

describe('over epochs (CS-16)', () => {
  const epochs = chainOfEpochs(place, 2, 3);
  const GAP: SyncStatus = { kind: 'LargeGap', gap: 400 };

  it('looks again at once when an epoch begins, where this node was behind in the one before', () => {
    const rig = new Rig();
    rig.check(GAP);
    rig.send(began(epochs, 1));
    expect(rig.context.epoch.epoch).toBe(1);
    rig.check(IN_SYNC);
    expect(rig.syncs()).toHaveLength(2);
    rig.send(began(epochs, 2));
    expect(rig.state, 'in sync: the loop goes on as ever').toEqual({ resting: 'waiting' });
  });

  it('of a validator that was removed: a check a follow interval from then on (SY-15)', () => {
    const rig = new Rig();
    rig.send(began(epochs, 1));
    rig.check(IN_SYNC);
    rig.check(IN_SYNC, SYNC_DEFAULTS.followInterval);
    expect(rig.syncs()).toHaveLength(2);
  });
});
