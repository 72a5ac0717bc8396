import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Frame } from '../../src/protocol/transport/frame.ts';
import { KINDS, LANES, type WireKind } from '../../src/protocol/transport/kinds.ts';
import { LANE_LIMITS, type LaneLimit, SOCKET_BUFFER_BYTES_MAX } from '../../src/protocol/transport/lanes.ts';
import { Outbox, type OutboxPort } from '../../src/transport/outbox.ts';

/** A socket that takes bytes only when told to. */
function socket() {
  const written: Uint8Array[] = [];
  const waiting: { bytes: number; taken: () => void }[] = [];
  const port: OutboxPort = {
    buffered: () => waiting.reduce((sum, { bytes }) => sum + bytes, 0),
    write(bytes, taken) {
      written.push(bytes);
      waiting.push({ bytes: bytes.byteLength, taken });
    },
    cork: () => undefined,
    uncork: () => undefined,
  };
  const drain = async (): Promise<void> => {
    while (waiting.length > 0) {
      waiting.shift()?.taken();
      await Promise.resolve();
    }
  };
  return { port, written, drain };
}

const frame = (kind: WireKind, size: number, mark = 0): Frame => ({
  kind,
  bytes: new Uint8Array(size).fill(mark),
});

const small: Record<(typeof LANES)[number], LaneLimit> = {
  control: { framesMax: 4, bytesMax: 100, overflow: 'drop_oldest' },
  proposals: { framesMax: 4, bytesMax: 100, overflow: 'drop_oldest' },
  batches: { framesMax: 4, bytesMax: 100, overflow: 'drop_newest' },
  sync: { framesMax: 4, bytesMax: 100, overflow: 'drop_newest' },
  gossip: { framesMax: 4, bytesMax: 100, overflow: 'drop_oldest' },
};

const ONE_OF_EACH_LANE: readonly WireKind[] = ['Addresses', 'Blocks', 'Batch', 'Proposal', 'Vote'];

describe('outbox (TP-4)', () => {
  it('sends control before proposals before batches before sync before gossip', async () => {
    const { port, written, drain } = socket();
    const outbox = new Outbox(port);
    ONE_OF_EACH_LANE.forEach((kind, index) => void outbox.put(frame(kind, 1, index)));
    await Promise.resolve();
    await drain();
    expect(written.map(([mark]) => mark)).toEqual([4, 3, 2, 1, 0]);
  });

  it('never has more in the socket than its buffer and one frame', async () => {
    const { port, written, drain } = socket();
    const outbox = new Outbox(port);
    for (let count = 0; count < 100; count += 1) outbox.put(frame('Batch', 100_000));
    await Promise.resolve();
    expect(port.buffered()).toBeLessThan(SOCKET_BUFFER_BYTES_MAX + 100_000);
    expect(outbox.waiting).toBe(100 - written.length);
    await drain();
    expect(written.length).toBe(100);
  });

  it('lets a vote pass what waits, also while the socket is full', async () => {
    const { port, written, drain } = socket();
    const outbox = new Outbox(port);
    for (let count = 0; count < 50; count += 1) outbox.put(frame('Batch', 100_000, 1));
    await Promise.resolve();
    const before = written.length;
    outbox.put(frame('Vote', 300, 2));
    await drain();
    expect(written.findIndex(([mark]) => mark === 2)).toBe(before);
  });

  it('keeps the newest of a lane that drops the oldest, and the oldest of one that drops the newest', async () => {
    const { port, written, drain } = socket();
    const outbox = new Outbox(port, small);
    const outcomes = [1, 2, 3, 4, 5, 6].map((mark) => outbox.put(frame('Vote', 10, mark)));
    for (const mark of [11, 12, 13, 14, 15, 16]) outbox.put(frame('Batch', 10, mark));
    expect(outcomes).toEqual(['queued', 'queued', 'queued', 'queued', 'overflowed', 'overflowed']);
    expect(outbox.lane('control').overflowed).toBe(2);
    expect(outbox.lane('batches').overflowed).toBe(2);
    await Promise.resolve();
    await drain();
    expect(written.map(([mark]) => mark)).toEqual([3, 4, 5, 6, 11, 12, 13, 14]);
  });

  it('keeps every lane within its bounds and accounts for every frame', async () => {
    const kinds = fc.constantFrom(...(Object.keys(KINDS) as WireKind[]));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(kinds, fc.integer({ min: 1, max: 120 }), fc.boolean()), { maxLength: 80 }),
        async (puts) => {
          const { port, written, drain } = socket();
          const outbox = new Outbox({ ...port, buffered: () => port.buffered() * 10_000 }, small);
          for (const [kind, size, drained] of puts) {
            outbox.put(frame(kind, size));
            for (const lane of LANES) {
              const { frames, bytes } = outbox.lane(lane);
              expect(frames).toBeLessThanOrEqual(small[lane].framesMax);
              expect(bytes).toBeLessThanOrEqual(small[lane].bytesMax);
            }
            if (drained) await drain();
          }
          const overflowed = LANES.reduce((sum, lane) => sum + outbox.lane(lane).overflowed, 0);
          expect(written.length + outbox.waiting + overflowed).toBe(puts.length);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('has room in its lane for the greatest frame of every kind', () => {
    for (const [kind, { lane, bytesMax }] of Object.entries(KINDS)) {
      expect([kind, bytesMax <= LANE_LIMITS[lane].bytesMax]).toEqual([kind, true]);
    }
  });

  it('forgets what waits when it is closed, and takes no more', async () => {
    const { port, written, drain } = socket();
    const outbox = new Outbox(port);
    outbox.put(frame('Vote', 10));
    outbox.close();
    expect(outbox.put(frame('Vote', 10))).toBe('overflowed');
    await drain();
    expect(written).toEqual([]);
  });
});
