/** `althing_bridge` in JSON: heights and powers are strings, milliseconds numbers; what is not known is null. Pure. BR-9, docs/protocol/bridge.md. */
import type { BridgeReport } from './bridge-port.ts';
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
  },
  divergences: report.divergences.map(({ height, ours, theirs, by }) => ({
    height: String(height),
    ours: upperHex(ours),
    theirs: upperHex(theirs),
    by,
  })),
  breakers: report.breakers.map(({ peer, state }) => ({ peer: upperHex(peer), state })),
  state_sync: {
    height: report.stateSync.height === undefined ? null : String(report.stateSync.height),
    age_ms: Math.round(report.stateSync.age),
    interval_ms: report.stateSync.interval,
  },
  operations: report.operations.map(({ id, bytes, age, expiresAtHeight }) => ({
    id: upperHex(id),
    bytes,
    age_ms: Math.round(age),
    expires_at_height: String(expiresAtHeight),
  })),
});
