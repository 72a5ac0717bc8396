/**
 * What block-sync makes of answers (seed 001: validateBlock): verified, or refused and blamed on their sender; late ones are
 * used where they help. Pure. Rules SY-3, SY-8; CS-12, docs/protocol/sync.md.
 */
import { millis, monotonic } from '../../base/units.ts';
import { heightPlus, maxHeight, previousHeight } from '../../protocol/chain/ordinals.ts';
import type { Height } from '../../protocol/chain/types.ts';
import type { StateSyncReply } from '../../protocol/ports/sync.ts';
import type { SegmentFault } from '../../protocol/sync/faults.ts';
import { isAmple } from '../../protocol/sync/patience.ts';
import {
  checkDescent,
  joined,
  type Links,
  proven,
  type Segment,
  verifySegment,
} from '../../protocol/sync/segment.ts';
import type { SyncError } from '../../protocol/sync/types.ts';
import {
  type Batch,
  type Climb,
  DESCENT_BLOCKS,
  DESCENT_BLOCKS_MAX,
  type Descent,
  HELD_BYTES_MAX,
  isDownloading,
  isHeld,
  newBatch,
  triedWith,
  usualWith,
  without,
} from '../../protocol/sync/window.ts';
import { askAgain, heightOf, limitOf } from './block-sync.asking.ts';
import {
  type BlockSyncContext,
  type Clock,
  cancelling,
  chained,
  counting,
  floorOf,
  judging,
  proofsOf,
  type Stepped,
  still,
  withBatch,
} from './block-sync.live.ts';

/** Pause after an answer that did not help, so that empty ones do not make a loop. @unit ms @source chosen */
const RETRY_PAUSE_MS = millis(100);

type Answer = Extract<StateSyncReply, { type: 'blocks.answered' }>;

/** A question that is open, or, of an answer that comes late, a batch that can use all of it: it may have been asked for more than that. */
function batchFor(context: BlockSyncContext, { tag, blocks }: Answer): Batch | undefined {
  const open = context.window.find((batch) => isDownloading(batch) && batch.flight.tag === tag);
  const newest = blocks.at(-1)?.qc.blockId;
  const from = blocks[0]?.block.header.height;
  return (
    open ??
    context.window.find((batch) => {
      if (batch.status === 'verifying' || batch.status === 'applying' || newest === undefined) return false;
      const { need } = batch;
      if (need.by === 'id') return need.id === newest;
      return need.from === from && blocks.length <= blocksOf(need);
    })
  );
}

const blocksOf = ({ from, to }: Climb): number => to - from + 1;

export function takeAnswer(context: BlockSyncContext, answer: Answer, clock: Clock): Stepped {
  const batch = batchFor(context, answer) ?? olderTarget(context, answer);
  if (batch === undefined || batch.status === 'verifying' || batch.status === 'applying') {
    return still(counting(context, { answersUnused: 1 }));
  }
  if (answer.blocks.length === 0) {
    return inVain(noteCeiling(context, batch.need, answer.height), batch, answer, clock);
  }
  return batch.need.by === 'height'
    ? takeClimb(context, batch, batch.need, answer, clock)
    : takeDescent(context, batch, batch.need, answer, clock);
}

/** The target may have moved on since it was asked for: what leads to an older one is as good, while nothing else came. */
function olderTarget(context: BlockSyncContext, { blocks }: Answer): Batch | undefined {
  const newest = blocks.at(-1)?.qc.blockId;
  const target = context.targets.find(({ blockId }) => blockId === newest);
  if (
    target === undefined ||
    isHeld(context.window, context.tip, { height: target.height, id: target.blockId })
  ) {
    return undefined;
  }
  const descent = context.window.find(
    ({ need, status }) =>
      need.by === 'id' && need.upper === undefined && status !== 'verifying' && status !== 'applying',
  );
  if (descent === undefined) return undefined;
  const need: Descent = { by: 'id', id: target.blockId, height: target.height, vouchers: [target] };
  return { ...descent, need };
}

/** A peer has less than was asked for: the rest may be certified only, and is asked for by id (CS-12). */
function noteCeiling(context: BlockSyncContext, need: Climb | Descent, height: Height): BlockSyncContext {
  if (need.by === 'id' || context.wanted === undefined || height >= need.to) return context;
  // Who is behind us says nothing of what others have; what a claim has proved, somebody has committed (SY-3).
  if (height < floorOf(context) || need.to <= provedUpTo(context)) return context;
  return { ...context, ceiling: height };
}

const provedUpTo = ({ askers, tip }: BlockSyncContext): Height =>
  askers
    .map(({ target }) => (target.kind === 'proved' ? target.tip.height : tip.height))
    .reduce(maxHeight, tip.height);

function takeClimb(
  context: BlockSyncContext,
  batch: Batch,
  need: Climb,
  answer: Answer,
  clock: Clock,
): Stepped {
  const { peer, blocks, batches, height } = answer;
  const question = { from: need.from, limit: blocksOf(need), proofs: proofsOf(context) };
  const check = verifySegment(context, question, { blocks, batches });
  const judged = { ...context, verified: check.verified };
  if (check.status === 'refused') return refused(judged, batch, answer, check.code, clock);
  if (check.status === 'notUnderstood') return inVain(judged, batch, answer, clock);
  const { segment } = check;
  const hasMore = height > segment.to;
  const isGood = isAmple(segment.bytes, segment.to >= need.to || !hasMore);
  const left: Climb = { by: 'height', from: heightPlus(segment.to, 1), to: need.to };
  const asked = isGood && hasMore ? batch : { ...batch, tried: triedWith(batch.tried, peer) };
  const rest = segment.to >= need.to ? [] : [remainder(asked, judged.tag + 1, left, isGood)];
  const usualMs = isGood ? usualAfter(judged, batch, answer, clock) : judged.usualMs;
  const taken = noteCeiling({ ...judged, usualMs, tag: judged.tag + rest.length }, need, height);
  return chained(rest.reduce(withBatch, taken), (now) =>
    landed(now, batch, { segment, answer, fresh: segment, isGood }, clock),
  );
}

/** What comes late says nothing of how long an answer takes. */
const usualAfter = ({ usualMs }: BlockSyncContext, batch: Batch, { tag }: Answer, { now }: Clock) =>
  isDownloading(batch) && batch.flight.tag === tag ? usualWith(usualMs, now - batch.flight.askedAt) : usualMs;

/** What an answer left of its batch, which has waited since before unless the answer was ample: no trickle puts off the hurry of SY-8. */
function remainder(
  { tried, askedAt, waitsSince, doubts }: Batch,
  key: number,
  need: Climb | Descent,
  isGood: boolean,
): Batch {
  return {
    ...newBatch(key, need, tried),
    doubts,
    ...(askedAt === undefined ? {} : { askedAt }),
    ...(isGood || waitsSince === undefined ? {} : { waitsSince }),
  };
}

function takeDescent(
  context: BlockSyncContext,
  batch: Batch,
  need: Descent,
  answer: Answer,
  clock: Clock,
): Stepped {
  const { peer, blocks, batches } = answer;
  const question = { id: need.id, limit: DESCENT_BLOCKS };
  const check = checkDescent(context.epoch, question, { blocks, batches });
  if (check.status === 'refused') return refused(context, batch, answer, check.code, clock);
  if (check.status === 'notUnderstood') return inVain(context, batch, answer, clock);
  const links = need.upper === undefined ? check.links : joined(check.links, need.upper);
  const below = { height: previousHeight(links.from), id: links.parentId };
  const reaches = below.height <= floorOf(context) || isHeld(context.window, context.tip, below);
  if (reaches) {
    const { segment, verified } = proven(context, links, need.vouchers);
    const landing = { segment, answer, fresh: check.links, isGood: true };
    return landed({ ...context, verified }, batch, landing, clock);
  }
  const freed = closed(context, batch, answer, clock);
  const { bytes } = check.links;
  const isGood = isAmple(bytes, blocks.length >= limitOf(context, need));
  const noted = counting(freed.context, { blocksFetched: blocks.length, bytesFetched: bytes });
  const effects = isGood ? [...freed.effects, judging(context, peer, 'good')] : freed.effects;
  if (links.blocks.length > DESCENT_BLOCKS_MAX || links.bytes > HELD_BYTES_MAX) {
    return { context: { ...noted, window: without(noted.window, batch.key), ceiling: undefined }, effects };
  }
  const lower: Descent = { ...need, ...below, upper: links };
  const tried = isGood ? batch.tried : triedWith(batch.tried, peer);
  const next = remainder({ ...batch, tried }, batch.key, lower, isGood);
  return { context: withBatch(noted, next), effects };
}

interface Landing {
  readonly segment: Segment;
  readonly answer: Answer;
  /** What came with this answer. */
  readonly fresh: Links;
  /** As much as its giver could give: it is praised. */
  readonly isGood: boolean;
}

/** Verified: it waits for its bytes to be saved, and for its turn. */
function landed(
  context: BlockSyncContext,
  batch: Batch,
  { segment, answer, fresh, isGood }: Landing,
  clock: Clock,
): Stepped {
  const freed = closed(context, batch, answer, clock);
  const { key, need } = batch;
  const verifying: Batch = {
    status: 'verifying',
    key,
    need,
    tried: batch.tried,
    attempts: 0,
    rounds: batch.rounds,
    doubts: batch.doubts,
    askedAt: batch.askedAt ?? clock.now,
    segment,
    giver: need.by === 'id' && need.bridge !== undefined ? need.bridge.giver : answer.peer,
    answeredAt: clock.now,
    saving:
      segment.batches.length === 0 ? { status: 'saved' } : { status: 'due', at: clock.now, unanswered: 0 },
  };
  const more = { blocksFetched: fresh.blocks.length, bytesFetched: fresh.bytes };
  return {
    context: withBatch(counting(freed.context, more), verifying),
    effects: isGood ? [...freed.effects, judging(context, answer.peer, 'good')] : freed.effects,
  };
}

/** A lie: its sender is blamed, and somebody else is asked. */
function refused(
  context: BlockSyncContext,
  batch: Batch,
  answer: Answer,
  code: SegmentFault,
  clock: Clock,
): Stepped {
  return chained(
    counting(context, { blocksRejected: answer.blocks.length }),
    (now) => ({ context: now, effects: [judging(now, answer.peer, { code })] }),
    (now) => inVain(now, batch, answer, clock),
  );
}

/** The question is answered as far as it is needed; copies that are still on their way, or a later question, are not. */
function closed(context: BlockSyncContext, batch: Batch, { tag }: Answer, clock: Clock): Stepped {
  if (batch.status !== 'downloading') return still(context);
  const { flight } = batch;
  const isOver = flight.tag === tag && flight.answers + 1 >= flight.copies;
  return isOver ? still(context) : { context, effects: [cancelling(context, clock, flight.tag)] };
}

/** An answer that did not help. The question stays open while other copies of it are on their way. */
function inVain(context: BlockSyncContext, batch: Batch, { tag, peer }: Answer, clock: Clock): Stepped {
  const tried = triedWith(batch.tried, peer);
  // Only the awaited answer: nobody else may turn the way that is working.
  if (batch.status !== 'downloading' || batch.flight.tag !== tag) {
    return still(counting(context, { answersUnused: 1 }));
  }
  const answers = batch.flight.answers + 1;
  if (answers < batch.flight.copies) {
    return still(withBatch(context, { ...batch, tried, flight: { ...batch.flight, answers } }));
  }
  const until = monotonic(clock.now + RETRY_PAUSE_MS);
  const error: SyncError = {
    code: 'BlockNotFound',
    detail: `height ${heightOf(batch)}: no peer that was asked gave blocks that can be used`,
  };
  return askAgain(context, { ...batch, tried }, answers, until, error, clock);
}
