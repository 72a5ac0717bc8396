/**
 * The past of a live run, for scrubbing: deltas with a whole model every so many; an instant is the nearest model before it and the
 * deltas up to it. No contact with the world. Bounded in deltas and in bytes of text; beyond that the oldest goes, a segment at a time.
 */
import type { At, Delta } from '../../../src/observe/feed/feed.ts';
import { apply, type Model } from './model.ts';

/** Deltas after one whole model: what one jump reduces at most. @unit deltas @source 2 s at 20 Hz, measured under 20 ms */
const SEGMENT_DELTAS = 40;
/** 10 minutes at 20 Hz. @unit deltas */
const DELTAS_MAX = 12_000;
/** Of JSON text as it came; in memory it is about three times that. @unit bytes */
const BYTES_MAX = 32 * 1_024 * 1_024;

interface Segment {
  /** What held before the first delta. */
  readonly base: Model;
  readonly deltas: Delta[];
  bytes: number;
}

export interface HistoryBounds {
  readonly deltasMax: number;
  readonly bytesMax: number;
}

export class History {
  readonly #segments: Segment[] = [];
  readonly #bounds: HistoryBounds;
  #deltas = 0;
  #bytes = 0;

  constructor(bounds: HistoryBounds = { deltasMax: DELTAS_MAX, bytesMax: BYTES_MAX }) {
    this.#bounds = bounds;
  }

  get size(): { readonly deltas: number; readonly bytes: number } {
    return { deltas: this.#deltas, bytes: this.#bytes };
  }

  /** The oldest instant that can be shown. */
  get from(): At | undefined {
    return this.#segments[0]?.base.at;
  }

  /** A moment came: what is known goes on from this model. */
  restart(model: Model): void {
    this.#segments.push({ base: model, deltas: [], bytes: 0 });
    this.#forget();
  }

  /** `model` is what held before the delta, which came as so many bytes. */
  push(model: Model, delta: Delta, bytes: number): void {
    let segment = this.#segments.at(-1);
    if (segment === undefined || segment.deltas.length >= SEGMENT_DELTAS) {
      segment = { base: model, deltas: [], bytes: 0 };
      this.#segments.push(segment);
    }
    segment.deltas.push(delta);
    segment.bytes += bytes;
    this.#deltas += 1;
    this.#bytes += bytes;
    this.#forget();
  }

  /** The run as it was at `at`; the oldest model when that is forgotten. */
  modelAt(at: At): Model | undefined {
    const segment = this.#segments.findLast(({ base }) => base.at <= at) ?? this.#segments[0];
    if (segment === undefined) return undefined;
    let model = segment.base;
    for (const delta of segment.deltas) {
      if (delta.at > at) break;
      model = apply(model, delta);
    }
    return model;
  }

  /** The instant of the next delta after `at`, or of the one before it. */
  neighbour(at: At, by: 1 | -1): At | undefined {
    if (by === 1) return this.#after(at);
    let found: At | undefined;
    for (const { base, deltas } of this.#segments) {
      if (base.at >= at) break;
      found = base.at;
      for (const delta of deltas) if (delta.at < at) found = delta.at;
    }
    return found;
  }

  clear(): void {
    this.#segments.length = 0;
    this.#deltas = 0;
    this.#bytes = 0;
  }

  #after(at: At): At | undefined {
    for (const { base, deltas } of this.#segments) {
      if (base.at > at) return base.at;
      if ((deltas.at(-1)?.at ?? 0) <= at) continue;
      return deltas.find((delta) => delta.at > at)?.at;
    }
    return undefined;
  }

  #forget(): void {
    const { deltasMax, bytesMax } = this.#bounds;
    // Moments alone can make many segments, too: each counts as a delta.
    while (
      this.#segments.length > 1 &&
      (this.#deltas + this.#segments.length > deltasMax || this.#bytes > bytesMax)
    ) {
      const oldest = this.#segments.shift();
      this.#deltas -= oldest?.deltas.length ?? 0;
      this.#bytes -= oldest?.bytes ?? 0;
    }
  }
}
