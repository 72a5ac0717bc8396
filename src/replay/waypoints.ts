/**
 * Keyframes that players of a run keep on their way, packed, so that going anywhere that one of them has been is quick: ever farther apart as
 * they grow too many. Players of one run share them. Rule RP-4.
 */
import { constants as zlib, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** Where a player stands: the entry that is fed next. */
export interface Cursor {
  readonly stretch: number;
  readonly block: number;
  readonly entry: number;
}

export interface Waypoint {
  readonly turn: number;
  /** Of the newest input. @unit ms since 1970 */
  readonly at: number;
  readonly seq: number;
  readonly cursor: Cursor;
  /** How far it is from the run's beginning, by what a replay costs: rises with the turn. @unit turns of usual cost */
  readonly way: number;
  /** A packed keyframe. */
  readonly keyframe: () => Uint8Array;
}

interface Kept extends Waypoint {
  readonly bytes: number;
}

/** What costs as much as a turn besides. @unit bytes of journal @source full load: 34 ns a byte, 20 µs a turn */
export const BYTES_PER_TURN = 600;
/** First distance. @unit turns of usual cost @source 30 ms of replay: a seek stays under 100 ms on a busy machine too */
const SPACING = 1_500;
/** Of one run, where there are few. @unit bytes @source about 1,000 keyframes */
const BYTES_MAX = 134_217_728;
/** Of all runs that are looked at together. @unit bytes @source a small part of a laptop's memory */
const BYTES_MAX_OF_ALL = 4 * BYTES_MAX;

/** Of one run. */
export class Waypoints {
  #kept: Kept[] = [];
  #bytes = 0;
  #spacing: number;
  readonly #bytesMax: () => number;

  /** @param spacing first distance. @unit turns of usual cost @param bytesMax asked each time: it falls when more runs are looked at */
  constructor(spacing: number, bytesMax: () => number) {
    this.#spacing = spacing;
    this.#bytesMax = bytesMax;
  }

  /** @unit bytes */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether one here would bring a later seek nearer. */
  isWanted({ turn, way }: Pick<Waypoint, 'turn' | 'way'>): boolean {
    return way - (this.before(turn)?.way ?? 0) >= this.#spacing;
  }

  add({ keyframe, ...waypoint }: Waypoint): void {
    // A tenth of its size, in a millisecond: much of a keyframe is what has been for long.
    const packed = zstdCompressSync(keyframe(), { params: { [zlib.ZSTD_c_compressionLevel]: 1 } });
    const kept = { ...waypoint, keyframe: () => zstdDecompressSync(packed), bytes: packed.byteLength };
    this.#kept.splice(this.#after(waypoint.turn), 0, kept);
    this.#bytes += kept.bytes;
    if (this.#bytes <= this.#bytesMax()) return;
    this.#spacing *= 2;
    this.#kept = this.#kept.filter((_, index) => index % 2 === 0);
    this.#bytes = this.#kept.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The last one that is not after `turn`. */
  before(turn: number): Waypoint | undefined {
    return this.#kept[this.#after(turn) - 1];
  }

  #after(turn: number): number {
    return this.#kept.findLastIndex((waypoint) => waypoint.turn <= turn) + 1;
  }
}

/** Of the runs that are looked at together, by their folders. */
export class WaypointsByRun {
  readonly #byRun = new Map<string, Waypoints>();
  readonly #spacing: number;

  /** @param spacing first distance; the default keeps a seek under 100 ms. @unit turns of usual cost */
  constructor(spacing: number = SPACING) {
    this.#spacing = spacing;
  }

  #bytesMax(): number {
    return Math.min(BYTES_MAX, BYTES_MAX_OF_ALL / this.#byRun.size);
  }

  of(dir: string): Waypoints {
    const known = this.#byRun.get(dir) ?? new Waypoints(this.#spacing, () => this.#bytesMax());
    this.#byRun.set(dir, known);
    return known;
  }
}
