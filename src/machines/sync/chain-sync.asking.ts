/**
 * Whom the pieces of a download are asked of, and what follows when peers keep it waiting, lie, or have different chains. Pure.
 * Rules SY-6, SY-8, SY-9, docs/protocol/sync.md; the choice is in protocol/sync/chain-dispute.ts.
 */
import type { Monotonic } from '../../base/units.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type { StateSyncRequest } from '../../protocol/ports/sync.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
import {
  askable,
  contradictsItself,
  openDispute,
  patienceFor,
  refutedBy,
  type Seam,
  slowWith,
  withNextGuide,
} from '../../protocol/sync/chain-dispute.ts';
import {
  type Download,
  HELD_BYTES_MAX,
  heldBytes,
  type Piece,
  type PieceQuestion,
  questionOf,
  withNextPieces,
  withoutPieces,
  withPiece,
} from '../../protocol/sync/chain-download.ts';
import type { ReadyBlock } from '../../protocol/sync/chain-front.ts';
import { OPEN_PER_PEER_MAX } from '../../protocol/sync/questions.ts';
import type { SyncError } from '../../protocol/sync/types.ts';
import {
  type ChainSyncContext,
  type Clock,
  chained,
  counted,
  type Stepped,
  unchanged,
} from './chain-sync.live.ts';

export function askAll(context: ChainSyncContext, { now, address }: Clock): Stepped {
  if (context.download === undefined || context.failure !== undefined) return unchanged(context);
  const { config, stateSync } = context;
  let download: Download = withNextPieces(context.download);
  let { tag } = context;
  const effects: Effect[] = [];
  for (const [index, piece] of download.pieces.entries()) {
    if (piece.step.status !== 'due') continue;
    const isFirst = download.pieces.slice(0, index).every(({ step }) => step.status === 'whole');
    if (!isFirst && (heldBytes(download) >= HELD_BYTES_MAX || isBusy(context, download))) break;
    const question = questionOf(piece);
    if (question === undefined) continue;
    tag += 1;
    const { waitsSince = now } = piece;
    download = withPiece(download, { ...piece, waitsSince, step: { status: 'asked', tag, question } });
    const request: StateSyncRequest = {
      type: 'blocks.fetchRequested',
      query: { by: 'height', from: question.from, limit: question.limit },
      holders: holdersFor(context, question),
      avoid: [...context.slow, ...piece.avoid],
      copies: 1,
      attempts: config.fetchAttempts,
      timeout: config.blockFetchTimeout,
      replyTo: address,
      tag,
    };
    effects.push(telling(stateSync, request));
  }
  return armed({ ...context, download, tag }, now, effects);
}

/** Batches prove themselves by their digests. */
const holdersFor = ({ dispute, holders }: ChainSyncContext, { what }: PieceQuestion): readonly Address[] =>
  dispute !== undefined && what === 'blocks' ? [dispute.guide] : holders;

/** One more question would be for who keeps it waiting. */
function isBusy({ dispute, holders, slow }: ChainSyncContext, { pieces }: Download): boolean {
  const asked = pieces.filter(({ step }) => step.status === 'asked').length;
  const peers = dispute === undefined ? askable(holders, slow).length : 1;
  return asked >= peers * OPEN_PER_PEER_MAX.GetBlocks;
}

/** What everything above it waits for. */
const leadingOf = ({ download }: ChainSyncContext): Piece | undefined =>
  download?.pieces.find(({ step }) => step.status !== 'whole');

/** SY-8: a time for the lowest piece, however often what is left of it is asked for. */
function armed(context: ChainSyncContext, now: Monotonic, effects: readonly Effect[]): Stepped {
  const since = leadingOf(context)?.waitsSince;
  if (since === undefined) return { context, effects };
  const at = Math.max(
    since + patienceFor(context.dispute),
    (context.hurriedAt ?? 0) + patienceFor(undefined),
  );
  const timer: Effect = {
    kind: 'startTimer',
    key: 'hurry',
    delayMs: Math.max(0, at - now),
    message: { type: 'hurry.due' },
  };
  return { context, effects: [...effects, timer] };
}

/** SY-8: whom the lowest piece waits for is asked last from now on: one more is asked, or another guides. */
export function hurry(context: ChainSyncContext, clock: Clock): Stepped {
  const { dispute, holders, stateSync } = context;
  const leading = leadingOf(context);
  if (context.download === undefined || leading?.step.status !== 'asked') return unchanged(context);
  const { tag, question } = leading.step;
  const peer = context.fetchingFrom.get(tag);
  const slow = peer === undefined ? context.slow : slowWith(context.slow, peer, holders);
  const slower = { ...context, slow, hurriedAt: clock.now, ...counted(context, 'hurried') };
  const to = { replyTo: clock.address, tag };
  if (dispute === undefined || question.what === 'batches')
    return armed(slower, clock.now, [telling(stateSync, { type: 'fetch.hurried', ...to })]);
  const piece: Piece = { ...leading, waitsSince: undefined, step: { status: 'due' } };
  const passed = {
    ...slower,
    dispute: withNextGuide(dispute, holders, slow),
    download: withPiece(context.download, piece),
  };
  return chained(
    { context: passed, effects: [telling(stateSync, { type: 'fetch.cancelled', ...to })] },
    (then) => askAll(then, clock),
  );
}

/** Which of the two is wrong is known when a proof commits what is in dispute: until then one peer alone is asked. */
export function disputed(context: ChainSyncContext, seam: Seam, error: SyncError, address: string): Stepped {
  const { dispute, holders, slow } = context;
  const culprit = seam.claims.length === 0 ? dispute?.guide : contradictsItself(seam);
  const begun = begunAnew({ ...context, ...counted(context, 'partings') }, address);
  if (culprit !== undefined) return chained(begun, (now) => without(now, [culprit], error));
  const guided = dispute === undefined ? openDispute(seam, holders, slow) : { ...dispute, seam };
  return { ...begun, context: { ...begun.context, dispute: guided } };
}

/** What it gave is not of the chain that is written. */
export const contradicted = (
  context: ChainSyncContext,
  peer: Address,
  error: SyncError,
  address: string,
): Stepped =>
  chained(begunAnew({ ...context, ...counted(context, 'partings') }, address), (now) =>
    without(now, [peer], error),
  );

/** These blocks are committed: if one of them was in dispute, it is no more. */
export function settledBy(context: ChainSyncContext, blocks: readonly ReadyBlock[]): ChainSyncContext {
  const { dispute } = context;
  const at = blocks.find(({ certified }) => certified.block.header.height === dispute?.seam.height);
  if (dispute === undefined || at === undefined) return context;
  const refuted = refutedBy(dispute.seam, at.id);
  return {
    ...context,
    dispute: undefined,
    holders: context.holders.filter((peer) => !refuted.includes(peer)),
  };
}

/** It is asked no more for this download, and fails it where nobody else is left. */
export function without(context: ChainSyncContext, peers: readonly Address[], error: SyncError): Stepped {
  const holders = context.holders.filter((peer) => !peers.includes(peer));
  const { dispute, slow } = context;
  const isGuided = dispute !== undefined && holders.includes(dispute.guide);
  const guided = dispute === undefined || isGuided ? dispute : withNextGuide(dispute, holders, slow);
  const next = { ...context, holders, dispute: guided };
  return unchanged(holders.length === 0 ? { ...next, failure: error } : next);
}

/** What is open is not waited for, and nothing is kept but what is written. */
function begunAnew(context: ChainSyncContext, address: string): Stepped {
  const { download, stateSync } = context;
  if (download === undefined) return unchanged(context);
  const effects = download.pieces.flatMap(({ step }): readonly Effect[] =>
    step.status === 'asked'
      ? [telling(stateSync, { type: 'fetch.cancelled', replyTo: address, tag: step.tag })]
      : [],
  );
  return { context: { ...context, download: withoutPieces(download), fetchingFrom: new Map() }, effects };
}
