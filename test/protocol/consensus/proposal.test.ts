import { describe, expect, it } from 'vitest';
import { millis, wallTime } from '../../../src/base/units.ts';
import { BLOCK_TRANSACTIONS_MAX } from '../../../src/protocol/chain/batch.ts';
import {
  blockIdOf,
  digestOf,
  merkleRootOf,
  NO_NEXT_EPOCH,
  u64,
  vrfInputOf,
} from '../../../src/protocol/chain/canonical.ts';
import { parseBatchDigest } from '../../../src/protocol/chain/parse.ts';
import type { BatchReference, Block, Header, TimeoutCertificate } from '../../../src/protocol/chain/types.ts';
import {
  type BlockLimits,
  checkProposal,
  fitPayload,
  judgeProposal,
  type ProposalFacts,
} from '../../../src/protocol/consensus/proposal.ts';
import { describeRefusal } from '../../../src/protocol/consensus/refusals.ts';
import {
  blockTime,
  judgeTime,
  MESSAGE_DELAY_MS_MAX,
  type TimelinessConfig,
} from '../../../src/protocol/consensus/timeliness.ts';
import type { ProposalMessage } from '../../../src/protocol/consensus/types.ts';
import { NONE_VERIFIED } from '../../../src/protocol/consensus/verified.ts';
import {
  blockOn,
  chainOf,
  epochNumber,
  GENESIS_EXECUTED,
  GENESIS_TIME,
  height,
  present,
  proposalOf,
  qcOf,
  round,
  tcOf,
  voteFor,
  world,
} from './fixture.ts';

const place = world();
const { rootQC } = place.epoch;
const { blocks, qcs } = chainOf(place, [1, 2]);
const [first, second] = [present(blocks[0], 'block 1'), present(blocks[1], 'block 2')];
const qc1 = present(qcs[0], 'QC 1');
const limits: BlockLimits = { batchesMax: 3, bytesMax: 1_000 };
const reference = (index: number, bytes = 100): BatchReference => {
  const digest = parseBatchDigest(digestOf(u64(index)));
  if (digest === 'malformed') throw new Error('digest');
  return { digest, count: 1, bytes };
};

const check = (message: ProposalMessage, from = message.block.header.proposer) =>
  checkProposal(place.epoch, place, NONE_VERIFIED, limits, { message, from });
const verdictOf = (message: ProposalMessage, from?: Header['proposer']) => {
  const result = check(message, from);
  return result.status === 'refused' ? [result.refusal.code, result.condemns] : result.status;
};
/** The leader itself signs this header. */
const withHeader = (block: Block, change: Partial<Header>, tc?: TimeoutCertificate) =>
  proposalOf(place, { ...block, header: { ...block.header, ...change } }, tc);
const relay = place.addressAt((place.indexOf(second.header.proposer) + 2) % 4);

describe('a proposal’s form and signatures (CS-3)', () => {
  it('is authentic with its author’s vote, its QC, and its TC where one is needed (CS-9)', () => {
    expect(check(proposalOf(place, second))).toMatchObject({
      status: 'authentic',
      blockId: blockIdOf(place.epoch.domain, second),
    });
    const tc = tcOf(place, 2, [qc1, rootQC, rootQC]);
    expect(verdictOf(proposalOf(place, blockOn(place, qc1, 3), tc))).toBe('authentic');
  });

  it('is refused from anyone but the leader', () => {
    const wrong = { ...second, header: { ...second.header, proposer: relay } };
    expect(verdictOf(proposalOf(place, wrong))).toEqual(['NOT_THE_LEADER', false]);
    const message = proposalOf(place, second);
    expect(verdictOf({ ...message, vote: voteFor(place, second, place.indexOf(relay)) })).toEqual([
      'NOT_THE_LEADER',
      false,
    ]);
  });

  it('condemns nobody for what its author did not sign', () => {
    const message = proposalOf(place, second);
    const unsigned = { ...message, vote: { ...message.vote, signature: new Uint8Array(96) } };
    expect(verdictOf(unsigned)).toEqual(['SIGNATURE_INVALID', false]);
    const other = proposalOf(place, blockOn(place, qc1, 2, { time: 9_000_000 }));
    expect(verdictOf({ ...message, vote: other.vote })).toEqual(['VOTE_NOT_FOR_BLOCK', false]);
    const swapped = { ...message, block: { ...second, qc: { ...qc1, signature: new Uint8Array(96) } } };
    expect(verdictOf(swapped, relay)).toEqual(['SIGNATURE_INVALID', false]);
    expect(verdictOf(swapped)).toEqual(['SIGNATURE_INVALID', true]);
  });

  it.each<[string, Partial<Header>]>([
    ['TIME_MALFORMED', { time: wallTime(0.5) }],
    ['VALIDATORS_HASH_WRONG', { validatorsHash: digestOf() }],
    ['VRF_PROOF_UNEXPECTED', { vrfProof: Uint8Array.of(1) }],
    ['BATCHES_ROOT_WRONG', { batches: [reference(1)] }],
    ['BATCH_NAMED_TWICE', { batches: [reference(1), reference(1)] }],
    ['BATCH_REFERENCE_MALFORMED', { batches: [reference(1, 0)] }],
    ['TOO_MANY_BATCHES', { batches: [1, 2, 3, 4].map((index) => reference(index)) }],
    ['TOO_MANY_TRANSACTIONS', { batches: [{ ...reference(1), count: BLOCK_TRANSACTIONS_MAX + 1 }] }],
    ['TOO_MANY_BYTES', { batches: [reference(1, 600), reference(2, 600)] }],
    ['HEIGHT_WRONG', { height: height(5) }],
    // CS-16: what ends an epoch, and what is above it, is empty.
    ['EPOCH_END_NOT_EMPTY', { nextValidatorsHash: digestOf(), batches: [reference(1)] }],
    ['EPOCH_END_NOT_EMPTY', { nextValidatorsHash: NO_NEXT_EPOCH, batches: [reference(1)] }],
  ])('condemns the author of a header that cannot be valid: %s', (code, change) => {
    expect(verdictOf(withHeader(second, change), relay)).toEqual([code, true]);
  });

  describe('of a chain with VRF (CS-17)', () => {
    const drawn = world([1n, 2n, 3n, 4n], 'drawn', undefined, {
      leaderSchedule: 'stake_weighted',
      leaderReputation: false,
      vrf: true,
    });
    const own = blockOn(drawn, present(chainOf(drawn, [1]).qcs[0], 'QC of round 1'), 2);
    const author = drawn.indexOf(own.header.proposer);
    const proofOf = (at: number, by = author, epoch = drawn.epoch.epoch) =>
      present(drawn.signer(by).prove(vrfInputOf(drawn.epoch.domain, epoch, round(at))), 'proof');
    const rulingOn = (vrfProof: Uint8Array) => {
      const message = proposalOf(drawn, { ...own, header: { ...own.header, vrfProof } });
      const from = own.header.proposer;
      return checkProposal(drawn.epoch, drawn, NONE_VERIFIED, limits, { message, from });
    };

    it('is authentic with its leader’s proof of its round', () => {
      expect(own.header.vrfProof).toEqual(proofOf(2));
      expect(rulingOn(proofOf(2)).status).toBe('authentic');
    });

    it.each<[string, string, () => Uint8Array]>([
      ['none', 'VRF_PROOF_MALFORMED', () => new Uint8Array()],
      ['one of 81 bytes', 'VRF_PROOF_MALFORMED', () => new Uint8Array(81)],
      ['another validator’s', 'VRF_PROOF_WRONG', () => proofOf(2, (author + 1) % 4)],
      ['that of the round before', 'VRF_PROOF_WRONG', () => proofOf(1)],
      ['that of another epoch', 'VRF_PROOF_WRONG', () => proofOf(2, author, epochNumber(1))],
      [
        'a forged one',
        'VRF_PROOF_WRONG',
        () => proofOf(2).map((byte, index) => (index === 33 ? byte ^ 1 : byte)),
      ],
    ])('is refused, and its author condemned, with %s', (_, code, proof) => {
      const ruling = rulingOn(proof());
      expect(ruling).toMatchObject({ status: 'refused', refusal: { code }, condemns: true });
    });

    it('says epoch, round and proposer of a wrong one', () => {
      expect(rulingOn(proofOf(1))).toMatchObject({
        refusal: { epoch: 0, round: 2, proposer: own.header.proposer },
      });
    });
  });

  it('must name the block that its QC certifies', () => {
    expect(verdictOf(withHeader(second, { parentId: blockIdOf(place.epoch.domain, second) }))).toEqual([
      'PARENT_MISMATCH',
      true,
    ]);
  });

  it('must enter its round validly (CS-2)', () => {
    expect(verdictOf(proposalOf(place, blockOn(place, qc1, 3)))).toEqual(['ENTRY_INVALID', true]);
    const tc = tcOf(place, 2, [qc1, rootQC, rootQC]);
    const below = blockOn(place, rootQC, 3);
    expect(verdictOf(proposalOf(place, below, tc))).toEqual(['NOT_EXTENDING_LOCK', true]);
    expect(verdictOf(proposalOf(place, below, tc), relay)).toEqual(['NOT_EXTENDING_LOCK', false]);
  });

  it('verifies nothing twice', () => {
    const once = check(proposalOf(place, second));
    const before = { ...place.bls.calls };
    checkProposal(place.epoch, place, once.verified, limits, {
      message: proposalOf(place, second),
      from: second.header.proposer,
    });
    expect(place.bls.calls.fastAggregateVerify).toBe(before.fastAggregateVerify);
  });

  it('takes the genesis QC in the first round', () => {
    expect(verdictOf(proposalOf(place, first))).toBe('authentic');
    const forgedRoot = { ...first, qc: { ...qcOf(place, second), round: round(0) } };
    expect(verdictOf(proposalOf(place, forgedRoot))).toEqual(['ROOT_CERTIFICATE_WRONG', true]);
  });
});

describe('a proposal against this node’s state (CS-3)', () => {
  const timeliness: TimelinessConfig = { precisionMs: millis(100), messageDelayMs: millis(1_000) };
  const time = second.header.time;
  const facts: ProposalFacts = {
    block: second,
    currentRound: round(2),
    parent: { time: first.header.time },
    executed: GENESIS_EXECUTED,
    nextHash: place.epoch.hash,
    batches: { status: 'held' },
    receivedAt: time,
    now: time,
    roundsSinceCommit: 0,
    timeliness,
  };
  const judge = (change: Partial<ProposalFacts>) => {
    const verdict = judgeProposal({ ...facts, ...change });
    if (verdict.status === 'refused') return [verdict.refusal.code, verdict.condemns];
    return verdict.status === 'parked' ? verdict.waits : verdict.status;
  };

  it('is valid when everything is here', () => expect(judge({})).toBe('valid'));

  it('is parked, never refused, while something is missing', () => {
    expect(judge({ parent: undefined })).toEqual(['parent']);
    expect(judge({ executed: undefined })).toEqual(['execution']);
    expect(judge({ batches: { status: 'missing' } })).toEqual(['batches']);
    expect(judge({ currentRound: round(1) })).toEqual(['round']);
    expect(
      judge({
        parent: undefined,
        executed: undefined,
        batches: { status: 'missing' },
        currentRound: round(1),
        now: wallTime(time - 600),
      }),
    ).toEqual(['round', 'parent', 'execution', 'batches', 'time']);
  });

  it('is refused once its round has passed', () => {
    expect(judge({ currentRound: round(3) })).toEqual(['ROUND_PASSED', false]);
    expect(judge({ currentRound: round(3), parent: undefined })).toEqual(['ROUND_PASSED', false]);
  });

  it('condemns a time that is not after its parent’s, a wrong app hash, an expired batch', () => {
    const [digest] = [reference(1).digest];
    expect(judge({ parent: { time } })).toEqual(['TIME_NOT_AFTER_PARENT', true]);
    expect(judge({ executed: { ...GENESIS_EXECUTED, appHash: digestOf() } })).toEqual([
      'EXECUTED_WRONG',
      true,
    ]);
    expect(judge({ executed: { ...GENESIS_EXECUTED, height: height(1) } })).toEqual(['EXECUTED_WRONG', true]);
    expect(judge({ batches: { status: 'expired', digest } })).toEqual(['BATCH_EXPIRED', true]);
  });

  it('waits for a time in the near future, until it is timely (TM-8)', () => {
    const early = judgeProposal({ ...facts, now: wallTime(time - 101) });
    expect(early).toEqual({ status: 'parked', waits: ['time'], until: time - 100 });
    expect(judge({ now: wallTime(time - 100) })).toBe('valid');
    expect(judge({ now: wallTime(time - 1_099) })).toEqual(['time']);
    expect(judge({ now: wallTime(time - 1_100) })).toEqual(['TIME_TOO_EARLY', false]);
  });

  it('judges lateness by the time of receipt, with a delay that grows by failed rounds (TM-8)', () => {
    expect(judge({ receivedAt: wallTime(time + 1_100), now: wallTime(time + 90_000) })).toBe('valid');
    expect(judge({ receivedAt: wallTime(time + 1_101) })).toEqual(['TIME_TOO_LATE', false]);
    expect(judge({ receivedAt: wallTime(time + 1_200), roundsSinceCommit: 1 })).toBe('valid');
    expect(judge({ receivedAt: wallTime(time + 1_201), roundsSinceCommit: 1 })).toEqual([
      'TIME_TOO_LATE',
      false,
    ]);
    const late = judgeTime(timeliness, {
      time,
      receivedAt: wallTime(time + MESSAGE_DELAY_MS_MAX + 101),
      now: time,
      roundsSinceCommit: 100_000,
    });
    expect(late.status).toBe('refused');
  });

  it('says why with every operand', () => {
    const verdict = judgeProposal({ ...facts, currentRound: round(3) });
    if (verdict.status !== 'refused') throw new Error(verdict.status);
    expect(describeRefusal(verdict.refusal)).toBe('round=2, currentRound=3');
    const wrong = judgeProposal({ ...facts, executed: { ...GENESIS_EXECUTED, height: height(1) } });
    if (wrong.status !== 'refused') throw new Error(wrong.status);
    expect(describeRefusal(wrong.refusal)).toMatch(
      /^executed=\{height=0 appHash=[0-9a-f]{64}\}, expected=\{height=1/,
    );
  });
});

describe('a leader’s block (CS-9)', () => {
  const config: TimelinessConfig = { precisionMs: millis(505), messageDelayMs: millis(15_000) };

  it('has time max(now, parent + 1 ms), in whole milliseconds, and waits while that is too far ahead', () => {
    expect(blockTime(config, wallTime(5_000.7), wallTime(1_000))).toEqual({ time: 5_000, notBefore: 4_495 });
    expect(blockTime(config, wallTime(5_000), wallTime(5_000))).toEqual({ time: 5_001, notBefore: 4_496 });
    expect(blockTime(config, wallTime(5_000), wallTime(9_000))).toEqual({ time: 9_001, notBefore: 8_496 });
  });

  it('is authentic to everyone', () => {
    const batches = [reference(1), reference(2)];
    const block = blockOn(place, qc1, 2, { batches });
    expect(block.header.batchesRoot).toBe(merkleRootOf(batches.map(({ digest }) => digest)));
    expect(verdictOf(proposalOf(place, block))).toBe('authentic');
    expect(block.header.time).toBe(GENESIS_TIME + 2);
  });

  it('names what fits, in order, and nothing that its chain already names', () => {
    const all = [1, 2, 3, 4, 5].map((index) => reference(index));
    expect(fitPayload(limits, all, [])).toEqual(all.slice(0, 3));
    expect(fitPayload(limits, all, [reference(2).digest])).toEqual([all[0], all[2], all[3]]);
    expect(fitPayload(limits, [reference(1), reference(1)], [])).toEqual([reference(1)]);
    expect(fitPayload(limits, [reference(1, 600), reference(2, 600)], [])).toEqual([reference(1, 600)]);
  });
});
