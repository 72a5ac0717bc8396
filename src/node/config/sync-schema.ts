/**
 * The keys of [sync]: what `config/sync.toml` holds, by the names of seeds 001 and 002. Pure.
 * Rules SY-1, SY-4, SY-7 to SY-9, docs/operator-guide.md.
 */
import { z } from 'zod';
import { SNAPSHOT_INTERVAL_HEIGHTS } from '../../application/snapshot-taking.ts';
import { BATCH_HEIGHTS, MEDIUM_GAP_MAX } from '../../protocol/sync/config.ts';
import { choice, duration, flag, integer, ratio, type Setting } from './setting.ts';

const TIER_3_BY_HAND: Setting<true> = {
  ...flag({
    default: true,
    note: 'Only an operator (`althing resync`) replaces the chain of a node; nothing that a peer sends does. Always true.',
    source: 'SY-9',
  }),
  type: z.literal(
    true,
    'must be true: a chain is replaced by its operator alone (SY-9); else whoever can make this node believe in a fork could delete its chain',
  ),
};

const TWO_THIRDS: Setting<'2/3+'> = {
  ...choice({
    default: '2/3+',
    choices: ['2/3+'],
    note: "Share of the validators' power that must name the same block at a height. It has this value alone.",
    source: 'SY-1',
  }),
  type: z.literal(
    '2/3+',
    'must be "2/3+": with less, validators that lie could outvote the honest ones; with more, a few that are silent would stop every check',
  ),
};

export const SYNC_SETTINGS = {
  tier1_timeout_secs: integer({
    default: 30,
    min: 1,
    max: 600,
    unit: 'secs',
    note: 'Tier 1, the whole check of heights: asking, waiting, agreeing.',
    source: 'SY-7',
  }),
  tier1_consensus_threshold: ratio({
    default: 0.67,
    min: 0.5,
    max: 1,
    unit: 'share',
    note: 'Share of the answers that must agree on a height; never less than two thirds and one vote.',
    source: 'SY-1',
  }),
  tier1_max_gap: integer({
    default: 5,
    min: 1,
    max: MEDIUM_GAP_MAX,
    unit: 'blocks',
    note: 'Behind by so many is a small gap, which tier 1 closes; near the tip several peers are asked at once.',
    source: 'SY-7',
  }),
  tier2_timeout_per_block: integer({
    default: 10,
    min: 1,
    max: 600,
    unit: 'secs',
    note: 'Tier 2, blocks from peers: what one block may take.',
    source: 'SY-8',
  }),
  tier2_max_retries: integer({
    default: 3,
    min: 1,
    max: 16,
    unit: 'peers',
    note: 'Different peers that are asked for a batch of blocks before it has failed; then it rests, and is asked for again.',
    source: 'SY-8',
  }),
  tier2_max_gap: integer({
    default: 1_000,
    min: BATCH_HEIGHTS,
    max: 100_000,
    unit: 'blocks',
    note: 'Blocks that are asked for ahead of the newest one; it bounds the memory. A gap above it that nobody has proved is critical.',
    source: 'SY-8; the least is one batch',
  }),
  tier3_trust_hours: ratio({
    default: 5,
    min: 0.001,
    max: 8_760,
    unit: 'hours',
    note: 'Tier 3, the whole chain anew: how long a peer must have been here without contradiction to give it. Below 1: for trials.',
    source: 'SY-9',
  }),
  tier3_backup_retention_days: ratio({
    default: 1,
    min: 0.001,
    max: 365,
    unit: 'days',
    note: 'How long the replaced chain is kept for `althing resync --rollback`. It needs the room on the disk.',
    source: 'SY-9',
  }),
  tier3_requires_manual: TIER_3_BY_HAND,
  check_interval_secs: integer({
    default: 30,
    min: 1,
    max: 3_600,
    unit: 'secs',
    note: 'Between two checks of this node against its peers.',
    source: 'docs/protocol/sync.md',
  }),
  peer_query_timeout_secs: integer({
    default: 30,
    min: 1,
    max: 600,
    unit: 'secs',
    note: "How long one peer's answer to a small question is waited for, at the most; within tier1_timeout_secs.",
    source: 'docs/protocol/sync.md',
  }),
  block_fetch_timeout_secs: integer({
    default: 60,
    min: 1,
    max: 3_600,
    unit: 'secs',
    note: "How long one peer's answer with blocks is waited for, at the most.",
    source: 'SY-8',
  }),
  peer_cache_ttl_secs: integer({
    default: 300,
    min: 1,
    max: 86_400,
    unit: 'secs',
    note: 'How long what a peer said of its chain is believed without asking it again.',
    source: 'SY-7',
  }),
  redundant_peers: integer({
    default: 3,
    min: 1,
    max: 16,
    unit: 'peers',
    note: 'Peers that are asked for the same blocks near the tip.',
    source: 'SY-8',
  }),
  genesis_peers: integer({
    default: 5,
    min: 1,
    max: 64,
    unit: 'peers',
    note: "Peers whose genesis is compared with this node's before anything is fetched.",
    source: 'SY-4',
  }),
  fetch_attempts: integer({
    default: 3,
    min: 1,
    max: 16,
    unit: 'attempts',
    note: 'Attempts at one question, each of another peer.',
    source: 'SY-8',
  }),
  hash_consensus: TWO_THIRDS,
  join: choice({
    default: 'blocks',
    choices: ['blocks', 'snapshot'],
    note: 'How a new home gets its chain: all blocks, or the newest snapshot and the blocks above it. A home that has blocks is not touched.',
    source: 'SY-10',
  }),
  snapshot_interval_heights: integer({
    default: SNAPSHOT_INTERVAL_HEIGHTS,
    min: 0,
    max: 1_000_000_000,
    unit: 'heights',
    note: "Between two snapshots of the application's state, which are kept for nodes that join. 0: never.",
    source: 'SY-10',
  }),
  follow_interval_ms: duration({
    default: 1_000,
    min: 100,
    max: 60_000,
    note: 'check_interval_secs of a node that is no validator. Validators tell it of commits; of other nodes it hears by asking alone.',
    source: 'SY-15; one small question of each kind a second at each peer',
  }),
};

/** Pairs of keys whose values must not exceed each other: `lesser` <= `greater`. */
export const SYNC_ORDERS = [
  { lesser: 'sync.tier1_max_gap', greater: 'sync.tier2_max_gap' },
  { lesser: 'sync.peer_query_timeout_secs', greater: 'sync.tier1_timeout_secs' },
  { lesser: 'sync.peer_query_timeout_secs', greater: 'sync.peer_cache_ttl_secs' },
  { lesser: 'sync.tier2_timeout_per_block', greater: 'sync.block_fetch_timeout_secs' },
] as const;
