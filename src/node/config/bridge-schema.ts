/** The keys of [bridge]: the one way in for operations. Pure. Rules BR-2 to BR-11, docs/operator-guide.md. */
import { choice, duration, integer } from './setting.ts';

export const BRIDGE_SETTINGS = {
  max_pending_operations: integer({
    default: 10_000,
    min: 1,
    max: 10_000_000,
    unit: 'operations',
    note: 'Operations of this node that have not ended; beyond it clients are told QUEUE_FULL.',
    source: 'BR-2',
  }),
  max_queue_size: integer({
    default: 10_000,
    min: 100,
    max: 1_000_000,
    unit: 'messages',
    note: 'Messages that the bridge may have waiting; beyond it sockets of peers pause and clients are told QUEUE_FULL.',
    source: 'BR-3',
  }),
  consensus_timeout_ms: duration({
    default: 30_000,
    min: 1_000,
    max: 3_600_000,
    note: 'An operation that has not ended so long is shown as overdue; it expires by its height alone.',
    source: 'BR-2',
  }),
  state_sync_interval_ms_min: duration({
    default: 1_000,
    min: 100,
    max: 600_000,
    note: 'Between two exchanges of state hashes with the peers while there is much activity.',
    source: 'BR-4',
  }),
  state_sync_interval_ms: duration({
    default: 10_000,
    min: 100,
    max: 600_000,
    note: '… while there is some.',
    source: 'BR-4',
  }),
  state_sync_interval_ms_max: duration({
    default: 60_000,
    min: 100,
    max: 3_600_000,
    note: '… while there is little.',
    source: 'BR-4',
  }),
  partition_timeout_ms: duration({
    default: 5_000,
    min: 100,
    max: 600_000,
    note: 'Without a commit for so long while rounds fail, this node takes itself for cut off.',
    source: 'BR-10',
  }),
  when_partitioned: choice({
    default: 'refuse',
    choices: ['refuse', 'queue'],
    note: 'What becomes of operations while this node is cut off from a quorum.',
    source: 'BR-10',
  }),
  breaker_failures: integer({
    default: 5,
    min: 1,
    max: 1_000,
    unit: 'failures',
    note: "Failures in a row that open a peer's circuit breaker.",
    source: 'BR-8',
  }),
  breaker_pause_ms_min: duration({
    default: 10_000,
    min: 100,
    max: 600_000,
    note: 'How long a breaker is open first; doubles from there.',
    source: 'BR-8',
  }),
  breaker_pause_ms_max: duration({
    default: 120_000,
    min: 100,
    max: 3_600_000,
    note: 'How long a breaker is open at the longest.',
    source: 'BR-8',
  }),
};

/** Pairs of keys whose values must not exceed each other: `lesser` <= `greater`. */
export const BRIDGE_ORDERS = [
  { lesser: 'bridge.state_sync_interval_ms_min', greater: 'bridge.state_sync_interval_ms' },
  { lesser: 'bridge.state_sync_interval_ms', greater: 'bridge.state_sync_interval_ms_max' },
  { lesser: 'bridge.breaker_pause_ms_min', greater: 'bridge.breaker_pause_ms_max' },
] as const;
