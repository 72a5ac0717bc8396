/**
 * A recorded run: where each block of its segments stands, what is in one, and what is wrong with it: cut, damaged, missing, of another version.
 * Nothing after damage is believed. Boundary: disk. Rule RP-2, docs/journal.md.
 */
import type { JournalEntry, Keyframe } from '../actors/runtime/index.ts';
import type { Block, BlockHead, BlocksEnd } from './blocks.ts';
import { type Closing, unpackClosing } from './closing.ts';
import { unpackEntries } from './entries.ts';
import { type Opening, unpackOpening } from './opening.ts';
import { segmentsOf } from './run-folder.ts';
import { SegmentReader } from './segment-reader.ts';
import { unpackKeyframe } from './values.ts';

/** What is not as it was written. `torn` and `unfinished` are usual: the process was killed. */
export interface JournalFlaw {
  readonly kind: 'torn' | 'unfinished' | 'damaged' | 'unreadable' | 'missing' | 'paused';
  readonly path: string;
  /** Of the block. @unit bytes from the start of the file */
  readonly offset: number;
  readonly detail: string;
}

/** A block with the file that it is in. */
export interface PlacedBlock {
  readonly head: BlockHead;
  readonly segment: SegmentReader;
}

/** Segments that follow each other without a gap: a replay goes through them in one. */
export interface Stretch {
  readonly opening: Opening;
  /** Where it begins; absent in a run's first segment, which begins with an empty system. */
  readonly keyframe?: PlacedBlock;
  /** Keyframes of its later segments. */
  readonly keyframes: readonly PlacedBlock[];
  readonly entries: readonly PlacedBlock[];
  readonly closing?: Closing;
}

interface GrowingStretch {
  readonly opening: Opening;
  readonly keyframe?: PlacedBlock;
  readonly keyframes: PlacedBlock[];
  readonly entries: PlacedBlock[];
  closing?: Closing;
}

/** Thrown for a folder that is no run, or one that this program cannot read at all. The message is for the user. */
export class RunUnreadable extends Error {
  override readonly name = 'RunUnreadable';
}

export class RunReader {
  readonly dir: string;
  readonly opening: Opening;
  readonly stretches: readonly Stretch[];
  readonly flaws: readonly JournalFlaw[];
  /** @unit bytes */
  readonly bytes: number;
  readonly #segments: readonly SegmentReader[];

  /** Reads heads alone. @throws RunUnreadable, or Error of the system */
  constructor(dir: string) {
    this.dir = dir;
    const infos = segmentsOf(dir);
    if (infos.length === 0)
      throw new RunUnreadable(`${dir} holds no segment of a journal (000001.journal, …)`);
    const scan = new Scan();
    this.#segments = infos.map(({ path }) => new SegmentReader(path));
    for (const [place, segment] of this.#segments.entries()) {
      const [number, next] = [infos[place]?.number ?? 0, infos[place + 1]?.number];
      if (!scan.segment(segment, next === undefined)) break;
      if (next !== undefined && next !== number + 1) scan.gap(dir, number + 1, next - 1);
    }
    this.stretches = scan.stretches;
    this.flaws = scan.flaws;
    this.bytes = this.#segments.reduce((sum, { length }) => sum + length, 0);
    const opening = scan.stretches[0]?.opening;
    if (opening === undefined) {
      const [flaw] = scan.flaws;
      throw new RunUnreadable(
        `${flaw?.path ?? dir}, byte ${flaw?.offset ?? 0}: ${flaw?.detail ?? 'no opening'}`,
      );
    }
    this.opening = opening;
  }

  /** Where a replay can begin. @unit ms since 1970 */
  get beginsAt(): number {
    return this.stretches[0]?.keyframe?.head.at ?? this.opening.startedAt;
  }

  /** Of the last that it tells. @unit ms since 1970 */
  get endsAt(): number {
    const last = this.stretches.at(-1);
    return last?.closing?.at ?? last?.entries.at(-1)?.head.at ?? this.beginsAt;
  }

  close(): void {
    for (const segment of this.#segments) segment.close();
  }
}

/** The entries of a block, or why they cannot be had. */
export function entriesOf({ head, segment }: PlacedBlock): readonly JournalEntry[] | JournalFlaw {
  return contentOf(segment, head, (body) => unpackEntries(body));
}

/** The keyframe of a block, whose functions `functionOf` has. */
export function keyframeOf(
  { head, segment }: PlacedBlock,
  functionOf: (name: string) => unknown,
): Keyframe | JournalFlaw {
  return contentOf(segment, head, (body) => unpackKeyframe(body, functionOf));
}

export const isFlaw = (value: object): value is JournalFlaw => 'detail' in value && 'offset' in value;

function contentOf<Content>(
  segment: SegmentReader,
  head: BlockHead,
  read: (body: Uint8Array) => Content,
): Content | JournalFlaw {
  const block = segment.block(head);
  if ('status' in block) return flawOf(segment.path, block);
  try {
    return read(block.body);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { kind: 'unreadable', path: segment.path, offset: head.offset, detail };
  }
}

function flawOf(path: string, end: BlocksEnd): JournalFlaw {
  const { offset } = end;
  if (end.status === 'damaged') return { kind: 'damaged', path, offset, detail: end.detail };
  if (end.status === 'torn') {
    const detail = `it ends in the middle of a block: ${end.bytes} bytes of it are there`;
    return { kind: 'torn', path, offset, detail };
  }
  const detail = 'it ends without a closing: the process was killed, or still runs';
  return { kind: 'unfinished', path, offset, detail };
}

class Scan {
  readonly stretches: GrowingStretch[] = [];
  readonly flaws: JournalFlaw[] = [];
  /** The next segment goes on where this one ended. */
  #isContinued = false;

  /** @returns whether what follows may be read */
  segment(segment: SegmentReader, isLast: boolean): boolean {
    let closing: Closing | undefined;
    let opening: Opening | undefined;
    let stretch: GrowingStretch | undefined;
    let next = segment.head(0);
    for (; 'kind' in next; next = segment.head(next.end)) {
      const placed = { head: next, segment };
      if (next.kind === 'opening') {
        const read = contentOf(segment, next, unpackOpening);
        if (isFlaw(read)) return this.#flaw(read);
        opening = read;
        if (this.#isContinued || opening.segment === 1) stretch = this.#begin(opening);
      } else if (next.kind === 'keyframe') {
        if (opening === undefined) break;
        if (this.#isContinued) stretch?.keyframes.push(placed);
        else stretch = this.#begin(opening, placed);
      } else if (next.kind === 'entries') stretch?.entries.push(placed);
      else {
        const read = contentOf(segment, next, unpackClosing);
        if (isFlaw(read)) return this.#flaw(read);
        closing = read;
      }
    }
    if (stretch !== undefined && closing !== undefined) stretch.closing = closing;
    this.#isContinued = closing?.reason === 'rotated';
    return this.#ended(segment, next, closing, isLast);
  }

  gap(path: string, from: number, to: number): void {
    this.#isContinued = false;
    const detail = from === to ? `segment ${from} is missing` : `segments ${from} to ${to} are missing`;
    this.flaws.push({ kind: 'missing', path, offset: 0, detail });
  }

  #begin(opening: Opening, keyframe?: PlacedBlock): GrowingStretch {
    const present = this.stretches.at(-1);
    if (this.#isContinued && present !== undefined) return present;
    const begun: GrowingStretch = {
      opening,
      keyframes: [],
      entries: [],
      ...(keyframe === undefined ? {} : { keyframe }),
    };
    this.stretches.push(begun);
    return begun;
  }

  #ended(
    segment: SegmentReader,
    end: Exclude<ReturnType<SegmentReader['head']>, Block>,
    closing: Closing | undefined,
    isLast: boolean,
  ): boolean {
    const { path } = segment;
    if (!('status' in end)) {
      const detail = 'a keyframe comes before the opening';
      return this.#flaw({ kind: 'unreadable', path, offset: end.offset, detail });
    }
    if (end.status !== 'ended' || closing === undefined) return this.#flaw(flawOf(path, end)) || !isLast;
    if (closing.reason === 'paused') {
      const detail = `the disk was too slow: nothing was recorded from turn ${closing.turn} until the next segment`;
      this.flaws.push({ kind: 'paused', path, offset: end.offset, detail });
    }
    return true;
  }

  #flaw(flaw: JournalFlaw): boolean {
    this.flaws.push(flaw);
    return flaw.kind === 'torn' || flaw.kind === 'unfinished';
  }
}
