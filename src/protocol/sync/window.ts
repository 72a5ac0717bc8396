/**
 * The window of tier 2: batches of blocks between the newest committed one and the target, each queued → downloading →
 * verifying → applying (→ gone: applied), or failed for a while. Values and questions about them. Pure.
 * Rules SY-8, SY-12, SY-14, docs/protocol/sync.md.
 */
import { type Millis, type Monotonic, millis, monotonic } from '../../base/units.ts';
import { heightPlus, maxHeight, minHeight, previousHeight } from '../chain/ordinals.ts';
import type { Address, BlockId, Height, QuorumCertificate } from '../chain/types.ts';
import { BATCH_HEIGHTS } from './config.ts';
import { HURRY_MS } from './patience.ts';
import { idAt, type Links, type Segment } from './segment.ts';

/** Blocks of one question by id: an uncommitted one and its ancestors. @unit blocks @source GetBlock: 63 ancestors */
export const DESCENT_BLOCKS = 64;
/** Blocks that one descent may hold before it joins; above it, it starts anew. @unit blocks @source the block tree's bound */
export const DESCENT_BLOCKS_MAX = 4_096;
/** Batches that are downloaded at once, beside the leading one and those by id. @unit batches @source chosen: 8 × 2 MiB on their way */
export const FLIGHTS_MAX = 8;
/** What one answer may bring. @unit bytes @source the frame of the kind Blocks */
export const ANSWER_BYTES_MAX = 2 * 1_048_576;
/** Held and on their way; above it only the leading batch is asked for. @unit bytes @source chosen */
export const HELD_BYTES_MAX = 64 * 1_048_576;
/** Storage has not said for so long that bytes are durable: it is asked again, each time after twice as long. @unit ms @source chosen */
const SAVE_MS_MIN = millis(10_000);
/** @unit ms @source chosen: a disk that is busy is not made busier */
const SAVE_MS_MAX = millis(60_000);
/** Peers that were asked in vain for one batch; above it the oldest is forgotten. @unit peers @source no set of validators is larger */
export const TRIED_MAX = 512;
/** First pause after all peers failed, and the longest. @unit ms @source chosen */
const RETRY_MS_MIN = millis(500);
const RETRY_MS_MAX = millis(4_000);
/** Share of a pause that a draw adds or takes. */
const RETRY_JITTER = 0.3;
/** First wait for an answer by id, until one more peer is asked. @unit ms @source chosen: a round trip around the earth */
const ANSWER_MS_MIN = millis(300);
/** Each wait in vain is twice the one before, up to this; then the answer is given up. @unit ms @source chosen */
export const ANSWER_MS_MAX = millis(4_000);
/** A leading batch by height that is not here is asked of one more peer after so long at the earliest. @unit ms @source chosen: a round trip around the earth */
const HURRY_MS_MIN = millis(300);
/** … and else after so many times as long as batches usually take, or HURRY_MS. @source chosen */
const HURRY_FACTOR = 4;
/** Weight of a new answer in what is usual. @source RFC 6298, alpha */
const USUAL_WEIGHT = 1 / 8;

/** A block that is committed and durable here. */
export interface Tip {
  readonly height: Height;
  readonly id: BlockId;
}

/** Committed blocks by height, `to` included. */
export interface Climb {
  readonly by: 'height';
  readonly from: Height;
  readonly to: Height;
}

/** A block that `vouchers` prove, or an ancestor of it, and what came of its descendants. */
export interface Descent {
  readonly by: 'id';
  readonly id: BlockId;
  readonly height: Height;
  readonly vouchers: readonly QuorumCertificate[];
  readonly upper?: Links;
  /** It leads from a climb's batch, which is the top of `upper`, down to what is held. */
  readonly bridge?: { readonly giver: Address; readonly climb: Climb };
}

/** A question at state-sync. */
export interface Flight {
  readonly tag: number;
  /** That are being asked. */
  readonly peers: readonly Address[];
  readonly askedAt: Monotonic;
  /** Given up then, whatever state-sync says. */
  readonly until: Monotonic;
  /** Answers in vain, and how many may come in all. */
  readonly answers: number;
  readonly copies: number;
  /** Times that one more peer was asked, and the last of them. */
  readonly hurries: number;
  readonly hurriedAt?: Monotonic;
}

/** How the bytes of its batches come to the disk. */
export type Saving =
  | { readonly status: 'due'; readonly at: Monotonic; readonly unanswered: number }
  /** `unanswered`: times before that storage was asked and did not say. */
  | {
      readonly status: 'asked';
      readonly tag: number;
      readonly until: Monotonic;
      readonly unanswered: number;
    }
  | { readonly status: 'saved' };

type Stage =
  | { readonly status: 'queued' }
  | { readonly status: 'downloading'; readonly flight: Flight }
  | { readonly status: 'failed'; readonly until: Monotonic }
  /** Verified in itself: its bytes are saved, and it waits for its turn. */
  | {
      readonly status: 'verifying';
      readonly segment: Segment;
      readonly giver: Address;
      readonly answeredAt: Monotonic;
      readonly saving: Saving;
    }
  /** Told to round-manager; kept until it is durable, so that it can be told again. */
  | {
      readonly status: 'applying';
      readonly segment: Segment;
      readonly giver: Address;
      readonly answeredAt: Monotonic;
      readonly toldAt: Monotonic;
      readonly tellings: number;
    };

export type Batch = Stage & {
  readonly key: number;
  readonly need: Climb | Descent;
  /** Asked in vain, the newest last. */
  readonly tried: readonly Address[];
  /** In vain since the last pause, or since the last answer that helped. */
  readonly attempts: number;
  /** Whole rounds of attempts in vain. */
  readonly rounds: number;
  /** When it was asked for first. */
  readonly askedAt?: Monotonic;
  /** Since then no ample answer has come for it: the time belongs to the batch, whoever is asked for the rest of it. */
  readonly waitsSince?: Monotonic;
  /** Times that it was fetched once more because nothing proved what was told. */
  readonly doubts: number;
};

export type Downloading = Extract<Batch, { status: 'downloading' }>;
export type Verifying = Extract<Batch, { status: 'verifying' }>;
export type Applying = Extract<Batch, { status: 'applying' }>;

/** By rising height. */
export type Window = readonly Batch[];

export const newBatch = (key: number, need: Climb | Descent, tried: readonly Address[] = []): Batch => ({
  status: 'queued',
  key,
  need,
  tried,
  attempts: 0,
  rounds: 0,
  doubts: 0,
});

/** What a batch holds or asks for. */
export function spanOf(batch: Batch): { readonly from: Height; readonly to: Height } {
  if (batch.status === 'verifying' || batch.status === 'applying') return batch.segment;
  const { need } = batch;
  if (need.by === 'height') return need;
  return need.upper ?? { from: need.height, to: need.height };
}

const sorted = (batches: Window): Window =>
  [...batches].sort((left, right) => spanOf(left).from - spanOf(right).from || left.key - right.key);

/** The window with `batch` in the place of the one with its key. */
export const replaced = (window: Window, batch: Batch): Window =>
  sorted([...window.filter(({ key }) => key !== batch.key), batch]);

export const without = (window: Window, key: number): Window => window.filter((one) => one.key !== key);

/** The batch that everything above it waits for. */
export const leadingOf = (window: Window): Batch | undefined =>
  window.find(({ status }) => status !== 'applying');

export const isDownloading = (batch: Batch): batch is Downloading => batch.status === 'downloading';
export const isVerifying = (batch: Batch): batch is Verifying => batch.status === 'verifying';
export const isApplying = (batch: Batch): batch is Applying => batch.status === 'applying';

/** @unit bytes, the answers that are on their way counted as large as they may be */
export function heldBytes(window: Window): number {
  return window.reduce((sum, batch) => {
    if (batch.status === 'verifying' || batch.status === 'applying') return sum + batch.segment.bytes;
    const upper = batch.need.by === 'id' ? (batch.need.upper?.bytes ?? 0) : 0;
    return sum + upper + (batch.status === 'downloading' ? ANSWER_BYTES_MAX * batch.flight.copies : 0);
  }, 0);
}

/** True when the block is committed, or was told to round-manager. */
export function isHeld(window: Window, tip: Tip, { height, id }: Tip): boolean {
  if (height === tip.height) return id === tip.id;
  return window.some((batch) => batch.status === 'applying' && idAt(batch.segment, height) === id);
}

/** The highest height up to which everything above `floor` was told to round-manager. */
export function toldUpTo(window: Window, floor: Height): Height {
  let top = floor;
  for (const batch of window) {
    if (!isApplying(batch) || batch.segment.from > top + 1) continue;
    top = maxHeight(top, batch.segment.to);
  }
  return top;
}

export type Join =
  | { readonly status: 'joins' }
  /** Something below it comes first. */
  | { readonly status: 'waits' }
  /** It leaves out a block that is committed, or that a verified proof commits. */
  | { readonly status: 'contradicts' }
  /** It stands on another block than those that are held: one of the two may be an orphan. */
  | { readonly status: 'forks' };

/**
 * Whether a verified batch stands on what is held. `floor` is what round-manager has committed, be it durable or not. Two
 * certified blocks at a height are normal (SY-5): who gave them is not to blame.
 */
export function joinOf(window: Window, tip: Tip, floor: Height, batch: Verifying): Join {
  const { segment } = batch;
  const below = { height: previousHeight(segment.from), id: segment.parentId };
  if (isHeld(window, tip, below)) return { status: 'joins' };
  if (below.height === tip.height) return { status: 'contradicts' };
  if (below.height > tip.height && below.height <= floor) return { status: 'joins' };
  const comesFirst = window.some(
    (other) => other.key !== batch.key && other.status !== 'applying' && spanOf(other).from < segment.from,
  );
  if (comesFirst) return { status: 'waits' };
  const rivals = window.filter(isApplying).filter((other) => idAt(other.segment, below.height) !== undefined);
  if (rivals.length === 0) return { status: 'waits' };
  return rivals.some((other) => other.segment.firm >= below.height)
    ? { status: 'contradicts' }
    : { status: 'forks' };
}

/** The end of the batch of fixed borders that begins above `height`. */
export const borderAbove = (height: Height): Height =>
  heightPlus(height, BATCH_HEIGHTS - (height % BATCH_HEIGHTS));

/** Climbs that cover (`above`, `upTo`], cut at the fixed borders, as far as `limit`. */
export function climbsOver(above: Height, upTo: Height, limit: Height): readonly Climb[] {
  const climbs: Climb[] = [];
  let cursor = above;
  while (cursor < upTo) {
    const border = borderAbove(cursor);
    const to = minHeight(border, upTo);
    if (to > limit) break;
    climbs.push({ by: 'height', from: heightPlus(cursor, 1), to });
    cursor = to;
  }
  return climbs;
}

/** Peers with one more, each once, the newest last. One that comes again shows that all have been asked: it starts anew. */
export function triedWith(tried: readonly Address[], peer: Address): readonly Address[] {
  return tried.includes(peer) ? [peer] : [...tried, peer].slice(-TRIED_MAX);
}

/** Pause after `rounds` >= 1 whole rounds in vain: exponential, with jitter. `draw` is uniform in [0, 1). */
export function retryDelay(rounds: number, draw: number): Millis {
  const planned = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(rounds - 1, 16));
  return millis(Math.round(planned * (1 + RETRY_JITTER * (2 * draw - 1))));
}

/** How long an answer by id is waited for, after so many waits in vain. */
export const answerTimeout = (attempts: number): Millis =>
  millis(Math.min(ANSWER_MS_MAX, ANSWER_MS_MIN * 2 ** Math.min(attempts, 16)));

/** When one more peer is asked for what a batch downloads. @param usual how long ample answers by height take */
export const hurryAt = ({ need, flight, waitsSince }: Downloading, usual: Millis | undefined): Monotonic =>
  monotonic(
    (flight.hurriedAt ?? waitsSince ?? flight.askedAt) +
      (need.by === 'height' ? patienceOf(usual) : answerTimeout(flight.hurries)),
  );

const patienceOf = (usual: Millis = HURRY_MS): Millis =>
  millis(Math.min(HURRY_MS, Math.max(HURRY_MS_MIN, HURRY_FACTOR * usual)));

/** What is usual, with one more answer in it. */
export const usualWith = (usual: Millis | undefined, took: number): Millis =>
  millis(usual === undefined ? took : usual + (took - usual) * USUAL_WEIGHT);

/** How long storage is waited for, after so many waits in vain. */
export const savePatience = (unanswered: number): Millis =>
  millis(Math.min(SAVE_MS_MAX, SAVE_MS_MIN * 2 ** Math.min(unanswered, 16)));
