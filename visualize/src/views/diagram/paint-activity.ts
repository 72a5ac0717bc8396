/** Where there are too many messages for arrows: bars on each lane, what it sent above and what it received below. Draws on a canvas. */
import { FAMILIES } from '../families.ts';
import { type Activity, BUCKET_PX } from './activity.ts';
import type { Flight } from './flights.ts';
import type { Palette } from './palette.ts';
import type { Scene } from './scene.ts';
import { GUTTER_PX, laneHeightOf, plotWidthOf, xOf, yOf } from './viewport.ts';

/** Of a lane's half, for the tallest bar. */
const HEIGHT_PART = 0.82;
/** The least that is seen. @unit px */
const BAR_PX_MIN = 1;

export function paintActivity(
  context: CanvasRenderingContext2D,
  { view }: Scene,
  palette: Palette,
  activity: Activity,
  flights: readonly Flight[],
): void {
  activity.begin(view.lanes, Math.ceil(plotWidthOf(view) / BUCKET_PX));
  for (const { sent, received, family } of flights) {
    const place = PLACE_OF.get(family) ?? 0;
    if (sent !== undefined) activity.add(sent.node, bucketOf(xOf(view, sent.at)), true, place);
    if (received !== undefined) activity.add(received.node, bucketOf(xOf(view, received.at)), false, place);
  }
  activity.measure();
  const perMessage = (laneHeightOf(view) / 2) * (HEIGHT_PART / Math.max(1, activity.most));
  for (const [place, { family }] of FAMILIES.entries()) {
    context.fillStyle = palette.family.get(family) ?? palette.ink;
    context.beginPath();
    for (let lane = 0; lane < activity.lanes; lane += 1) {
      const y = yOf(view, lane);
      addBars(context, activity, lane, place, perMessage, y);
    }
    context.fill();
  }
}

function addBars(
  context: CanvasRenderingContext2D,
  activity: Activity,
  lane: number,
  family: number,
  perMessage: number,
  y: number,
): void {
  for (let bucket = 0; bucket < activity.buckets; bucket += 1) {
    const x = GUTTER_PX + bucket * BUCKET_PX;
    for (const isSent of SENT_AND_RECEIVED) {
      const count = activity.of(lane, bucket, isSent, family);
      if (count === 0) continue;
      let below = 0;
      for (let other = 0; other < family; other += 1) below += activity.of(lane, bucket, isSent, other);
      const height = Math.max(BAR_PX_MIN, count * perMessage);
      const from = below * perMessage + 1;
      context.rect(x, isSent ? y - from - height : y + from, BUCKET_PX - 1, height);
    }
  }
}

const SENT_AND_RECEIVED = [true, false] as const;
const bucketOf = (x: number): number => Math.floor((x - GUTTER_PX) / BUCKET_PX);
const PLACE_OF: ReadonlyMap<string, number> = new Map(FAMILIES.map(({ family }, place) => [family, place]));
