/**
 * What network-sync knows, and what follows from it: the status, the alerts, who is told. Each is computed anew from the
 * facts after every change, so nothing can be left behind. Pure. Rules SY-1 to SY-5, SY-11, SY-13, docs/protocol/sync.md.
 */
import { type Millis, type Monotonic, millis } from '../../base/units.ts';
import type { Address, BlockId, Height } from '../../protocol/chain/types.ts';
import { powerOf } from '../../protocol/chain/validator-set.ts';
import type { EpochBegan } from '../../protocol/ports/consensus.ts';
import type {
  JoiningSettled,
  SyncAlertsChanged,
  SyncRequested,
  SyncStatusChanged,
} from '../../protocol/ports/sync.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import { type SyncAlerts, stepSyncAlerts } from '../../protocol/sync/alerts.ts';
import type { SyncConfig } from '../../protocol/sync/config.ts';
import {
  type CheckFact,
  consensusHeightOf,
  type SyncFacts,
  saysTheSame,
  statusOf,
} from '../../protocol/sync/status.ts';
import type {
  ForkEvidence,
  ProvedTip,
  SyncAlert,
  SyncError,
  SyncErrorCode,
  SyncProgress,
  SyncStatus,
} from '../../protocol/sync/types.ts';
import type { Decision } from '../vocabulary/index.ts';
import { type EpochAsker, isNextEpoch } from './epoch.ts';

export interface NetworkSyncInput extends EpochAsker {
  readonly self: Address;
  readonly config: SyncConfig;
  readonly storage: CellAddress;
  readonly heightSync: CellAddress;
  readonly blockSync: CellAddress;
  readonly chainSync: CellAddress;
  readonly stateSync: CellAddress;
  readonly safety: CellAddress;
  readonly alarm: CellAddress;
  /** Whose calls come from the operator: only to this cell is a full resync answered (SY-9). */
  readonly operator: CellAddress;
  /** Who hears `sync.statusChanged`. */
  readonly listeners: readonly CellAddress[];
  /** SY-10: the operator's configuration says so, and nothing was ever committed in this home. Default: false. */
  readonly joins?: boolean;
  /** Proved in an earlier life: the status is Critical from the start. */
  readonly fork?: ProvedFork | undefined;
}

/** The evidence is absent where consensus saw no more than that its own commits contradict each other. */
export interface ProvedFork {
  readonly detail: string;
  readonly evidence?: ForkEvidence;
}

/** Who waits for the end of what runs. */
export interface Asker {
  readonly replyTo: CellAddress;
  readonly tag: number;
}

export type Tier = SyncProgress['tier'];

export interface SyncCounts {
  readonly checks: number;
  readonly forks: number;
  /** Tier 2, to a proved target. */
  readonly catchUps: number;
  readonly probes: number;
  readonly resyncs: number;
  /** By a snapshot. */
  readonly joins: number;
  /** Askers that were one too many. */
  readonly dropped: number;
  /** Answers that nobody waited for any more. */
  readonly late: number;
}

export interface NetworkSyncContext extends NetworkSyncInput {
  readonly startedAt: Monotonic;
  /** Of the newest question. */
  readonly tag: number;
  /** Of the question that the state waits for. */
  readonly awaited: number;
  /** Of the open question about the id of a block of ours. */
  readonly hashAwaited: { readonly tag: number; readonly height: Height } | undefined;
  /** The newest block that is durable here. */
  readonly ownHeight: Height | undefined;
  readonly ownId: BlockId | undefined;
  /** As the check that runs began: the disk cannot be behind it. */
  readonly ownAtCheck: Height | undefined;
  readonly check: CheckFact;
  readonly lastCheckAt: Monotonic | undefined;
  /** Validators that the newest check heard, and those connected. */
  readonly answered: number;
  readonly connected: number;
  /** Somebody said something in it that may be acted on. */
  readonly heard: boolean;
  readonly exact: Height | undefined;
  readonly supported: Height | undefined;
  /** The highest that was heard of in this epoch. */
  readonly proved: ProvedTip | undefined;
  /** Peers with J(W) claimed in the newest check, with proofs of later epochs, to be there. */
  readonly later: Height | undefined;
  /** The highest that anybody claimed so: reason to look, for a home that may join (SY-10). */
  readonly claimedLater: Height | undefined;
  /** >= 67 % differ, by their tips or by the id of our block; it stands until a later answer says otherwise. */
  readonly differsByTips: Height | undefined;
  readonly differsById: Height | undefined;
  /** What they report cannot be: a certificate says otherwise. */
  readonly contradicted: string | undefined;
  readonly fork: ProvedFork | undefined;
  /** Validators with J(W) or more of power have another genesis. */
  readonly genesis: string | undefined;
  readonly noPeersSince: Monotonic | undefined;
  /** Why the newest tier 2 did not close the gap. */
  readonly catchUpError: SyncError | undefined;
  /** Of the sync that runs, or ran last. */
  readonly error: SyncError | undefined;
  /** Tier 2 within the sync that runs. */
  readonly runs: number;
  readonly askers: readonly Asker[];
  /** What the sync that runs, or ran last, was begun for. */
  readonly cause: SyncRequested['cause'] | undefined;
  readonly resync: { readonly asker: Asker; readonly checkpoint?: ProvedTipName } | undefined;
  /** A join by a snapshot is tried once; in vain: the blocks are fetched. */
  readonly joining: 'undecided' | 'under way' | 'failed' | 'none';
  readonly tierStartedAt: Monotonic | undefined;
  readonly progress: SyncProgress | undefined;
  /** Computed: see `settled`. */
  readonly status: SyncStatus;
  readonly consensusHeight: Height | undefined;
  readonly told: SyncStatusChanged | undefined;
  /** Cells that asked for the status and are no `listeners`: told like them from then on. At most FOLLOWERS_MAX, the oldest goes. */
  readonly followers: readonly CellAddress[];
  readonly alerts: SyncAlerts;
  readonly alertCounts: ReadonlyMap<SyncAlert, number>;
  /** How long the newest run of each tier took. */
  readonly latency: ReadonlyMap<Tier, Millis>;
  readonly counts: SyncCounts;
  readonly failures: ReadonlyMap<SyncErrorCode, number>;
}

interface ProvedTipName {
  readonly height: Height;
  readonly id: BlockId;
}

export type Decided = Decision<NetworkSyncContext>;

const NO_COUNTS: SyncCounts = {
  checks: 0,
  forks: 0,
  catchUps: 0,
  probes: 0,
  resyncs: 0,
  joins: 0,
  dropped: 0,
  late: 0,
};

export function initialNetworkSync(input: NetworkSyncInput, now: Monotonic): NetworkSyncContext {
  // Not those of an earlier life, whose answers may be on their way.
  const tag = Math.floor(now);
  return {
    ...input,
    startedAt: now,
    tag,
    awaited: tag,
    hashAwaited: undefined,
    ownHeight: undefined,
    ownId: undefined,
    ownAtCheck: undefined,
    check: { status: 'none' },
    lastCheckAt: undefined,
    answered: 0,
    connected: 0,
    heard: false,
    exact: undefined,
    supported: undefined,
    proved: undefined,
    later: undefined,
    claimedLater: undefined,
    differsByTips: undefined,
    differsById: undefined,
    contradicted: undefined,
    fork: input.fork,
    genesis: undefined,
    noPeersSince: undefined,
    catchUpError: undefined,
    error: undefined,
    runs: 0,
    askers: [],
    cause: undefined,
    resync: undefined,
    joining: input.joins === true ? 'undecided' : 'none',
    tierStartedAt: undefined,
    progress: undefined,
    status: { kind: 'Unknown', reason: 'starting' },
    consensusHeight: undefined,
    told: undefined,
    followers: [],
    alerts: new Map(),
    alertCounts: new Map(),
    latency: new Map(),
    counts: NO_COUNTS,
    failures: new Map(),
  };
}

/** Seed 001: what getSyncStatus is computed from. */
export const factsOf = (context: NetworkSyncContext): SyncFacts => ({
  own: context.ownHeight,
  proved: provedHeight(context),
  supported: context.supported,
  later: context.later,
  check: context.check,
  isSolo: powerOf(context.epoch.set, context.self) >= context.epoch.set.quorumPower,
  fork: context.fork?.detail,
  differsAt: context.differsByTips ?? context.differsById,
  genesis: context.genesis,
});

/**
 * Consensus has certificates of its own: what tier 2 fetches for it is a gap, too, unless it is the few blocks that are not
 * committed anywhere yet.
 */
function provedHeight({ proved, progress, ownHeight, config }: NetworkSyncContext): Height | undefined {
  if (progress === undefined || progress.tier !== 2 || ownHeight === undefined) return proved?.height;
  const isFar = progress.to - ownHeight > config.tier1MaxGap;
  return isFar && progress.to > (proved?.height ?? 0) ? progress.to : proved?.height;
}

/** After a change of facts: status and alerts follow, and those who care are told. Effects of the change go first. */
export function settled(
  before: NetworkSyncContext,
  change: Partial<NetworkSyncContext>,
  now: Monotonic,
  effects: readonly Effect[] = [],
): Decided {
  const changed: NetworkSyncContext = { ...before, ...change };
  const facts = factsOf(changed);
  const status = statusOf(facts, changed.config);
  const inSync = status.kind === 'InSync';
  const context: NetworkSyncContext = {
    ...changed,
    status,
    consensusHeight: consensusHeightOf(facts, changed.config),
    catchUpError: inSync ? undefined : changed.catchUpError,
  };
  const alerts = stepSyncAlerts(context.alerts, conditionsOf(context, now), now);
  const alertCounts = new Map(context.alertCounts);
  for (const { alert } of alerts.raised) alertCounts.set(alert, (alertCounts.get(alert) ?? 0) + 1);
  const message: SyncStatusChanged = {
    type: 'sync.statusChanged',
    status,
    forkProved: context.fork !== undefined,
  };
  const isNews = context.told === undefined || !saysTheSame(context.told, message);
  return {
    context: { ...context, alerts: alerts.standing, alertCounts, told: isNews ? message : context.told },
    effects: [
      ...effects,
      ...(isNews ? [...context.listeners, ...context.followers] : []).map((to) => telling(to, message)),
      ...alertEffects(context, alerts),
    ],
  };
}

function alertEffects(
  { alarm }: NetworkSyncInput,
  { raised, cleared }: Pick<SyncAlertsChanged, 'raised' | 'cleared'>,
): readonly Effect[] {
  if (raised.length + cleared.length === 0) return [];
  const message: SyncAlertsChanged = { type: 'sync.alertsChanged', raised, cleared };
  return [telling(alarm, message)];
}

/** @unit cells @source chosen: the bridge, and room */
const FOLLOWERS_MAX = 8;

/** The newest status, if any was told yet, and every one that follows. */
export function answerStatus(context: NetworkSyncContext, replyTo: CellAddress): Decided {
  const { told, listeners } = context;
  const others = context.followers.filter((follower) => follower !== replyTo);
  const followers = listeners.includes(replyTo) ? others : [...others, replyTo].slice(-FOLLOWERS_MAX);
  return { context: { followers }, effects: told === undefined ? [] : [telling(replyTo, told)] };
}

/** Which alerts the facts deserve. */
function conditionsOf(context: NetworkSyncContext, now: Monotonic): ReadonlyMap<SyncAlert, string> {
  const { status, fork, genesis, catchUpError, noPeersSince, config } = context;
  const wanted = new Map<SyncAlert, string>();
  if (fork !== undefined) wanted.set('ForkDetected', fork.detail);
  if (status.kind === 'Critical') wanted.set('CriticalSyncRequired', status.reason);
  if (genesis !== undefined) wanted.set('GenesisSplit', genesis);
  if (catchUpError !== undefined && ('gap' in status || context.joining === 'failed')) {
    const behind = 'gap' in status ? `${status.gap} blocks behind: ` : '';
    const detail = `${behind}${catchUpError.code}: ${catchUpError.detail}`;
    wanted.set(catchUpError.code === 'Timeout' ? 'SyncStalled' : 'GapNotClosed', detail);
  }
  const contradiction = contradictionOf(context);
  if (contradiction !== undefined) wanted.set('PeerPollContradictsCertificate', contradiction);
  const lonely = noPeersSince !== undefined && now - noPeersSince >= config.checkInterval;
  if (lonely && status.kind !== 'InSync')
    wanted.set('NoSyncPeers', `no validator was connected for ${config.checkInterval / 1_000} s and more`);
  return wanted;
}

/** Gate 2 against gate 1: what 67 % say cannot be, for a certificate that was verified says otherwise. */
function contradictionOf({
  differsByTips,
  differsById,
  contradicted,
}: NetworkSyncContext): string | undefined {
  const height = differsByTips ?? differsById;
  return height === undefined
    ? contradicted
    : `67%+ of the peers name, without proof, another block at height ${height} than the one committed here by a quorum's certificate`;
}

/**
 * CS-16: a proof of the epoch before is no target any more, it may be of what was discarded; what was compared with it is not
 * known any more.
 */
export function recordEpoch(context: NetworkSyncContext, began: EpochBegan, now: Monotonic): Decided {
  if (!isNextEpoch(context, began)) return {};
  return settled(context, { epoch: began.epoch, proved: undefined, contradicted: undefined }, now);
}

/** A tier has ended: how long it took. */
export function timed(context: NetworkSyncContext, tier: Tier, now: Monotonic): Partial<NetworkSyncContext> {
  const { tierStartedAt, latency } = context;
  if (tierStartedAt === undefined) return {};
  return { tierStartedAt: undefined, latency: new Map(latency).set(tier, millis(now - tierStartedAt)) };
}

export const counted = (
  { counts }: NetworkSyncContext,
  one: keyof SyncCounts,
): Pick<NetworkSyncContext, 'counts'> => ({ counts: { ...counts, [one]: counts[one] + 1 } });

/** The sync that runs has this error; it is counted. */
export const failedWith = (
  { failures }: NetworkSyncContext,
  error: SyncError,
): Pick<NetworkSyncContext, 'error' | 'failures'> => ({
  error,
  failures: new Map(failures).set(error.code, (failures.get(error.code) ?? 0) + 1),
});

/** SY-10: consensus may have its blocks. */
export function yieldNoMore({ blockSync }: NetworkSyncContext): Effect {
  const message: JoiningSettled = { type: 'joining.settled' };
  return telling(blockSync, message);
}

/** A join that failed is an alert until the blocks have been fetched instead. */
export function failureOf(context: NetworkSyncContext, error: SyncError): Partial<NetworkSyncContext> {
  if (context.joining !== 'under way') return failedWith(context, error);
  const detail = `the join by a snapshot failed, the blocks are fetched instead: ${error.code}: ${error.detail}`;
  const told: SyncError = { code: 'BlockNotFound', detail };
  return { ...failedWith(context, told), catchUpError: told, joining: 'failed' };
}
