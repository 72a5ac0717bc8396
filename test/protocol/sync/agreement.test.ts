import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Height } from '../../../src/protocol/chain/types.ts';
import { honestPowerOf, validatorSet } from '../../../src/protocol/chain/validator-set.ts';
import {
  type Agreement,
  agreementOf,
  agreePower,
  answersOf,
  claimedHeights,
  differsAt,
  findConsensusHeight,
  type HeightVote,
  highestProved,
  honestPowerFor,
  supportedHeight,
  votesOf,
} from '../../../src/protocol/sync/agreement.ts';
import { height, present, world } from '../consensus/fixture.ts';
import { committedChain, peerState, strangeId } from './peer-states.ts';

const THRESHOLD = 0.67;
const votes = (...heights: number[]): HeightVote[] =>
  heights.map((at) => ({ height: height(at), power: 1n }));

/** Of a network of `total` equal validators, this node among them: those who answered, and how many are connected. */
const agreement = (total: number, heard: readonly HeightVote[], connected = heard.length): Agreement =>
  agreementOf(honestPowerOf(BigInt(total)), THRESHOLD, {
    connected: Array.from({ length: connected }, () => ({ power: 1n })),
    votes: heard,
  });
const codeOf = (agreed: Agreement) => (agreed.status === 'failed' ? agreed.error.code : agreed.status);

describe('how much must agree', () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 3],
    [6, 5],
    [10, 7],
    [100, 67],
    [101, 68],
    [300, 201],
  ])('of %i answers %i must agree: 67 of 100, and more than two thirds (SY-1)', (answers, needed) => {
    expect(agreePower(THRESHOLD, BigInt(answers))).toBe(BigInt(needed));
  });

  it('is more than one vote of three: `trunc(0.666·3) = 1` making one vote a consensus (SY-1)', () => {
    expect(Math.trunc(0.666 * 3)).toBe(1);
    expect(agreePower(0.666, 3n)).toBe(3n);
    expect(findConsensusHeight(votes(7, 8, 9), agreePower(0.666, 3n))).toBeUndefined();
  });

  it('never falls to two thirds or below, however low the threshold is set (SY-1)', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 1, noNaN: true }),
        fc.bigInt({ min: 1n, max: 2n ** 60n }),
        (threshold, answered) => {
          const needed = agreePower(threshold, answered);
          expect(3n * needed).toBeGreaterThan(2n * answered);
          expect(needed).toBeLessThanOrEqual(answered);
        },
      ),
    );
  });

  it('is exact where floats are not: 0.7 of 10^18 + 10 is not rounded (SY-1)', () => {
    expect(agreePower(0.7, 10n ** 18n + 10n)).toBe(7n * 10n ** 17n + 7n);
  });
});

describe('seed 001', () => {
  it('test_consensus_height_calculation: 67% at one height are a consensus (SY-1)', () => {
    expect(agreement(5, votes(100, 100, 100, 99))).toEqual({
      status: 'agreed',
      exact: 100,
      supported: 100,
      needed: 3n,
    });
  });

  it('test_no_consensus: split votes give no exact height, and the height that all reach (SY-1)', () => {
    expect(agreement(5, votes(100, 101, 102, 103))).toEqual({ status: 'agreed', supported: 101, needed: 3n });
    expect(agreement(5, votes(100, 100, 101, 101))).toEqual({ status: 'agreed', supported: 100, needed: 3n });
  });
});

describe('the supported height', () => {
  it('Exact-height 67 % stalling on [1,21,24,24]: 21 is supported (SY-1)', () => {
    const agreed = agreement(5, votes(1, 21, 24, 24));
    expect(agreed).toEqual({ status: 'agreed', supported: 21, needed: 3n });
  });

  it('is at most what an honest validator reports, and at least what the lowest honest one does (SY-1, SY-3)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 1_000 }), { minLength: 3, maxLength: 20 }),
        fc.array(fc.nat({ max: 2 ** 40 }), { maxLength: 6 }),
        (honest, liars) => {
          // n = 3f + 1 or more: of the others so many may lie.
          fc.pre(3 * liars.length <= honest.length + liars.length);
          const heard = [...votes(...honest), ...votes(...liars)];
          const agreed = agreement(honest.length + liars.length + 1, heard);
          if (agreed.status === 'failed') throw new Error(agreed.error.detail);
          expect(agreed.supported).toBeLessThanOrEqual(Math.max(...honest));
          const honestAgree = BigInt(honest.length) >= agreed.needed;
          if (honestAgree) expect(agreed.supported).toBeGreaterThanOrEqual(Math.min(...honest));
        },
      ),
    );
  });

  it('does not depend on the order of the answers', () => {
    const vote = fc.record({
      height: fc.nat({ max: 5 }).map(height),
      power: fc.bigInt({ min: 1n, max: 4n }),
    });
    fc.assert(
      fc.property(fc.array(vote, { minLength: 1, maxLength: 9 }), (heard) => {
        const total = heard.reduce((sum, { power }) => sum + power, 0n);
        const needed = agreePower(THRESHOLD, total);
        const backwards = [...heard].reverse();
        expect(supportedHeight(backwards, needed)).toBe(supportedHeight(heard, needed));
        expect(findConsensusHeight(backwards, needed)).toBe(findConsensusHeight(heard, needed));
      }),
    );
  });

  it('weighs validators by power: three small ones do not outvote a large one (SY-1)', () => {
    const heard = [...votes(5, 5, 5), { height: height(9), power: 7n }];
    const agreed = agreementOf(4n, THRESHOLD, { connected: heard, votes: heard });
    expect(agreed).toEqual({ status: 'agreed', exact: 9, supported: 9, needed: 7n });
  });
});

describe('who must answer', () => {
  it('"No peers" taken for "synced": nobody connected is NoPeersAvailable (SY-2)', () => {
    expect(codeOf(agreement(4, [], 0))).toBe('NoPeersAvailable');
  });

  it('calls it Timeout where nobody of those connected answers (SY-2)', () => {
    expect(codeOf(agreement(4, [], 3))).toBe('Timeout');
  });

  it('needs more than half of the connected validators by count (SY-1)', () => {
    expect(codeOf(agreement(7, votes(5, 5, 5), 6))).toBe('NoConsensusReached');
    expect(codeOf(agreement(7, votes(5, 5, 5, 5), 6))).toBe('agreed');
  });

  it('needs more than half of them by count though a single one has most of the power (SY-1)', () => {
    const large = { height: height(5), power: 9n };
    const connected = [large, ...votes(5, 5, 5)];
    expect(codeOf(agreementOf(5n, THRESHOLD, { connected, votes: [large] }))).toBe('NoConsensusReached');
  });

  it('needs more than half of the connected power: many small ones are not enough (SY-1)', () => {
    const small = votes(5, 5, 5);
    const connected = [...small, { power: 3n }];
    expect(codeOf(agreementOf(2n, THRESHOLD, { connected, votes: small }))).toBe('NoConsensusReached');
    const enough = [...small, { power: 2n }];
    expect(codeOf(agreementOf(2n, THRESHOLD, { connected: enough, votes: small }))).toBe('agreed');
  });

  it('one connected peer of a set of four is no consensus: it may be the liar (SY-1)', () => {
    expect(codeOf(agreement(4, votes(1_000_000)))).toBe('NoConsensusReached');
    expect(codeOf(agreement(4, votes(9, 9)))).toBe('agreed');
  });

  it('asks all others for their word where they are too few for an honest one among them, and J(W) of them elsewhere', () => {
    const place = world();
    const needed = (own: number, ...others: readonly number[]) => {
      const powers = [own, ...others];
      const validators = place.validators.slice(0, powers.length).map((one, index) => ({
        ...one,
        power: BigInt(present(powers[index], 'a power')),
      }));
      const set = validatorSet(validators);
      if ('code' in set) throw new Error(set.code);
      return honestPowerFor(set, present(validators[0], 'a validator').address);
    };
    // Of 15 a quorum is 11 and J 6: whoever has 10 hears at most 5 of others, and waits for nobody above that.
    expect(needed(10, 1, 3, 1)).toBe(5n);
    expect(needed(2, 1)).toBe(1n);
    expect(needed(9, 1, 3, 2)).toBe(6n);
    expect(needed(1, 1, 1, 1)).toBe(2n);
    expect(needed(1)).toBe(0n);
  });

  it('shows full nodes and does not count them (SY-1)', () => {
    const full = { height: height(50), power: 0n };
    const counted = votes(5, 5, 5);
    const agreed = agreementOf(2n, THRESHOLD, {
      connected: [...counted, full, full, full, full],
      votes: [full, full, full, full, ...counted],
    });
    expect(agreed).toEqual({ status: 'agreed', exact: 5, supported: 5, needed: 3n });
    const alone = agreementOf(2n, THRESHOLD, { connected: [full], votes: [full] });
    expect(codeOf(alone)).toBe('NoPeersAvailable');
  });
});

describe('what peers claim', () => {
  const place = world();
  const chain = committedChain(place, 6);
  const [first, second, third] = [1, 2, 3].map((index) => place.addressAt(index));
  const one = present(first, 'peer');
  const two = present(second, 'peer');
  const three = present(third, 'peer');

  it('the highest proved tip counts, though a bare claim is higher (SY-3)', () => {
    const peers = [
      peerState(one, chain.tip(3)),
      peerState(two, { height: 9_999 }),
      peerState(three, chain.tip(5)),
    ];
    expect(highestProved(peers)).toEqual(chain.tip(5));
    expect(highestProved([peerState(two, { height: 9_999 })])).toBeUndefined();
  });

  it('votes are of those that answered, in the order of addresses', () => {
    const peers = [peerState(three, { height: 3 }), peerState(one, { height: 1 }), peerState(two)];
    const answers = answersOf(peers, [two, one]);
    expect(votesOf(answers)).toEqual(votes(1));
    expect(votesOf(answersOf(peers, [three, one]))).toEqual(votes(1, 3));
    expect(claimedHeights(peers)).toEqual([1, 3]);
  });

  const ids = new Map(
    [3, 5].map((at): [Height, ReturnType<typeof strangeId>] => [height(at), chain.tip(at).id]),
  );

  it('An equal-height fork read as InSync: 67 % with another block at our height differ (SY-5)', () => {
    const fork = { height: 5, id: strangeId('fork') };
    const peers = [one, two, three].map((peer) => peerState(peer, fork));
    expect(differsAt(peers, ids, 3n)).toBe(5);
  });

  it('is seen below our height too, at the lowest height that is named (SY-5)', () => {
    const peers = [
      peerState(one, { height: 5, id: strangeId('fork 5') }),
      peerState(two, { height: 3, id: strangeId('fork 3') }),
    ];
    expect(differsAt(peers, ids, 2n)).toBe(3);
  });

  it('One lying peer raising Critical: fewer than 67 % that differ are nothing (SY-5)', () => {
    const liar = peerState(one, { height: 5, id: strangeId('fork') });
    const honest = [peerState(two, chain.tip(5)), peerState(three, chain.tip(3))];
    expect(differsAt([liar, ...honest], ids, 3n)).toBeUndefined();
    expect(
      differsAt([liar, peerState(two, { height: 4, id: strangeId('unknown to us') })], ids, 2n),
    ).toBeUndefined();
  });
});
