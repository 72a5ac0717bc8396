/** What readers are given of the bridge, read off a chart that lived. BR-1, BR-8, BR-9. */
import { describe, expect, it } from 'vitest';
import { monotonic } from '../../src/base/units.ts';
import { bridgeReport, refusalOfSubmissions } from '../../src/node/bridge-report.ts';
import { A, B, bridgeReach, C, Rig } from '../machines/bridge/bridge.rig.ts';
import { ended, operation, plain, stateAfter } from '../protocol/bridge/operations-of.ts';

const NOTHING_BESIDE = {
  ...{ turnedAway: 7, pacing: undefined, mempool: undefined, live: undefined },
  names: new Map([[B, 'node2']]),
};

const reportOf = (at: Rig, limit = 10) =>
  bridgeReport({ reach: at.reach, context: at.context }, NOTHING_BESIDE, monotonic(at.now), limit);

describe('the report of the bridge', () => {
  it('of a node that has just begun says what it waits for', () => {
    const report = reportOf(new Rig(bridgeReach(), { connected: [A] }));
    expect(report).toMatchObject({
      reach: 'connecting',
      partition: 'unreachable: validators with power 2 of 4 can be reached, 3 are needed',
      healedAfter: undefined,
      healthy: false,
      reachablePower: 2n,
      requiredVotes: 3n,
      pending: 0,
      stateSync: { height: undefined, age: 0, interval: 60_000 },
    });
    expect(report.breakers.map(({ peer, state }) => [peer, state])).toEqual([
      [A, 'closed'],
      [B, 'closed'],
      [C, 'closed'],
    ]);
  });

  it('names the validators that are not connected, though their breakers are closed (BR-8)', () => {
    const at = new Rig(bridgeReach(), { connected: [A] });
    expect(reportOf(at).missing).toEqual([
      { peer: B, name: 'node2' },
      { peer: C, name: '' },
    ]);
    at.connect(B);
    at.connect(C);
    expect(reportOf(at).missing).toEqual([]);
  });

  it('shows the oldest operations, as many as were asked for, and none where none were', () => {
    const at = new Rig(bridgeReach());
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names) {
      at.now += 10;
      at.submit(operation(name, 40));
      at.judge();
    }
    expect(reportOf(at, 3).operations.map(({ age }) => age)).toEqual([40, 30, 20]);
    expect(reportOf(at, 3).operations[0]).toMatchObject({
      expiresAtHeight: 40,
      bytes: 22,
      votesReceived: undefined,
    });
    expect([reportOf(at, 0).operations, reportOf(at, 0).pending]).toEqual([[], 5]);
  });

  it('counts what waits, what is open and what was healed', () => {
    const at = new Rig(bridgeReach(), { config: { whenPartitioned: 'queue' } });
    at.send({ type: 'breaker.changed', peer: C, state: 'open' });
    at.disconnect(B);
    at.submit(plain('one'), plain('two'));
    expect(reportOf(at)).toMatchObject({ reach: 'partitioned', queued: 1, pending: 2, healthy: false });
    expect(reportOf(at).breakers.find(({ peer }) => peer === C)?.state).toBe('open');
    at.now += 500;
    at.connect(B);
    at.execute(stateAfter(1));
    expect(reportOf(at)).toMatchObject({
      reach: 'connected',
      queued: 0,
      healedAfter: 500,
      partition: undefined,
    });
    expect(reportOf(at).counts).toMatchObject({ partitions: 1, failedOperations: 0, submitted: 2 });
  });
});

describe('what the RPC refuses before it reads (BR-2)', () => {
  const refusalOf = (at: Rig) => refusalOfSubmissions({ reach: at.reach, context: at.context });

  it('is everything while all places are taken, in the words of the bridge, and nothing before and after', () => {
    const at = new Rig(bridgeReach(), { config: { maxPendingOperations: 2 } });
    at.submit(plain('one'));
    at.judge();
    expect(refusalOf(at)).toBeUndefined();
    // A place is taken as soon as the mempool is asked.
    at.submit(plain('two'));
    const refusal = refusalOf(at);
    expect(refusal).toMatchObject({ code: 'QUEUE_FULL', log: expect.stringContaining('Queue full: 2 ') });
    at.judge();
    expect(refusalOf(at)).toEqual(refusal);
    at.execute(stateAfter(1), ended(plain('one')));
    expect(refusalOf(at)).toBeUndefined();
  });

  it('is nothing while the bridge is down: whoever asks it hears why', () => {
    expect(refusalOfSubmissions(undefined)).toBeUndefined();
  });
});
