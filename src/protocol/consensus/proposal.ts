/**
 * Whether a proposal is to be voted for: first its form, signatures and certificates, once (`checkProposal`); then,
 * as often as something it waits for arrives, what depends on this node's state (`judgeProposal`). Waiting parks, it
 * never refuses. Also what a leader puts in its block. Pure. Rules CS-2, CS-3, CS-9, "Blocks".
 */
import type { WallTime } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { VRF_PROOF_BYTES, type VrfEngine } from '../../crypto/vrf.ts';
import { BLOCK_TRANSACTIONS_MAX } from '../chain/batch.ts';
import {
  blockIdOf,
  evidenceHashOf,
  merkleRootOf,
  NO_EVIDENCE,
  sameStatement,
  statementOf,
  vrfInputOf,
} from '../chain/canonical.ts';
import { nextHeight, ORDINAL_MAX } from '../chain/ordinals.ts';
import type {
  Address,
  BatchDigest,
  BatchReference,
  Block,
  BlockId,
  Digest,
  Evidence,
  ExecutedState,
  Header,
  QuorumCertificate,
  Round,
} from '../chain/types.ts';
import { validatorOf } from '../chain/validator-set.ts';
import { EVIDENCE_PER_BLOCK_MAX } from '../transport/limits.ts';
import { verifyVote } from './certificates.ts';
import { checkEntry } from './entry.ts';
import { type EpochContext, leaderAt } from './epoch.ts';
import { offenceOf } from './evidence.ts';
import type { CertificateRefusal, HeaderRefusal, ProposalRefusal } from './refusals.ts';
import { judgeTime, type TimelinessConfig } from './timeliness.ts';
import type { ProposalMessage } from './types.ts';
import { type VerifiedCertificates, verifyCertificates } from './verified.ts';

/** Bounds of one block's payload. */
export interface BlockLimits {
  /** @unit batches */
  readonly batchesMax: number;
  /** Encodings of all named batches together. @unit bytes */
  readonly bytesMax: number;
}

/** What a proposal is verified with. */
export interface ProposalEngines {
  readonly bls: BlsEngine;
  readonly vrf: VrfEngine;
}

export type ProposalCheck =
  /** The author signed it and its certificates hold. */
  | {
      readonly status: 'authentic';
      readonly blockId: BlockId;
      readonly verified: VerifiedCertificates;
    }
  /** `condemns`: the author signed what cannot be valid; its round fails at once, without waiting (InvalidProposal). */
  | {
      readonly status: 'refused';
      readonly refusal: ProposalRefusal | CertificateRefusal;
      readonly condemns: boolean;
      readonly verified: VerifiedCertificates;
    };

/**
 * The part of CS-3 that no later event changes: right epoch; author is the leader; author's vote, QC and TC verify;
 * CS-2; parentId = qc.block, height = parent + 1; payload, validator and evidence hashes. `from` is the peer it came
 * from: only its author is condemned for what the author did not sign (certificates, which a relay could swap).
 */
export function checkProposal(
  epoch: EpochContext,
  { bls, vrf }: ProposalEngines,
  verified: VerifiedCertificates,
  limits: BlockLimits,
  received: { readonly message: ProposalMessage; readonly from: Address },
): ProposalCheck {
  const { block, vote, tc } = received.message;
  const { header, qc } = block;
  const refuse = (
    refusal: ProposalRefusal | CertificateRefusal,
    condemns: boolean,
    memory = verified,
  ): ProposalCheck => ({ status: 'refused', refusal, condemns, verified: memory });

  const leader = leaderAt(epoch, header.round);
  if (header.epoch !== epoch.epoch) {
    return refuse({ code: 'WRONG_EPOCH', epoch: header.epoch, expected: epoch.epoch }, false);
  }
  if (header.proposer !== leader || vote.validator !== leader) {
    const author = header.proposer === leader ? vote.validator : header.proposer;
    return refuse({ code: 'NOT_THE_LEADER', round: header.round, author, leader }, false);
  }
  const blockId = blockIdOf(epoch.domain, block);
  if (!sameStatement(vote, statementOf(block, blockId))) {
    return refuse({ code: 'VOTE_NOT_FOR_BLOCK', voted: vote.blockId, blockId }, false);
  }
  const signed = verifyVote(epoch, bls, vote);
  if (signed !== 'valid') return refuse(signed, false);

  // From here on the author has signed the header and the parent's round.
  const condemned = checkHeader(epoch, limits, header);
  if (condemned !== 'valid') return refuse(condemned, true);
  const fromAuthor = received.from === header.proposer;
  const carried = checkCarried(block);
  if (carried !== 'valid') return refuse(carried, fromAuthor || carried.code === 'OFFENCE_TWICE');
  const outcome = verifyCertificates(epoch, bls, verified, { qc, tc });
  const [refusal] = outcome.refusals;
  if (refusal !== undefined) return refuse(refusal, fromAuthor, outcome.verified);
  const entry = checkEntry(header.round, qc, tc);
  if (entry !== 'valid') return refuse(entry, fromAuthor, outcome.verified);
  if (header.parentId !== qc.blockId) {
    const mismatch = { code: 'PARENT_MISMATCH', parentId: header.parentId, certified: qc.blockId } as const;
    return refuse(mismatch, fromAuthor, outcome.verified);
  }
  if (header.height !== nextHeight(qc.height)) {
    const wrong = { code: 'HEIGHT_WRONG', height: header.height, expected: nextHeight(qc.height) } as const;
    return refuse(wrong, true, outcome.verified);
  }
  // Last, since it costs as much as all before.
  const proof = checkVrfProof(epoch, vrf, header);
  if (proof !== 'valid') return refuse(proof, true, outcome.verified);
  return { status: 'authentic', blockId, verified: outcome.verified };
}

/** CS-17: what the proposer's node key alone could make, for this round and no other. Its length is checked before. */
function checkVrfProof(
  epoch: EpochContext,
  vrf: VrfEngine,
  { round, proposer, vrfProof }: Header,
): HeaderRefusal | 'valid' {
  if (!epoch.leadership.vrf) return 'valid';
  const key = validatorOf(epoch.set, proposer)?.nodeKey;
  const input = vrfInputOf(epoch.domain, epoch.epoch, round);
  const isRight = key !== undefined && vrf.verify(key, input, vrfProof) !== undefined;
  return isRight ? 'valid' : { code: 'VRF_PROOF_WRONG', epoch: epoch.epoch, round, proposer };
}

/** The part of a header that needs nothing but the epoch. */
export function checkHeader(
  epoch: EpochContext,
  limits: BlockLimits,
  header: Header,
): HeaderRefusal | 'valid' {
  const { batches, batchesRoot, validatorsHash, nextValidatorsHash, vrfProof, time } = header;
  if (!Number.isSafeInteger(time) || time < 0 || time > ORDINAL_MAX) return { code: 'TIME_MALFORMED', time };
  if (validatorsHash !== epoch.hash) {
    return { code: 'VALIDATORS_HASH_WRONG', hash: validatorsHash, expected: epoch.hash };
  }
  // CS-16: what ends an epoch, and what is above it, is empty.
  if (nextValidatorsHash !== epoch.hash && (batches.length > 0 || header.evidenceHash !== NO_EVIDENCE)) {
    return { code: 'EPOCH_END_NOT_EMPTY', batches: batches.length };
  }
  const bytes = vrfProof.byteLength;
  if (!epoch.leadership.vrf && bytes > 0) return { code: 'VRF_PROOF_UNEXPECTED', bytes };
  if (epoch.leadership.vrf && bytes !== VRF_PROOF_BYTES) {
    return { code: 'VRF_PROOF_MALFORMED', bytes, expected: VRF_PROOF_BYTES };
  }
  const payload = checkPayload(limits, batches);
  if (payload !== 'valid') return payload;
  const expected = merkleRootOf(batches.map(({ digest }) => digest));
  return batchesRoot === expected ? 'valid' : { code: 'BATCHES_ROOT_WRONG', root: batchesRoot, expected };
}

/** CS-14: the block carries what its header says, not too much, and no offence twice. Whether it is proven is the evidence-pool's to say. */
export function checkCarried({ header, evidence: carried }: Block): HeaderRefusal | 'valid' {
  const evidence: readonly Evidence[] = carried ?? [];
  if (evidence.length > EVIDENCE_PER_BLOCK_MAX) {
    return { code: 'TOO_MUCH_EVIDENCE', evidence: evidence.length, limit: EVIDENCE_PER_BLOCK_MAX };
  }
  const expected = evidenceHashOf(evidence);
  if (header.evidenceHash !== expected) {
    return { code: 'EVIDENCE_HASH_WRONG', hash: header.evidenceHash, expected };
  }
  const offences = new Set<string>();
  for (const one of evidence) {
    const offence = offenceOf(one);
    if (offences.has(offence)) return { code: 'OFFENCE_TWICE', offence };
    offences.add(offence);
  }
  return 'valid';
}

/** What the proposal still waits for. 'round': its round is not entered yet. */
export type ProposalWait = 'round' | 'parent' | 'execution' | 'batches' | 'evidence' | 'time';

export type ProposalVerdict =
  | { readonly status: 'valid' }
  /** `until`: look again then, adjusted time; present when it waits for time. */
  | {
      readonly status: 'parked';
      readonly waits: readonly [ProposalWait, ...ProposalWait[]];
      readonly until?: WallTime;
    }
  | { readonly status: 'refused'; readonly refusal: ProposalRefusal; readonly condemns: boolean };

/** What the node knows at this moment about an authentic proposal. */
export interface ProposalFacts {
  readonly block: Block;
  readonly currentRound: Round;
  /** Absent while the parent is unknown. */
  readonly parent?: { readonly time: WallTime } | undefined;
  /** What a block on this parent must state; absent while this node has not executed that far. */
  readonly executed?: ExecutedState | undefined;
  /** What such a block must name as the hash of the next epoch (CS-16); known with `executed`. */
  readonly nextHash?: Digest | undefined;
  readonly batches:
    | { readonly status: 'held' }
    | { readonly status: 'missing' }
    | { readonly status: 'expired'; readonly digest: BatchDigest };
  /** The evidence-pool has not said yet that the block may carry its evidence. */
  readonly evidence?: 'unjudged' | undefined;
  /** Adjusted time when the proposal arrived, and now. */
  readonly receivedAt: WallTime;
  readonly now: WallTime;
  readonly roundsSinceCommit: number;
  readonly timeliness: TimelinessConfig;
}

/** The part of CS-3 that depends on this node: cheap, asked again whenever one of its facts changes. */
export function judgeProposal(facts: ProposalFacts): ProposalVerdict {
  const { block, currentRound, parent, executed, nextHash, batches } = facts;
  const { header } = block;
  const refuse = (refusal: ProposalRefusal, condemns: boolean): ProposalVerdict => ({
    status: 'refused',
    refusal,
    condemns,
  });
  if (header.round < currentRound) {
    return refuse({ code: 'ROUND_PASSED', round: header.round, currentRound }, false);
  }
  if (parent !== undefined && header.time <= parent.time) {
    return refuse({ code: 'TIME_NOT_AFTER_PARENT', time: header.time, parentTime: parent.time }, true);
  }
  if (executed !== undefined && !sameExecuted(executed, header.executed)) {
    return refuse({ code: 'EXECUTED_WRONG', executed: header.executed, expected: executed }, true);
  }
  if (nextHash !== undefined && header.nextValidatorsHash !== nextHash) {
    const { nextValidatorsHash: hash } = header;
    return refuse({ code: 'NEXT_VALIDATORS_HASH_WRONG', hash, expected: nextHash }, true);
  }
  if (batches.status === 'expired') {
    return refuse({ code: 'BATCH_EXPIRED', digest: batches.digest, height: header.height }, true);
  }
  const timely = judgeTime(facts.timeliness, { ...facts, time: header.time });
  if (timely.status === 'refused') return refuse(timely.refusal, false);
  const [first, ...others] = waitsOf(facts, timely.status === 'early');
  if (first === undefined) return { status: 'valid' };
  return {
    status: 'parked',
    waits: [first, ...others],
    ...(timely.status === 'early' ? { until: timely.until } : {}),
  };
}

/** A leader's block on `qc` (CS-9). `time` is from `blockTime`; `executed` from the block tree. */
export function buildBlock(
  epoch: EpochContext,
  content: {
    readonly round: Round;
    readonly proposer: Address;
    readonly qc: QuorumCertificate;
    readonly time: WallTime;
    readonly executed: ExecutedState;
    readonly nextHash: Digest;
    readonly batches: readonly BatchReference[];
    readonly evidence?: readonly Evidence[];
    /** Of the round, by the proposer; none where the genesis chose no VRF. */
    readonly vrfProof?: Uint8Array | undefined;
  },
): Block {
  const { round, proposer, qc, time, executed, nextHash, batches, evidence = [] } = content;
  const { vrfProof = NO_PROOF } = content;
  const [first, ...others] = evidence;
  return {
    header: {
      epoch: epoch.epoch,
      round,
      height: nextHeight(qc.height),
      parentId: qc.blockId,
      time,
      proposer,
      batches,
      batchesRoot: merkleRootOf(batches.map(({ digest }) => digest)),
      executed,
      validatorsHash: epoch.hash,
      nextValidatorsHash: nextHash,
      evidenceHash: evidenceHashOf(evidence),
      vrfProof,
    },
    qc,
    ...(first === undefined ? {} : { evidence: [first, ...others] }),
  };
}

const NO_PROOF = new Uint8Array(0);

/** The longest beginning of `references` that a block may name, in order, none of them twice or named before. */
export function fitPayload(
  limits: BlockLimits,
  references: readonly BatchReference[],
  alreadyNamed: readonly BatchDigest[],
): readonly BatchReference[] {
  const named = new Set<BatchDigest>(alreadyNamed);
  const chosen: BatchReference[] = [];
  let bytes = 0;
  let transactions = 0;
  for (const reference of references) {
    if (named.has(reference.digest)) continue;
    bytes += reference.bytes;
    transactions += reference.count;
    const isFull = chosen.length >= limits.batchesMax || bytes > limits.bytesMax;
    if (isFull || transactions > BLOCK_TRANSACTIONS_MAX) break;
    named.add(reference.digest);
    chosen.push(reference);
  }
  return chosen;
}

function checkPayload(limits: BlockLimits, batches: readonly BatchReference[]): HeaderRefusal | 'valid' {
  if (batches.length > limits.batchesMax) {
    return { code: 'TOO_MANY_BATCHES', batches: batches.length, limit: limits.batchesMax };
  }
  const named = new Set<BatchDigest>();
  let total = 0;
  let transactions = 0;
  for (const { digest, count, bytes } of batches) {
    if (named.has(digest)) return { code: 'BATCH_NAMED_TWICE', digest };
    if (!isPositive(count) || !isPositive(bytes)) return { code: 'BATCH_REFERENCE_MALFORMED', digest };
    named.add(digest);
    total += bytes;
    transactions += count;
  }
  if (transactions > BLOCK_TRANSACTIONS_MAX) {
    return { code: 'TOO_MANY_TRANSACTIONS', transactions, limit: BLOCK_TRANSACTIONS_MAX };
  }
  return total <= limits.bytesMax
    ? 'valid'
    : { code: 'TOO_MANY_BYTES', bytes: total, limit: limits.bytesMax };
}

function waitsOf(
  { block, currentRound, parent, executed, nextHash, batches, evidence }: ProposalFacts,
  early: boolean,
): readonly ProposalWait[] {
  const waits: ProposalWait[] = [];
  if (block.header.round > currentRound) waits.push('round');
  if (parent === undefined) waits.push('parent');
  if (executed === undefined || nextHash === undefined) waits.push('execution');
  if (batches.status === 'missing') waits.push('batches');
  if (evidence === 'unjudged') waits.push('evidence');
  if (early) waits.push('time');
  return waits;
}

const isPositive = (value: number): boolean => Number.isSafeInteger(value) && value > 0;

const sameExecuted = (left: ExecutedState, right: ExecutedState): boolean =>
  left.height === right.height && left.appHash === right.appHash;
