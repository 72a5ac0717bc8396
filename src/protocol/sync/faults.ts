/** For what sync blames a peer. Each has a price in the sync lane, in transport/score.ts. Names only. Rules TP-6, SY-3 to SY-10, docs/protocol/sync.md. */

/** Why an answer with blocks is worth nothing. */
export const SEGMENT_FAULTS = [
  /** More blocks than were asked for, or others. */
  'BAD_BLOCKS',
  'BLOCKS_NOT_GAPLESS',
  /** Of two epochs: no one set can judge them, and nobody who serves gives them (CS-16). */
  'BLOCKS_SPAN_EPOCHS',
  /** A header names another parent than the certificate inside its block. */
  'BLOCKS_PARENT_DIFFERS',
  /** A certificate states another block than the one beside it. */
  'CERTIFICATE_OF_ANOTHER_BLOCK',
  /** The newest certificate does not hold. */
  'BLOCKS_NOT_CERTIFIED',
  'NOT_THE_WANTED_BLOCK',
  /** A verified proof commits another block at one of the heights. */
  'CONTRADICTS_COMMITTED',
  /** Bytes that hash to no digest that the blocks name, or twice to one. */
  'BATCH_NOT_NAMED',
] as const;

export type SegmentFault = (typeof SEGMENT_FAULTS)[number];

/** All that sync blames a peer for. */
export const SYNC_FAULTS = [
  ...SEGMENT_FAULTS,
  'UNREQUESTED',
  'REQUEST_TIMEOUT',
  'HEIGHT_WENT_BACK',
  'CLAIM_FALSE',
  'GENESIS_DIFFERS',
  'SNAPSHOT_FALSE',
  'SNAPSHOT_CHUNK_DIFFERS',
  /** Epochs did not end as it told, or are others than were asked for (CS-16). */
  'EPOCHS_FALSE',
] as const;

export type SyncFault = (typeof SYNC_FAULTS)[number];
