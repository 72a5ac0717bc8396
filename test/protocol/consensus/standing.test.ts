import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { vrfInputOf } from '../../../src/protocol/chain/canonical.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import { validatorSet } from '../../../src/protocol/chain/validator-set.ts';
import { type EpochContext, epochContext, leaderAt } from '../../../src/protocol/consensus/epoch.ts';
import { type LeadershipParameters, passedOverPowerMax } from '../../../src/protocol/consensus/leader.ts';
import {
  type EpochStanding,
  nextDescriptor,
  nextSeed,
  passedOverFor,
  rootStanding,
  standingAfter,
} from '../../../src/protocol/consensus/standing.ts';
import { present, round, type World, world } from './fixture.ts';

const TURNS: LeadershipParameters = { leaderSchedule: 'round_robin', leaderReputation: true, vrf: false };
const DRAWN: LeadershipParameters = { leaderSchedule: 'stake_weighted', leaderReputation: true, vrf: true };
const PLAIN: LeadershipParameters = { leaderSchedule: 'round_robin', leaderReputation: false, vrf: false };

const placeOf = (powers: readonly bigint[], leadership = TURNS): World =>
  world(powers, 'standing', undefined, leadership);
const ALIKE = [1n, 1n, 1n, 1n];

function proofAt(place: World, at: number): Uint8Array {
  const { epoch, signer, indexOf } = place;
  if (!epoch.leadership.vrf) return new Uint8Array();
  const { prove } = signer(indexOf(leaderAt(epoch, round(at))));
  return present(prove(vrfInputOf(epoch.domain, epoch.epoch, round(at))), 'proof');
}

/** Of a chain of blocks of these rounds. */
function standingOf(place: World, rounds: Iterable<number>, epoch = place.epoch): EpochStanding {
  let [standing, parentRound] = [rootStanding(epoch), 0];
  for (const at of rounds) {
    const vrfProof = proofAt(place, at);
    standing = standingAfter(epoch, standing, {
      round: round(at),
      parentRound: round(parentRound),
      vrfProof,
    });
    parentRound = at;
  }
  return standing;
}

const roundsUpTo = (last: number, isLost: (at: number) => boolean): number[] =>
  Array.from({ length: last }, (_, index) => index + 1).filter((at) => !isLost(at));

/** Rounds 1 to `last` without those that these validators lead. */
const without = ({ epoch }: World, dead: readonly Address[], last: number): number[] =>
  roundsUpTo(last, (at) => dead.includes(leaderAt(epoch, round(at))));

describe('the standing of an epoch', () => {
  it('counts the rounds that each validator led, and those that failed', () => {
    const place = placeOf(ALIKE);
    const standing = standingOf(place, [1, 2, 4, 8]);
    const at = (round_: number): number => place.indexOf(leaderAt(place.epoch, round(round_)));
    // Rounds 3, 5, 6 and 7 failed; each of four leads every fourth round.
    const failed = [0, 0, 0, 0];
    for (const gone of [3, 5, 6, 7]) failed[at(gone)] = (failed[at(gone)] ?? 0) + 1;
    expect(standing.led).toEqual([2, 2, 2, 2]);
    expect(standing.failed).toEqual(failed);
  });

  it('has a bounded cost for a gap of a million rounds, of which the newest 256 count', () => {
    const place = placeOf(ALIKE);
    const standing = standingOf(place, [1_000_000]);
    expect(standing.failed.reduce((sum, one) => sum + one, 0)).toBe(256);
    expect(standing.led.reduce((sum, one) => sum + one, 0)).toBe(257);
  });

  it('is empty and never changes where neither reputation nor VRF was chosen', () => {
    const place = placeOf(ALIKE, PLAIN);
    const standing = standingOf(place, [1, 2, 7]);
    expect(standing).toEqual(rootStanding(place.epoch));
    expect(standing).toEqual({ epoch: 0, seed: place.epoch.descriptor.seed, led: [], failed: [] });
  });

  it('is the same from JSON and back: the chain keeps it with each commit', () => {
    const place = placeOf(ALIKE, DRAWN);
    const standing = standingOf(place, [1, 2, 5]);
    expect(JSON.parse(JSON.stringify(standing))).toEqual(standing);
  });
});

describe('the seed of the next epoch (CS-17)', () => {
  it('depends on every VRF output and on their order', () => {
    const place = placeOf(ALIKE, DRAWN);
    const chains = [
      [1, 2, 3],
      [1, 2],
      [1, 3],
      [2, 3],
      [1, 2, 3, 4],
    ];
    const seeds = chains.map((rounds) => nextSeed(standingOf(place, rounds)));
    expect(new Set([...seeds, nextSeed(rootStanding(place.epoch))]).size).toBe(chains.length + 1);
    const [one, two] = [1, 2].map((at) => ({ round: round(at), vrfProof: proofAt(place, at) }));
    const seedOf = (...order: readonly (typeof one)[]): string =>
      nextSeed(
        order.reduce(
          (standing, next) =>
            standingAfter(place.epoch, standing, { ...present(next, 'block'), parentRound: round(0) }),
          rootStanding(place.epoch),
        ),
      );
    expect(seedOf(one, two)).not.toBe(seedOf(two, one));
  });

  it('leaves one bit a turn to leaders who may withhold their blocks: three at the end choose among eight seeds', () => {
    const place = placeOf(ALIKE, DRAWN);
    const before = [1, 2, 3, 4, 5];
    const subsets = Array.from({ length: 8 }, (_, bits) =>
      [6, 7, 8].filter((_at, turn) => (bits >> turn) & 1),
    );
    const seeds = subsets.map((theirs) => nextSeed(standingOf(place, [...before, ...theirs])));
    expect(new Set(seeds).size).toBe(8);
    // Nothing else that they choose is in it: another time, payload or parent gives the same.
    expect(nextSeed(standingOf(place, [...before, 6]))).toBe(seeds[1]);
  });

  it('takes the output, not the bytes of the proof: two proofs of one output would be a choice', () => {
    const place = placeOf(ALIKE, DRAWN);
    const proof = proofAt(place, 1);
    // The output is of gamma alone; challenge and response only prove it.
    const other = proof.map((byte, index) => (index === 40 ? byte ^ 1 : byte));
    const seedOf = (vrfProof: Uint8Array): string =>
      standingAfter(place.epoch, rootStanding(place.epoch), {
        round: round(1),
        parentRound: round(0),
        vrfProof,
      }).seed;
    expect(seedOf(other)).toBe(seedOf(proof));
  });

  it('without VRF is another in each epoch, and known to all', () => {
    const place = placeOf(ALIKE);
    const seed = nextSeed(standingOf(place, [1, 2, 3]));
    expect(seed).toBe(nextSeed(standingOf(place, [1, 5])));
    expect(seed).not.toBe(place.epoch.descriptor.seed);
  });
});

describe('who is passed over in the next epoch (CS-15)', () => {
  it.each([
    ['turns', TURNS],
    ['draws', DRAWN],
  ])('is who failed its rounds: %s', (_, leadership) => {
    const place = placeOf([1n, 1n, 1n, 1n, 1n, 1n, 1n], leadership);
    const dead = [place.addressAt(2), place.addressAt(5)];
    const { epoch } = place;
    expect(passedOverFor(epoch, standingOf(place, without(place, dead, 70)), epoch.set)).toEqual(dead);
  });

  it('is nobody who failed once, or less than half of its rounds', () => {
    const place = placeOf(ALIKE);
    const { epoch } = place;
    const once = standingOf(
      place,
      roundsUpTo(8, (at) => at === 3),
    );
    const seldom = standingOf(
      place,
      roundsUpTo(40, (at) => at % 12 === 3),
    );
    for (const standing of [once, seldom]) expect(passedOverFor(epoch, standing, epoch.set)).toEqual([]);
  });

  it('is the worst first, where not all may be', () => {
    const place = placeOf(ALIKE);
    const { epoch } = place;
    const [worse, bad] = [leaderAt(epoch, round(3)), leaderAt(epoch, round(4))];
    // The one fails three of four rounds, the other half of them.
    const standing = standingOf(
      place,
      roundsUpTo(32, (at) => (at % 4 === 3 && at % 16 !== 15) || at % 8 === 4),
    );
    expect(epoch.set.indexByAddress.has(bad)).toBe(true);
    expect(passedOverFor(epoch, standing, epoch.set)).toEqual([worse]);
  });

  it('is nobody of a set of three, of whom none may be dead', () => {
    const place = placeOf([2n, 2n, 2n]);
    const standing = standingOf(place, without(place, [place.addressAt(1)], 30));
    expect(passedOverPowerMax(place.epoch.set)).toBe(2n);
    expect(passedOverFor(place.epoch, standing, place.epoch.set)).toEqual([place.addressAt(1)]);
    const single = placeOf([5n]);
    expect(passedOverFor(single.epoch, standingOf(single, [4, 9]), single.epoch.set)).toEqual([]);
  });

  it('is nobody who leaves the set, and leads again an epoch later', () => {
    const place = placeOf(Array<bigint>(7).fill(1n));
    const { epoch } = place;
    const dead = place.addressAt(3);
    const standing = standingOf(place, without(place, [dead], 70));
    const rest = validatorSet(epoch.set.validators.filter(({ address }) => address !== dead));
    if ('code' in rest) throw new Error(rest.code);
    expect(passedOverFor(epoch, standing, rest)).toEqual([]);
    const second = nextEpochOf(epoch, standing);
    expect(second.descriptor.passedOver).toEqual([dead]);
    const later = nextDescriptor(second, standingOf(place, [1, 2, 3, 4, 5, 6, 7, 8], second), epoch.set);
    expect(later.passedOver).toEqual([]);
  });

  const powers = fc.array(fc.bigInt(1n, 12n), { minLength: 1, maxLength: 20 });
  const gaps = fc.array(fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 600 })), {
    minLength: 1,
    maxLength: 40,
  });

  it('has never more power than may be passed over, whatever happened; a leader remains, and the list rises', () => {
    fc.assert(
      fc.property(powers, gaps, fc.constantFrom(TURNS, DRAWN), fc.nat(), (list, steps, leadership, drop) => {
        const place = placeOf(list, leadership);
        let at = 0;
        const standing = standingOf(
          place,
          steps.map((step) => (at += step)),
        );
        const next = validatorSet(place.validators.filter((_, index) => index !== drop % (list.length + 1)));
        const set = 'code' in next ? place.epoch.set : next;
        const { passedOver } = nextDescriptor(place.epoch, standing, set);
        const power = passedOver.reduce(
          (sum, address) => sum + (set.validators.find((one) => one.address === address)?.power ?? 0n),
          0n,
        );
        expect(power).toBeLessThanOrEqual(passedOverPowerMax(set));
        expect(power).toBeLessThan(set.honestPower);
        expect(passedOver.length).toBeLessThan(set.validators.length);
        expect(passedOver).toEqual([...new Set(passedOver)].sort());
      }),
      { numRuns: 60 },
    );
  });
});

function nextEpochOf(epoch: EpochContext, standing: EpochStanding): EpochContext {
  return epochContext(
    epoch.domain,
    nextDescriptor(epoch, standing, epoch.set),
    epoch.rootQC,
    epoch.leadership,
  );
}
