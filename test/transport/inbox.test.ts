import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { type Millis, monotonic } from '../../src/base/units.ts';
import type { Address } from '../../src/protocol/chain/types.ts';
import { KINDS } from '../../src/protocol/transport/kinds.ts';
import {
  BATCHES_ASKED_BYTES,
  BATCHES_ASKED_BYTES_MAX,
  GUESTS_MAX,
  handingRates,
  PEER_QUOTA,
} from '../../src/protocol/transport/limits.ts';
import type { WireMessage } from '../../src/protocol/transport/messages.ts';
import type { FrameRefusal } from '../../src/protocol/transport/refusal.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/transport/version.ts';
import { encode } from '../../src/transport/codec/codec.ts';
import { nodeIdentity } from '../../src/transport/identity.ts';
import { Inbox } from '../../src/transport/inbox.ts';
import { RateBook } from '../../src/transport/rates.ts';
import { MESSAGES } from './codec/arbitraries.ts';
import { secretOf } from './support/nodes.ts';

const RATES = { each: handingRates(2_000, 100_000), all: handingRates(5_000, 400_000) };
const idOf = (index: number): Address => nodeIdentity(secretOf(index)).id;
const [FIRST, SECOND] = [idOf(0), idOf(1)];
const OTHERS = Array.from({ length: GUESTS_MAX }, (_, index) => idOf(2 + index));
const bookOf = (...kept: readonly Address[]): RateBook => new RateBook(RATES, new Set(kept));

interface Link {
  readonly book?: RateBook;
  readonly peer?: Address;
  readonly remote?: string;
}

function inboxOf(role: 'validator' | 'full' = 'validator', link: Link = {}) {
  const { book = bookOf(), peer = FIRST, remote = '192.0.2.1:4000' } = link;
  const delivered: WireMessage[] = [];
  const refusals: FrameRefusal[] = [];
  const rests: Millis[] = [];
  const state = { now: 0, reading: true, room: undefined as Promise<void> | undefined };
  const inbox = new Inbox(
    {
      now: () => monotonic(state.now),
      pause: () => {
        state.reading = false;
      },
      resume: () => {
        state.reading = true;
      },
      rest: (delay) => {
        rests.push(delay);
        return Promise.resolve();
      },
      deliver(message) {
        delivered.push(message);
        const { room } = state;
        state.room = undefined;
        return room;
      },
      refuse: (refusal) => refusals.push(refusal),
    },
    role,
    book.of(peer, remote),
  );
  return { inbox, delivered, refusals, rests, state };
}

const bytesOf = (message: WireMessage): Uint8Array => {
  const encoding = encode(message);
  if (encoding.outcome === 'refused') throw new Error(encoding.refusal.code);
  return encoding.frame.bytes;
};
const ping = (nonce: number): Uint8Array => bytesOf({ kind: 'Ping', nonce });
const vote = bytesOf(fc.sample(MESSAGES.Vote, { numRuns: 1, seed: 1 })[0] ?? { kind: 'Ping', nonce: 0 });

describe('inbox (TP-5)', () => {
  it('lets through the burst of a kind, then its rate on the injected clock', () => {
    const { inbox, delivered, refusals, state } = inboxOf();
    const { burst, ratePerSecond } = KINDS.Ping;
    for (let count = 0; count < burst + 5; count += 1) inbox.take(ping(count));
    expect(delivered.length).toBe(burst);
    expect(refusals).toEqual(new Array(5).fill({ code: 'RATE_EXCEEDED', kind: 'Ping' }));
    state.now = 1_000;
    for (let count = 0; count < burst; count += 1) inbox.take(ping(count));
    expect(delivered.length).toBe(burst + ratePerSecond);
  });

  it('keeps a bucket for each kind: a flood of one does not hold up another', () => {
    const { inbox, delivered } = inboxOf();
    for (let count = 0; count < 100; count += 1) inbox.take(ping(count));
    inbox.take(vote);
    expect(delivered.at(-1)?.kind).toBe('Vote');
  });

  it('keeps the buckets of a node id over its connections, and no other id pays for it', () => {
    const book = bookOf();
    const { burst } = KINDS.Ping;
    const taken = [FIRST, FIRST, SECOND].map((peer) => {
      const { inbox, delivered } = inboxOf('validator', { book, peer });
      for (let count = 0; count < burst; count += 1) inbox.take(ping(count));
      return delivered.length;
    });
    expect(taken).toEqual([burst, 0, burst]);
  });

  it('rests for as long as the quota of the peer says, and loses nothing', async () => {
    const { inbox, delivered, rests, state } = inboxOf();
    const batch = bytesOf({ kind: 'Batch', bytes: new Uint8Array(1_000_000) });
    const count = Math.ceil(PEER_QUOTA.burst / batch.byteLength) + 1;
    for (let sent = 0; sent < count; sent += 1) inbox.take(batch);
    expect(state.reading).toBe(false);
    expect(rests.length).toBe(1);
    const owed = (count - 1) * batch.byteLength - PEER_QUOTA.burst;
    expect(rests[0]).toBe(Math.ceil((owed * 1000) / PEER_QUOTA.ratePerSecond));
    await new Promise((resolve) => setImmediate(resolve));
    expect(delivered.length).toBe(count);
  });

  it('pauses the socket while the mailbox is full, and goes on in order', async () => {
    const { inbox, delivered, state } = inboxOf();
    let makeRoom: () => void = () => undefined;
    state.room = new Promise((resolve) => {
      makeRoom = resolve;
    });
    for (const nonce of [1, 2, 3]) inbox.take(ping(nonce));
    expect(delivered).toEqual([{ kind: 'Ping', nonce: 1 }]);
    expect(state.reading).toBe(false);
    makeRoom();
    await new Promise((resolve) => setImmediate(resolve));
    expect(delivered.map((message) => (message.kind === 'Ping' ? message.nonce : 0))).toEqual([1, 2, 3]);
    expect(state.reading).toBe(true);
    expect(inbox.counts.pauses).toBe(1);
  });

  it('holds a bounded number of frames while paused, and counts the rest', () => {
    const { inbox, state } = inboxOf();
    state.room = new Promise(() => undefined);
    for (let nonce = 0; nonce < 10_000; nonce += 1) inbox.take(ping(nonce));
    expect(inbox.counts.overflowed).toBe(10_000 - 1 - 8_192);
  });
});

describe('inbox: batches of a node that is no validator (TP-9)', () => {
  const batch = bytesOf({ kind: 'Batch', bytes: new Uint8Array(1_000_000) });
  const refusal = { code: 'KIND_NOT_FOR_ROLE', kind: 'Batch', role: 'full' };

  it('are refused undecoded where none was asked for, as those of a stranger', () => {
    const { inbox, delivered, refusals } = inboxOf('full');
    inbox.take(batch);
    inbox.take(batch.slice(0, 100));
    expect([delivered, refusals]).toEqual([[], [refusal, refusal]]);
  });

  it('are taken up to what answers to the questions hold, however many questions there were', () => {
    const { inbox, delivered, refusals } = inboxOf('full');
    const perQuestion = Math.floor(BATCHES_ASKED_BYTES / batch.byteLength);
    inbox.expectBatches();
    for (let count = 0; count <= perQuestion; count += 1) inbox.take(batch);
    expect([delivered.length, refusals]).toEqual([perQuestion, [refusal]]);
    for (let count = 0; count < 1_000; count += 1) inbox.expectBatches();
    const most = Math.floor(BATCHES_ASKED_BYTES_MAX / batch.byteLength);
    for (let count = 0; count <= most; count += 1) inbox.take(batch);
    expect([delivered.length, refusals.length]).toEqual([perQuestion + most, 2]);
  });

  it('are a validator’s as ever once it has become one', () => {
    const { inbox, delivered } = inboxOf('full');
    inbox.setRole('validator');
    inbox.take(batch);
    expect(delivered).toHaveLength(1);
  });
});

describe('inbox: operations of a node that is no validator (TP-5)', () => {
  const handing = (count: number, bytes = 10): Uint8Array =>
    bytesOf({
      kind: 'SubmitOperations',
      tag: 2 ** 40,
      operations: Array.from({ length: count }, () => new Uint8Array(bytes)),
    });

  it('are taken up to two seconds of the rate at once, then at the rate; the rest is counted and not decoded', () => {
    const { inbox, delivered, refusals, state } = inboxOf('full');
    const full = handing(1_000);
    for (let count = 0; count < 4; count += 1) inbox.take(full);
    inbox.take(handing(999));
    expect(delivered).toHaveLength(4);
    expect(refusals).toEqual([
      { code: 'OPERATIONS_RATE_EXCEEDED', kind: 'SubmitOperations', operations: 999 },
    ]);
    state.now = 1_000;
    for (let count = 0; count < 40; count += 1) inbox.take(full);
    expect(delivered).toHaveLength(6);
    // Refused by its first bytes: what follows them is not even msgpack.
    inbox.take(full.slice(0, 100));
    expect(refusals.at(-1)?.code).toBe('OPERATIONS_RATE_EXCEEDED');
  });

  it('are taken up to the rate of bytes too', () => {
    const { inbox, delivered, refusals, state } = inboxOf('full');
    const large = handing(1, 60_000);
    for (let count = 0; count < 10; count += 1) inbox.take(large);
    expect(delivered).toHaveLength(Math.floor(Math.max(200_000, 256 * 1024) / large.byteLength));
    expect(refusals.at(-1)).toMatchObject({ code: 'OPERATIONS_RATE_EXCEEDED', operations: 1 });
    state.now = 1_000;
    inbox.take(large);
    expect(delivered).toHaveLength(5);
  });

  it('are no more by new connections: the buckets are those of the node id, and of the address (TP-5)', () => {
    const book = bookOf();
    let taken = 0;
    for (const [index, peer] of [FIRST, FIRST, FIRST, SECOND, ...OTHERS].entries()) {
      const { inbox, delivered } = inboxOf('full', { book, peer, remote: `192.0.2.1:${4_000 + index}` });
      for (let count = 0; count < 5; count += 1) inbox.take(handing(1_000));
      taken += delivered.length;
    }
    expect(taken).toBe(4);
    const moved = inboxOf('full', { book, peer: FIRST, remote: '192.0.2.2:4000' });
    moved.inbox.take(handing(1_000));
    expect(moved.delivered).toEqual([]);
  });

  it('are no more from one IPv6 network than from one node, whatever its addresses', () => {
    const book = bookOf();
    const taken = [SECOND, ...OTHERS].map((peer, index) => {
      const { inbox, delivered } = inboxOf('full', { book, peer, remote: `[2001:db8::${index}]:4000` });
      inbox.take(handing(1_000));
      return delivered.length;
    });
    expect(taken.reduce((sum, one) => sum + one, 0)).toBe(4);
  });

  it('are bounded for all guests together, and those of a kept node stay its own', () => {
    const book = bookOf(SECOND);
    const taken = OTHERS.map((peer, index) => {
      const { inbox, delivered } = inboxOf('full', { book, peer, remote: `192.0.2.${index}:4000` });
      for (let count = 0; count < 4; count += 1) inbox.take(handing(1_000));
      return delivered.length;
    });
    expect(taken.reduce((sum, one) => sum + one, 0)).toBe(10);
    const kept = inboxOf('full', { book, peer: SECOND, remote: '192.0.2.0:4000' });
    for (let count = 0; count < 5; count += 1) kept.inbox.take(handing(1_000));
    expect(kept.delivered).toHaveLength(4);
  });

  it('are not bounded so while the peer is a validator', () => {
    const { inbox, delivered } = inboxOf('full');
    inbox.setRole('validator');
    for (let count = 0; count < 50; count += 1) inbox.take(handing(1_000));
    expect(delivered).toHaveLength(50);
    inbox.setRole('full');
    for (let count = 0; count < 50; count += 1) inbox.take(handing(1_000));
    expect(delivered).toHaveLength(54);
  });
});

describe('inbox: who may say what (TP-6, TP-9, TP-10)', () => {
  it('takes answers to operations of validators alone: nobody else is asked', () => {
    const { inbox, delivered, refusals } = inboxOf('full');
    const answer = { kind: 'OperationsAnswered', tag: 1, admissions: [{ accepted: true }] } as const;
    inbox.take(bytesOf(answer));
    expect(refusals).toEqual([{ code: 'KIND_NOT_FOR_ROLE', kind: 'OperationsAnswered', role: 'full' }]);
    inbox.setRole('validator');
    inbox.take(bytesOf(answer));
    expect(delivered).toEqual([answer]);
  });

  it('takes no consensus message from a full node, but lets it sync', () => {
    const { inbox, delivered, refusals } = inboxOf('full');
    inbox.take(vote);
    expect(refusals).toEqual([{ code: 'KIND_NOT_FOR_ROLE', kind: 'Vote', role: 'full' }]);
    const [request] = fc.sample(MESSAGES.GetBlocks, { numRuns: 1, seed: 1 });
    if (request !== undefined) inbox.take(bytesOf(request));
    expect(delivered).toEqual([request]);
    inbox.setRole('validator');
    inbox.take(vote);
    expect(delivered.at(-1)?.kind).toBe('Vote');
  });

  it("keeps a validator's consensus lane open while its sync lane is closed", () => {
    const { inbox, delivered, refusals } = inboxOf();
    inbox.setSyncLane(false);
    const [request] = fc.sample(MESSAGES.GetBlocks, { numRuns: 1, seed: 1 });
    if (request !== undefined) inbox.take(bytesOf(request));
    inbox.take(vote);
    expect(refusals).toEqual([{ code: 'SYNC_LANE_BANNED', kind: 'GetBlocks' }]);
    expect(delivered.map(({ kind }) => kind)).toEqual(['Vote']);
  });

  it('ignores and counts unknown kinds of a newer minor version, and refuses those of its own', () => {
    const { inbox, refusals } = inboxOf();
    const packr = new Packr({ useRecords: false });
    const { minor } = PROTOCOL_VERSION;
    inbox.take(packr.pack([minor + 1, 99, {}]));
    expect(inbox.counts.ignored).toBe(1);
    expect(refusals).toEqual([]);
    inbox.take(packr.pack([minor, 99, {}]));
    expect(refusals).toEqual([{ code: 'KIND_UNKNOWN', number: 99, version: minor }]);
  });

  it('refuses a second Hello, and text', () => {
    const { inbox, refusals } = inboxOf();
    const [hello] = fc.sample(MESSAGES.Hello, { numRuns: 1, seed: 1 });
    if (hello !== undefined) inbox.take(bytesOf(hello));
    inbox.takeText();
    expect(refusals).toEqual([{ code: 'KIND_OUT_OF_PHASE', kind: 'Hello' }, { code: 'FRAME_NOT_BINARY' }]);
  });
});
