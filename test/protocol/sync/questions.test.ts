import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, monotonic } from '../../../src/base/units.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import {
  ask,
  emptyBook,
  givenUp,
  LATE_PER_PEER_MAX,
  mayAsk,
  OPEN_PER_PEER_MAX,
  openAt,
  type QuestionBook,
  rateOf,
  received,
} from '../../../src/protocol/sync/questions.ts';
import { fullBucket, takeTokens } from '../../../src/protocol/transport/bucket.ts';
import { KINDS } from '../../../src/protocol/transport/kinds.ts';
import { height, world } from '../consensus/fixture.ts';

const place = world();
const [one, two] = [place.addressAt(1), place.addressAt(2)];
const hash = digestOf(Uint8Array.of(1));
const when = (now: number) => ({ now: monotonic(now), timeout: millis(1_000) });
const asking = (book: QuestionBook, peer = one, now = 0) =>
  ask(book, peer, { kind: 'GetBlocks', from: height(1), limit: 1, withBatches: true }, when(now));
const blocks = (requestId: number) =>
  ({ kind: 'Blocks', requestId, blocks: [], batches: [], height: height(0) }) as const;

describe('open questions (SY-6, TP-6)', () => {
  it('takes an answer from whom it asked, of the kind that it asked for, once', () => {
    const { book, message } = asking(emptyBook(monotonic(0)));
    expect(received(book, two, blocks(message.requestId))).toEqual({ status: 'unrequested' });
    const wrong = { kind: 'GenesisHash', requestId: message.requestId, genesisHash: hash } as const;
    expect(received(book, one, wrong)).toEqual({ status: 'unrequested' });
    const right = received(book, one, blocks(message.requestId));
    expect(right.status).toBe('open');
    const after = right.status === 'open' ? right.book : book;
    expect(received(after, one, blocks(message.requestId))).toEqual({ status: 'unrequested' });
  });

  it('still takes what was given up, the newest of each peer; older answers are of no use, and no fault (a link stood still)', () => {
    let book = emptyBook(monotonic(0));
    const numbers: number[] = [];
    for (let count = 0; count < LATE_PER_PEER_MAX + 2; count += 1) {
      const asked = asking(book);
      numbers.push(asked.message.requestId);
      book = givenUp(asked.book, asked.message.requestId);
    }
    expect(openAt(book, one)).toEqual([]);
    expect(book.late.size).toBe(LATE_PER_PEER_MAX);
    const taken = numbers.map((requestId) => received(book, one, blocks(requestId)).status);
    expect(taken).toEqual([
      'outdated',
      'outdated',
      ...Array.from({ length: LATE_PER_PEER_MAX }, () => 'late'),
    ]);
  });

  it('takes as many outdated answers of a peer as it owes, and none of a number that was not asked', () => {
    let book = emptyBook(monotonic(0));
    for (let count = 0; count < LATE_PER_PEER_MAX + 2; count += 1) {
      const asked = asking(book);
      book = givenUp(asked.book, asked.message.requestId);
    }
    expect(received(book, two, blocks(1))).toEqual({ status: 'unrequested' });
    expect(received(book, one, blocks(3 + LATE_PER_PEER_MAX))).toEqual({ status: 'unrequested' });
    const statuses = [1, 1, 1].map((requestId) => {
      const reception = received(book, one, blocks(requestId));
      if (reception.status === 'outdated') book = reception.book;
      return reception.status;
    });
    expect(statuses).toEqual(['outdated', 'outdated', 'unrequested']);
    expect(book.owed.size).toBe(0);
  });

  it('tells answers to an earlier life from those that nobody asked for', () => {
    const book = emptyBook(monotonic(5_000));
    expect(received(book, one, blocks(4_321))).toEqual({ status: 'foreign' });
    expect(received(book, one, blocks(5_001))).toEqual({ status: 'unrequested' });
  });

  it('never has more open at one peer than its places, for blocks by height and by id together', () => {
    let book = emptyBook(monotonic(0));
    for (let count = 0; count < OPEN_PER_PEER_MAX.GetBlocks; count += 1) book = asking(book).book;
    expect(mayAsk(book, one, 'GetBlocks', monotonic(0))).toBe(false);
    expect(mayAsk(book, one, 'GetBlock', monotonic(0))).toBe(false);
    expect(mayAsk(book, one, 'GetBlockHeight', monotonic(0))).toBe(true);
    expect(mayAsk(book, two, 'GetBlocks', monotonic(0))).toBe(true);
  });
});

describe('bug "own requests tripping the flood detector" (TP-5)', () => {
  it('asks a peer at no more than a quarter of the rate that its reader allows, of every kind', () => {
    for (const kind of ['GetBlocks', 'GetBlock', 'GetBlockHeight', 'GetGenesisHash', 'GetChain'] as const) {
      expect(rateOf(kind).ratePerSecond * 4).toBeLessThanOrEqual(KINDS[kind].ratePerSecond);
      expect(rateOf(kind).burst * 4).toBeLessThanOrEqual(Math.max(4, KINDS[kind].burst));
    }
  });

  it("stays within the reader's own bucket however fast the answers come", () => {
    const pauses = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1_000, maxLength: 1_500 });
    fc.assert(
      fc.property(pauses, (list) => {
        let book = emptyBook(monotonic(0));
        let now = 0;
        let reader = fullBucket(KINDS.GetBlocks, monotonic(0));
        let sent = 0;
        for (const pause of list) {
          now += pause;
          if (!mayAsk(book, one, 'GetBlocks', monotonic(now))) continue;
          const asked = asking(book, one, now);
          sent += 1;
          const reading = takeTokens(reader, KINDS.GetBlocks, monotonic(now));
          expect(reading.taken).toBe(true);
          reader = reading.bucket;
          const reception = received(asked.book, one, blocks(asked.message.requestId));
          book = reception.status === 'open' ? reception.book : asked.book;
        }
        expect(sent).toBeLessThanOrEqual(
          rateOf('GetBlocks').burst + (now / 1_000) * rateOf('GetBlocks').ratePerSecond,
        );
        expect(sent).toBeGreaterThan(0);
      }),
      { numRuns: 20 },
    );
  });
});
