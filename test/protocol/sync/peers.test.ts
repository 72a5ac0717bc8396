import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, monotonic, wallTime } from '../../../src/base/units.ts';
import type { Address, Height } from '../../../src/protocol/chain/types.ts';
import {
  connectedOf,
  type KnownPeer,
  type KnownPeers,
  knownAtStart,
  selectBestSyncPeer,
  timeForAll,
  type Wish,
  withConnected,
  withDeclined,
  withGiven,
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

const NOW = monotonic(50_000);

const claim = (
  at: number,
  changes: { readonly status?: 'unproved'; readonly base?: Height } = {},
): PeerClaim => ({
  ...{ base: height(1), height: height(at), tipId, status: 'proved', proof },
  ...changes,
});

type Giving = Partial<Pick<KnownPeer, 'blocksMs' | 'declined' | 'restsUntil' | 'withheld'>>;

function peers(
  changes: Readonly<Record<number, Partial<PeerState>>> = {},
  giving: Readonly<Record<number, Giving>> = {},
): KnownPeers {
  let known = knownAtStart(set, self, [], wall);
  for (const peer of peersOf) known = withConnected(known, set, peer, wall);
  const next = new Map(known);
  for (const [index, peer] of peersOf.entries()) {
    const one = present(next.get(peer), 'peer');
    next.set(peer, { ...one, ...giving[index], state: { ...one.state, ...changes[index] } });
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
  owing: (peer: Address) => number = () => 0,
) => selectBestSyncPeer(known, wanted, { now: NOW, wall, drawn, placesTaken: places, owing });
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
    const claims = { 0: { claim: claim(10) }, 1: { claim: claim(10) }, 2: { claim: claim(10) } };
    const quick = { blocksMs: millis(1_000) };
    const slow = peers(claims, { 0: { blocksMs: millis(8_001) }, 1: quick, 2: quick, 3: quick });
    const busy = (peer: Address) => (peer === a ? 0 : undefined);
    expect(choose(slow, wish(), 0, busy)).toEqual({ status: 'busy' });
    expect(choose(slow, wish({ isUrgent: true }), 0, busy)).toEqual(chosen(a));
    expect(choose(slow, wish({ tried: peersOf.slice(1) }), 0, busy)).toEqual(chosen(a));
    const fair = peers(claims, { 0: { blocksMs: millis(8_000) }, 1: quick, 2: quick, 3: quick });
    expect(choose(fair, wish(), 0, busy)).toEqual(chosen(a));
    // All are quick enough below a second.
    const near = peers(claims, { 0: { blocksMs: millis(1_000) }, 1: { blocksMs: millis(1) }, 2: quick });
    expect(choose(near, wish(), 0, busy)).toEqual(chosen(a));
  });

  it('takes nobody for slow because another answers small words quickly, or holds its places and gives nothing (SY-6)', () => {
    const far = { claim: claim(99), latencyMs: millis(1_200) };
    const words = { claim: claim(0, { base: height(0) }), latencyMs: millis(1) };
    const states = { 0: far, 1: far, 2: far, 3: words };
    const gave = { blocksMs: millis(9_000) };
    const withoutPlace = (peer: Address) => (peer === d ? undefined : 0);
    const far3 = { 0: gave, 1: gave, 2: gave };
    expect(choose(peers(states, far3), wish(), 0, withoutPlace)).toEqual(chosen(a));
    expect(choose(peers(states, far3), wish(), 0, () => 0)).toEqual(chosen(a));
    // It says that it has blocks, and was not asked for any yet: it is tried.
    const says = { ...states, 3: { ...words, claim: claim(99, { status: 'unproved' }) } };
    expect(choose(peers(says, far3))).toEqual(chosen(d));
    const owes = (ms: number) => (peer: Address) => (peer === d ? ms : 0);
    for (const vain of [{ declined: 1 }, { withheld: 1 }]) {
      expect(choose(peers(says, { ...far3, 3: vain }))).toEqual(chosen(a));
      expect(choose(peers(says, { ...far3, 3: vain }), wish(), 0, withoutPlace)).toEqual(chosen(a));
    }
    expect(choose(peers(says, far3), wish(), 0, withoutPlace, owes(1_000))).toEqual({ status: 'busy' });
    expect(choose(peers(says, far3), wish(), 0, withoutPlace, owes(1_001))).toEqual(chosen(a));
    // It gave once, and quickly: it is waited for, until it owes for as long as others take.
    const once = peers(states, { ...far3, 3: { blocksMs: millis(5) } });
    expect(choose(once, wish(), 0, withoutPlace, owes(1_000))).toEqual({ status: 'busy' });
    expect(choose(once, wish(), 0, withoutPlace, owes(1_200))).toEqual(chosen(a));
  });

  it('asks no more of who has owed blocks for eight times as long as others take (SY-6)', () => {
    const known = peers({ 0: { latencyMs: millis(1) } }, { 0: {}, 1: { blocksMs: millis(300) } });
    const owes = (ms: number) => (peer: Address) => (peer === a ? ms : 0);
    expect(choose(known, wish(), 0, () => 0, owes(2_400))).toEqual(chosen(a));
    expect(choose(known, wish(), 0, () => 0, owes(2_401))).not.toEqual(chosen(a));
  });

  it('asks others before who had nothing to give, for a time that grows from eight times its answer to a minute (SY-6)', () => {
    let one = present(peers().get(present(a, 'a')), 'peer');
    const rests = [10, 10, 10, 2_900, 2_900].map((took) => {
      one = withDeclined(one, took, NOW);
      return present(one.restsUntil, 'rest') - NOW;
    });
    expect(rests).toEqual([1_000, 2_000, 4_000, 60_000, 60_000]);
    expect(present(withDeclined(present(peers().get(one.state.peer), 'p'), 2_900, NOW).restsUntil, 'r')).toBe(
      NOW + 23_200,
    );
    const near = { 0: { latencyMs: millis(1) }, 1: {} };
    const resting = (until: number) => peers(near, { 0: { restsUntil: monotonic(until) } });
    expect(choose(resting(NOW))).toEqual(chosen(a));
    expect(choose(resting(NOW + 1))).not.toEqual(chosen(a));
    expect(choose(resting(NOW + 1), wish({ tried: peersOf.slice(1) }))).toEqual(chosen(a));
    // Nor is one waited for that was asked in vain and has no place.
    const vain = peers(near, { 0: { restsUntil: monotonic(NOW + 1) }, 1: { withheld: 1 } });
    const onlyTwo = wish({ tried: peersOf.slice(2) });
    expect(choose(vain, onlyTwo, 0, (peer) => (peer === b ? undefined : 0))).toEqual(chosen(a));
    // Its own pace says nothing of others while it rests.
    const quick = {
      0: { restsUntil: monotonic(NOW + 1), blocksMs: millis(1) },
      1: { blocksMs: millis(2_000) },
    };
    const busy = (peer: Address) => (peer === b ? 0 : undefined);
    expect(choose(peers({}, quick), wish(), 0, busy)).toEqual(chosen(b));
  });

  it('in a hurry takes the best before the least busy', () => {
    const known = peers({ 0: { latencyMs: millis(10) }, 1: {}, 2: {}, 3: {} });
    const taken = (peer: Address) => (peer === a ? 1 : 0);
    expect(choose(known, wish(), 0, taken)).not.toEqual(chosen(a));
    expect(choose(known, wish({ isUrgent: true }), 0, taken)).toEqual(chosen(a));
  });

  it('takes who gave blocks when it was asked last before who did not, however near that one is', () => {
    const near = { 0: { latencyMs: millis(1) }, 1: { latencyMs: millis(200) } };
    for (const isUrgent of [false, true]) {
      expect(choose(peers(near), wish({ isUrgent }))).toEqual(chosen(a));
      for (const vain of [{ withheld: 1 }, { declined: 1 }])
        expect(choose(peers(near, { 0: vain }), wish({ isUrgent }))).not.toEqual(chosen(a));
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

  it('remembers over connections how a peer gave blocks: to come anew makes nobody quick (SY-6)', () => {
    const giving = { blocksMs: millis(9), declined: 2, restsUntil: monotonic(7), withheld: 3 };
    const peer = present(a, 'a');
    const known = withConnected(withGone(peers({}, { 0: giving }), peer), set, peer, wall);
    expect(known.get(peer)).toMatchObject({ presence: 'connected', ...giving });
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
    const known = withGiven(
      withGiven({ ...present(peers().get(state.peer), 'p'), state }, millis(80)),
      millis(160),
    );
    expect([known.blocksMs, known.state.latencyMs]).toEqual([90, undefined]);
  });
});
