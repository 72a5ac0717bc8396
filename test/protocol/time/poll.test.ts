import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import {
  asked,
  EMPTY_POLL,
  EXCHANGES_PER_POLL,
  type Poll,
  taken,
  unasked,
} from '../../../src/protocol/time/poll.ts';
import { present, world } from '../consensus/fixture.ts';

const { addressAt } = world();
const [peer, other] = [addressAt(1), addressAt(2)];
const NOW = 1_700_000_000_000;
const PER_MS = 1_000;

/** An answer of a clock that shows NOW plus the monotonic clock plus `offset`, halfway of an exchange. */
const reply = (requestId: number, sentAt: number, arrivedAt: number, offset = 0, isSynchronised = true) => {
  const micros = Math.round((NOW + offset + (sentAt + arrivedAt) / 2) * PER_MS);
  return {
    kind: 'TimeReply',
    requestId,
    receivedMicros: micros,
    repliedMicros: micros,
    isSynchronised,
  } as const;
};
const at = monotonic;

function heard(
  poll: Poll,
  requestId: number,
  sentAt: number,
  arrivedAt: number,
  offset = 0,
  isSynchronised = true,
) {
  const result = taken(
    poll,
    peer,
    reply(requestId, sentAt, arrivedAt, offset, isSynchronised),
    at(arrivedAt),
  );
  if (result.status !== 'heard') throw new Error(result.status);
  return result;
}

describe('a poll of the validators’ clocks (TM-4)', () => {
  it('hears what was asked: offset by the middle of the exchange, delay, and how many are still to be made', () => {
    const { poll, left } = heard(asked(EMPTY_POLL, 1, peer, at(100)), 1, 100, 110, 5);
    const { sample, isSynchronised } = present(poll.heard.get(peer), 'answer');
    expect(sample).toMatchObject({ offset: NOW + 5, delay: 10, at: 110 });
    expect(sample.dispersion).toBeLessThanOrEqual(0.001);
    expect(isSynchronised).toBe(true);
    expect(left).toBe(EXCHANGES_PER_POLL - 1);
    expect(poll.asked.size).toBe(0);
  });

  it('lets the quickest exchange count, in whatever order they come', () => {
    const exchanges = [
      { took: 30, offset: 9 },
      { took: 2, offset: 1 },
      { took: 12, offset: 5 },
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(exchanges, { minLength: 3 }), (order) => {
        let poll = EMPTY_POLL;
        for (const [index, { took, offset }] of order.entries()) {
          poll = heard(
            asked(poll, index, peer, at(index * 100)),
            index,
            index * 100,
            index * 100 + took,
            offset,
          ).poll;
        }
        expect(poll.heard.get(peer)?.sample).toMatchObject({ offset: NOW + 1, delay: 2 });
      }),
    );
  });

  it('takes the newer of two exchanges that are equally quick', () => {
    const first = heard(asked(EMPTY_POLL, 1, peer, at(0)), 1, 0, 4, 1).poll;
    const second = heard(asked(first, 2, peer, at(10)), 2, 10, 14, 2).poll;
    expect(second.heard.get(peer)?.sample.offset).toBe(NOW + 2);
  });

  it('believes of the peer what it said last of itself, though another exchange counts', () => {
    const first = heard(asked(EMPTY_POLL, 1, peer, at(0)), 1, 0, 4, 1, true).poll;
    const second = heard(asked(first, 2, peer, at(10)), 2, 10, 50, 2, false).poll;
    expect(second.heard.get(peer)).toMatchObject({ sample: { offset: NOW + 1 }, isSynchronised: false });
  });

  it('ignores an answer by another, to no question, and a second one', () => {
    const poll = asked(EMPTY_POLL, 1, peer, at(0));
    expect(taken(poll, other, reply(1, 0, 4), at(4))).toEqual({ status: 'ignored' });
    expect(taken(poll, peer, reply(2, 0, 4), at(4))).toEqual({ status: 'ignored' });
    const { poll: after } = heard(poll, 1, 0, 4);
    expect(taken(after, peer, reply(1, 0, 4), at(4))).toEqual({ status: 'ignored' });
    expect(taken(EMPTY_POLL, peer, reply(1, 0, 4), at(4))).toEqual({ status: 'ignored' });
  });

  it('calls it malformed when more time passed there than here, or it went backwards; the question is spent (TM-1)', () => {
    const poll = asked(EMPTY_POLL, 1, peer, at(0));
    const micros = NOW * PER_MS;
    const answers = [
      [micros, micros + 6_000],
      [micros, micros - 1],
      [Number.NaN, micros],
      [micros, Number.POSITIVE_INFINITY],
    ] as const;
    for (const [receivedMicros, repliedMicros] of answers) {
      const result = taken(poll, peer, { ...reply(1, 0, 4), receivedMicros, repliedMicros }, at(4));
      expect(result).toEqual({ status: 'malformed', poll: { asked: new Map(), heard: new Map() } });
    }
    // It held the question for as long as it was away: that may be.
    const { status } = taken(
      poll,
      peer,
      { ...reply(1, 0, 4), receivedMicros: micros, repliedMicros: micros + 4_000 },
      at(4),
    );
    expect(status).toBe('heard');
  });

  it('counts the exchanges down to none', () => {
    let poll = EMPTY_POLL;
    let left = EXCHANGES_PER_POLL;
    for (let id = 1; left > 0; id += 1) {
      const result = heard(asked(poll, id, peer, at(id), left), id, id, id + 1);
      expect(result.left).toBe(left - 1);
      ({ poll, left } = result);
    }
    expect(poll.asked.size).toBe(0);
  });

  it('forgets the questions to one peer, and no other', () => {
    const poll = asked(asked(EMPTY_POLL, 1, peer, at(0)), 2, other, at(0));
    expect([...unasked(poll, peer).asked.keys()]).toEqual([2]);
    expect([...poll.asked.keys()]).toEqual([1, 2]);
  });

  it('holds the truth within offset ± half the delay, however the way is shared (TM-1)', () => {
    const way = fc.double({ min: 0, max: 500, noNaN: true });
    fc.assert(
      fc.property(
        way,
        way,
        way,
        fc.integer({ min: -1_000_000, max: 1_000_000 }),
        (there, held, back, offset) => {
          const micros = (time: number) => Math.round((NOW + offset + time) * PER_MS);
          const message = {
            ...reply(1, 0, 0),
            receivedMicros: micros(there),
            repliedMicros: micros(there + held),
          };
          const result = taken(asked(EMPTY_POLL, 1, peer, at(0)), peer, message, at(there + held + back));
          const found = result.status === 'heard' ? result.poll.heard.get(peer)?.sample : undefined;
          const { offset: said, delay, dispersion } = present(found, 'sample');
          // NOW is so great that a double holds it to 0.00025 ms.
          expect(Math.abs(said - (NOW + offset))).toBeLessThanOrEqual(delay / 2 + dispersion + 0.001);
        },
      ),
    );
  });
});
