/** `althing_bridge` in JSON: heights and powers are strings, milliseconds numbers; what is not known is null. Pure. BR-9, docs/protocol/bridge.md. */
import type { Adapted, BridgeReport, PacingReport } from './bridge-port.ts';
import { upperHex } from './shapes.ts';

export const bridgeJson = (report: BridgeReport): object => ({
  reach: report.reach,
  partition: report.partition ?? null,
  healed_after_ms: report.healedAfter === undefined ? null : Math.round(report.healedAfter),
  healthy: report.healthy,
  reachable_power: String(report.reachablePower),
  required_votes: String(report.requiredVotes),
  pending_operations: report.pending,
  max_pending_operations: report.pendingMax,
  queued_submissions: report.queued,
  overdue_operations: report.overdue,
  counts: {
    messages_processed: report.counts.messagesProcessed,
    consensus_rounds_completed: report.counts.consensusRoundsCompleted,
    failed_operations: report.counts.failedOperations,
    submitted: report.counts.submitted,
    committed: report.counts.committed,
    expired: report.counts.expired,
    rejected: report.counts.rejected,
    duplicates: report.counts.duplicates,
    state_syncs_sent: report.counts.stateSyncsSent,
    partitions: report.counts.partitions,
    unanswered: report.counts.unanswered,
    forgotten: report.counts.forgotten,
    handed_again: report.counts.handedAgain,
    not_kept: report.counts.notKept,
    turned_away: report.counts.turnedAway,
  },
  divergences: report.divergences.map(({ height, ours, theirs, by }) => ({
    height: String(height),
    ours: upperHex(ours),
    theirs: upperHex(theirs),
    by,
  })),
  breakers: report.breakers.map(({ peer, state }) => ({ peer: upperHex(peer), state })),
  missing: report.missing.map(({ peer, name }) => ({ peer: upperHex(peer), name })),
  state_sync: {
    height: report.stateSync.height === undefined ? null : String(report.stateSync.height),
    age_ms: Math.round(report.stateSync.age),
    interval_ms: report.stateSync.interval,
  },
  pacing: report.pacing === undefined ? null : pacingJson(report.pacing),
  operations: report.operations.map(({ id, bytes, age, expiresAtHeight, votesReceived }) => ({
    id: upperHex(id),
    bytes,
    age_ms: Math.round(age),
    expires_at_height: String(expiresAtHeight),
    votes_received: votesReceived === undefined ? null : String(votesReceived),
    required_votes: String(report.requiredVotes),
  })),
});

const pacingJson = (report: PacingReport): object => ({
  round_trip_ms: rounded(report.roundTrip),
  round_timeout_ms: report.roundTimeout === undefined ? null : adapted(report.roundTimeout),
  block_time_ms: rounded(report.blockTime),
  block_time_target_ms: Math.round(report.blockTimeTarget),
  seal_interval_ms: adapted(report.sealInterval),
  seal_bytes: adapted(report.sealBytes),
  block_share: report.blockShare,
});

/** Tenths of a millisecond. */
const rounded = (value: number | undefined): number | null =>
  value === undefined ? null : Math.round(10 * value) / 10;

const adapted = ({ now, least, greatest }: Adapted): object => ({ now: rounded(now), least, greatest });
