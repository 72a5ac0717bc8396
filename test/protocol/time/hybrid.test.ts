import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { combine, grownError, withinOldBound } from '../../../src/protocol/time/hybrid.ts';

const NOW = 1_700_000_000_000;
const ntp = (offset: number, error: number) => ({ offset: NOW + offset, error });
const peers = (lo: number, hi: number, offset = (lo + hi) / 2) => ({
  interval: { lo: NOW + lo, hi: NOW + hi },
  offset: NOW + offset,
  error: Math.max(offset - lo, hi - offset),
});
const both = (left: ReturnType<typeof ntp>, right: ReturnType<typeof peers>, peersAreSynchronised = true) =>
  combine({ ntp: left, peers: right, peersAreSynchronised });
const estimated = (offset: number, error: number, by: string, conflict = false) => ({
  status: 'estimated',
  offset: NOW + offset,
  error,
  by,
  conflict,
});

describe('hybrid (TM-5)', () => {
  it('takes NTP as it is within the peers’ interval', () => {
    expect(both(ntp(3, 1), peers(0, 10))).toEqual(estimated(3, 1, 'hybrid'));
  });

  it('clamps NTP into the peers’ interval, and counts what it was moved as error', () => {
    expect(both(ntp(12, 4), peers(0, 10))).toEqual(estimated(10, 6, 'hybrid'));
    expect(both(ntp(-3, 4), peers(0, 10))).toEqual(estimated(0, 7, 'hybrid'));
  });

  it('calls it no conflict where the two only touch', () => {
    expect(both(ntp(12, 2), peers(0, 10))).toEqual(estimated(10, 4, 'hybrid'));
    expect(both(ntp(-2, 2), peers(0, 10))).toEqual(estimated(0, 4, 'hybrid'));
  });

  it('stays within what the peers agree on where NTP is disjoint, at the edge next to it, and says that they conflict', () => {
    expect(both(ntp(13, 2), peers(0, 10, 4))).toEqual(estimated(10, 10, 'hybrid', true));
    expect(both(ntp(-3, 2), peers(0, 10, 4))).toEqual(estimated(0, 10, 'hybrid', true));
  });

  it('takes the one source that there is', () => {
    const query = { ntp: undefined, peers: undefined, peersAreSynchronised: true };
    expect(combine({ ...query, peers: peers(0, 10, 4) })).toEqual(estimated(4, 6, 'peers'));
    expect(combine({ ...query, ntp: ntp(3, 1) })).toEqual(estimated(3, 1, 'ntp'));
    expect(combine(query)).toEqual({ status: 'none' });
  });

  it('prefers NTP, without conflict, while the peers show their system clocks', () => {
    expect(both(ntp(5_000, 1), peers(0, 10), false)).toEqual(estimated(5_000, 1, 'ntp'));
    expect(both(ntp(12, 4), peers(0, 10), false)).toEqual(estimated(12, 4, 'ntp'));
    expect(combine({ ntp: undefined, peers: peers(0, 10, 4), peersAreSynchronised: false })).toEqual(
      estimated(4, 6, 'peers'),
    );
  });

  it('stays within the peers’ interval once they are synchronised, and keeps a sound NTP’s truth in its bound', () => {
    const range = fc.integer({ min: -1_000, max: 1_000 });
    fc.assert(
      fc.property(range, fc.nat(500), range, fc.nat(500), fc.nat(100), (offset, error, lo, width, share) => {
        const result = both(ntp(offset, error), peers(lo, lo + width));
        if (result.status === 'none') return expect.fail('there are two sources');
        expect(result.offset).toBeGreaterThanOrEqual(NOW + lo);
        expect(result.offset).toBeLessThanOrEqual(NOW + lo + width);
        expect(result.conflict).toBe(offset + error < lo || offset - error > lo + width);
        if (result.conflict) return;
        const truth = NOW + offset + error * (share / 50 - 1);
        expect(Math.abs(truth - result.offset)).toBeLessThanOrEqual(result.error + 1e-3);
      }),
    );
  });
});

describe('an update against the old bound (TM-4)', () => {
  it('contradicts it only where no offset is in both', () => {
    const own = (lo: number, hi: number) => withinOldBound({ lo: NOW + lo, hi: NOW + hi }, NOW, 5);
    expect([own(-2, 2), own(-9, 9), own(4, 20), own(5, 20), own(-20, -5)]).toEqual(Array(5).fill(true));
    expect([own(5.1, 20), own(-20, -5.1)]).toEqual([false, false]);
  });

  it('grows by twice the drift with age, and never shrinks', () => {
    expect(grownError(5, 60_000, 250)).toBe(35);
    expect(grownError(5, 0, 250)).toBe(5);
    expect(grownError(5, -1, 250)).toBe(5);
  });
});
