/** The journal of a real node, as its configuration has it. Composes; what happens to the journal goes to the log. Rules RP-1 to RP-3, docs/journal.md. */
import { randomBytes } from 'node:crypto';
import type { WallTime } from '../base/units.ts';
import type { NodeLog } from '../observe/log.ts';
import type { JournalEvent } from '../record/journal-writer.ts';
import { JOURNAL_VERSION } from '../record/opening.ts';
import type { Config } from './config/schema.ts';
import type { Member } from './read-home.ts';
import { Recording } from './recording.ts';
import { thisProgram } from './version.ts';

export type JournalLog = ReturnType<NodeLog['of']>;

interface Circumstances {
  readonly log: JournalLog;
  readonly startedAt: WallTime;
  /** Of the draws of this life. */
  readonly seed: string;
}

/** Undefined where the configuration says that nothing is recorded. */
export function recordingOf(
  { paths, self, epoch: { domain } }: Member,
  { journal, node: { moniker } }: Config,
  { log, startedAt, seed }: Circumstances,
): Recording | undefined {
  if (journal.record === 'off') return undefined;
  return new Recording({
    dir: paths.journal,
    writing: 'background',
    limits: {
      segmentBytes: journal.segmentBytes,
      segmentAge: journal.segmentAgeMs,
      bytesMax: journal.bytesMax,
      ageMax: journal.ageMsMax,
      waitingBytesMax: journal.waitingBytesMax,
      freeBytesMin: journal.freeBytesMin,
    },
    report: (event) => reportJournal(log, event),
    opening: {
      version: JOURNAL_VERSION,
      run: runName(startedAt),
      program: thisProgram(),
      node: { id: self, moniker },
      chain: { id: domain.chainId, genesisHash: domain.genesisHash },
      startedAt,
      seed,
      digestEvery: journal.digestEvery,
      source: { kind: 'node' },
    },
  });
}

/** Sorts by time; two starts within a second differ. */
const runName = (startedAt: WallTime): string =>
  `${new Date(startedAt).toISOString().slice(0, 19).replaceAll(':', '-')}Z-${randomBytes(3).toString('hex')}`;

function reportJournal(log: JournalLog, event: JournalEvent): void {
  switch (event.kind) {
    case 'paused':
      log.warn(
        { bytes: event.bytes },
        event.because === 'slow'
          ? 'the disk is too slow for the journal: recording pauses, the node goes on'
          : 'the disk has too little space for a journal: recording pauses, the node goes on',
      );
      return;
    case 'resumed':
      log.warn(
        { missingTurns: event.missingTurns },
        'the journal goes on: what happened meanwhile is not in it',
      );
      return;
    case 'failed':
      log.error({ detail: event.detail }, 'the journal cannot be written: this run is recorded no further');
      return;
    case 'deleted':
      log.debug({ segments: event.segments, bytes: event.bytes }, 'old segments of the journal deleted');
  }
}
