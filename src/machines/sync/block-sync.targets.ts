/**
 * What block-sync goes for and how it goes on: targets of round-manager and of askers, the plan of the window, progress, and
 * when to look again. Pure. Rules SY-3, SY-8, SY-11, SY-12; CS-12, docs/protocol/sync.md.
 */
import { type Monotonic, millis, monotonic } from '../../base/units.ts';
import {
  GENESIS_HEIGHT,
  heightPlus,
  maxHeight,
  minHeight,
  previousHeight,
} from '../../protocol/chain/ordinals.ts';
import type { Height } from '../../protocol/chain/types.ts';
import { NONE_VERIFIED } from '../../protocol/consensus/verified.ts';
import type { BlocksWanted, EpochBegan, EpochProven } from '../../protocol/ports/consensus.ts';
import type { CatchUpRequested, SyncStorageReply } from '../../protocol/ports/sync.ts';
import type { Effect } from '../../protocol/supervision/effect.ts';
import { advanced, beginProgress, viewOf } from '../../protocol/sync/progress.ts';
import type { SyncError } from '../../protocol/sync/types.ts';
import {
  type Batch,
  borderAbove,
  type Climb,
  climbsOver,
  DESCENT_BLOCKS,
  DESCENT_BLOCKS_MAX,
  hurryAt,
  isApplying,
  isDownloading,
  isHeld,
  leadingOf,
  newBatch,
  spanOf,
  toldUpTo,
} from '../../protocol/sync/window.ts';
import {
  APPLY_PATIENCE_MS,
  applyInOrder,
  doubtNewest,
  proveTargets,
  prune,
  reviewApplying,
  saveAt,
  saveDue,
  tellAgain,
} from './block-sync.applying.ts';
import { askDue, failAskers, reviewFlights } from './block-sync.asking.ts';
import {
  type Asker,
  aimOf,
  answering,
  type BlockSyncContext,
  type BlockSyncInput,
  busyPeers,
  type Clock,
  cancelling,
  chained,
  floorOf,
  goalOf,
  type Stepped,
  still,
  toNetworkSync,
  withBatch,
} from './block-sync.live.ts';
import { isNextEpoch } from './epoch.ts';

/** Who waits for a target; above it whoever waits for the lowest is told that it failed. @unit askers @source chosen: the two tiers above, and an operator */
const ASKERS_MAX = 16;
/** Targets of round-manager that late answers may end with. @unit certificates @source chosen: the longest wait by id, at two rounds a second */
const TARGETS_KEPT_MAX = 8;
/** Between two tellings of the same blocks. @unit ms @source chosen: longer than a batch takes in round-manager */
const TELL_AGAIN_MS_MIN = millis(500);
/** Between two words to network-sync. @unit ms @source SY-11 */
const PROGRESS_MS_MIN = millis(250);
/** Blocks behind from which standing still is an alarm (SY-11). @unit heights @source SY-11 */
const STALL_HEIGHTS = 3;

const NO_COUNTS = {
  blocksFetched: 0,
  blocksRejected: 0,
  batchesRetried: 0,
  bytesFetched: 0,
  answersUnused: 0,
};

export const initialBlockSync = (input: BlockSyncInput): BlockSyncContext => ({
  ...input,
  tip: { height: GENESIS_HEIGHT, id: input.epoch.rootQC.blockId },
  decided: GENESIS_HEIGHT,
  wanted: undefined,
  end: undefined,
  targets: [],
  askers: [],
  window: [],
  usualMs: undefined,
  ceiling: undefined,
  verified: NONE_VERIFIED,
  tag: 0,
  advances: 0,
  watched: 0,
  progress: undefined,
  told: undefined,
  reviewAt: undefined,
  counts: NO_COUNTS,
  lastApplied: undefined,
});

/** SY-12: the height is derived from the store. */
export const beginAtTip = (
  context: BlockSyncContext,
  { height, id }: Extract<SyncStorageReply, { type: 'tip.found' }>,
): BlockSyncContext => ({ ...context, tip: { height, id }, decided: height });

/** CS-12: a verified certificate names a block that round-manager does not hold. The newest request counts. */
export function recordWanted(context: BlockSyncContext, wanted: BlocksWanted, clock: Clock): Stepped {
  const { target, committedHeight } = wanted;
  const targets = [...context.targets.filter(({ blockId }) => blockId !== target.blockId), target];
  const next = { ...context, decided: committedHeight, targets: targets.slice(-TARGETS_KEPT_MAX) };
  if (target.height <= context.tip.height) return still(next);
  const wasTold = isHeld(context.window, context.tip, { height: target.height, id: target.blockId });
  if (!wasTold) return still({ ...next, wanted });
  // It may not have read yet what it was told a moment ago; a new round asks again.
  if (wasToldLately(context, clock)) return still(next);
  const again = tellAgain(next, clock);
  const isTold = isHeld(again.context.window, context.tip, { height: target.height, id: target.blockId });
  return { ...again, context: { ...again.context, wanted: isTold ? undefined : wanted } };
}

const wasToldLately = ({ window }: BlockSyncContext, { now }: Clock): boolean =>
  window.filter(isApplying).some(({ toldAt }) => now < toldAt + TELL_AGAIN_MS_MIN);

/** Seed 001: catchUpToConsensus. A target only rises: the highest that is waited for counts. */
export function recordAsker(context: BlockSyncContext, { replyTo, tag, target }: CatchUpRequested): Stepped {
  const { tip } = context;
  const asked = target.kind === 'proved' ? target.tip.height : target.height;
  const border = borderAbove(tip.height);
  const upTo = target.kind === 'probe' && border < asked ? border : asked;
  const asker: Asker = { replyTo, tag, target, upTo };
  if (isOfAnEndedEpoch(context, asker)) return { context, effects: [outlived(asker)] };
  if (asked <= tip.height) {
    return { context, effects: [answering(asker, { status: 'reached', height: tip.height })] };
  }
  const others = context.askers.filter((one) => one.upTo !== upTo || one.target.kind !== target.kind);
  const askers = [...others, asker].sort((left, right) => left.upTo - right.upTo);
  const error: SyncError = { code: 'Timeout', detail: `more than ${ASKERS_MAX} targets are waited for` };
  const dropped = askers.slice(0, Math.max(0, askers.length - ASKERS_MAX));
  return {
    context: { ...context, askers: askers.slice(dropped.length) },
    effects: dropped.map((one) => answering(one, { status: 'failed', error })),
  };
}

const isOfAnEndedEpoch = ({ epoch, tip }: BlockSyncContext, { target }: Asker): boolean =>
  target.kind === 'proved' && target.tip.proof.epoch < epoch.epoch && target.tip.height > tip.height;

/** What was certified above the end of an epoch is in no chain (CS-16). */
const outlived = (asker: Asker): Effect =>
  answering(asker, {
    status: 'failed',
    error: { code: 'BlockNotFound', detail: 'the target is proven in an epoch that has ended below it' },
  });

/** CS-16: whatever was fetched, or is on its way, is of the epoch before. All is planned anew from its last block. */
export function recordEpoch(context: BlockSyncContext, began: EpochBegan, clock: Clock): Stepped {
  if (!isNextEpoch(context, began)) return still(context);
  const { tip, window } = context;
  const next: BlockSyncContext = {
    ...{ ...context, epoch: began.epoch, end: undefined, decided: tip.height },
    ...{ wanted: undefined, targets: [], window: [], ceiling: undefined },
  };
  const ended = next.askers.filter((asker) => isOfAnEndedEpoch(next, asker));
  const flights = window.filter(isDownloading).map(({ flight }) => cancelling(next, clock, flight.tag));
  return {
    context: { ...next, askers: next.askers.filter((asker) => !ended.includes(asker)) },
    effects: [...flights, ...ended.map(outlived)],
  };
}

/** CS-16: the epoch ends there. Whoever asked for more waits until the next one begins. */
export function recordProven(context: BlockSyncContext, { change: { qc } }: EpochProven): Stepped {
  if (qc.epoch !== context.epoch.epoch) return still(context);
  const { wanted } = context;
  const isAbove = wanted !== undefined && wanted.target.height > qc.height;
  return still({ ...context, end: qc.height, wanted: isAbove ? undefined : wanted });
}

/** What follows whatever happened: apply, save, plan, ask, tell, and look again in time. */
export function settle(context: BlockSyncContext, clock: Clock): Stepped {
  return chained(
    context,
    (now) => prune(now, clock),
    (now) => reviewFlights(now, clock),
    (now) => reviewApplying(now, clock),
    (now) => saveDue(now, clock),
    (now) => applyInOrder(now, clock),
    proveTargets,
    // What was applied may have been the last that a descent waited for.
    (now) => prune(now, clock),
    (now) => plan(now, clock),
    (now) => askDue(now, clock),
    // What was asked just now may be part of what has waited for long.
    (now) => reviewFlights(now, clock),
    (now) => tellProgress(now, clock),
    (now) => lookAgain(now, clock),
  );
}

/** Climbs over all that is not in the window yet, and a descent for what is committed nowhere. */
function plan(context: BlockSyncContext, clock: Clock): Stepped {
  const climbs = climbsWanted(context);
  if (climbs.length === 0 && isUnproved(context)) return doubtNewest(context, clock);
  const { context: planned } = chained(
    context,
    ...climbs.map((climb) => (now: BlockSyncContext): Stepped => {
      const key = now.tag + 1;
      return still(withBatch({ ...now, tag: key }, newBatch(key, climb)));
    }),
  );
  const { wanted } = planned;
  if (wanted === undefined || !isDescentDue(planned)) return still(planned);
  const { target } = wanted;
  const key = planned.tag + 1;
  const need = { by: 'id', id: target.blockId, height: target.height, vouchers: [target] } as const;
  const open = planned.window.find(
    (batch) => batch.need.by === 'id' && batch.need.upper === undefined && isWaiting(batch),
  );
  if (open === undefined) return still(withBatch({ ...planned, tag: key }, newBatch(key, need)));
  // Nothing has come of the older target: the newest counts.
  return still(withBatch(planned, { ...open, need }));
}

const isWaiting = ({ status }: Batch): boolean => status === 'queued' || status === 'failed';

/** As much as may be is told, and nothing is on its way that could commit it. */
function isUnproved(context: BlockSyncContext): boolean {
  const { window, askers, wanted } = context;
  if (isWaitedFor(context)) return false;
  const top = toldUpTo(window, floorOf(context));
  const isFar = wanted !== undefined && wanted.target.height - top > DESCENT_BLOCKS;
  return isFar || askers.some((asker) => aimOf(context, asker) > top);
}

/** Something by height comes, or what is proven committed becomes durable. */
const isWaitedFor = ({ window, tip }: BlockSyncContext): boolean =>
  window.some(({ need, ...batch }) =>
    batch.status === 'applying'
      ? batch.segment.firm > tip.height
      : need.by === 'height' || need.bridge !== undefined,
  );

/** By id where one answer closes the gap, where nobody has committed more, or where nothing else is left to do. */
function isDescentDue(context: BlockSyncContext): boolean {
  const { window, wanted, ceiling } = context;
  if (wanted === undefined) return false;
  const isUnderWay = window.some(
    (batch) =>
      batch.need.by === 'id' &&
      batch.need.bridge === undefined &&
      (batch.status === 'downloading' || batch.status === 'verifying' || batch.need.upper !== undefined) &&
      batch.status !== 'applying',
  );
  if (isUnderWay) return false;
  const top = toldUpTo(window, floorOf(context));
  if (ceiling !== undefined && wanted.target.height - top <= DESCENT_BLOCKS_MAX) return true;
  if (wanted.target.height - top <= DESCENT_BLOCKS) return true;
  return !window.some((batch) => batch.need.by === 'height' && batch.status !== 'applying');
}

function climbsWanted(context: BlockSyncContext): readonly Climb[] {
  const { window, tip, config, wanted } = context;
  const limit = heightPlus(tip.height, config.tier2MaxGap);
  const climbs: Climb[] = [];
  let cursor = floorOf(context);
  for (const batch of window) {
    const isSettled = batch.status === 'applying' || batch.status === 'verifying';
    const { from, to } = spanOf(batch);
    // What is below a batch that leads down by id is not to be fetched twice.
    if (batch.need.by === 'height' || isSettled) climbs.push(...climbsOver(cursor, previousHeight(from), to));
    if (batch.need.by === 'height' || isSettled || batch.need.bridge !== undefined)
      cursor = maxHeight(cursor, to);
  }
  const asked = context.askers.map((asker) => aimOf(context, asker)).reduce(maxHeight, tip.height);
  climbs.push(...climbsOver(cursor, asked, climbs.length > 0 ? limit : within(cursor, limit, context)));
  cursor = maxHeight(cursor, climbs.at(-1)?.to ?? cursor);
  while (wanted !== undefined && wanted.target.height - cursor > DESCENT_BLOCKS) {
    const parent = previousHeight(wanted.target.height);
    const upTo = minHeight(borderAbove(cursor), parent);
    const [climb] = climbsOver(cursor, upTo, climbs.length > 0 ? limit : within(cursor, limit, context));
    if (climb === undefined) break;
    climbs.push(climb);
    cursor = climb.to;
  }
  return climbs;
}

/**
 * The limit, or one batch more: where all was told and all that is proven committed is durable, only what follows commits the
 * rest. That holds too where the window is smaller than a batch.
 */
function within(cursor: Height, limit: Height, context: BlockSyncContext): Height {
  const isTooMuch = cursor - context.tip.height >= DESCENT_BLOCKS_MAX;
  return isWaitedFor(context) || isTooMuch ? limit : maxHeight(limit, borderAbove(cursor));
}

export const isMissing = ({ wanted, askers }: BlockSyncContext): boolean =>
  wanted !== undefined || askers.length > 0;

export const isFarBehind = (context: BlockSyncContext): boolean =>
  goalOf(context) - context.tip.height >= STALL_HEIGHTS;

/** SY-11. */
export function startProgress(context: BlockSyncContext, { now }: Clock): Stepped {
  const progress = beginProgress(context.tip.height, now);
  return still({ ...context, progress, told: undefined, watched: context.advances });
}

export const endProgress = (context: BlockSyncContext): Stepped => ({
  context: { ...context, progress: undefined, told: undefined },
  effects: [toNetworkSync(context, { type: 'catchUp.progressed' })],
});

function tellProgress(context: BlockSyncContext, { now }: Clock): Stepped {
  if (context.progress === undefined) return still(context);
  const progress = advanced(context.progress, context.tip.height, now);
  const { told } = context;
  const goal = goalOf(context);
  const isNews = told === undefined || told.height !== progress.at || told.goal !== goal;
  const isDue = told === undefined || now >= told.at + PROGRESS_MS_MIN;
  if (!isNews || !isDue) return still({ ...context, progress });
  return {
    context: { ...context, progress, told: { at: now, height: progress.at, goal } },
    effects: [
      toNetworkSync(context, {
        type: 'catchUp.progressed',
        progress: viewOf(progress, goal, busyPeers(context), now),
      }),
    ],
  };
}

/** SY-11: nothing came for so long. The target stays as long as round-manager wants it. */
export const failStalled = (context: BlockSyncContext): Stepped =>
  failAskers(context, GENESIS_HEIGHT, {
    code: 'Timeout',
    detail: `nothing was applied above height ${context.tip.height}, other peers were asked in vain`,
  });

/** One timer for all that is due: pauses that end, gaps to hurry, bytes to save again, words about the progress. */
function lookAgain(context: BlockSyncContext, { now }: Clock): Stepped {
  const due = dueTimes(context).filter((at) => at > now);
  const soonest = due.length === 0 ? undefined : monotonic(Math.min(...due));
  if (soonest === undefined || soonest === context.reviewAt) return still(context);
  return {
    context: { ...context, reviewAt: soonest },
    effects: [{ kind: 'startTimer', key: 'review', delayMs: soonest - now, message: { type: 'review.due' } }],
  };
}

function dueTimes(context: BlockSyncContext): readonly number[] {
  const { progress, told, window } = context;
  const isTold =
    told === undefined ||
    progress === undefined ||
    (told.height === progress.at && told.goal === goalOf(context));
  const words = isTold ? [] : [told.at + PROGRESS_MS_MIN];
  return [...words, ...window.flatMap((batch) => dueTimesOf(context, batch))];
}

function dueTimesOf({ window, tip, usualMs }: BlockSyncContext, batch: Batch): readonly Monotonic[] {
  switch (batch.status) {
    case 'queued':
      return [];
    case 'failed':
      return [batch.until];
    case 'downloading': {
      const isHurried = batch.need.by === 'id' || batch === leadingOf(window);
      return isHurried ? [batch.flight.until, hurryAt(batch, usualMs)] : [batch.flight.until];
    }
    case 'verifying':
      return batch.saving.status === 'saved' ? [] : [saveAt(batch.saving)];
    case 'applying':
      return batch.segment.firm > tip.height ? [monotonic(batch.toldAt + APPLY_PATIENCE_MS)] : [];
  }
}
