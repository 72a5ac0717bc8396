/**
 * One node's recorded run, played: the same cells, fed what the journal says, to any turn of it, forwards and back. Deterministic; reads the
 * disk through its `RunReader`. Rules RP-4, RP-5, RT-15, docs/journal.md.
 */
import {
  type Divergence,
  type Inspector,
  type JournalEntry,
  type Keyframe,
  Outside,
  type PureFunctions,
  type Rebuilt,
  type Replay,
  rebuilt,
  replay,
  type System,
  seededRandom,
} from '../actors/runtime/index.ts';
import {
  entriesOf,
  isFlaw,
  type JournalFlaw,
  keyframeOf,
  type PlacedBlock,
  type RunReader,
  type Stretch,
} from '../record/run-reader.ts';
import { packKeyframe, unpackKeyframe, ValuePacker } from '../record/values.ts';
import { type Charts, checkCharts } from './charts.ts';
import { differenceOf } from './keyframes.ts';
import { type Waypoint, Waypoints } from './waypoints.ts';

export interface PlayerOptions {
  readonly charts: Charts;
  readonly pure: PureFunctions;
  /** Keyframes are kept on the way, for going back. Without, a seek goes back to one of the journal's. */
  readonly keepsWaypoints?: boolean;
  /** Watches each system that the player makes. */
  readonly inspector?: Inspector;
}

/** Where a player stands: the entry that is fed next. */
interface Cursor {
  readonly stretch: number;
  readonly block: number;
  readonly entry: number;
}

/** Where a replay may begin. */
interface Start extends Omit<Waypoint<Cursor>, 'bytes'> {
  readonly keyframe: ((functionOf: (name: string) => unknown) => Keyframe | JournalFlaw) | undefined;
}

export class Player {
  readonly run: RunReader;
  readonly #options: PlayerOptions;
  readonly #waypoints = new Waypoints<Cursor>();
  #rebuilt: Rebuilt;
  #packer: ValuePacker;
  #replay: Replay;
  #stretch = 0;
  #block = 0;
  #entry = 0;
  /** Of the present block; undefined before it is read. */
  #entries: readonly JournalEntry[] | undefined;
  #flaw: JournalFlaw | undefined;
  #at = 0;
  #seq = 0;
  /** Turns that the entries fed so far speak of. */
  #known = 0;

  /** At the beginning of the run. @throws ChartsDiffer; Error naming what this program has not got */
  constructor(run: RunReader, options: PlayerOptions) {
    this.run = run;
    this.#options = options;
    checkCharts(run.opening.blueprints, options.charts);
    // Each is made anew by `#begin`.
    this.#rebuilt = { roots: [], functionOf: () => () => undefined, nameOf: () => undefined };
    this.#packer = new ValuePacker(() => undefined);
    this.#replay = this.#begin(this.#first());
  }

  /** The one of the present instant: another after each `seek`. */
  get system(): System {
    return this.#replay.system;
  }

  /** Pure turns that have ended. */
  get turn(): number {
    return this.#replay.turn();
  }

  /** Of the newest input. @unit ms since 1970 */
  get at(): number {
    return this.#at;
  }

  /** Number of the newest input. */
  get seq(): number {
    return this.#seq;
  }

  divergence(): Divergence | undefined {
    return this.#replay.divergence();
  }

  /** What stopped the journal before its end. */
  flaw(): JournalFlaw | undefined {
    return this.#flaw;
  }

  /** What is fed next, and where the journal has it; undefined at the end of a stretch. */
  next(): { readonly entry: JournalEntry; readonly path: string; readonly offset: number } | undefined {
    const entry = this.#peek();
    const block = this.#placed();
    if (entry === undefined || block === undefined) return undefined;
    return { entry, path: block.segment.path, offset: block.head.offset };
  }

  /** Runs until so many turns have ended, or the journal has. Where it has a gap the player jumps. */
  advance(turn: number): void {
    while (this.turn < turn) {
      const entry = this.#peek();
      if (entry === undefined) {
        if (!this.#crossGap(turn)) return;
      } else if (entry.turn < turn) this.#feed(entry);
      else {
        this.#replay.runTo(turn);
        return;
      }
    }
  }

  /** Runs one turn more. False at the end. */
  step(): boolean {
    const before = this.turn;
    this.advance(before + 1);
    return this.turn !== before;
  }

  /** Plays the journal to its end. */
  finish(): void {
    this.advance(Number.POSITIVE_INFINITY);
  }

  /** Goes to a keyframe of a stretch: its first is 0, which is the empty system in the run's first segment. */
  begin(stretch: number, keyframe: number): void {
    const present = this.run.stretches[stretch];
    const block = keyframe === 0 ? present?.keyframe : present?.keyframes[keyframe - 1];
    this.#replay = this.#begin(
      block === undefined ? this.#first() : this.#startOf(stretch, this.#firstBehind(block, present), block),
    );
  }

  /** Plays to where a gap or the end of the run comes. */
  finishStretch(): void {
    for (let entry = this.#peek(); entry !== undefined; entry = this.#peek()) this.#feed(entry);
    this.#replay.runTo(this.#present()?.closing?.turn ?? this.#known);
  }

  /**
   * Plays all that the journal has before one of its keyframes of this stretch, and compares: what the cells have become with what they were.
   * @returns what differs, in words
   */
  playTo(keyframe: PlacedBlock): string | undefined {
    const first = this.#firstBehind(keyframe, this.#present());
    for (let entry = this.#peek(); entry !== undefined && this.#block < first; entry = this.#peek())
      this.#feed(entry);
    const recorded = keyframeOf(keyframe, this.#rebuilt.functionOf);
    if (isFlaw(recorded)) {
      this.#flaw = recorded;
      return undefined;
    }
    this.#replay.runTo(recorded.turn);
    return this.divergence() === undefined ? differenceOf(recorded, this.system.keyframe()) : undefined;
  }

  /** Goes to where so many turns have ended, from the nearest keyframe. */
  seek(turn: number): void {
    const start = this.#nearest(turn);
    if (turn < this.turn || start.turn > this.turn) this.#replay = this.#begin(start);
    this.advance(turn);
  }

  /** Goes to the last input that had come at that time. @param at ms since 1970 */
  seekTime(at: number): void {
    const blocks = this.run.stretches.flatMap(({ entries }) => entries);
    this.seek(blocks.findLast(({ head }) => head.at <= at)?.head.turn ?? 0);
    this.advanceTime(at);
  }

  /** Feeds all inputs that had come by then, and runs the turns that followed them. @param at ms since 1970 */
  advanceTime(at: number): void {
    for (let entry = this.#peek(); ; entry = this.#peek()) {
      if (entry === undefined) {
        const later = this.run.stretches[this.#stretch + 1]?.keyframe?.head;
        if (!this.#crossGap(later !== undefined && later.at <= at ? Number.POSITIVE_INFINITY : this.#known))
          return;
      } else if ('wall' in entry && entry.wall > at) {
        this.#replay.runTo(entry.turn);
        return;
      } else this.#feed(entry);
    }
  }

  #feed(entry: JournalEntry): void {
    this.#replay.feed(entry);
    this.#entry += 1;
    const isInput = 'seq' in entry;
    this.#known = Math.max(this.#known, isInput ? entry.turn : entry.turn + 1);
    if (!isInput) return;
    this.#at = entry.wall;
    this.#seq = entry.seq;
    // Right behind an input: what was fed has run, but for what that input began.
    if (this.#options.keepsWaypoints === true && this.#waypoints.isWanted(this.turn)) {
      const bytes = packKeyframe(this.#packer, this.system.keyframe());
      const cursor = { stretch: this.#stretch, block: this.#block, entry: this.#entry };
      this.#waypoints.add({ turn: this.turn, at: this.#at, seq: this.#seq, cursor, bytes });
    }
  }

  /** The entry that is fed next; undefined at the end of the stretch, or where the journal is damaged. */
  #peek(): JournalEntry | undefined {
    for (;;) {
      if (this.#flaw !== undefined) return undefined;
      this.#entries ??= this.#read();
      const entry = this.#entries?.[this.#entry];
      if (entry !== undefined || this.#entries === undefined) return entry;
      this.#block += 1;
      this.#entry = 0;
      this.#entries = undefined;
    }
  }

  #placed(): PlacedBlock | undefined {
    return this.#present()?.entries[this.#block];
  }

  #present(): Stretch | undefined {
    return this.run.stretches[this.#stretch];
  }

  #read(): readonly JournalEntry[] | undefined {
    const block = this.#placed();
    if (block === undefined) return undefined;
    const read = entriesOf(block);
    if (!isFlaw(read)) return read;
    this.#flaw = read;
    return undefined;
  }

  /** The stretch has ended: what is left of it runs. True when another follows, which the player is at then. */
  #crossGap(turn: number): boolean {
    this.#replay.runTo(Math.min(turn, this.#present()?.closing?.turn ?? this.#known));
    const next = this.run.stretches[this.#stretch + 1];
    if (this.turn >= turn || this.#flaw !== undefined || next?.keyframe === undefined) return false;
    if (this.#replay.divergence() !== undefined) return false;
    this.#replay = this.#begin(this.#startOf(this.#stretch + 1, 0, next.keyframe));
    return true;
  }

  #nearest(turn: number): Start {
    const starts: Start[] = this.run.stretches.flatMap((stretch, index) => {
      const all =
        stretch.keyframe === undefined ? stretch.keyframes : [stretch.keyframe, ...stretch.keyframes];
      return all.map((block) => {
        return this.#startOf(index, this.#firstBehind(block, stretch), block);
      });
    });
    const kept = this.#waypoints.before(turn);
    if (kept !== undefined) {
      starts.push({ ...kept, keyframe: (functionOf) => unpackKeyframe(kept.bytes, functionOf) });
    }
    const before = starts.filter((start) => start.turn <= turn);
    return before.reduce((best, start) => (start.turn >= best.turn ? start : best), this.#first());
  }

  /** Place of the first entries that came after a keyframe. */
  #firstBehind({ head, segment }: PlacedBlock, stretch: Stretch | undefined): number {
    const entries = stretch?.entries ?? [];
    const first = entries.findIndex((block) => block.segment === segment && block.head.offset > head.offset);
    return first === -1 ? entries.length : first;
  }

  #startOf(stretch: number, block: number, keyframe: PlacedBlock): Start {
    const { turn, at } = keyframe.head;
    return {
      ...{ turn, at, seq: 0, cursor: { stretch, block, entry: 0 } },
      keyframe: (functionOf) => keyframeOf(keyframe, functionOf),
    };
  }

  #first(): Start {
    const [stretch] = this.run.stretches;
    if (stretch?.keyframe !== undefined) return this.#startOf(0, 0, stretch.keyframe);
    const at = stretch?.opening.startedAt ?? 0;
    return { turn: 0, at, seq: 0, cursor: { stretch: 0, block: 0, entry: 0 }, keyframe: undefined };
  }

  #begin({ turn, at, seq, cursor, keyframe }: Start): Replay {
    const { charts, pure, inspector } = this.#options;
    const { opening } = this.run;
    const outside = new Outside();
    this.#rebuilt = rebuilt(opening.blueprints, { outside, pure, charts });
    this.#packer = new ValuePacker(this.#rebuilt.nameOf);
    const from = keyframe?.(this.#rebuilt.functionOf);
    if (from !== undefined && isFlaw(from)) {
      this.#flaw = from;
    } else this.#flaw = undefined;
    this.#stretch = cursor.stretch;
    this.#block = cursor.block;
    this.#entry = cursor.entry;
    this.#entries = undefined;
    this.#at = at;
    this.#seq = seq;
    this.#known = turn;
    return replay({
      name: opening.node.moniker,
      random: seededRandom(opening.seed),
      roots: this.#rebuilt.roots,
      digestEvery: opening.digestEvery,
      outside,
      ...(from === undefined || isFlaw(from) ? {} : { from }),
      ...(inspector === undefined ? {} : { inspector }),
    });
  }
}
