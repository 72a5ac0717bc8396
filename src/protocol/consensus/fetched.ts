/** When a block that was asked for, by id or by height, may be stored: it and its parent's QC are proven. Pure. CS-12. */
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { blockIdOf, sameStatement, statementOf } from '../chain/canonical.ts';
import type { BlockId, CertifiedBlock } from '../chain/types.ts';
import type { EpochContext } from './epoch.ts';
import { checkCarried } from './proposal.ts';
import type { CertificateRefusal, ProposalRefusal } from './refusals.ts';
import { type VerifiedCertificates, verifyCertificates } from './verified.ts';

export type FetchedCheck =
  | { readonly status: 'proven'; readonly blockId: BlockId; readonly verified: VerifiedCertificates }
  | {
      readonly status: 'refused';
      readonly refusal: ProposalRefusal | CertificateRefusal;
      readonly verified: VerifiedCertificates;
    };

/**
 * A certified block: its QC states exactly this block and holds, and so does the QC of its parent that it carries. A
 * quorum has judged everything else. Stored, not committed: an orphan can carry a valid QC.
 */
export function checkCertifiedBlock(
  epoch: EpochContext,
  bls: BlsEngine,
  verified: VerifiedCertificates,
  { block, qc }: CertifiedBlock,
): FetchedCheck {
  const refuse = (refusal: ProposalRefusal | CertificateRefusal, memory = verified): FetchedCheck => ({
    status: 'refused',
    refusal,
    verified: memory,
  });
  const { epoch: stated, parentId } = block.header;
  if (stated !== epoch.epoch) return refuse({ code: 'WRONG_EPOCH', epoch: stated, expected: epoch.epoch });
  if (parentId !== block.qc.blockId) {
    return refuse({ code: 'PARENT_MISMATCH', parentId, certified: block.qc.blockId });
  }
  // What no id covers but by a hash: nobody may take it away, or put other evidence in its place (CS-14).
  const carried = checkCarried(block);
  if (carried !== 'valid') return refuse(carried);
  const blockId = blockIdOf(epoch.domain, block);
  if (!sameStatement(qc, statementOf(block, blockId))) {
    return refuse({ code: 'VOTE_NOT_FOR_BLOCK', voted: qc.blockId, blockId });
  }
  let memory = verified;
  for (const certificate of [block.qc, qc]) {
    const outcome = verifyCertificates(epoch, bls, memory, { qc: certificate });
    memory = outcome.verified;
    const [refusal] = outcome.refusals;
    if (refusal !== undefined) return refuse(refusal, memory);
  }
  return { status: 'proven', blockId, verified: memory };
}
