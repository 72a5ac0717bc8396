/**
 * A join by a snapshot: whose is taken, its chunks on their way to a new application, and whether a certified header states what
 * has come of it. A snapshot that cannot be used is put aside, and the next one is tried. Pure. Rule SY-10, docs/protocol/sync.md.
 */
import { GENESIS_HEIGHT } from '../../protocol/chain/ordinals.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type { RestoreReply, RestoreRequest } from '../../protocol/ports/snapshots.ts';
import type { StateSyncReply, StateSyncRequest } from '../../protocol/ports/sync.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
import { SNAPSHOT_CHUNK_BYTES_MAX, SNAPSHOT_CHUNKS_MAX } from '../../protocol/sync/messages.ts';
import { HURRY_MS } from '../../protocol/sync/patience.ts';
import { beginProgress } from '../../protocol/sync/progress.ts';
import {
  askForChunks,
  beginSnapshotDownload,
  type ChunkVerdict,
  downloadStatus,
  firstBlockNeeded,
  hurryChunk,
  isRestored,
  missChunk,
  noteWritten,
  type SnapshotCandidate,
  snapshotCandidates,
  takeChunk,
} from '../../protocol/sync/snapshot.ts';
import { watching } from './chain-sync.downloading.ts';
import {
  asking,
  type ChainSyncContext,
  type Clock,
  chained,
  counted,
  countLate,
  type Decided,
  failing,
  type Joining,
  SNAPSHOTS_TRIED_MAX,
  type Stepped,
  tellProgress,
  unchanged,
  withoutCandidate,
  withoutTarget,
} from './chain-sync.live.ts';

/** The first header that can state a height is that of so many above: it stands on the certificate that commits it (CS-9). @unit heights @source expectedExecuted */
const STATED_ABOVE_MIN = 2;
/** Before a chunk that did not come is asked for again. @unit ms @source chosen */
export const CHUNK_PAUSE_MS = 1_000;
/** @unit bytes @source what a manifest can name */
const SNAPSHOT_BYTES_MAX = SNAPSHOT_CHUNKS_MAX * SNAPSHOT_CHUNK_BYTES_MAX;

type ReplyOf<Type> = Extract<StateSyncReply | RestoreReply, { readonly type: Type }>;

export const requestSnapshots = (context: ChainSyncContext, clock: Clock): Decided =>
  asking(
    context,
    context.stateSync,
    { type: 'snapshots.requested', timeout: context.config.peerQueryTimeout },
    clock,
  );

/** Only of those whose chain is taken. No header of it can certify a snapshot of its newest two blocks: then the chain is asked for anew. */
export function recordSnapshots(
  context: ChainSyncContext,
  { snapshots }: ReplyOf<'snapshots.answered'>,
): Decided {
  const { joining, target, holders, walk } = context;
  if (joining === undefined || target === undefined) return {};
  const { refused, disappointments } = joining;
  const offers = snapshots.filter(({ peer }) => holders.includes(peer));
  const facts = { validators: walk.reached.set, bytesMax: SNAPSHOT_BYTES_MAX, above: GENESIS_HEIGHT };
  const candidate = snapshotCandidates(offers, { ...facts, refused, disappointments }).find(
    (one) => giversOf(context, one).length > 0,
  );
  if (candidate === undefined) {
    const { lastRejection } = joining;
    const tried =
      refused.size === 0 ? '' : ` beside ${refused.size} that were refused; the last one: ${lastRejection}`;
    return { context: failing('BlockNotFound', `no peer offers a snapshot that can be used${tried}`) };
  }
  if (candidate.manifest.height + STATED_ABOVE_MIN > target.height) {
    const next = withoutTarget(joining, candidate.holders);
    return { context: { ...next, ...triedTooMany(joining, next.joining?.lastRejection) } };
  }
  return { context: { joining: { ...joining, candidate }, holders: giversOf(context, candidate) } };
}

/** Who has the blocks that are needed with it. */
function giversOf(
  { holders, bases, deduplicationHeights }: ChainSyncContext,
  { manifest }: SnapshotCandidate,
): readonly Address[] {
  const first = firstBlockNeeded(manifest.height, deduplicationHeights);
  return holders.filter((peer) => (bases.get(peer) ?? Number.POSITIVE_INFINITY) <= first);
}

export function beginRestoring(context: ChainSyncContext, clock: Clock): Decided {
  const { joining, snapshotRestorer } = context;
  if (joining?.candidate === undefined) return {};
  const { candidate } = joining;
  const { height, format } = candidate.manifest;
  const asked = asking(context, snapshotRestorer, { type: 'restore.beginRequested', height, format }, clock);
  const chunks = beginSnapshotDownload(candidate);
  const progress = beginProgress(GENESIS_HEIGHT, clock.now);
  const begun = { ...context, ...asked.context, joining: { ...joining, chunks }, progress };
  const told = tellProgress(begun, clock.now, true);
  return { context: told.context, effects: [...(asked.effects ?? []), watching(), ...told.effects] };
}

/** What was asked for is not waited for, and no timer goes on. */
export function endRestoring({ joining }: ChainSyncContext): Decided {
  const effects = ['watch', 'retry', 'hurry'].map((key): Effect => ({ kind: 'cancelTimer', key }));
  if (joining === undefined) return { effects };
  return { context: { joining: { ...joining, asked: new Map(), ready: [], feeding: undefined } }, effects };
}

/** At once after the application has begun, when a chunk is written, and when one did not come. */
export function requestChunks(context: ChainSyncContext, clock: Clock): Stepped {
  const { joining } = context;
  if (joining?.chunks === undefined || joining.rejection !== undefined) return unchanged(context);
  return askedFor(context, joining, askForChunks(joining.chunks), clock);
}

/** Those that are late are still taken. */
export function hurryChunks(context: ChainSyncContext, clock: Clock): Stepped {
  const { joining } = context;
  if (joining?.chunks === undefined || joining.rejection !== undefined) return unchanged(context);
  const hurried = { ...context, ...counted(context, 'hurried') };
  return askedFor(hurried, joining, hurryChunk(joining.chunks), clock);
}

function askedFor(
  context: ChainSyncContext,
  joining: Joining,
  { download: chunks, asks }: ReturnType<typeof askForChunks>,
  { address }: Clock,
): Stepped {
  if (downloadStatus(chunks) === 'exhausted') return rejected(context, 'nobody is left who gives its chunks');
  const { stateSync, config } = context;
  const { height, format } = chunks.candidate.manifest;
  const asked = new Map(joining.asked);
  let { tag } = context;
  const effects = asks.map(({ peer, chunk }) => {
    tag += 1;
    asked.set(tag, { peer, chunk });
    const request: StateSyncRequest = {
      type: 'snapshotChunk.requested',
      ...{ peer, height, format, chunk },
      timeout: config.blockFetchTimeout,
      replyTo: address,
      tag,
    };
    return telling(stateSync, request);
  });
  return {
    context: { ...context, tag, joining: { ...joining, chunks, asked } },
    effects: [...effects, timer('hurry', HURRY_MS)],
  };
}

const timer = (key: 'hurry' | 'retry', delayMs: number): Effect => ({
  kind: 'startTimer',
  key,
  delayMs,
  message: { type: `${key}.due` },
});

export function takeChunkAnswer(
  context: ChainSyncContext,
  { tag, bytes }: ReplyOf<'snapshotChunk.answered'>,
  clock: Clock,
): Stepped {
  const { joining } = context;
  const ask = joining?.asked.get(tag);
  if (joining?.chunks === undefined || ask === undefined) return countLate(context);
  const { download: chunks, verdict, ready } = takeChunk(joining.chunks, ask, bytes);
  const taken = withJoining(context, {
    chunks,
    asked: without(joining, tag),
    ready: [...joining.ready, ...ready],
  });
  const judged: Stepped = { context: taken, effects: judging(taken, ask.peer, verdict) };
  if (verdict.status === 'manifest false') {
    return chained(judged, (now) => rejected(now, 'its chunks are not so long as it says'));
  }
  return chained(judged, (now) => chained(feed(now, clock), (then) => requestChunks(then, clock)));
}

function judging({ stateSync }: ChainSyncContext, peer: Address, verdict: ChunkVerdict): readonly Effect[] {
  switch (verdict.status) {
    case 'good':
      return [telling(stateSync, { type: 'peer.judged', peer, verdict: 'good' })];
    case 'differs':
      return [telling(stateSync, { type: 'peer.judged', peer, verdict: { code: verdict.code } })];
    case 'manifest false':
      return blaming(stateSync, verdict.blamed);
    case 'unasked':
      return [];
  }
}

const blaming = (stateSync: string, peers: readonly Address[]): readonly Effect[] =>
  peers.map((peer) => telling(stateSync, { type: 'peer.judged', peer, verdict: { code: 'SNAPSHOT_FALSE' } }));

/** The peer is silent, gone, keeps it no more, or could not be asked now. It is asked for again after a pause. */
export function takeMiss(context: ChainSyncContext, { tag, tried, error }: ReplyOf<'fetch.failed'>): Stepped {
  const { joining } = context;
  const ask = joining?.asked.get(tag);
  if (joining?.chunks === undefined || ask === undefined) return countLate(context);
  const isGone = error.code === 'BlockNotFound';
  const why = tried.length === 0 ? 'unasked' : isGone ? 'gone' : 'silent';
  const chunks = missChunk(joining.chunks, ask, why);
  const missed = withJoining(context, { chunks, asked: without(joining, tag) });
  return {
    context: { ...missed, ...counted(missed, 'piecesRetried') },
    effects: [timer('retry', CHUNK_PAUSE_MS)],
  };
}

/** The application reads one chunk at a time. */
function feed(context: ChainSyncContext, { address }: Clock): Stepped {
  const { joining, snapshotRestorer } = context;
  const bytes = joining?.ready[0];
  if (joining === undefined || bytes === undefined || joining.feeding !== undefined)
    return unchanged(context);
  const tag = context.tag + 1;
  const request: RestoreRequest = { type: 'restore.chunkRequested', replyTo: address, tag, bytes };
  return {
    context: { ...withJoining(context, { feeding: tag }), tag },
    effects: [telling(snapshotRestorer, request)],
  };
}

export function recordTook(
  context: ChainSyncContext,
  { tag }: ReplyOf<'restore.took'>,
  clock: Clock,
): Stepped {
  const { joining } = context;
  if (joining?.chunks === undefined || joining.feeding !== tag) return countLate(context);
  const chunks = noteWritten(joining.chunks, 1);
  const written: Stepped = {
    context: withJoining(context, { chunks, ready: joining.ready.slice(1), feeding: undefined }),
    effects: [watching()],
  };
  const took = chained(written, (now) => tellProgress(now, clock.now, true));
  if (downloadStatus(chunks) === 'complete') return chained(took, (now) => requestEnd(now, clock));
  return chained(took, (now) => chained(feed(now, clock), (then) => requestChunks(then, clock)));
}

function requestEnd(context: ChainSyncContext, { address }: Clock): Stepped {
  const tag = context.tag + 1;
  const request: RestoreRequest = { type: 'restore.endRequested', replyTo: address, tag };
  return {
    context: { ...context, tag, awaited: tag },
    effects: [telling(context.snapshotRestorer, request)],
  };
}

export const recordRestored = (context: ChainSyncContext, { executed }: ReplyOf<'restore.ended'>): Stepped =>
  unchanged(withJoining(context, { restored: executed }));

/** Whose fault it is cannot be told: the chunks are those of the manifest, and the application does not take them. */
export function recordRestoreFailure(
  context: ChainSyncContext,
  { tag, detail }: ReplyOf<'restore.failed'>,
): Stepped {
  if (tag !== context.awaited && tag !== context.joining?.feeding) return countLate(context);
  return rejected(context, `the application does not take it: ${detail}`);
}

export const recordRestoreStall = (context: ChainSyncContext): Stepped =>
  rejected(context, 'no chunk of it was written for too long');

/** SY-10: a header of the chain that is written decides. Those who offered another state are to blame. */
export function judgeSnapshot(context: ChainSyncContext, clock: Clock): Stepped {
  const { joining, stateSync, sideStore } = context;
  if (joining?.candidate === undefined || joining.restored === undefined) return unchanged(context);
  const { candidate, certification, restored, blockId } = joining;
  const { height } = candidate.manifest;
  if (certification.status !== 'certified' || blockId === undefined)
    return rejected(context, `no header states the state after height ${height}`);
  const { appHash } = certification;
  const executed = { height, appHash };
  if (!isRestored(restored, executed)) {
    const blamed: Stepped = { context, effects: blaming(stateSync, candidate.holders) };
    const is = `it is the state after height ${restored.height}, ${restored.appHash}`;
    return chained(blamed, (now) => rejected(now, `${is}; certified is ${appHash} after height ${height}`));
  }
  const tag = context.tag + 1;
  const message = { type: 'side.restoredRequested', replyTo: clock.address, tag, blockId, executed } as const;
  return { context: { ...context, tag, awaited: tag }, effects: [telling(sideStore, message)] };
}

/** The application's folder is free when it has closed. */
export const abandonRestoring = (context: ChainSyncContext, clock: Clock): Decided =>
  asking(context, context.snapshotRestorer, { type: 'restore.abandonRequested' }, clock);

/** Before the next snapshot, or the end. */
export function refuseSnapshot(context: ChainSyncContext): Decided {
  const { joining } = context;
  const next = withoutCandidate(context);
  return { context: { ...next, ...triedTooMany(joining, joining?.rejection) } };
}

/** With the one that is left now. */
function triedTooMany(
  joining: Joining | undefined,
  last = 'it could not be used',
): Pick<Partial<ChainSyncContext>, 'failure'> {
  if (joining === undefined || joining.tries + 1 < SNAPSHOTS_TRIED_MAX) return {};
  const detail = `${SNAPSHOTS_TRIED_MAX} snapshots were tried in vain; the last one: ${last}`;
  return failing('NoConsensusReached', detail);
}

/** No room on the disk is no fault of the disk where a peer says how much is needed. */
export const recordNoRoom = (context: ChainSyncContext, detail: string): Stepped =>
  rejected(context, `there is no room for it: ${detail}`);

const rejected = (context: ChainSyncContext, rejection: string): Stepped => {
  const counts = counted(context, 'snapshotsRefused');
  return unchanged({ ...withJoining(context, { rejection }), ...counts });
};

const withJoining = (context: ChainSyncContext, change: Partial<Joining>): ChainSyncContext => ({
  ...context,
  joining: context.joining === undefined ? undefined : { ...context.joining, ...change },
});

function without({ asked }: Joining, tag: number): Joining['asked'] {
  const rest = new Map(asked);
  rest.delete(tag);
  return rest;
}
