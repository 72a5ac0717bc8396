import { afterAll, describe, expect, it } from 'vitest';
import { millis, monotonic } from '../../../src/base/units.ts';
import { heightSyncMachine } from '../../../src/machines/sync/height-sync.machine.ts';
import type { Address, BlockId, ExecutedState } from '../../../src/protocol/chain/types.ts';
import type { HeightOutcome } from '../../../src/protocol/ports/sync.ts';
import { SYNC_DEFAULTS } from '../../../src/protocol/sync/config.ts';
import type { PeerState } from '../../../src/protocol/sync/types.ts';
import { epochNumber, GENESIS_EXECUTED, height, present, world } from '../../protocol/consensus/fixture.ts';
import { committedChain, peerState, type Said, strangeId } from '../../protocol/sync/peer-states.ts';
import { type Reach, reachOf, toldTo } from '../reach.ts';
import { began, chainOfEpochs, idAtHeight } from './epochs.ts';

const place = world();
const CHAIN = committedChain(place, 40);
const PEERS = [1, 2, 3].map((index) => place.addressAt(index));
const EXECUTED: ExecutedState = GENESIS_EXECUTED;

type HeightReach = Reach<typeof heightSyncMachine>;
const reach: HeightReach = reachOf(heightSyncMachine, 'height-sync');

const tagOf = (message: { readonly type: string } | undefined): number =>
  message !== undefined && 'tag' in message && typeof message.tag === 'number' ? message.tag : -1;

/** A height-sync among cells that answer when the test says so. */
class Rig {
  readonly chart: ReturnType<HeightReach['start']>;
  readonly answers: HeightOutcome[] = [];
  /** The newest question by the cell that it went to. */
  readonly asked = new Map<string, { readonly type: string }>();

  constructor() {
    const input = {
      epoch: place.epoch,
      self: place.addressAt(0),
      config: SYNC_DEFAULTS,
      storage: 'storage',
      stateSync: 'state-sync',
      blockSync: 'block-sync',
      roundManager: 'round-manager',
    };
    this.chart = reach.start(input, { now: monotonic(1_000) });
  }

  get state() {
    return this.chart.snapshot.value;
  }

  get context() {
    return this.chart.snapshot.context;
  }

  send(event: Parameters<HeightRigChart['send']>[0]) {
    return this.#note(this.chart.send(event));
  }

  elapse(delayMs: number) {
    return this.#note(this.chart.elapse(delayMs));
  }

  check(tag = 7, replyTo = 'network-sync'): void {
    this.send({ type: 'heights.checkRequested', replyTo, tag });
  }

  tag(cell: string): number {
    return tagOf(this.asked.get(cell));
  }

  /** What the three peers say; undefined: silent. */
  poll(...said: (Said | undefined)[]): void {
    const peers = PEERS.map((peer, index) => peerState(peer, said[index]));
    this.polled(peers);
  }

  polled(peers: readonly PeerState[]): void {
    const answered = peers.filter(({ claim }) => claim !== undefined).map(({ peer }) => peer);
    this.send({ type: 'peers.polled', tag: this.tag('state-sync'), peers, answered });
  }

  tip(at: number, id: BlockId = at === 0 ? strangeId('genesis') : CHAIN.tip(at).id): void {
    const tip = { base: height(Math.min(1, at)), height: height(at), id, executed: EXECUTED };
    this.send({ type: 'tip.found', tag: this.tag('storage'), ...tip });
  }

  ids(...heights: number[]): void {
    const ids = heights.map((at) => ({ height: height(at), id: CHAIN.tip(at).id }));
    this.send({ type: 'blockIds.found', tag: this.tag('storage'), ids });
  }

  ended(outcome: 'failed' | number): void {
    const tag = this.tag('block-sync');
    const end =
      outcome === 'failed'
        ? ({ status: 'failed', error: { code: 'BlockNotFound', detail: 'nobody has it' } } as const)
        : ({ status: 'reached', height: height(outcome) } as const);
    this.send({ type: 'catchUp.ended', tag, outcome: end });
  }

  get outcome(): HeightOutcome {
    const outcome = this.answers.at(-1);
    if (outcome === undefined) throw new Error('no answer yet');
    return outcome;
  }

  #note(effects: ReturnType<HeightRigChart['send']>) {
    for (const cell of ['storage', 'state-sync', 'block-sync']) {
      const newest = toldTo(effects, cell).at(-1);
      if (newest !== undefined) this.asked.set(cell, newest);
    }
    for (const message of toldTo(effects, 'network-sync')) this.#noteAnswer(message);
    return effects;
  }

  #noteAnswer(message: { readonly type: string }): void {
    if (isChecked(message)) this.answers.push(message.outcome);
  }
}
type HeightRigChart = ReturnType<HeightReach['start']>;

const isChecked = (message: {
  readonly type: string;
}): message is { readonly type: 'heights.checked'; readonly tag: number; readonly outcome: HeightOutcome } =>
  message.type === 'heights.checked';

const BUDGET = SYNC_DEFAULTS.tier1Timeout;

describe('checkAndCatchupSmallGaps (seed 001, tier 1)', () => {
  it('asks all peers anew, with a limit far below its budget (SY-7)', () => {
    const rig = new Rig();
    rig.check();
    expect(rig.asked.get('state-sync')).toEqual({
      type: 'peers.pollRequested',
      replyTo: 'height-sync',
      tag: 1_001,
      maxAge: 0,
      timeout: 5_000,
    });
  });

  it('answers what the peers agree on, and this node’s own height from the disk (SY-1, SY-12)', () => {
    const rig = new Rig();
    rig.check(7);
    rig.poll(CHAIN.tip(5), CHAIN.tip(5), CHAIN.tip(5));
    rig.tip(5);
    expect(toldTo(rig.chart.effects, 'network-sync')).toEqual([
      {
        type: 'heights.checked',
        tag: 7,
        outcome: {
          status: 'agreed',
          exact: 5,
          supported: 5,
          proved: CHAIN.tip(5),
          own: 5,
          answered: 3,
          connected: 3,
        },
      },
    ]);
    expect(rig.state).toBe('idle');
  });

  it('has a small proved gap closed itself, and answers when it is (SY-7)', () => {
    const rig = new Rig();
    rig.check();
    rig.poll(CHAIN.tip(10), CHAIN.tip(10), CHAIN.tip(9));
    rig.tip(5);
    expect(rig.asked.get('block-sync')).toMatchObject({
      type: 'blocks.catchUpRequested',
      target: { kind: 'proved', tip: CHAIN.tip(10) },
    });
    expect(rig.answers).toEqual([]);
    rig.ended(10);
    expect(rig.outcome).toMatchObject({ status: 'agreed', supported: 9, own: 10 });
  });

  it('answers all the same where the small gap stays, for network-sync to decide', () => {
    const rig = new Rig();
    rig.check();
    rig.poll(CHAIN.tip(10), CHAIN.tip(10), CHAIN.tip(10));
    rig.tip(5);
    rig.ended('failed');
    expect(rig.outcome).toMatchObject({ status: 'agreed', own: 5, proved: { height: 10 } });
  });

  it('leaves a larger gap, and one that nobody proved, to network-sync (SY-3)', () => {
    const rig = new Rig();
    rig.check();
    rig.poll(CHAIN.tip(11), CHAIN.tip(11), CHAIN.tip(11));
    rig.tip(5);
    expect(rig.outcome).toMatchObject({ status: 'agreed', own: 5 });
    rig.check();
    rig.poll({ height: 8 }, { height: 8 }, { height: 8 });
    rig.tip(5);
    expect(rig.outcome).toMatchObject({ status: 'agreed', exact: 8, own: 5 });
    expect(rig.outcome).not.toHaveProperty('proved');
    expect(rig.asked.has('block-sync')).toBe(false);
  });

  it('hands on an honest proof though too few answered (SY-3)', () => {
    const rig = new Rig();
    rig.check();
    rig.poll(CHAIN.tip(30), undefined, undefined);
    rig.tip(5);
    expect(rig.outcome).toMatchObject({
      status: 'failed',
      error: { code: 'NoConsensusReached' },
      answered: 1,
      connected: 3,
      own: 5,
      proved: CHAIN.tip(30),
    });
  });

  it('"No peers" taken for "synced": nobody there is NoPeersAvailable, nobody answering a Timeout (SY-2)', () => {
    const rig = new Rig();
    rig.check();
    rig.polled([]);
    rig.tip(0);
    expect(rig.outcome).toMatchObject({ status: 'failed', error: { code: 'NoPeersAvailable' }, own: 0 });
    rig.check();
    rig.poll(undefined, undefined, undefined);
    rig.tip(0);
    expect(rig.outcome).toMatchObject({ status: 'failed', error: { code: 'Timeout' } });
  });
});

describe('forks', () => {
  it('An equal-height fork read as InSync: it is told (SY-5)', () => {
    const rig = new Rig();
    rig.check();
    const fork = { height: 7, id: strangeId('fork') };
    rig.poll(fork, fork, fork);
    rig.tip(7);
    expect(rig.outcome).toMatchObject({ status: 'agreed', exact: 7, own: 7, differsAt: 7 });
  });

  it('asks the store for its blocks at the heights below that peers name, and compares (SY-5)', () => {
    const rig = new Rig();
    rig.check();
    rig.poll(
      { height: 3, id: strangeId('a') },
      { height: 4, id: strangeId('b') },
      { height: 4, id: strangeId('c') },
    );
    rig.tip(7);
    expect(rig.asked.get('storage')).toMatchObject({ type: 'blockIds.requested', heights: [3, 4] });
    rig.ids(3, 4);
    expect(rig.outcome).toMatchObject({ differsAt: 3 });
  });

  it('One lying peer raising Critical: a single other tip is not told (SY-5)', () => {
    const rig = new Rig();
    rig.check();
    rig.poll({ height: 7, id: strangeId('lie') }, CHAIN.tip(7), CHAIN.tip(7));
    rig.tip(7);
    expect(rig.outcome).toMatchObject({ status: 'agreed', exact: 7 });
    expect(rig.outcome).not.toHaveProperty('differsAt');
  });

  it('goes on without the comparison where the store cannot read', () => {
    const rig = new Rig();
    rig.check();
    rig.poll(CHAIN.tip(3), CHAIN.tip(3), CHAIN.tip(3));
    rig.tip(7);
    const tag = rig.tag('storage');
    rig.send({
      type: 'storage.failed',
      tag,
      request: 'blockIds.requested',
      code: 'IO',
      detail: 'read error',
    });
    expect(rig.outcome).toMatchObject({ status: 'agreed', exact: 3, own: 7 });
  });
});

describe('nothing is waited for for ever (SY-7)', () => {
  it('the budget ends a poll that nobody answers', () => {
    const rig = new Rig();
    rig.check();
    rig.elapse(BUDGET);
    expect(rig.outcome).toEqual({
      status: 'failed',
      error: { code: 'Timeout', detail: 'the peers were not asked within 30000 ms' },
      answered: 0,
      connected: 0,
    });
    expect(rig.state).toBe('idle');
  });

  it('the budget ends a silent store, and a small gap that takes too long: what is known is told', () => {
    const rig = new Rig();
    rig.check();
    rig.poll(CHAIN.tip(10), CHAIN.tip(10), CHAIN.tip(10));
    rig.elapse(BUDGET);
    expect(rig.outcome).toMatchObject({
      status: 'failed',
      error: { code: 'Timeout' },
      proved: { height: 10 },
    });
    rig.check();
    rig.poll(CHAIN.tip(10), CHAIN.tip(10), CHAIN.tip(10));
    rig.tip(8);
    rig.elapse(BUDGET);
    expect(rig.outcome).toMatchObject({ status: 'agreed', own: 8, exact: 10 });
  });

  it('a store that fails is told at once', () => {
    const rig = new Rig();
    rig.check();
    rig.poll(CHAIN.tip(10), CHAIN.tip(10), CHAIN.tip(10));
    const tag = rig.tag('storage');
    rig.send({ type: 'storage.failed', tag, request: 'tip.requested', code: 'IO', detail: 'read error' });
    expect(rig.outcome).toMatchObject({
      status: 'failed',
      error: { code: 'Timeout', detail: 'storage could not read the tip: IO: read error' },
    });
  });

  it('answers to what is over are counted and change nothing', () => {
    const rig = new Rig();
    rig.tip(9);
    rig.ids(3);
    rig.poll();
    rig.ended(3);
    rig.send({ type: 'storage.failed', tag: 1, request: 'tip.requested', code: 'IO', detail: '' });
    expect(rig.context.late).toBe(5);
    rig.check();
    rig.send({ type: 'peers.polled', tag: 3, peers: [], answered: [] });
    expect(rig.state).toEqual({ checking: 'polling' });
    expect(rig.context.late).toBe(6);
  });

  it('the newest asker is answered, once', () => {
    const rig = new Rig();
    rig.check(1);
    rig.check(2);
    rig.poll(CHAIN.tip(5), CHAIN.tip(5), CHAIN.tip(5));
    rig.tip(5);
    expect(toldTo(rig.chart.effects, 'network-sync').map(tagOf)).toEqual([2]);
    expect(rig.context.checks).toBe(1);
  });

  it('what a small gap’s end says never lowers the own height', () => {
    const rig = new Rig();
    rig.check();
    rig.poll(CHAIN.tip(10), CHAIN.tip(10), CHAIN.tip(10));
    rig.tip(8);
    rig.ended(2);
    expect(rig.outcome).toMatchObject({ own: 8 });
  });

  it('a peer query limit below its share of the budget is kept', () => {
    const config = { ...SYNC_DEFAULTS, peerQueryTimeout: millis(800) };
    const cells = { storage: 's', stateSync: 'state-sync', blockSync: 'b', roundManager: 'r' };
    const input = { epoch: place.epoch, self: place.addressAt(0), config, ...cells };
    const chart = reach.start(input);
    const effects = chart.send({ type: 'heights.checkRequested', replyTo: 'n', tag: 1 });
    expect(toldTo(effects, 'state-sync')).toMatchObject([{ timeout: 800 }]);
  });
});

afterAll(() => {
  expect(reach.missing(), 'states and transitions that no test of this file reached').toEqual([]);
});

describe('over epochs (CS-16)', () => {
  const epochs = chainOfEpochs(place, 1, 3);
  const laterAt = (peer: Address, at: number): PeerState => ({
    ...peerState(peer, undefined),
    claim: {
      base: height(1),
      height: height(at),
      tipId: idAtHeight(epochs, 3),
      status: 'later',
      epoch: epochNumber(2),
    },
  });
  const checkedBy = (rig: Rig, peers: readonly PeerState[]): HeightOutcome | undefined => {
    rig.check();
    rig.polled(peers);
    rig.send({
      ...{ type: 'tip.found', tag: rig.tag('storage'), base: height(1), height: height(3) },
      ...{ id: idAtHeight(epochs, 3), executed: EXECUTED },
    });
    return rig.answers.at(-1);
  };
  const [first, second, third] = PEERS.map((peer) => present(peer, 'peer'));

  it('counts no claim of a later epoch as agreement, and tells where J(W) of the power says that it is', () => {
    const rig = new Rig();
    const peers = [
      laterAt(present(first, '1'), 90),
      laterAt(present(second, '2'), 80),
      laterAt(present(third, '3'), 7),
    ];
    expect(checkedBy(rig, peers)).toMatchObject({ status: 'failed', later: 80, own: 3 });
    const one = [laterAt(present(first, '1'), 90), peerState(present(second, '2'), undefined)];
    expect(checkedBy(rig, one), 'one voice is nobody’s').not.toHaveProperty('later');
    expect(rig.answers.at(-1), 'but reason to look, for a home that may join (SY-10)').toMatchObject({
      claimedLater: 90,
    });
  });

  it('weighs by the validators of the epoch that began', () => {
    const rig = new Rig();
    rig.send(began(epochs, 1));
    expect(rig.context.epoch.set.validators).toHaveLength(5);
    rig.send(began(epochs, 0));
    expect(rig.context.epoch.epoch).toBe(1);
  });
});
