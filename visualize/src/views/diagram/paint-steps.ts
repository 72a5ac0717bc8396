/** What a node did, as a glyph on its lane; and the marks of what is hovered and selected. Draws on a canvas. */
import type { StepEvent, StepKind } from '../../../../src/observe/feed/feed.ts';
import { forEachBetween } from '../../feed/timeline.ts';
import { type Family, headOf } from '../families.ts';
import type { Flight } from './flights.ts';
import { paintHead, paintOddOne } from './paint-flights.ts';
import type { Palette } from './palette.ts';
import type { Marked, Scene } from './scene.ts';
import { segmentOf } from './segments.ts';
import { endOf } from './travel.ts';
import { FOOT_PX, GUTTER_PX, HEAD_PX, laneHeightOf, plotWidthOf, xOf, yOf } from './viewport.ts';

/** Glyphs nearer than this to the one before of the same kind on the lane are left out. @unit px */
const APART_PX = 5;
/** What happens with nearly every message is shown when so little time is a pixel that it stands apart. @unit ms/px */
const FINE_MS_PER_PX = 0.4;
const FINE: ReadonlySet<StepKind> = new Set(['locked', 'executed']);
/** Beyond this only what seldom happens is shown. @unit ms/px */
const COARSE_MS_PER_PX = 8;
const USUAL: ReadonlySet<StepKind> = new Set([
  'roundEntered',
  'proposed',
  'voted',
  'qcFormed',
  'committed',
  ...FINE,
]);
const NONE: ReadonlySet<StepKind> = new Set();
const KINDS_MAX = 32;
/** X of the last glyph, by lane and kind. Reused by each frame; lanes beyond share their place. */
const lastX = new Float64Array(128 * KINDS_MAX);

export function paintSteps(context: CanvasRenderingContext2D, scene: Scene, palette: Palette): void {
  const { view, steps } = scene;
  lastX.fill(Number.NEGATIVE_INFINITY);
  const msPerPx = view.spanMs / plotWidthOf(view);
  const hidden = msPerPx > COARSE_MS_PER_PX ? USUAL : msPerPx > FINE_MS_PER_PX ? FINE : NONE;
  const scale = laneHeightOf(view) < 36 ? 0.8 : 1;
  context.setLineDash([]);
  forEachBetween(steps, view.from - 10 * msPerPx, view.from + view.spanMs + 10 * msPerPx, (step) => {
    if (hidden.has(step.kind)) return;
    const place = (step.node % 128) * KINDS_MAX + (KIND_PLACE.get(step.kind) ?? 0);
    const x = xOf(view, step.at);
    if (x - (lastX[place] ?? 0) < APART_PX) return;
    lastX[place] = x;
    paintStep(context, step, x, yOf(view, step.node), palette, scale);
  });
}

function paintStep(
  context: CanvasRenderingContext2D,
  { kind }: StepEvent,
  x: number,
  y: number,
  palette: Palette,
  scale: number,
): void {
  const family = FAMILY_OF[kind];
  const own = (family === undefined ? undefined : palette.family.get(family)) ?? palette.ink;
  const colour = WRONG.has(kind) ? palette.bad : FAINT.has(kind) ? palette.faint : own;
  context.fillStyle = colour;
  context.strokeStyle = colour;
  context.lineWidth = FAINT.has(kind) ? 1 : 1.5;
  context.beginPath();
  SHAPES[kind](context, x, y, scale, palette);
}

/** The cursor of the instant, what is hovered and what is selected: on a canvas of their own, over the rest. */
export function paintMarks(
  context: CanvasRenderingContext2D,
  scene: Scene,
  palette: Palette,
  marked: Marked,
): void {
  const { view, at, isLive } = scene;
  context.clearRect(0, 0, view.width, view.height);
  context.save();
  context.beginPath();
  context.rect(GUTTER_PX, 0, view.width - GUTTER_PX, view.height);
  context.clip();
  const x = Math.round(xOf(view, at)) + 0.5;
  if (!isLive && x >= GUTTER_PX) paintCursor(context, x, view.width, view.height, palette);
  const { hovered, selected } = marked;
  context.beginPath();
  context.rect(GUTTER_PX, HEAD_PX, view.width - GUTTER_PX, view.height - HEAD_PX - FOOT_PX);
  context.clip();
  if (hovered !== undefined && hovered !== selected?.flight)
    paintMarked(context, scene, palette, hovered, 2.4);
  if (selected !== undefined) {
    paintMarked(context, scene, palette, selected.flight, 3);
    const end = endOf(selected);
    if (typeof end.node === 'number') ring(context, xOf(view, end.at), yOf(view, end.node), palette);
  }
  context.restore();
}

/** What is after the instant is paler: it has not happened yet. */
function paintCursor(
  context: CanvasRenderingContext2D,
  x: number,
  width: number,
  height: number,
  palette: Palette,
): void {
  context.globalAlpha = 0.62;
  context.fillStyle = palette.panel;
  context.fillRect(x, HEAD_PX, Math.max(0, width - x), height - HEAD_PX - FOOT_PX);
  context.globalAlpha = 1;
  context.strokeStyle = palette.accent;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x, 20);
  context.lineTo(x, height - FOOT_PX);
  context.stroke();
}

function paintMarked(
  context: CanvasRenderingContext2D,
  scene: Scene,
  palette: Palette,
  flight: Flight,
  weight: number,
): void {
  const { view, book } = scene;
  const { fromX, fromY, toX, toY } = segmentOf(view, flight, book);
  context.lineCap = 'round';
  context.strokeStyle = palette.panel;
  context.lineWidth = weight + 2.5;
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
  context.lineCap = 'butt';
  if (book.fateOf(flight) !== 'arrived') {
    paintOddOne(context, scene, palette, flight);
    return;
  }
  context.strokeStyle = palette.family.get(flight.family) ?? palette.ink;
  context.fillStyle = context.strokeStyle;
  context.lineWidth = weight;
  context.stroke();
  paintHead(context, headOf(flight.family), fromX, fromY, toX, toY);
}

function ring(context: CanvasRenderingContext2D, x: number, y: number, palette: Palette): void {
  context.strokeStyle = palette.accent;
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, 8, 0, 2 * Math.PI);
  context.stroke();
}

type Shape = (
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  scale: number,
  palette: Palette,
) => void;

const filled =
  (draw: Shape): Shape =>
  (context, x, y, scale, palette) => {
    draw(context, x, y, scale, palette);
    context.fill();
  };

const polygon =
  (...points: readonly (readonly [number, number])[]): Shape =>
  (context, x, y, scale) => {
    for (const [place, [across, down]] of points.entries()) {
      if (place === 0) context.moveTo(x + across * scale, y + down * scale);
      else context.lineTo(x + across * scale, y + down * scale);
    }
    context.closePath();
  };

const stroked =
  (...lines: readonly (readonly [number, number, number, number])[]): Shape =>
  (context, x, y, scale) => {
    for (const [fromX, fromY, toX, toY] of lines) {
      context.moveTo(x + fromX * scale, y + fromY * scale);
      context.lineTo(x + toX * scale, y + toY * scale);
    }
    context.stroke();
  };

const disc =
  (radius: number): Shape =>
  (context, x, y, scale) =>
    context.arc(x, y, radius * scale, 0, 2 * Math.PI);

/** On the panel's ground, so that the lane does not run through it. */
const hollow =
  (radius: number): Shape =>
  (context, x, y, scale, palette) => {
    context.arc(x, y, radius * scale, 0, 2 * Math.PI);
    context.fillStyle = palette.panel;
    context.fill();
    context.stroke();
  };

const both =
  (...shapes: readonly Shape[]): Shape =>
  (context, x, y, scale, palette) => {
    for (const shape of shapes) {
      context.beginPath();
      shape(context, x, y, scale, palette);
    }
  };

const SHAPES: Readonly<Record<StepKind, Shape>> = {
  roundEntered: stroked([0, -4, 0, 4]),
  proposed: filled(polygon([-5, 4.5], [0, -5], [5, 4.5])),
  voted: filled(disc(3)),
  refusedToVote: both(hollow(4.5), stroked([-3.2, 3.2, 3.2, -3.2])),
  qcFormed: filled(polygon([0, -5.5], [4.8, 0], [0, 5.5], [-4.8, 0])),
  tcFormed: filled(polygon([-4, -4], [4, -4], [4, 4], [-4, 4])),
  timedOut: filled(polygon([-4, -5], [4, -5], [-4, 5], [4, 5])),
  locked: both(hollow(3.2)),
  committed: both(filled(disc(5)), (context, x, y, scale, palette) => {
    context.strokeStyle = palette.panel;
    stroked([-2.4, 0.2, -0.6, 2.1], [-0.6, 2.1, 2.6, -1.8])(context, x, y, scale, palette);
  }),
  executed: hollow(2.4),
  epochBegan: both(stroked([0, 6, 0, -7]), filled(polygon([0, -7], [7, -4.5], [0, -2]))),
  syncBegan: filled(polygon([-3, -4], [4, 0], [-3, 4])),
  syncEnded: both(stroked([3, -4, 3, 4]), filled(polygon([-4, -4], [2, 0], [-4, 4]))),
  restarted: both(hollow(4), stroked([0, -6.5, 3, -4], [3, -4, 0, -1.5])),
  crashed: stroked([-4.5, -4.5, 4.5, 4.5], [4.5, -4.5, -4.5, 4.5]),
  violated: both(filled(polygon([0, -7], [7, 6], [-7, 6])), (context, x, y, scale, palette) => {
    context.strokeStyle = palette.panel;
    stroked([0, -2.5, 0, 2], [0, 3.6, 0, 4.6])(context, x, y, scale, palette);
  }),
};

/** Of every node in every round. */
const FAINT: ReadonlySet<StepKind> = new Set(['roundEntered']);
const WRONG: ReadonlySet<StepKind> = new Set(['refusedToVote', 'crashed', 'violated']);
const FAMILY_OF: Readonly<Partial<Record<StepKind, Family>>> = {
  proposed: 'proposal',
  voted: 'vote',
  qcFormed: 'certificate',
  tcFormed: 'viewChange',
  timedOut: 'viewChange',
  syncBegan: 'sync',
  syncEnded: 'sync',
};
const KIND_PLACE: ReadonlyMap<string, number> = new Map(
  Object.keys(SHAPES).map((kind, place) => [kind, place]),
);
