import { describe, expect, it } from 'vitest';
import {
  atOf,
  fitting,
  following,
  laneAt,
  laneHeightOf,
  panned,
  revealing,
  SPAN_MS_MAX,
  SPAN_MS_MIN,
  scrolled,
  ticksOf,
  type Viewport,
  xOf,
  yOf,
  zoomed,
} from '../../../../visualize/src/views/diagram/viewport.ts';

const VIEW: Viewport = { from: 10_000, spanMs: 2_000, width: 1_132, height: 656, scrollY: 0, lanes: 4 };

describe('the view of the diagram', () => {
  it('keeps the instant under the pointer when it zooms', () => {
    for (const factor of [0.5, 3]) expect(atOf(zoomed(VIEW, 700, factor), 700)).toBeCloseTo(atOf(VIEW, 700));
  });

  it('zooms no further than a few messages, and out to what the page keeps', () => {
    expect(zoomed(VIEW, 700, 1e-9).spanMs).toBe(SPAN_MS_MIN);
    expect(zoomed(VIEW, 700, 1e9).spanMs).toBe(SPAN_MS_MAX);
  });

  it('moves with the pointer that drags it', () => {
    expect(xOf(panned(VIEW, 50), 11_000) - xOf(VIEW, 11_000)).toBeCloseTo(50);
  });

  it('has the newest instant at the right while it follows, and any instant in sight that is revealed', () => {
    expect(xOf(following(VIEW, 50_000), 50_000)).toBeGreaterThan(0.9 * VIEW.width);
    expect(xOf(following(VIEW, 50_000), 50_000)).toBeLessThan(VIEW.width);
    expect(revealing(VIEW, 11_000)).toBe(VIEW);
    expect(xOf(revealing(VIEW, 90_000), 90_000)).toBeCloseTo((132 + VIEW.width) / 2);
  });

  it('shows all of what it is fitted to', () => {
    const view = fitting(VIEW, 1_000, 61_000);
    expect(xOf(view, 1_000)).toBeGreaterThan(132);
    expect(xOf(view, 61_000)).toBeLessThan(VIEW.width);
  });

  it('finds the lane of a pointer', () => {
    expect([0, 1, 2, 3].map((lane) => laneAt(VIEW, yOf(VIEW, lane)))).toEqual([0, 1, 2, 3]);
    expect(laneAt(VIEW, 3)).toBeUndefined();
    expect(laneAt({ ...VIEW, lanes: 1 }, yOf({ ...VIEW, lanes: 1 }, 0) + 200)).toBeUndefined();
  });

  it('scrolls lanes that do not fit, and no further than the last', () => {
    const many = { ...VIEW, lanes: 40 };
    expect(laneHeightOf(many)).toBe(15);
    const last = scrolled(many, 1e6);
    expect(laneAt(last, yOf(last, 39))).toBe(39);
    expect(scrolled(last, 50)).toEqual(last);
    expect(scrolled(VIEW, 50).scrollY).toBe(0);
  });

  it('has ticks at round instants, with milliseconds where those differ', () => {
    const labels = (spanMs: number) => ticksOf({ ...VIEW, spanMs }).map(({ label }) => label);
    expect(labels(1_000).slice(0, 2)).toEqual(['00:00:10.000', '00:00:10.100']);
    expect(labels(60_000).slice(0, 2)).toEqual(['00:00:10', '00:00:20']);
    for (const spanMs of [4, 100, 5_000, SPAN_MS_MAX]) expect(labels(spanMs).length).toBeLessThan(13);
  });
});
