/** Where there are too many messages for arrows: bars on each lane, what it sent above and what it received below. Draws on a canvas. */
import { FAMILIES } from '../families.ts';
import { ACTIVITY_BARS_MAX, type Activity, BUCKET_PX } from './activity.ts';
import type { Flight } from './flights.ts';
import type { Palette } from './palette.ts';
import type { Scene } from './scene.ts';
import { GUTTER_PX, laneHeightOf, plotWidthOf, yOf } from './viewport.ts';

/** Of a lane's half, for the tallest bar. */
const HEIGHT_PART = 0.82;

export function paintActivity(
  context: CanvasRenderingContext2D,
  { view }: Scene,
  palette: Palette,
  activity: Activity,
  flights: readonly Flight[],
  count: number,
): void {
  activity.begin(view.lanes, Math.ceil(plotWidthOf(view) / BUCKET_PX));
  const perMs = plotWidthOf(view) / view.spanMs / BUCKET_PX;
  for (let each = 0; each < count; each += 1) {
    const flight = flights[each];
    if (flight === undefined) break;
    const { sent, received, family } = flight;
    const place = PLACE_OF.get(family) ?? 0;
    if (sent !== undefined) activity.add(sent.node, Math.floor((sent.at - view.from) * perMs), true, place);
    if (received !== undefined)
      activity.add(received.node, Math.floor((received.at - view.from) * perMs), false, place);
  }
  activity.measure();
  const perMessage = (laneHeightOf(view) / 2) * (HEIGHT_PART / Math.max(1, activity.most));
  drawn.fill(0, 0, activity.lanes * activity.buckets * 2);
  // A family at a time: a colour is set six times, not six thousand.
  for (const [place, { family }] of FAMILIES.entries()) {
    context.fillStyle = palette.family.get(family) ?? palette.ink;
    for (let lane = 0; lane < activity.lanes; lane += 1) {
      const y = Math.round(yOf(view, lane));
      for (let bucket = 0; bucket < activity.buckets; bucket += 1) {
        paintBar(context, activity, lane, bucket, true, place, y, perMessage);
        paintBar(context, activity, lane, bucket, false, place, y, perMessage);
      }
    }
  }
}

/** One family of one bar, on those before it. Whole pixels: they are drawn quickest, and sharp. */
function paintBar(
  context: CanvasRenderingContext2D,
  activity: Activity,
  lane: number,
  bucket: number,
  isSent: boolean,
  family: number,
  y: number,
  perMessage: number,
): void {
  const count = activity.of(lane, bucket, isSent, family);
  if (count === 0) return;
  const place = (lane * activity.buckets + bucket) * 2 + (isSent ? 0 : 1);
  const from = drawn[place] ?? 0;
  // What is less than a pixel is told by the pixel that is there already.
  const height = from === 0 ? Math.max(1, Math.round(count * perMessage)) : Math.round(count * perMessage);
  if (height === 0) return;
  drawn[place] = from + height;
  const x = GUTTER_PX + bucket * BUCKET_PX;
  context.fillRect(x, isSent ? y - 1 - from - height : y + 1 + from, BUCKET_PX - 1, height);
}

/** How high each bar is so far. @unit px @source as many as `Activity` counts */
const drawn = new Uint16Array(ACTIVITY_BARS_MAX);

const PLACE_OF: ReadonlyMap<string, number> = new Map(FAMILIES.map(({ family }, place) => [family, place]));
