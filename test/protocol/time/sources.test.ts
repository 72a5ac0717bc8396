import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, monotonic } from '../../../src/base/units.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import { TIME_DEFAULTS } from '../../../src/protocol/time/config.ts';
import type { Heard } from '../../../src/protocol/time/poll.ts';
import type { Candidate } from '../../../src/protocol/time/selection.ts';
import {
  asksNtp,
  errorAt,
  findingsOf,
  type Knowledge,
  peersDisagree,
} from '../../../src/protocol/time/sources.ts';
import type { PeerTimeInfo, TimeSource } from '../../../src/protocol/time/types.ts';
import { world } from '../consensus/fixture.ts';

const NOW = 1_700_000_000_000;
const { epoch, validators } = world();
const [self, ...peers] = validators.map(({ address }) => address);
if (self === undefined) throw new Error('a set has validators');

interface Says {
  readonly offset: number;
  readonly delay?: number;
  readonly isSynchronised?: boolean;
  readonly reliability?: number;
  /** How long ago its clock was read, at the earliest. @unit ms */
  readonly age?: number;
}

const heardOf = ({ offset, delay = 2, isSynchronised = true, age = 0 }: Says): Heard => ({
  sample: { offset: NOW + offset, delay, dispersion: 0, at: monotonic(delay - age) },
  isSynchronised,
});
const infoOf = (peerId: Address, reliabilityScore: number): PeerTimeInfo => ({
  peerId,
  timeOffset: undefined,
  lastUpdate: undefined,
  roundTripTime: undefined,
  reliabilityScore,
  isSynchronised: false,
});

/** What the peers say, by the set's order; undefined did not answer. */
function knowledge(
  says: readonly (Says | undefined)[],
  change: Partial<Knowledge> = {},
  source: TimeSource = 'peers',
): Knowledge {
  const answers = peers.flatMap((peer, index) => {
    const one = says[index];
    return one === undefined ? [] : [{ peer, one }];
  });
  return {
    config: { ...TIME_DEFAULTS, source },
    validators: epoch.set,
    self: self ?? peers[0] ?? never(),
    now: monotonic(0),
    ownOffset: NOW,
    systemOffset: NOW,
    isSynchronised: true,
    peers: new Map(answers.map(({ peer, one }) => [peer, infoOf(peer, one.reliability ?? 0.5)])),
    heard: new Map(answers.map(({ peer, one }) => [peer, heardOf(one)])),
    servers: [],
    ...change,
  };
}
const never = (): never => {
  throw new Error('a set has validators');
};
const server = (offset: number, rootDistance = 5, name = 'a'): Candidate => ({
  server: name,
  offset: NOW + offset,
  rootDistance,
  jitter: 0.1,
  stratum: 1,
});
const estimateOf = (query: Knowledge) => {
  const { estimate } = findingsOf(query);
  return estimate && { by: estimate.by, offset: estimate.offset - NOW, error: estimate.error };
};

describe('who is asked at all', () => {
  it('asks NTP for ntp and hybrid (TM-3, TM-5)', () => {
    const sources = ['system', 'ntp', 'peers', 'hybrid'] as const;
    expect(sources.filter(asksNtp)).toEqual(['ntp', 'hybrid']);
  });
});

describe('peers as the source (TM-4)', () => {
  it('drops the lowest and the highest of four, itself counted', () => {
    const { estimate } = findingsOf(knowledge([{ offset: 1_000_000 }, { offset: 0 }, { offset: 0 }]));
    expect(estimate?.interval).toEqual({ lo: NOW - 1, hi: NOW + 1 });
    expect(estimate?.by).toBe('peers');
  });

  it('gives nothing with fewer answers than 2F+1', () => {
    const { estimate, peers: midpoint } = findingsOf(knowledge([{ offset: 0 }, undefined, undefined]));
    expect(estimate).toBeUndefined();
    expect(midpoint).toEqual({ status: 'tooFewAnswers', power: 2n, needed: 3n });
  });

  it('ignores clocks that are not synchronised once enough are', () => {
    const found = findingsOf(
      knowledge([{ offset: 4 }, { offset: 4 }, { offset: 90, isSynchronised: false }]),
    );
    expect(found.peersAreSynchronised).toBe(true);
    expect(found.peers).toMatchObject({ status: 'agreed', interval: { lo: NOW + 3, hi: NOW + 5 } });
  });

  it('counts system clocks while too few are synchronised, and says so', () => {
    const cold = [
      { offset: 4, isSynchronised: false },
      { offset: 4, isSynchronised: false },
      { offset: 4, isSynchronised: false },
    ];
    const found = findingsOf(knowledge(cold, { isSynchronised: false }));
    expect(found.peersAreSynchronised).toBe(false);
    expect(found.peers.status).toBe('agreed');
  });

  it('goes by peers that have time and its own clock before it has time, which binds no NTP', () => {
    const offset = 4;
    const two = [{ offset }, { offset }, undefined];
    const found = findingsOf(knowledge(two, { isSynchronised: false, ownOffset: NOW }));
    expect(found).toMatchObject({
      peersAreSynchronised: false,
      somebodyHasTime: true,
      peers: { status: 'agreed', interval: { lo: NOW + 3, hi: NOW + 5 } },
    });
    // One of them lies, and this node's clock is as wrong as he says: NTP is right all the same.
    const lied = knowledge([{ offset: -10_000 }, { offset: 0 }, undefined], {
      isSynchronised: false,
      ownOffset: NOW - 10_000,
      servers: [server(0)],
    });
    expect(estimateOf({ ...lied, config: { ...TIME_DEFAULTS, source: 'hybrid' } })).toEqual({
      by: 'ntp',
      offset: 0,
      error: 5,
    });
    const one = [{ offset }, { offset, isSynchronised: false }, { offset, isSynchronised: false }];
    expect(findingsOf(knowledge(one, { isSynchronised: false })).somebodyHasTime).toBe(false);
  });

  it('does not count itself among the synchronised while it has no adjusted time', () => {
    // Its own power of three is enough with the one peer's, which alone might be a liar.
    const heavy = world([3n, 1n, 1n, 1n]);
    const [own, ...others] = heavy.validators.map(({ address }) => address);
    const query = (isSynchronised: boolean): Knowledge => ({
      ...knowledge([], { validators: heavy.epoch.set, self: own ?? never(), isSynchronised }),
      peers: new Map(others.slice(0, 1).map((peer) => [peer, infoOf(peer, 0.5)])),
      heard: new Map(others.slice(0, 1).map((peer) => [peer, heardOf({ offset: 4 })])),
    });
    expect(findingsOf(query(false)).peers.status).toBe('agreed');
    expect(findingsOf(query(false)).peersAreSynchronised).toBe(false);
    expect(findingsOf(query(true)).peersAreSynchronised).toBe(true);
  });

  it('takes its own system clock before those of others, while it has no time', () => {
    const says = [{ offset: 4 }, { offset: 4 }, { offset: 90, isSynchronised: false }];
    const away = { isSynchronised: false, ownOffset: NOW + 1_000 };
    expect(findingsOf(knowledge(says, away)).peers).toMatchObject({
      status: 'agreed',
      interval: { lo: NOW + 3, hi: NOW + 5 },
    });
  });

  it('counts no system clock once it has time, however few are synchronised', () => {
    const says = [{ offset: 4 }, { offset: 4, isSynchronised: false }, { offset: 4, isSynchronised: false }];
    expect(findingsOf(knowledge(says)).peers).toMatchObject({ status: 'tooFewAnswers', power: 2n });
    expect(findingsOf(knowledge(says)).estimate).toBeUndefined();
  });

  it('counts only those whose reliability admits them', () => {
    const says = [{ offset: 0 }, { offset: 0, reliability: 0.19 }, undefined];
    expect(findingsOf(knowledge(says)).peers).toMatchObject({ status: 'tooFewAnswers', power: 2n });
    const admitted = [{ offset: 0 }, { offset: 0, reliability: 0.2 }, undefined];
    expect(findingsOf(knowledge(admitted)).peers.status).toBe('agreed');
  });

  it('lets nobody count who is no validator', () => {
    const stranger = world([1n], 'elsewhere').addressAt(0);
    const known = knowledge([{ offset: 0 }, undefined, undefined]);
    const query: Knowledge = {
      ...known,
      peers: new Map([...known.peers, [stranger, infoOf(stranger, 0.9)]]),
      heard: new Map([...known.heard, [stranger, heardOf({ offset: 0 })]]),
    };
    expect(findingsOf(query).peers).toMatchObject({ status: 'tooFewAnswers', power: 2n });
  });

  it('gives a node without a vote no weight: it takes what the validators say', () => {
    const stranger = world([1n], 'elsewhere').addressAt(0);
    const query = knowledge([{ offset: 7 }, { offset: 7 }, { offset: 7 }], { self: stranger });
    const { estimate } = findingsOf(query);
    expect(estimate?.interval).toEqual({ lo: NOW + 6, hi: NOW + 8 });
    const two = knowledge([{ offset: 7 }, { offset: 7 }, undefined], { self: stranger });
    expect(findingsOf(two).peers).toMatchObject({ status: 'tooFewAnswers', power: 2n, needed: 3n });
  });

  it('widens an answer with its delay and its age', () => {
    const width = (says: Says): number => {
      const { peers: midpoint } = findingsOf(knowledge([says, says, says], { ownOffset: NOW + 1_000 }));
      return midpoint.status === 'agreed' ? midpoint.interval.hi - midpoint.interval.lo : Number.NaN;
    };
    expect(width({ offset: 0, delay: 10 })).toBeCloseTo(10, 3);
    // Two drifts of 250 ppm, a slew of 5,000 and a rate of 500, both ways.
    expect(width({ offset: 0, delay: 10, age: 1_000 })).toBeCloseTo(10 + 12, 3);
  });

  it('has a result within the honest range, whatever one of four says (TM-4)', () => {
    const says = fc.record({
      offset: fc.integer({ min: -1_000, max: 1_000 }),
      delay: fc.nat(50),
      isSynchronised: fc.boolean(),
      reliability: fc.double({ min: 0.2, max: 1, noNaN: true }),
    });
    const lie = fc.record({
      offset: fc.integer({ min: -10_000_000, max: 10_000_000 }),
      delay: fc.nat(100_000),
      isSynchronised: fc.boolean(),
      reliability: fc.constant(1),
    });
    fc.assert(
      fc.property(says, says, lie, fc.boolean(), (first, second, liar, isSynchronised) => {
        const { estimate } = findingsOf(knowledge([first, second, liar], { isSynchronised }));
        const edges = [first, second].flatMap(({ offset, delay }) => [
          offset - delay / 2,
          offset + delay / 2,
        ]);
        const [lo, hi] = [Math.min(0, ...edges), Math.max(0, ...edges)];
        // Itself and two more of four are enough; a node without time takes system clocks as well.
        const synchronised = [first, second, liar].filter((one) => one.isSynchronised).length;
        expect(estimate === undefined).toBe(isSynchronised && synchronised < 2);
        if (estimate === undefined) return;
        const offset = estimate.offset - NOW;
        expect(offset).toBeGreaterThanOrEqual(lo - 0.001);
        expect(offset).toBeLessThanOrEqual(hi + 0.001);
      }),
    );
  });
});

describe('the other sources', () => {
  const all = [{ offset: 4 }, { offset: 4 }, { offset: 4 }];

  it('goes by the system clock, whoever says what', () => {
    const query = knowledge(all, { systemOffset: NOW - 70, servers: [server(9)] }, 'system');
    expect(estimateOf(query)).toEqual({ by: 'system', offset: -70, error: 0 });
  });

  it('goes by NTP alone, whatever the peers say (TM-3)', () => {
    expect(estimateOf(knowledge(all, { servers: [server(900)] }, 'ntp'))).toEqual({
      by: 'ntp',
      offset: 900,
      error: 5,
    });
    expect(estimateOf(knowledge(all, {}, 'ntp'))).toBeUndefined();
  });

  it('does not go by the peers where ntp is the source and its servers contradict each other (TM-3)', () => {
    const servers = [server(0), server(5_000, 5, 'b')];
    const { estimate, ntp } = findingsOf(knowledge(all, { servers }, 'ntp'));
    expect(ntp.status).toBe('noMajority');
    expect(estimate).toBeUndefined();
  });

  it('is hybrid where both speak, and whichever speaks where one does (TM-5)', () => {
    const cases = [
      [knowledge(all, { servers: [server(4)] }, 'hybrid'), 'hybrid'],
      [knowledge(all, {}, 'hybrid'), 'peers'],
      [knowledge([], { servers: [server(4)] }, 'hybrid'), 'ntp'],
    ] as const;
    for (const [query, by] of cases) expect(estimateOf(query)?.by).toBe(by);
    expect(estimateOf(knowledge([], {}, 'hybrid'))).toBeUndefined();
  });

  it('stays within what the peers agree on, and says that NTP is outside (TM-5)', () => {
    const { estimate, conflict } = findingsOf(
      knowledge(all, { ownOffset: NOW + 4, servers: [server(5_000)] }, 'hybrid'),
    );
    expect(conflict).toBe(true);
    expect(estimate?.offset).toBeLessThanOrEqual(NOW + 5);
    expect(estimate?.interval).toEqual({ lo: NOW + 3, hi: NOW + 5 });
  });

  it('takes NTP as it is over system clocks (TM-5, a cold start)', () => {
    const cold = all.map((one) => ({ ...one, isSynchronised: false }));
    const query = knowledge(cold, { isSynchronised: false, servers: [server(5_000)] }, 'hybrid');
    expect(findingsOf(query).conflict).toBe(false);
    expect(estimateOf(query)).toEqual({ by: 'ntp', offset: 5_000, error: 5 });
  });
});

describe('peers against a node that does not follow them', () => {
  const away = (offset: number, error: number, isSynchronised = true) => {
    const says = [
      { offset: 0, isSynchronised },
      { offset: 0, isSynchronised },
      { offset: 0, isSynchronised },
    ];
    return peersDisagree(
      findingsOf(knowledge(says, { ownOffset: NOW + offset }, 'system')),
      NOW + offset,
      error,
    );
  };

  it('disagree when its time is outside what they agree on by more than its error, on either side', () => {
    // The peers agree on ±1.
    expect([away(1_000, 5), away(-1_000, 5)]).toEqual([true, true]);
    expect([away(6, 5), away(-6, 5), away(0, 0)]).toEqual([false, false, false]);
    expect([away(7, 5), away(-7, 5)]).toEqual([true, true]);
  });

  it('say nothing while they show their system clocks', () => {
    expect(away(1_000, 5, false)).toBe(false);
  });
});

describe('the error bound (TM-4)', () => {
  it('grows by twice the drift', () => {
    const bound = { error: 3, at: monotonic(1_000) };
    const config = { ...TIME_DEFAULTS, driftPpmMax: 250, updateIntervalMs: millis(1) };
    expect(errorAt(bound, monotonic(1_000), config)).toBe(3);
    expect(errorAt(bound, monotonic(11_000), config)).toBe(8);
  });
});
