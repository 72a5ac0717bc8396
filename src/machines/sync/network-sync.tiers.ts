/**
 * What network-sync asks of each tier, and what it makes of the answers. Pure. Rules SY-3 to SY-5, SY-7 to SY-9, SY-14,
 * docs/protocol/sync.md.
 */
import type { Monotonic } from '../../base/units.ts';
import { GENESIS_HEIGHT } from '../../protocol/chain/ordinals.ts';
import type { Height } from '../../protocol/chain/types.ts';
import type { SafetyViolated } from '../../protocol/ports/consensus.ts';
import type { ExecutionRequest } from '../../protocol/ports/execution.ts';
import type {
  CatchUpRequested,
  CatchUpTarget,
  GenesisOutcome,
  HashOutcome,
  HeightOutcome,
  HeightsCheckRequested,
  ResyncEnded,
  ResyncRequested,
  StateSyncRequest,
  SyncDone,
  SyncRequested,
  SyncStorageReply,
  SyncStorageRequest,
} from '../../protocol/ports/sync.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import { describeFork } from '../../protocol/sync/status.ts';
import type { ForkEvidence, ProvedTip, SyncError } from '../../protocol/sync/types.ts';
import {
  type Asker,
  counted,
  type Decided,
  failedWith,
  failureOf,
  type NetworkSyncContext,
  settled,
  timed,
  yieldNoMore,
} from './network-sync.live.ts';

/** Who may wait for one sync; above it the newest is answered at once. @unit askers @source chosen */
export const ASKERS_MAX = 16;
/** Tier 2 within one sync: the chain grows while blocks are fetched. Above it the next check goes on. @unit runs @source chosen */
export const RUNS_MAX = 8;

export interface Clock {
  readonly now: Monotonic;
  readonly address: CellAddress;
}

type Message =
  | Omit<HeightsCheckRequested, 'tag' | 'replyTo'>
  | Omit<CatchUpRequested, 'tag' | 'replyTo'>
  | Omit<ResyncRequested, 'tag' | 'replyTo'>
  | Omit<Extract<SyncStorageRequest, { type: 'tip.requested' }>, 'tag' | 'replyTo'>;

export function asking(
  context: NetworkSyncContext,
  whom: CellAddress,
  message: Message,
  { now, address }: Clock,
  change: Partial<NetworkSyncContext> = {},
): Decided {
  const tag = context.tag + 1;
  const effect = telling(whom, { ...message, replyTo: address, tag });
  return settled(context, { tag, awaited: tag, tierStartedAt: now, ...change }, now, [effect]);
}

export const requestTip = (context: NetworkSyncContext, clock: Clock): Decided =>
  asking(context, context.storage, { type: 'tip.requested' }, clock, { tierStartedAt: undefined });

type TipFound = Extract<SyncStorageReply, { type: 'tip.found' }>;

/** What was committed since the question is newer than the answer. */
export function recordTip(context: NetworkSyncContext, { height, id }: TipFound, now: Monotonic): Decided {
  const { ownHeight } = context;
  if (ownHeight !== undefined && ownHeight >= height) return settled(context, {}, now);
  return settled(context, { ownHeight: height, ownId: id }, now);
}

type Committed = Extract<ExecutionRequest, { type: 'blocks.committed' }>;

/** SY-14: told once it is durable. */
export function recordCommitted(context: NetworkSyncContext, { blocks }: Committed, now: Monotonic): Decided {
  const newest = blocks.at(-1);
  if (newest === undefined) return {};
  const { height } = newest.block.header;
  const { ownHeight = -1, ownId } = context;
  if (height < ownHeight || (height === ownHeight && ownId !== undefined)) return {};
  return settled(context, { ownHeight: height, ownId: newest.id }, now);
}

/** Tier 1 begins; with it a sync, unless it is the look after tier 2. */
export function requestHeights(context: NetworkSyncContext, clock: Clock): Decided {
  const change = { ...counted(context, 'checks'), ownAtCheck: context.ownHeight };
  return asking(context, context.heightSync, { type: 'heights.checkRequested' }, clock, change);
}

export const beginSync = (context: NetworkSyncContext, now: Monotonic): Decided =>
  settled(context, { error: undefined, runs: 0 }, now);

export function recordCheck(context: NetworkSyncContext, outcome: HeightOutcome, clock: Clock): Decided {
  const { now } = clock;
  const { answered, connected } = outcome;
  const proved =
    isOfThisEpoch(context, outcome.proved) && outcome.proved.height > (context.proved?.height ?? 0)
      ? outcome.proved
      : context.proved;
  const common: Partial<NetworkSyncContext> = {
    ...timed(context, 1, now),
    ...ownAfter(context, outcome),
    lastCheckAt: now,
    answered,
    connected,
    heard: outcome.status === 'agreed' || outcome.proved !== undefined,
    proved,
    later: outcome.later,
    claimedLater: outcome.claimedLater,
  };
  if (outcome.status === 'failed')
    return settled(context, { ...common, ...checkFailed(context, outcome.error, now) }, now);
  const checked: NetworkSyncContext = {
    ...context,
    ...common,
    check: { status: 'agreed' },
    error: undefined,
    exact: outcome.exact,
    supported: outcome.supported,
    noPeersSince: undefined,
    differsByTips: outcome.differsAt,
    contradicted: contradictionOf(context, outcome, proved?.height),
  };
  const verified = verifyHash(checked, clock);
  return settled(checked, verified.context ?? {}, now, verified.effects);
}

/** What was asked before an epoch began may be answered after. */
const isOfThisEpoch = ({ epoch }: NetworkSyncContext, tip: ProvedTip | undefined): tip is ProvedTip =>
  tip !== undefined && tip.proof.epoch === epoch.epoch;

/** Gate 2 against gate 1: 67 % report a height that a verified certificate is far above. The certificate is believed. */
function contradictionOf(
  { ownAtCheck = GENESIS_HEIGHT, config }: NetworkSyncContext,
  { exact }: Extract<HeightOutcome, { status: 'agreed' }>,
  proved: Height = GENESIS_HEIGHT,
): string | undefined {
  const certified = proved > ownAtCheck ? proved : ownAtCheck;
  return exact === undefined || exact + config.tier1MaxGap >= certified
    ? undefined
    : `67%+ of the peers report height ${exact}, but a quorum's certificate commits height ${certified}`;
}

/**
 * The disk is what counts (SY-12): it is at least where memory was when it was asked, unless memory was wrong. What was
 * committed meanwhile is newer than what it said.
 */
function ownAfter(
  { ownHeight, ownAtCheck }: NetworkSyncContext,
  { own }: HeightOutcome,
): Partial<NetworkSyncContext> {
  if (own === undefined) return {};
  const isBehind = ownAtCheck !== undefined && own < ownAtCheck;
  const isAhead = ownHeight === undefined || own > ownHeight;
  return isBehind || isAhead ? { ownHeight: own, ownId: undefined } : {};
}

const checkFailed = (
  context: NetworkSyncContext,
  error: SyncError,
  now: Monotonic,
): Partial<NetworkSyncContext> => ({
  ...failedWith(context, error),
  check: { status: 'failed', error },
  exact: undefined,
  supported: undefined,
  contradicted: undefined,
  noPeersSince: error.code === 'NoPeersAvailable' ? (context.noPeersSince ?? now) : undefined,
});

/** Tier 1 was silent beyond its own budget. */
export function recordCheckSilence(context: NetworkSyncContext, now: Monotonic): Decided {
  const error: SyncError = { code: 'Timeout', detail: 'height-sync did not answer' };
  const change = { ...timed(context, 1, now), heard: false, ...checkFailed(context, error, now) };
  return settled(context, { ...change, lastCheckAt: now }, now);
}

/** Seed 002, step 7: our newest block is held against what the peers have there, where they have got so far. */
function verifyHash(context: NetworkSyncContext, { address }: Clock): Decided {
  const { ownHeight, ownId, supported, stateSync } = context;
  if (ownHeight === undefined || ownId === undefined || ownHeight === 0) return {};
  if (supported === undefined || supported < ownHeight) return {};
  const tag = context.tag + 1;
  const request: StateSyncRequest = {
    type: 'hash.verifyRequested',
    height: ownHeight,
    id: ownId,
    replyTo: address,
    tag,
  };
  return {
    context: { tag, hashAwaited: { tag, height: ownHeight } },
    effects: [telling(stateSync, request)],
  };
}

/** SY-5: never one peer: those that differ have J(W) or more. */
export function recordHash(context: NetworkSyncContext, outcome: HashOutcome, now: Monotonic): Decided {
  const { hashAwaited, epoch } = context;
  if (outcome.status === 'failed') return settled(context, { hashAwaited: undefined }, now);
  const differs = outcome.status === 'differs' && outcome.power >= epoch.set.honestPower;
  const differsById = differs ? hashAwaited?.height : undefined;
  return settled(context, { hashAwaited: undefined, differsById }, now);
}

/** SY-4: a split stops every sync; that nobody answered is a check that failed. */
export function recordGenesis(context: NetworkSyncContext, outcome: GenesisOutcome, now: Monotonic): Decided {
  switch (outcome.status) {
    case 'unanimous':
      return settled(context, { genesis: undefined }, now);
    case 'split': {
      const genesis = `${outcome.peers.length} validators with a third of the power or more have another genesis, ${outcome.genesisHash}`;
      return settled(context, { genesis }, now);
    }
    case 'unanswered':
      return settled(
        context,
        { ...checkFailed(context, outcome.error, now), heard: false, lastCheckAt: now },
        now,
      );
  }
}

/** SY-3: only a proof is a target; what >= 67 % report without one is worth a probe. Critical begins nothing by itself. */
export function targetOf(context: NetworkSyncContext): CatchUpTarget | undefined {
  const { ownHeight, proved, supported, heard, status, genesis, runs, config } = context;
  if (ownHeight === undefined || !heard || genesis !== undefined) return undefined;
  if (status.kind === 'Critical' || runs >= RUNS_MAX) return undefined;
  if (proved !== undefined && proved.height > ownHeight) return { kind: 'proved', tip: proved };
  if (supported === undefined || supported <= ownHeight) return undefined;
  return supported - ownHeight <= config.tier2MaxGap ? { kind: 'probe', height: supported } : undefined;
}

/** Seed 001: catchUpToConsensus, tier 2. */
export function requestCatchUp(context: NetworkSyncContext, clock: Clock): Decided {
  const target = targetOf(context);
  if (target === undefined) return {};
  const change = {
    ...counted(context, target.kind === 'proved' ? 'catchUps' : 'probes'),
    runs: context.runs + 1,
  };
  return asking(context, context.blockSync, { type: 'blocks.catchUpRequested', target }, clock, change);
}

export const recordReached = (context: NetworkSyncContext, now: Monotonic): Decided =>
  settled(context, { ...timed(context, 2, now), catchUpError: undefined }, now);

export const recordCatchUpFailure = (
  context: NetworkSyncContext,
  error: SyncError,
  now: Monotonic,
): Decided =>
  settled(context, { ...timed(context, 2, now), ...failedWith(context, error), catchUpError: error }, now);

/** SY-5: nothing is verified anew; the first evidence is kept, and those who sign and who end the node are told. */
export function recordFork(context: NetworkSyncContext, evidence: ForkEvidence, { now }: Clock): Decided {
  if (context.fork !== undefined) return settled(context, counted(context, 'forks'), now);
  const detail = describeFork(evidence);
  const violated: SafetyViolated = { type: 'safety.violated', detail, evidence };
  const effects = [telling(context.safety, violated), telling(context.alarm, violated)];
  return settled(context, { ...counted(context, 'forks'), fork: { detail, evidence } }, now, effects);
}

/** Consensus found it itself, and has told those. */
export function recordViolation(
  context: NetworkSyncContext,
  { detail, evidence }: SafetyViolated,
  now: Monotonic,
): Decided {
  const fork = context.fork ?? { detail, ...(evidence === undefined ? {} : { evidence }) };
  return settled(context, { ...counted(context, 'forks'), fork }, now);
}

/** A second one waits for the same result; it never starts another. */
export function recordAsker(
  context: NetworkSyncContext,
  { replyTo, tag, cause }: SyncRequested,
  now: Monotonic,
): Decided {
  // A cell that asks again does not wait for the former answer any more; the operator's has many callers.
  const others = context.askers.filter((one) => one.replyTo !== replyTo || replyTo === context.operator);
  if (others.length >= ASKERS_MAX) {
    const error: SyncError = { code: 'Timeout', detail: `${ASKERS_MAX} askers wait for the sync that runs` };
    return settled(context, counted(context, 'dropped'), now, [done(context, { replyTo, tag }, error)]);
  }
  return settled(
    context,
    { askers: [...others, { replyTo, tag }], ...(others.length === 0 && { cause }) },
    now,
  );
}

function done({ status }: NetworkSyncContext, { replyTo, tag }: Asker, error?: SyncError): Effect {
  const message: SyncDone = { type: 'sync.done', tag, status, ...(error === undefined ? {} : { error }) };
  return telling(replyTo, message);
}

export function answerAskers(context: NetworkSyncContext, now: Monotonic): Decided {
  const required = requiredOf(context);
  const failure = context.error === undefined && required !== undefined ? failedWith(context, required) : {};
  const error = context.error ?? required;
  const effects = context.askers.map((asker) => done(context, asker, error));
  return settled(context, { ...failure, askers: [] }, now, effects);
}

/** What no tier can do anything about by itself. */
function requiredOf({
  status,
  fork,
  supported,
  ownHeight,
  ...facts
}: NetworkSyncContext): SyncError | undefined {
  if (status.kind !== 'Critical') return undefined;
  const detail = status.reason;
  const differs = fork !== undefined || (facts.differsByTips ?? facts.differsById) !== undefined;
  if (differs || supported === undefined || ownHeight === undefined)
    return { code: 'CriticalSyncRequired', detail };
  return { code: 'SyncGapTooLarge', gap: supported - ownHeight, detail };
}

/** Answered at once: nothing can be done now. */
export function answerAtOnce(
  context: NetworkSyncContext,
  { replyTo, tag }: SyncRequested,
  why: 'critical' | 'resyncing',
): Decided {
  const resyncing: SyncError = { code: 'CriticalSyncRequired', detail: 'a full resync is under way' };
  const error = why === 'resyncing' ? resyncing : requiredOf(context);
  return { effects: [done(context, { replyTo, tag }, error)] };
}

/** Seed 001: fullResync, by the operator only (SY-9). */
export function requestResync(
  context: NetworkSyncContext,
  { replyTo, tag, checkpoint }: ResyncRequested,
  clock: Clock,
): Decided {
  const named = checkpoint === undefined ? {} : { checkpoint };
  const change = { ...counted(context, 'resyncs'), resync: { asker: { replyTo, tag }, ...named } };
  return asking(context, context.chainSync, { type: 'resync.requested', ...named }, clock, change);
}

export function refuseResync({ replyTo, tag }: ResyncRequested, detail: string): Decided {
  const error: SyncError = { code: 'CriticalSyncRequired', detail };
  const message: ResyncEnded = { type: 'resync.ended', tag, outcome: { status: 'failed', error } };
  return { effects: [telling(replyTo, message)] };
}

export function recordResyncEnd(
  context: NetworkSyncContext,
  outcome: ResyncEnded['outcome'],
  now: Monotonic,
): Decided {
  const { resync } = context;
  const failure = outcome.status === 'failed' ? failureOf(context, outcome.error) : {};
  const change: Partial<NetworkSyncContext> = {
    ...timed(context, 3, now),
    ...failure,
    resync: undefined,
    progress: undefined,
  };
  const yields = change.joining === 'failed' ? [yieldNoMore(context)] : [];
  if (resync === undefined) return settled(context, change, now, yields);
  const message: ResyncEnded = { type: 'resync.ended', tag: resync.asker.tag, outcome };
  return settled(context, change, now, [telling(resync.asker.replyTo, message)]);
}
