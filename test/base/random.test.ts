import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { restoreStream, seededRandom } from '../../src/base/random.ts';

const drawn = (seed: string, name: string, count: number): number[] => {
  const stream = seededRandom(seed).stream(name);
  return Array.from({ length: count }, () => stream.next());
};

describe('seeded random', () => {
  it('gives the same draws for the same seed and name, and others for others', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (seed, name) => {
        expect(drawn(seed, name, 8)).toEqual(drawn(seed, name, 8));
        expect(drawn(seed, name, 8)).not.toEqual(drawn(`${seed}!`, name, 8));
        expect(drawn(seed, name, 8)).not.toEqual(drawn(seed, `${name}!`, 8));
      }),
    );
  });

  it('is not shifted by the draws of another stream', () => {
    const alone = drawn('seed', 'a', 4);
    const random = seededRandom('seed');
    random.stream('b').next();
    const first = random.stream('a').next();
    random.stream('b').next();
    expect([first, random.stream('a').next()]).toEqual(alone.slice(0, 2));
  });

  it('continues from a saved state', () => {
    const stream = seededRandom(7).stream('x');
    stream.next();
    const state = stream.state();
    const rest = [stream.next(), stream.next()];
    const again = restoreStream(state);
    expect([again.next(), again.next()]).toEqual(rest);
  });

  it('draws within bounds, with a mean near a half', () => {
    const stream = seededRandom('mean').stream('x');
    const draws = Array.from({ length: 20_000 }, () => stream.next());
    expect(draws.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(Math.abs(draws.reduce((sum, value) => sum + value, 0) / draws.length - 0.5)).toBeLessThan(0.01);
    const dice = Array.from({ length: 6_000 }, () => stream.below(6));
    for (let face = 0; face < 6; face += 1) {
      expect(Math.abs(dice.filter((value) => value === face).length - 1_000)).toBeLessThan(150);
    }
  });
});
