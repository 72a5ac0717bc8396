/**
 * How the chain-server gives blocks: as many as fit and are proven, with their batches where these fit too. Pure. Rules SY-8,
 * TP-9, CS-12, docs/protocol/sync.md; what fits and what is proven is decided in protocol/sync/serving.ts.
 */
import type { Monotonic } from '../../base/units.ts';
import type { BlockId, CertifiedBlock } from '../../protocol/chain/types.ts';
import { epochAfter } from '../../protocol/consensus/epoch.ts';
import type { BlocksMessage } from '../../protocol/sync/messages.ts';
import type { Judge } from '../../protocol/sync/segment.ts';
import {
  ANSWER_COST_BYTES_MIN,
  batchesFor,
  composed,
  costOf,
  firstEpochOf,
  lastEpochOf,
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
  withEpoch,
} from './chain-server.live.ts';
import { forgetAsker, read } from './chain-server.questions.ts';

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
  const noted = { ...context, height, waiting: rest };
  const to = { peer, requestId, size, stage };
  if (question.kind === 'GetBlock') {
    const given = lastEpochOf(composed(blocks));
    const next: Asked = {
      ...to,
      step: 'batches',
      by: { id: question.id },
      blocks: given,
      proofs: [],
      height,
    };
    return sendBlocks(noted, next, [], now);
  }
  const given = firstEpochOf(composed(blocks));
  const giving = { blocks: given, proofs: commitProofs, height };
  const { withBatches: wantsBatches } = question;
  const number = given[0]?.block.header.epoch ?? context.epoch.epoch;
  const epoch = context.epochs.get(number);
  if (epoch === undefined)
    return read(noted, { ...to, ...giving, step: 'epoch', wantsBatches, epoch: number }, address);
  return readBatches(noted, { ...to, ...giving, step: 'batches', by: { epoch } }, wantsBatches, {
    now,
    address,
  });
}

/** CS-16: whose signatures are on the blocks. Without that nothing of them can be proven. */
export function takeEpoch(
  context: ChainServerContext,
  { tag, changes: [change] }: Found<'epochs.found'>,
  clock: Clock,
): Decided {
  const { asked, rest } = taken(context, tag);
  if (asked?.step !== 'epoch') return {};
  const { wantsBatches, ...giving } = asked;
  if (change?.proof.next.epoch !== asked.epoch) return forgetAsker(context, tag);
  // Storage takes no change that was not verified.
  const epoch = epochAfter(context.epoch, change);
  const noted = { ...context, waiting: rest, epochs: withEpoch(context, epoch) };
  return readBatches(noted, { ...giving, step: 'batches', by: { epoch } }, wantsBatches, clock);
}

function readBatches(
  context: ChainServerContext,
  next: Asked,
  wantsBatches: boolean,
  { now, address }: Clock,
): Decided {
  if (!wantsBatches || batchesFor(next.blocks).digests.length === 0)
    return sendBlocks(context, next, [], now);
  return read(context, next, address);
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
  const { by } = asked;
  const { blocks, verified, tries, isWhole, held } =
    'id' in by
      ? givenById(context, asked, by.id)
      : givenByHeight({ ...context, epoch: by.epoch }, asked, batches);
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
function givenByHeight(context: Judge, asked: Asked, batches: Batches): Given {
  const provenAmong = (judge: Judge, candidates: readonly CertifiedBlock[], held: Batches) => {
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
function givenById({ verified }: ChainServerContext, asked: Asked, wanted: BlockId): Given {
  const fitting = asked.blocks.slice(0, blocksThatFit(asked.blocks));
  const blocks = fitting.at(-1)?.qc.blockId === wanted ? fitting : [];
  return { blocks, verified, tries: 0, held: [], isWhole: blocks.length === asked.blocks.length };
}
