/**
 * How block-sync asks for batches (seed 001: requestBlockFromPeers): whom, how many at once, how long, and when again. Pure.
 * Rules SY-6, SY-8, SY-11; CS-12, docs/protocol/sync.md.
 */
import { type Millis, type Monotonic, millis, monotonic } from '../../base/units.ts';
import type { Address, Height } from '../../protocol/chain/types.ts';
import type { BlocksQuery, StateSyncReply } from '../../protocol/ports/sync.ts';
import type { Effect } from '../../protocol/supervision/effect.ts';
import type { SyncError } from '../../protocol/sync/types.ts';
import {
  ANSWER_BYTES_MAX,
  ANSWER_MS_MAX,
  answerTimeout,
  type Batch,
  type Climb,
  DESCENT_BLOCKS,
  type Descent,
  type Downloading,
  FLIGHTS_MAX,
  HELD_BYTES_MAX,
  heldBytes,
  hurryAt,
  isDownloading,
  leadingOf,
  newBatch,
  retryDelay,
  toldUpTo,
  triedWith,
} from '../../protocol/sync/window.ts';
import {
  answering,
  type BlockSyncContext,
  busyPeers,
  type Clock,
  cancelling,
  chained,
  counting,
  floorOf,
  goalOf,
  type Stepped,
  still,
  toStateSync,
  withBatch,
} from './block-sync.live.ts';

/** What state-sync is given beyond its own time to say that a question failed. @unit ms @source chosen */
const GRACE_MS = millis(1_000);

type Failure = Extract<StateSyncReply, { type: 'fetch.failed' }>;
type Started = Extract<StateSyncReply, { type: 'fetch.started' }>;

/** Asks for every batch that is due, as many at once as the limits allow; the leading one and descents always. */
export function askDue(context: BlockSyncContext, clock: Clock): Stepped {
  const leading = leadingOf(context.window)?.key;
  return chained(
    context,
    ...context.window.map(({ key }) => (now: BlockSyncContext): Stepped => {
      const batch = now.window.find((one) => one.key === key);
      if (batch === undefined || !isDue(batch, clock.now)) return still(now);
      const hasRoom = key === leading || batch.need.by === 'id' || isRoomFor(now);
      return hasRoom ? ask(now, batch, clock) : still(now);
    }),
  );
}

const isDue = (batch: Batch, now: Monotonic): boolean =>
  batch.status === 'queued' || (batch.status === 'failed' && batch.until <= now);

function isRoomFor({ window }: BlockSyncContext): boolean {
  const flights = window.filter((batch) => isDownloading(batch) && batch.need.by === 'height').length;
  return flights < FLIGHTS_MAX && heldBytes(window) + ANSWER_BYTES_MAX <= HELD_BYTES_MAX;
}

function ask(context: BlockSyncContext, batch: Batch, clock: Clock): Stepped {
  const { config, wanted } = context;
  const { key, need, tried, attempts, rounds, doubts } = batch;
  const tag = context.tag + 1;
  const copies = goalOf(context) - context.tip.height <= config.tier1MaxGap ? config.redundantPeers : 1;
  const most = Math.max(1, config.tier2MaxRetries - attempts);
  const timeout = timeoutOf(context, need);
  // Every other round anybody is asked: who signed may be gone, and a link may carry nothing.
  const holders = rounds % 2 === 0 && isForWanted(context, need) ? wanted?.holders : undefined;
  const busy = busyPeers(context);
  const asking: Batch = {
    status: 'downloading',
    key,
    need,
    tried,
    attempts,
    rounds,
    doubts,
    askedAt: batch.askedAt ?? clock.now,
    waitsSince: batch.waitsSince ?? clock.now,
    flight: {
      tag,
      peers: [],
      askedAt: clock.now,
      // By id all are asked soon after each other, by height one after the other.
      until: monotonic(clock.now + timeout * (need.by === 'id' ? 1 : most) + GRACE_MS),
      answers: 0,
      copies,
      hurries: 0,
    },
  };
  return {
    context: withBatch({ ...context, tag }, asking),
    effects: [
      toStateSync(context, {
        type: 'blocks.fetchRequested',
        replyTo: clock.address,
        tag,
        query: queryOf(context, need),
        ...(holders === undefined || holders.length === 0 ? {} : { holders }),
        avoid: tried.length > 0 ? tried : busy,
        copies,
        attempts: most,
        timeout,
      }),
    ],
  };
}

/** Of a descent the holders of the target; of a climb too, where nobody's claim says who else can have it. */
const isForWanted = ({ wanted, askers }: BlockSyncContext, need: Climb | Descent): boolean =>
  wanted !== undefined && (need.by === 'id' || !askers.some(({ upTo }) => upTo >= need.from));

function timeoutOf({ config }: BlockSyncContext, need: Climb | Descent): Millis {
  if (need.by === 'id') return ANSWER_MS_MAX;
  const blocks = need.to - need.from + 1;
  return millis(Math.min(config.blockFetchTimeout, config.tier2TimeoutPerBlock * blocks));
}

function queryOf(context: BlockSyncContext, need: Climb | Descent): BlocksQuery {
  if (need.by === 'height') return { by: 'height', from: need.from, limit: need.to - need.from + 1 };
  return { by: 'id', id: need.id, ancestors: limitOf(context, need) - 1 };
}

/** Down to what round-manager has, as far as one answer takes. */
export function limitOf(context: BlockSyncContext, { height }: Descent): number {
  const floor = floorOf(context);
  const told = toldUpTo(context.window, floor);
  return Math.min(DESCENT_BLOCKS, Math.max(1, height - (told < height ? told : floor)));
}

export function takeFailure(context: BlockSyncContext, failure: Failure, clock: Clock): Stepped {
  const batch = context.window.filter(isDownloading).find(({ flight }) => flight.tag === failure.tag);
  if (batch === undefined) return still(context);
  return giveUp(context, batch, failure.tried, failure.error, clock);
}

/** As many as may be asked gave nothing. By id they are asked again when the wait is over, and not sooner: there may be nobody. */
export function giveUp(
  context: BlockSyncContext,
  batch: Downloading,
  silent: readonly Address[],
  error: SyncError,
  clock: Clock,
): Stepped {
  const tried = silent.reduce(triedWith, batch.tried);
  const vain = context.config.tier2MaxRetries;
  const due = batch.need.by === 'id' ? batch.flight.askedAt + answerTimeout(batch.attempts) : clock.now;
  const until = monotonic(Math.max(due, clock.now));
  return askAgain(context, { ...batch, tried }, vain, until, error, clock);
}

/** SY-8: others are asked; when as many as may be asked gave nothing, the asker hears of it and a longer pause follows. */
export function askAgain(
  context: BlockSyncContext,
  batch: Downloading,
  vain: number,
  until: Monotonic,
  error: SyncError,
  clock: Clock,
): Stepped {
  const { key, need, tried, askedAt, waitsSince, doubts } = batch;
  const attempts = batch.attempts + vain;
  const isWhole = attempts >= context.config.tier2MaxRetries;
  const rounds = batch.rounds + (isWhole ? 1 : 0);
  const again = {
    status: 'failed',
    key,
    need,
    tried,
    rounds,
    doubts,
    ...(askedAt === undefined ? {} : { askedAt }),
  } as const;
  const noted = counting(context, { batchesRetried: 1 });
  // By id the wait grows with each attempt; it is never a long pause, as consensus waits for it.
  if (need.by === 'id') {
    if (need.bridge !== undefined && isWhole) return dropBridge(noted, key, need.bridge);
    return still(withBatch(noted, { ...again, attempts: batch.attempts + 1, until }));
  }
  if (!isWhole) {
    const since = waitsSince === undefined ? {} : { waitsSince };
    return still(withBatch(noted, { ...again, ...since, attempts, until }));
  }
  const later = monotonic(clock.now + retryDelay(rounds, clock.draw()));
  const ceiling = noted.wanted === undefined ? undefined : floorOf(noted);
  return chained(withBatch({ ...noted, ceiling }, { ...again, attempts: 0, until: later }), (now) =>
    failAskers(now, need.from, error),
  );
}

/** Nobody has what the upper part stands on: it is asked for anew, of others. Nobody is blamed: it may be an orphan. */
function dropBridge(
  context: BlockSyncContext,
  key: number,
  { giver, climb }: NonNullable<Descent['bridge']>,
): Stepped {
  return still(withBatch(context, newBatch(key, climb, [giver])));
}

/** Whoever waits for this height or a higher one hears that it cannot be had now; the target is gone with its last asker. */
export function failAskers(context: BlockSyncContext, from: Height, error: SyncError): Stepped {
  const failed = context.askers.filter(({ upTo }) => upTo >= from);
  return {
    context: { ...context, askers: context.askers.filter(({ upTo }) => upTo < from) },
    effects: failed.map((asker) => answering(asker, { status: 'failed', error })),
  };
}

export function recordStarted(context: BlockSyncContext, { tag, peer }: Started): Stepped {
  const batch = context.window.filter(isDownloading).find(({ flight }) => flight.tag === tag);
  if (batch === undefined || batch.flight.peers.includes(peer)) return still(context);
  const peers = [...batch.flight.peers, peer];
  return still(withBatch(context, { ...batch, flight: { ...batch.flight, peers } }));
}

/** SY-8: one more peer for a leading gap, the buffer stays, and for what consensus waits for; what is not answered is given up. */
export function reviewFlights(context: BlockSyncContext, clock: Clock): Stepped {
  const leading = leadingOf(context.window);
  return chained(
    context,
    ...context.window.filter(isDownloading).map((batch) => (now: BlockSyncContext): Stepped => {
      const { flight } = batch;
      if (clock.now >= flight.until) {
        const error: SyncError = { code: 'Timeout', detail: `height ${heightOf(batch)}: no answer in time` };
        const given = giveUp(now, batch, flight.peers, error, clock);
        return { ...given, effects: [cancelling(now, clock, flight.tag), ...given.effects] };
      }
      const isWaitedFor = batch === leading || batch.need.by === 'id';
      if (!isWaitedFor || clock.now < hurryAt(batch, now.usualMs)) return still(now);
      const hurried = { ...flight, hurries: flight.hurries + 1, hurriedAt: clock.now };
      const hurry: Effect = toStateSync(now, {
        type: 'fetch.hurried',
        replyTo: clock.address,
        tag: flight.tag,
      });
      return { context: withBatch(now, { ...batch, flight: hurried }), effects: [hurry] };
    }),
  );
}

/** The watchdog: whatever is under way is asked of others (SY-11). */
export function askOthers(context: BlockSyncContext, clock: Clock): Stepped {
  return chained(
    context,
    ...context.window.filter(isDownloading).map((batch) => (now: BlockSyncContext): Stepped => {
      const { key, need, flight, rounds } = batch;
      const tried = flight.peers.reduce(triedWith, batch.tried);
      return {
        context: withBatch(counting(now, { batchesRetried: 1 }), { ...newBatch(key, need, tried), rounds }),
        effects: [cancelling(now, clock, flight.tag)],
      };
    }),
  );
}

export const heightOf = ({ need }: Batch): Height => (need.by === 'height' ? need.from : need.height);
