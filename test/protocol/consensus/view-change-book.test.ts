import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verifyTC } from '../../../src/protocol/consensus/certificates.ts';
import { ROUNDS_PER_VALIDATOR_MAX } from '../../../src/protocol/consensus/round-window.ts';
import type { ViewChangeMessage } from '../../../src/protocol/consensus/types.ts';
import {
  addViewChange,
  EMPTY_VIEW_CHANGE_BOOK,
  forgetViewChangesBelow,
  holdsViewChange,
  type ViewChangeOutcome,
  viewChangesIn,
} from '../../../src/protocol/consensus/view-change-book.ts';
import { chainOf, present, round, tcOf, timeoutBy, type World, world } from './fixture.ts';

const place = world();
const { rootQC } = place.epoch;
const self = place.addressAt(3);
const at = (inRound: number, who = self) => ({ currentRound: round(inRound), self: who });

function fill(
  where: World,
  messages: readonly ViewChangeMessage[],
  position = at(1),
  from = EMPTY_VIEW_CHANGE_BOOK,
) {
  let book = from;
  const outcomes: ViewChangeOutcome[] = [];
  for (const message of messages) {
    const step = addViewChange(book, where.epoch, where.bls, message, position);
    book = step.book;
    outcomes.push(step.outcome);
  }
  return { book, outcomes };
}
const timeouts = (...indices: number[]) =>
  indices.map((index) => timeoutBy(place, index, { round: 1, highQC: rootQC }));

describe('timeouts (CS-7)', () => {
  it('are joined at J(W), once, and make a TC at Q(W), once', () => {
    const { outcomes } = fill(place, timeouts(0, 1, 2, 3));
    expect(
      outcomes.map((one) => (one.status === 'counted' ? [one.amplify, one.tc !== undefined] : one)),
    ).toEqual([
      [false, false],
      [true, false],
      [false, true],
      [false, false],
    ]);
  });

  it('are not joined by one who is among them already', () => {
    const { outcomes } = fill(place, timeouts(3, 0, 1));
    expect(outcomes.map((one) => one.status === 'counted' && one.amplify)).toEqual([false, false, false]);
  });

  it('of one validator move nothing, whatever its number of messages', () => {
    const { outcomes } = fill(place, [...timeouts(0), ...timeouts(0), ...timeouts(0)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['counted', 'known', 'known']);
    expect(outcomes[0]).toMatchObject({ power: 1n, amplify: false });
  });

  it('signed again over a newer high QC are no offence and change nothing (pitfall: slashes the honest)', () => {
    const { qcs } = chainOf(place, [1]);
    const lastTC = tcOf(place, 1, [rootQC, rootQC, rootQC]);
    const before = timeoutBy(place, 0, { round: 2, highQC: rootQC, lastTC });
    const after = timeoutBy(place, 0, { round: 2, highQC: present(qcs[0], 'QC') });
    const { book, outcomes } = fill(place, [before, after], at(2));
    expect(outcomes.map(({ status }) => status)).toEqual(['counted', 'known']);
    expect(viewChangesIn(book, round(2)).get(before.validator)).toBe(before);
    expect(holdsViewChange(book, after)).toBe(true);
  });

  it('of older rounds are not counted', () => {
    expect(fill(place, timeouts(0), at(2)).outcomes).toMatchObject([
      { status: 'refused', refusal: { code: 'ROUND_BELOW_WINDOW', round: 1, oldest: 2 } },
    ]);
  });

  it('make a valid TC from any quorum by power, in any order, whatever QCs they report (CS-8)', () => {
    const powers = fc.array(fc.bigInt({ min: 1n, max: 9n }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(powers, fc.infiniteStream(fc.nat(3)), (given, choice) => {
        const other = world(given);
        const { qcs } = chainOf(other, [1, 2, 3]);
        const reports = [other.epoch.rootQC, ...qcs];
        const order = given.map((_, index) => index).reverse();
        const messages = order.map((index) => {
          const highQC = present(reports[choice.next().value ?? 0], 'QC');
          return timeoutBy(other, index, { round: 5, highQC });
        });
        const { outcomes } = fill(other, messages, at(5, other.addressAt(0)));
        const tcs = outcomes.flatMap((one) => (one.status === 'counted' ? (one.tc ?? []) : []));
        expect(tcs.length).toBe(1);
        for (const tc of tcs) {
          expect(verifyTC(other.epoch, other.bls, tc)).toBe('valid');
          const signed = messages.slice(
            0,
            outcomes.findIndex((one) => one.status === 'counted' && one.tc) + 1,
          );
          expect(tc.highQC.round).toBe(Math.max(...signed.map(({ highQC }) => highQC.round)));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('of far-away rounds leave memory flat (CS-13)', () => {
    const flood = Array.from({ length: 200 }, (_, index) =>
      timeoutBy(place, 0, { round: 1_000_000 + index, highQC: rootQC }),
    );
    const { book } = fill(place, flood);
    expect(book.rounds.size).toBe(ROUNDS_PER_VALIDATOR_MAX);
    const { outcomes } = fill(place, timeouts(0, 1, 2, 3), at(1), book);
    expect(outcomes.map(({ status }) => status)).toEqual(['refused', 'counted', 'counted', 'counted']);
    expect(outcomes.at(-1)).toMatchObject({ power: 3n });
    expect(forgetViewChangesBelow(book, round(2_000_000)).rounds.size).toBe(0);
  });
});
