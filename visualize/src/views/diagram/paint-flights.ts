/**
 * Messages as arrows: whole ones by families, one path each; lost, late and refused ones apart; bundles with counts where there are too
 * many. Draws on a canvas; a frame allocates nothing for a message.
 */
import { FAMILIES, type Family, type Head, headOf } from '../families.ts';
import type { Activity } from './activity.ts';
import { type Bundler, bundle } from './bundles.ts';
import type { Flight } from './flights.ts';
import { paintActivity } from './paint-activity.ts';
import type { Palette } from './palette.ts';
import type { Scene } from './scene.ts';
import { segmentOf } from './segments.ts';
import { GUTTER_PX, type Viewport, yOf } from './viewport.ts';

/** More flights in sight are bundled. @unit flights @source measured: 60 frames a second in software rendering */
const LINES_MAX = 1_500;
/** Of more, so many begin together that bars tell it better: no bundling is tried. @unit flights */
const BUNDLED_MAX = 8_000;
/** More have no heads: heads would be all that is seen. @unit flights */
const HEADS_MAX = 700;
/** Lost, late and refused ones are drawn one by one, since they are what people look for; so many. @unit flights */
const ODD_MAX = 400;
/** Subpaths of one stroke: rasterising grows faster than their number. */
const SUBPATHS_MAX = 256;

/** Of one frame: how the flights in sight were drawn, for the legend. */
export interface FlightsDrawn {
  readonly seen: number;
  readonly detail: 'each' | 'bundles' | 'bars';
}

/** Reused by each frame, and longer than what is in it. */
const whole: Flight[] = [];
let wholeCount = 0;
const odd: Flight[] = [];

export function paintFlights(
  context: CanvasRenderingContext2D,
  scene: Scene,
  palette: Palette,
  { bundler, activity }: { readonly bundler: Bundler; readonly activity: Activity },
): FlightsDrawn {
  collect(scene);
  const seen = wholeCount + odd.length;
  let detail: FlightsDrawn['detail'] = 'each';
  if (wholeCount <= LINES_MAX) paintWhole(context, scene, palette, wholeCount <= HEADS_MAX);
  else {
    detail = wholeCount <= BUNDLED_MAX && bundleAll(scene, bundler) ? 'bundles' : 'bars';
    if (detail === 'bundles') paintBundles(context, scene, palette, bundler);
    else paintActivity(context, scene, palette, activity, whole, wholeCount);
  }
  paintOdd(context, scene, palette);
  odd.length = 0;
  return { seen, detail };
}

function collect({ book, view, shown }: Scene): void {
  wholeCount = 0;
  const until = view.from + view.spanMs + book.spanMax;
  for (let place = book.firstAt(view.from); place < book.flights.length; place += 1) {
    const flight = book.flights[place];
    if (flight === undefined || flight.at > until) break;
    if (!shown.has(flight.family) || !isInSight(view, flight)) continue;
    if (odd.length < ODD_MAX && book.fateOf(flight) !== 'arrived') odd.push(flight);
    else {
      whole[wholeCount] = flight;
      wholeCount += 1;
    }
  }
}

function isInSight({ from, spanMs }: Viewport, { sent, received, at }: Flight): boolean {
  const [one, other] = [sent?.at ?? at, received?.at ?? at];
  return Math.max(one, other) >= from && Math.min(one, other) <= from + spanMs;
}

function paintWhole(
  context: CanvasRenderingContext2D,
  scene: Scene,
  palette: Palette,
  withHeads: boolean,
): void {
  const { view, book } = scene;
  context.setLineDash(SOLID);
  for (const { family, head } of LAST_FIRST) {
    context.strokeStyle = palette.family.get(family) ?? palette.ink;
    context.fillStyle = context.strokeStyle;
    context.lineWidth = weightOf(family);
    context.globalAlpha = (wholeCount > 400 ? 0.75 : 1) * (QUIET.has(family) ? 0.6 : 1);
    let subpaths = 0;
    for (let place = 0; place < wholeCount; place += 1) {
      const flight = whole[place];
      if (flight?.family !== family) continue;
      if (subpaths === 0) context.beginPath();
      const { fromX, fromY, toX, toY } = segmentOf(view, flight, book);
      context.moveTo(fromX, fromY);
      context.lineTo(toX, toY);
      subpaths += 1;
      if (subpaths < SUBPATHS_MAX) continue;
      context.stroke();
      subpaths = 0;
    }
    if (subpaths > 0) context.stroke();
    if (withHeads) paintHeads(context, scene, family, head);
  }
  context.globalAlpha = 1;
}

function paintHeads(
  context: CanvasRenderingContext2D,
  { view, book }: Scene,
  family: Family,
  head: Head,
): void {
  for (let place = 0; place < wholeCount; place += 1) {
    const flight = whole[place];
    if (flight?.family !== family) continue;
    const { fromX, fromY, toX, toY } = segmentOf(view, flight, book);
    paintHead(context, head, fromX, fromY, toX, toY);
  }
}

export function paintHead(
  context: CanvasRenderingContext2D,
  head: Head,
  fromX: number,
  fromY: number,
  toX: number,
  toY: number,
): void {
  const length = Math.hypot(toX - fromX, toY - fromY) || 1;
  const [x, y] = [(toX - fromX) / length, (toY - fromY) / length];
  context.beginPath();
  HEADS[head](context, toX, toY, x, y);
}

/** Draws a head at its tip; `x` and `y` are the unit vector along the arrow. */
type DrawHead = (context: CanvasRenderingContext2D, tipX: number, tipY: number, x: number, y: number) => void;

const barbs: DrawHead = (context, tipX, tipY, x, y) => {
  const [backX, backY] = [tipX - x * 8, tipY - y * 8];
  context.moveTo(backX - y * 3.6, backY + x * 3.6);
  context.lineTo(tipX, tipY);
  context.lineTo(backX + y * 3.6, backY - x * 3.6);
};

const HEADS: Readonly<Record<Head, DrawHead>> = {
  open: (context, tipX, tipY, x, y) => {
    barbs(context, tipX, tipY, x, y);
    context.stroke();
  },
  triangle: (context, tipX, tipY, x, y) => {
    barbs(context, tipX, tipY, x, y);
    context.fill();
  },
  diamond: (context, tipX, tipY, x, y) => {
    context.moveTo(tipX, tipY);
    context.lineTo(tipX - x * 4.5 - y * 3.4, tipY - y * 4.5 + x * 3.4);
    context.lineTo(tipX - x * 9, tipY - y * 9);
    context.lineTo(tipX - x * 4.5 + y * 3.4, tipY - y * 4.5 - x * 3.4);
    context.fill();
  },
  square: (context, tipX, tipY) => {
    context.rect(tipX - 3, tipY - 3, 6, 6);
    context.fill();
  },
  bar: (context, tipX, tipY, x, y) => {
    context.moveTo(tipX - y * 4, tipY + x * 4);
    context.lineTo(tipX + y * 4, tipY - x * 4);
    context.stroke();
  },
  dot: (context, tipX, tipY) => {
    context.arc(tipX, tipY, 2.2, 0, 2 * Math.PI);
    context.fill();
  },
};

function bundleAll({ view, book, nodes }: Scene, bundler: Bundler): boolean {
  const outside = nodes.length;
  return bundle(bundler, (add) => {
    for (let place = 0; place < wholeCount; place += 1) {
      const flight = whole[place];
      if (flight === undefined) break;
      const { fromX, toX } = segmentOf(view, flight, book);
      const from = typeof flight.from === 'number' ? flight.from : outside;
      const to = typeof flight.to === 'number' ? flight.to : outside;
      if (!add(PLACE_OF.get(flight.family) ?? 0, from, to, fromX, toX)) return false;
    }
    return true;
  });
}

function paintBundles(
  context: CanvasRenderingContext2D,
  scene: Scene,
  palette: Palette,
  bundler: Bundler,
): void {
  context.setLineDash(SOLID);
  for (const [place, { family }] of FAMILIES.entries()) {
    context.strokeStyle = palette.family.get(family) ?? palette.ink;
    for (let each = 0; each < bundler.size; each += 1) {
      if (bundler.family[each] === place) paintBundle(context, scene, bundler, each);
    }
  }
  context.globalAlpha = 1;
}

/** Wider and firmer the more there are in it. */
function paintBundle(
  context: CanvasRenderingContext2D,
  { view, nodes }: Scene,
  bundler: Bundler,
  each: number,
): void {
  const [from, to] = [bundler.from[each] ?? 0, bundler.to[each] ?? 0];
  if (from >= nodes.length || to >= nodes.length) return;
  const count = bundler.count[each] ?? 1;
  context.lineWidth = Math.min(4, 0.8 + Math.log2(count) * 0.45);
  context.globalAlpha = Math.min(0.85, 0.35 + Math.log2(count) * 0.1);
  context.beginPath();
  context.moveTo(bundler.fromX[each] ?? 0, yOf(view, from));
  context.lineTo(bundler.toX[each] ?? 0, yOf(view, to));
  context.stroke();
}

function paintOdd(context: CanvasRenderingContext2D, scene: Scene, palette: Palette): void {
  for (const flight of odd) paintOddOne(context, scene, palette, flight);
  context.setLineDash(SOLID);
  context.globalAlpha = 1;
}

export function paintOddOne(
  context: CanvasRenderingContext2D,
  { view, book }: Scene,
  palette: Palette,
  flight: Flight,
): void {
  const fate = book.fateOf(flight);
  const { fromX, fromY, toX, toY } = segmentOf(view, flight, book);
  if (toX < GUTTER_PX && fromX < GUTTER_PX) return;
  const own = palette.family.get(flight.family) ?? palette.ink;
  const isWrong = fate === 'lost' || fate === 'refused';
  context.strokeStyle = isWrong ? palette.bad : own;
  context.fillStyle = context.strokeStyle;
  context.globalAlpha = fate === 'halfSeen' || fate === 'flying' ? 0.45 : 1;
  context.lineWidth = fate === 'late' || isWrong ? 1.6 : 1.1;
  context.setLineDash(fate === 'lost' ? LOST_DASH : fate === 'late' ? LATE_DASH : SOLID);
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
  context.setLineDash(SOLID);
  if (fate === 'lost') cross(context, toX, toY);
  else if (fate === 'refused') barred(context, palette, toX, toY);
  else if (flight.received !== undefined) paintHead(context, headOf(flight.family), fromX, fromY, toX, toY);
}

/** What a round hangs on is drawn last, on top. */
const LAST_FIRST = FAMILIES.toReversed();
const SOLID: number[] = [];
const LOST_DASH = [3, 3];
const LATE_DASH = [9, 4];
const PLACE_OF: ReadonlyMap<Family, number> = new Map(FAMILIES.map(({ family }, place) => [family, place]));

/** Many, and seldom what is looked for: behind the others. */
const QUIET: ReadonlySet<Family> = new Set(['batch', 'clock', 'gossip']);

/** Proposals, certificates and view changes are what a round hangs on. */
const weightOf = (family: Family): number =>
  family === 'proposal' || family === 'certificate' || family === 'viewChange' ? 1.5 : 1.1;

function cross(context: CanvasRenderingContext2D, x: number, y: number): void {
  context.lineWidth = 1.8;
  context.beginPath();
  context.moveTo(x - 3.5, y - 3.5);
  context.lineTo(x + 3.5, y + 3.5);
  context.moveTo(x + 3.5, y - 3.5);
  context.lineTo(x - 3.5, y + 3.5);
  context.stroke();
}

function barred(context: CanvasRenderingContext2D, palette: Palette, x: number, y: number): void {
  context.beginPath();
  context.arc(x, y, 4.5, 0, 2 * Math.PI);
  context.fillStyle = palette.panel;
  context.fill();
  context.lineWidth = 1.6;
  context.stroke();
  context.beginPath();
  context.moveTo(x - 3.2, y + 3.2);
  context.lineTo(x + 3.2, y - 3.2);
  context.stroke();
}
