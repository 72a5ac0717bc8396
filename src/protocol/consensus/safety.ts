/**
 * What a validator may sign, out of its safety record alone: the one place where a vote, a proposal or a timeout
 * is granted. Certificates in a query are verified by the asker (certificates.ts). The record in an answer must
 * be durable before the signature leaves. Pure. Rules CS-3, CS-6, CS-9; after Aptos' safety rules.
 */
import {
  blockIdOf,
  sameStatement,
  statementOf,
  viewChangeStatementBytes,
  voteStatementBytes,
  vrfInputOf,
} from '../chain/canonical.ts';
import { maxRound, nextHeight } from '../chain/ordinals.ts';
import type {
  Address,
  Block,
  ChainDomain,
  Epoch,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  ValidatorSet,
  Vote,
  VoteStatement,
} from '../chain/types.ts';
import { validatorOf } from '../chain/validator-set.ts';
import { checkEntry, tcToCarry } from './entry.ts';
import type { SafetyRefusal } from './refusals.ts';
import type { ProposalMessage, SafetyRecord, ViewChangeMessage, ViewChangeReason } from './types.ts';

/** The keys of one epoch behind functions, so that no snapshot holds a secret. */
export interface Signer {
  readonly address: Address;
  /** BLS signature, 96 bytes; undefined when the key or the remote signer is not there. */
  readonly sign: (message: Uint8Array) => Uint8Array | undefined;
  /** VRF proof by the node key, 80 bytes (CS-17); undefined when the key or the remote signer is not there. */
  readonly prove: (input: Uint8Array) => Uint8Array | undefined;
}

/** All consensus keys of a node: the set of the epoch names the one that signs (CS-16). */
export interface NodeSigner extends Omit<Signer, 'sign'> {
  readonly sign: (message: Uint8Array, consensusKey: Uint8Array) => Uint8Array | undefined;
}

/** `signer` with the key that the set names; of a node that is not in it, with none. */
export function signerIn(set: ValidatorSet, signer: NodeSigner): Signer {
  const key = validatorOf(set, signer.address)?.consensusKey;
  return { ...signer, sign: (message) => (key === undefined ? undefined : signer.sign(message, key)) };
}

/** What the vote is asked for: the block's statement, the QC it extends, the TC that opened its round. */
export interface VoteQuery {
  readonly statement: VoteStatement;
  readonly qc: QuorumCertificate;
  readonly tc?: TimeoutCertificate | undefined;
}

/** `record` of a grant lacks only the vote itself; `withVote` adds it. */
export type VoteRuling =
  | { readonly status: 'granted'; readonly record: SafetyRecord }
  | { readonly status: 'resend'; readonly vote: Vote }
  | { readonly status: 'refused'; readonly refusal: SafetyRefusal };

/** CS-3, the signer's part: at most one vote a round, rounds only grow, the round was validly entered. */
export function ruleOnVote(record: SafetyRecord, query: VoteQuery): VoteRuling {
  const { statement, qc, tc } = query;
  const refuse = (refusal: SafetyRefusal): VoteRuling => ({ status: 'refused', refusal });
  for (const { epoch } of [statement, qc, ...(tc === undefined ? [] : [tc])]) {
    if (epoch !== record.epoch) return refuse({ code: 'WRONG_EPOCH', epoch, expected: record.epoch });
  }
  // An identical request gets the stored signature: after a crash the same message again, or none.
  if (record.lastVote !== undefined && sameStatement(record.lastVote, statement)) {
    return { status: 'resend', vote: record.lastVote };
  }
  // CS-3: b.round > lastVotedRound.
  if (statement.round <= record.lastVotedRound) {
    const { lastVotedRound } = record;
    return refuse({ code: 'ROUND_ALREADY_VOTED', round: statement.round, lastVotedRound });
  }
  // CS-3: parentId = qc.block, height = parent + 1.
  if (statement.parentId !== qc.blockId || statement.parentRound !== qc.round) {
    return refuse({ code: 'PARENT_MISMATCH', parentId: statement.parentId, certified: qc.blockId });
  }
  if (statement.height !== qc.height + 1) {
    return refuse({ code: 'HEIGHT_WRONG', height: statement.height, expected: nextHeight(qc.height) });
  }
  // CS-2. The lock is not tested: with a TC, qc.round >= tc.maxHighQcRound stands for it.
  const entry = checkEntry(statement.round, qc, tc);
  if (entry !== 'valid') return refuse(entry);
  return {
    status: 'granted',
    record: {
      ...withCertificates(record, qc, tc),
      lastVotedRound: statement.round,
      // CS-3: lockedRound := max(lockedRound, b.qc.round).
      lockedRound: maxRound(record.lockedRound, qc.round),
    },
  };
}

export type VoteAnswer =
  | { readonly status: 'signed'; readonly record: SafetyRecord; readonly vote: Vote }
  | { readonly status: 'resent'; readonly vote: Vote }
  | { readonly status: 'refused'; readonly refusal: SafetyRefusal };

/** Rules on a vote for `block` and signs it: `record` must be durable, with the block, before `vote` leaves. */
export function castVote(
  domain: ChainDomain,
  signer: Signer,
  record: SafetyRecord,
  request: { readonly block: Block; readonly tc?: TimeoutCertificate | undefined },
): VoteAnswer {
  const statement = statementOf(request.block, blockIdOf(domain, request.block));
  const ruling = ruleOnVote(record, { statement, qc: request.block.qc, tc: request.tc });
  if (ruling.status === 'refused') return ruling;
  if (ruling.status === 'resend') return { status: 'resent', vote: ruling.vote };
  const signature = signer.sign(voteStatementBytes(domain, statement));
  if (signature === undefined) {
    return { status: 'refused', refusal: { code: 'SIGNER_UNAVAILABLE', round: statement.round } };
  }
  const vote: Vote = { ...statement, validator: signer.address, signature };
  return { status: 'signed', record: { ...ruling.record, lastVote: vote }, vote };
}

export type ProposalAnswer =
  | { readonly status: 'signed'; readonly record: SafetyRecord; readonly proposal: ProposalMessage }
  | { readonly status: 'resent'; readonly proposal: ProposalMessage }
  | { readonly status: 'refused'; readonly refusal: SafetyRefusal };

/**
 * Signs this validator's own block (CS-9): the author's vote is its signature, so the vote rule itself allows at most
 * one block a round, across restarts too. `leader` is leader(block.round).
 */
export function signProposal(
  domain: ChainDomain,
  signer: Signer,
  record: SafetyRecord,
  request: {
    readonly block: Block;
    readonly tc?: TimeoutCertificate | undefined;
    readonly leader: Address;
  },
): ProposalAnswer {
  const { block, tc, leader } = request;
  const author = block.header.proposer;
  if (author !== leader || author !== signer.address) {
    const { round } = block.header;
    return { status: 'refused', refusal: { code: 'NOT_THE_LEADER', round, author, leader } };
  }
  const answer = castVote(domain, signer, record, { block, tc });
  if (answer.status === 'refused') return answer;
  const proposal: ProposalMessage = {
    kind: 'Proposal',
    block,
    vote: answer.vote,
    ...(tc === undefined ? {} : { tc }),
  };
  return answer.status === 'resent'
    ? { status: 'resent', proposal }
    : { status: 'signed', record: answer.record, proposal };
}

/** "Round `round` failed here": the live high QC and last TC are view-change's; `tick` grows with each re-send. */
export interface TimeoutQuery {
  readonly round: Round;
  readonly highQC: QuorumCertificate;
  readonly lastTC?: TimeoutCertificate | undefined;
  readonly reason: ViewChangeReason;
  readonly height: ViewChangeMessage['height'];
  readonly tick: number;
}

/** `message` of a grant lacks only the signature; `record` lacks the message as its `lastTimeout`. */
export type TimeoutRuling =
  | {
      readonly status: 'granted';
      readonly record: SafetyRecord;
      readonly message: Omit<ViewChangeMessage, 'signature' | 'validator'>;
    }
  | { readonly status: 'resend'; readonly message: ViewChangeMessage }
  | { readonly status: 'refused'; readonly refusal: SafetyRefusal };

/** CS-6: signs a round's timeout once; asked again, gives the stored message with a later tick and nothing newer. */
export function ruleOnTimeout(record: SafetyRecord, query: TimeoutQuery): TimeoutRuling {
  const { round, highQC, lastTC } = query;
  const { lastTimeout, lastVotedRound, lockedRound } = record;
  const refuse = (refusal: SafetyRefusal): TimeoutRuling => ({ status: 'refused', refusal });
  for (const { epoch } of [highQC, ...(lastTC === undefined ? [] : [lastTC])]) {
    if (epoch !== record.epoch) return refuse({ code: 'WRONG_EPOCH', epoch, expected: record.epoch });
  }
  // A re-send with a newer high QC would be a second statement of the round: it slashes the honest.
  if (lastTimeout?.round === round) {
    const tick = Math.max(query.tick, lastTimeout.tick + 1);
    return { status: 'resend', message: { ...lastTimeout, tick } };
  }
  if (lastTimeout !== undefined && round < lastTimeout.round) {
    return refuse({ code: 'TIMEOUT_NOT_GROWING', round, lastTimeoutRound: lastTimeout.round });
  }
  if (round < lastVotedRound) return refuse({ code: 'TIMEOUT_BELOW_VOTE', round, lastVotedRound });
  if (highQC.round < lockedRound) {
    return refuse({ code: 'HIGH_QC_BELOW_LOCK', highQcRound: highQC.round, lockedRound });
  }
  if (highQC.round >= round) {
    return refuse({ code: 'HIGH_QC_NOT_BELOW_ROUND', round, highQcRound: highQC.round });
  }
  const tc = tcToCarry(round, highQC, lastTC);
  if (tc === undefined && highQC.round + 1 !== round) {
    const tcRound = lastTC === undefined ? {} : { tcRound: lastTC.round };
    return refuse({ code: 'ROUND_NOT_JUSTIFIED', round, highQcRound: highQC.round, ...tcRound });
  }
  return {
    status: 'granted',
    record: { ...withCertificates(record, highQC, tc), lastVotedRound: maxRound(lastVotedRound, round) },
    message: timeoutMessage(record, query, tc),
  };
}

export type TimeoutAnswer =
  | { readonly status: 'signed'; readonly record: SafetyRecord; readonly message: ViewChangeMessage }
  | { readonly status: 'resent'; readonly record: SafetyRecord; readonly message: ViewChangeMessage }
  | { readonly status: 'refused'; readonly refusal: SafetyRefusal };

/**
 * Rules on a timeout and signs it. After 'signed' the record must be durable before the message leaves; after
 * 'resent' only the tick of `record` moved, which needs no write.
 */
export function signTimeout(
  domain: ChainDomain,
  signer: Signer,
  record: SafetyRecord,
  query: TimeoutQuery,
): TimeoutAnswer {
  const ruling = ruleOnTimeout(record, query);
  if (ruling.status === 'refused') return ruling;
  if (ruling.status === 'resend') {
    const { message } = ruling;
    return { status: 'resent', record: { ...record, lastTimeout: message }, message };
  }
  const { epoch, round, highQC } = ruling.message;
  const signature = signer.sign(viewChangeStatementBytes(domain, epoch, round, highQC.round));
  if (signature === undefined) return { status: 'refused', refusal: { code: 'SIGNER_UNAVAILABLE', round } };
  const message: ViewChangeMessage = { ...ruling.message, validator: signer.address, signature };
  return { status: 'signed', record: { ...ruling.record, lastTimeout: message }, message };
}

export type ProofAnswer =
  | { readonly status: 'proved'; readonly proof: Uint8Array }
  | { readonly status: 'refused'; readonly refusal: SafetyRefusal };

/**
 * This validator's VRF proof of a round (CS-17). Of one round there is one, the same for ever: it needs no record, and no
 * second one could contradict it.
 */
export function proveRound(domain: ChainDomain, signer: Signer, epoch: Epoch, round: Round): ProofAnswer {
  const proof = signer.prove(vrfInputOf(domain, epoch, round));
  return proof === undefined
    ? { status: 'refused', refusal: { code: 'SIGNER_UNAVAILABLE', round } }
    : { status: 'proved', proof };
}

/** The record of a validator that has signed nothing in the epoch that `rootQC` opens. */
export function emptyRecord(rootQC: QuorumCertificate): SafetyRecord {
  return { epoch: rootQC.epoch, lastVotedRound: rootQC.round, lockedRound: rootQC.round, highQC: rootQC };
}

function timeoutMessage(
  record: SafetyRecord,
  { round, highQC, reason, height, tick }: TimeoutQuery,
  tc: TimeoutCertificate | undefined,
): Omit<ViewChangeMessage, 'signature' | 'validator'> {
  return {
    kind: 'ViewChange',
    epoch: record.epoch,
    round,
    highQC,
    ...(tc === undefined ? {} : { lastTC: tc }),
    ...(record.lastVote?.round === round ? { lastVote: record.lastVote } : {}),
    reason,
    height,
    tick,
  };
}

/** highQC := max(highQC, qc); lastTC likewise. An older certificate never overwrites a newer one. */
function withCertificates(
  record: SafetyRecord,
  qc: QuorumCertificate,
  tc: TimeoutCertificate | undefined,
): SafetyRecord {
  return {
    ...record,
    highQC: qc.round > record.highQC.round ? qc : record.highQC,
    ...(tc !== undefined && tc.round > (record.lastTC?.round ?? -1) ? { lastTC: tc } : {}),
  };
}
