/** The keys of [consensus]: the waits of a round. Pure. Rules CS-6, CS-10, CS-11, docs/operator-guide.md. */
import { duration, integer, ratio } from './setting.ts';

export const CONSENSUS_SETTINGS = {
  round_timeout_ms_min: duration({
    default: 200,
    min: 10,
    max: 60_000,
    note: "Shortest wait for a round's certificate.",
    source: 'CS-11; 4 x p99 round trip on a loopback network',
  }),
  round_timeout_ms_max: duration({
    default: 30_000,
    min: 50,
    max: 600_000,
    note: "Longest wait for a round's certificate, however many rounds failed.",
    source: 'CS-11',
  }),
  round_timeout_ms_initial: duration({
    default: 1_000,
    min: 10,
    max: 600_000,
    note: 'Wait before any round was measured.',
    source: 'CS-11; a wide-area round trip with room',
  }),
  round_timeout_growth: ratio({
    default: 1.5,
    min: 1,
    max: 4,
    note: 'Growth of the wait with each failed round.',
    source: 'CS-11',
  }),
  round_timeout_grace: integer({
    default: 3,
    min: 0,
    max: 100,
    unit: 'rounds',
    note: 'Failed rounds before the wait begins to grow; never fewer than validators may be dead, and one more.',
    source: 'CS-11; covers one dead leader of four between commits, two of seven',
  }),
  propose_share: ratio({
    default: 0.5,
    min: 0.05,
    max: 0.95,
    note: 'Share of the wait within which the proposal should be here; the rest is for votes.',
    source: 'CS-11',
  }),
  view_change_share: ratio({
    default: 0.5,
    min: 0.05,
    max: 1,
    note: 'Share of the wait between two sendings of a ViewChange.',
    source: 'CS-6',
  }),
  empty_block_interval_ms: duration({
    default: 1_000,
    min: 10,
    max: 3_600_000,
    note: 'Pace of blocks while there is nothing to agree on.',
    source: 'CS-10',
  }),
};

/** Pairs of keys whose values must not exceed each other: `lesser` <= `greater`. */
export const CONSENSUS_ORDERS = [
  { lesser: 'consensus.round_timeout_ms_min', greater: 'consensus.round_timeout_ms_max' },
  { lesser: 'consensus.round_timeout_ms_initial', greater: 'consensus.round_timeout_ms_max' },
] as const;
