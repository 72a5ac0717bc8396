/** The checker of the kill test on frames of honest and of forging validators: it must find what it is there for. */
import { describe, expect, it } from 'vitest';
import type { QuorumCertificate } from '../../src/protocol/chain/types.ts';
import { emptyRecord } from '../../src/protocol/consensus/safety.ts';
import type { SafetyRecord } from '../../src/protocol/consensus/types.ts';
import type { WireMessage } from '../../src/protocol/transport/messages.ts';
import * as made from '../protocol/consensus/fixture.ts';
import { bytesOf } from './support/attacker.ts';
import { type FoundRecord, violationsOf } from './support/double-signs.ts';
import { Sightings } from './support/sightings.ts';

const place = made.world();
const [first, second, third] = made.chainOf(place, [1, 2, 3]).blocks;
const one = made.present(first, 'block 1');
const two = made.present(second, 'block 2');
const three = made.present(third, 'block 3');
/** Validator 0 speaks in these tests, and leads no round of them but those named. */
const voteFor = (block: typeof one, index = 0) => made.voteFor(place, block, index);
const rival = made.blockOn(place, two.qc, 2, { time: 2_000_000 });

const sightingsOf = (...lives: readonly (readonly WireMessage[])[]) => {
  const sightings = new Sightings(place.epoch);
  for (const [life, messages] of lives.entries()) {
    sightings.take(
      life,
      messages.map((message) => ({ bytes: bytesOf(message) })),
    );
  }
  return sightings.all;
};

const found = (life: number, version: number, record: Partial<SafetyRecord>): FoundRecord => ({
  signer: place.addressAt(0),
  life,
  version,
  record: { ...emptyRecord(place.epoch.rootQC), ...record },
});

const votedFor = (block: typeof one): Partial<SafetyRecord> => ({
  lastVotedRound: block.header.round,
  lastVote: voteFor(block),
  lockedRound: block.qc.round,
  highQC: block.qc,
});

const codes = (...args: Parameters<typeof violationsOf>) => violationsOf(...args).map(({ code }) => code);
const vote = (block: typeof one): WireMessage => ({ kind: 'Vote', vote: voteFor(block) });
const timeout = (round: number, highQC: QuorumCertificate, tick = 0): WireMessage =>
  made.timeoutBy(place, 0, { round, highQC, tick });

describe('what an honest validator sends', () => {
  it('passes: votes in growing rounds, a timeout re-sent, the same vote again after a restart (CS-3, CS-6)', () => {
    const seen = sightingsOf(
      [vote(one), vote(two), vote(two)],
      [vote(two), timeout(3, three.qc), timeout(3, three.qc, 7)],
    );
    expect(seen.filter(({ life }) => life !== undefined)).toHaveLength(3);
    const records = [
      found(0, 2, votedFor(two)),
      found(1, 3, {
        ...votedFor(two),
        lastVotedRound: made.round(3),
        lastTimeout: made.timeoutBy(place, 0, { round: 3, highQC: three.qc }),
      }),
    ];
    expect(violationsOf(seen, records)).toEqual([]);
  });

  it('passes: a vote first seen inside the timeout of its round (CS-6)', () => {
    const message = made.timeoutBy(place, 0, { round: 1, highQC: one.qc, lastVote: voteFor(one) });
    expect(codes(sightingsOf([message]), [])).toEqual([]);
  });
});

describe('what no honest validator sends', () => {
  it('two votes in one round, in one life or in two (CS-3)', () => {
    expect(codes(sightingsOf([vote(two), vote(rival)]), [])).toEqual(['SIGNED_TWICE']);
    expect(codes(sightingsOf([vote(two)], [vote(three), vote(rival)]), [])).toEqual(['SIGNED_TWICE']);
  });

  it('a vote in one round, and another in a certificate that somebody else tells (CS-3)', () => {
    const qc = made.qcOf(place, rival, [0, 1, 2]);
    expect(codes(sightingsOf([vote(two), { kind: 'QC', qc }]), [])).toEqual(['SIGNED_TWICE']);
  });

  it('two blocks in one round (CS-9)', () => {
    const blocks = [two, rival].map((block) => made.proposalOf(place, block));
    // The author's vote rides along: two blocks are two votes.
    expect(codes(sightingsOf(blocks), [])).toEqual(['SIGNED_TWICE', 'SIGNED_TWICE']);
  });

  it('a timeout signed again over a newer high QC (CS-6)', () => {
    expect(codes(sightingsOf([timeout(3, two.qc), timeout(3, three.qc)]), [])).toEqual(['SIGNED_TWICE']);
  });

  it('a vote after the timeout of its round or a later one, a timeout below a vote (CS-6)', () => {
    expect(codes(sightingsOf([timeout(2, two.qc), vote(two)]), [])).toEqual(['VOTE_AFTER_TIMEOUT']);
    expect(codes(sightingsOf([timeout(3, three.qc)], [vote(one)]), [])).toEqual(['VOTE_AFTER_TIMEOUT']);
    expect(codes(sightingsOf([vote(two), timeout(1, one.qc)]), [])).toEqual(['TIMEOUT_BELOW_VOTE']);
  });
});

describe('a record found after a kill', () => {
  it('must know every vote that left: its round, and its block (a vote never leaves before it is durable)', () => {
    const seen = sightingsOf([vote(one), vote(two)]);
    expect(codes(seen, [found(0, 1, votedFor(one))])).toEqual(['NOT_COVERED_BY_RECORD']);
    const timedOut = { ...votedFor(one), lastVotedRound: made.round(2) };
    expect(codes(seen, [found(0, 1, timedOut)])).toEqual(['NOT_COVERED_BY_RECORD']);
    const other = { ...votedFor(two), lastVote: voteFor(rival) };
    expect(codes(seen, [found(0, 1, other)])).toEqual(['NOT_COVERED_BY_RECORD']);
    expect(codes(seen, [found(0, 2, votedFor(two))])).toEqual([]);
  });

  it('must know every timeout that left', () => {
    const seen = sightingsOf([timeout(3, three.qc)]);
    expect(codes(seen, [found(0, 1, { lastVotedRound: made.round(3) })])).toEqual(['NOT_COVERED_BY_RECORD']);
  });

  it('need not know what leaves in a later life', () => {
    expect(codes(sightingsOf([vote(one)], [vote(two)]), [found(0, 1, votedFor(one))])).toEqual([]);
  });

  it('never falls from one kill to the next (ST-2)', () => {
    const fallen = [
      found(0, 2, votedFor(two)),
      found(1, 3, { ...votedFor(two), lockedRound: made.round(0) }),
    ];
    expect(violationsOf([], fallen)).toMatchObject([
      { code: 'RECORD_WENT_BACK', detail: 'lockedRound was 1 after life 0, is 0 after life 1' },
    ]);
  });
});
