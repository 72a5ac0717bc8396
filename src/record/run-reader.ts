/**
 * A recorded run: where each block of its segments stands, what is in one, and what is wrong with it: cut, damaged, missing, of another version.
 * Nothing after damage is believed. Boundary: disk. Rule RP-2, docs/journal.md.
 */
import { basename } from 'node:path';
import type { JournalEntry, Keyframe } from '../actors/runtime/index.ts';
import { type BlockHead, type BlocksEnd, MAGIC } from './blocks.ts';
import { type Closing, unpackClosing } from './closing.ts';
import { unpackEntries } from './entries.ts';
import { OpenFiles } from './open-files.ts';
import { type Opening, unpackOpening } from './opening.ts';
import { segmentsOf } from './run-folder.ts';
import { SegmentReader } from './segment-reader.ts';
import { unpackKeyframe } from './values.ts';

/** What is not as it was written. `torn` and `unfinished` are usual: the process was killed. `misplaced`: whole, and of another run, or at another's place. */
export interface JournalFlaw {
  readonly kind: 'torn' | 'unfinished' | 'damaged' | 'unreadable' | 'missing' | 'misplaced' | 'paused';
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

/** Where a replay may begin. */
export interface PlacedKeyframe extends PlacedBlock {
  /** Place of the block that follows it, among the entries of its stretch. */
  readonly first: number;
}

/** Segments that follow each other without a gap: a replay goes through them in one. */
export interface Stretch {
  readonly opening: Opening;
  /** Where it begins; absent in a run's first segment, which begins with an empty system. */
  readonly keyframe?: PlacedKeyframe;
  /** Keyframes of its later segments. */
  readonly keyframes: readonly PlacedKeyframe[];
  readonly entries: readonly PlacedBlock[];
  readonly closing?: Closing;
}

interface GrowingStretch {
  readonly opening: Opening;
  readonly keyframe?: PlacedKeyframe;
  readonly keyframes: PlacedKeyframe[];
  readonly entries: PlacedBlock[];
  closing?: Closing;
}

/** Thrown for a folder that is no run, or one that this program cannot read at all. The message is for the user. */
export class RunUnreadable extends Error {
  override readonly name = 'RunUnreadable';
  readonly flaws: readonly JournalFlaw[];
  constructor(message: string, flaws: readonly JournalFlaw[] = []) {
    super(message);
    this.flaws = flaws;
  }
}

export class RunReader {
  readonly dir: string;
  readonly opening: Opening;
  readonly stretches: readonly Stretch[];
  readonly flaws: readonly JournalFlaw[];
  /** @unit bytes */
  readonly bytes: number;
  readonly #files = new OpenFiles();
  /** Where each segment begins in the run. @unit bytes */
  readonly #begins = new Map<SegmentReader, number>();
  #endsAt: number | undefined;

  /** Reads heads alone. @throws RunUnreadable, or Error of the system */
  constructor(dir: string) {
    this.dir = dir;
    const segments = segmentReaders(dir, this.#files);
    if (segments.length === 0)
      throw new RunUnreadable(`${dir} holds no segment of a journal (000001.journal, …)`);
    const scan = new Scan();
    try {
      const owner = ownerOf(dir, segments);
      for (const { segment, number, next, gap } of segments) {
        scan.segment(segment, next === undefined, (opening) => owner.flawOf(opening, segment, number));
        if (gap !== undefined) scan.gap(gap);
      }
    } catch (error) {
      this.#files.close();
      throw error;
    }
    this.stretches = scan.stretches;
    this.flaws = scan.flaws;
    let bytes = 0;
    for (const { segment } of segments) {
      this.#begins.set(segment, bytes);
      bytes += segment.length;
    }
    this.bytes = bytes;
    const opening = scan.stretches[0]?.opening;
    if (opening === undefined) {
      this.#files.close();
      const [flaw] = scan.flaws;
      throw new RunUnreadable(
        `${flaw?.path ?? dir}, byte ${flaw?.offset ?? 0}: ${flaw?.detail ?? 'no opening'}`,
        scan.flaws,
      );
    }
    this.opening = opening;
  }

  /** Of the run, before this block of it. @unit bytes */
  bytesBefore({ segment, head }: PlacedBlock): number {
    return (this.#begins.get(segment) ?? 0) + head.offset;
  }

  /** Where a replay can begin. @unit ms since 1970 */
  get beginsAt(): number {
    return this.stretches[0]?.keyframe?.head.at ?? this.opening.startedAt;
  }

  /** Of the latest that it tells: clocks are set back at times. @unit ms since 1970 */
  get endsAt(): number {
    this.#endsAt ??= latestOf(this.stretches, this.beginsAt);
    return this.#endsAt;
  }

  /** Turn of the last block before the first that is later. Clocks are set back at times: what counts is the order of the journal. @param at ms since 1970 */
  turnAt(at: number): number {
    let turn = 0;
    for (const { keyframe, entries } of this.stretches) {
      if (keyframe !== undefined) {
        if (keyframe.head.at > at) return turn;
        turn = keyframe.head.turn;
      }
      for (const { head } of entries) {
        if (head.at > at) return turn;
        turn = head.turn;
      }
    }
    return turn;
  }

  close(): void {
    this.#files.close();
  }
}

function latestOf(stretches: readonly Stretch[], from: number): number {
  let latest = from;
  for (const { entries, closing } of stretches) {
    for (const { head } of entries) latest = Math.max(latest, head.at);
    if (closing !== undefined) latest = Math.max(latest, closing.at);
  }
  // A block's head has the time of its first entry.
  const last = stretches.at(-1)?.entries.at(-1);
  const read = last === undefined ? [] : entriesOf(last);
  if (isFlaw(read)) return latest;
  return read.reduce((sum, entry) => ('wall' in entry ? Math.max(sum, entry.wall) : sum), latest);
}

/** A segment of a run, in order. */
export interface NumberedSegment {
  readonly segment: SegmentReader;
  readonly number: number;
  /** Number of the next one that is there. */
  readonly next: number | undefined;
  /** Others should stand between them. */
  readonly gap: JournalFlaw | undefined;
}

/** Deleted meanwhile, or a link that leads nowhere. */
const GONE: ReadonlySet<unknown> = new Set(['ENOENT', 'ELOOP']);

/** All segments of a folder. One that is deleted meanwhile is not there. @throws Error of the system */
export function segmentReaders(dir: string, files: OpenFiles): readonly NumberedSegment[] {
  const there = segmentsOf(dir).flatMap(({ path, number }) => {
    try {
      return [{ segment: new SegmentReader(path, files), number }];
    } catch (error) {
      if (error instanceof Error && 'code' in error && GONE.has(error.code)) return [];
      throw error;
    }
  });
  return there.map(({ segment, number }, place) => {
    const next = there[place + 1]?.number;
    const gap = next === undefined || next === number + 1 ? undefined : missing(dir, number + 1, next - 1);
    return { segment, number, next, gap };
  });
}

function missing(path: string, from: number, to: number): JournalFlaw {
  const detail = from === to ? `segment ${from} is missing` : `segments ${from} to ${to} are missing`;
  return { kind: 'missing', path, offset: 0, detail };
}

/** The run that the segments of a folder are of. */
interface Owner {
  /** Why a segment is none of it. */
  readonly flawOf: (opening: Opening, segment: SegmentReader, number: number) => JournalFlaw | undefined;
}

/** That of the first one; of the last, where the folder has its name and not the first's. */
export function ownerOf(dir: string, segments: readonly NumberedSegment[]): Owner {
  const [first, last] = [segments[0], segments.at(-1)].map((one) =>
    one === undefined ? undefined : openingOf(one.segment),
  );
  const isLasts = last?.run === basename(dir) && first?.run !== last.run;
  const owner = isLasts ? last : (first ?? last);
  return {
    flawOf(opening, { path }, number) {
      const isOwn = owner === undefined || identityOf(opening) === identityOf(owner);
      if (isOwn && opening.segment === number) return undefined;
      const { segment, run, node } = opening;
      const of = owner === undefined || isOwn ? '' : ` of ${owner.run} of ${owner.node.moniker}`;
      const detail = `it is segment ${segment} of ${run} of ${node.moniker}, and lies where segment ${number}${of} was`;
      return { kind: 'misplaced', path, offset: MAGIC.byteLength, detail };
    },
  };
}

const identityOf = ({ run, node, chain, startedAt }: Opening): string =>
  JSON.stringify([run, node.id, node.moniker, chain.genesisHash, startedAt]);

/** Undefined when it cannot be read, which whoever reads on will tell. */
function openingOf(segment: SegmentReader): Opening | undefined {
  const head = headAt(segment, 0);
  if (!('end' in head) || head.kind !== 'opening') return undefined;
  const opening = contentOf({ head, segment }, unpackOpening);
  return isFlaw(opening) ? undefined : opening;
}

/** The entries of a block, or why they cannot be had. */
export const entriesOf = (block: PlacedBlock): readonly JournalEntry[] | JournalFlaw =>
  contentOf(block, unpackEntries);

/** The keyframe of a block, whose functions `functionOf` has. */
export const keyframeOf = (
  block: PlacedBlock,
  functionOf: (name: string) => unknown,
): Keyframe | JournalFlaw => contentOf(block, (body) => unpackKeyframe(body, functionOf));

/** What a block holds by `read`, or why it cannot be had. */
export function contentOf<Content>(
  { head, segment }: PlacedBlock,
  read: (body: Uint8Array) => Content,
): Content | JournalFlaw {
  try {
    const block = segment.block(head);
    return 'status' in block ? flawOf(segment.path, block) : read(block.body);
  } catch (error) {
    return { kind: 'unreadable', path: segment.path, offset: head.offset, detail: wordsOf(error) };
  }
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const isFlaw = (value: object): value is JournalFlaw => 'detail' in value && 'offset' in value;

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

/** Finds what is where. Each segment can be read alone: what is wrong with one takes nothing from the next. */
class Scan {
  readonly stretches: GrowingStretch[] = [];
  readonly flaws: JournalFlaw[] = [];
  /** The next segment goes on where this one ended. */
  #isContinued = false;

  segment(
    segment: SegmentReader,
    isLast: boolean,
    misplacedBy: (opening: Opening) => JournalFlaw | undefined,
  ): void {
    const walk = walkSegment(segment, isLast);
    const { opening, closing, keyframe, entries, flaw } = walk;
    const misplaced = opening === undefined ? undefined : misplacedBy(opening);
    if (misplaced !== undefined) {
      this.gap(misplaced);
      return;
    }
    if (opening !== undefined) {
      const stretch = this.#stretch(opening, keyframe);
      for (const block of entries) stretch?.entries.push(block);
      if (stretch !== undefined && closing !== undefined) stretch.closing = closing;
    }
    if (flaw !== undefined) this.flaws.push(flaw);
    this.#isContinued = closing?.reason === 'rotated';
  }

  gap(flaw: JournalFlaw): void {
    this.#isContinued = false;
    this.flaws.push(flaw);
  }

  /** The one that a segment belongs to; undefined when nothing can begin there. */
  #stretch(opening: Opening, keyframe: PlacedBlock | undefined): GrowingStretch | undefined {
    const present = this.stretches.at(-1);
    if (this.#isContinued && present !== undefined) {
      if (keyframe !== undefined) present.keyframes.push({ ...keyframe, first: present.entries.length });
      return present;
    }
    const isReplayable = opening.redacted !== true;
    if (isReplayable && keyframe === undefined && opening.segment !== 1) return undefined;
    const first = keyframe === undefined ? {} : { keyframe: { ...keyframe, first: 0 } };
    const begun: GrowingStretch = { opening, keyframes: [], entries: [], ...first };
    this.stretches.push(begun);
    return begun;
  }
}

interface Walk {
  readonly opening?: Opening;
  readonly keyframe?: PlacedBlock;
  readonly entries: readonly PlacedBlock[];
  readonly closing?: Closing;
  readonly flaw?: JournalFlaw;
}

/** From a segment's first block to its last, by their heads. */
function walkSegment(segment: SegmentReader, isLast: boolean): Walk {
  const entries: PlacedBlock[] = [];
  let walk: Walk = { entries };
  let next = headAt(segment, 0);
  for (; 'end' in next; next = headAt(segment, next.end)) {
    const placed = { head: next, segment };
    if (next.kind === 'entries') entries.push(placed);
    else if (next.kind === 'keyframe') walk = { ...walk, keyframe: placed };
    else if (next.kind === 'opening') {
      const opening = contentOf(placed, unpackOpening);
      if (isFlaw(opening)) return { ...walk, flaw: opening };
      walk = { ...walk, opening };
    } else {
      const closing = contentOf(placed, unpackClosing);
      if (isFlaw(closing)) return { ...walk, flaw: closing };
      walk = { ...walk, closing };
    }
  }
  const flaw = flawAtEnd(segment, next, walk.closing, isLast);
  return flaw === undefined ? walk : { ...walk, flaw };
}

/** What the head at `offset` says, or why it cannot be had. */
export function headAt(segment: SegmentReader, offset: number): BlockHead | BlocksEnd | JournalFlaw {
  try {
    return segment.head(offset);
  } catch (error) {
    return { kind: 'unreadable', path: segment.path, offset, detail: wordsOf(error) };
  }
}

/** Of a segment whose blocks were read up to `end`. */
export function flawAtEnd(
  { path }: SegmentReader,
  end: BlocksEnd | JournalFlaw,
  closing: Closing | undefined,
  isLast: boolean,
): JournalFlaw | undefined {
  if ('kind' in end) return end;
  if (end.status !== 'ended' || closing === undefined) return flawOf(path, end);
  const { offset } = end;
  if (closing.reason === 'paused') {
    const detail = `the disk was too slow or too full: nothing was recorded from turn ${closing.turn} until the next segment`;
    return { kind: 'paused', path, offset, detail };
  }
  if (closing.reason === 'rotated' && isLast) {
    const detail = 'it says that another segment follows, which is not there';
    return { kind: 'missing', path, offset, detail };
  }
  return undefined;
}
