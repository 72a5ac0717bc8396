import { describe, expect, it } from 'vitest';
import { History } from '../../../visualize/src/feed/history.ts';
import { apply, become, emptyModel, greet, type Model } from '../../../visualize/src/feed/model.ts';
import { heard } from '../support/run.ts';

const { hello, moment, deltas } = heard(800);
const start = become(greet(emptyModel, hello), moment);

/** A history of all deltas, and each model that there was. */
function recorded(
  bounds?: { segmentsMax: number; bytesMax: number },
  bytes = 10,
): [History, readonly Model[]] {
  const history = new History(bounds);
  history.restart(start);
  const models = [start];
  for (const delta of deltas) {
    const before = models.at(-1) ?? start;
    history.push(before, delta, bytes);
    models.push(apply(before, delta));
  }
  return [history, models];
}

describe('the history of a live run', () => {
  it('gives back the model of any instant', () => {
    const [history, models] = recorded();
    for (const place of [0, 1, 39, 40, 41, 150, 799, 800]) {
      expect(history.modelAt(models[place]?.at ?? 0)).toEqual(models[place]);
    }
    expect(history.modelAt((models[7]?.at ?? 0) + 20)).toEqual(models[7]);
  });

  it('shows the oldest for what is older than all', () => {
    const [history] = recorded();
    expect(history.modelAt(0)).toEqual(start);
    expect(new History().modelAt(0)).toBeUndefined();
  });

  it('is bounded in bytes: what is old is thinned to an instant every 2 s, and then goes', () => {
    const [thinned] = recorded({ segmentsMax: 300, bytesMax: 6_500 });
    expect(thinned.size.bytes).toBeLessThanOrEqual(6_500);
    expect(thinned.from).toBe(start.at);
    expect(thinned.neighbour(start.at, 1)).toBe(start.at + 2_000);
    expect(thinned.modelAt(start.at + 1_900)).toEqual(start);
    const [cut] = recorded({ segmentsMax: 300, bytesMax: 100 }, 20);
    expect(cut.size.bytes).toBeLessThanOrEqual(800);
    expect(cut.from).toBeGreaterThan(start.at);
  });

  it('is bounded in segments, and moments without deltas are such', () => {
    const history = new History({ segmentsMax: 50, bytesMax: 5_000 });
    for (let at = 1; at <= 1_000; at += 1) history.restart({ ...start, at });
    expect(history.size.segments).toBe(50);
    expect(history.from).toBe(951);
  });

  it('steps on and back by one delta, over the borders of segments, and stops at both ends', () => {
    const [history, models] = recorded();
    const times = models.map(({ at }) => at);
    for (const place of [0, 1, 38, 39, 40, 41, 80, 799]) {
      expect(history.neighbour(times[place] ?? 0, 1)).toBe(times[place + 1]);
      expect(history.neighbour(times[place + 1] ?? 0, -1)).toBe(times[place]);
    }
    expect(history.neighbour(times[800] ?? 0, 1)).toBeUndefined();
    expect(history.neighbour(times[0] ?? 0, -1)).toBeUndefined();
  });
});
