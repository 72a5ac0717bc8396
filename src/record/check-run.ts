/** Reads every block of every segment of a run, each segment by itself, and names all that is not as it was written. Boundary: disk. Rule RP-2. */
import { basename } from 'node:path';
import { type Closing, unpackClosing } from './closing.ts';
import { OpenFiles } from './open-files.ts';
import { type Opening, unpackOpening } from './opening.ts';
import {
  contentOf,
  entriesOf,
  flawAtEnd,
  headAt,
  isFlaw,
  type JournalFlaw,
  keyframeOf,
  ownerOf,
  type PlacedBlock,
  segmentReaders,
} from './run-reader.ts';
import type { SegmentReader } from './segment-reader.ts';

export interface RunCheck {
  /** `node0 2026-11-23T02-48-06Z-3ebea2`; without the node where no opening can be read. */
  readonly run: string;
  readonly bytes: number;
  readonly segments: number;
  readonly entries: number;
  readonly keyframes: number;
  readonly flaws: readonly JournalFlaw[];
}

/** What only a damaged or incomplete journal has; one that was cut or paused is whole as far as it goes. */
export const isDamage = ({ kind }: JournalFlaw): boolean =>
  kind === 'damaged' || kind === 'unreadable' || kind === 'missing' || kind === 'misplaced';

/** @throws Error of the system for a folder that cannot be read */
export function checkRun(dir: string): RunCheck {
  const files = new OpenFiles();
  const check = new Check();
  try {
    const segments = segmentReaders(dir, files);
    const owner = ownerOf(dir, segments);
    for (const { segment, number, next, gap } of segments) {
      check.segment(segment, next === undefined, (opening) => owner.flawOf(opening, segment, number));
      if (gap !== undefined) check.flaws.push(gap);
    }
  } finally {
    files.close();
  }
  const { moniker, bytes, segments, entries, keyframes, flaws } = check;
  const run = moniker === undefined ? basename(dir) : `${moniker} ${basename(dir)}`;
  return { run, bytes, segments, entries, keyframes, flaws };
}

class Check {
  readonly flaws: JournalFlaw[] = [];
  moniker: string | undefined;
  bytes = 0;
  segments = 0;
  entries = 0;
  keyframes = 0;
  #closing: Closing | undefined;
  #hasDamagedClosing = false;
  #misplacedBy: (opening: Opening) => JournalFlaw | undefined = () => undefined;

  segment(
    segment: SegmentReader,
    isLast: boolean,
    misplacedBy: (opening: Opening) => JournalFlaw | undefined,
  ): void {
    this.segments += 1;
    this.bytes += segment.length;
    this.#closing = undefined;
    this.#hasDamagedClosing = false;
    this.#misplacedBy = misplacedBy;
    let next = headAt(segment, 0);
    for (; 'end' in next; next = headAt(segment, next.end)) {
      const flaw = this.#block({ head: next, segment });
      // Heads lead on past a damaged body.
      if (flaw !== undefined) this.flaws.push(flaw);
    }
    // A damaged closing is one all the same.
    if ('status' in next && next.status === 'ended' && this.#hasDamagedClosing) return;
    const flaw = flawAtEnd(segment, next, this.#closing, isLast);
    if (flaw !== undefined) this.flaws.push(flaw);
  }

  #block(block: PlacedBlock): JournalFlaw | undefined {
    switch (block.head.kind) {
      case 'opening':
        return this.#opening(contentOf(block, unpackOpening));
      case 'entries': {
        const read = entriesOf(block);
        if (isFlaw(read)) return read;
        this.entries += read.length;
        return undefined;
      }
      case 'keyframe': {
        const read = keyframeOf(block, () => () => undefined);
        this.keyframes += 1;
        return isFlaw(read) ? read : undefined;
      }
      case 'closing': {
        const read = contentOf(block, unpackClosing);
        if (!isFlaw(read)) {
          this.#closing = read;
          return undefined;
        }
        this.#hasDamagedClosing = true;
        return read;
      }
    }
  }

  #opening(read: Opening | JournalFlaw): JournalFlaw | undefined {
    if (isFlaw(read)) return read;
    const flaw = this.#misplacedBy(read);
    if (flaw === undefined) this.moniker ??= read.node.moniker;
    return flaw;
  }
}
