import { describe, expect, it, vi } from 'vitest';
import type { Frame } from '../../src/protocol/transport/frame.ts';
import { Disturbance } from '../../src/transport/disturbance.ts';
import { nodeIdentity } from '../../src/transport/identity.ts';

const [one, two] = [1, 2].map((seed) => nodeIdentity(new Uint8Array(32).fill(seed)).id);
const frame = (value: number): Frame => ({ kind: 'Ping', bytes: Uint8Array.of(value) });

function link() {
  const sent: number[] = [];
  const close = vi.fn();
  return { sent, close, send: ({ bytes: [value = -1] }: Frame) => void sent.push(value) };
}

describe('what a network’s page does to links', () => {
  it('cuts the peers that it names, until it names others', () => {
    const disturbance = new Disturbance();
    if (one === undefined || two === undefined) throw new Error('two ids');
    disturbance.set({ cut: [one], delayMs: 0 });
    expect([disturbance.isCut(one), disturbance.isCut(two)]).toEqual([true, false]);
    disturbance.set({ cut: [], delayMs: 0 });
    expect(disturbance.isCut(one)).toBe(false);
  });

  it('sends at once without a delay, and later with one, in order even when the delay shrinks', async () => {
    const disturbance = new Disturbance();
    const to = link();
    disturbance.send(to, frame(1));
    expect(to.sent).toEqual([1]);
    disturbance.set({ cut: [], delayMs: 60 });
    disturbance.send(to, frame(2));
    disturbance.set({ cut: [], delayMs: 0 });
    disturbance.send(to, frame(3));
    expect(to.sent).toEqual([1]);
    await vi.waitFor(() => expect(to.sent).toEqual([1, 2, 3]));
    disturbance.send(to, frame(4));
    expect(to.sent).toEqual([1, 2, 3, 4]);
  });

  it('ends a link on which too much waits', () => {
    const disturbance = new Disturbance();
    const to = link();
    disturbance.set({ cut: [], delayMs: 5 });
    for (let value = 0; value < 16_385; value += 1) disturbance.send(to, frame(0));
    expect(to.close).toHaveBeenCalledExactlyOnceWith('STALLED', expect.stringContaining('16384'));
  });
});
