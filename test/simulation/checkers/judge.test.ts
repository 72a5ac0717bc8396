/** The judge of conformance over forged logs: each rule of the text, broken once. Rules SM-9, CS-2 to CS-9. */
import { describe, expect, it } from 'vitest';
import type { Address } from '../../../src/protocol/chain/types.ts';
import { emptyRecord } from '../../../src/protocol/consensus/safety.ts';
import { idOf } from '../../../src/simulation/checkers/bytes.ts';
import { Judge } from '../../../src/simulation/checkers/conformance/judge.ts';
import type { JudgedMessage, LogEntry } from '../../../src/simulation/checkers/conformance/log.ts';
import {
  A,
  B,
  blockOn,
  bls,
  C,
  chain,
  committedOf,
  D,
  domain,
  epoch,
  proposalOf,
  qcOf,
  round,
  statement,
  tcOf,
  timeoutOf,
  voteOf,
} from './forged.ts';

const blocks = chain(3);
const at = (index: number) => {
  const link = blocks[index - 1];
  if (link === undefined) throw new Error(`no block ${index}`);
  return link;
};
const [one, two, three] = [at(1), at(2), at(3)];

const sent = (by: Address, message: JudgedMessage, to = 'x', life = 0): LogEntry => ({
  kind: 'sent',
  by,
  life,
  to,
  message,
});
const vote = (by: Address, of: Parameters<typeof statement>[0]): JudgedMessage => ({
  kind: 'Vote',
  vote: voteOf(by, statement(of)),
});
const proposed = (index: number): LogEntry => {
  const { block } = at(index);
  return sent(block.header.proposer, proposalOf(block));
};

function claims(...log: readonly LogEntry[]): readonly string[] {
  const judge = new Judge({ epoch, bls });
  for (const entry of log) judge.take(entry);
  return [...new Set(judge.judgement().violations.map(({ claim }) => claim))];
}

describe('the judge', () => {
  it('names a block as the chain does', () => {
    for (const { block, qc } of blocks) expect(idOf(domain, block)).toBe(qc.blockId);
  });

  it('finds nothing in a history by the rules', () => {
    const record = {
      ...emptyRecord(epoch.rootQC),
      lastVotedRound: round(3),
      lockedRound: round(2),
      highQC: two.qc,
    };
    const lastVote = voteOf(D, statement(three.block));
    expect(
      claims(
        ...[1, 2, 3].flatMap((index) => [proposed(index), sent(D, vote(D, at(index).block))]),
        { kind: 'record', by: D, life: 0, record: { ...record, lastVote } },
        sent(C, timeoutOf(C, 4, three.qc)),
        { kind: 'committed', by: D, block: committedOf(one.block, two.qc) },
      ),
    ).toEqual([]);
  });

  it('finds two votes in a round, in another life or inside a certificate', () => {
    const rival = blockOn(epoch.rootQC, 1, { time: two.block.header.time });
    const again = sent(D, vote(D, rival), 'y', 1);
    expect(claims(sent(D, vote(D, one.block)), again)).toEqual(['CS-3: one vote a round']);
    expect(claims(again, sent(C, { kind: 'QC', qc: one.qc }))).toEqual(['CS-3: one vote a round']);
  });

  it('finds a vote in a round given up, and a timeout below the lock, on the same link', () => {
    expect(claims(sent(D, timeoutOf(D, 2, one.qc)), sent(D, vote(D, two.block)))).toEqual([
      'CS-3: no vote in a round given up',
    ]);
    const lastTC = tcOf(3, one.qc, [[1, [A, B, C]]]);
    expect(claims(sent(D, vote(D, three.block)), sent(D, timeoutOf(D, 4, one.qc, { lastTC })))).toEqual([
      'CS-6: not below the lock',
    ]);
  });

  it('finds two timeouts in a round, and one without a certificate for it', () => {
    const lastTC = tcOf(2, one.qc, [[1, [A, B, C]]]);
    expect(claims(sent(D, timeoutOf(D, 3, one.qc, { lastTC })), sent(D, timeoutOf(D, 3, two.qc)))).toEqual([
      'CS-6: one timeout a round',
    ]);
    expect(claims(sent(D, timeoutOf(D, 3, one.qc)))).toEqual(['CS-6: justified by a certificate of r − 1']);
  });

  it('finds a vote for a block that skips a round, or stands below its TC', () => {
    const skipping = blockOn(one.qc, 3);
    const low = tcOf(2, one.qc, [[1, [A, B, C]]]);
    const author = skipping.header.proposer;
    const voter = author === A ? B : A;
    expect(claims(sent(author, proposalOf(skipping, low)), sent(voter, vote(voter, skipping)))).toEqual([]);
    const high = tcOf(4, two.qc, [[2, [A, B, C]]]);
    const below = blockOn(one.qc, 5);
    const leader = below.header.proposer;
    expect(claims(sent(leader, proposalOf(below, high)))).toEqual(['CS-2: the round was validly entered']);
  });

  it("finds a proposal that is not its leader's, or twice in a round, or without its TC", () => {
    const { proposer } = one.block.header;
    const other = proposer === A ? B : A;
    const usurped = blockOn(epoch.rootQC, 1, { proposer: other });
    expect(claims(sent(other, proposalOf(usurped)))).toContain('CS-9: only the leader proposes');
    const rival = blockOn(epoch.rootQC, 1, { time: two.block.header.time });
    expect(claims(proposed(1), sent(proposer, proposalOf(rival)))).toContain('CS-9: once in its round');
    const skipping = blockOn(one.qc, 3);
    expect(claims(sent(skipping.header.proposer, proposalOf(skipping)))).toContain(
      'CS-9: with the TC when the QC does not open the round',
    );
  });

  it('finds a record that does not cover what left, or that falls', () => {
    const empty = emptyRecord(epoch.rootQC);
    const found: LogEntry = { kind: 'record', by: D, life: 0, record: empty };
    expect(claims(sent(D, vote(D, two.block)), found)).toContain('CS-3: the record covers what left');
    const full: LogEntry = {
      ...found,
      record: { ...empty, lastVotedRound: round(3), lockedRound: round(2), highQC: two.qc },
    };
    expect(claims(full, found)).toContain('CS-3: nothing in the record falls');
  });

  it('finds a wrong quorum, a commit without consecutive rounds, and a second chain', () => {
    expect(claims(sent(A, { kind: 'QC', qc: qcOf(one.block, [A, B]) }))).toHaveLength(1);
    const skipping = qcOf(blockOn(one.qc, 3));
    expect(claims({ kind: 'committed', by: D, block: committedOf(one.block, skipping) })).toEqual([
      'each direct commit has consecutive rounds',
    ]);
    const rival = blockOn(epoch.rootQC, 1, { time: two.block.header.time });
    expect(
      claims(
        { kind: 'committed', by: C, block: committedOf(one.block, two.qc) },
        { kind: 'committed', by: D, block: committedOf(rival, qcOf(blockOn(qcOf(rival), 2))) },
      ),
    ).toEqual(['CS-5: one chain']);
  });

  it('says how many votes it could not hold against their block', () => {
    const judge = new Judge({ epoch, bls });
    judge.take(sent(D, vote(D, one.block)));
    expect(judge.judgement()).toMatchObject({ votes: 1, votesWithoutBlock: 1, violations: [] });
  });
});
