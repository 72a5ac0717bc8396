/** When a round counts as entered, by which certificates. Pure. Rules CS-1, CS-2. */
import { maxRound, nextRound } from '../chain/ordinals.ts';
import type { QuorumCertificate, Round, TimeoutCertificate } from '../chain/types.ts';
import type { RoundEntry } from '../ports/consensus.ts';
import type { EntryRefusal } from './refusals.ts';

/** CS-1: currentRound = max(highQC.round, lastTC?.round) + 1. */
export function currentRoundOf(highQC: QuorumCertificate, lastTC: TimeoutCertificate | undefined): Round {
  return nextRound(lastTC === undefined ? highQC.round : maxRound(highQC.round, lastTC.round));
}

/** CS-8: maxHighQcRound of a TC is the round of the high QC that it carries. */
export const maxHighQcRoundOf = (tc: TimeoutCertificate): Round => tc.highQC.round;

/**
 * CS-2: may a block of `round` extend `qc`, with `tc` beside it? Either qc.round + 1 = round and there is no tc, or
 * tc.round + 1 = round > qc.round >= tc.maxHighQcRound, which stands for the lock.
 */
export function checkEntry(
  round: Round,
  qc: QuorumCertificate,
  tc: TimeoutCertificate | undefined,
): EntryRefusal | 'valid' {
  if (tc === undefined) {
    return qc.round + 1 === round ? 'valid' : { code: 'ENTRY_INVALID', round, qcRound: qc.round };
  }
  if (tc.round + 1 !== round || qc.round >= round || tc.epoch !== qc.epoch) {
    return { code: 'ENTRY_INVALID', round, qcRound: qc.round, tcRound: tc.round };
  }
  if (qc.round < maxHighQcRoundOf(tc)) {
    return { code: 'NOT_EXTENDING_LOCK', round, qcRound: qc.round, maxHighQcRound: maxHighQcRoundOf(tc) };
  }
  return 'valid';
}

/** How the current round was entered: by its QC when there is one, else by its TC. */
export function entryOf(highQC: QuorumCertificate, lastTC: TimeoutCertificate | undefined): RoundEntry {
  return lastTC !== undefined && lastTC.round > highQC.round
    ? { by: 'tc', tc: lastTC }
    : { by: 'qc', qc: highQC };
}

/** CS-6, CS-9: the TC that a timeout or proposal of `round` must carry; none when highQC.round + 1 = round. */
export function tcToCarry(
  round: Round,
  highQC: QuorumCertificate,
  lastTC: TimeoutCertificate | undefined,
): TimeoutCertificate | undefined {
  return highQC.round + 1 === round || lastTC?.round !== round - 1 ? undefined : lastTC;
}

/**
 * The high QC after a restart: the record's, or the proof of the newest commit where that is higher. The proof is
 * durable before any record names it; without it nobody could propose on the block that it certifies. A proof of the epoch
 * before says nothing in this one (CS-16).
 */
export function recoveredHighQC(
  recorded: QuorumCertificate,
  commitProof: QuorumCertificate | undefined,
): QuorumCertificate {
  const isHigher = commitProof?.epoch === recorded.epoch && commitProof.round > recorded.round;
  return isHigher ? commitProof : recorded;
}
