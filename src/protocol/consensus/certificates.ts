/**
 * When a vote, QC, TC or ViewChange proves what it says. Bitmaps, power and links are checked before any pairing.
 * Pure: the BLS engine is a value. Rules CS-4, CS-7, CS-8, docs/protocol/consensus.md.
 */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { viewChangeStatementBytes, voteStatementBytes } from '../chain/canonical.ts';
import { signersOf } from '../chain/signers.ts';
import type {
  Epoch,
  Height,
  Power,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  Validator,
  ValidatorSet,
  Vote,
} from '../chain/types.ts';
import { totalPowerOf, validatorOf } from '../chain/validator-set.ts';
import type { Electorate, EpochContext } from './epoch.ts';
import type { CertificateRefusal } from './refusals.ts';
import type { ViewChangeMessage } from './types.ts';

export type CertificateVerdict = CertificateRefusal | 'valid';

/** One vote under its own signature: one pairing check. */
export function verifyVote(epoch: Electorate, bls: BlsEngine, vote: Vote): CertificateVerdict {
  const malformed = checkVoteForm(epoch, vote);
  if (malformed !== 'valid') return malformed;
  const voter = validatorOf(epoch.set, vote.validator);
  if (voter === undefined) return { code: 'UNKNOWN_VALIDATOR', validator: vote.validator };
  const message = voteStatementBytes(epoch.domain, vote);
  if (bls.verify(voter.consensusKey, message, vote.signature)) return 'valid';
  return { code: 'SIGNATURE_INVALID', statement: 'vote', round: vote.round, signers: [vote.validator] };
}

/** What a vote must be before its signature is looked at: right epoch, known voter, a possible link. */
export function checkVoteForm(epoch: Electorate, vote: Vote): CertificateVerdict {
  if (vote.epoch !== epoch.epoch) return wrongEpoch(epoch, vote.epoch);
  if (!epoch.set.indexByAddress.has(vote.validator)) {
    return { code: 'UNKNOWN_VALIDATOR', validator: vote.validator };
  }
  return checkLink(vote);
}

/** A QC: the root's by its id alone, any other by a quorum's aggregate. Two pairings. */
export function verifyQC(epoch: EpochContext, bls: BlsEngine, qc: QuorumCertificate): CertificateVerdict {
  if (qc.epoch !== epoch.epoch) return wrongEpoch(epoch, qc.epoch);
  return qc.round <= epoch.rootQC.round ? checkRoot(epoch, qc) : verifySignedQC(epoch, bls, qc);
}

/** A QC by a quorum's aggregate alone: for whoever has no root to compare with (a light client). Two pairings. */
export function verifySignedQC(epoch: Electorate, bls: BlsEngine, qc: QuorumCertificate): CertificateVerdict {
  if (qc.epoch !== epoch.epoch) return wrongEpoch(epoch, qc.epoch);
  const link = checkLink(qc);
  if (link !== 'valid') return link;
  const signers = quorumOf(epoch.set, qc.round, [qc.signers]);
  if (!Array.isArray(signers)) return signers;
  const validators = signers.flat();
  const keys = validators.map(({ consensusKey }) => consensusKey);
  if (bls.fastAggregateVerify(keys, voteStatementBytes(epoch.domain, qc), qc.signature)) return 'valid';
  return invalidSignature('qc', qc.round, validators);
}

/**
 * A TC without its high QC's own signature: a quorum's signatures over the round and the high-QC round that each
 * signer reported, in (groups + 1) pairings; the greatest group is the high QC's round (CS-8).
 */
export function verifyTimeoutGroups(
  epoch: EpochContext,
  bls: BlsEngine,
  tc: TimeoutCertificate,
): CertificateVerdict {
  if (tc.epoch !== epoch.epoch) return wrongEpoch(epoch, tc.epoch);
  const shape = checkGroupRounds(tc);
  if (shape !== 'valid') return shape;
  const signers = quorumOf(
    epoch.set,
    tc.round,
    tc.groups.map((group) => group.signers),
  );
  if (!Array.isArray(signers)) return signers;
  const groups = tc.groups.map(({ highQcRound }, index) => ({
    publicKeys: (signers[index] ?? []).map(({ consensusKey }) => consensusKey),
    message: viewChangeStatementBytes(epoch.domain, tc.epoch, tc.round, highQcRound),
  }));
  if (bls.aggregateVerify(groups, tc.signature)) return 'valid';
  return invalidSignature('tc', tc.round, signers.flat());
}

/** A TC with the high QC that it carries. Prefer `verifyCertificates`, which verifies each only once. */
export function verifyTC(epoch: EpochContext, bls: BlsEngine, tc: TimeoutCertificate): CertificateVerdict {
  const groups = verifyTimeoutGroups(epoch, bls, tc);
  return groups === 'valid' ? verifyQC(epoch, bls, tc.highQC) : groups;
}

/**
 * A ViewChange's own statement and signature (CS-7). Its certificates are verified and adopted before, by
 * `verifyCertificates`; its last vote is verified where it is counted.
 */
export function verifyViewChange(
  epoch: EpochContext,
  bls: BlsEngine,
  message: ViewChangeMessage,
): CertificateVerdict {
  const malformed = checkViewChangeForm(epoch, message);
  if (malformed !== 'valid') return malformed;
  const sender = validatorOf(epoch.set, message.validator);
  if (sender === undefined) return { code: 'UNKNOWN_VALIDATOR', validator: message.validator };
  const { round, highQC, signature } = message;
  const statement = viewChangeStatementBytes(epoch.domain, message.epoch, round, highQC.round);
  if (bls.verify(sender.consensusKey, statement, signature)) return 'valid';
  return { code: 'SIGNATURE_INVALID', statement: 'view-change', round, signers: [message.validator] };
}

/** CS-7 without any pairing: m.highQC.round < m.round, justified by its QC or TC; the last vote is the sender's. */
export function checkViewChangeForm(epoch: EpochContext, message: ViewChangeMessage): CertificateVerdict {
  const { round, highQC, lastTC, lastVote, validator } = message;
  if (message.epoch !== epoch.epoch) return wrongEpoch(epoch, message.epoch);
  if (!epoch.set.indexByAddress.has(validator)) return { code: 'UNKNOWN_VALIDATOR', validator };
  if (highQC.round >= round) {
    return { code: 'HIGH_QC_NOT_BELOW_ROUND', round, highQcRound: highQC.round };
  }
  if (highQC.round + 1 !== round && lastTC?.round !== round - 1) {
    const tcRound = lastTC === undefined ? {} : { tcRound: lastTC.round };
    return { code: 'ROUND_NOT_JUSTIFIED', round, highQcRound: highQC.round, ...tcRound };
  }
  if (lastVote !== undefined && (lastVote.validator !== validator || lastVote.round !== round)) {
    const { validator: voter, round: voteRound } = lastVote;
    return { code: 'LAST_VOTE_NOT_OF_SENDER', validator, voter, round, voteRound };
  }
  return 'valid';
}

/** Bitmaps of one certificate: well formed, disjoint, together a quorum. The validators of each, in order. */
function quorumOf(
  set: ValidatorSet,
  round: Round,
  bitmaps: readonly Uint8Array[],
): Validator[][] | CertificateRefusal {
  const groups: Validator[][] = [];
  const seen = new Set<Validator>();
  let power: Power = 0n;
  for (const bitmap of bitmaps) {
    const validators = signersOf(set, bitmap);
    if (validators === 'malformed') {
      return {
        code: 'SIGNERS_MALFORMED',
        round,
        bytes: bitmap.byteLength,
        validators: set.validators.length,
      };
    }
    for (const validator of validators) {
      if (seen.has(validator)) return { code: 'SIGNER_TWICE', round, validator: validator.address };
      seen.add(validator);
    }
    power += totalPowerOf(validators);
    groups.push([...validators]);
  }
  if (power < set.quorumPower) return { code: 'QUORUM_NOT_REACHED', round, power, needed: set.quorumPower };
  return groups;
}

function checkGroupRounds(tc: TimeoutCertificate): CertificateVerdict {
  const { round, highQC, groups } = tc;
  if (highQC.round >= round) {
    return { code: 'HIGH_QC_NOT_BELOW_ROUND', round, highQcRound: highQC.round };
  }
  const highQcRounds = groups.map(({ highQcRound }) => highQcRound);
  const falling = highQcRounds.every((value, index) => index === 0 || value < (highQcRounds[index - 1] ?? 0));
  if (!falling) return { code: 'GROUPS_NOT_FALLING', round, highQcRounds };
  const greatestGroup = groups[0].highQcRound;
  if (greatestGroup !== highQC.round) {
    return { code: 'HIGH_QC_NOT_OF_GROUPS', round, highQcRound: highQC.round, greatestGroup };
  }
  return 'valid';
}

/** No honest validator signs another link, so no quorum does: the parent is older, the height above genesis. */
function checkLink(link: {
  readonly round: Round;
  readonly parentRound: Round;
  readonly height: Height;
}): CertificateVerdict {
  const { round, parentRound } = link;
  return parentRound < round && link.height > 0
    ? 'valid'
    : { code: 'LINK_WRONG', round, parentRound, height: link.height };
}

function checkRoot({ rootQC }: EpochContext, qc: QuorumCertificate): CertificateVerdict {
  const same =
    qc.blockId === rootQC.blockId &&
    qc.round === rootQC.round &&
    qc.height === rootQC.height &&
    qc.parentId === rootQC.parentId &&
    qc.parentRound === rootQC.parentRound &&
    qc.signers.byteLength === 0 &&
    qc.signature.byteLength === 0;
  return same ? 'valid' : { code: 'ROOT_CERTIFICATE_WRONG', blockId: qc.blockId, expected: rootQC.blockId };
}

const wrongEpoch = (context: Pick<EpochContext, 'epoch'>, epoch: Epoch): CertificateRefusal => ({
  code: 'WRONG_EPOCH',
  epoch,
  expected: context.epoch,
});

const invalidSignature = (
  statement: 'qc' | 'tc',
  round: Round,
  validators: readonly Validator[],
): CertificateRefusal => ({
  code: 'SIGNATURE_INVALID',
  statement,
  round,
  signers: validators.map(({ address }) => address),
});
