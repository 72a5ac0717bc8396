import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockIdOf, statementOf, voteStatementBytes } from '../../../src/protocol/chain/canonical.ts';
import { parseEpoch } from '../../../src/protocol/chain/parse.ts';
import type { Block, QuorumCertificate, TimeoutCertificate } from '../../../src/protocol/chain/types.ts';
import {
  checkEntry,
  currentRoundOf,
  entryOf,
  recoveredHighQC,
  tcToCarry,
} from '../../../src/protocol/consensus/entry.ts';
import { recordIn } from '../../../src/protocol/consensus/epoch.ts';
import {
  castVote,
  emptyRecord,
  ruleOnTimeout,
  ruleOnVote,
  signProposal,
  signTimeout,
  type TimeoutQuery,
} from '../../../src/protocol/consensus/safety.ts';
import type { SafetyRecord } from '../../../src/protocol/consensus/types.ts';
import { blockOn, chainOf, epochNumber, height, present, qcOf, round, tcOf, world } from './fixture.ts';

const place = world();
const { domain, rootQC } = place.epoch;
const me = place.signer(0);
const fresh = emptyRecord(rootQC);
const chain = chainOf(place, [1, 2, 3]);
const qcAt = (index: number) => present(chain.qcs[index], 'QC');
const blockAt = (index: number) => present(chain.blocks[index], 'block');

const vote = (record: SafetyRecord, block: Block, tc?: TimeoutCertificate) =>
  castVote(domain, me, record, { block, tc });
const codeOf = (answer: ReturnType<typeof vote>): string =>
  answer.status === 'refused' ? answer.refusal.code : answer.status;
const voted = (record: SafetyRecord, block: Block, tc?: TimeoutCertificate): SafetyRecord => {
  const answer = vote(record, block, tc);
  if (answer.status !== 'signed') throw new Error(codeOf(answer));
  return answer.record;
};
const timeout = (
  record: SafetyRecord,
  inRound: number,
  highQC: QuorumCertificate,
  more: Partial<TimeoutQuery> = {},
) =>
  signTimeout(domain, me, record, {
    round: round(inRound),
    highQC,
    reason: 'LeaderTimeout',
    height: height(1),
    tick: 0,
    ...more,
  });
const timedOut = (...query: Parameters<typeof timeout>) => {
  const answer = timeout(...query);
  if (answer.status !== 'signed') throw new Error(JSON.stringify(answer));
  return answer;
};
const timeoutCode = (...query: Parameters<typeof timeout>): string => {
  const answer = timeout(...query);
  return answer.status === 'refused' ? answer.refusal.code : answer.status;
};

describe('entry (CS-1, CS-2)', () => {
  const tc2 = tcOf(place, 2, [qcAt(0), rootQC, rootQC]);

  it('currentRound = max(highQC.round, lastTC.round) + 1 (CS-1)', () => {
    expect(currentRoundOf(rootQC, undefined)).toBe(1);
    expect(currentRoundOf(qcAt(0), tc2)).toBe(3);
    expect(currentRoundOf(qcAt(2), tc2)).toBe(4);
  });

  it('is by the QC of the round before without a TC, or by the TC of the round before', () => {
    expect(checkEntry(round(2), qcAt(0), undefined)).toBe('valid');
    expect(checkEntry(round(3), qcAt(0), tc2)).toBe('valid');
    expect(checkEntry(round(3), qcAt(0), undefined)).toMatchObject({ code: 'ENTRY_INVALID' });
    expect(checkEntry(round(4), qcAt(0), tc2)).toMatchObject({ code: 'ENTRY_INVALID' });
    expect(checkEntry(round(3), qcAt(2), tc2)).toMatchObject({ code: 'ENTRY_INVALID' });
  });

  it('by a TC must extend at least the best QC that its signers reported (the lock)', () => {
    expect(checkEntry(round(3), rootQC, tc2)).toEqual({
      code: 'NOT_EXTENDING_LOCK',
      round: 3,
      qcRound: 0,
      maxHighQcRound: 1,
    });
  });

  it('after a restart starts from the record’s QC, or a newer proof of commit', () => {
    expect(recoveredHighQC(qcAt(1), undefined)).toBe(qcAt(1));
    expect(recoveredHighQC(qcAt(1), qcAt(0))).toBe(qcAt(1));
    expect(recoveredHighQC(qcAt(1), qcAt(2))).toBe(qcAt(2));
  });

  it('passes over what is of another epoch: the proof of the last block of the one before, the record of a later one (CS-16, ST-9)', () => {
    const later = { ...rootQC, epoch: epochNumber(1), blockId: qcAt(2).blockId };
    expect(recoveredHighQC(later, qcAt(2))).toBe(later);
    const kept = { ...emptyRecord(later), lastVotedRound: round(9) };
    expect(recordIn(place.epoch, { record: kept })).toEqual(emptyRecord(rootQC));
    expect(recordIn({ ...place.epoch, epoch: epochNumber(1) }, { record: kept })).toBe(kept);
  });

  it('carries the TC exactly when highQC.round + 1 is not the round (CS-6, CS-9)', () => {
    expect(tcToCarry(round(3), qcAt(0), tc2)).toBe(tc2);
    expect(tcToCarry(round(3), qcAt(1), tc2)).toBeUndefined();
    expect(entryOf(qcAt(0), tc2)).toEqual({ by: 'tc', tc: tc2 });
    expect(entryOf(qcAt(1), tc2)).toEqual({ by: 'qc', qc: qcAt(1) });
  });
});

describe('vote (CS-3)', () => {
  it('is signed over the block’s statement and recorded with its lock', () => {
    const answer = vote(fresh, blockAt(1));
    if (answer.status !== 'signed') throw new Error(codeOf(answer));
    const statement = statementOf(blockAt(1), blockIdOf(domain, blockAt(1)));
    expect(answer.vote.signature).toEqual(me.sign(voteStatementBytes(domain, statement)));
    expect(answer.record).toEqual({
      epoch: rootQC.epoch,
      lastVotedRound: 2,
      lastVote: answer.vote,
      lockedRound: 1,
      highQC: qcAt(0),
    });
  });

  it('refuses a second vote in one round (CS-3)', () => {
    const record = voted(fresh, blockAt(1));
    const rival = blockOn(place, qcAt(0), 2, { time: 5_000_000 });
    expect(vote(record, rival)).toEqual({
      status: 'refused',
      refusal: { code: 'ROUND_ALREADY_VOTED', round: 2, lastVotedRound: 2 },
    });
  });

  it('re-sends the stored vote for the identical block, also after later timeouts', () => {
    const record = voted(fresh, blockAt(1));
    expect(vote(record, blockAt(1))).toEqual({ status: 'resent', vote: record.lastVote });
    const later = timedOut(record, 2, qcAt(0)).record;
    expect(vote(later, blockAt(1))).toEqual({ status: 'resent', vote: record.lastVote });
  });

  it('refuses rounds that do not grow', () => {
    const record = voted(fresh, blockAt(2));
    expect(codeOf(vote(record, blockAt(0)))).toBe('ROUND_ALREADY_VOTED');
    expect(codeOf(vote(record, blockAt(1)))).toBe('ROUND_ALREADY_VOTED');
  });

  it('refuses a round that this validator gave up', () => {
    const record = timedOut(fresh, 2, qcAt(0)).record;
    expect(codeOf(vote(record, blockAt(1)))).toBe('ROUND_ALREADY_VOTED');
    expect(codeOf(vote(record, blockAt(2)))).toBe('signed');
  });

  it('refuses a skipped round without justification (pitfall: HotShot#2598)', () => {
    expect(codeOf(vote(fresh, blockOn(place, qcAt(0), 4)))).toBe('ENTRY_INVALID');
    expect(codeOf(vote(fresh, blockOn(place, qcAt(0), 4), tcOf(place, 2, [rootQC, rootQC, rootQC])))).toBe(
      'ENTRY_INVALID',
    );
  });

  it('refuses a block below what the TC’s signers knew, whatever its own lock (NOT_EXTENDING_LOCK)', () => {
    const tc = tcOf(place, 3, [qcAt(1), rootQC, rootQC]);
    expect(codeOf(vote(fresh, blockOn(place, qcAt(0), 4), tc))).toBe('NOT_EXTENDING_LOCK');
    expect(codeOf(vote(fresh, blockOn(place, qcAt(1), 4), tc))).toBe('signed');
  });

  it('does not test the lock: a TC that did not know of it opens the round for an older QC', () => {
    const locked = voted(fresh, blockAt(2));
    expect(locked.lockedRound).toBe(2);
    const tc = tcOf(place, 3, [qcAt(0), rootQC, rootQC]);
    const record = voted(locked, blockOn(place, qcAt(0), 4), tc);
    expect(record.lockedRound).toBe(2);
    expect(record.highQC).toBe(qcAt(1));
    expect(record.lastTC).toBe(tc);
  });

  it('refuses another epoch', () => {
    const later = parseEpoch(1);
    if (later === 'malformed') throw new Error('epoch');
    expect(codeOf(vote({ ...fresh, epoch: later }, blockAt(0)))).toBe('WRONG_EPOCH');
  });

  it('refuses a statement that does not fit the QC it extends', () => {
    const statement = statementOf(blockAt(1), blockIdOf(domain, blockAt(1)));
    const rule = (query: Partial<Parameters<typeof ruleOnVote>[1]>) => {
      const ruling = ruleOnVote(fresh, { statement, qc: qcAt(0), ...query });
      return ruling.status === 'refused' ? ruling.refusal.code : ruling.status;
    };
    expect(rule({})).toBe('granted');
    expect(rule({ qc: qcOf(place, blockOn(place, rootQC, 1, { time: 7_000_000 })) })).toBe('PARENT_MISMATCH');
    expect(rule({ statement: { ...statement, height: height(3) } })).toBe('HEIGHT_WRONG');
    expect(rule({ statement: { ...statement, parentRound: round(0) } })).toBe('PARENT_MISMATCH');
  });

  it('signs nothing without its key', () => {
    const absent = { address: me.address, sign: () => undefined, prove: () => undefined };
    expect(castVote(domain, absent, fresh, { block: blockAt(0) })).toMatchObject({
      status: 'refused',
      refusal: { code: 'SIGNER_UNAVAILABLE' },
    });
  });
});

describe('own proposal (CS-9)', () => {
  const leads = place.signer(place.indexOf(blockAt(0).header.proposer));
  const leader = leads.address;

  it('rides with its author’s vote, which is its signature', () => {
    const answer = signProposal(domain, leads, fresh, { block: blockAt(0), leader });
    if (answer.status !== 'signed') throw new Error(answer.status);
    expect(answer.proposal).toEqual({ kind: 'Proposal', block: blockAt(0), vote: answer.record.lastVote });
  });

  it('refuses a second block by the same leader after a restart', () => {
    const answer = signProposal(domain, leads, fresh, { block: blockAt(0), leader });
    if (answer.status !== 'signed') throw new Error(answer.status);
    const durable = structuredClone(answer.record);
    const rival = blockOn(place, rootQC, 1, { time: 9_000_000 });
    expect(signProposal(domain, leads, durable, { block: rival, leader })).toMatchObject({
      status: 'refused',
      refusal: { code: 'ROUND_ALREADY_VOTED' },
    });
    expect(signProposal(domain, leads, durable, { block: blockAt(0), leader })).toMatchObject({
      status: 'resent',
      proposal: { vote: answer.proposal.vote },
    });
  });

  it('refuses to propose in another’s round', () => {
    const other = place.signer((place.indexOf(leader) + 1) % 4);
    expect(signProposal(domain, other, fresh, { block: blockAt(0), leader })).toMatchObject({
      status: 'refused',
      refusal: { code: 'NOT_THE_LEADER' },
    });
  });
});

describe('timeout (CS-6)', () => {
  it('raises lastVotedRound and is stored whole', () => {
    const { record, message } = timedOut(fresh, 2, qcAt(0));
    expect(record).toMatchObject({
      lastVotedRound: 2,
      lockedRound: 0,
      highQC: qcAt(0),
      lastTimeout: message,
    });
    expect(message.lastTC).toBeUndefined();
    expect(message.lastVote).toBeUndefined();
  });

  it('carries its own vote of that round only, and the TC only where the QC does not open the round', () => {
    const record = voted(fresh, blockAt(1));
    expect(timedOut(record, 2, qcAt(0)).message.lastVote).toEqual(record.lastVote);
    const lastTC = tcOf(place, 2, [qcAt(0), rootQC, rootQC]);
    const later = timedOut(record, 3, qcAt(0), { lastTC });
    expect(later.message.lastVote).toBeUndefined();
    expect(later.message.lastTC).toBe(lastTC);
    expect(timedOut(record, 3, qcAt(1), { lastTC }).message.lastTC).toBeUndefined();
  });

  it('is re-sent unchanged but for its tick, though the high QC is newer now (pitfall: slashes the honest)', () => {
    const { record, message } = timedOut(fresh, 3, qcAt(0), {
      lastTC: tcOf(place, 2, [rootQC, rootQC, rootQC]),
    });
    const again = timeout(structuredClone(record), 3, qcAt(1), { reason: 'NoProgressInView' });
    if (again.status !== 'resent') throw new Error(again.status);
    expect(again.message).toEqual({ ...message, tick: 1 });
    const third = timeout(again.record, 3, qcAt(1), { tick: 40 });
    expect(third).toMatchObject({ status: 'resent', message: { ...message, tick: 40 } });
  });

  it('refuses rounds below its last timeout or last vote', () => {
    const tc = tcOf(place, 2, [rootQC, rootQC, rootQC]);
    const { record } = timedOut(fresh, 3, qcAt(0), { lastTC: tc });
    expect(timeoutCode(record, 2, qcAt(0))).toBe('TIMEOUT_NOT_GROWING');
    expect(timeoutCode(voted(fresh, blockAt(2)), 2, qcAt(0))).toBe('TIMEOUT_BELOW_VOTE');
    expect(timeoutCode(voted(fresh, blockAt(1)), 2, qcAt(0))).toBe('signed');
  });

  it('refuses a high QC below the lock (pitfall: a lock overwritten by an older QC)', () => {
    const locked = voted(fresh, blockAt(2));
    const lastTC = tcOf(place, 3, [qcAt(0), qcAt(0), qcAt(0)]);
    expect(timeoutCode(locked, 4, qcAt(0), { lastTC })).toBe('HIGH_QC_BELOW_LOCK');
    expect(timeoutCode(locked, 4, qcAt(1), { lastTC })).toBe('signed');
  });

  it('refuses a round that no certificate of the round before opened, or that is over', () => {
    expect(timeoutCode(fresh, 3, qcAt(0))).toBe('ROUND_NOT_JUSTIFIED');
    expect(timeoutCode(fresh, 2, qcAt(1))).toBe('HIGH_QC_NOT_BELOW_ROUND');
  });

  it('may follow the leader’s own proposal (pitfall: a leader that does not time out its own proposal)', () => {
    const leads = place.signer(place.indexOf(blockAt(0).header.proposer));
    const own = signProposal(domain, leads, fresh, { block: blockAt(0), leader: leads.address });
    if (own.status !== 'signed') throw new Error(own.status);
    expect(timeoutCode(own.record, 1, rootQC)).toBe('signed');
  });
});

describe('the record', () => {
  /** Everything that a scheduler could ask of a signer, in any order, with crashes between. */
  const request = fc.record({
    kind: fc.constantFrom('vote', 'timeout', 'crash'),
    round: fc.integer({ min: 1, max: 6 }),
    qc: fc.integer({ min: -1, max: 2 }),
    tc: fc.integer({ min: -1, max: 5 }),
    variant: fc.integer({ min: 0, max: 1 }),
  });
  const tcs = [0, 1, 2, 3, 4, 5].map((inRound) =>
    tcOf(place, Math.max(1, inRound), [rootQC, rootQC, inRound > 2 ? qcAt(0) : rootQC]),
  );

  it('never lets two statements of a kind into one round, nor a lock or round fall, across crashes', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 30 }), (requests) => {
        let record = fresh;
        const votes = new Map<number, string>();
        const timeouts = new Map<number, number>();
        for (const asked of requests) {
          const qc = asked.qc < 0 ? rootQC : qcAt(asked.qc);
          const tc = asked.tc < 0 ? undefined : tcs[asked.tc];
          const before = record;
          if (asked.kind === 'crash') record = structuredClone(record);
          if (asked.kind === 'vote') {
            const block = blockOn(place, qc, asked.round, { time: 2_000_000 + asked.variant });
            const answer = vote(record, block, tc);
            if (answer.status !== 'refused') {
              expect(votes.get(answer.vote.round) ?? answer.vote.blockId).toBe(answer.vote.blockId);
              votes.set(answer.vote.round, answer.vote.blockId);
            }
            if (answer.status === 'signed') {
              for (const given of timeouts.keys()) expect(given).toBeLessThan(answer.vote.round);
              record = answer.record;
            }
          }
          if (asked.kind === 'timeout') {
            const answer = timeout(record, asked.round, qc, { lastTC: tc });
            if (answer.status !== 'refused') {
              const { round: given, highQC } = answer.message;
              expect(timeouts.get(given) ?? highQC.round).toBe(highQC.round);
              timeouts.set(given, highQC.round);
              record = answer.record;
            }
          }
          expect(record.lastVotedRound).toBeGreaterThanOrEqual(before.lastVotedRound);
          expect(record.lockedRound).toBeGreaterThanOrEqual(before.lockedRound);
          expect(record.highQC.round).toBeGreaterThanOrEqual(before.highQC.round);
          expect(record.highQC.round).toBeGreaterThanOrEqual(record.lockedRound);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('gives rulings without signing, for a remote signer', () => {
    const ruling = ruleOnTimeout(fresh, {
      round: round(1),
      highQC: rootQC,
      reason: 'ExplicitRequest',
      height: height(1),
      tick: 3,
    });
    expect(ruling).toMatchObject({ status: 'granted', message: { tick: 3, reason: 'ExplicitRequest' } });
  });
});
