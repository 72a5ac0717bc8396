import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Block, Vote } from '../../../src/protocol/chain/types.ts';
import { verifyQC } from '../../../src/protocol/consensus/certificates.ts';
import { verifyEvidence } from '../../../src/protocol/consensus/evidence.ts';
import { ROUNDS_PER_VALIDATOR_MAX } from '../../../src/protocol/consensus/round-window.ts';
import {
  addVote,
  EMPTY_VOTE_BOOK,
  forgetVotesBelow,
  type VoteBook,
  type VoteOutcome,
  votesIn,
} from '../../../src/protocol/consensus/vote-book.ts';
import { blockOn, voteFor, type World, world } from './fixture.ts';

const place = world();
const block = blockOn(place, place.epoch.rootQC, 1);
const rival = blockOn(place, place.epoch.rootQC, 1, { time: 9_000_000 });
/** A well-formed signature, but another validator's. */
const forged = (vote: Vote): Vote => ({
  ...vote,
  signature: voteFor(place, block, (place.indexOf(vote.validator) + 1) % 4).signature,
});

/** Hands the votes in, in order. */
function fill(where: World, votes: readonly Vote[], from: VoteBook = EMPTY_VOTE_BOOK) {
  let book = from;
  const outcomes: VoteOutcome[] = [];
  for (const vote of votes) {
    const step = addVote(book, where.epoch, where.bls, vote);
    book = step.book;
    outcomes.push(step.outcome);
  }
  return { book, outcomes, statuses: outcomes.map(({ status }) => status) };
}
const votesOf = (proposed: Block, ...indices: number[]) =>
  indices.map((index) => voteFor(place, proposed, index));

describe('votes (CS-4)', () => {
  it('form a QC at Q, verified once, and no second one', () => {
    const { bls } = world();
    const before = { ...place.bls.calls };
    const { statuses, outcomes } = fill(place, votesOf(block, 0, 1, 2, 3));
    expect(statuses).toEqual(['counted', 'counted', 'certified', 'known']);
    expect(place.bls.calls.fastAggregateVerify - before.fastAggregateVerify).toBe(1);
    expect(place.bls.calls.verify).toBe(before.verify);
    const [, , certified] = outcomes;
    if (certified?.status !== 'certified') throw new Error('no QC');
    expect(certified.offenders).toEqual([]);
    expect(verifyQC(place.epoch, bls, certified.qc)).toBe('valid');
  });

  it('are counted by statement: four votes for two blocks make no QC', () => {
    const { statuses } = fill(place, [...votesOf(block, 0, 1), ...votesOf(rival, 2, 3)]);
    expect(statuses).toEqual(['counted', 'counted', 'counted', 'counted']);
  });

  it('count by power, not by heads', () => {
    const heavy = world([5n, 1n, 1n, 1n]);
    const proposed = blockOn(heavy, heavy.epoch.rootQC, 1);
    const { outcomes } = fill(
      heavy,
      [0, 1].map((index) => voteFor(heavy, proposed, index)),
    );
    expect(outcomes).toMatchObject([{ status: 'counted', power: 5n, needed: 6n }, { status: 'certified' }]);
  });

  it('repeated count once', () => {
    const { statuses } = fill(place, votesOf(block, 0, 0, 0, 0));
    expect(statuses).toEqual(['counted', 'known', 'known', 'known']);
  });

  it('spoil no aggregate: the bad signer is found, scored, and its slot is free', () => {
    const [first, second, third, fourth] = votesOf(block, 0, 1, 2, 3);
    if (!first || !second || !third || !fourth) throw new Error('votes');
    const { outcomes, statuses, book } = fill(place, [first, forged(second), third, fourth]);
    expect(statuses).toEqual(['counted', 'counted', 'spoiled', 'certified']);
    expect(outcomes[2]).toMatchObject({ offenders: [second.validator], power: 2n, needed: 3n });
    expect([...votesIn(book, block.header.round).keys()]).not.toContain(second.validator);
  });

  it('that are no point at all spoil no aggregate either', () => {
    const [first, second, third, fourth] = votesOf(block, 0, 1, 2, 3);
    if (!first || !second || !third || !fourth) throw new Error('votes');
    const garbage = { ...second, signature: new Uint8Array(3) };
    expect(fill(place, [first, garbage, third, fourth]).statuses).toEqual([
      'counted',
      'counted',
      'spoiled',
      'certified',
    ]);
  });

  it('from a validator that signed badly once are verified on arrival', () => {
    const [first, second, third] = votesOf(block, 0, 1, 2);
    if (!first || !second || !third) throw new Error('votes');
    const { book } = fill(place, [first, forged(second), third]);
    expect(addVote(book, place.epoch, place.bls, forged(second)).outcome).toMatchObject({
      status: 'refused',
      refusal: { code: 'SIGNATURE_INVALID' },
    });
    expect(addVote(book, place.epoch, place.bls, second).outcome.status).toBe('certified');
  });

  it('forged in another’s name take no slot away from it', () => {
    const [first, second, third] = votesOf(block, 0, 1, 2);
    if (!first || !second || !third) throw new Error('votes');
    const { statuses } = fill(place, [forged(second), second, first, third]);
    expect(statuses).toEqual(['counted', 'counted', 'counted', 'certified']);
  });

  it('of one voter for two blocks of a round are evidence, and the first still counts', () => {
    const { outcomes, statuses } = fill(place, [
      ...votesOf(block, 0),
      ...votesOf(rival, 0),
      ...votesOf(block, 1, 2),
    ]);
    expect(statuses).toEqual(['counted', 'conflict', 'counted', 'certified']);
    const [, conflict] = outcomes;
    if (conflict?.status !== 'conflict') throw new Error('no evidence');
    expect(verifyEvidence(place.epoch, place.bls, conflict.evidence)).toBe('valid');
  });

  it('give no evidence when either signature is wrong', () => {
    const [vote] = votesOf(block, 0);
    const [other] = votesOf(rival, 0);
    if (!vote || !other) throw new Error('votes');
    expect(fill(place, [vote, forged(other)]).statuses).toEqual(['counted', 'refused']);
    const replaced = fill(place, [forged(vote), other]);
    expect(replaced.statuses).toEqual(['counted', 'counted']);
    expect(votesIn(replaced.book, block.header.round).get(other.validator)).toBe(other);
  });

  it('of strangers and other epochs are refused', () => {
    const [vote] = votesOf(block, 0);
    if (!vote) throw new Error('vote');
    const stranger = { ...vote, validator: world(undefined, 'elsewhere').addressAt(0) };
    expect(fill(place, [stranger]).outcomes).toMatchObject([{ refusal: { code: 'UNKNOWN_VALIDATOR' } }]);
  });

  it('make the same QC in every order of arrival, up to who is in it', () => {
    const votes = votesOf(block, 0, 1, 2, 3);
    const order = fc.shuffledSubarray(votes, { minLength: 4, maxLength: 4 });
    const bad = fc.subarray([0, 1, 2, 3], { maxLength: 2 });
    fc.assert(
      fc.property(order, bad, (shuffled, forgers) => {
        const given = shuffled.map((vote) =>
          forgers.includes(place.indexOf(vote.validator)) ? forged(vote) : vote,
        );
        const { outcomes } = fill(place, given);
        const certified = outcomes.filter((one) => one.status === 'certified');
        expect(certified.length).toBe(forgers.length <= 1 ? 1 : 0);
        for (const { qc } of certified) expect(verifyQC(place.epoch, place.bls, qc)).toBe('valid');
      }),
      { numRuns: 80 },
    );
  });
});

describe('bounds of the vote book (CS-13)', () => {
  it('keep the newest few rounds of a validator: a million far votes leave it flat', () => {
    let book = EMPTY_VOTE_BOOK;
    for (let inRound = 1; inRound <= 300; inRound += 1) {
      const vote = voteFor(place, blockOn(place, place.epoch.rootQC, 1_000_000 + inRound), 0);
      book = addVote(book, place.epoch, place.bls, vote).book;
    }
    expect(book.rounds.size).toBe(ROUNDS_PER_VALIDATOR_MAX);
    const older = voteFor(place, block, 0);
    expect(addVote(book, place.epoch, place.bls, older).outcome).toMatchObject({
      refusal: { code: 'ROUND_BELOW_WINDOW', round: 1, oldest: 1_000_297 },
    });
    const others = fill(place, votesOf(block, 1, 2, 3), book);
    expect(others.statuses.at(-1)).toBe('certified');
  });

  it('forget rounds that are over', () => {
    const { book } = fill(place, [
      ...votesOf(block, 0, 1),
      ...votesOf(blockOn(place, place.epoch.rootQC, 2), 0),
    ]);
    const left = forgetVotesBelow(book, blockOn(place, place.epoch.rootQC, 2).header.round);
    expect([...left.rounds.keys()]).toEqual([2]);
    expect(votesIn(left, block.header.round).size).toBe(0);
    expect(forgetVotesBelow(left, block.header.round)).toBe(left);
  });
});
