/**
 * Writes what a system learns to segment files while it runs: entries gather for some milliseconds, are packed in one go and written in the
 * background. Each segment begins with all that a replay needs, so that old ones can be deleted. A disk that cannot follow pauses the recording, at
 * a named place, and never the node. Boundary: disk. Rules RP-1, RP-2, RP-3, docs/journal.md.
 */
import type { Journal, JournalEntry, Keyframe } from '../actors/runtime/index.ts';
import { type BlockKind, headOf, MAGIC, type Place } from './blocks.ts';
import { type Closing, packClosing } from './closing.ts';
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
  | { readonly kind: 'paused'; readonly waitingBytes: number }
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

  constructor(options: JournalOptions) {
    this.#options = options;
    this.digestEvery = options.opening.digestEvery;
    this.#packer = new ValuePacker(options.nameOf);
    this.#open();
  }

  record(entry: JournalEntry): void {
    this.#turn = entry.turn;
    if ('wall' in entry) this.#wall = entry.wall;
    if (this.#state !== 'recording') {
      this.#missing += 1;
      return;
    }
    if (this.#gathered.length === 0) this.#place = { turn: this.#turn, at: this.#wall };
    this.#gathered.push(entry);
    this.#gatheredBytes += weightOf(entry);
    if (this.#gathered.length >= GATHERED_MAX || this.#gatheredBytes >= GATHERED_BYTES_MAX) this.#pack();
    this.#timer ??= setTimeout(this.#tick, GATHER_MS);
  }

  status(): JournalStatus {
    return {
      state: this.#state,
      dir: this.#options.dir,
      written: this.#written + (this.#file?.length ?? 0),
      waiting: this.#file?.waiting ?? 0,
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
      this.#pack();
      this.#end('ended');
    }
    if (this.#state !== 'failed') this.#state = 'closed';
    await this.#file?.closed();
  }

  /** Between two turns: where a segment may end and another begin. */
  readonly #tick = (): void => {
    this.#timer = undefined;
    if (this.#state === 'paused') this.#resume();
    if (this.#state !== 'recording') return;
    this.#pack();
    const { limits } = this.#options;
    const length = this.#file?.length ?? 0;
    const age = performance.now() - this.#segmentSince;
    const isDue = length >= limits.segmentBytes || age >= limits.segmentAge;
    if (isDue && age >= this.#keyframe.tookMs * KEYFRAME_SHARE) this.#rotate();
  };

  #pack(): void {
    if (this.#gathered.length === 0) return;
    this.#entries += this.#gathered.length;
    this.#put('entries', packEntries(this.#packer, this.#gathered), this.#place);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    const file = this.#file;
    if (file === undefined || file.waiting <= this.#options.limits.waitingBytesMax) return;
    // RP-2: the disk is too slow. What is written stays whole; what comes is missing, and the journal says from where to where.
    this.#pausedAtTurn = this.#turn;
    this.#options.report({ kind: 'paused', waitingBytes: file.waiting });
    this.#end('paused');
    this.#state = 'paused';
    this.#timer ??= setTimeout(this.#tick, GATHER_MS);
  }

  #rotate(): void {
    this.#end('rotated');
    this.#open();
  }

  #resume(): void {
    if ((this.#file?.waiting ?? 0) > 0) {
      this.#timer = setTimeout(this.#tick, GATHER_MS);
      return;
    }
    this.#state = 'recording';
    this.#open();
    this.#options.report({ kind: 'resumed', missingTurns: this.#turn - this.#pausedAtTurn });
  }

  #end(reason: Closing['reason']): void {
    this.#put('closing', packClosing(this.#packer, { reason, turn: this.#turn, at: this.#wall }));
    this.#file?.end();
  }

  #open(): void {
    this.#written += this.#file?.length ?? 0;
    this.#segment += 1;
    this.#segmentSince = performance.now();
    const { dir, opening, limits, report, writing } = this.#options;
    this.#file = new SegmentFile(segmentPath(dir, opening.run, this.#segment), writing, (detail) =>
      this.#fail(detail),
    );
    this.#file.write([MAGIC]);
    this.#put('opening', packOpening(this.#packer, { ...opening, segment: this.#segment }));
    const keyframe = this.#options.keyframe();
    if (keyframe !== undefined) {
      const begun = performance.now();
      const body = packKeyframe(this.#packer, keyframe);
      this.#keyframe = { bytes: body.byteLength, tookMs: performance.now() - begun };
      this.#put('keyframe', body, { turn: keyframe.turn, at: keyframe.wall });
    }
    void deleteOldSegments(dir, limits, opening.run, this.#segment).then(
      (deleted) => deleted.segments > 0 && report({ kind: 'deleted', ...deleted }),
      (error: unknown) => this.#fail(String(error)),
    );
  }

  #put(kind: BlockKind, body: Uint8Array, place: Place = { turn: this.#turn, at: this.#wall }): void {
    this.#file?.write([headOf(kind, body, place), body]);
  }

  #fail(detail: string): void {
    if (this.#state === 'failed') return;
    this.#state = 'failed';
    this.#gathered = [];
    this.#options.report({ kind: 'failed', detail });
  }
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
