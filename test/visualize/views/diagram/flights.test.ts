import { describe, expect, it } from 'vitest';
import { FlightBook, LOST_AFTER_MS, tookMsOf } from '../../../../visualize/src/views/diagram/flights.ts';
import { both, received, sent } from './messages.ts';

const TOLD = { id: 'a', from: 0, to: 1, sentAt: 1_000, receivedAt: 1_012 };

/** A book of one message that left, and one of another pair that is so much newer. */
function bookAfter(ms: number): FlightBook {
  const book = new FlightBook();
  book.take([sent(TOLD), sent({ id: 'later', from: 2, to: 3, sentAt: 1_000 + ms })]);
  return book;
}

describe('flights of messages', () => {
  it('pair what left with what arrived, whichever is told first', () => {
    for (const events of [both(TOLD), both(TOLD).toReversed()]) {
      const book = new FlightBook();
      book.take(events);
      expect(book.flights).toHaveLength(1);
      const [flight] = book.flights;
      expect(flight && [book.fateOf(flight), tookMsOf(flight)]).toEqual(['arrived', 12]);
    }
  });

  it('tell copies of one broadcast apart by their receivers', () => {
    const book = new FlightBook();
    book.take([1, 2, 3].flatMap((to) => both({ ...TOLD, to })));
    expect(book.flights.map(({ to }) => to)).toEqual([1, 2, 3]);
    expect(book.flights.every((flight) => book.fateOf(flight) === 'arrived')).toBe(true);
  });

  it('pair a message that is sent again in the order of sending', () => {
    const book = new FlightBook();
    const again = { ...TOLD, sentAt: 1_100, receivedAt: 1_130 };
    book.take([sent(TOLD), sent(again), received(TOLD), received(again)]);
    expect(book.flights.map(tookMsOf)).toEqual([12, 30]);
  });

  it('are lost when the receiver is watched and never had them, and on their way before that', () => {
    const young = bookAfter(LOST_AFTER_MS - 1);
    const old = bookAfter(LOST_AFTER_MS);
    expect(young.flights.map((flight) => young.fateOf(flight))).toEqual(['flying', 'flying']);
    expect(old.flights.map((flight) => old.fateOf(flight))).toEqual(['lost', 'flying']);
  });

  it('are not lost where the feed left rows out, or where nobody watches the receiver', () => {
    const book = bookAfter(LOST_AFTER_MS);
    book.drop(900, 1_001);
    const unwatched = new FlightBook();
    unwatched.take([{ ...sent(TOLD), peer: 'ff'.repeat(20) }, sent({ ...TOLD, id: 'b', sentAt: 9_000 })]);
    expect(book.flights[0] && book.fateOf(book.flights[0])).toBe('halfSeen');
    expect(unwatched.flights[0] && unwatched.fateOf(unwatched.flights[0])).toBe('halfSeen');
  });

  it('are refused when their receiver says so', () => {
    const book = new FlightBook();
    const refused = { code: 'ROUND_PASSED', detail: 'round=4, currentRound=5' };
    book.take([sent(TOLD), { ...received(TOLD), refused }]);
    expect(book.flights[0] && book.fateOf(book.flights[0])).toBe('refused');
  });

  it('are late when they took many times what their neighbours take', () => {
    const book = new FlightBook();
    for (let place = 0; place < 20; place += 1)
      book.take(both({ ...TOLD, id: `n${place}`, sentAt: place * 100, receivedAt: place * 100 + 12 }));
    book.take(both({ ...TOLD, id: 'usual', sentAt: 3_000, receivedAt: 3_030 }));
    book.take(both({ ...TOLD, id: 'late', sentAt: 3_000, receivedAt: 3_100 }));
    expect(book.usualMs).toBe(12);
    expect(book.flights.filter(({ isLate }) => isLate).map(({ sent: event }) => event?.id)).toEqual(['late']);
  });

  it('are in the order of time though nodes tell them out of it, and found by time', () => {
    const book = new FlightBook();
    for (const at of [500, 100, 900, 300, 700])
      book.take(both({ ...TOLD, id: `at ${at}`, sentAt: at, receivedAt: at + 10 }));
    expect(book.flights.map(({ at }) => at)).toEqual([100, 300, 500, 700, 900]);
    expect(book.flights[book.firstAt(610)]?.at).toBe(700);
    expect(book.flights[book.firstAt(509)]?.at).toBe(500);
  });

  it('are bounded: the oldest go', () => {
    const book = new FlightBook();
    for (let place = 0; place < 25_000; place += 1)
      book.take([sent({ ...TOLD, id: `m${place}`, sentAt: place })]);
    expect(book.flights.length).toBeLessThanOrEqual(20_000);
    expect(book.flights.at(-1)?.at).toBe(24_999);
    book.take([received({ ...TOLD, id: 'm0', receivedAt: 25_000 })]);
    expect(book.flights.at(-1)?.sent).toBeUndefined();
  });
});
