/**
 * Offences that prove themselves: two votes of one validator in a round, and a timeout that hides the QC which its
 * own vote extended. No honest validator signs either, through any crash or race. Pure. Rule CS-14.
 */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { sameStatement, viewChangeStatementBytes } from '../chain/canonical.ts';
import { maxHeight } from '../chain/ordinals.ts';
import type { Address, Block, Epoch, Evidence, Height, TimeoutStatement, Vote } from '../chain/types.ts';
import { validatorOf } from '../chain/validator-set.ts';
import { verifyVote } from './certificates.ts';
import type { Electorate } from './epoch.ts';
import type { EvidenceRefusal } from './refusals.ts';
import type { ViewChangeMessage } from './types.ts';

/** Epoch, kind and accused. */
export type Offence = `${number}/${Evidence['kind']}/${string}`;

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
  epoch: Electorate,
  bls: BlsEngine,
  evidence: Evidence,
): EvidenceRefusal | 'valid' {
  if (evidence.kind === 'DoubleVote') {
    const { first, second } = evidence;
    // One offence has one form.
    if (doubleVote(first, second)?.first !== first) {
      return {
        code: 'EVIDENCE_NOT_AN_OFFENCE',
        detail: 'the votes are not two of one validator in one round, in their order',
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

/** The later height in its statements: how old an offence is, to be too old all of it must be. */
export const heightOf = (evidence: Evidence): Height =>
  evidence.kind === 'DoubleVote'
    ? maxHeight(evidence.first.height, evidence.second.height)
    : evidence.vote.height;

/**
 * What the chain takes once: one evidence of a kind against a validator in an epoch. A second one would tell an application
 * nothing new, and whoever signs what it likes could fill blocks and memories with proofs against itself.
 */
export const offenceOf = (evidence: Evidence): Offence =>
  `${epochOf(evidence)}/${evidence.kind}/${accusedOf(evidence)}`;

/** The offences whose evidence a block carries. */
export const offencesIn = ({ evidence }: Block): readonly Offence[] => evidence?.map(offenceOf) ?? NONE;
const NONE: readonly Offence[] = [];

function verifyTimeout(
  epoch: Electorate,
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
