/** The keys of [journal]: the record of all that this node learns, for replay. Pure. Rules RP-1 to RP-3, docs/journal.md. */
import { choice, duration, integer, MEBIBYTE } from './setting.ts';

export const JOURNAL_SETTINGS = {
  record: choice({
    default: 'on',
    choices: ['on', 'off'],
    note: 'Whether all that this node learns is written to its journal, so that `althing replay` can repeat what it did.',
    source: 'RP-3; costs at most a tenth of the throughput',
  }),
  bytes_max: integer({
    default: 1_024 * MEBIBYTE,
    min: 16 * MEBIBYTE,
    max: 1_048_576 * MEBIBYTE,
    unit: 'bytes',
    note: 'What all segments may take; the oldest are deleted.',
    source: 'RP-2; minutes at full load, days at rest',
  }),
  age_ms_max: duration({
    default: 604_800_000,
    min: 60_000,
    max: 31_536_000_000,
    note: 'Older segments are deleted.',
    source: 'RP-2; a week',
  }),
  segment_bytes: integer({
    default: 64 * MEBIBYTE,
    min: MEBIBYTE,
    max: 4_096 * MEBIBYTE,
    unit: 'bytes',
    note: 'A segment that is longer is followed by the next, which begins with a keyframe.',
    source: 'docs/journal.md',
  }),
  segment_age_ms: duration({
    default: 300_000,
    min: 1_000,
    max: 86_400_000,
    note: 'A segment that is older is followed by the next.',
    source: 'docs/journal.md',
  }),
  waiting_bytes_max: integer({
    default: 64 * MEBIBYTE,
    min: MEBIBYTE,
    max: 4_096 * MEBIBYTE,
    unit: 'bytes',
    note: 'What may wait for a slow disk; beyond it the recording pauses, says so, and goes on with a new segment.',
    source: 'RP-2',
  }),
  free_bytes_min: integer({
    default: 1_024 * MEBIBYTE,
    min: 0,
    max: 1_048_576 * MEBIBYTE,
    unit: 'bytes',
    note: 'What the disk must have free; with less the recording pauses, so that the chain has the rest. 0: it is not looked at.',
    source: 'RP-2; room for hours of blocks',
  }),
  digest_every: integer({
    default: 512,
    min: 1,
    max: 1_000_000,
    unit: 'turns',
    note: 'How often a digest of a cell, its state and its effects is written, which a replay compares.',
    source: 'RP-1; 0.1 ms each',
  }),
};

/** Pairs of keys whose values must not exceed each other: `lesser` <= `greater`. */
export const JOURNAL_ORDERS = [
  { lesser: 'journal.segment_bytes', greater: 'journal.bytes_max' },
  { lesser: 'journal.segment_age_ms', greater: 'journal.age_ms_max' },
] as const;
