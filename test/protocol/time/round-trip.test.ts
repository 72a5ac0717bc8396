/** How far a quorum is (CS-11, BR-11). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, monotonic } from '../../../src/base/units.ts';
import { powerOf } from '../../../src/protocol/chain/validator-set.ts';
import { quorumRoundTrip } from '../../../src/protocol/time/round-trip.ts';
import { addressAt, setOf } from '../mempool/world.ts';

const trips = (set: ReturnType<typeof setOf>, ms: readonly (number | undefined)[]) =>
  ms.map((one, index) => ({
    peerId: addressAt(set, index + 1),
    roundTripTime: one === undefined ? undefined : millis(one),
    lastUpdate: monotonic(1_000 + index),
  }));

const SINCE = monotonic(1_000);

describe('the round trip to a quorum', () => {
  const set = setOf([1, 1, 1, 1]);
  const self = addressAt(set, 0);

  it('is that of the slowest validator of the nearest quorum', () => {
    expect(quorumRoundTrip(set, self, trips(set, [300, 20, 90]), SINCE)).toBe(90);
  });

  it('is not known while the answers and this node are no quorum', () => {
    expect(quorumRoundTrip(set, self, trips(set, [300, undefined, undefined]), SINCE)).toBeUndefined();
    expect(quorumRoundTrip(set, self, trips(set, [300, undefined, 10]), SINCE)).toBe(300);
  });

  it('is not that of a validator that has been silent since', () => {
    expect(quorumRoundTrip(set, self, trips(set, [10, 20, 300]), monotonic(1_001))).toBe(300);
    expect(quorumRoundTrip(set, self, trips(set, [10, 20, 300]), monotonic(1_002))).toBeUndefined();
  });

  it('is nothing for a validator that is a quorum by itself', () => {
    const lone = setOf([5, 1]);
    const index = lone.validators.findIndex(({ power }) => power === 5n);
    expect(quorumRoundTrip(lone, addressAt(lone, index), [], SINCE)).toBe(0);
  });

  it('is not above the farthest honest validator, whatever less than a third of the power says', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 4, maxLength: 9 }),
        fc.infiniteStream(fc.nat(400)),
        (powers, honest) => {
          const others = setOf(powers);
          const me = addressAt(others, 0);
          let lying = 0n;
          let farthest = 0;
          const heard = others.validators.slice(1).map(({ address, power }) => {
            if (3n * (lying + power) < others.totalPower) {
              lying += power;
              return { peerId: address, roundTripTime: millis(1e9), lastUpdate: SINCE };
            }
            const trip = honest.next().value;
            farthest = Math.max(farthest, trip);
            return { peerId: address, roundTripTime: millis(trip), lastUpdate: SINCE };
          });
          expect(powerOf(others, me)).toBeGreaterThan(0n);
          expect(quorumRoundTrip(others, me, heard, SINCE)).toBeLessThanOrEqual(farthest);
        },
      ),
    );
  });
});
