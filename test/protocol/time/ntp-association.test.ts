import { describe, expect, it } from 'vitest';
import { millis, monotonic, wallTime } from '../../../src/base/units.ts';
import { DISPERSION_MS_MAX } from '../../../src/protocol/time/clock-filter.ts';
import { TIME_DEFAULTS, type TimeConfig } from '../../../src/protocol/time/config.ts';
import {
  type Association,
  answered,
  BACKOFF_MS_MAX,
  candidateOf,
  clearSamples,
  failed,
  hasTried,
  isUsable,
  newAssociation,
  nextPollAt,
  type PolledServer,
  pollSent,
  RATE_INTERVAL_MS_MAX,
} from '../../../src/protocol/time/ntp-association.ts';
import type { NtpAnswer, NtpRefusal } from '../../../src/protocol/time/ntp-packet.ts';

const WALL = 1_782_864_000_000;
const config = TIME_DEFAULTS;
const POLL = 64_000;

/** The server's clock is `WALL + offset` above ours; the way is as long there as back. */
interface Served {
  readonly offset?: number;
  readonly delay?: number;
  readonly answer?: Partial<NtpAnswer>;
}
type Reply = Served | NtpRefusal | 'lost';

/** A server, asked whenever it is due. */
class Asked {
  association: Association = newAssociation('ntp.example');
  now = 0;
  requestId = 0;
  /** @unit ms */
  readonly polledAt: number[] = [];
  readonly settings: TimeConfig;

  constructor(settings = config) {
    this.settings = settings;
  }

  get polled(): PolledServer {
    if (this.association.status === 'denied') throw new Error('denied');
    return this.association;
  }

  send(): void {
    this.now = Math.max(this.now, nextPollAt(this.association));
    this.polledAt.push(this.now);
    this.requestId += 1;
    this.association = pollSent(this.association, this.requestId, monotonic(this.now), this.settings);
  }

  hear(reply: Reply): void {
    const sent = this.now;
    const { requestId, settings } = this;
    if (reply === 'lost') {
      this.now += settings.answerTimeoutMs;
      this.association = failed(this.association, { requestId }, monotonic(this.now), settings);
      return;
    }
    if ('code' in reply) {
      this.now += 10;
      const [sentAt, arrivedAt] = [monotonic(sent), monotonic(this.now)];
      const heard = { requestId, sentAt, arrivedAt, answer: reply };
      this.association = answered(this.association, heard, arrivedAt, settings);
      return;
    }
    this.now += reply.delay ?? 10;
    const heard = replied(requestId, sent, this.now, reply);
    this.association = answered(this.association, heard, monotonic(this.now), settings);
  }

  poll(...replies: readonly Reply[]): this {
    for (const reply of replies) {
      this.send();
      this.hear(reply);
    }
    return this;
  }

  get candidate() {
    return candidateOf(this.association, monotonic(this.now));
  }
}

function replied(requestId: number, sent: number, arrived: number, { offset = 0, answer = {} }: Served) {
  const middle = wallTime((sent + arrived) / 2 + WALL + offset);
  const whole: NtpAnswer = {
    leap: 0,
    stratum: 2,
    reference: '192.0.2.7',
    rootDelay: 6,
    rootDispersion: 4,
    precision: 0,
    receivedAt: middle,
    repliedAt: middle,
    ...answer,
  };
  return { requestId, sentAt: monotonic(sent), arrivedAt: monotonic(arrived), answer: whole };
}

const times = <Value>(count: number, value: Value): readonly Value[] =>
  Array.from({ length: count }, () => value);
const kiss = (code: string): NtpRefusal => ({ code: 'KISS', kiss: code });
const NOT_SYNCHRONISED: NtpRefusal = { code: 'UNSYNCHRONISED', leap: 3, stratum: 0, reference: '' };
const gaps = ({ polledAt }: Asked): readonly number[] =>
  polledAt.slice(1).map((at, index) => at - (polledAt[index] ?? Number.NaN));

describe('poll schedule of a server (TM-3)', () => {
  it('is four polls 2 s apart, then the configured interval', () => {
    expect(nextPollAt(newAssociation('a'))).toBe(0);
    expect(nextPollAt(newAssociation('a', monotonic(77)))).toBe(77);
    expect(gaps(new Asked().poll(...times(7, {})))).toEqual([2_000, 2_000, 2_000, POLL, POLL, POLL]);
  });

  it('is the configured interval from the start, when that is below 2 s', () => {
    const quick = { ...config, ntpPollIntervalMs: millis(500) };
    expect(gaps(new Asked(quick).poll(...times(6, {})))).toEqual(times(5, 500));
  });

  it('doubles at each failure up to 1,024 s, and is normal again after an answer', () => {
    const asked = new Asked().poll(...times(4, {}), ...times(6, 'lost' as const), {}, {});
    const backoff = [128_000, 256_000, 512_000, 1_024_000, 1_024_000, BACKOFF_MS_MAX];
    expect(gaps(asked).slice(3)).toEqual([POLL, ...backoff, POLL]);
  });

  it('doubles from 2 s while the burst is not answered, and never falls below a long configured interval', () => {
    const down = new Asked().poll(...times(4, 'lost' as const), {}, {});
    expect(gaps(down)).toEqual([4_000, 8_000, 16_000, 32_000, 2_000]);
    const hourly = { ...config, ntpPollIntervalMs: millis(3_600_000) };
    expect(gaps(new Asked(hourly).poll(...times(4, {}), 'lost', {})).slice(3)).toEqual([
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
    const asked = new Asked().poll('lost');
    asked.send();
    expect(hasTried(asked.association)).toBe(false);
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
    const asked = new Asked().poll(...times(4, {}), 'lost', 'lost', 'lost', kiss('RATE'));
    expect(asked.polled.failures).toBe(0);
    expect(gaps(asked.poll({})).at(-1)).toBe(1_024_000);
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
    const asked = new Asked().poll(...times(4, {}), kiss('XYZ'), {});
    expect(gaps(asked).at(-1)).toBe(128_000);
    expect(asked.polled.intervalMin).toBe(0);
  });
});

describe('usable server (TM-2, TM-3)', () => {
  it('has answered four times', () => {
    const usable = [1, 2, 3, 4].map((count) => new Asked().poll(...times(count, {})).candidate !== undefined);
    expect(usable).toEqual([false, false, false, true]);
    expect(isUsable(newAssociation('a'), monotonic(0))).toBe(false);
  });

  it('says its offset, and λ by RFC 5905 §11.1', () => {
    const asked = new Asked().poll(
      ...times(4, { delay: 30 }),
      { delay: 30, offset: 2 },
      { delay: 20 },
      ...times(2, { delay: 30, offset: -1, answer: { rootDelay: 8, rootDispersion: 5, stratum: 3 } }),
    );
    const { candidate, now } = asked;
    const best = asked.polledAt[5] ?? Number.NaN;
    const jitter = Math.sqrt((4 + 1 + 1) / 7);
    expect(candidate).toMatchObject({ server: 'ntp.example', stratum: 3 });
    expect((candidate?.offset ?? 0) - WALL).toBeCloseTo(0, 3);
    expect(candidate?.jitter).toBeCloseTo(jitter, 3);
    const ppm = 15e-6;
    // By delay, of equal ones the newest first.
    const order = [5, 7, 6, 4, 3, 2, 1, 0];
    const dispersion = order.reduce((sum, poll, rank) => {
      const [sent, delay] = [asked.polledAt[poll] ?? Number.NaN, poll === 5 ? 20 : 30];
      const own = 0.001 + ppm * delay + ppm * (now - sent - delay);
      return sum + own / 2 ** (rank + 1);
    }, 0);
    const age = ppm * (now - best - 20);
    expect(candidate?.rootDistance).toBeCloseTo((8 + 20) / 2 + 5 + dispersion + jitter + age, 3);
  });

  it('counts the precision of the server’s clock', () => {
    const distance = (precision: number) =>
      new Asked().poll(...times(8, { answer: { precision } })).candidate?.rootDistance ?? Number.NaN;
    expect(distance(64) - distance(0)).toBeCloseTo(64 * (1 - 2 ** -8), 3);
  });

  it('is not further than 1.5 s from the reference clock', () => {
    const far = (rootDispersion: number) =>
      new Asked().poll(...times(8, { answer: { rootDispersion } })).candidate !== undefined;
    expect([far(1_480), far(1_500)]).toEqual([true, false]);
    const asked = new Asked().poll(...times(8, {}));
    const hours = (count: number) => isUsable(asked.association, monotonic(asked.now + count * 3_600_000));
    expect([hours(10), hours(20)]).toEqual([true, false]);
    expect(DISPERSION_MS_MAX).toBeGreaterThan(1_500);
  });

  it('was reached within the last eight polls', () => {
    const asked = new Asked().poll(...times(8, {}), ...times(7, 'lost' as const));
    expect(asked.polled.reach).toBe(0b1000_0000);
    expect(asked.candidate).toBeDefined();
    asked.poll('lost');
    expect(asked.polled.reach).toBe(0);
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
    const polls = gaps(asked.poll(...times(5, {}))).slice(8);
    expect(polls).toEqual([2_000, 2_000, 2_000, 2_000, POLL]);
    expect(asked.candidate).toBeDefined();
  });

  it('give no burst to a server whose register was not full, or that sent RATE', () => {
    const asked = new Asked().poll(...times(5, {}));
    asked.association = clearSamples(asked.association, monotonic(asked.now));
    expect(gaps(asked.poll({}, {})).slice(4)).toEqual([POLL, POLL]);
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
