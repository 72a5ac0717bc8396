import { describe, expect, it } from 'vitest';
import { FlightBook } from '../../../../visualize/src/views/diagram/flights.ts';
import {
  kindsOf,
  type MessageFilter,
  NO_FILTER,
  passes,
  roundOf,
} from '../../../../visualize/src/views/messages/filter.ts';
import { hexRows } from '../../../../visualize/src/views/messages/hex-rows.ts';
import { readMessageAnswer } from '../../../../visualize/src/views/messages/read-message.ts';
import { scrollFor, windowOf } from '../../../../visualize/src/views/messages/window.ts';
import { both, received, sent } from '../diagram/messages.ts';

const refused = { code: 'ROUND_PASSED', detail: 'round=4, currentRound=5' };
const told = { from: 0, to: 1, sentAt: 100, receivedAt: 110 };

function book(): FlightBook {
  const made = new FlightBook();
  made.take([
    ...both({ ...told, id: 'taken', kind: 'QC' }).map((event) => ({ ...event, round: 4, block: 'c0ffee' })),
    sent({ ...told, id: 'no' }),
    { ...received({ ...told, id: 'no' }), refused },
    sent({ ...told, id: 'gone', to: 2 }),
    ...both({ ...told, id: 'later', from: 2, to: 3, sentAt: 9_000, receivedAt: 9_010 }),
  ]);
  return made;
}

/** Ids of the messages that pass. */
function listed(filter: Partial<MessageFilter>): readonly (string | undefined)[] {
  const held = book();
  return held.flights
    .filter((flight) => passes(flight, held.fateOf(flight), { ...NO_FILTER, ...filter }))
    .map((flight) => flight.sent?.id);
}

describe('the filter of messages', () => {
  it('lets everything pass at first', () => {
    expect(listed({})).toEqual(['taken', 'no', 'gone', 'later']);
  });

  it('is by node at either end, by kind, by round', () => {
    expect(listed({ node: 2 })).toEqual(['gone', 'later']);
    expect(listed({ kind: 'QC' })).toEqual(['taken']);
    expect(listed({ round: 4 })).toEqual(['taken']);
    expect(listed({ round: 5 })).toEqual([]);
  });

  it('is by verdict', () => {
    expect(listed({ verdict: 'taken' })).toEqual(['taken', 'later']);
    expect(listed({ verdict: 'refused' })).toEqual(['no']);
    expect(listed({ verdict: 'lost' })).toEqual(['gone']);
    expect(listed({ verdict: 'late' })).toEqual([]);
  });

  it('finds text in the id, the block and the reason of a refusal, in any case', () => {
    expect(listed({ text: 'COFFEE'.replace('O', '0') })).toEqual(['taken']);
    expect(listed({ text: 'currentround' })).toEqual(['no']);
    expect(listed({ text: 'later' })).toEqual(['later']);
  });

  it('offers the kinds that there are, the most frequent first', () => {
    expect(kindsOf(book().flights)).toEqual(['Vote', 'QC']);
  });

  it('takes a whole number for a round, and nothing else', () => {
    expect(['12', ' 7 ', '', '-1', '1.5', 'x', '9'.repeat(20)].map(roundOf)).toEqual([
      ...[12, 7],
      ...[undefined, undefined, undefined, undefined, undefined],
    ]);
  });
});

describe('the window on a long list', () => {
  it('has the rows in sight and a few more, whatever the length', () => {
    expect(windowOf(20_000, 24, 240_000, 600)).toEqual({ first: 9_988, end: 10_037, top: 239_712 });
    expect(windowOf(3, 24, 0, 600)).toEqual({ first: 0, end: 3, top: 0 });
    expect(windowOf(0, 24, 500, 600)).toEqual({ first: 0, end: 0, top: 0 });
    expect(windowOf(10, 24, 9_999, 600).end).toBe(10);
  });

  it('scrolls no further than a row needs to be in sight', () => {
    expect(scrollFor(5, 24, 0, 600)).toBe(0);
    expect(scrollFor(100, 24, 0, 600)).toBe(101 * 24 - 600);
    expect(scrollFor(3, 24, 1_000, 600)).toBe(72);
  });
});

describe('a decoded message', () => {
  it('is read field by field; what is malformed is left out', () => {
    expect(
      readMessageAnswer({ kind: 'Vote', message: { round: 4 }, bytes: 'many', cause: { event: 'x' } }),
    ).toEqual({
      answer: { message: { round: 4 } },
      words: '',
    });
    const cause = { event: 'Proposal', cell: 'node/consensus/round-manager', turn: 4, at: 5, wire: 'p' };
    expect(readMessageAnswer({ kind: 'Vote', cause }).answer?.cause).toEqual(cause);
    expect(readMessageAnswer(null).answer).toBeUndefined();
  });

  it('is shown in bytes too, with an offset and letters', () => {
    expect(hexRows('416c7468696e67000102030405')).toEqual([
      '0000  41 6c 74 68 69 6e 67 00 01 02 03 04  Althing·····',
      `000c  05${' '.repeat(33)}  ·`,
    ]);
  });
});
