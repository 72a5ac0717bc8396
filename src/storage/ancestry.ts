/** How stored blocks hang together: a block with its ancestors, and what joins the committed chain. Pure. CS-12. */
import type { Block, BlockId, CertifiedBlock, QuorumCertificate } from '../protocol/chain/types.ts';

/** A stored block; with its own certificate where one was verified. */
export interface HeldBlock {
  readonly id: BlockId;
  readonly block: Block;
  readonly qc?: QuorumCertificate;
}

/**
 * Parents first, block `id` last, at most `ancestors` above it. A block's certificate is its own, or the one inside
 * its child, which nobody may have verified; block `id` may have one of `others`. Without any it is left out.
 */
export function ancestry(
  id: BlockId,
  ancestors: number,
  held: (id: BlockId) => HeldBlock | undefined,
  others: Iterable<QuorumCertificate>,
): readonly CertifiedBlock[] {
  const newestFirst: CertifiedBlock[] = [];
  let [wanted, childQc]: [BlockId, QuorumCertificate | undefined] = [id, undefined];
  for (let steps = 0; steps <= ancestors; steps += 1) {
    const found = held(wanted);
    if (found === undefined) break;
    const qc = found.qc ?? (childQc?.blockId === found.id ? childQc : undefined) ?? firstOf(others, found.id);
    if (qc !== undefined) newestFirst.push({ block: found.block, qc });
    childQc = found.block.qc;
    wanted = found.block.header.parentId;
  }
  return newestFirst.reverse();
}

/** Of blocks by rising height those that join the chain which ends with `tip`: parents first, each one's parent before it. */
export function joinedTo(
  tip: BlockId,
  ascending: Iterable<{ readonly id: BlockId; readonly block: Block }>,
): readonly Block[] {
  const joined = new Set<BlockId>([tip]);
  const blocks: Block[] = [];
  for (const { id, block } of ascending) {
    if (!joined.has(block.header.parentId)) continue;
    joined.add(id);
    blocks.push(block);
  }
  return blocks;
}

function firstOf(certificates: Iterable<QuorumCertificate>, id: BlockId): QuorumCertificate | undefined {
  for (const qc of certificates) if (qc.blockId === id) return qc;
  return undefined;
}
