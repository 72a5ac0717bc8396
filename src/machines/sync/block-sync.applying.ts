/**
 * How verified batches reach the chain: their bytes are saved, they are told to round-manager in order of height, and they
 * are kept until it says that they are durable (seed 001: catchUpToConsensus). Pure. Rules SY-8, SY-12, SY-14; CS-5.
 */
import { type Monotonic, millis, monotonic } from '../../base/units.ts';
import { heightMinus, maxHeight, nextHeight, previousHeight } from '../../protocol/chain/ordinals.ts';
import type { CommittedBlock, StorageReply } from '../../protocol/ports/storage.ts';
import type { Effect } from '../../protocol/supervision/effect.ts';
import { BATCH_HEIGHTS } from '../../protocol/sync/config.ts';
import { above, idAt, withoutBatches } from '../../protocol/sync/segment.ts';
import {
  type Applying,
  type Batch,
  borderAbove,
  type Descent,
  isApplying,
  isHeld,
  isVerifying,
  joinOf,
  newBatch,
  retryDelay,
  type Saving,
  savePatience,
  triedWith,
  type Verifying,
  without,
} from '../../protocol/sync/window.ts';
import {
  answering,
  type BlockSyncContext,
  type Clock,
  cancelling,
  chained,
  counting,
  floorOf,
  goalOf,
  judging,
  type Stepped,
  still,
  toRoundManager,
  toStorage,
  withBatch,
} from './block-sync.live.ts';

/** Pause before bytes that storage refused are given to it again. @unit ms @source chosen: as round-manager's */
const SAVE_RETRY_MS = millis(500);
/** What was told and is proven committed, and is not durable after so long, is told once more. @unit ms @source chosen */
export const APPLY_PATIENCE_MS = millis(10_000);
/** Tellings of one batch; after that it is fetched anew. @unit tellings @source round-manager may have lost the first in a restart */
const TELLINGS_MAX = 2;

/** Before round-manager hears of blocks, their bytes are on the disk, where the executor looks for them. */
export function saveDue(context: BlockSyncContext, clock: Clock): Stepped {
  return chained(
    context,
    ...context.window.filter(isVerifying).map((batch) => (now: BlockSyncContext): Stepped => {
      const { saving } = batch;
      if (saving.status === 'saved' || saveAt(saving) > clock.now) return still(now);
      const tag = now.tag + 1;
      const unanswered = saving.unanswered + (saving.status === 'asked' ? 1 : 0);
      const until = monotonic(clock.now + savePatience(unanswered));
      return {
        context: withBatch(
          { ...now, tag },
          { ...batch, saving: { status: 'asked', tag, until, unanswered } },
        ),
        effects: [
          toStorage(now, {
            type: 'batches.persistRequested',
            replyTo: clock.address,
            tag,
            batches: batch.segment.batches,
          }),
        ],
      };
    }),
  );
}

/** Whatever it was asked for it: an earlier question, or one of an earlier life, may be answered late. */
export function recordSaved(
  context: BlockSyncContext,
  { digests }: Extract<StorageReply, { type: 'batches.persisted' }>,
): Stepped {
  const durable = new Set(digests);
  return chained(
    context,
    ...context.window.filter(isVerifying).map((batch) => (now: BlockSyncContext): Stepped => {
      if (batch.saving.status === 'saved') return still(now);
      if (!batch.segment.batches.every(({ digest }) => durable.has(digest))) return still(now);
      const segment = withoutBatches(batch.segment);
      return still(withBatch(now, { ...batch, segment, saving: { status: 'saved' } }));
    }),
  );
}

export function saveLater(context: BlockSyncContext, tag: number, clock: Clock): Stepped {
  const batch = savingBy(context, tag);
  if (batch === undefined) return still(context);
  const at = monotonic(clock.now + SAVE_RETRY_MS);
  return still(withBatch(context, { ...batch, saving: { status: 'due', at, unanswered: 0 } }));
}

/** When storage is asked, or asked again. */
export const saveAt = (saving: Exclude<Saving, { status: 'saved' }>): Monotonic =>
  saving.status === 'due' ? saving.at : saving.until;

const savingBy = ({ window }: BlockSyncContext, tag: number): Verifying | undefined =>
  window.filter(isVerifying).find(({ saving }) => saving.status === 'asked' && saving.tag === tag);

/** Batches whose turn has come go to round-manager, lowest first. */
export function applyInOrder(context: BlockSyncContext, clock: Clock): Stepped {
  return chained(
    context,
    ...context.window.filter(isVerifying).map((batch) => (now: BlockSyncContext): Stepped => {
      if (batch.saving.status !== 'saved') return still(now);
      const segment = above(batch.segment, now.tip.height);
      if (segment === undefined) return still({ ...now, window: without(now.window, batch.key) });
      const rest: Verifying = { ...batch, segment };
      const { status } = joinOf(now.window, now.tip, floorOf(now), rest);
      switch (status) {
        case 'joins':
          return apply(now, rest, clock);
        case 'waits':
          return still(now);
        case 'contradicts':
          return contradict(now, rest, clock);
        case 'forks':
          return bridge(now, rest);
      }
    }),
  );
}

function apply(context: BlockSyncContext, batch: Verifying, clock: Clock): Stepped {
  const { segment } = batch;
  const { saving: _, ...rest } = batch;
  const applying: Batch = { ...rest, status: 'applying', toldAt: clock.now, tellings: 1 };
  // What is told once more is no advance.
  const advances = context.advances + (batch.doubts === 0 ? 1 : 0);
  const next = withBatch({ ...context, advances }, applying);
  const { wanted } = context;
  const isReached =
    wanted !== undefined &&
    isHeld(next.window, next.tip, { height: wanted.target.height, id: wanted.target.blockId });
  const isAboveCeiling = context.ceiling !== undefined && segment.to > context.ceiling;
  const probes = next.askers.filter(({ target, upTo }) => target.kind === 'probe' && upTo >= segment.from);
  return {
    context: {
      ...next,
      wanted: isReached ? undefined : wanted,
      ceiling: isReached || isAboveCeiling ? undefined : context.ceiling,
      askers: next.askers.filter((asker) => !probes.includes(asker)),
    },
    effects: [
      toRoundManager(context, segment),
      ...probes.map((asker) => answering(asker, { status: 'reached', height: segment.to })),
    ],
  };
}

/**
 * A chain that leaves out a block that is committed here. By height only who lies gives it: peers serve what they have
 * committed. By id it is what round-manager asked for: it decides.
 */
function contradict(context: BlockSyncContext, batch: Verifying, clock: Clock): Stepped {
  const { need, giver, segment, key } = batch;
  const climb = need.by === 'height' ? need : need.bridge?.climb;
  if (climb === undefined) return apply(context, batch, clock);
  const noted = counting(context, { blocksRejected: segment.blocks.length, batchesRetried: 1 });
  return {
    context: withBatch(noted, newBatch(key, climb, triedWith(batch.tried, giver))),
    effects: [judging(context, giver, { code: 'CONTRADICTS_COMMITTED' })],
  };
}

/**
 * Two certified blocks at one height, and no proof which is committed: what the upper stands on is fetched by its id, and
 * round-manager gets both; CS-5 decides. Nobody is blamed.
 */
function bridge(context: BlockSyncContext, batch: Verifying): Stepped {
  const { key, segment, giver, need, tried, askedAt } = batch;
  const origin = need.by === 'height' ? { giver, climb: need } : need.bridge;
  const lower: Descent = {
    by: 'id',
    id: segment.parentId,
    height: previousHeight(segment.from),
    vouchers: segment.verified,
    upper: segment,
    ...(origin === undefined ? {} : { bridge: origin }),
  };
  const next = newBatch(key, lower, tried);
  return still(withBatch(context, askedAt === undefined ? next : { ...next, askedAt }));
}

/** Durable: what is below is applied, and gone. */
export function recordCommitted(
  context: BlockSyncContext,
  blocks: readonly CommittedBlock[],
  clock: Clock,
): Stepped {
  const newest = blocks.at(-1);
  if (newest === undefined || newest.block.header.height <= context.tip.height) return still(context);
  const tip = { height: newest.block.header.height, id: newest.id };
  const applied = context.window
    .filter(isApplying)
    .filter(({ segment }) => segment.to <= tip.height && segment.to > context.tip.height)
    .at(-1);
  const lastApplied = applied === undefined ? context.lastApplied : timingOf(applied, clock);
  const wanted =
    context.wanted === undefined || context.wanted.target.height <= tip.height ? undefined : context.wanted;
  const next = { ...context, tip, lastApplied, wanted, advances: context.advances + 1 };
  const reached = next.askers.filter(({ upTo }) => upTo <= tip.height);
  return {
    context: { ...next, askers: next.askers.filter(({ upTo }) => upTo > tip.height) },
    effects: reached.map((asker) => answering(asker, { status: 'reached', height: tip.height })),
  };
}

const timingOf = ({ segment, askedAt, answeredAt }: Applying, { now }: Clock) => ({
  height: segment.to,
  blocks: segment.blocks.length,
  askedToAnswered: millis(answeredAt - (askedAt ?? answeredAt)),
  answeredToApplied: millis(now - answeredAt),
});

/** What nobody needs any more leaves the window, and is not waited for. */
export function prune(context: BlockSyncContext, clock: Clock): Stepped {
  const { tip } = context;
  const goal = goalOf(context);
  const effects: Effect[] = [];
  const window = context.window.flatMap((batch): Batch[] => {
    if (batch.status === 'applying') {
      const segment = above(batch.segment, tip.height);
      return segment === undefined ? [] : [{ ...batch, segment }];
    }
    if (isNeeded(context, batch, goal)) return [shortened(batch, context)];
    if (batch.status === 'downloading') effects.push(cancelling(context, clock, batch.flight.tag));
    return [];
  });
  return { context: { ...context, window }, effects };
}

function isNeeded(
  { tip, wanted, window }: BlockSyncContext,
  batch: Exclude<Batch, Applying>,
  goal: number,
): boolean {
  if (batch.status === 'verifying') return batch.segment.to > tip.height && batch.segment.from <= goal;
  const { need } = batch;
  if (need.by === 'height') return need.to > tip.height && need.from <= goal;
  if (need.bridge !== undefined) return (need.upper?.to ?? need.height) > tip.height && need.height < goal;
  return wanted !== undefined && need.height > tip.height && !isHeld(window, tip, need);
}

/** What is committed meanwhile is not asked for. */
function shortened(batch: Exclude<Batch, Applying>, { tip }: BlockSyncContext): Batch {
  const { need } = batch;
  if (batch.status === 'verifying' || batch.status === 'downloading' || need.by === 'id') return batch;
  if (need.from > tip.height) return batch;
  return { ...batch, need: { ...need, from: nextHeight(tip.height) } };
}

/** SY-3: a target that was told without its proof is told again with it: nothing else may ever commit it. */
export function proveTargets(context: BlockSyncContext): Stepped {
  return chained(
    context,
    ...context.askers.map(({ target }) => (now: BlockSyncContext): Stepped => {
      if (target.kind !== 'proved' || target.tip.proof.epoch !== now.epoch.epoch) return still(now);
      const { height, id, proof } = target.tip;
      const batch = now.window
        .filter(isApplying)
        .find(({ segment }) => idAt(segment, height) === id && segment.firm < height);
      if (batch === undefined) return still(now);
      const verified = [...batch.segment.verified, proof].sort((left, right) => left.round - right.round);
      const segment = { ...batch.segment, verified, firm: height };
      return { context: withBatch(now, { ...batch, segment }), effects: [toRoundManager(now, segment)] };
    }),
  );
}

/**
 * Round-manager lacks what it was told: it was restarted in between, or its tree was full. Everything is told once more,
 * and after that fetched anew.
 */
export function tellAgain(context: BlockSyncContext, clock: Clock): Stepped {
  const applying = context.window.filter(isApplying);
  if (applying.some(({ tellings }) => tellings >= TELLINGS_MAX)) {
    const window = context.window.filter((batch) => !isApplying(batch));
    return still({ ...context, window, decided: context.tip.height });
  }
  return chained(
    context,
    ...applying.map(
      (batch) =>
        (now: BlockSyncContext): Stepped => ({
          context: withBatch(now, { ...batch, toldAt: clock.now, tellings: batch.tellings + 1 }),
          effects: [toRoundManager(now, batch.segment)],
        }),
    ),
  );
}

/**
 * Nothing proves what was told, and no more may be told: whoever gave it may have spoilt the certificates that do. The newest
 * batch is fetched of others, as a proof in it commits all; each time after a longer pause, for there may be nobody else.
 */
export function doubtNewest(context: BlockSyncContext, clock: Clock): Stepped {
  const told = context.window.filter(isApplying);
  const newest = told.at(-1);
  if (newest === undefined) return still(context);
  const { to } = newest.segment;
  const border = borderAbove(previousHeight(to));
  const parts = told.filter((part) => part.segment.to > border - BATCH_HEIGHTS);
  const from = maxHeight(heightMinus(border, BATCH_HEIGHTS - 1), nextHeight(floorOf(context)));
  const doubts = 1 + parts.reduce((most, part) => Math.max(most, part.doubts), 0);
  const tried = parts.reduce((all, { giver }) => triedWith(all, giver), newest.tried);
  const until = monotonic(clock.now + retryDelay(doubts, clock.draw()));
  const climb = { by: 'height', from, to } as const;
  const again: Batch = { ...newBatch(newest.key, climb, tried), status: 'failed', until, doubts };
  const window = context.window.filter((batch) => !parts.some((part) => part.key === batch.key));
  return still(withBatch(counting({ ...context, window }, { batchesRetried: 1 }), again));
}

/** What is proven committed becomes durable soon, or it was lost on the way. */
const isOverdue = ({ tip }: BlockSyncContext, { segment, toldAt }: Applying, now: number): boolean =>
  segment.firm > tip.height && now >= toldAt + APPLY_PATIENCE_MS;

export function reviewApplying(context: BlockSyncContext, clock: Clock): Stepped {
  const isLost = context.window.some((batch) => isApplying(batch) && isOverdue(context, batch, clock.now));
  return isLost ? tellAgain(context, clock) : still(context);
}
