import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, type Selection, selectServers } from '../../../src/protocol/time/selection.ts';

const WALL = 1_782_864_000_000;
const server = (name: string, offset: number, rootDistance = 10, jitter = 0): Candidate => ({
  server: name,
  offset: WALL + offset,
  rootDistance,
  jitter,
  stratum: 2,
});
type Selected = Extract<Selection, { status: 'selected' }>;
function selected(...candidates: readonly Candidate[]): Selected {
  const selection = selectServers(candidates);
  if (selection.status !== 'selected') throw new Error(JSON.stringify(selection));
  return selection;
}
const from = (offset: number): number => offset - WALL;

describe('selection of servers (TM-3)', () => {
  it('has nothing without candidates, or with none that has numbers', () => {
    expect(selectServers([])).toEqual({ status: 'noCandidates' });
    expect(selectServers([server('a', Number.NaN), server('b', 0, Number.POSITIVE_INFINITY)])).toEqual({
      status: 'noCandidates',
    });
  });

  it('believes one server alone', () => {
    expect(selected(server('a', 7, 20))).toEqual({
      status: 'selected',
      offset: WALL + 7,
      error: 20,
      survivors: ['a'],
      falsetickers: [],
      interval: { lo: WALL - 13, hi: WALL + 27 },
    });
  });

  it('has no majority of servers at 0 and +5000 ms: never 2500', () => {
    expect(selectServers([server('a', 0), server('b', 5_000)])).toEqual({
      status: 'noMajority',
      candidates: 2,
      agreeing: 1,
    });
    const four = [server('a', 0), server('b', 1), server('c', 5_000), server('d', 5_001)];
    expect(selectServers(four)).toEqual({ status: 'noMajority', candidates: 4, agreeing: 2 });
  });

  it('overrules one with three, two with five, but not two with four', () => {
    const right = (count: number) => Array.from({ length: count }, (_, index) => server(`r${index}`, index));
    expect(selected(...right(2), server('x', 5_000)).falsetickers).toEqual(['x']);
    expect(selected(...right(3), server('y', 5_000), server('x', -70)).falsetickers).toEqual(['x', 'y']);
    expect(selectServers([...right(2), server('x', 900), server('y', 900)]).status).toBe('noMajority');
  });

  it('gives the overlap of two that agree, ends that touch included', () => {
    expect(selected(server('a', 0), server('b', 12))).toMatchObject({
      interval: { lo: WALL + 2, hi: WALL + 10 },
      offset: WALL + 6,
      error: 4,
    });
    expect(selected(server('a', 0), server('b', 20))).toMatchObject({ offset: WALL + 10, error: 0 });
    expect(selectServers([server('a', 0), server('b', 20.01)]).status).toBe('noMajority');
  });

  it('holds every place where a majority may be right, when there are two of them', () => {
    const selection = selected(server('wide', 50, 50), server('low', 5, 5), server('high', 95, 5));
    expect(selection.interval).toEqual({ lo: WALL, hi: WALL + 100 });
    expect(selection.falsetickers).toEqual([]);
  });

  it('combines by 1/λ', () => {
    const { offset } = selected(server('a', 0, 10), server('b', 6, 20), server('c', 9, 40));
    expect(from(offset)).toBeCloseTo((0 / 10 + 6 / 20 + 9 / 40) / (1 / 10 + 1 / 20 + 1 / 40), 3);
  });

  it('keeps the combined offset within the interval', () => {
    const wide = [server('b', 509, 500), server('c', 509, 500)];
    expect(selected(server('a', 5, 5), ...wide, server('d', -9_000))).toMatchObject({
      interval: { lo: WALL + 9, hi: WALL + 10 },
      offset: WALL + 10,
      error: 1,
      survivors: ['a', 'b', 'c'],
      falsetickers: ['d'],
    });
  });

  it('trusts no server to better than 1 ms', () => {
    expect(selected(server('a', 0, 0))).toMatchObject({ error: 1 });
    expect(selected(server('a', 0, 0.01), server('b', 1.5, 0.01)).falsetickers).toEqual([]);
  });

  it('clusters down to three by selection jitter, while it is above the least jitter', () => {
    const offsets = [0, 1, 2, 3, 40];
    const near = (jitter: number) => offsets.map((offset, index) => server(`s${index}`, offset, 50, jitter));
    expect(selected(...near(0)).survivors).toEqual(['s1', 's2', 's3']);
    // Without s4 the furthest differs by √((1+4+9)/3) = 2.2 ms from the others.
    expect(selected(...near(2.5)).survivors).toEqual(['s0', 's1', 's2', 's3']);
    expect(selected(...near(100)).survivors).toEqual(['s0', 's1', 's2', 's3', 's4']);
    expect(selected(...near(100)).falsetickers).toEqual([]);
  });

  it('leaves out the less certain of two that are as far away', () => {
    const names = selected(server('a', -5, 50), server('b', 0), server('c', 0), server('d', 5, 60)).survivors;
    expect(names).toEqual(['a', 'b', 'c']);
  });
});

describe('majority of the servers (TM-3)', () => {
  const TRUTH = WALL + 1_000;
  const radius = fc.integer({ min: 1, max: 1_500 });
  const liar = fc.tuple(fc.integer({ min: -6_000, max: 6_000 }), radius);
  const honest = fc.tuple(fc.integer({ min: -1_000, max: 1_000 }), radius);
  /** `rest` lie anywhere; the others hold the truth within their reach. */
  const servers = fc
    .tuple(fc.array(honest, { minLength: 1, maxLength: 7 }), fc.array(liar, { maxLength: 6 }), fc.nat())
    .map(([good, rest, turn]) => {
      const right = good.map(([share, reach], index) =>
        server(`h${index}`, 1_000 + Math.trunc((share * reach) / 1_000), reach, index % 3),
      );
      const wrong = rest
        .slice(0, good.length - 1)
        .map(([offset, reach], index) => server(`l${index}`, offset, reach, index % 3));
      const all = [...right, ...wrong];
      const start = turn % all.length;
      return { right, all: [...all.slice(start), ...all.slice(0, start)] };
    });

  it('that is right is never overruled, and the truth is within interval and error', () => {
    fc.assert(
      fc.property(servers, ({ right, all }) => {
        const { interval, offset, error, falsetickers } = selected(...all);
        expect(interval.lo).toBeLessThanOrEqual(TRUTH);
        expect(interval.hi).toBeGreaterThanOrEqual(TRUTH);
        expect(Math.abs(offset - TRUTH)).toBeLessThanOrEqual(error + 0.001);
        expect(
          falsetickers.filter((name) => right.some(({ server: honestName }) => honestName === name)),
        ).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('bounds what liars can do: the interval stays where some honest server may be right', () => {
    fc.assert(
      fc.property(servers, ({ right, all }) => {
        const { interval } = selected(...all);
        expect(interval.lo).toBeGreaterThanOrEqual(
          Math.min(...right.map((each) => each.offset - each.rootDistance)),
        );
        expect(interval.hi).toBeLessThanOrEqual(
          Math.max(...right.map((each) => each.offset + each.rootDistance)),
        );
      }),
      { numRuns: 500 },
    );
  });

  const anyone = fc.array(fc.tuple(fc.integer({ min: -40, max: 40 }), fc.integer({ min: 1, max: 30 })), {
    minLength: 1,
    maxLength: 7,
  });

  it('is found when some offset is held by more than half, its interval is tight, and only outsiders are false', () => {
    fc.assert(
      fc.property(anyone, (drawn) => {
        const all = drawn.map(([offset, reach], index) => server(`s${index}`, offset, reach));
        const holders = (offset: number) =>
          drawn.filter(([at, reach]) => Math.abs(at - offset) <= reach).length;
        const places = Array.from({ length: 141 }, (_, index) => index - 70);
        const majority = places.filter((place) => 2 * holders(place) > drawn.length);
        const selection = selectServers(all);
        expect(selection.status === 'selected').toBe(majority.length > 0);
        if (selection.status === 'noMajority') {
          expect(selection.candidates).toBe(drawn.length);
          expect(selection.agreeing).toBe(Math.max(...places.map(holders)));
        }
        if (selection.status !== 'selected') return;
        const { interval, offset, error, survivors, falsetickers } = selection;
        expect([from(interval.lo), from(interval.hi)]).toEqual([majority[0], majority.at(-1)]);
        expect(offset).toBeGreaterThanOrEqual(interval.lo);
        expect(offset).toBeLessThanOrEqual(interval.hi);
        expect(error).toBe(Math.max(offset - interval.lo, interval.hi - offset));
        const outside = drawn.flatMap(([at, reach], index) =>
          majority.some((place) => Math.abs(at - place) <= reach) ? [] : [`s${index}`],
        );
        expect(falsetickers).toEqual(outside);
        expect(survivors.filter((name) => outside.includes(name))).toEqual([]);
        expect(2 * falsetickers.length).toBeLessThan(drawn.length);
        expect(survivors.length).toBeGreaterThanOrEqual(Math.min(3, drawn.length - outside.length));
      }),
      { numRuns: 500 },
    );
  });

  it('does not depend on the order of the candidates', () => {
    const shuffled = anyone.chain((drawn) => {
      const all = drawn.map(([offset, reach], index) => server(`s${index % 4}`, offset, reach, reach % 4));
      return fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }));
    });
    fc.assert(
      fc.property(shuffled, ([all, other]) => {
        expect(selectServers(other)).toEqual(selectServers(all));
      }),
      { numRuns: 300 },
    );
  });
});
