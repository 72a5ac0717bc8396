/**
 * Several recorded runs on one axis of time: the nodes of a network, or one alone. Goes to an instant, plays on, steps a turn on or back, and stops
 * where a breakpoint holds or two nodes have committed different blocks at a height. Deterministic. Rules RP-4, RP-5, docs/journal.md.
 */
import type { Inspector, Transition } from '../actors/runtime/index.ts';
import { type Breakpoint, type Moment, Watchpoint } from './breakpoint.ts';
import { standingOf } from './facts.ts';
import { Lane } from './lane.ts';
import type { ReplayedBy } from './player.ts';
import { WaypointsByRun } from './waypoints.ts';

/** Why playing stopped. */
export type Stop =
  | { readonly kind: 'breakpoint'; readonly lane: number; readonly at: number; readonly because: string }
  | { readonly kind: 'fork'; readonly lane: number; readonly at: number; readonly because: string }
  | { readonly kind: 'divergence'; readonly lane: number; readonly at: number; readonly because: string }
  | { readonly kind: 'end' };

interface Hit {
  readonly kind: 'breakpoint' | 'fork';
  readonly turn: number;
  readonly at: number;
  readonly because: string;
}

/** Lanes run so far before they are asked who stopped first. @unit ms @source a seek back over it takes some ms */
const SLICE_MS = 500;
/** Processes that end so near to the end of the run are stopped with it, and take as long for it at most. @unit ms @source what a network takes */
const STOPPING_MS = 2_000;
/** Heights whose blocks are compared between lanes; older ones are forgotten. */
const HEIGHTS_MAX = 65_536;

export class Playback {
  /** One for each node. */
  readonly lanes: readonly Lane[];
  readonly #hits: (Hit | undefined)[];
  readonly #last = new Map<number, Transition>();
  /** Nothing is noted while it is off: on the way to where playing begins. */
  #isArmed = false;
  #watchpoints: readonly Watchpoint[] = [];
  #at: number;
  /** First block seen at each height, and on which lane. */
  readonly #committed = new Map<number, { readonly lane: number; readonly block: string }>();

  /** @param nodes the runs of each node @param waypoints shared with another playback of them @throws RunUnreadable, ChartsDiffer, Error of the system */
  constructor(nodes: readonly (readonly string[])[], options: ReplayedBy, waypoints = new WaypointsByRun()) {
    this.#hits = nodes.map(() => undefined);
    this.lanes = nodes.map(
      (dirs, lane) => new Lane(dirs, { ...options, waypoints, inspector: this.#watch(lane) }),
    );
    this.#at = this.span.from;
  }

  /** @unit ms since 1970 */
  get at(): number {
    return this.#at;
  }

  /** @unit ms since 1970 */
  get span(): { readonly from: number; readonly to: number } {
    const spans = this.lanes.map(({ span }) => span);
    return {
      from: Math.min(...spans.map(({ from }) => from)),
      to: Math.max(...spans.map(({ to }) => to)),
    };
  }

  /** The newest instant before the run's end at which nothing was being stopped yet. @unit ms since 1970 */
  get lastWhole(): number {
    const { from, to } = this.span;
    const ends = this.lanes.flatMap(({ span, isStopped }) =>
      span.to > to - STOPPING_MS ? [isStopped ? span.to - STOPPING_MS : span.to] : [],
    );
    return Math.max(from, Math.min(to, ...ends));
  }

  /** When something comes next on one of the lanes, or the run ends. @unit ms since 1970 */
  get quietUntil(): number {
    const next = this.lanes.map((lane) => lane.nextAt() ?? Number.POSITIVE_INFINITY);
    return Math.min(this.span.to, ...next);
  }

  /** @param at ms since 1970 */
  seek(at: number): void {
    for (const lane of this.lanes) lane.seekTime(at);
    this.#at = at;
  }

  /** Runs on to an instant, or to where something stops it before. @param at ms since 1970 */
  play(at: number, breakpoint: Breakpoint): Stop | undefined {
    this.#watchpoints = this.lanes.map(({ system }) => {
      const watchpoint = new Watchpoint(breakpoint);
      watchpoint.arm(system);
      return watchpoint;
    });
    this.#hits.fill(undefined);
    const { to } = this.span;
    while (this.#at < at) {
      // Clocks are set by years at times, and nothing happens in between.
      const until = Math.min(at, Math.max(this.#at + SLICE_MS, this.quietUntil));
      this.#isArmed = true;
      for (const lane of this.lanes) lane.advanceTime(until);
      this.#isArmed = false;
      const stop = this.#first();
      if (stop !== undefined) return stop;
      this.#at = until;
      if (until >= to) return { kind: 'end' };
    }
    return undefined;
  }

  /** One turn on or back: of the lane whose turn it is, or of one lane, and then the others go to its instant. */
  step(by: 1 | -1, which?: number): void {
    const chosen = which ?? (by === 1 ? this.#nextOne() : this.#lastOne());
    const lane = chosen === undefined ? undefined : this.lanes[chosen];
    if (lane === undefined || (by === 1 ? lane.nextAt() : lane.lastAt) === undefined) return;
    lane.step(by);
    // Where nothing has run yet there was no step.
    if (lane.player.turn === 0) this.#last.delete(this.lanes.indexOf(lane));
    const instant = (which === undefined ? undefined : lane.lastAt) ?? this.#newest();
    this.#at = instant;
    if (which === undefined) return;
    for (const other of this.lanes) {
      if (other === lane) continue;
      if (by === 1) other.advanceTime(instant);
      else if ((other.lastAt ?? instant) > instant) other.seekTime(instant);
    }
  }

  /** The newest step of a cell on a lane. */
  lastStep(lane: number): Transition | undefined {
    return this.#last.get(lane);
  }

  close(): void {
    for (const lane of this.lanes) lane.close();
  }

  /** The lane whose turn comes first; none where all are over. */
  #nextOne(): number | undefined {
    return placeOfLeast(this.lanes.map((lane) => lane.nextAt()));
  }

  /** The lane whose turn was the last; none at the beginning. */
  #lastOne(): number | undefined {
    return placeOfLeast(this.lanes.map(({ lastAt }) => (lastAt === undefined ? undefined : -lastAt)));
  }

  /** Of the newest turn of all lanes. @unit ms since 1970 */
  #newest(): number {
    return Math.max(this.span.from, ...this.lanes.flatMap(({ lastAt }) => lastAt ?? []));
  }

  /** The earliest of what stopped the tracks; all go there. */
  #first(): Stop | undefined {
    for (const [lane, { player }] of this.lanes.entries()) {
      const divergence = player.divergence();
      if (divergence !== undefined) {
        const because = `turn ${divergence.turn} is not as recorded`;
        return { kind: 'divergence', lane, at: player.at, because };
      }
    }
    const found = this.#hits.flatMap((hit, lane) => (hit === undefined ? [] : [{ hit, lane }]));
    const [first] = found.sort((left, right) => left.hit.at - right.hit.at);
    if (first === undefined) return undefined;
    const { hit, lane } = first;
    for (const [index, other] of this.lanes.entries()) {
      other.seekTime(hit.at);
      // Exactly behind the step that it was; later ones of that instant are still to come.
      if (index === lane) other.player.seek(hit.turn + 1);
    }
    this.#at = hit.at;
    return { kind: hit.kind, lane, at: hit.at, because: hit.because };
  }

  #watch(lane: number): Inspector {
    return {
      transition: (transition) => {
        this.#last.set(lane, transition);
        this.#note(lane, transition.turn, { transition });
        if (transition.address.endsWith('/round-manager')) this.#noteCommit(lane, transition.turn);
      },
      cellEnded: (address, _incarnation, reason) => {
        const turn = this.lanes[lane]?.player.turn ?? 0;
        this.#note(lane, turn, { ended: { address, reason } });
      },
    };
  }

  #note(lane: number, turn: number, moment: Omit<Moment, 'system'>): void {
    if (!this.#isArmed || this.#hits[lane] !== undefined) return;
    const player = this.lanes[lane]?.player;
    if (player === undefined) return;
    const because = this.#watchpoints[lane]?.see({ system: player.system, ...moment });
    if (because !== undefined) this.#hits[lane] = { kind: 'breakpoint', turn, at: player.at, because };
  }

  // RP-5: two nodes committing different blocks at one height.
  #noteCommit(lane: number, turn: number): void {
    const player = this.lanes[lane]?.player;
    if (!this.#isArmed || player === undefined || this.lanes.length === 1) return;
    const { height, block } = standingOf(player.system);
    if (block === '') return;
    const known = this.#committed.get(height);
    if (known === undefined) {
      this.#committed.set(height, { lane, block });
      this.#committed.delete(height - HEIGHTS_MAX);
      return;
    }
    if (known.block === block || this.#hits[lane] !== undefined) return;
    const [one, other] = [this.lanes[known.lane]?.player, player].map((of) => of?.run.opening.node.moniker);
    const because = `height ${height}: ${one} committed ${known.block}, ${other} ${block}`;
    this.#hits[lane] = { kind: 'fork', turn, at: player.at, because };
  }
}

function placeOfLeast(times: readonly (number | undefined)[]): number | undefined {
  const least = Math.min(...times.map((time) => time ?? Number.POSITIVE_INFINITY));
  return Number.isFinite(least) ? times.indexOf(least) : undefined;
}
