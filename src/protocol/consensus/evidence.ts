/**
 * Offences that prove themselves: two votes of one validator in a round, and a timeout that hides the QC which its
 * own vote extended. No honest validator signs either, through any crash or race. Pure. Rule CS-14.
 */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { digestOf, sameStatement, viewChangeStatementBytes, voteStatementBytes } from '../chain/canonical.ts';
import { CanonicalWriter } from '../chain/canonical-writer.ts';
import type { Address, Digest, Epoch, Round, Vote } from '../chain/types.ts';
import { validatorOf } from '../chain/validator-set.ts';
import { verifyVote } from './certificates.ts';
import type { EpochContext } from './epoch.ts';
import type { EvidenceRefusal } from './refusals.ts';
import type { ViewChangeMessage } from './types.ts';

/** The signed part of a ViewChange. */
export interface TimeoutStatement {
  readonly epoch: Epoch;
  readonly round: Round;
  readonly highQcRound: Round;
  readonly validator: Address;
  readonly signature: Uint8Array;
}

export type Evidence =
  /** Two different votes in one round; `first` has the smaller block id, or the smaller bytes. */
  | { readonly kind: 'DoubleVote'; readonly first: Vote; readonly second: Vote }
  /** timeout.round >= vote.round and timeout.highQcRound < vote.parentRound. */
  | { readonly kind: 'QcHiding'; readonly vote: Vote; readonly timeout: TimeoutStatement };

/** Evidence of two votes; undefined unless they are one validator's, of one epoch and round, and differ. */
export function doubleVote(left: Vote, right: Vote): Extract<Evidence, { kind: 'DoubleVote' }> | undefined {
  const comparable =
    left.validator === right.validator && left.epoch === right.epoch && left.round === right.round;
  if (!comparable || sameStatement(left, right)) return undefined;
  return statementOrder(left) <= statementOrder(right)
    ? { kind: 'DoubleVote', first: left, second: right }
    : { kind: 'DoubleVote', first: right, second: left };
}

/** Evidence of a hidden QC; undefined unless the timeout came at or after the vote and knew less than it. */
export function qcHiding(
  vote: Vote,
  timeout: TimeoutStatement,
): Extract<Evidence, { kind: 'QcHiding' }> | undefined {
  const comparable = vote.validator === timeout.validator && vote.epoch === timeout.epoch;
  if (!comparable || timeout.round < vote.round || timeout.highQcRound >= vote.parentRound) return undefined;
  return { kind: 'QcHiding', vote, timeout };
}

export const timeoutStatementOf = (message: ViewChangeMessage): TimeoutStatement => ({
  epoch: message.epoch,
  round: message.round,
  highQcRound: message.highQC.round,
  validator: message.validator,
  signature: message.signature,
});

/** The validator that the evidence accuses. */
export const accusedOf = (evidence: Evidence): Address =>
  evidence.kind === 'DoubleVote' ? evidence.first.validator : evidence.vote.validator;

/** The epoch whose validators judge it. */
export const epochOf = (evidence: Evidence): Epoch =>
  evidence.kind === 'DoubleVote' ? evidence.first.epoch : evidence.vote.epoch;

/** True of anyone's evidence only when both statements contradict each other and both signatures are right. */
export function verifyEvidence(
  epoch: EpochContext,
  bls: BlsEngine,
  evidence: Evidence,
): EvidenceRefusal | 'valid' {
  if (evidence.kind === 'DoubleVote') {
    const { first, second } = evidence;
    if (doubleVote(first, second) === undefined) {
      return {
        code: 'EVIDENCE_NOT_AN_OFFENCE',
        detail: 'the votes are not two of one validator in one round',
      };
    }
    const verdict = verifyVote(epoch, bls, first);
    return verdict === 'valid' ? verifyVote(epoch, bls, second) : verdict;
  }
  const { vote, timeout } = evidence;
  if (qcHiding(vote, timeout) === undefined) {
    return { code: 'EVIDENCE_NOT_AN_OFFENCE', detail: 'the timeout does not hide the parent of the vote' };
  }
  const verdict = verifyVote(epoch, bls, vote);
  return verdict === 'valid' ? verifyTimeout(epoch, bls, timeout) : verdict;
}

/** Identity of an offence: the same for the same statements, whatever their signatures' bytes. */
export function evidenceIdOf(epoch: EpochContext, evidence: Evidence): Digest {
  const { domain } = epoch;
  const writer = new CanonicalWriter()
    .text('althing/evidence/v1')
    .text(evidence.kind)
    .hex(accusedOf(evidence))
    .prefixed(voteStatementBytes(domain, evidence.kind === 'DoubleVote' ? evidence.first : evidence.vote));
  if (evidence.kind === 'DoubleVote') writer.prefixed(voteStatementBytes(domain, evidence.second));
  else {
    const { round, highQcRound } = evidence.timeout;
    writer.prefixed(viewChangeStatementBytes(domain, evidence.timeout.epoch, round, highQcRound));
  }
  return digestOf(writer.finish());
}

function verifyTimeout(
  epoch: EpochContext,
  bls: BlsEngine,
  timeout: TimeoutStatement,
): EvidenceRefusal | 'valid' {
  if (timeout.epoch !== epoch.epoch) {
    return { code: 'WRONG_EPOCH', epoch: timeout.epoch, expected: epoch.epoch };
  }
  const { validator, round, highQcRound, signature } = timeout;
  const signer = validatorOf(epoch.set, validator);
  if (signer === undefined) return { code: 'UNKNOWN_VALIDATOR', validator };
  const statement = viewChangeStatementBytes(epoch.domain, timeout.epoch, round, highQcRound);
  if (bls.verify(signer.consensusKey, statement, signature)) return 'valid';
  return { code: 'SIGNATURE_INVALID', statement: 'view-change', round, signers: [validator] };
}

/** Orders two statements of one epoch and round, so that the same offence has one form. */
const statementOrder = ({ blockId, parentId, parentRound, height }: Vote): string =>
  `${blockId} ${parentId} ${parentRound} ${height}`;
