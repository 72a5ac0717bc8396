/** The keys of [mempool]: what may wait for a block, and when batches are sealed. Pure. docs/operator-guide.md. */
import { duration, integer, MEBIBYTE } from './setting.ts';

export const MEMPOOL_SETTINGS = {
  pending_bytes_max: integer({
    default: 64 * MEBIBYTE,
    min: MEBIBYTE,
    max: 128 * MEBIBYTE,
    unit: 'bytes',
    note: 'Own transactions that wait for a block; beyond it clients are told MEMPOOL_FULL.',
    source: '256 MB a node at full load',
  }),
  pending_count_max: integer({
    default: 250_000,
    min: 100,
    max: 10_000_000,
    unit: 'transactions',
    note: 'Own transactions that wait for a block; beyond it clients are told MEMPOOL_FULL.',
    source: 'pending_bytes_max in transactions of 256 bytes',
  }),
  seal_bytes: integer({
    default: 262_144,
    min: 1_024,
    max: 2 * MEBIBYTE - 64,
    unit: 'bytes',
    note: 'A batch is sealed when it holds so much, or more under load; at most the batch_bytes_max of the genesis.',
    source: 'batches from 64 KB to 1 MB measured alike',
  }),
  seal_bytes_max: integer({
    default: MEBIBYTE,
    min: 1_024,
    max: 2 * MEBIBYTE - 64,
    unit: 'bytes',
    note: 'What a batch grows to under load, a quarter of what comes in the time of a block; at least seal_bytes.',
    source: 'the batch_bytes_max of the genesis',
  }),
  seal_interval_ms: duration({
    default: 10,
    min: 0,
    max: 10_000,
    note: 'Batches that are not full are sealed at least so far apart; the first at once.',
    source: 'finality at light load within 25 ms',
  }),
  seal_interval_ms_max: duration({
    default: 100,
    min: 0,
    max: 10_000,
    note: 'What seal_interval_ms grows to where blocks take long: a quarter of the time of a block; at least seal_interval_ms.',
    source: 'a quarter of a block of 400 ms, as around the earth',
  }),
  block_time_target_ms: duration({
    default: 500,
    min: 10,
    max: 30_000,
    note: 'While full blocks take longer than this, and than four round trips, this node proposes smaller ones, if they are quicker.',
    source: 'chosen: two blocks are a second',
  }),
  client_transactions_per_second: integer({
    default: 100_000,
    min: 1,
    max: 100_000_000,
    unit: 'transactions/s',
    note: 'Steady rate of one client address; beyond it the client is told RATE_LIMITED.',
    source: 'docs/operator-guide.md',
  }),
  client_transactions_burst: integer({
    default: 200_000,
    min: 1,
    max: 100_000_000,
    unit: 'transactions',
    note: 'What one client address may submit at once.',
    source: 'two seconds of client_transactions_per_second',
  }),
};

/** Pairs of keys whose values must not exceed each other: `lesser` <= `greater`. */
export const MEMPOOL_ORDERS = [
  { lesser: 'mempool.seal_bytes', greater: 'mempool.seal_bytes_max' },
  { lesser: 'mempool.seal_interval_ms', greater: 'mempool.seal_interval_ms_max' },
] as const;
