/**
 * Several recorded runs on one axis of time: the nodes of a network, or one alone. Goes to an instant, plays on, steps a turn on or back, and stops
 * where a breakpoint holds or two nodes have committed different blocks at a height. Deterministic. Rules RP-4, RP-5, docs/journal.md.
 */
import type { Inspector, Transition } from '../actors/runtime/index.ts';
import { RunReader } from '../record/run-reader.ts';
import { type Breakpoint, holdsAt, type Moment } from './breakpoint.ts';
import { standingOf } from './facts.ts';
import { Player, type PlayerOptions } from './player.ts';

/** Why playing stopped. */
export type Stop =
  | { readonly kind: 'breakpoint'; readonly track: number; readonly at: number; readonly because: string }
  | { readonly kind: 'fork'; readonly track: number; readonly at: number; readonly because: string }
  | { readonly kind: 'divergence'; readonly track: number; readonly at: number; readonly because: string }
  | { readonly kind: 'end' };

interface Hit {
  readonly kind: 'breakpoint' | 'fork';
  readonly turn: number;
  readonly at: number;
  readonly because: string;
}

/** Tracks run so far before they are asked who stopped first. @unit ms @source a seek back over it takes some ms */
const SLICE_MS = 500;
/** Heights whose blocks are compared between tracks; older ones are forgotten. */
const HEIGHTS_MAX = 65_536;

export class Playback {
  readonly tracks: readonly Player[];
  readonly #hits: (Hit | undefined)[];
  readonly #last = new Map<number, Transition>();
  /** Nothing is noted while it is off: on the way to where playing begins. */
  #isArmed = false;
  #breakpoint: Breakpoint = [];
  #at: number;
  /** First block seen at each height, and on which track. */
  readonly #committed = new Map<number, { readonly track: number; readonly block: string }>();

  /** @throws RunUnreadable, ChartsDiffer, Error of the system */
  constructor(dirs: readonly string[], options: Pick<PlayerOptions, 'charts' | 'pure'>) {
    this.#hits = dirs.map(() => undefined);
    this.tracks = dirs.map(
      (dir, track) =>
        new Player(new RunReader(dir), { ...options, keepsWaypoints: true, inspector: this.#watch(track) }),
    );
    this.#at = Math.min(...this.tracks.map(({ run }) => run.opening.startedAt));
  }

  /** @unit ms since 1970 */
  get at(): number {
    return this.#at;
  }

  /** @unit ms since 1970 */
  get span(): { readonly from: number; readonly to: number } {
    const ends = this.tracks.map(({ run }) => {
      const last = run.stretches.at(-1);
      return last?.closing?.at ?? last?.entries.at(-1)?.head.at ?? run.opening.startedAt;
    });
    const starts = this.tracks.map(({ run }) => run.stretches[0]?.keyframe?.head.at ?? run.opening.startedAt);
    return { from: Math.min(...starts), to: Math.max(...ends) };
  }

  /** @param at ms since 1970 */
  seek(at: number): void {
    for (const track of this.tracks) track.seekTime(at);
    this.#at = at;
  }

  /** Runs on to an instant, or to where something stops it before. @param at ms since 1970 */
  play(at: number, breakpoint: Breakpoint): Stop | undefined {
    this.#breakpoint = breakpoint;
    this.#hits.fill(undefined);
    const { to } = this.span;
    while (this.#at < at) {
      const until = Math.min(at, this.#at + SLICE_MS);
      this.#isArmed = true;
      for (const track of this.tracks) track.advanceTime(until);
      this.#isArmed = false;
      const stop = this.#first();
      if (stop !== undefined) return stop;
      this.#at = until;
      if (until >= to) return { kind: 'end' };
    }
    return undefined;
  }

  /** One turn on or back, of one track or of the one whose turn it is. */
  step(by: 1 | -1, track?: number): void {
    const player = this.tracks[track ?? this.#whose(by)];
    if (player === undefined) return;
    player.seek(Math.max(0, player.turn + by));
    this.#at = player.at;
  }

  /** The newest step of a cell on a track. */
  lastStep(track: number): Transition | undefined {
    return this.#last.get(track);
  }

  close(): void {
    for (const { run } of this.tracks) run.close();
  }

  #whose(by: 1 | -1): number {
    const times = this.tracks.map((player) => {
      if (by === -1) return -player.at;
      const next = player.next()?.entry;
      return next !== undefined && 'wall' in next ? next.wall : player.at;
    });
    return times.indexOf(Math.min(...times));
  }

  /** The earliest of what stopped the tracks; all go there. */
  #first(): Stop | undefined {
    for (const [track, player] of this.tracks.entries()) {
      const divergence = player.divergence();
      if (divergence !== undefined) {
        const because = `turn ${divergence.turn} is not as recorded`;
        return { kind: 'divergence', track, at: player.at, because };
      }
    }
    const found = this.#hits.flatMap((hit, track) => (hit === undefined ? [] : [{ hit, track }]));
    const [first] = found.sort((left, right) => left.hit.at - right.hit.at);
    if (first === undefined) return undefined;
    const { hit, track } = first;
    for (const [index, player] of this.tracks.entries()) {
      if (index === track) player.seek(hit.turn + 1);
      else player.seekTime(hit.at);
    }
    this.#at = hit.at;
    return { kind: hit.kind, track, at: hit.at, because: hit.because };
  }

  #watch(track: number): Inspector {
    return {
      transition: (transition) => {
        this.#last.set(track, transition);
        this.#note(track, transition.turn, { transition });
        if (transition.address.endsWith('/round-manager')) this.#noteCommit(track, transition.turn);
      },
      cellEnded: (address, _incarnation, reason) => {
        const turn = this.tracks[track]?.turn ?? 0;
        this.#note(track, turn, { ended: { address, reason } });
      },
    };
  }

  #note(track: number, turn: number, moment: Omit<Moment, 'system'>): void {
    if (!this.#isArmed || this.#breakpoint.length === 0 || this.#hits[track] !== undefined) return;
    const player = this.tracks[track];
    if (player === undefined) return;
    const because = holdsAt(this.#breakpoint, { system: player.system, ...moment });
    if (because !== undefined) this.#hits[track] = { kind: 'breakpoint', turn, at: player.at, because };
  }

  // RP-5: two nodes committing different blocks at one height.
  #noteCommit(track: number, turn: number): void {
    const player = this.tracks[track];
    if (!this.#isArmed || player === undefined || this.tracks.length === 1) return;
    const { height, block } = standingOf(player.system);
    if (block === '') return;
    const known = this.#committed.get(height);
    if (known === undefined) {
      this.#committed.set(height, { track, block });
      this.#committed.delete(height - HEIGHTS_MAX);
      return;
    }
    if (known.block === block || this.#hits[track] !== undefined) return;
    const [one, other] = [this.tracks[known.track], player].map((of) => of?.run.opening.node.moniker);
    const because = `height ${height}: ${one} committed ${known.block}, ${other} ${block}`;
    this.#hits[track] = { kind: 'fork', turn, at: player.at, because };
  }
}
