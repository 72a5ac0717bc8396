import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evidenceIdOf } from '../../../src/protocol/chain/canonical.ts';
import {
  accusedOf,
  doubleVote,
  epochOf,
  qcHiding,
  timeoutStatementOf,
  verifyEvidence,
} from '../../../src/protocol/consensus/evidence.ts';
import { castVote, emptyRecord, signTimeout } from '../../../src/protocol/consensus/safety.ts';
import { blockOn, chainOf, height, present, round, tcOf, timeoutBy, voteFor, world } from './fixture.ts';

const place = world();
const { rootQC, domain } = place.epoch;
const { blocks, qcs } = chainOf(place, [1, 2, 3, 4]);
const block = present(blocks[1], 'block 2');
const rival = blockOn(place, present(qcs[0], 'QC 1'), 2, { time: 5_000_000 });
const judge = (evidence: Parameters<typeof verifyEvidence>[2]) => {
  const verdict = verifyEvidence(place.epoch, place.bls, evidence);
  return verdict === 'valid' ? verdict : verdict.code;
};

describe('two votes in one round (CS-14)', () => {
  const [left, right] = [voteFor(place, block, 0), voteFor(place, rival, 0)];

  it('prove themselves, in one form whatever the order', () => {
    const evidence = present(doubleVote(left, right), 'evidence');
    expect(doubleVote(right, left)).toEqual(evidence);
    expect(judge(evidence)).toBe('valid');
    expect(accusedOf(evidence)).toBe(left.validator);
    expect(epochOf(evidence)).toBe(left.epoch);
    expect(evidenceIdOf(evidence)).toBe(evidenceIdOf(present(doubleVote(right, left), 'evidence')));
  });

  it('are none when they are the same, another’s, or of different rounds', () => {
    expect(doubleVote(left, { ...left, signature: new Uint8Array(96) })).toBeUndefined();
    expect(doubleVote(left, voteFor(place, rival, 1))).toBeUndefined();
    expect(doubleVote(left, voteFor(place, present(blocks[0], 'block 1'), 0))).toBeUndefined();
  });

  it('accuse nobody under a wrong signature', () => {
    const evidence = present(doubleVote(left, right), 'evidence');
    expect(judge({ ...evidence, second: { ...evidence.second, signature: evidence.first.signature } })).toBe(
      'SIGNATURE_INVALID',
    );
    expect(judge({ ...evidence, second: evidence.first })).toBe('EVIDENCE_NOT_AN_OFFENCE');
    expect(judge({ ...evidence, first: evidence.second, second: evidence.first })).toBe(
      'EVIDENCE_NOT_AN_OFFENCE',
    );
  });
});

describe('QC hiding (CS-14)', () => {
  const vote = voteFor(place, present(blocks[2], 'block 3'), 0);
  const lastTC = tcOf(place, 3, [rootQC, rootQC, rootQC]);
  const hiding = timeoutStatementOf(timeoutBy(place, 0, { round: 4, highQC: rootQC, lastTC }));

  it('is a later timeout that reports less than its own vote extended', () => {
    const evidence = present(qcHiding(vote, hiding), 'evidence');
    expect(judge(evidence)).toBe('valid');
    expect(judge({ ...evidence, timeout: { ...hiding, signature: new Uint8Array(96) } })).toBe(
      'SIGNATURE_INVALID',
    );
    expect(judge({ ...evidence, timeout: { ...hiding, round: round(1) } })).toBe('EVIDENCE_NOT_AN_OFFENCE');
    const double = doubleVote(voteFor(place, block, 0), voteFor(place, rival, 0));
    expect(evidenceIdOf(evidence)).not.toBe(evidenceIdOf(present(double, 'evidence')));
  });

  it('is none before the vote, at the vote’s own knowledge, or another’s', () => {
    const honest = timeoutStatementOf(
      timeoutBy(place, 0, { round: 4, highQC: present(qcs[1], 'QC 2'), lastTC }),
    );
    expect(qcHiding(vote, honest)).toBeUndefined();
    expect(qcHiding(vote, { ...hiding, round: round(2) })).toBeUndefined();
    expect(qcHiding(vote, { ...hiding, validator: place.addressAt(1) })).toBeUndefined();
  });

  it('is never what the signer’s rules let an honest validator do, across crashes', () => {
    const me = place.signer(0);
    const asked = fc.record({
      vote: fc.boolean(),
      round: fc.integer({ min: 1, max: 6 }),
      qc: fc.integer({ min: 0, max: 4 }),
      tc: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
      crash: fc.boolean(),
    });
    const tcs = [1, 2, 3, 4, 5].map((inRound) => tcOf(place, inRound, [rootQC, rootQC, rootQC]));
    fc.assert(
      fc.property(fc.array(asked, { maxLength: 25 }), (requests) => {
        let record = emptyRecord(rootQC);
        const votes: ReturnType<typeof voteFor>[] = [];
        const timeouts: ReturnType<typeof timeoutStatementOf>[] = [];
        for (const request of requests) {
          const highQC = request.qc === 0 ? rootQC : present(qcs[request.qc - 1], 'QC');
          const tc = request.tc === undefined ? undefined : tcs[request.tc - 1];
          if (request.crash) record = structuredClone(record);
          if (request.vote) {
            const proposed = blockOn(place, highQC, request.round);
            const answer = castVote(domain, me, record, { block: proposed, tc });
            if (answer.status === 'signed') ({ record } = answer);
            if (answer.status !== 'refused') votes.push(answer.vote);
          } else {
            const answer = signTimeout(domain, me, record, {
              round: round(request.round),
              highQC,
              lastTC: tc,
              reason: 'LeaderTimeout',
              height: height(1),
              tick: 0,
            });
            if (answer.status === 'refused') continue;
            ({ record } = answer);
            timeouts.push(timeoutStatementOf(answer.message));
          }
        }
        for (const one of votes) {
          for (const other of votes) expect(doubleVote(one, other)).toBeUndefined();
          for (const timeout of timeouts) expect(qcHiding(one, timeout)).toBeUndefined();
        }
      }),
      { numRuns: 150 },
    );
  });
});
