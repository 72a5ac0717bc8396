/**
 * The past of a live run, for scrubbing: deltas with a whole model every so many; an instant is the nearest model before it and the
 * deltas up to it. No contact with the world. Bounded in segments and bytes: beyond that what is older than half a minute is thinned to its
 * models, 2 s apart, which share most of what they hold; then the oldest goes.
 */
import type { At, Delta } from '../../../src/observe/feed/feed.ts';
import { apply, type Model } from './model.ts';

/** Deltas after one whole model: what one jump reduces at most. @unit deltas @source 2 s at 20 Hz, measured under 20 ms */
const SEGMENT_DELTAS = 40;
/** 10 minutes at 20 Hz. @unit segments */
const SEGMENTS_MAX = 300;
/** Never thinned: half a minute. @unit segments */
const WHOLE_SEGMENTS = 15;
/** Of JSON text as it came, which parsed takes about as much. @unit bytes */
const BYTES_MAX = 64 * 1_024 * 1_024;
/** What is left of a segment without its deltas. @source rows of 30 s of four nodes: 4,000 of 31,600 outlive their 2 s */
const THINNED_SHARE = 1 / 8;

interface Segment {
  /** What held before the first delta. */
  readonly base: Model;
  deltas: readonly Delta[];
  bytes: number;
}

export interface HistoryBounds {
  readonly segmentsMax: number;
  readonly bytesMax: number;
}

export class History {
  readonly #segments: Segment[] = [];
  readonly #bounds: HistoryBounds;
  #bytes = 0;

  constructor(bounds: HistoryBounds = { segmentsMax: SEGMENTS_MAX, bytesMax: BYTES_MAX }) {
    this.#bounds = bounds;
  }

  get size(): { readonly segments: number; readonly bytes: number } {
    return { segments: this.#segments.length, bytes: this.#bytes };
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
    segment.deltas = [...segment.deltas, delta];
    segment.bytes += bytes;
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
    const { segmentsMax, bytesMax } = this.#bounds;
    while (this.#segments.length > segmentsMax) this.#bytes -= this.#segments.shift()?.bytes ?? 0;
    while (this.#bytes > bytesMax && this.#segments.length > 1) {
      const whole = this.#segments.slice(0, -WHOLE_SEGMENTS).find(({ deltas }) => deltas.length > 0);
      if (whole === undefined) this.#bytes -= this.#segments.shift()?.bytes ?? 0;
      else this.#thin(whole);
    }
  }

  #thin(segment: Segment): void {
    const left = Math.ceil(segment.bytes * THINNED_SHARE);
    this.#bytes -= segment.bytes - left;
    segment.deltas = [];
    segment.bytes = left;
  }
}
