/**
 * One node's recorded run, played: the same cells, fed what the journal says, to any turn of it, forwards and back. Deterministic; reads the
 * disk through its `RunReader`. Rules RP-4, RP-5, RT-15, docs/journal.md.
 */
import {
  type Divergence,
  type Inspector,
  type JournalEntry,
  Outside,
  type PureFunctions,
  type Rebuilt,
  type Replay,
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
  type PlacedKeyframe,
  type RunReader,
  type Stretch,
} from '../record/run-reader.ts';
import { packKeyframe, unpackKeyframe, ValuePacker } from '../record/values.ts';
import { builtFrom, type Charts, checkCharts, NotReplayable, wordsOf } from './charts.ts';
import { differenceOf } from './keyframes.ts';
import { keyframesOf, type Start, startOf } from './start.ts';
import { BYTES_PER_TURN, type WaypointsByRun } from './waypoints.ts';

export interface PlayerOptions {
  readonly charts: Charts;
  readonly pure: PureFunctions;
  /** Where keyframes are kept on the way, for going back. Without, a seek goes back to one of the journal's. */
  readonly waypoints?: WaypointsByRun;
  /** What an entry stands for, where a journal cannot hold it. */
  readonly meaning?: (entry: JournalEntry) => JournalEntry;
  /** Watches each system that the player makes. */
  readonly inspector?: Inspector;
}

/** The program that a run is replayed by. */
export type ReplayedBy = Pick<PlayerOptions, 'charts' | 'pure' | 'meaning'>;

export class Player {
  readonly run: RunReader;
  readonly #options: PlayerOptions;
  #rebuilt: Rebuilt;
  #packer: ValuePacker;
  #replay: Replay;
  #stretch = 0;
  #block = 0;
  #entry = 0;
  /** Of the present block; undefined before it is read. */
  #entries: readonly JournalEntry[] | undefined;
  /** What ends the present stretch before its end. */
  #flaw: JournalFlaw | undefined;
  readonly #flaws: JournalFlaw[] = [];
  #at = 0;
  #seq = 0;
  /** Turns that the entries fed so far speak of. */
  #known = 0;
  /** Turn of the newest input. */
  #fed = -1;
  /** Whether a keyframe can be read, once it was tried. */
  readonly #usable = new Map<PlacedKeyframe, boolean>();

  /** At the beginning of the run. @throws ChartsDiffer; Error naming what this program has not got */
  constructor(run: RunReader, options: PlayerOptions) {
    this.run = run;
    this.#options = options;
    if (run.opening.redacted === true)
      throw new NotReplayable(
        `${run.dir} is redacted: it says what happened, and has not got what cells decided about`,
      );
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

  /** Damage that was met so far, and gone around where there is a keyframe behind it. */
  flaws(): readonly JournalFlaw[] {
    return this.#flaws;
  }

  /** What is fed next, and where the journal has it; undefined at the end of a stretch. */
  next(): { readonly entry: JournalEntry; readonly path: string; readonly offset: number } | undefined {
    const entry = this.#peek();
    const block = this.#placed();
    if (entry === undefined || block === undefined) return undefined;
    return { entry, path: block.segment.path, offset: block.head.offset };
  }

  /** When the next turn comes: of the newest input while turns of it are left; undefined where the run is over. @unit ms since 1970 */
  nextAt(): number | undefined {
    const entry = this.#peek();
    if (entry !== undefined) return 'wall' in entry ? entry.wall : this.#at;
    const closing = this.#flaw === undefined ? this.#present()?.closing : undefined;
    if (this.divergence() === undefined && this.turn < (closing?.turn ?? this.#known)) return this.#at;
    return this.#later()?.at;
  }

  /** Runs until so many turns have ended, or the journal has. Where it has a gap the player jumps, unless that is too far: `jumps`. */
  advance(turn: number, jumps = true): void {
    while (this.turn < turn) {
      const entry = this.#peek();
      if (entry === undefined) {
        this.#runOut(turn);
        const later = this.turn < turn ? this.#later() : undefined;
        if (later === undefined || (!jumps && later.turn > turn)) return;
        this.#replay = this.#begin(later);
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
    this.#replay = this.#begin(block === undefined ? this.#first() : startOf(stretch, block));
  }

  /** Plays to where a gap or the end of the run comes. */
  finishStretch(): void {
    for (let entry = this.#peek(); entry !== undefined; entry = this.#peek()) this.#feed(entry);
    this.#runOut();
  }

  /**
   * Plays all that the journal has before one of its keyframes of this stretch, and compares: what the cells have become with what they were.
   * @returns what differs, in words
   */
  playTo(keyframe: PlacedKeyframe): string | undefined {
    const next = (): JournalEntry | undefined => this.#peek(keyframe.first);
    for (let entry = next(); entry !== undefined; entry = next()) this.#feed(entry);
    // Without all that came before it, the cells are others.
    if (this.#flaw !== undefined) return undefined;
    const recorded = keyframeOf(keyframe, this.#rebuilt.functionOf);
    if (isFlaw(recorded)) {
      this.#meet(recorded);
      return undefined;
    }
    this.#replay.runTo(recorded.turn);
    return this.divergence() === undefined ? differenceOf(recorded, this.system.keyframe()) : undefined;
  }

  /** Goes to where so many turns have ended, from the nearest keyframe that can be read. As `advance`. */
  seek(turn: number, jumps = true): void {
    let start = this.#nearest(turn);
    // Where it stands, inputs of that turn may have been fed already.
    if (turn <= this.turn || start.turn > this.turn) {
      this.#replay = this.#begin(start);
      while (
        this.#flaw !== undefined &&
        start.block !== undefined &&
        this.#usable.get(start.block) !== false
      ) {
        this.#usable.set(start.block, false);
        start = this.#nearest(turn);
        this.#replay = this.#begin(start);
      }
    }
    this.advance(turn, jumps);
  }

  /** Goes to just before the first input that came later than that. @param at ms since 1970 */
  seekTime(at: number): void {
    this.seek(this.run.turnAt(at));
    this.advanceTime(at);
  }

  /** Feeds all inputs that had come by then, and runs the turns that followed them. @param at ms since 1970 */
  advanceTime(at: number): void {
    for (let entry = this.#peek(); ; entry = this.#peek()) {
      if (entry === undefined) {
        this.#runOut();
        const later = this.#later();
        if (later === undefined || later.at > at) return;
        this.#replay = this.#begin(later);
      } else if ('wall' in entry && entry.wall > at) {
        this.#replay.runTo(entry.turn);
        return;
      } else this.#feed(entry);
    }
  }

  #feed(entry: JournalEntry): void {
    const isInput = 'seq' in entry;
    if (isInput && this.#options.waypoints !== undefined) this.#keepWaypoint(entry.turn);
    this.#take(entry);
    this.#entry += 1;
    // A digest is the last that a turn writes; of what it draws and hears there may be more.
    this.#known = Math.max(this.#known, entry.kind === 'digest' ? entry.turn + 1 : entry.turn);
    if (!isInput) return;
    this.#at = entry.wall;
    this.#seq = entry.seq;
    this.#fed = entry.turn;
  }

  #take(entry: JournalEntry): void {
    try {
      this.#replay.feed(this.#options.meaning?.(entry) ?? entry);
    } catch (error) {
      const { segment, head } = this.#placed() ?? {};
      throw new NotReplayable(
        `${segment?.path}, byte ${head?.offset}: what came at turn ${entry.turn} is of another program: ${wordsOf(error)}`,
      );
    }
  }

  /** Before the first input of a turn: what came before has run, and a seek to that turn finds nothing more. */
  #keepWaypoint(turn: number): void {
    const waypoints = this.#options.waypoints?.of(this.run.dir);
    const block = this.#placed();
    const way = turn + (block === undefined ? 0 : this.run.bytesBefore(block)) / BYTES_PER_TURN;
    if (turn <= this.#fed || waypoints?.isWanted({ turn, way }) !== true) return;
    this.#replay.runTo(turn);
    if (this.turn !== turn) return;
    const keyframe = () => packKeyframe(this.#packer, this.system.keyframe());
    const cursor = { stretch: this.#stretch, block: this.#block, entry: this.#entry };
    waypoints.add({ turn, way, at: this.#at, seq: this.#seq, cursor, keyframe });
  }

  /** The entry that is fed next; undefined at the end of the stretch, where the journal is damaged, and from the block `end` on. */
  #peek(end = Number.POSITIVE_INFINITY): JournalEntry | undefined {
    for (;;) {
      if (this.#flaw !== undefined || this.#block >= end) return undefined;
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
    this.#meet(read);
    return undefined;
  }

  #meet(flaw: JournalFlaw): void {
    this.#flaw = flaw;
    this.#note(flaw);
  }

  #note(flaw: JournalFlaw): void {
    const isKnown = this.#flaws.some(({ path, offset }) => path === flaw.path && offset === flaw.offset);
    if (!isKnown) this.#flaws.push(flaw);
  }

  /** The stretch has ended, or is damaged: the turns that follow from what was fed run. */
  #runOut(turn = Number.POSITIVE_INFINITY): void {
    const closing = this.#flaw === undefined ? this.#present()?.closing : undefined;
    this.#replay.runTo(Math.min(turn, closing?.turn ?? this.#known));
  }

  /** Where the journal goes on, behind a gap or damage: the next keyframe that can be read. */
  #later(): Start | undefined {
    if (this.#replay.divergence() !== undefined) return undefined;
    for (const [index, stretch] of this.run.stretches.entries()) {
      if (index < this.#stretch) continue;
      const isPresent = index === this.#stretch;
      if (isPresent && this.#flaw === undefined) continue;
      const block = keyframesOf(stretch).find(
        (one) => (!isPresent || one.first > this.#block) && this.isUsable(one),
      );
      if (block !== undefined) return startOf(index, block);
    }
    return undefined;
  }

  /** Whether a keyframe can be read: one that cannot is played over. */
  isUsable(block: PlacedKeyframe): boolean {
    const known = this.#usable.get(block);
    if (known !== undefined) return known;
    const read = keyframeOf(block, this.#rebuilt.functionOf);
    if (isFlaw(read)) this.#note(read);
    this.#usable.set(block, !isFlaw(read));
    return !isFlaw(read);
  }

  #nearest(turn: number): Start {
    const starts: Start[] = this.run.stretches.flatMap((stretch, index) => {
      return (
        keyframesOf(stretch)
          // A keyframe of a journal may hold inputs of its turn, which come after that turn.
          .filter((block) => block.head.turn < turn && this.#usable.get(block) !== false)
          .map((block) => startOf(index, block))
      );
    });
    const kept = this.#options.waypoints?.of(this.run.dir).before(turn);
    if (kept !== undefined) {
      starts.push({ ...kept, keyframe: (functionOf) => unpackKeyframe(kept.keyframe(), functionOf) });
    }
    return starts.reduce((best, start) => (start.turn >= best.turn ? start : best), this.#first());
  }

  #first(): Start {
    const [stretch] = this.run.stretches;
    if (stretch?.keyframe !== undefined) return startOf(0, stretch.keyframe);
    const at = stretch?.opening.startedAt ?? 0;
    return { turn: 0, at, seq: 0, cursor: { stretch: 0, block: 0, entry: 0 }, keyframe: undefined };
  }

  #begin({ turn, at, seq, cursor, keyframe, block }: Start): Replay {
    const { charts, pure, inspector } = this.#options;
    const { opening } = this.run;
    const outside = new Outside();
    this.#rebuilt = builtFrom(opening.blueprints, { outside, pure, charts });
    this.#packer = new ValuePacker(this.#rebuilt.nameOf);
    const from = keyframe?.(this.#rebuilt.functionOf);
    this.#flaw = undefined;
    if (from !== undefined && isFlaw(from)) this.#meet(from);
    this.#stretch = cursor.stretch;
    this.#block = cursor.block;
    this.#entry = cursor.entry;
    this.#entries = undefined;
    this.#at = at;
    this.#seq = from === undefined || isFlaw(from) ? seq : from.seq;
    this.#known = turn;
    this.#fed = block === undefined ? -1 : turn;
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
