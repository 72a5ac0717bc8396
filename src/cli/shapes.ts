/** The parts of RPC answers that the command line shows. Gateways: zod schemas of CometBFT's shapes. Pure. */
import { z } from 'zod';
import { REACH_STATES } from '../rpc/bridge-port.ts';

export const STATUS = z.object({
  node_info: z.object({
    id: z.string(),
    network: z.string(),
    version: z.string(),
    moniker: z.string(),
    listen_addr: z.string(),
  }),
  sync_info: z.object({
    latest_block_hash: z.string(),
    latest_app_hash: z.string(),
    latest_block_height: z.string(),
    latest_block_time: z.string(),
    earliest_block_height: z.string(),
    catching_up: z.boolean(),
  }),
  validator_info: z.object({ address: z.string(), voting_power: z.string() }),
});

export const NET_INFO = z.object({
  listening: z.boolean(),
  listeners: z.array(z.string()),
  n_peers: z.string(),
  peers: z.array(
    z.object({
      node_info: z.object({ id: z.string(), moniker: z.string(), listen_addr: z.string() }),
      is_outbound: z.boolean(),
      connection_status: z.object({
        Duration: z.string(),
        SendMonitor: z.object({ Bytes: z.string() }),
        RecvMonitor: z.object({ Bytes: z.string() }),
      }),
      remote_ip: z.string(),
    }),
  ),
});

export const ROUNDS = z.object({
  current_epoch: z.string(),
  current_round: z.string(),
  high_qc_round: z.string(),
  locked_round: z.string(),
  last_voted_round: z.string(),
  quorum_power: z.string(),
  rounds: z.array(
    z.object({
      round: z.string(),
      height: z.string(),
      leader: z.string(),
      step: z.string(),
      vote_power: z.string(),
      timeout_power: z.string(),
      refusal: z.string(),
      entered_at: z.string(),
    }),
  ),
  view_changes: z.array(
    z.object({
      epoch: z.string(),
      round: z.string(),
      leader: z.string(),
      reason: z.string(),
      duration_ms: z.number(),
      at: z.string(),
    }),
  ),
});

const ms = z.number().nullable();

export const TIME = z.object({
  state: z.string(),
  source: z.string(),
  led_by: z.string().nullable(),
  adjusted_time: z.string(),
  is_adjusted: z.boolean(),
  system_time: z.string(),
  system_offset_ms: z.number(),
  error_ms: ms,
  rate_ppm: z.number(),
  slew_left_ms: z.number(),
  updates: z.number(),
  last_update_age_ms: ms,
  may_propose: z.boolean(),
  alerts: z.array(z.object({ alert: z.string(), detail: z.string() })),
  alert_counts: z.record(z.string(), z.number()),
  peers: z.array(
    z.object({
      peer: z.string(),
      name: z.string(),
      offset_ms: ms,
      last_update_age_ms: ms,
      round_trip_ms: ms,
      reliability: z.number(),
      is_synchronised: z.boolean(),
    }),
  ),
  servers: z.array(
    z.object({
      server: z.string(),
      status: z.string(),
      why: z.string(),
      reach: z.number(),
      offset_ms: ms,
      delay_ms: ms,
      root_distance_ms: ms,
      stratum: z.number().nullable(),
    }),
  ),
  findings: z
    .looseObject({
      peers: z.looseObject({
        status: z.string(),
        lo_ms: z.number().optional(),
        hi_ms: z.number().optional(),
        low: z.array(z.string()).optional(),
        high: z.array(z.string()).optional(),
      }),
      conflict: z.boolean(),
    })
    .nullable(),
  history: z.array(
    z.object({
      at: z.string(),
      by: z.string(),
      outcome: z.string(),
      correction_ms: z.number(),
      error_ms: z.number(),
      system_offset_ms: z.number(),
      peers: z.array(z.object({ peer: z.string(), offset_ms: z.number() })),
    }),
  ),
});

const height = z.string().nullable();
const SYNC_STATUS = z.object({
  kind: z.string(),
  gap: z.number().nullable(),
  reason: z.string().nullable(),
});
const SYNC_ERROR = z.object({ code: z.string(), detail: z.string() });

/** How a download of the whole chain stands. */
export const RESYNC = z.discriminatedUnion('status', [
  z.object({ status: z.literal('running') }),
  z.object({ status: z.literal('ready'), height: z.string() }),
  z.object({ status: z.literal('failed'), error: SYNC_ERROR }),
]);

export const SYNC_NOW = z.discriminatedUnion('status', [
  z.object({ status: z.literal('running') }),
  z.object({ status: z.literal('done'), sync: SYNC_STATUS, error: SYNC_ERROR.nullable() }),
]);

const SNAPSHOT_PROGRESS = z.object({ height: z.string(), written: z.number(), chunks: z.number() });

export const SYNC_PROGRESS = z.object({
  tier: z.number(),
  from: z.string(),
  at: z.string(),
  to: z.string(),
  blocks_per_second: z.number(),
  remaining_ms: ms,
  elapsed_ms: z.number(),
  peers: z.array(z.string()),
  snapshot: SNAPSHOT_PROGRESS.nullable(),
});

export const SYNC = z.object({
  activity: z.string(),
  status: SYNC_STATUS,
  health: z.string(),
  height: z.string(),
  consensus_height: height,
  proved_height: height,
  supported_height: height,
  exact_height: height,
  progress: SYNC_PROGRESS.nullable(),
  resync: RESYNC.nullable(),
  alerts: z.array(
    z.object({ alert: z.string(), detail: z.string(), remedy: z.string(), age_ms: z.number() }),
  ),
  alert_counts: z.record(z.string(), z.number()),
  last_check_age_ms: ms,
  last_error: SYNC_ERROR.nullable(),
  error_counts: z.record(z.string(), z.number()),
  tier1_ms: ms,
  tier2_ms: ms,
  tier3_ms: ms,
  validation_ms: ms,
  counts: z.object({
    checks: z.number(),
    catch_ups: z.number(),
    resyncs: z.number(),
    forks: z.number(),
    blocks_fetched: z.number(),
    blocks_rejected: z.number(),
    batches_retried: z.number(),
    bytes_fetched: z.number(),
  }),
  peers: z.array(
    z.object({
      peer: z.string(),
      name: z.string(),
      power: z.string(),
      base: height,
      height,
      is_proved: z.boolean(),
      claim_age_ms: ms,
      latency_ms: ms,
      failures: z.number(),
      score: z.number(),
      consistent_uptime_ms: z.number(),
      is_trusted: z.boolean(),
      removed_for_ms: ms,
    }),
  ),
});

export const QUERY = z.object({
  response: z.object({
    code: z.number(),
    log: z.string(),
    key: z.string().nullable(),
    value: z.string().nullable(),
    height: z.string(),
  }),
});

export const BLOCK = z.object({
  block_id: z.object({ hash: z.string() }),
  block: z.object({
    header: z.object({
      height: z.string(),
      time: z.string(),
      proposer_address: z.string(),
      app_hash: z.string(),
      last_block_id: z.object({ hash: z.string() }),
    }),
    data: z.object({ txs: z.array(z.string()) }),
    last_commit: z.object({ round: z.number() }),
  }),
});

export const READINESS = z.object({ status: z.string(), reasons: z.array(z.string()).default([]) });
export const VIEW_CHANGE = z.object({ round: z.string() });

export const ADAPTED = z.object({ now: z.number(), least: z.number(), greatest: z.number() });

/** `althing_bridge` */
export const BRIDGE = z.object({
  reach: z.enum(REACH_STATES),
  partition: z.string().nullable(),
  healed_after_ms: z.number().nullable(),
  healthy: z.boolean(),
  reachable_power: z.string(),
  required_votes: z.string(),
  pending_operations: z.number(),
  max_pending_operations: z.number(),
  queued_submissions: z.number(),
  overdue_operations: z.number(),
  counts: z.object({
    messages_processed: z.number(),
    consensus_rounds_completed: z.number(),
    failed_operations: z.number(),
    submitted: z.number(),
    committed: z.number(),
    expired: z.number(),
    rejected: z.number(),
    duplicates: z.number(),
    state_syncs_sent: z.number(),
    partitions: z.number(),
    unanswered: z.number(),
    forgotten: z.number(),
    handed_again: z.number(),
    not_kept: z.number(),
    turned_away: z.number(),
  }),
  divergences: z.array(
    z.object({ height: z.string(), ours: z.string(), theirs: z.string(), by: z.string() }),
  ),
  breakers: z.array(z.object({ peer: z.string(), state: z.string() })),
  missing: z.array(z.object({ peer: z.string(), name: z.string() })),
  pacing: z
    .object({
      round_trip_ms: z.number().nullable(),
      round_timeout_ms: ADAPTED.nullable(),
      block_time_ms: z.number().nullable(),
      block_time_target_ms: z.number(),
      seal_interval_ms: ADAPTED,
      seal_bytes: ADAPTED,
      block_share: ADAPTED,
    })
    .nullable(),
  state_sync: z.object({ height: z.string().nullable(), age_ms: z.number(), interval_ms: z.number() }),
  operations: z.array(
    z.object({
      id: z.string(),
      bytes: z.number(),
      age_ms: z.number(),
      expires_at_height: z.string(),
      votes_received: z.string().nullable(),
      required_votes: z.string(),
    }),
  ),
});
