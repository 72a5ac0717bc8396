import { afterEach, describe, expect, it } from 'vitest';
import { realClock, virtualClock } from '../../src/actors/runtime/index.ts';
import type { BatchDigest, Digest } from '../../src/protocol/chain/types.ts';
import type { CloseReason } from '../../src/protocol/transport/closing.ts';
import type { Frame } from '../../src/protocol/transport/frame.ts';
import { FRAME_BYTES_MAX } from '../../src/protocol/transport/kinds.ts';
import { LANE_LIMITS, SOCKET_BUFFER_BYTES_MAX } from '../../src/protocol/transport/lanes.ts';
import type { WireMessage } from '../../src/protocol/transport/messages.ts';
import type { FrameRefusal } from '../../src/protocol/transport/refusal.ts';
import type { CarrierClock } from '../../src/transport/clock.ts';
import { encode } from '../../src/transport/codec/codec.ts';
import { Connection } from '../../src/transport/connection.ts';
import type { ProvenSocket } from '../../src/transport/websocket.ts';
import { until } from './support/nodes.ts';
import { type Pair, provenPair } from './support/pair.ts';

const pairs: Pair[] = [];
afterEach(() => {
  for (const pair of pairs.splice(0)) pair.close();
});

async function pair(): Promise<Pair> {
  const made = await provenPair();
  pairs.push(made);
  return made;
}

/** A connection over one end, and what it said. */
function connect(proven: ProvenSocket, clock: CarrierClock = realClock()) {
  const messages: WireMessage[] = [];
  const refusals: FrameRefusal[] = [];
  const ends: [CloseReason, string][] = [];
  const room = { next: undefined as Promise<void> | undefined };
  const connection = new Connection(proven, clock, {
    deliver(message) {
      messages.push(message);
      const { next } = room;
      room.next = undefined;
      return next;
    },
    refuse: (refusal) => refusals.push(refusal),
    ended: (reason, detail) => ends.push([reason, detail]),
  });
  connection.open();
  return { connection, messages, refusals, ends, room };
}

const frameOf = (message: WireMessage): Frame => {
  const encoding = encode(message);
  if (encoding.outcome === 'refused') throw new Error(encoding.refusal.code);
  return encoding.frame;
};
const batch = (size: number, mark = 0): Frame =>
  frameOf({ kind: 'Batch', bytes: new Uint8Array(size).fill(mark) });

describe('connection (TP-2 to TP-6)', () => {
  it('carries frames both ways in order within a lane', async () => {
    const { dialer, listener } = await pair();
    const near = connect(dialer);
    const far = connect(listener);
    for (let mark = 0; mark < 50; mark += 1) {
      near.connection.send(batch(mark * 1_000, mark));
      far.connection.send(batch(10, mark));
    }
    await until('all arrived', () => near.messages.length === 50 && far.messages.length === 50);
    const sizes = far.messages.map((message) => (message.kind === 'Batch' ? message.bytes.byteLength : -1));
    expect(sizes).toEqual(Array.from({ length: 50 }, (_, index) => index * 1_000));
  });

  it('takes batches of who is no validator when it has asked for them, and not before (TP-9)', async () => {
    const { dialer, listener } = await pair();
    const near = connect(dialer);
    const far = connect(listener);
    near.connection.setRole('full');
    far.connection.send(batch(10, 1));
    await until('the first came', () => near.refusals.length === 1);
    near.connection.send(frameOf({ kind: 'GetBatch', digests: ['ab'.repeat(32) as Digest as BatchDigest] }));
    far.connection.send(batch(10, 2));
    await until('the second came', () => near.messages.length === 1);
    expect(near.refusals).toEqual([{ code: 'KIND_NOT_FOR_ROLE', kind: 'Batch', role: 'full' }]);
  });

  it('keeps what a stalled peer costs within the lane and the socket buffer (TP-4)', async () => {
    const { dialer, listener } = await pair();
    const near = connect(dialer);
    // The far end is never opened: its socket stays paused.
    const large = batch(1_000_000);
    for (let count = 0; count < 100; count += 1) {
      near.connection.send(large);
      if (count % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(near.connection.status.waiting * large.bytes.byteLength).toBeLessThanOrEqual(
      LANE_LIMITS.batches.bytesMax,
    );
    expect(dialer.ws.bufferedAmount).toBeLessThan(SOCKET_BUFFER_BYTES_MAX + large.bytes.byteLength + 1_000);
    expect(near.connection.overflowed('batches')).toBeGreaterThan(70);
    expect(listener.ws.isPaused).toBe(true);
  });

  it('ends a connection whose peer takes nothing for 30 s as STALLED', async () => {
    const clock = virtualClock();
    const { dialer } = await pair();
    const near = connect(dialer, clock);
    const large = batch(1_000_000);
    for (let count = 0; count < 30; count += 1) near.connection.send(large);
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (let second = 0; second < 35 && near.ends.length === 0; second += 5) {
      // Hears its peer, though the peer's own reading is stopped.
      dialer.ws.emit('message', Buffer.from(frameOf({ kind: 'Ping', nonce: 1 }).bytes), true);
      clock.advance(5_000);
    }
    expect(near.ends).toEqual([['STALLED', expect.stringContaining('frames wait')]]);
  });

  it('ends a connection that is silent for 15 s, and not one that answers', async () => {
    const clock = virtualClock();
    const { dialer } = await pair();
    const near = connect(dialer, clock);
    clock.advance(14_999);
    expect(near.ends).toEqual([]);
    clock.advance(1);
    expect(near.ends).toEqual([['KEEPALIVE_TIMEOUT', 'silent for 15000 ms']]);

    const other = await pair();
    const lively = connect(other.dialer, clock);
    const answering = connect(other.listener);
    for (let round = 0; round < 6; round += 1) {
      const before = lively.connection.status.received.frames;
      clock.advance(5_000);
      await until('a pong', () => lively.connection.status.received.frames > before);
    }
    expect(lively.ends).toEqual([]);
    expect(answering.ends).toEqual([]);
    expect(lively.connection.status.roundTrip).toBe(0);
  });

  it('does not blame the peer when this process stood still', async () => {
    const clock = virtualClock();
    const { dialer } = await pair();
    let now = clock.now();
    const asleep: CarrierClock = {
      now: () => now,
      schedule: (delay, fire) => clock.schedule(delay, fire),
      cancel: (timer) => clock.cancel(timer),
    };
    const near = connect(dialer, asleep);
    now = (now + 60_000) as typeof now;
    clock.advance(5_000);
    expect(near.ends).toEqual([]);
  });

  it('does not blame the peer for silence while its own mailbox is full', async () => {
    const clock = virtualClock();
    const { dialer, listener } = await pair();
    const near = connect(dialer, clock);
    const far = connect(listener);
    near.room.next = new Promise(() => undefined);
    far.connection.send(batch(10));
    await until('it is in', () => near.messages.length === 1);
    for (let tick = 0; tick < 12; tick += 1) {
      clock.advance(5_000);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(near.ends).toEqual([]);
  });

  it('asks a connection that may be dead, and ends it 2 s later without an answer', async () => {
    const clock = virtualClock();
    const { dialer } = await pair();
    const near = connect(dialer, clock);
    clock.advance(100);
    near.connection.probe();
    clock.advance(2_000);
    expect(near.ends).toEqual([['KEEPALIVE_TIMEOUT', 'no answer to a probe']]);
  });

  it('pauses the socket until there is room, and loses nothing', async () => {
    const { dialer, listener } = await pair();
    const near = connect(dialer);
    const far = connect(listener);
    let makeRoom: () => void = () => undefined;
    far.room.next = new Promise((resolve) => {
      makeRoom = resolve;
    });
    for (let mark = 0; mark < 20; mark += 1) near.connection.send(batch(100_000, mark));
    await until('the first is in', () => far.messages.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(far.messages.length).toBe(1);
    expect(listener.ws.isPaused).toBe(true);
    makeRoom();
    await until('all are in', () => far.messages.length === 20);
  });

  it('ends a connection that sends more than the greatest frame, by ws itself', async () => {
    const { dialer, listener } = await pair();
    const far = connect(listener);
    dialer.ws.on('error', () => undefined);
    dialer.ws.resume();
    dialer.ws.send(new Uint8Array(FRAME_BYTES_MAX + 1));
    await until('it ends', () => far.ends.length === 1);
    expect(far.ends[0]?.[0]).toBe('FRAME_REFUSED');
    expect(far.messages).toEqual([]);
  });

  it('refuses text and WebSocket pings', async () => {
    const { dialer, listener } = await pair();
    const far = connect(listener);
    dialer.ws.send('hello');
    dialer.ws.ping();
    await until('both refused', () => far.refusals.length === 2);
    expect(far.refusals).toEqual([{ code: 'FRAME_NOT_BINARY' }, { code: 'FRAME_NOT_BINARY' }]);
  });

  it("tells the peer the reason's code when it closes", async () => {
    const { dialer, listener } = await pair();
    const near = connect(dialer);
    const far = connect(listener);
    near.connection.close('BANNED');
    await until('the other hears it', () => far.ends.length === 1);
    expect(near.ends).toEqual([['BANNED', '']]);
    expect(far.ends).toEqual([['BANNED', 'BANNED']]);
    expect(near.connection.send(batch(1))).toBe('overflowed');
  });

  it('reports an end once, whatever comes after it', async () => {
    const { dialer } = await pair();
    const near = connect(dialer);
    dialer.ws.terminate();
    near.connection.close('BANNED');
    near.connection.close('REPLACED');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(near.ends.length).toBe(1);
  });

  it('ends at once when it is opened too late', async () => {
    const { dialer } = await pair();
    dialer.ws.terminate();
    await until('the socket is closed', () => dialer.ws.readyState === dialer.ws.CLOSED);
    expect(connect(dialer).ends[0]?.[0]).toBe('CONNECTION_LOST');
  });
});
