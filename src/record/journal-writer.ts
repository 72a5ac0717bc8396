/**
 * Writes what a system learns to segment files while it runs: entries gather for some milliseconds, are packed in one go and written in the
 * background. Each segment begins with all that a replay needs, so that old ones can be deleted. A disk that cannot follow pauses the recording, at
 * a named place, and never the node. Boundary: disk. Rules RP-1, RP-2, RP-3, docs/journal.md.
 */
import { mkdirSync } from 'node:fs';
import type { Journal, JournalEntry, Keyframe } from '../actors/runtime/index.ts';
import { type BlockKind, BODY_BYTES_MAX, headOf, MAGIC, type Place } from './blocks.ts';
import { type Closing, packClosing } from './closing.ts';
import { DiskSpace } from './disk-space.ts';
import { packEntries } from './entries.ts';
import { type Opening, packOpening } from './opening.ts';
import { deleteOldSegments, segmentPath } from './run-folder.ts';
import { SegmentFile, type Writing } from './segment-file.ts';
import { packKeyframe, ValuePacker } from './values.ts';

export interface JournalLimits {
  /** A segment that is longer is followed by the next. @unit bytes */
  readonly segmentBytes: number;
  /** Or older. @unit ms */
  readonly segmentAge: number;
  /** All segments of the journal's folder together: the oldest are deleted. @unit bytes */
  readonly bytesMax: number;
  /** Older segments are deleted. @unit ms */
  readonly ageMax: number;
  /** What waits for the disk; beyond it the recording pauses. @unit bytes */
  readonly waitingBytesMax: number;
  /** What the disk must have free; below it the recording pauses. 0: it is not asked. @unit bytes */
  readonly freeBytesMin: number;
}

export interface JournalOptions {
  /** Of all runs of this node; each has a folder in it. */
  readonly dir: string;
  readonly opening: Omit<Opening, 'segment'>;
  readonly nameOf: (work: unknown) => string | undefined;
  readonly limits: JournalLimits;
  readonly writing: Writing;
  /** The system that is recorded, between two turns; undefined before it is there. */
  readonly keyframe: () => Keyframe | undefined;
  /** Told in words, for the log. */
  readonly report: (event: JournalEvent) => void;
}

export type JournalEvent =
  | { readonly kind: 'paused'; readonly because: 'slow' | 'full'; readonly bytes: number }
  | { readonly kind: 'resumed'; readonly missingTurns: number }
  | { readonly kind: 'failed'; readonly detail: string }
  | { readonly kind: 'deleted'; readonly segments: number; readonly bytes: number };

export interface JournalStatus {
  readonly state: 'recording' | 'paused' | 'failed' | 'closed';
  readonly dir: string;
  /** @unit bytes */
  readonly written: number;
  readonly waiting: number;
  readonly entries: number;
  readonly segments: number;
  /** Entries of the pauses, which no segment holds. */
  readonly missing: number;
  /** Of the newest keyframe. */
  readonly keyframe: { readonly bytes: number; readonly tookMs: number };
}

/** Entries wait so long for others. @unit ms @source what a kill loses; a block of a thousand small entries at full load */
const GATHER_MS = 25;
/** @unit entries @source packing fewer at once costs more for each (1.2 µs at 200) */
const GATHERED_MAX = 256;
/** @unit bytes @source two great batches: packed at once they stop the node for a millisecond */
const GATHERED_BYTES_MAX = 1_048_576;
/** Between two looks whether a pause may end. @unit ms */
const PAUSED_MS = 100;
/** Keyframes take no more of the time than one part in so many. @source RP-3: a tenth of what the journal may cost */
const KEYFRAME_SHARE = 100;

export class JournalWriter implements Journal {
  readonly digestEvery: number;
  readonly #options: JournalOptions;
  readonly #packer: ValuePacker;
  #gathered: JournalEntry[] = [];
  #gatheredBytes = 0;
  /** Of the first that is gathered. */
  #place: Place = { turn: 0, at: 0 };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #file: SegmentFile | undefined;
  /** Earlier segments of which the disk has not got all yet. */
  readonly #leaving = new Set<SegmentFile>();
  #segment = 0;
  #segmentSince = 0;
  #turn = 0;
  #wall = 0;
  #state: JournalStatus['state'] = 'recording';
  #written = 0;
  #entries = 0;
  #missing = 0;
  #pausedAtTurn = 0;
  #keyframe = { bytes: 0, tookMs: 0 };
  readonly #space: DiskSpace;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.digestEvery = options.opening.digestEvery;
    this.#packer = new ValuePacker(options.nameOf);
    this.#space = new DiskSpace(folderOf(options.dir), options.limits.freeBytesMin);
    if (!this.#space.isLow) {
      this.#open();
      return;
    }
    // The first segment that there will be begins with a keyframe, so it is not the run's first.
    this.#segment = 1;
    this.#state = 'paused';
    options.report({ kind: 'paused', because: 'full', bytes: this.#space.free });
  }

  record(entry: JournalEntry): void {
    this.#turn = entry.turn;
    if ('wall' in entry) this.#wall = entry.wall;
    if (this.#state !== 'recording') {
      this.#missing += 1;
      if (this.#state === 'paused') this.#timer ??= setTimeout(this.#tick, PAUSED_MS);
      return;
    }
    if (this.#gathered.length === 0) this.#place = { turn: this.#turn, at: this.#wall };
    this.#gathered.push(entry);
    this.#gatheredBytes += weightOf(entry);
    if (this.#gathered.length >= GATHERED_MAX || this.#gatheredBytes >= GATHERED_BYTES_MAX) {
      this.#pack();
      this.#pauseIfSlow();
    }
    this.#timer ??= setTimeout(this.#tick, GATHER_MS);
  }

  status(): JournalStatus {
    return {
      state: this.#state,
      dir: this.#options.dir,
      written: this.#written + (this.#file?.length ?? 0),
      waiting: this.#waiting(),
      entries: this.#entries,
      segments: this.#segment,
      missing: this.#missing,
      keyframe: this.#keyframe,
    };
  }

  /** Writes what is left. @param turn pure turns that have ended */
  async close(turn: number): Promise<void> {
    clearTimeout(this.#timer);
    this.#turn = Math.max(turn, this.#turn);
    if (this.#state === 'recording') {
      // However much it is: it is waited for.
      this.#pack();
      this.#end('ended');
    }
    if (this.#state !== 'failed') this.#state = 'closed';
    await Promise.all([...this.#leaving, this.#file].map((file) => file?.closed()));
  }

  /** Between two turns: where a segment may end and another begin. */
  readonly #tick = (): void => {
    this.#timer = undefined;
    if (this.#state === 'paused') this.#resume();
    this.#pack();
    this.#pauseIfSlow();
    if (this.#state !== 'recording') return;
    this.#space.look(performance.now());
    if (this.#space.isLow) {
      this.#pause({ kind: 'paused', because: 'full', bytes: this.#space.free });
      return;
    }
    const { limits } = this.#options;
    const length = this.#file?.length ?? 0;
    const age = performance.now() - this.#segmentSince;
    const isDue = length >= limits.segmentBytes || age >= limits.segmentAge;
    if (isDue && age >= this.#keyframe.tookMs * KEYFRAME_SHARE) this.#rotate();
  };

  #pack(): void {
    if (this.#gathered.length === 0) return;
    const [gathered, place] = [this.#gathered, this.#place];
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#entries += gathered.length;
    this.#putEntries(gathered, place);
  }

  #pauseIfSlow(): void {
    const waiting = this.#waiting();
    if (this.#state !== 'recording' || waiting <= this.#options.limits.waitingBytesMax) return;
    this.#pause({ kind: 'paused', because: 'slow', bytes: waiting });
  }

  // RP-2: what is written stays whole; what comes is missing, and the journal says from where to where.
  #pause(event: JournalEvent): void {
    this.#pausedAtTurn = this.#turn;
    this.#options.report(event);
    this.#end('paused');
    this.#state = 'paused';
    this.#timer ??= setTimeout(this.#tick, PAUSED_MS);
  }

  /** In as few blocks as hold them. */
  #putEntries(entries: readonly JournalEntry[], place: Place): void {
    let body: Uint8Array;
    try {
      body = packEntries(this.#packer, entries);
    } catch (error) {
      this.#fail(`something came that is no plain data: ${String(error)}`);
      return;
    }
    if (body.byteLength <= BODY_BYTES_MAX) {
      this.#put('entries', body, place);
      return;
    }
    if (entries.length === 1) {
      this.#fail(`an entry of ${body.byteLength} bytes: a block holds ${BODY_BYTES_MAX}`);
      return;
    }
    const half = entries.length >> 1;
    this.#putEntries(entries.slice(0, half), place);
    this.#putEntries(entries.slice(half), place);
  }

  #rotate(): void {
    const keyframe = this.#options.keyframe();
    // Turns may have ended since the last entry, and the keyframe stands behind them.
    if (keyframe !== undefined) this.#turn = keyframe.turn;
    this.#end('rotated');
    this.#open(keyframe);
  }

  #resume(): void {
    this.#space.look(performance.now());
    if (this.#waiting() > 0 || this.#space.isLow) {
      this.#timer = setTimeout(this.#tick, PAUSED_MS);
      return;
    }
    const keyframe = this.#options.keyframe();
    if (keyframe !== undefined) this.#turn = keyframe.turn;
    this.#state = 'recording';
    this.#open(keyframe);
    if (this.status().state === 'failed') return;
    this.#options.report({ kind: 'resumed', missingTurns: this.#turn - this.#pausedAtTurn });
  }

  /** All that the disk has not got yet, of earlier segments too. @unit bytes */
  #waiting(): number {
    let bytes = this.#file?.waiting ?? 0;
    for (const file of this.#leaving) bytes += file.waiting;
    return bytes;
  }

  #end(reason: Closing['reason']): void {
    this.#put('closing', packClosing(this.#packer, { reason, turn: this.#turn, at: this.#wall }));
    const file = this.#file;
    if (file === undefined) return;
    this.#leaving.add(file);
    void file.closed().then(() => this.#leaving.delete(file));
    file.end();
  }

  #open(keyframe?: Keyframe): void {
    this.#written += this.#file?.length ?? 0;
    this.#segment += 1;
    this.#segmentSince = performance.now();
    const { dir, opening, limits, report, writing } = this.#options;
    this.#file = new SegmentFile(segmentPath(dir, opening.run, this.#segment), writing, (detail) =>
      this.#fail(detail),
    );
    this.#file.write([MAGIC]);
    this.#put('opening', packOpening(this.#packer, { ...opening, segment: this.#segment }));
    if (keyframe !== undefined) {
      const begun = performance.now();
      const body = packKeyframe(this.#packer, keyframe);
      this.#keyframe = { bytes: body.byteLength, tookMs: performance.now() - begun };
      if (body.byteLength > BODY_BYTES_MAX)
        this.#fail(`a keyframe of ${body.byteLength} bytes: a block holds ${BODY_BYTES_MAX}`);
      this.#put('keyframe', body, { turn: keyframe.turn, at: keyframe.wall });
    }
    void deleteOldSegments(dir, limits, opening.run, this.#segment).then(
      (deleted) => deleted.segments > 0 && report({ kind: 'deleted', ...deleted }),
      (error: unknown) =>
        this.#fail(
          `old segments cannot be deleted: ${error instanceof Error ? error.message : String(error)}`,
        ),
    );
  }

  #put(kind: BlockKind, body: Uint8Array, place: Place = { turn: this.#turn, at: this.#wall }): void {
    if (this.#state !== 'failed') this.#file?.write([headOf(kind, body, place), body]);
  }

  #fail(detail: string): void {
    if (this.#state === 'failed') return;
    this.#state = 'failed';
    this.#gathered = [];
    this.#file?.end();
    this.#options.report({ kind: 'failed', detail });
  }
}

/** Made here, so that its disk can be asked. */
function folderOf(dir: string): string {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch {
    // The first segment will fail there, and say why.
  }
  return dir;
}

/** About what an entry holds; only great byte strings count. @unit bytes */
function weightOf(entry: JournalEntry): number {
  if (entry.kind !== 'message') return 0;
  let bytes = 0;
  for (const field of Object.values(entry.message)) {
    if (field instanceof Uint8Array) bytes += field.byteLength;
    else if (
      typeof field === 'object' &&
      field !== null &&
      'bytes' in field &&
      field.bytes instanceof Uint8Array
    )
      bytes += field.bytes.byteLength;
  }
  return bytes;
}
