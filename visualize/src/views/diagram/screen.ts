/**
 * The diagram without React: it owns two canvases, the view and the books of what was seen, paints when something changed, and tells what
 * the pointer or the keys chose. Boundary: canvas, pointer, wheel, frames. The lower canvas has the run, the upper one what is marked.
 */
import type { At, StepEvent } from '../../../../src/observe/feed/feed.ts';
import { isRemote, type PageState } from '../../feed/store.ts';
import { emptyTimeline } from '../../feed/timeline.ts';
import { type Family, FIRST_SHOWN } from '../families.ts';
import { Activity } from './activity.ts';
import { Bundler } from './bundles.ts';
import type { Flight } from './flights.ts';
import { Flow } from './flow.ts';
import { Follower } from './follower.ts';
import { flightAt, stepAt } from './hits.ts';
import { OutageBook } from './outages.ts';
import { type FlightsDrawn, paintFlights } from './paint-flights.ts';
import { paintFrame, paintGutter } from './paint-frame.ts';
import { paintMarks, paintSteps } from './paint-steps.ts';
import { type Palette, readPalette } from './palette.ts';
import { Past } from './past.ts';
import { RoundBook } from './rounds.ts';
import type { Scene } from './scene.ts';
import { type Direction, type End, endOf, travel } from './travel.ts';
import {
  FOOT_PX,
  fitting,
  following,
  HEAD_PX,
  panned,
  revealing,
  SPAN_MS_FIRST,
  scrolled,
  type Viewport,
  xOf,
  yOf,
  zoomed,
} from './viewport.ts';

export interface Pointed {
  readonly flight: Flight | undefined;
  readonly step: StepEvent | undefined;
  readonly x: number;
  readonly y: number;
}

export interface ScreenEvents {
  pointed(pointed: Pointed | undefined): void;
  chose(end: End | undefined, step: StepEvent | undefined): void;
  followed(isFollowing: boolean): void;
  drew(drawn: FlightsDrawn): void;
}

/** More would be seen by nobody, and cost as much as they are. */
const PIXEL_RATIO_MAX = 2;
/** The first view has so many rounds. @unit rounds @source chosen: one can be read, and the next ones be compared */
const ROUNDS_FIRST = 4;
/** Of the first view, whatever the rounds take. @unit ms */
const SPAN_FIRST_MS_MIN = 150;
const SPAN_FIRST_MS_MAX = 30_000;

/** A frame flowed so lately: another will. @unit ms */
const FLOWING_MS = 100;

export class Screen {
  readonly #past = new Past();
  readonly book = this.#past.book;
  readonly #rounds = new RoundBook();
  readonly #outages = new OutageBook();
  readonly #steps = new Follower<StepEvent>();
  readonly #levels = { bundler: new Bundler(), activity: new Activity() };
  readonly #flow = new Flow();
  readonly #host: HTMLElement;
  readonly #events: ScreenEvents;
  readonly #run: CanvasRenderingContext2D;
  readonly #marks: CanvasRenderingContext2D;
  #palette: Palette;
  #view: Viewport;
  #state: PageState | undefined;
  #shown: ReadonlySet<Family> = FIRST_SHOWN;
  #hovered: Flight | undefined;
  #selected: End | undefined;
  #isFollowing = true;
  #wasMarked = true;
  /** Nobody has zoomed yet: the span is that of a few rounds. */
  #isFirst = true;
  #flowedAt = Number.NEGATIVE_INFINITY;

  constructor(host: HTMLElement, run: HTMLCanvasElement, marks: HTMLCanvasElement, events: ScreenEvents) {
    this.#host = host;
    this.#events = events;
    this.#run = contextOf(run, false);
    this.#marks = contextOf(marks, true);
    this.#palette = readPalette(host);
    this.#view = { from: 0, spanMs: SPAN_MS_FIRST, width: 1, height: 1, scrollY: 0, lanes: 0 };
  }

  get view(): Viewport {
    return this.#view;
  }

  get selected(): End | undefined {
    return this.#selected;
  }

  // ── What it is told ────────────────────────────────────────────────────────────────────────────────────────────────

  resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#host;
    const ratio = Math.min(PIXEL_RATIO_MAX, devicePixelRatio);
    for (const { canvas } of [this.#run, this.#marks]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    this.#run.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#marks.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#view = scrolled({ ...this.#view, width, height }, 0);
    this.paint();
  }

  recolour(): void {
    this.#palette = readPalette(this.#host);
    this.paint();
  }

  /** The page's state, once a frame at most. */
  show(state: PageState): void {
    const before = this.#state;
    this.#state = state;
    this.#learn(state);
    const { shown, time } = state;
    if (this.#view.lanes !== shown.nodes.length) {
      this.#view = scrolled({ ...this.#view, lanes: shown.nodes.length }, 0);
    }
    if (this.#isFirst) this.#chooseSpan();
    const isFlowing = time.isLive && this.#isFollowing;
    if (isFlowing) this.#view = following(this.#view, this.#flow.at(shown.at, performance.now()));
    else if (!time.isLive && before?.time.at !== time.at) this.#view = revealing(this.#view, time.at);
    // Where each frame is painted anyhow, this one is too, in a moment.
    if (!isFlowing || performance.now() - this.#flowedAt > FLOWING_MS) this.paint();
  }

  /** A frame of a live run that is followed. */
  flow(told: At, now: number): void {
    if (!this.#isFollowing || this.#state?.time.isLive !== true) return;
    this.#flowedAt = now;
    this.#view = following(this.#view, this.#flow.at(told, now));
    this.paint();
  }

  filter(shown: ReadonlySet<Family>): void {
    this.#shown = shown;
    this.paint();
  }

  follow(isFollowing: boolean): void {
    if (this.#isFollowing === isFollowing) return;
    this.#isFollowing = isFollowing;
    this.#events.followed(isFollowing);
    if (this.#state !== undefined) this.show(this.#state);
  }

  /** All that is known. */
  fit(): void {
    const [first] = this.book.flights;
    if (first === undefined) return;
    this.follow(false);
    this.#isFirst = false;
    this.#view = fitting(this.#view, first.at, this.book.newest);
    this.paint();
  }

  /** @param x what stays where it is: the shown instant where nothing else is pointed at */
  zoomBy(factor: number, x = this.#pivot()): void {
    this.#isFirst = false;
    this.#view = zoomed(this.#view, x, factor);
    if (this.#isFollowing && this.#state?.time.isLive === true) {
      this.#view = following(this.#view, this.#state.shown.at);
    }
    this.paint();
  }

  panBy(pixels: number): void {
    if (pixels === 0) return;
    this.follow(false);
    this.#view = panned(this.#view, pixels);
    this.paint();
  }

  scrollBy(pixels: number): void {
    this.#view = scrolled(this.#view, pixels);
    this.paint();
  }

  // ── Pointer and keys ───────────────────────────────────────────────────────────────────────────────────────────────

  pointAt(x: number, y: number): void {
    const found = this.#find(x, y);
    if (found.flight !== this.#hovered) {
      this.#hovered = found.flight;
      this.#paintMarks();
    }
    this.#events.pointed(found.flight === undefined && found.step === undefined ? undefined : found);
  }

  leave(): void {
    this.#hovered = undefined;
    this.#events.pointed(undefined);
    this.#paintMarks();
  }

  click(x: number, y: number): void {
    const { flight, step } = this.#find(x, y);
    this.choose(flight === undefined ? undefined : this.#nearerEnd(flight, x, y), step);
  }

  choose(end: End | undefined, step?: StepEvent): void {
    this.mark(end);
    this.#events.chose(end, step);
  }

  /** Marks without telling: what others selected. */
  mark(end: End | undefined): void {
    this.#selected = end;
    if (end !== undefined && !this.#isFollowing) this.#view = revealing(this.#view, endOf(end).at);
    this.paint();
  }

  /** False where there is nothing that way. */
  travel(direction: Direction): boolean {
    const from = this.#selected ?? this.#newestEnd();
    const to =
      from === undefined || this.#selected === undefined
        ? from
        : travel(this.book, this.#shown, from, direction);
    if (to === undefined) return false;
    this.follow(false);
    this.#view = revealing(this.#view, endOf(to).at);
    this.choose(to);
    return true;
  }

  /** The flight with this message's id that has to do with the node, if it is held. */
  flightOf(id: string, node: number | undefined): Flight | undefined {
    const isIt = ({ sent, received }: Flight): boolean => sent?.id === id || received?.id === id;
    return (
      this.book.flights.findLast((flight) => isIt(flight) && flight.to === node) ??
      this.book.flights.findLast((flight) => isIt(flight) && (node === undefined || flight.from === node))
    );
  }

  // ── Within ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  paint(): void {
    const scene = this.#scene();
    if (scene === undefined) return;
    paintFrame(this.#run, scene, this.#palette);
    this.#run.save();
    this.#run.beginPath();
    this.#run.rect(0, HEAD_PX - 14, scene.view.width, scene.view.height - FOOT_PX - HEAD_PX + 14);
    this.#run.clip();
    const drawn = paintFlights(this.#run, scene, this.#palette, this.#levels);
    paintSteps(this.#run, scene, this.#palette);
    this.#run.restore();
    paintGutter(this.#run, scene, this.#palette);
    this.#paintMarks();
    this.#events.drew(drawn);
  }

  #pivot(): number {
    const { width, from } = this.#view;
    const left = xOf(this.#view, from);
    const instant = this.#state?.time.isLive === false ? xOf(this.#view, this.#state.time.at) : left;
    return instant > left && instant < width ? instant : (width + left) / 2;
  }

  #paintMarks(): void {
    const scene = this.#scene();
    const isMarked = this.#hovered !== undefined || this.#selected !== undefined || scene?.isLive === false;
    // An empty canvas that stays empty costs nothing.
    if (scene === undefined || (!isMarked && !this.#wasMarked)) return;
    this.#wasMarked = isMarked;
    paintMarks(this.#marks, scene, this.#palette, { hovered: this.#hovered, selected: this.#selected });
  }

  #scene(): Scene | undefined {
    if (this.#state === undefined) return undefined;
    const { shown, time } = this.#state;
    const { nodes, chains, steps, at } = shown;
    const [view, book, rounds, outages] = [this.#view, this.book, this.#rounds, this.#outages];
    return { view, nodes, chains, book, rounds, outages, steps, shown: this.#shown, at, isLive: time.isLive };
  }

  #learn({ shown, newest, hello }: PageState): void {
    if (this.#past.learn(shown)) {
      this.#hovered = undefined;
      this.#selected = undefined;
    }
    const steps = this.#steps.follow(shown.steps);
    if (steps.isAnew) {
      this.#rounds.clear();
      // What a live run's processes did does not change with the instant that is shown; a recorded run tells it anew.
      if (isRemote(hello?.run)) this.#outages.clear();
    }
    this.#rounds.take(steps.rows);
    this.#outages.take(steps.rows);
    this.#outages.see(newest);
  }

  #chooseSpan(): void {
    const bands = this.#rounds.bands.slice(-ROUNDS_FIRST - 1);
    const [first, last] = [bands[0], bands.at(-1)];
    if (first === undefined || last === undefined || bands.length < ROUNDS_FIRST) return;
    const spanMs = ((last.from - first.from) * ROUNDS_FIRST) / (bands.length - 1);
    if (!(spanMs > 0)) return;
    this.#isFirst = false;
    this.#view = {
      ...this.#view,
      spanMs: Math.min(SPAN_FIRST_MS_MAX, Math.max(SPAN_FIRST_MS_MIN, spanMs)),
    };
    if (this.#state?.time.isLive === false) this.#view = following(this.#view, this.#state.time.at);
  }

  #find(x: number, y: number): Pointed {
    const step = stepAt(this.#view, this.#state?.shown.steps ?? emptyTimeline(), x, y);
    const flight = step === undefined ? flightAt(this.#view, this.book, this.#shown, x, y) : undefined;
    return { flight, step, x, y };
  }

  #nearerEnd(flight: Flight, x: number, y: number): End {
    const isNear = (side: End['side']): number => {
      const { node, at } = endOf({ flight, side });
      const lane = typeof node === 'number' ? yOf(this.#view, node) : Number.POSITIVE_INFINITY;
      return Math.hypot(xOf(this.#view, at) - x, lane - y);
    };
    if (flight.received === undefined) return { flight, side: 'sent' };
    if (flight.sent === undefined) return { flight, side: 'received' };
    return { flight, side: isNear('sent') < isNear('received') ? 'sent' : 'received' };
  }

  #newestEnd(): End | undefined {
    const flight = this.book.flights.findLast(({ family }) => this.#shown.has(family));
    if (flight === undefined) return undefined;
    return { flight, side: flight.received === undefined ? 'sent' : 'received' };
  }
}

/** What is opaque costs less to compose. */
function contextOf(canvas: HTMLCanvasElement, alpha: boolean): CanvasRenderingContext2D {
  const context = canvas.getContext('2d', { alpha });
  if (context === null)
    throw new Error(
      'this browser gives no 2D canvas: the diagram cannot be drawn; the message list has the same rows',
    );
  return context;
}
