import { describe, expect, it } from 'vitest';
import { millis, monotonic, wallTime } from '../../../src/base/units.ts';
import { DISPERSION_MS_MAX } from '../../../src/protocol/time/clock-filter.ts';
import { TIME_DEFAULTS } from '../../../src/protocol/time/config.ts';
import {
  answered,
  BACKOFF_MS_MAX,
  candidateOf,
  clearSamples,
  failed,
  hasTried,
  newAssociation,
  nextPollAt,
  pollSent,
  RATE_INTERVAL_MS_MAX,
} from '../../../src/protocol/time/ntp-association.ts';
import type { NtpRefusal } from '../../../src/protocol/time/ntp-packet.ts';
import { Asked, clock, type Reply, replied, times, WALL } from './asked-server.ts';

const config = TIME_DEFAULTS;
const POLL = 64_000;
const PPM = 1e-6;
const kiss = (code: string): NtpRefusal => ({ code: 'KISS', kiss: code });
const NOT_SYNCHRONISED: NtpRefusal = { code: 'UNSYNCHRONISED', leap: 3, stratum: 0, reference: '' };
const gaps = ({ polledAt }: Asked): readonly number[] =>
  polledAt.slice(1).map((at, index) => at - (polledAt[index] ?? Number.NaN));

describe('poll schedule of a server (TM-3)', () => {
  it('is eight polls 2 s apart, then the configured interval', () => {
    expect(nextPollAt(newAssociation('a'))).toBe(0);
    expect(nextPollAt(newAssociation('a', monotonic(77)))).toBe(77);
    expect(gaps(new Asked().poll(...times(11, {})))).toEqual([...times(7, 2_000), POLL, POLL, POLL]);
  });

  it('is the configured interval from the start, when that is below 2 s', () => {
    const quick = { ...config, ntpPollIntervalMs: millis(500) };
    expect(gaps(new Asked(quick).poll(...times(10, {})))).toEqual(times(9, 500));
  });

  it('is kept for three failures, doubles at each more up to 256 s, and is normal again after an answer', () => {
    const asked = new Asked().poll(...times(8, {}), ...times(6, 'lost' as const), {}, {});
    const backoff = [POLL, POLL, POLL, 128_000, 256_000, BACKOFF_MS_MAX];
    expect(gaps(asked).slice(7)).toEqual([POLL, ...backoff, POLL]);
  });

  it('doubles from 2 s while the burst is not answered, and never falls below a long configured interval', () => {
    const down = new Asked().poll(...times(6, 'lost' as const), {}, {});
    expect(gaps(down)).toEqual([2_000, 2_000, 2_000, 4_000, 8_000, 16_000, 2_000]);
    const hourly = { ...config, ntpPollIntervalMs: millis(3_600_000) };
    expect(gaps(new Asked(hourly).poll(...times(8, {}), 'lost', {})).slice(7)).toEqual([
      3_600_000, 3_600_000,
    ]);
  });

  it('waits for the question under way, and counts it as failed when it is asked again', () => {
    const quick = { ...config, ntpPollIntervalMs: millis(100) };
    const asked = new Asked(quick);
    asked.send();
    expect(nextPollAt(asked.association)).toBe(2 * config.answerTimeoutMs);
    asked.send();
    expect(asked.polled.failures).toBe(1);
    asked.hear({});
    expect(asked.polled).toMatchObject({ failures: 0, nextPollAt: 2_100 });
  });

  it('is never in the past after a late answer', () => {
    const quick = { ...config, ntpPollIntervalMs: millis(100) };
    const asked = new Asked(quick).poll({ delay: 350 });
    expect(nextPollAt(asked.association)).toBe(350);
  });

  it('knows when nothing more is to be waited for at a start', () => {
    const tried = (...replies: readonly Reply[]) => hasTried(new Asked().poll(...replies).association);
    expect([tried(), tried({}), tried({}, {}, {}), tried({}, {}, {}, {})]).toEqual([
      false,
      false,
      false,
      true,
    ]);
    expect([tried('lost'), tried({}, 'lost'), tried('lost', {}), tried(kiss('DENY'))]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect([tried(kiss('RATE')), tried({}, NOT_SYNCHRONISED), tried(...times(9, {}))]).toEqual(
      times(3, true),
    );
    const underWay = (...replies: readonly Reply[]) => {
      const asked = new Asked().poll(...replies);
      asked.send();
      return hasTried(asked.association);
    };
    // After four answers it is usable: the rest of the burst is not waited for. Nor is one that has failed, before it answers.
    expect([underWay(), underWay('lost'), underWay({}, {}, {}), underWay({}, {}, {}, {})]).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });
});

describe('reply that was not asked for (TM-3)', () => {
  it('changes nothing: late, doubled, or to no question', () => {
    const asked = new Asked();
    const now = monotonic(10);
    const fresh = asked.association;
    expect(answered(fresh, replied(0, 0, 10, {}), now, config)).toBe(fresh);
    asked.send();
    const waiting = asked.association;
    expect(answered(waiting, replied(7, 0, 10, {}), now, config)).toBe(waiting);
    expect(failed(waiting, { requestId: 7 }, now, config)).toBe(waiting);
    asked.hear({});
    const after = asked.association;
    expect(answered(after, replied(1, 0, 10, {}), now, config)).toBe(after);
    expect(answered(after, { ...replied(1, 0, 10, {}), answer: kiss('DENY') }, now, config)).toBe(after);
    expect(failed(after, { requestId: 1 }, now, config)).toBe(after);
  });

  it('changes nothing when it may be of anybody, and the question stays under way', () => {
    const asked = new Asked().poll({});
    asked.send();
    const waiting = asked.association;
    asked.hear({ code: 'ORIGIN_MISMATCH', origin: '00', nonce: '01' });
    asked.hear({ code: 'MODE', mode: 3, expected: 4 });
    asked.hear({ code: 'SHORT', bytes: 4, bytesMin: 48 });
    expect(asked.association).toBe(waiting);
  });
});

describe('kiss of a server (TM-3, RFC 5905 §7.4)', () => {
  it('RATE doubles the interval at once, ends the burst, and is never forgotten', () => {
    const asked = new Asked().poll({}, kiss('RATE'), {}, {}, kiss('RATE'), {}, 'lost', {}, {});
    expect(gaps(asked)).toEqual([2_000, 128_000, 128_000, 128_000, 256_000, 256_000, 256_000, 256_000]);
    expect(new Asked().poll({}, kiss('RATE')).polled.burstLeft).toBe(0);
  });

  it('RATE doubles the interval of a backoff', () => {
    const asked = new Asked().poll(...times(8, {}), ...times(4, 'lost' as const), kiss('RATE'));
    expect(asked.polled.failures).toBe(0);
    expect(gaps(asked.poll({})).at(-1)).toBe(256_000);
  });

  it('RATE leads to 36 h at most, or twice a longer configured interval', () => {
    const asked = new Asked().poll(...times(20, kiss('RATE')));
    expect(asked.polled.intervalMin).toBe(RATE_INTERVAL_MS_MAX);
    const weekly = { ...config, ntpPollIntervalMs: millis(7 * 86_400_000) };
    expect(new Asked(weekly).poll(kiss('RATE'), kiss('RATE')).polled.intervalMin).toBe(14 * 86_400_000);
  });

  it('DENY and RSTR end it for good', () => {
    for (const code of ['DENY', 'RSTR']) {
      const asked = new Asked().poll(...times(8, {}), kiss(code));
      const denied = asked.association;
      expect(denied).toEqual({ status: 'denied', server: 'ntp.example', kiss: code });
      expect(nextPollAt(denied)).toBe(Number.POSITIVE_INFINITY);
      expect(asked.candidate).toBeUndefined();
      const now = monotonic(asked.now);
      expect(pollSent(denied, 10, now, config)).toBe(denied);
      expect(answered(denied, replied(10, 0, 10, {}), now, config)).toBe(denied);
      expect(failed(denied, { requestId: 10 }, now, config)).toBe(denied);
      expect(clearSamples(denied, now)).toBe(denied);
    }
  });

  it('of another code is a failure like others', () => {
    const asked = new Asked().poll(...times(8, {}), ...times(4, kiss('XYZ')), {});
    expect(gaps(asked).at(-1)).toBe(128_000);
    expect(asked.polled.intervalMin).toBe(0);
  });
});

describe('usable server (TM-2, TM-3)', () => {
  it('has answered four times', () => {
    const usable = [1, 2, 3, 4].map((count) => new Asked().poll(...times(count, {})).candidate !== undefined);
    expect(usable).toEqual([false, false, false, true]);
    expect(candidateOf(newAssociation('a'), monotonic(0), clock)).toBeUndefined();
  });

  it('says its offset, and λ by RFC 5905 §11.1', () => {
    const asked = new Asked().poll(
      { delay: 30 },
      { delay: 30, offset: 2 },
      ...times(3, { delay: 30 }),
      { delay: 20 },
      ...times(2, { delay: 30, offset: -1, answer: { rootDelay: 8, rootDispersion: 5, stratum: 3 } }),
    );
    const { candidate, now } = asked;
    const jitter = Math.sqrt((4 + 1 + 1) / 7);
    expect(candidate).toMatchObject({ server: 'ntp.example', stratum: 3 });
    expect((candidate?.offset ?? 0) - WALL).toBeCloseTo(0, 3);
    expect(candidate?.jitter).toBeCloseTo(jitter, 3);
    const ppm = 250 * PPM;
    const ownOf = (poll: number): number => {
      const [sent, delay] = [asked.polledAt[poll] ?? Number.NaN, poll === 5 ? 20 : 30];
      return 0.001 + ppm * delay + ppm * (now - sent - delay);
    };
    // By what each may be wrong by: of equal delays the newest first.
    const order = [5, 7, 6, 4, 3, 2, 1, 0];
    const dispersion = order.reduce((sum, poll, rank) => sum + ownOf(poll) / 2 ** (rank + 1), 0);
    const distance = (8 + 20) / 2 + 5 + dispersion + ownOf(5) / 2 + jitter;
    expect(candidate?.rootDistance).toBeCloseTo(distance, 3);
  });

  it('goes on at the measured rate', () => {
    const asked = new Asked().poll(...times(8, {}));
    const { offset = Number.NaN } = asked.candidate ?? {};
    for (const ratePpm of [100, -100, 0]) {
      const later = asked.candidateIn(60_000, { ...clock, ratePpm });
      expect((later?.offset ?? Number.NaN) - offset).toBeCloseTo(ratePpm * 0.06, 3);
    }
  });

  it('is known less and less well, by all that the clock may drift', () => {
    const asked = new Asked().poll(...times(8, {}));
    const distance = (driftPpmMax: number) =>
      asked.candidateIn(600_000, { driftPpmMax, ratePpm: 0 })?.rootDistance ?? Number.NaN;
    const aged = (250 - 15) * PPM * 600_000;
    expect(distance(250) - distance(15)).toBeGreaterThan(aged);
    expect(distance(250) - distance(15)).toBeLessThan(1.52 * aged);
  });

  it('counts the precision of the server’s clock', () => {
    const distance = (precision: number) =>
      new Asked().poll(...times(8, { answer: { precision } })).candidate?.rootDistance ?? Number.NaN;
    // RFC 5905 has all but 1/256 of it; half of the best one's comes to that.
    expect(distance(64) - distance(0)).toBeCloseTo(64 * (1 - 2 ** -8) + 64 / 2, 3);
  });

  it('is not further than 1.5 s from the reference clock', () => {
    const far = (rootDispersion: number) =>
      new Asked().poll(...times(8, { answer: { rootDispersion } })).candidate !== undefined;
    expect([far(1_480), far(1_500)]).toEqual([true, false]);
    const asked = new Asked().poll(...times(8, {}));
    const isAfter = (minutes: number, driftPpmMax: number) =>
      candidateOf(asked.association, monotonic(asked.now + minutes * 60_000), { driftPpmMax, ratePpm: 0 }) !==
      undefined;
    expect([isAfter(60, 250), isAfter(70, 250)]).toEqual([true, false]);
    expect([isAfter(600, 15), isAfter(1_200, 15)]).toEqual([true, false]);
    expect(DISPERSION_MS_MAX).toBeGreaterThan(1_500);
  });

  it('was reached within the last four polls', () => {
    const quick = { ...config, ntpPollIntervalMs: millis(1_000) };
    const asked = new Asked(quick).poll(...times(8, {}), ...times(3, 'lost' as const));
    expect(asked.polled.reach).toBe(0b1111_1000);
    expect(asked.candidate).toBeDefined();
    asked.poll('lost');
    expect(asked.polled.reach).toBe(0b1111_0000);
    expect(asked.candidate).toBeUndefined();
  });

  it('has not said since that it is not synchronised', () => {
    const asked = new Asked().poll(...times(8, {}), NOT_SYNCHRONISED);
    expect(asked.candidate).toBeUndefined();
    expect(asked.polled.failures).toBe(1);
    expect(asked.poll({}).candidate).toBeDefined();
  });

  it('fails, but stays, by a refusal or by timestamps that cannot be', () => {
    const absurd: NtpRefusal = { code: 'ABSURD', field: 'rootDelay', value: -1, least: 0, most: 1 };
    for (const reply of [absurd, { answer: { repliedAt: wallTime(WALL + 1e9) } }, kiss('XYZ')]) {
      const asked = new Asked().poll(...times(8, {}), reply);
      expect(asked.polled).toMatchObject({ failures: 1, reach: 0b1111_1110, outstanding: undefined });
      expect(asked.polled.register.samples).toHaveLength(8);
      expect(asked.candidate).toBeDefined();
    }
  });
});

describe('samples before a step (TM-1)', () => {
  it('are discarded, with the answer under way', () => {
    const asked = new Asked().poll(...times(8, {}));
    asked.send();
    asked.association = clearSamples(asked.association, monotonic(asked.now));
    asked.hear({});
    expect(asked.polled.register.samples).toEqual([]);
    expect(asked.candidate).toBeUndefined();
    expect(asked.polled).toMatchObject({ failures: 0, reach: 0b1111_1110 });
  });

  it('are measured anew in a burst', () => {
    const asked = new Asked().poll(...times(9, {}));
    asked.association = clearSamples(asked.association, monotonic(asked.now));
    expect(hasTried(asked.association)).toBe(false);
    const polls = gaps(asked.poll(...times(9, {}))).slice(8);
    expect(polls).toEqual([...times(8, 2_000), POLL]);
    expect(asked.candidate).toBeDefined();
  });

  it('begin the burst anew that was under way: the server is usable soon (TM-1)', () => {
    for (const before of [1, 4, 7]) {
      const asked = new Asked().poll(...times(before, {}));
      asked.association = clearSamples(asked.association, monotonic(asked.now));
      expect(gaps(asked.poll(...times(9, {}))).slice(before)).toEqual([...times(7, 2_000), POLL]);
      expect(asked.candidate).toBeDefined();
    }
  });

  it('are measured at the pace that the server wants after RATE', () => {
    const rated = new Asked().poll(kiss('RATE'), ...times(8, {}));
    rated.association = clearSamples(rated.association, monotonic(rated.now));
    expect(gaps(rated.poll({}, {})).slice(8)).toEqual([128_000, 128_000]);
  });

  it('delay no poll that is due sooner', () => {
    const asked = new Asked({ ...config, ntpPollIntervalMs: millis(500) }).poll(...times(9, {}));
    const cleared = clearSamples(asked.association, monotonic(asked.now));
    expect(nextPollAt(cleared)).toBe(nextPollAt(asked.association));
  });

  it('move no poll into the past', () => {
    const asked = new Asked().poll(...times(9, {}));
    const now = monotonic(asked.now + 30_000);
    expect(nextPollAt(clearSamples(asked.association, now))).toBe(now);
  });
});
