/**
 * `althing_sync`, `althing_sync_now` and `althing_resync`: how the node catches up. Heights and powers are strings, milliseconds
 * numbers with microseconds; what is not known is null. Pure. docs/operator-guide.md.
 */
import { SYNC_ALERT_NAMES } from '../protocol/sync/alerts.ts';
import type { SnapshotProgress, SyncError, SyncStatus } from '../protocol/sync/types.ts';
import { rounded, roundedOrNull } from './numbers.ts';
import { upperHex } from './shapes.ts';
import {
  type ResyncOutcome,
  SYNC_ERRORS,
  type SyncNowOutcome,
  type SyncPeer,
  type SyncProgressReport,
  type SyncReport,
} from './sync-port.ts';

export const syncJson = (report: SyncReport): object => ({
  activity: report.activity,
  status: statusJson(report.status),
  health: report.health,
  height: String(report.height),
  consensus_height: stringOrNull(report.consensusHeight),
  proved_height: stringOrNull(report.proved),
  supported_height: stringOrNull(report.supported),
  exact_height: stringOrNull(report.exact),
  progress: report.progress === undefined ? null : progressJson(report.progress),
  resync: report.resync === undefined ? null : resyncJson(report.resync),
  alerts: report.alerts.map(({ alert, detail, remedy, age }) => ({
    alert,
    detail,
    remedy,
    age_ms: rounded(age),
  })),
  alert_counts: Object.fromEntries(
    SYNC_ALERT_NAMES.map((alert) => [alert, report.alertCounts.get(alert) ?? 0]),
  ),
  last_check_age_ms: roundedOrNull(report.lastCheckAge),
  last_error: report.lastError === undefined ? null : errorJson(report.lastError),
  error_counts: Object.fromEntries(SYNC_ERRORS.map((code) => [code, report.errorCounts.get(code) ?? 0])),
  tier1_ms: roundedOrNull(report.durations[1]),
  tier2_ms: roundedOrNull(report.durations[2]),
  tier3_ms: roundedOrNull(report.durations[3]),
  validation_ms: roundedOrNull(report.validation),
  counts: {
    checks: report.counts.checks,
    catch_ups: report.counts.catchUps,
    resyncs: report.counts.resyncs,
    forks: report.counts.forks,
    blocks_fetched: report.counts.blocksFetched,
    blocks_rejected: report.counts.blocksRejected,
    batches_retried: report.counts.batchesRetried,
    bytes_fetched: report.counts.bytesFetched,
  },
  peers: report.peers.map(peerJson),
});

export const resyncJson = (outcome: ResyncOutcome): object => {
  switch (outcome.status) {
    case 'running':
      return { status: 'running' };
    case 'ready':
      return { status: 'ready', height: String(outcome.height) };
    case 'failed':
      return { status: 'failed', error: errorJson(outcome.error) };
  }
};

export const syncNowJson = (outcome: SyncNowOutcome): object =>
  outcome.status === 'running'
    ? { status: 'running' }
    : {
        status: 'done',
        sync: statusJson(outcome.sync),
        error: outcome.error === undefined ? null : errorJson(outcome.error),
      };

/** `gap` and `reason` where the kind has none are null: one shape for every status. */
const statusJson = (status: SyncStatus): object => ({
  kind: status.kind,
  gap: 'gap' in status ? status.gap : null,
  reason: 'reason' in status ? status.reason : null,
});

const errorJson = (error: SyncError): object => ({
  code: error.code,
  gap: error.code === 'SyncGapTooLarge' ? error.gap : null,
  detail: error.detail,
});

const progressJson = (progress: SyncProgressReport): object => ({
  tier: progress.tier,
  from: String(progress.from),
  at: String(progress.at),
  to: String(progress.to),
  blocks_per_second: rounded(progress.blocksPerSecond),
  remaining_ms: roundedOrNull(progress.remaining),
  elapsed_ms: rounded(progress.elapsed),
  peers: progress.peers.map(upperHex),
  snapshot: snapshotJson(progress.snapshot),
});

/** Whole numbers, but the height, which is a text as everywhere. */
export const snapshotJson = (snapshot: SnapshotProgress | undefined) =>
  snapshot === undefined ? null : { ...snapshot, height: String(snapshot.height) };

const peerJson = (peer: SyncPeer): object => ({
  peer: upperHex(peer.id),
  name: peer.name,
  power: String(peer.power),
  base: stringOrNull(peer.claim?.base),
  height: stringOrNull(peer.claim?.height),
  is_proved: peer.claim?.isProved ?? false,
  claim_age_ms: roundedOrNull(peer.claimAge),
  latency_ms: roundedOrNull(peer.latency),
  failures: peer.failures,
  score: rounded(peer.score),
  consistent_uptime_ms: rounded(peer.consistentUptime),
  is_trusted: peer.isTrusted,
  removed_for_ms: roundedOrNull(peer.removedFor),
});

const stringOrNull = (value: number | undefined): string | null =>
  value === undefined ? null : String(value);
