/** A block and its ancestors, each with the certificate that some held child or record has of it. Pure. CS-12. */
import type { Block, BlockId, CertifiedBlock, QuorumCertificate } from '../protocol/chain/types.ts';

/** A stored block; its own certificate may not have come yet. */
export interface HeldBlock {
  readonly id: BlockId;
  readonly block: Block;
  readonly qc?: QuorumCertificate;
}

/**
 * Parents first, block `id` last, at most `ancestors` above it. A block's certificate is its own, or the one inside
 * its child; the first block's may be `highQC`. A first block that nothing certifies is left out.
 */
export function ancestry(
  id: BlockId,
  ancestors: number,
  held: (id: BlockId) => HeldBlock | undefined,
  highQC: QuorumCertificate,
): readonly CertifiedBlock[] {
  const newestFirst: CertifiedBlock[] = [];
  let [wanted, childQc]: [BlockId, QuorumCertificate] = [id, highQC];
  for (let steps = 0; steps <= ancestors; steps += 1) {
    const found = held(wanted);
    if (found === undefined) break;
    const qc = found.qc ?? (childQc.blockId === found.id ? childQc : undefined);
    if (qc !== undefined) newestFirst.push({ block: found.block, qc });
    childQc = found.block.qc;
    wanted = found.block.header.parentId;
  }
  return newestFirst.reverse();
}
