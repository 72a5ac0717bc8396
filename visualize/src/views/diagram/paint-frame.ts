/** What stands behind the messages: rounds as bands, ticks of time, lanes with their gaps, and the names at the left. Draws on a canvas. */
import type { NodeIndex } from '../../../../src/observe/feed/feed.ts';
import type { Palette } from './palette.ts';
import type { Band } from './rounds.ts';
import type { Scene } from './scene.ts';
import { FOOT_PX, GUTTER_PX, HEAD_PX, laneHeightOf, ticksOf, type Viewport, xOf, yOf } from './viewport.ts';

/** Narrower bands are not told apart: they are left out of the background. @unit px */
const BAND_PX_MIN = 3;
/** Room that a round's number takes, and with its leader's name. @unit px */
const NUMBER_PX = 34;
const LEADER_PX = 96;

export function paintFrame(context: CanvasRenderingContext2D, scene: Scene, palette: Palette): void {
  const { view } = scene;
  context.fillStyle = palette.panel;
  context.fillRect(0, 0, view.width, view.height);
  context.save();
  context.beginPath();
  context.rect(GUTTER_PX, 0, view.width - GUTTER_PX, view.height);
  context.clip();
  paintBands(context, scene, palette);
  paintTicks(context, view, palette);
  context.restore();
  paintLanes(context, scene, palette);
}

/** Drawn after the messages, over them. */
export function paintGutter(context: CanvasRenderingContext2D, scene: Scene, palette: Palette): void {
  const { view, nodes, chains, outages, at } = scene;
  context.fillStyle = palette.panel;
  context.fillRect(0, HEAD_PX, GUTTER_PX - 1, view.height - HEAD_PX);
  context.fillRect(0, 0, GUTTER_PX - 1, HEAD_PX);
  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  line(context, GUTTER_PX - 0.5, 0, GUTTER_PX - 0.5, view.height - FOOT_PX);
  context.save();
  context.beginPath();
  context.rect(0, HEAD_PX, GUTTER_PX, view.height - HEAD_PX - FOOT_PX);
  context.clip();
  const isTall = laneHeightOf(view) >= 34;
  for (const [place, node] of nodes.entries()) {
    const y = yOf(view, place);
    const chain = chains.get(place);
    const isDown = outages.isDown(place, at);
    context.textAlign = 'left';
    context.textBaseline = 'middle';
    context.font = `600 12px ${palette.font}`;
    context.fillStyle = isDown ? palette.bad : palette.ink;
    const leads = chain?.leader === node.id;
    const name = node.moniker === '' ? node.id.slice(0, 8) : node.moniker;
    context.fillText(clipped(context, name, GUTTER_PX - 30), 12, isTall ? y - 8 : y);
    if (leads && !isDown) leaderMark(context, palette, GUTTER_PX - 15, isTall ? y - 8 : y);
    if (!isTall) continue;
    context.font = `400 11px ${palette.font}`;
    context.fillStyle = isDown ? palette.bad : palette.muted;
    const words = chain === undefined ? '' : `height ${chain.committed.height}`;
    context.fillText(isDown ? 'down' : clipped(context, words, GUTTER_PX - 18), 12, y + 8);
  }
  context.restore();
}

function paintBands(context: CanvasRenderingContext2D, scene: Scene, palette: Palette): void {
  const { view } = scene;
  forEachBand(scene, (band, from, to) => paintBand(context, view, band, from, to, palette));
  let free = Number.NEGATIVE_INFINITY;
  forEachBand(scene, (band, from, to) => {
    const x = Math.max(from, GUTTER_PX) + 6;
    if (to < GUTTER_PX + 8 || x < free) return;
    paintBandName(context, band, leaderName(scene, band), x, to - x, palette);
    free = x + NUMBER_PX;
  });
}

/** Whoever proposed; else whose turn it was. */
const leaderName = ({ nodes }: Scene, { leader, leaderId }: Band): string | undefined =>
  (leader === undefined ? nodes.find(({ id }) => id === leaderId) : nodes[leader])?.moniker ??
  leaderId?.slice(0, 8);

/** Those in sight, with their left and right. */
function forEachBand({ view, rounds }: Scene, visit: (band: Band, from: number, to: number) => void): void {
  const { bands } = rounds;
  for (let place = rounds.placeAt(view.from); place < bands.length; place += 1) {
    const band = bands[place];
    if (band === undefined) return;
    const from = xOf(view, band.from);
    if (from > view.width) return;
    const next = bands[place + 1];
    visit(band, from, next === undefined ? view.width : xOf(view, next.from));
  }
}

function paintBand(
  context: CanvasRenderingContext2D,
  { height }: Viewport,
  { round, end }: Band,
  from: number,
  to: number,
  palette: Palette,
): void {
  if (to - from < BAND_PX_MIN) return;
  const isFailed = end === 'failed';
  if (round % 2 === 0 || isFailed) {
    context.fillStyle = isFailed ? palette.failed : palette.band;
    context.fillRect(from, 0, to - from, height - FOOT_PX);
  }
  context.strokeStyle = palette.soft;
  context.lineWidth = 1;
  line(context, Math.round(from) + 0.5, 0, Math.round(from) + 0.5, height - FOOT_PX);
}

function paintBandName(
  context: CanvasRenderingContext2D,
  { round, end, height, timedOut }: Band,
  leader: string | undefined,
  x: number,
  room: number,
  palette: Palette,
): void {
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  context.font = `600 12px ${palette.font}`;
  context.fillStyle = end === 'failed' ? palette.bad : palette.ink;
  context.fillText(String(round), x, 11);
  if (room < LEADER_PX) return;
  const numberPx = context.measureText(String(round)).width + 7;
  context.font = `400 11px ${palette.font}`;
  context.fillStyle = palette.muted;
  const about =
    end === 'failed'
      ? [`no QC, ${timedOut.size} timed out`]
      : height === undefined
        ? []
        : [`height ${height}`];
  const words = [...(leader === undefined ? [] : [leader]), ...about].join(' · ');
  context.fillText(clipped(context, words, room - numberPx - 6), x + numberPx, 11);
}

function paintTicks(context: CanvasRenderingContext2D, view: Viewport, palette: Palette): void {
  const y = view.height - FOOT_PX;
  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  line(context, GUTTER_PX, y + 0.5, view.width, y + 0.5);
  context.font = `400 11px ${palette.font}`;
  context.fillStyle = palette.muted;
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  for (const { at, label } of ticksOf(view)) {
    const x = Math.round(xOf(view, at)) + 0.5;
    line(context, x, y, x, y + 5);
    context.fillText(label, x + 4, y + 12);
  }
}

function paintLanes(context: CanvasRenderingContext2D, scene: Scene, palette: Palette): void {
  const { view, nodes, outages } = scene;
  context.save();
  context.beginPath();
  context.rect(0, HEAD_PX, view.width, view.height - HEAD_PX - FOOT_PX);
  context.clip();
  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  for (const place of nodes.keys()) {
    const y = Math.round(yOf(view, place)) + 0.5;
    line(context, GUTTER_PX, y, view.width, y);
  }
  for (const { node, from, to } of outages.outages) {
    const [left, right] = [xOf(view, from), to === undefined ? view.width : xOf(view, to)];
    if (right >= GUTTER_PX && left <= view.width) paintGap(context, view, node, left, right, palette);
  }
  context.restore();
}

/** A lane that has no process: erased, hatched, named. */
function paintGap(
  context: CanvasRenderingContext2D,
  view: Viewport,
  node: NodeIndex,
  left: number,
  right: number,
  palette: Palette,
): void {
  const y = yOf(view, node);
  const half = Math.min(14, laneHeightOf(view) / 2 - 3);
  context.save();
  context.beginPath();
  context.rect(Math.max(left, GUTTER_PX), y - half, right - Math.max(left, GUTTER_PX), 2 * half);
  context.fillStyle = palette.panel;
  context.fill();
  context.clip();
  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  context.beginPath();
  const first = Math.max(left, GUTTER_PX) - (Math.max(left, GUTTER_PX) % 8) - 2 * half;
  for (let x = first; x < Math.min(right, view.width) + 2 * half; x += 8) {
    context.moveTo(x, y + half);
    context.lineTo(x + 2 * half, y - half);
  }
  context.stroke();
  context.restore();
  context.strokeStyle = palette.bad;
  context.lineWidth = 1.5;
  if (left > GUTTER_PX) line(context, left, y - half, left, y + half);
  if (right < view.width) line(context, right, y - half, right, y + half);
  if (right - left < 48) return;
  context.font = `600 11px ${palette.font}`;
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  const x = Math.max(left, GUTTER_PX) + 8;
  const { width } = context.measureText('down');
  context.fillStyle = palette.panel;
  context.fillRect(x - 3, y - 8, width + 6, 16);
  context.fillStyle = palette.bad;
  context.fillText('down', x, y);
}

function leaderMark(context: CanvasRenderingContext2D, palette: Palette, x: number, y: number): void {
  context.beginPath();
  context.moveTo(x - 4, y + 4);
  context.lineTo(x, y - 4);
  context.lineTo(x + 4, y + 4);
  context.closePath();
  context.fillStyle = palette.family.get('proposal') ?? palette.ink;
  context.fill();
}

function clipped(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (context.measureText(text).width <= room) return text;
  for (let length = text.length - 1; length > 0; length -= 1) {
    const cut = `${text.slice(0, length)}…`;
    if (context.measureText(cut).width <= room) return cut;
  }
  return '';
}

function line(
  context: CanvasRenderingContext2D,
  fromX: number,
  fromY: number,
  toX: number,
  toY: number,
): void {
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
}
