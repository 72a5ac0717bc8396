/** What a liar gives for the blocks that somebody asked for. Deterministic; nobody's key is needed. Rules SM-3, SY-8. */
import { batchDigestOf } from '../../protocol/chain/batch.ts';
import { blockIdOf, statementOf } from '../../protocol/chain/canonical.ts';
import type { Block, CertifiedBlock, Header, QuorumCertificate } from '../../protocol/chain/types.ts';
import type { BlocksMessage } from '../../protocol/sync/messages.ts';
import { inventedId } from './equivocate.ts';
import type { LieTools } from './lie.ts';
import { heightBy, roundBy, timeBy } from './pen.ts';
import { anyOf } from './stale-certificates.ts';

/** Blocks of an answer that makes a seam where nobody asked for one. @unit blocks */
const SEAM_BLOCKS = 10;

type BlocksLie = (told: BlocksMessage, tools: LieTools) => BlocksMessage;

export const BLOCKS_WAYS = {
  fieldChanged: onOne((certified, tools) => {
    const { header } = certified.block;
    return {
      ...certified,
      block: { ...certified.block, header: { ...header, ...otherField(header, tools) } },
    };
  }),
  rewritten: (told, tools) => ({ ...told, blocks: rewritten(told.blocks, tools) }),
  innerCertificate: (told, tools) => {
    const below = told.blocks.length - 1;
    const inner = tools.draws.below(Math.max(1, below));
    const isChanged = tools.draws.below(2) === 0 ? (at: number) => at === inner : (at: number) => at < below;
    return { ...told, blocks: withCertificates(told.blocks, isChanged, tools) };
  },
  newestCertificate: (told, tools) => ({
    ...told,
    blocks: withCertificates(told.blocks, (at) => at === told.blocks.length - 1, tools),
  }),
  otherBatches: (told, { draws }) => ({ ...told, batches: otherBatches(told.batches, draws.below(4)) }),
  gap: (told, { draws }) => ({
    ...told,
    blocks: told.blocks.toSpliced(draws.below(Math.max(1, told.blocks.length)), 1),
  }),
  orphans: (told, tools) => {
    const blocks = withOrphans(told.blocks, tools);
    return { ...told, blocks, height: heightBy(told.height, blocks.length) };
  },
  /** What it once gave to another question. */
  otherBlocks: (told, { memory, draws }) => {
    const other = anyOf(memory.ofKind('Blocks'), draws) ?? told;
    return { ...told, blocks: other.blocks, batches: other.batches };
  },
  tooMany: (told) => ({ ...told, blocks: [...told.blocks, ...told.blocks] }),
  /** One block of all that it was asked for. */
  trickle: (told) => shortened(told, 1),
  seam: (told, tools) => withSeam(told, tools),
} as const satisfies Readonly<Record<string, BlocksLie>>;

function onOne(change: (one: CertifiedBlock, tools: LieTools) => CertifiedBlock): BlocksLie {
  return (told, tools) => {
    const at = tools.draws.below(Math.max(1, told.blocks.length));
    return { ...told, blocks: told.blocks.map((one, place) => (place === at ? change(one, tools) : one)) };
  };
}

function otherField(header: Header, { draws }: LieTools): Partial<Header> {
  switch (draws.below(5)) {
    case 0:
      return { time: timeBy(header.time, 1) };
    case 1:
      return { round: roundBy(header.round, 1) };
    case 2:
      return { height: heightBy(header.height, 1) };
    case 3:
      return { parentId: inventedId(header.parentId) ?? header.parentId };
    default:
      return { batches: [] };
  }
}

/** A chain of its own from some block on: every id and statement fits, only nobody signed it. */
function rewritten(blocks: readonly CertifiedBlock[], { draws, epoch }: LieTools): readonly CertifiedBlock[] {
  const at = draws.below(Math.max(1, blocks.length));
  let below: QuorumCertificate | undefined;
  return blocks.map(({ block, qc }, place) => {
    if (place < at) return { block, qc };
    const { header } = block;
    const changed: Block =
      below === undefined
        ? { ...block, header: { ...header, time: timeBy(header.time, 1) } }
        : { header: { ...header, parentId: below.blockId }, qc: below };
    below = { ...qc, ...statementOf(changed, blockIdOf(epoch.domain, changed)) };
    return { block: changed, qc: below };
  });
}

/** Signatures and signers that are not those of the statement. */
function withCertificates(
  blocks: readonly CertifiedBlock[],
  isChanged: (at: number) => boolean,
  { memory, draws }: LieTools,
): readonly CertifiedBlock[] {
  const other = anyOf(memory.qcs, draws);
  return blocks.map((certified, place) => {
    if (!isChanged(place)) return certified;
    const { qc } = certified;
    const signature = Uint8Array.from(qc.signature);
    signature[0] = (signature[0] ?? 0) ^ 1;
    const changed = draws.below(2) === 0 ? { signature: other?.signature ?? signature } : { signature };
    return { ...certified, qc: { ...qc, ...changed } };
  });
}

/** One less, one more, none, or one with another byte. */
function otherBatches(batches: readonly Uint8Array[], how: number): readonly Uint8Array[] {
  const [first = new Uint8Array([1])] = batches;
  switch (how) {
    case 0:
      return batches.slice(1);
    case 1:
      return [...batches, first];
    case 2:
      return [];
    default: {
      const changed = Uint8Array.from(first);
      changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
      return [changed, ...batches.slice(1)];
    }
  }
}

/** A short answer, whose first block has nothing beside it that would show what is false of its parent's certificate. */
function withSeam(told: BlocksMessage, { draws }: LieTools): BlocksMessage {
  const [first, ...others] = told.blocks.slice(0, SEAM_BLOCKS);
  if (first === undefined || others.length === 0) return told;
  const { qc } = first.block;
  const lie =
    draws.below(2) === 0 ? { parentId: first.qc.blockId } : { parentRound: roundBy(qc.parentRound, 1) };
  const blocks = [{ ...first, block: { ...first.block, qc: { ...qc, ...lie } } }, ...others];
  return { ...shortened(told, SEAM_BLOCKS), blocks };
}

/** The first few blocks, with the batches that they name. */
function shortened(told: BlocksMessage, count: number): BlocksMessage {
  const blocks = told.blocks.slice(0, count);
  const named = new Set(blocks.flatMap(({ block }) => block.header.batches.map(({ digest }) => digest)));
  return { ...told, blocks, batches: told.batches.filter((bytes) => named.has(batchDigestOf(bytes))) };
}

/** Certified blocks that it heard of and that are not committed, in place of those that are, or above them. */
function withOrphans(
  blocks: readonly CertifiedBlock[],
  { memory, epoch }: LieTools,
): readonly CertifiedBlock[] {
  const certified = new Map(memory.qcs.map((qc) => [qc.blockId, qc]));
  const known = memory.ofKind('Proposal').flatMap(({ block }): readonly CertifiedBlock[] => {
    const qc = certified.get(blockIdOf(epoch.domain, block));
    return qc === undefined ? [] : [{ block, qc }];
  });
  const chain = new Set(blocks.map(({ qc }) => qc.blockId));
  const orphan = known.find(
    ({ block, qc }) =>
      !chain.has(qc.blockId) && blocks.some((one) => one.qc.blockId === block.header.parentId),
  );
  if (orphan === undefined) return blocks;
  const below = blocks.findIndex(({ qc }) => qc.blockId === orphan.block.header.parentId);
  const given = [...blocks.slice(0, below + 1), orphan];
  for (let next = childOf(known, orphan); next !== undefined; next = childOf(known, next)) given.push(next);
  return given;
}

const childOf = (known: readonly CertifiedBlock[], { qc }: CertifiedBlock): CertifiedBlock | undefined =>
  known.find(({ block }) => block.header.parentId === qc.blockId);
