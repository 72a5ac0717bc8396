/** When a node is cut off. BR-10. */
import { describe, expect, it } from 'vitest';
import { millis, monotonic } from '../../../src/base/units.ts';
import {
  describePartition,
  type PartitionFacts,
  partitionOf,
  reachablePower,
} from '../../../src/protocol/bridge/partition.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import { present, world } from '../consensus/fixture.ts';

const TIMEOUT = millis(5_000);
const place = world([1n, 2n, 3n, 4n]);
const STRANGER: Address = present(
  world([1n], 'elsewhere').validators[0]?.address,
  'a validator of another chain',
);

const facts = (self: Address, connected: readonly Address[], change: Partial<PartitionFacts> = {}) => ({
  validators: place.epoch.set,
  self,
  connected: new Set(connected),
  failedRounds: 0,
  failingSince: undefined,
  overdueSince: undefined,
  ...change,
});
const at = (...indices: readonly number[]) => indices.map((index) => place.addressAt(index));
const judged = (given: PartitionFacts, now = 0) => partitionOf(given, monotonic(now), TIMEOUT);

describe('a validator (BR-10)', () => {
  it('needs the quorum power, its own included: 7 of 10', () => {
    expect(place.epoch.set.quorumPower).toBe(7n);
    expect(judged(facts(place.addressAt(3), at(2)))).toBeUndefined();
    expect(judged(facts(place.addressAt(3), at(1)))).toEqual({
      cause: 'unreachable',
      power: 6n,
      needed: 7n,
    });
    expect(judged(facts(place.addressAt(0), at(1, 3)))).toBeUndefined();
    expect(judged(facts(place.addressAt(0), at(1, 2)))).toMatchObject({ power: 6n });
  });

  it('counts no power of whom the set does not know', () => {
    expect(reachablePower(facts(place.addressAt(3), [STRANGER]))).toBe(4n);
  });

  it('alone in its set is never cut off', () => {
    const alone = world([1n]);
    const given = { ...facts(alone.addressAt(0), []), validators: alone.epoch.set };
    expect(judged(given)).toBeUndefined();
  });
});

it('a node that is no validator needs one that takes its operations', () => {
  expect(judged(facts(STRANGER, []))).toEqual({ cause: 'unreachable', power: 0n, needed: 1n });
  expect(judged(facts(STRANGER, at(0)))).toBeUndefined();
});

describe('rounds that fail while a quorum can be reached', () => {
  const failing = (failedRounds: number) =>
    facts(place.addressAt(3), at(2), { failedRounds, failingSince: monotonic(1_000) });

  it('are a partition after the timeout, and not before', () => {
    expect(judged(failing(3), 5_999)).toBeUndefined();
    expect(judged(failing(3), 6_000)).toEqual({ cause: 'stalled', failedRounds: 3, since: 1_000 });
  });

  it.each([
    ['ten of one power', Array<bigint>(10).fill(1n), 3],
    ['four light and one heavy', [1n, 1n, 1n, 1n, 9n], 4],
  ])('are none while as many failed as may be dead: one for each dead leader (%s)', (_, powers, most) => {
    const many = world(powers);
    const all = many.validators.map(({ address }) => address);
    const given = (failedRounds: number) => ({
      ...facts(many.addressAt(0), all, { failedRounds, failingSince: monotonic(0) }),
      validators: many.epoch.set,
    });
    expect(judged(given(most), 60_000)).toBeUndefined();
    expect(judged(given(most + 1), 60_000)).toMatchObject({ cause: 'stalled' });
  });

  it('are none while they are fewer than three: one fails for each dead leader', () => {
    expect(judged(failing(2), 60_000)).toBeUndefined();
  });

  it('without the power are told as unreachable', () => {
    const cut = { ...failing(9), connected: new Set<Address>() };
    expect(judged(cut, 60_000)).toMatchObject({ cause: 'unreachable', power: 4n });
  });
});

describe('a round whose time is over while a quorum can be reached', () => {
  const overdue = facts(place.addressAt(3), at(2), { overdueSince: monotonic(1_000) });

  it('and that no quorum gives up is a partition after the timeout, and not before', () => {
    expect(judged(overdue, 5_999)).toBeUndefined();
    expect(judged(overdue, 6_000)).toEqual({ cause: 'silent', since: 1_000 });
  });
});

it('is described in a sentence with its numbers', () => {
  expect(describePartition({ cause: 'unreachable', power: 6n, needed: 7n }, 10n)).toBe(
    'unreachable: validators with power 6 of 10 can be reached, 7 are needed',
  );
  expect(describePartition({ cause: 'stalled', failedRounds: 4, since: monotonic(1) }, 10n)).toBe(
    'stalled: 4 rounds failed since the newest commit; see `althing rounds`',
  );
  expect(describePartition({ cause: 'silent', since: monotonic(1) }, 10n)).toBe(
    'silent: the time of the present round is over, and no quorum says so',
  );
});
