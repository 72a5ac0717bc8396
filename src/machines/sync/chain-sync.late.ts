/** Answers to chain-sync that nobody waits for any more, or to an earlier life of it: in every state they are counted. Pure. Rule RT-16. */
export const late = { actions: 'countLate' } as const;

export const LATE_ANSWERS = {
  'peers.polled': late,
  'chains.answered': late,
  'snapshots.answered': late,
  'snapshotChunk.answered': late,
  'epochs.answered': late,
  'restore.begun': late,
  'restore.took': late,
  'restore.ended': late,
  'restore.abandoned': late,
  'restore.failed': late,
  'fetch.started': late,
  'blocks.answered': late,
  'fetch.failed': late,
  'side.opened': late,
  'side.passed': late,
  'side.planted': late,
  'side.restored': late,
  'side.appended': late,
  'side.sealed': late,
  'side.discarded': late,
  'side.failed': late,
  'blockIds.found': late,
  'storage.failed': late,
} as const;
