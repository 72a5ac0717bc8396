/** An NTP server as a test asks it: whenever it is due, and with the answers that the test names. */
import { monotonic, wallTime } from '../../../src/base/units.ts';
import type { LocalClock } from '../../../src/protocol/time/clock-filter.ts';
import { TIME_DEFAULTS, type TimeConfig } from '../../../src/protocol/time/config.ts';
import {
  type Association,
  answered,
  candidateOf,
  failed,
  newAssociation,
  nextPollAt,
  type PolledServer,
  pollSent,
} from '../../../src/protocol/time/ntp-association.ts';
import type { NtpAnswer, NtpRefusal } from '../../../src/protocol/time/ntp-packet.ts';

export const WALL = 1_782_864_000_000;
const config = TIME_DEFAULTS;
/** A clock that nothing is known of but how fast it may drift at the worst. */
export const clock: LocalClock = { driftPpmMax: config.driftPpmMax, ratePpm: 0 };

/** The server's clock is `WALL + offset` above ours; the way is as long there as back. */
interface Served {
  readonly offset?: number;
  readonly delay?: number;
  readonly answer?: Partial<NtpAnswer>;
}
export type Reply = Served | NtpRefusal | 'lost';

/** A server, asked whenever it is due. */
export class Asked {
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
    return this.candidateIn(0);
  }

  /** So much later. */
  candidateIn(elapsed: number, local = clock) {
    return candidateOf(this.association, monotonic(this.now + elapsed), local);
  }
}

export function replied(
  requestId: number,
  sent: number,
  arrived: number,
  { offset = 0, answer = {} }: Served,
) {
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

export const times = <Value>(count: number, value: Value): readonly Value[] =>
  Array.from({ length: count }, () => value);
