/**
 * How the chain-server gives blocks: as many as fit and are proven, with their batches where these fit too. Pure. Rules SY-8,
 * TP-9, CS-12, docs/protocol/sync.md; what fits and what is proven is decided in protocol/sync/serving.ts.
 */
import type { Monotonic } from '../../base/units.ts';
import type { CertifiedBlock } from '../../protocol/chain/types.ts';
import type { BlocksMessage } from '../../protocol/sync/messages.ts';
import {
  ANSWER_COST_BYTES_MIN,
  batchesFor,
  composed,
  costOf,
  type Proven,
  provenPrefix,
} from '../../protocol/sync/serving.ts';
import { answerThatFits, blocksThatFit } from '../../protocol/transport/sizes.ts';
import {
  answered,
  type ChainServerContext,
  type Clock,
  charged,
  counted,
  type Decided,
  type Found,
  taken,
  type Unnumbered,
  type Waiting,
} from './chain-server.live.ts';
import { read } from './chain-server.questions.ts';

type Asked = Extract<Waiting, { step: 'batches' }>;
type Batches = Found<'batches.found'>['batches'];

/** The blocks are read: their batches too where they are wanted, else they leave. */
export function takeBlocks(
  context: ChainServerContext,
  { tag, blocks, height, commitProofs = [] }: Found<'blocks.found'>,
  { now, address }: Clock,
): Decided {
  const { asked, rest } = taken(context, tag);
  if (asked?.step !== 'blocks') return {};
  const { question, peer, requestId, size, stage } = asked;
  const wantsBatches = question.kind === 'GetBlocks' && question.withBatches;
  const next: Asked = {
    ...{ step: 'batches', blocks: composed(blocks), proofs: commitProofs, height },
    ...{ peer, requestId, size, stage },
    ...(question.kind === 'GetBlock' ? { wanted: question.id } : {}),
  };
  const noted = { ...context, height, waiting: rest };
  if (!wantsBatches || batchesFor(blocks).digests.length === 0) return sendBlocks(noted, next, [], now);
  return read(noted, next, address);
}

export function answerBlocks(
  context: ChainServerContext,
  tag: number,
  batches: Batches,
  now: Monotonic,
): Decided {
  const { asked, rest } = taken(context, tag);
  if (asked?.step !== 'batches') return {};
  return sendBlocks({ ...context, waiting: rest }, asked, batches, now);
}

function sendBlocks(context: ChainServerContext, asked: Asked, batches: Batches, now: Monotonic): Decided {
  const { wanted } = asked;
  const { blocks, verified, tries, isWhole, held } =
    wanted === undefined ? givenByHeight(context, asked, batches) : givenById(context, asked, wanted);
  const named = new Set(batchesFor(blocks).digests);
  const own = answerThatFits(
    blocks,
    held.filter(({ digest }) => named.has(digest)),
  ).batches;
  const message: Unnumbered<BlocksMessage> = { kind: 'Blocks', blocks, batches: own, height: asked.height };
  const noted = isWhole ? context : { ...context, ...counted(context, 'shortened') };
  const done = answered(noted, context.waiting, asked, message);
  const cost = Math.max(costOf(blocks, own), tries * ANSWER_COST_BYTES_MIN);
  const shares = charged(context, asked.peer, cost, now);
  return { ...done, context: { ...done.context, shares, verified } };
}

interface Given extends Proven {
  readonly isWhole: boolean;
  readonly held: Batches;
}

/** Blocks with their batches, else blocks alone, else nothing: where no certificate among them can be proven. */
function givenByHeight(context: ChainServerContext, asked: Asked, batches: Batches): Given {
  const provenAmong = (judge: ChainServerContext, candidates: readonly CertifiedBlock[], held: Batches) => {
    const fitting = candidates.slice(0, answerThatFits(candidates, held).blocks);
    const proven = provenPrefix(judge, fitting, asked.proofs);
    return { ...proven, held, isWhole: proven.blocks.length === fitting.length };
  };
  if (batches.length === 0) return provenAmong(context, asked.blocks, []);
  const covered = asked.blocks.slice(0, batchesFor(asked.blocks).blocks);
  const found = provenAmong(context, covered, batches);
  if (found.blocks.length > 0) return found;
  // Where the batches end the answer at a certificate that does not hold, the blocks alone may reach one that does.
  const bare = provenAmong({ ...context, verified: found.verified }, asked.blocks, []);
  return { ...bare, tries: found.tries + bare.tries };
}

/** CS-12: the id vouches for them, no reader looks at a signature. Ancestors without the block itself are no answer. */
function givenById({ verified }: ChainServerContext, asked: Asked, wanted: Asked['wanted']): Given {
  const fitting = asked.blocks.slice(0, blocksThatFit(asked.blocks));
  const blocks = fitting.at(-1)?.qc.blockId === wanted ? fitting : [];
  return { blocks, verified, tries: 0, held: [], isWhole: blocks.length === asked.blocks.length };
}
