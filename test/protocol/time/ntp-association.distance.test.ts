/** How far a server may be wrong: what it says and λ hold the truth together. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { monotonic, wallTime } from '../../../src/base/units.ts';
import { TIME_DEFAULTS } from '../../../src/protocol/time/config.ts';
import { answered } from '../../../src/protocol/time/ntp-association.ts';
import { Asked, clock, replied, times, WALL } from './asked-server.ts';

const config = TIME_DEFAULTS;
const PPM = 1e-6;

describe('λ of a usable server (TM-2, TM-3)', () => {
  const exchange = fc.record({
    delay: fc.oneof(fc.constantFrom(1, 130), fc.integer({ min: 0, max: 400 })),
    precision: fc.constantFrom(0, 0.5, 60),
    drift: fc.constantFrom(-1, -0.5, 0, 0.5, 1),
  });
  const answers = (atLeast: number) => fc.array(fc.boolean(), { minLength: atLeast, maxLength: 14 });
  const run = fc.record({
    /** Of two kinds, so that the quickest may be of another one than the others. */
    exchanges: fc
      .tuple(exchange, exchange, fc.oneof(answers(4), answers(8), answers(8)))
      .map(([one, other, which]) => which.map((isOne) => (isOne ? one : other))),
    /** Which part of all that may be wrong is: of the way, of the server's reading, of its own distance. */
    bias: fc.constantFrom(-1, -0.4, 0.7, 1),
    rootDelay: fc.constantFrom(0, 30),
    rootDispersion: fc.constantFrom(0, 9),
    ratePpm: fc.integer({ min: -400, max: 400 }),
    later: fc.oneof(
      fc.constant(0),
      fc.integer({ min: 0, max: 64_000 }),
      fc.integer({ min: 0, max: 3_600_000 }),
    ),
  });

  it('covers the truth, however the way, the server’s clock and our own are wrong within their bounds', () => {
    let [judged, tight] = [0, 0];
    fc.assert(
      fc.property(run, ({ exchanges, bias, rootDelay, rootDispersion, ratePpm, later }) => {
        const asked = new Asked();
        const ppmOf = (drift: number): number => Math.max(-250, Math.min(250, ratePpm + 250 * drift));
        /** The true offset at `since`, and how it goes on. */
        let [truth, since, ppm] = [0, 0, ppmOf(0)];
        const truthAt = (at: number): number => truth + (at - since) * PPM * ppm;
        for (const { delay, precision, drift } of exchanges) {
          asked.send();
          const sent = asked.now;
          [truth, since, ppm] = [truthAt(sent), sent, ppmOf(drift)];
          asked.now += delay;
          const there = sent + (delay * (1 + bias)) / 2;
          const wrong = bias * (precision + rootDelay / 2 + rootDispersion);
          const at = wallTime(WALL + there + truthAt(there) + wrong);
          const said = { rootDelay, rootDispersion, precision, receivedAt: at, repliedAt: at };
          const heard = replied(asked.requestId, sent, asked.now, { answer: said });
          asked.association = answered(asked.association, heard, monotonic(asked.now), config);
        }
        for (const drift of [-1, 1]) {
          const candidate = asked.candidateIn(later, { ...clock, ratePpm });
          if (candidate === undefined) return;
          const then = truthAt(asked.now) + later * PPM * ppmOf(drift);
          const error = Math.abs(candidate.offset - WALL - then);
          expect(error).toBeLessThanOrEqual(candidate.rootDistance + 0.002);
          judged += 1;
          if (error > 0.6 * candidate.rootDistance) tight += 1;
        }
      }),
      { numRuns: 1_000 },
    );
    expect(judged).toBeGreaterThan(1_000);
    expect(tight).toBeGreaterThan(100);
  });

  it('covers a server whose quickest answer reads its clock coarsely', () => {
    const slow = { delay: 130, offset: 60, answer: { rootDelay: 0, rootDispersion: 0 } };
    const coarse = { delay: 1, offset: 60, answer: { ...slow.answer, precision: 60 } };
    const { candidate } = new Asked().poll(...times(7, slow), coarse);
    expect((candidate?.offset ?? Number.NaN) - WALL).toBeCloseTo(60, 3);
    expect(candidate?.rootDistance).toBeGreaterThan(60);
  });
});
