import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, monotonic, wallTime } from '../../../src/base/units.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import {
  connectedOf,
  type KnownPeers,
  knownAtStart,
  selectBestSyncPeer,
  timeForAll,
  type Wish,
  withConnected,
  withGone,
  withLatency,
} from '../../../src/protocol/sync/peers.ts';
import { contradicted, newReputation } from '../../../src/protocol/sync/reputation.ts';
import type { PeerClaim, PeerState, Reputation } from '../../../src/protocol/sync/types.ts';
import { chainOf, height, idOf, present, world } from '../consensus/fixture.ts';

const place = world([1n, 1n, 1n, 1n, 1n]);
const { set } = place.epoch;
const self = place.addressAt(0);
const [a, b, c, d] = [1, 2, 3, 4].map((index) => place.addressAt(index));
const peersOf = [a, b, c, d].map((peer) => present(peer, 'peer'));
const wall = wallTime(1_700_000_000_000);
const { blocks, qcs } = chainOf(place, [1, 2]);
const tipId = idOf(place, present(blocks[0], 'block'));
const proof = present(qcs[1], 'QC');

const claim = (at: number, changes: Partial<PeerClaim> = {}): PeerClaim => ({
  ...{ base: height(1), height: height(at), tipId, status: 'proved', proof },
  ...changes,
});

function peers(changes: Readonly<Record<number, Partial<PeerState>>> = {}): KnownPeers {
  let known = knownAtStart(set, self, [], wall);
  for (const peer of peersOf) known = withConnected(known, set, peer, wall);
  const next = new Map(known);
  for (const [index, peer] of peersOf.entries()) {
    const one = present(next.get(peer), 'peer');
    next.set(peer, { ...one, state: { ...one.state, ...changes[index] } });
  }
  return next;
}

const wish = (changes: Partial<Wish> = {}): Wish => ({
  ...{ query: { by: 'height', from: height(1), limit: 10 }, avoid: [], tried: [] },
  ...changes,
});
const choose = (
  known: KnownPeers,
  wanted = wish(),
  drawn = 0,
  places: (peer: Address) => number | undefined = () => 0,
) => selectBestSyncPeer(known, wanted, { wall, drawn, placesTaken: places });
const chosen = (peer: Address | undefined) => ({ status: 'chosen', peer });

describe('whom state-sync asks (seed 002: selectBestSyncPeer, SY-6)', () => {
  it('prefers who proved that it has all of it, then a part of it, then who only says so', () => {
    const known = peers({
      0: { claim: claim(99, { status: 'unproved' }) },
      1: { claim: claim(4) },
      2: { claim: claim(10) },
    });
    expect(choose(known)).toEqual(chosen(c));
    expect(choose(known, wish({ tried: [present(c, 'c')] }))).toEqual(chosen(b));
    expect(choose(known, wish({ tried: [present(b, 'b'), present(c, 'c')] }))).toEqual(chosen(a));
  });

  it('never asks one whose chain begins above what is wanted (SY-3)', () => {
    const late = { claim: claim(99, { base: height(5) }) };
    expect(choose(peers({ 0: late, 1: late, 2: late, 3: late }))).toEqual({ status: 'nobody' });
  });

  it('takes score over latency among equals, and the least busy before that', () => {
    const slow = { claim: claim(10), latencyMs: millis(200) };
    const quick = { claim: claim(10), latencyMs: millis(20) };
    const known = peers({ 0: slow, 1: quick, 2: slow, 3: slow });
    expect(choose(known)).toEqual(chosen(b));
    expect(choose(known, wish(), 0, (peer) => (peer === b ? 1 : 0))).not.toEqual(chosen(b));
    const poor: Reputation = { ...newReputation(present(b, 'b'), wall), score: 0.01 };
    expect(choose(peers({ 0: slow, 1: { ...quick, reputation: poor }, 2: slow, 3: slow }))).not.toEqual(
      chosen(b),
    );
  });

  it('bug "retries that always start with peer 0": among equals the draw decides, and nobody is asked twice', () => {
    const known = peers();
    const firsts = new Set([0, 0.3, 0.6, 0.9].map((drawn) => JSON.stringify(choose(known, wish(), drawn))));
    expect(firsts.size).toBe(4);
    const tried: Address[] = [];
    for (let attempt = 0; attempt < 4; attempt += 1) {
      const choice = choose(known, wish({ tried }), 0.5);
      if (choice.status === 'chosen') tried.push(choice.peer);
    }
    expect(new Set(tried)).toEqual(new Set(peersOf));
    expect(choose(known, wish({ tried }))).toEqual({ status: 'nobody' });
  });

  it('does not depend on the order in which peers came', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }),
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        (order, drawn) => {
          const known = peers({ 1: { claim: claim(10) }, 2: { claim: claim(10) } });
          const shuffled = new Map(
            order.map((index) => {
              const peer = present(peersOf[index], 'peer');
              return [peer, present(known.get(peer), 'peer')] as const;
            }),
          );
          expect(choose(shuffled, wish(), drawn)).toEqual(choose(known, wish(), drawn));
        },
      ),
    );
  });

  it('asks last whom it should avoid, then whom it removed, then whom it may not reach; never who contradicted', () => {
    const removed: Reputation = {
      ...newReputation(present(b, 'b'), wall),
      removedUntil: wallTime(wall + 1_000),
    };
    const liar = contradicted(newReputation(present(d, 'd'), wall), wall, { tier3TrustTime: millis(1_000) });
    let known = peers({ 1: { reputation: removed }, 3: { reputation: liar, claim: claim(99) } });
    known = withGone(known, present(c, 'c'));
    const avoid = [present(a, 'a')];
    const order: Address[] = [];
    for (;;) {
      const choice = choose(known, wish({ avoid, tried: order }));
      if (choice.status !== 'chosen') break;
      order.push(choice.peer);
    }
    expect(order).toEqual([a, b, c]);
    expect(choose(known, wish({ holders: [present(d, 'd')] }))).toEqual({ status: 'nobody' });
  });

  it('keeps who is slow in reserve: not asked because others are busy, but where nobody else is, or in a hurry (SY-6)', () => {
    const slow = { claim: claim(10), latencyMs: millis(8_001) };
    const quick = { claim: claim(10), latencyMs: millis(1_000) };
    const known = peers({ 0: slow, 1: quick, 2: quick, 3: quick });
    const busy = (peer: Address) => (peer === a ? 0 : undefined);
    expect(choose(known, wish(), 0, busy)).toEqual({ status: 'busy' });
    expect(choose(known, wish({ isUrgent: true }), 0, busy)).toEqual(chosen(a));
    expect(choose(known, wish({ tried: peersOf.slice(1) }), 0, busy)).toEqual(chosen(a));
    const fair = peers({ 0: { ...slow, latencyMs: millis(8_000) }, 1: quick, 2: quick, 3: quick });
    expect(choose(fair, wish(), 0, busy)).toEqual(chosen(a));
    // All are quick enough below a second.
    const near = peers({ 0: { ...slow, latencyMs: millis(1_000) }, 1: { ...quick, latencyMs: millis(1) } });
    expect(choose(near, wish(), 0, busy)).toEqual(chosen(a));
  });

  it('in a hurry takes the best before the least busy', () => {
    const known = peers({ 0: { latencyMs: millis(10) }, 1: {}, 2: {}, 3: {} });
    const taken = (peer: Address) => (peer === a ? 1 : 0);
    expect(choose(known, wish(), 0, taken)).not.toEqual(chosen(a));
    expect(choose(known, wish({ isUrgent: true }), 0, taken)).toEqual(chosen(a));
  });

  it('takes who gave blocks when it was asked last before who did not, however near that one is', () => {
    const near = { 0: { latencyMs: millis(1) }, 1: { latencyMs: millis(200) } };
    const known = new Map(peers(near));
    const one = present(known.get(present(a, 'a')), 'peer');
    known.set(one.state.peer, { ...one, withheld: 1 });
    for (const isUrgent of [false, true]) {
      expect(choose(peers(near), wish({ isUrgent }))).toEqual(chosen(a));
      expect(choose(known, wish({ isUrgent }))).not.toEqual(chosen(a));
    }
  });

  it('counts a short answer as long as all would take, up to a minute', () => {
    expect([timeForAll(100, 128, 128), timeForAll(100, 64, 128), timeForAll(100, 9, 1)]).toEqual([
      100, 200, 100,
    ]);
    expect([timeForAll(2_900, 1, 128), timeForAll(2_900, 1, -5)]).toEqual([60_000, 2_900]);
  });

  it('waits when all that have it have no place for one more question', () => {
    expect(choose(peers(), wish(), 0, () => undefined)).toEqual({ status: 'busy' });
  });

  it('asks only holders, whatever they claim, where those are named', () => {
    const query = { by: 'id', id: tipId, ancestors: 3 } as const;
    const known = peers({ 2: { claim: claim(0, { base: height(0) }) } });
    expect(choose(known, wish({ query, holders: [present(c, 'c')] }))).toEqual(chosen(c));
  });
});

describe('what is known of peers', () => {
  it('forgets what a peer said when it goes and comes: it may have been reset', () => {
    let known = peers({
      0: { claim: claim(10), answeredAt: monotonic(5), failures: 3, latencyMs: millis(7) },
    });
    known = withConnected(withGone(known, present(a, 'a')), set, present(a, 'a'), wall);
    const { state } = present(known.get(present(a, 'a')), 'peer');
    expect(state).toMatchObject({ failures: 3, latencyMs: 7 });
    expect(state.claim).toBeUndefined();
    expect(state.answeredAt).toBeUndefined();
  });

  it('shows connected peers by address, and keeps at most 1,024', () => {
    expect(connectedOf(peers()).map(({ peer }) => peer)).toEqual([...peersOf].sort());
    const strangers = world(
      Array.from({ length: 6 }, () => 1n),
      'strangers',
    ).validators.map(({ address }) => address);
    const kept = Array.from({ length: 2_000 }, (_, index) => {
      const peer = present(strangers[index % 6], 'stranger');
      return newReputation(peer, wall);
    });
    expect(knownAtStart(set, self, kept, wall).size).toBe(4 + 6);
    expect(knownAtStart(set, self, kept, wall).has(self)).toBe(false);
  });

  it('averages latencies, the newest by an eighth', () => {
    const state = present(peers().get(present(a, 'a')), 'peer').state;
    expect(withLatency(state, 80).latencyMs).toBe(80);
    expect(withLatency({ ...state, latencyMs: millis(80) }, 160).latencyMs).toBe(90);
  });
});
