/** What the chain's growth means here: committed batches leave, executed transactions end, expired ones are told. Pure. MP-12. */
import type { Height } from '../chain/types.ts';
import type { BlockExecuted } from '../ports/execution.ts';
import type { CommittedBlock } from '../ports/storage.ts';
import { bySequence } from './acks.ts';
import { hasFingerprint } from './fingerprints.ts';
import { withBlock } from './pacing.ts';
import { lookup, valuesOf, withEntry, withoutEntry } from './sharded-map.ts';
import {
  type BatchEntry,
  type MempoolState,
  type Step,
  tell,
  unchanged,
  withoutBatch,
  withoutPending,
} from './state.ts';

/** The batches that these blocks name cannot be named again; their transactions stay pending until they are executed. */
export function committed(state: MempoolState, blocks: readonly CommittedBlock[]): Step {
  let next = state;
  for (const { block } of blocks) {
    const { height, batches } = block.header;
    if (height <= next.committedHeight) continue;
    const digests = batches.map(({ digest }) => digest);
    for (const digest of digests) next = withoutBatch(next, digest);
    const named = digests.reduce((map, digest) => withEntry(map, digest, true as const), next.named);
    const namedLog = digests.length === 0 ? next.namedLog : [...next.namedLog, { height, digests }];
    const pacing = withBlock(next.pacing, block.header, next.config);
    next = { ...next, named, namedLog, pacing, committedHeight: height };
  }
  return expired(forgetNamed(next));
}

/** These transactions ended, whoever's batch carried them. */
export function executed(state: MempoolState, block: BlockExecuted): Step {
  const hashes = block.transactions.map(({ hash }) => hash);
  const next =
    state.pending.size === 0
      ? state
      : withoutPending(
          state,
          hashes,
          block.transactions.map(({ byteLength }) => byteLength),
        );
  const executedHeight = Math.max(state.executedHeight, block.executed.height) as Height;
  return expired({ ...next, executedHeight });
}

/**
 * Batches whose expiry lies below the committed height leave. An own one's transactions are told as expired when
 * everything up to there is executed too, so that none of them is told as expired and was committed by another's batch.
 */
function expired(state: MempoolState): Step {
  if (state.committedHeight <= state.earliestExpiry) return unchanged(state);
  const gone = valuesOf(state.batches)
    .filter((entry) => isGone(state, entry))
    .sort(bySequence);
  if (gone.length === 0) return unchanged(state);
  const hashes = gone.flatMap(
    ({ own }) => own?.hashes.filter((hash) => hasFingerprint(state.pending, hash)) ?? [],
  );
  const dropped = gone.reduce((at, { digest, own }) => {
    const without = withoutBatch(at, digest);
    return own === undefined ? without : withoutPending(without, own.hashes, own.lengths);
  }, state);
  const { storage, listeners } = state.addresses;
  const told = { type: 'transactions.expired', hashes, height: state.committedHeight };
  return {
    state: { ...dropped, earliestExpiry: earliestOf(dropped) },
    effects: [
      tell(storage, { type: 'batches.released', digests: gone.map(({ digest }) => digest) }),
      ...(hashes.length === 0 ? [] : listeners.map((listener) => tell(listener, told))),
    ],
  };
}

function isGone(state: MempoolState, { expiresAtHeight, own }: BatchEntry): boolean {
  if (state.committedHeight <= expiresAtHeight) return false;
  return own === undefined || state.executedHeight > expiresAtHeight;
}

function earliestOf(state: MempoolState): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const { expiresAtHeight } of valuesOf(state.batches)) earliest = Math.min(earliest, expiresAtHeight);
  return earliest;
}

/** MP-7 lets no block name a batch so long after it was named. */
function forgetNamed(state: MempoolState): MempoolState {
  const from = state.committedHeight - 2 * state.config.batchTtlHeights;
  const kept = state.namedLog.findIndex(({ height }) => height >= from);
  const old = state.namedLog.slice(0, kept < 0 ? state.namedLog.length : kept);
  if (old.length === 0) return state;
  let { named } = state;
  for (const { digests } of old) {
    for (const digest of digests) if (lookup(named, digest) === true) named = withoutEntry(named, digest);
  }
  return { ...state, named, namedLog: state.namedLog.slice(old.length) };
}
