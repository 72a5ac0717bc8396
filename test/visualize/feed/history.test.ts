import { describe, expect, it } from 'vitest';
import { History } from '../../../visualize/src/feed/history.ts';
import { apply, become, emptyModel, greet, type Model } from '../../../visualize/src/feed/model.ts';
import { heard } from '../support/run.ts';

const { hello, moment, deltas } = heard(300);
const start = become(greet(emptyModel, hello), moment);

/** A history of all deltas, and each model that there was. */
function recorded(bounds?: { deltasMax: number; bytesMax: number }, bytes = 10): [History, readonly Model[]] {
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
    for (const place of [0, 1, 39, 40, 41, 150, 299, 300]) {
      expect(history.modelAt(models[place]?.at ?? 0)).toEqual(models[place]);
    }
    expect(history.modelAt((models[7]?.at ?? 0) + 20)).toEqual(models[7]);
  });

  it('shows the oldest for what is older than all', () => {
    const [history] = recorded();
    expect(history.modelAt(0)).toEqual(start);
    expect(new History().modelAt(0)).toBeUndefined();
  });

  it('is bounded in deltas', () => {
    const [history] = recorded({ deltasMax: 100, bytesMax: 1_000_000 });
    expect(history.size.deltas).toBeLessThanOrEqual(100);
    expect(history.from).toBeGreaterThan(start.at);
  });

  it('is bounded in bytes', () => {
    const [history] = recorded({ deltasMax: 10_000, bytesMax: 5_000 }, 50);
    expect(history.size.bytes).toBeLessThanOrEqual(5_000);
  });

  it('is bounded in moments, which come without deltas', () => {
    const history = new History({ deltasMax: 50, bytesMax: 5_000 });
    for (let at = 1; at <= 1_000; at += 1) history.restart({ ...start, at });
    expect(history.from).toBeGreaterThanOrEqual(950);
  });

  it('steps on and back by one delta, over the borders of segments, and stops at both ends', () => {
    const [history, models] = recorded();
    const times = models.map(({ at }) => at);
    for (const place of [0, 1, 38, 39, 40, 41, 80, 299]) {
      expect(history.neighbour(times[place] ?? 0, 1)).toBe(times[place + 1]);
      expect(history.neighbour(times[place + 1] ?? 0, -1)).toBe(times[place]);
    }
    expect(history.neighbour(times[300] ?? 0, 1)).toBeUndefined();
    expect(history.neighbour(times[0] ?? 0, -1)).toBeUndefined();
  });
});
