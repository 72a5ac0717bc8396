/** Which stretch of time and which lanes the diagram shows, and where an instant and a lane lie in it. Pure. */
import type { At, NodeIndex } from '../../../../src/observe/feed/feed.ts';
import { clockOf } from '../words.ts';

export interface Viewport {
  readonly from: At;
  /** @unit ms; the whole width */
  readonly spanMs: number;
  /** @unit CSS pixels, all of these */
  readonly width: number;
  readonly height: number;
  readonly scrollY: number;
  readonly lanes: number;
}

/** Between these the wheel zooms: a few messages, and what the page keeps. @unit ms */
export const SPAN_MS_MIN = 4;
export const SPAN_MS_MAX = 600_000;
/** What is shown before anybody zoomed: a few rounds. @unit ms */
export const SPAN_MS_FIRST = 3_000;
/** Room of the rounds' names, and of the time below. @unit px */
export const HEAD_PX = 34;
export const FOOT_PX = 22;
/** Room of the lanes' names, left of the instants. @unit px */
export const GUTTER_PX = 132;
/** A lane is no lower, and scrolls instead; and no higher. @unit px @source a name can be read; 16 of them fit into the overview of 1280 × 800 */
const LANE_PX_MIN = 15;
const LANE_PX_MAX = 190;
/** Free at the right of the newest instant, as a part of the width, while the diagram follows. */
const AHEAD_PART = 0.06;

const plotHeightOf = ({ height }: Viewport): number => Math.max(0, height - HEAD_PX - FOOT_PX);
export const plotWidthOf = ({ width }: Viewport): number => Math.max(1, width - GUTTER_PX);

export const laneHeightOf = (view: Viewport): number =>
  Math.min(LANE_PX_MAX, Math.max(LANE_PX_MIN, plotHeightOf(view) / Math.max(1, view.lanes)));

export const xOf = (view: Viewport, at: At): number =>
  GUTTER_PX + ((at - view.from) / view.spanMs) * plotWidthOf(view);

export const atOf = (view: Viewport, x: number): At =>
  view.from + ((x - GUTTER_PX) / plotWidthOf(view)) * view.spanMs;

/** The middle of a lane. Few lanes stand in the middle of the room. */
export function yOf(view: Viewport, lane: NodeIndex): number {
  const all = laneHeightOf(view) * view.lanes;
  const free = Math.max(0, plotHeightOf(view) - all) / 2;
  return HEAD_PX + free + laneHeightOf(view) * (lane + 0.5) - view.scrollY;
}

export function laneAt(view: Viewport, y: number): NodeIndex | undefined {
  const lane = Math.floor((y - yOf(view, 0)) / laneHeightOf(view) + 0.5);
  return lane >= 0 && lane < view.lanes && y >= HEAD_PX && y <= view.height - FOOT_PX ? lane : undefined;
}

/** The instant under the pointer stays under it. */
export function zoomed(view: Viewport, x: number, factor: number): Viewport {
  const spanMs = Math.min(SPAN_MS_MAX, Math.max(SPAN_MS_MIN, view.spanMs * factor));
  const part = (x - GUTTER_PX) / plotWidthOf(view);
  return { ...view, spanMs, from: view.from + part * (view.spanMs - spanMs) };
}

export const panned = (view: Viewport, pixels: number): Viewport => ({
  ...view,
  from: view.from - (pixels / plotWidthOf(view)) * view.spanMs,
});

/** Lanes that do not fit are scrolled to; no further than the last. */
export function scrolled(view: Viewport, pixels: number): Viewport {
  const hidden = Math.max(0, laneHeightOf(view) * view.lanes - plotHeightOf(view));
  return { ...view, scrollY: Math.min(hidden, Math.max(0, view.scrollY + pixels)) };
}

/** So that `now` is at the right, with a little room ahead of it. */
export const following = (view: Viewport, now: At): Viewport => ({
  ...view,
  from: now - view.spanMs * (1 - AHEAD_PART),
});

/** The same view where `at` is in sight already; else `at` comes to the middle. */
export function revealing(view: Viewport, at: At): Viewport {
  const margin = view.spanMs * 0.05;
  const isSeen = at >= view.from + margin && at <= view.from + view.spanMs - margin;
  return isSeen ? view : { ...view, from: at - view.spanMs / 2 };
}

/** All of it, with a margin. */
export function fitting(view: Viewport, from: At, to: At): Viewport {
  const spanMs = Math.min(SPAN_MS_MAX, Math.max(SPAN_MS_MIN, (to - from) * 1.08));
  return { ...view, spanMs, from: (from + to) / 2 - spanMs / 2 };
}

export interface Tick {
  readonly at: At;
  readonly label: string;
}

/** Between two ticks at least. @unit px */
const TICK_PX_MIN = 90;
const TICK_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000,
] as const;

/** Round instants in sight, labelled no finer than they are apart. */
export function ticksOf(view: Viewport): readonly Tick[] {
  const leastMs = (TICK_PX_MIN / plotWidthOf(view)) * view.spanMs;
  const stepMs = TICK_MS.find((ms) => ms >= leastMs) ?? 300_000;
  const ticks: Tick[] = [];
  for (let at = Math.ceil(view.from / stepMs) * stepMs; at <= view.from + view.spanMs; at += stepMs)
    ticks.push({ at, label: clockOf(at, stepMs < 1_000) });
  return ticks;
}
