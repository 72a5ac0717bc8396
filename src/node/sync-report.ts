/**
 * What readers see of sync: the snapshots of network-sync, state-sync and block-sync put into one report. Nothing of it is kept
 * here. Pure. Rules SY-1 to SY-13, docs/protocol/sync.md.
 */
import { type Millis, type Monotonic, millis, type WallTime } from '../base/units.ts';
import type { BlockSyncContext } from '../machines/sync/block-sync.live.ts';
import type { NetworkSyncContext } from '../machines/sync/network-sync.setup.ts';
import type { Address, Height } from '../protocol/chain/types.ts';
import { SYNC_ALERT_NAMES, SYNC_ALERTS } from '../protocol/sync/alerts.ts';
import { consistentUptime, isDistrusted, scoreAt } from '../protocol/sync/reputation.ts';
import { healthLine } from '../protocol/sync/status.ts';
import type { PeerState, SyncProgress, SyncStatus } from '../protocol/sync/types.ts';
import {
  type ResyncOutcome,
  SYNC_ACTIVITIES,
  type SyncActivity,
  type SyncPeer,
  type SyncProgressReport,
  type SyncReport,
} from '../rpc/sync-port.ts';

/** A cell that is down says nothing. */
export interface SyncCells {
  readonly network: { readonly state: string; readonly context: NetworkSyncContext } | undefined;
  readonly peers: readonly PeerState[];
  readonly blocks: Pick<BlockSyncContext, 'counts' | 'lastApplied'> | undefined;
}

export interface SyncSurroundings {
  readonly now: Monotonic;
  /** By which reputations are kept. */
  readonly wall: WallTime;
  /** On the disk. */
  readonly committed: Height;
  /** Consistent for so long, a peer may give the whole chain. */
  readonly trustTime: Millis;
  readonly names: ReadonlyMap<Address, string>;
  /** How the newest download of the whole chain ended. */
  readonly resynced: ResyncOutcome | undefined;
}

export function syncReport(cells: SyncCells, surroundings: SyncSurroundings): SyncReport {
  const { now, committed } = surroundings;
  const { network, blocks } = cells;
  const context = network?.context;
  const status: SyncStatus = context?.status ?? { kind: 'Unknown', reason: 'starting' };
  const height = context?.ownHeight ?? committed;
  const activity = activityOf(network);
  return {
    activity,
    status,
    health: healthLine(status, height, context?.consensusHeight),
    height,
    consensusHeight: context?.consensusHeight,
    proved: context?.proved?.height,
    supported: context?.supported,
    exact: context?.exact,
    progress: context?.progress && progressOf(context.progress, now),
    resync: activity === 'resyncing' ? { status: 'running' } : surroundings.resynced,
    peers: cells.peers.map((peer) => peerOf(peer, surroundings)),
    alerts: SYNC_ALERT_NAMES.flatMap((alert) => {
      const standing = context?.alerts.get(alert);
      if (standing === undefined) return [];
      const { detail, since } = standing;
      return [{ alert, detail, remedy: SYNC_ALERTS[alert].remedy, age: elapsed(since, now) }];
    }),
    alertCounts: context?.alertCounts ?? new Map(),
    lastCheckAge: ageOf(context?.lastCheckAt, now),
    lastError: context?.error,
    errorCounts: context?.failures ?? new Map(),
    durations: { 1: context?.latency.get(1), 2: context?.latency.get(2), 3: context?.latency.get(3) },
    validation: blocks?.lastApplied?.answeredToApplied,
    counts: {
      checks: context?.counts.checks ?? 0,
      catchUps: context?.counts.catchUps ?? 0,
      resyncs: context?.counts.resyncs ?? 0,
      forks: context?.counts.forks ?? 0,
      blocksFetched: blocks?.counts.blocksFetched ?? 0,
      blocksRejected: blocks?.counts.blocksRejected ?? 0,
      batchesRetried: blocks?.counts.batchesRetried ?? 0,
      bytesFetched: blocks?.counts.bytesFetched ?? 0,
    },
  };
}

/** The state of the chart; consensus may have blocks fetched while network-sync itself waits (CS-12). */
function activityOf(network: SyncCells['network']): SyncActivity {
  const state = SYNC_ACTIVITIES.find((each) => each === network?.state);
  const isIdle = state === 'joining' || state === 'resting';
  if (isIdle && network?.context.progress?.tier === 2) return 'catchingUp';
  return state ?? (network === undefined ? 'starting' : 'checking');
}

function progressOf(progress: SyncProgress, now: Monotonic): SyncProgressReport {
  const { tier, from, to, at, blocksPerSecond, remainingMs, peers, startedAt, snapshot } = progress;
  return {
    tier,
    from,
    at: atLeast(atMost(at, to), from),
    to: atLeast(to, from),
    blocksPerSecond: Math.max(0, blocksPerSecond),
    remaining: remainingMs,
    elapsed: elapsed(startedAt, now),
    peers,
    snapshot,
  };
}

function peerOf(
  { peer, power, claim, answeredAt, latencyMs, failures, reputation }: PeerState,
  { now, wall, trustTime, names }: SyncSurroundings,
): SyncPeer {
  const uptime = consistentUptime(reputation, wall);
  const removedFor = (reputation.removedUntil ?? wall) - wall;
  return {
    id: peer,
    name: names.get(peer) ?? '',
    power,
    claim: claim && { base: claim.base, height: claim.height, isProved: claim.status === 'proved' },
    claimAge: ageOf(answeredAt, now),
    latency: latencyMs,
    failures,
    score: scoreAt(reputation, wall),
    consistentUptime: uptime,
    isTrusted: uptime >= trustTime && !isDistrusted(reputation, wall),
    removedFor: removedFor > 0 ? millis(removedFor) : undefined,
  };
}

const atLeast = (height: Height, least: Height): Height => (height >= least ? height : least);
const atMost = (height: Height, most: Height): Height => (height <= most ? height : most);
const elapsed = (at: Monotonic, now: Monotonic): Millis => millis(Math.max(0, now - at));
const ageOf = (at: Monotonic | undefined, now: Monotonic): Millis | undefined =>
  at === undefined ? undefined : elapsed(at, now);
