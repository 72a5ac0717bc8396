/** One node on the axis of time: its runs, one after the other, each played when its time has come. Deterministic. Rules RP-4, RP-5. */
import type { System } from '../actors/runtime/index.ts';
import { type JournalFlaw, RunReader } from '../record/run-reader.ts';
import { Player, type PlayerOptions } from './player.ts';

export class Lane {
  /** By the time of their start. Never empty. */
  readonly runs: readonly RunReader[];
  readonly #options: PlayerOptions;
  #life = 0;
  /** Of one life alone: a player may hold much. */
  #present: { readonly life: number; readonly player: Player } | undefined;
  /** Damage that players of other lives met. */
  #metBefore: readonly JournalFlaw[] = [];

  /** @param dirs runs of one node @throws RunUnreadable, ChartsDiffer, Error of the system */
  constructor(dirs: readonly string[], options: PlayerOptions) {
    this.#options = options;
    this.runs = dirs
      .map((dir) => new RunReader(dir))
      .sort((left, right) => left.opening.startedAt - right.opening.startedAt);
    this.#playerOf(0);
  }

  /** Of the life that the lane is in. */
  get player(): Player {
    return this.#playerOf(this.#life);
  }

  get system(): System {
    return this.player.system;
  }

  /** Place of the present run. */
  get life(): number {
    return this.#life;
  }

  /** The process of the present run has ended by then, or the first has not begun. @param at ms since 1970 */
  isDown(at: number): boolean {
    const run = this.runs[this.#life];
    return run === undefined || at < run.opening.startedAt || at > run.endsAt;
  }

  /** @unit ms since 1970 */
  get span(): { readonly from: number; readonly to: number } {
    const ends = this.runs.map(({ endsAt }) => endsAt);
    return { from: this.runs[0]?.beginsAt ?? 0, to: Math.max(...ends) };
  }

  /** Its last process ended as it was asked to; else it was killed, or is running. */
  get isStopped(): boolean {
    return this.runs.at(-1)?.stretches.at(-1)?.closing !== undefined;
  }

  /** @param at ms since 1970 */
  seekTime(at: number): void {
    const last = this.runs.findLastIndex(({ opening }) => opening.startedAt <= at);
    this.#life = Math.max(0, last);
    if (last === -1) this.player.seek(0);
    else this.player.seekTime(at);
  }

  /** @param at ms since 1970 */
  advanceTime(at: number): void {
    const first = this.runs[0]?.opening.startedAt ?? 0;
    if (at < first) return;
    this.player.advanceTime(at);
    while ((this.runs[this.#life + 1]?.opening.startedAt ?? Number.POSITIVE_INFINITY) <= at) {
      this.player.finish();
      this.#life += 1;
      this.player.seekTime(at);
    }
  }

  /** When its next turn comes, in this life or the next; undefined: it has none. @unit ms since 1970 */
  nextAt(): number | undefined {
    return this.player.nextAt() ?? this.runs[this.#life + 1]?.opening.startedAt;
  }

  /** When its newest turn came; undefined: it has had none. @unit ms since 1970 */
  get lastAt(): number | undefined {
    return this.#life === 0 && this.player.turn === 0 ? undefined : this.player.at;
  }

  /** One turn on or back; over the end of a run into the next. */
  step(by: 1 | -1): void {
    const { player } = this;
    const before = player.turn;
    // Back from behind a gap is to what the journal had before it.
    player.seek(Math.max(0, before + by), by === 1);
    const next = this.#life + by;
    if ((player.turn - before) * by > 0 || this.runs[next] === undefined) return;
    this.#life = next;
    if (by === 1) this.player.seek(0);
    else this.player.finish();
  }

  /** What is not as it was written, as far as it was seen. */
  flaws(): readonly JournalFlaw[] {
    return [...this.runs.flatMap((run) => run.flaws), ...this.met()];
  }

  /** Damaged blocks that were met while playing. */
  met(): readonly JournalFlaw[] {
    return [...this.#metBefore, ...(this.#present?.player.flaws() ?? [])];
  }

  close(): void {
    for (const run of this.runs) run.close();
  }

  #playerOf(life: number): Player {
    if (this.#present?.life === life) return this.#present.player;
    const run = this.runs[life];
    if (run === undefined) throw new Error(`a lane of ${this.runs.length} runs has no run ${life}`);
    const met = new Map(this.met().map((flaw) => [`${flaw.path} ${flaw.offset}`, flaw]));
    this.#metBefore = [...met.values()];
    const player = new Player(run, this.#options);
    this.#present = { life, player };
    return player;
  }
}
