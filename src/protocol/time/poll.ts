/**
 * One poll of the validators' clocks: a few exchanges with each, of which the quickest counts. A peer's clock is steered
 * between two polls, so nothing is kept from one to the next. Pure. Rules TM-2, TM-4, docs/protocol/time.md.
 */
import { type Monotonic, wallTime } from '../../base/units.ts';
import type { Address } from '../chain/types.ts';
import type { TimeReplyMessage } from './messages.ts';
import { sampleOf } from './sample.ts';
import type { Sample } from './types.ts';

/** Exchanges with one peer in a poll. @unit exchanges @source chosen: one slow turn of either side is no harm */
export const EXCHANGES_PER_POLL = 4;
/** What a reading in whole microseconds may be wrong by. @unit ms */
const READING_ERROR_MS = 0.001;
const MICROS_PER_MS = 1_000;

interface Question {
  readonly peer: Address;
  readonly sentAt: Monotonic;
  /** Exchanges that are still to be made with it, this one counted. */
  readonly left: number;
}

/** The quickest exchange with a peer, and what it said of itself in it. */
export interface Heard {
  readonly sample: Sample;
  readonly isSynchronised: boolean;
}

export interface Poll {
  /** By request; one for each peer at a time. Bounded by the validator set. */
  readonly asked: ReadonlyMap<number, Question>;
  /** Bounded by the validator set. */
  readonly heard: ReadonlyMap<Address, Heard>;
}

export const EMPTY_POLL: Poll = { asked: new Map(), heard: new Map() };

/** The poll after a question left. */
export function asked(
  poll: Poll,
  requestId: number,
  peer: Address,
  sentAt: Monotonic,
  left: number = EXCHANGES_PER_POLL,
): Poll {
  return { ...poll, asked: new Map(poll.asked).set(requestId, { peer, sentAt, left }) };
}

/** The poll without the questions to a peer: it was not there. */
export const unasked = (poll: Poll, peer: Address): Poll => ({
  ...poll,
  asked: new Map([...poll.asked].filter(([, question]) => question.peer !== peer)),
});

export type Taken =
  /** An answer to no question of this poll: late, twice, or invented. */
  | { readonly status: 'ignored' }
  /** More time passed there than here, or it went backwards. */
  | { readonly status: 'malformed'; readonly poll: Poll }
  /** `left`: exchanges that are still to be made with this peer. */
  | { readonly status: 'heard'; readonly poll: Poll; readonly left: number };

/** An answer: the exchange with the least delay counts. */
export function taken(poll: Poll, from: Address, reply: TimeReplyMessage, arrivedAt: Monotonic): Taken {
  const question = poll.asked.get(reply.requestId);
  if (question === undefined || question.peer !== from) return { status: 'ignored' };
  const questions = new Map(poll.asked);
  questions.delete(reply.requestId);
  const sample = sampleOf(
    {
      sentAt: question.sentAt,
      receivedAt: wallTime(reply.receivedMicros / MICROS_PER_MS),
      repliedAt: wallTime(reply.repliedMicros / MICROS_PER_MS),
      arrivedAt,
    },
    READING_ERROR_MS,
  );
  if (sample === 'malformed') return { status: 'malformed', poll: { ...poll, asked: questions } };
  const before = poll.heard.get(from);
  const { isSynchronised } = reply;
  const best =
    before === undefined || sample.delay <= before.sample.delay
      ? { sample, isSynchronised }
      : { ...before, isSynchronised };
  return {
    status: 'heard',
    poll: { asked: questions, heard: new Map(poll.heard).set(from, best) },
    left: question.left - 1,
  };
}
