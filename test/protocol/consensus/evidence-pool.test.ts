import { describe, expect, it } from 'vitest';
import { millis, wallTime } from '../../../src/base/units.ts';
import type { Block, CertifiedBlock, Evidence, EvidenceList } from '../../../src/protocol/chain/types.ts';
import { offenceOf } from '../../../src/protocol/consensus/evidence.ts';
import {
  admitEvidence,
  type EvidencePool,
  type EvidenceRules,
  isWaited,
  judgeEvidence,
  type Moment,
  OFFENCES_MAX,
  recoveredPool,
  selectEvidence,
  strideOf,
  takeCommitted,
  withoutOld,
} from '../../../src/protocol/consensus/evidence-pool.ts';
import { buildBlock, checkCarried } from '../../../src/protocol/consensus/proposal.ts';
import { VALIDATORS_MAX } from '../../../src/protocol/transport/limits.ts';
import { endingIn, updateOf, worldIn } from './epoch-fixture.ts';
import { chainOf, GENESIS_EXECUTED, height, present, round, world } from './fixture.ts';
import { forged, hiddenQc, twoVotes } from './offences.ts';

const place = world();
const rules: EvidenceRules = { epoch: place.epoch, bls: place.bls, ageHeights: 20, ageMax: millis(60_000) };
const EMPTY = recoveredPool({ base: height(0), blocks: [], moments: [] });
const { blocks, qcs } = chainOf(place, [1, 2]);
const [template, qc] = [present(blocks[0], 'a block'), present(qcs[0], 'a QC')];

const at = (high: number, time = high * 1_000): Moment => ({ height: height(high), time: wallTime(time) });
/** A committed block at a place, as far as the pool looks. */
const committed = (moment: Moment, evidence?: EvidenceList): CertifiedBlock => ({
  block: {
    ...template,
    header: { ...template.header, ...moment },
    ...(evidence === undefined ? {} : { evidence }),
  },
  qc,
});
const grownTo = (high: number, pool = EMPTY): EvidencePool =>
  takeCommitted(
    pool,
    rules,
    Array.from({ length: high - (pool.tip?.height ?? 0) }, (_, index) =>
      committed(at((pool.tip?.height ?? 0) + index + 1)),
    ),
  );
const withPending = (pool: EvidencePool, ...evidence: readonly Evidence[]): EvidencePool =>
  evidence.reduce((grown, one) => {
    const admission = admitEvidence(grown, rules, one);
    if (admission.status !== 'admitted') throw new Error(admission.status);
    return admission.pool;
  }, pool);
const judged = (
  pool: EvidencePool,
  evidence: readonly Evidence[],
  moment: Moment,
  named: readonly Evidence[] = [],
) => {
  const verdict = judgeEvidence(pool, rules, { evidence, at: moment, named: named.map(offenceOf) });
  return verdict === 'valid' ? verdict : verdict.code;
};

describe('evidence that waits for a block (CS-14)', () => {
  it('is taken in once for an offence, whichever proof of it comes', () => {
    const pool = withPending(grownTo(3), twoVotes(place, 0), hiddenQc(place, 0), twoVotes(place, 1));
    expect(pool.pending.size).toBe(3);
    expect(admitEvidence(pool, rules, twoVotes(place, 0)).status).toBe('useless');
    expect(admitEvidence(pool, rules, twoVotes(place, 0, 1)).status).toBe('useless');
  });

  it('of a height that the chain is far from is not kept, and else gives its place to what a block may carry', () => {
    expect(admitEvidence(grownTo(3), rules, twoVotes(place, 0, 0, 260)).status).toBe('useless');
    const ahead = withPending(grownTo(3), twoVotes(place, 0, 0, 259));
    expect(admitEvidence(ahead, rules, twoVotes(place, 0, 0, 200)).status).toBe('useless');
    const sooner = withPending(ahead, twoVotes(place, 0));
    expect([...sooner.pending.values()]).toEqual([twoVotes(place, 0)]);
    expect(admitEvidence(sooner, rules, twoVotes(place, 0, 1)).status).toBe('useless');
  });

  it('that proves nothing is refused, and leaves the place to the true one', () => {
    const admission = admitEvidence(EMPTY, rules, forged(twoVotes(place, 0)));
    expect(admission).toMatchObject({ status: 'refused', refusal: { code: 'SIGNATURE_INVALID' } });
    expect(withPending(EMPTY, twoVotes(place, 0)).pending.size).toBe(1);
  });

  it('of an epoch that is not judged here is nobody’s fault', () => {
    const { first, second, kind } = twoVotes(place, 0);
    const epoch = (first.epoch + 1) as typeof first.epoch;
    const other = { kind, first: { ...first, epoch }, second: { ...second, epoch } };
    expect(admitEvidence(EMPTY, rules, other).status).toBe('useless');
    expect(judged(EMPTY, [other], at(3))).toBe('WRONG_EPOCH');
  });

  it('of whoever left by the end of its epoch is judged in the next by those who were its validators, then by nobody', () => {
    const updates = [{ height: height(0), updates: [updateOf(place, 3, 0n)] }];
    const second = worldIn(place, endingIn(place, [1, 2], { end: 0, updates }).change);
    const third = worldIn(second, endingIn(second, [1, 2], { end: 0 }).change);
    const evidence = twoVotes(place, 3);
    expect(second.epoch.set.indexByAddress.has(evidence.first.validator)).toBe(false);
    const seen = [second, third].map(({ epoch }) => {
      const later = { ...rules, epoch };
      const place = { evidence: [evidence], at: at(3), named: [] };
      const verdict = judgeEvidence(EMPTY, later, place);
      const forgery = judgeEvidence(EMPTY, later, { ...place, evidence: [forged(evidence)] });
      return [
        admitEvidence(EMPTY, later, evidence).status,
        ...[verdict, forgery].map((one) => (one === 'valid' ? one : one.code)),
        withoutOld(withPending(EMPTY, evidence), later).pending.size,
      ];
    });
    expect(seen).toEqual([
      ['admitted', 'valid', 'SIGNATURE_INVALID', 1],
      ['useless', 'WRONG_EPOCH', 'WRONG_EPOCH', 0],
    ]);
  });

  it('goes when a block carries it, and does not come back', () => {
    const [evidence, other] = [twoVotes(place, 0), twoVotes(place, 1)];
    const pool = takeCommitted(withPending(grownTo(3), evidence, other), rules, [
      committed(at(4), [evidence]),
    ]);
    expect([...pool.pending.values()]).toEqual([other]);
    expect(admitEvidence(pool, rules, evidence).status).toBe('useless');
    expect(admitEvidence(pool, rules, twoVotes(place, 0, 1)).status).toBe('useless');
  });

  it('goes when it is too old', () => {
    const pool = withPending(grownTo(3), twoVotes(place, 0));
    expect(withoutOld(grownTo(22, pool), rules).pending.size).toBe(1);
    expect(withoutOld(grownTo(23, pool), rules).pending.size).toBe(0);
  });

  it('is never more than two of each validator of two epochs', () => {
    expect(OFFENCES_MAX).toBe(2 * VALIDATORS_MAX * 2);
  });
});

describe('what a leader puts into its block (CS-9, CS-14)', () => {
  it('is at most four, the older offences first, and nothing that its ancestors carry', () => {
    const offences = [0, 1, 2, 3].flatMap((index) => [twoVotes(place, index), hiddenQc(place, index)]);
    const pool = withPending(grownTo(3), ...offences);
    const chosen = selectEvidence(pool, rules, at(4), []);
    expect(chosen).toHaveLength(4);
    expect(chosen.every(({ kind }) => kind === 'DoubleVote')).toBe(true);
    const rest = selectEvidence(pool, rules, at(4), chosen.map(offenceOf));
    expect(rest.map(({ kind }) => kind)).toEqual(['QcHiding', 'QcHiding', 'QcHiding', 'QcHiding']);
    expect(judged(pool, rest, at(4), chosen)).toBe('valid');
  });

  it('is nothing that may be in blocks which this node does not hold (SY-10)', () => {
    const joined = recoveredPool({ base: height(10), tip: at(12), blocks: [], moments: [] });
    const pool = withPending(joined, twoVotes(place, 0));
    expect(selectEvidence(pool, rules, at(13), [])).toEqual([]);
    // Of what others propose it believes the best.
    expect(judged(pool, [twoVotes(place, 0)], at(13))).toBe('valid');
  });

  it('stands in the block, and its hash in the header; without any the block is as ever', () => {
    const [evidence, other] = [twoVotes(place, 0), hiddenQc(place, 1)];
    const content = {
      ...{ round: round(3), proposer: place.addressAt(0), qc, time: wallTime(9), executed: GENESIS_EXECUTED },
      ...{ nextHash: place.epoch.hash, batches: [] },
    };
    const block = buildBlock(place.epoch, { ...content, evidence: [evidence, other] });
    expect(block.evidence).toEqual([evidence, other]);
    expect(checkCarried(block)).toBe('valid');
    const codeOf = (changed: Block) => {
      const verdict = checkCarried(changed);
      return verdict === 'valid' ? verdict : verdict.code;
    };
    const { evidence: _, ...bare } = block;
    expect(codeOf(bare)).toBe('EVIDENCE_HASH_WRONG');
    expect(codeOf({ ...block, evidence: [other, evidence] })).toBe('EVIDENCE_HASH_WRONG');
    // Signatures are no part of an offence, but of what the header states.
    expect(codeOf({ ...block, evidence: [forged(evidence), other] })).toBe('EVIDENCE_HASH_WRONG');
    const twice = buildBlock(place.epoch, { ...content, evidence: [evidence, twoVotes(place, 0, 1)] });
    expect(codeOf(twice)).toBe('OFFENCE_TWICE');
    const five = [0, 1, 2, 3].map((index) => twoVotes(place, index));
    const many = buildBlock(place.epoch, { ...content, evidence: [...five, other] });
    expect(codeOf(many)).toBe('TOO_MUCH_EVIDENCE');
    const empty = buildBlock(place.epoch, content);
    expect(Object.keys(empty)).toEqual(['header', 'qc']);
    expect(empty.header.evidenceHash).toBe(template.header.evidenceHash);
  });
});

describe('what a voter says of the evidence in a block (CS-3, CS-14)', () => {
  const evidence = twoVotes(place, 0);

  it('is no to what proves nothing, whoever proposes it', () => {
    expect(judged(EMPTY, [evidence], at(3))).toBe('valid');
    expect(judged(EMPTY, [forged(evidence)], at(3))).toBe('SIGNATURE_INVALID');
    const swapped = { ...evidence, first: evidence.second, second: evidence.first };
    expect(judged(EMPTY, [swapped], at(3))).toBe('EVIDENCE_NOT_AN_OFFENCE');
    const known = withPending(EMPTY, evidence);
    expect(judged(known, [forged(evidence)], at(3))).toBe('SIGNATURE_INVALID');
  });

  it('is no to a second time: in an ancestor, in the chain, and after a restart too', () => {
    expect(judged(EMPTY, [evidence], at(3), [evidence])).toBe('EVIDENCE_REPEATED');
    const carrying = committed(at(4), [evidence]);
    const pool = takeCommitted(grownTo(3), rules, [carrying]);
    expect(judged(pool, [evidence], at(5))).toBe('EVIDENCE_REPEATED');
    expect(judged(pool, [twoVotes(place, 0, 1)], at(5))).toBe('EVIDENCE_REPEATED');
    expect(judged(pool, [hiddenQc(place, 0)], at(5))).toBe('valid');
    const anew = recoveredPool({ base: height(1), tip: at(4), blocks: [carrying], moments: [at(4)] });
    expect(judged(anew, [evidence], at(5))).toBe('EVIDENCE_REPEATED');
    expect(admitEvidence(anew, rules, evidence).status).toBe('useless');
  });

  it('never comes to yes again for the same evidence, at any height: it is forgotten later than it is too old', () => {
    let pool = takeCommitted(grownTo(2), rules, [committed(at(3), [evidence])]);
    for (let high = 4; high < 60; high += 1) {
      expect(judged(pool, [evidence], at(high)), `height ${high}`).not.toBe('valid');
      pool = grownTo(high, pool);
    }
    expect(pool.carried.size).toBe(0);
  });

  it('is no to what says it was above the block: its signer could have it carried again and again', () => {
    const claiming = twoVotes(place, 0, 0, 50);
    expect(judged(EMPTY, [claiming], at(49))).toBe('EVIDENCE_AHEAD');
    let pool = takeCommitted(grownTo(49), rules, [committed(at(50), [claiming])]);
    for (let high = 51; high < 110; high += 1) {
      expect(judged(pool, [claiming], at(high)), `height ${high}`).not.toBe('valid');
      pool = grownTo(high, pool);
    }
    const waiting = withPending(grownTo(3), claiming);
    expect(selectEvidence(waiting, rules, at(49), [])).toEqual([]);
    expect(selectEvidence(waiting, rules, at(50), [])).toEqual([claiming]);
    expect(isWaited(waiting, rules, at(3))).toBe(true);
  });

  it('is no to what is too old by height or by time, either', () => {
    const pool = grownTo(19);
    expect(judged(pool, [evidence], at(22))).toBe('valid');
    expect(judged(pool, [evidence], at(23))).toBe('EVIDENCE_TOO_OLD');
    // The offence is of height 2, whose block is of second 2.
    expect(judged(pool, [evidence], at(20, 62_000))).toBe('valid');
    expect(judged(pool, [evidence], at(20, 62_001))).toBe('EVIDENCE_TOO_OLD');
  });

  it('needs few times of blocks for that, however long evidence may be proposed', () => {
    const long = { ...rules, ageHeights: 100_000 };
    const stride = strideOf(long.ageHeights);
    const pool = takeCommitted(
      EMPTY,
      long,
      Array.from({ length: 2_000 }, (_, index) => committed(at(index * Math.ceil(stride / 4) + 1))),
    );
    expect(pool.moments.length).toBeLessThanOrEqual(130);
    for (const { height: high } of pool.moments) expect(high % stride).toBe(0);
  });
});
