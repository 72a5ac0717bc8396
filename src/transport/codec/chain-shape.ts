/** What the writer and the reader of certified blocks share: flags, widths, bounds on lengths, when two certificates are one. Pure. Rules TP-8, TP-11. */
import { equalBytes } from '../../base/bytes.ts';
import type { Evidence, QuorumCertificate } from '../../protocol/chain/types.ts';
import { BATCH_REFERENCES_MAX, VALIDATORS_MAX } from '../../protocol/transport/limits.ts';

/** Flag: the QC in the block is the one of the block before, byte by byte. */
export const REPEATED = 1;
/** Flag: evidence stands at the block's end (CS-14). */
export const CARRYING = 2;
export const EVIDENCE_KINDS = ['DoubleVote', 'QcHiding'] as const satisfies readonly Evidence['kind'][];
const VRF_PROOF_BYTES_MAX = 96;
const SIGNERS_BYTES_MAX = VALIDATORS_MAX / 8;
export const SIGNATURE_BYTES = 96;

export interface Lengths {
  readonly vrfProof: number;
  readonly references: number;
  readonly parentSigners: number;
  readonly parentSignature: number;
  readonly signers: number;
  readonly signature: number;
}

export function problemOfLengths(lengths: Lengths): string | undefined {
  if (lengths.vrfProof > VRF_PROOF_BYTES_MAX) return 'VRF proof too long';
  if (lengths.references > BATCH_REFERENCES_MAX) return 'too many batches';
  if (lengths.parentSigners > SIGNERS_BYTES_MAX || lengths.signers > SIGNERS_BYTES_MAX)
    return 'too many signers';
  return isSignature(lengths.parentSignature) && isSignature(lengths.signature)
    ? undefined
    : `expected a signature of ${SIGNATURE_BYTES} bytes or none`;
}

const isSignature = (length: number): boolean => length === SIGNATURE_BYTES || length === 0;

export const sameCertificate = (left: QuorumCertificate, right: QuorumCertificate): boolean =>
  left === right ||
  (left.blockId === right.blockId &&
    left.round === right.round &&
    left.height === right.height &&
    left.epoch === right.epoch &&
    left.parentId === right.parentId &&
    left.parentRound === right.parentRound &&
    equalBytes(left.signers, right.signers) &&
    equalBytes(left.signature, right.signature));
