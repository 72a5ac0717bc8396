import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  child,
  createSystem,
  handler,
  type Message,
  realClock,
  type System,
  seededRandom,
  supervisor,
} from '../../src/actors/runtime/index.ts';
import { GATEWAY_EVENTS, Gateway } from '../../src/node/gateway.ts';
import { parseBlockId } from '../../src/protocol/chain/parse.ts';
import { heightOf } from '../rpc/sync-report.ts';

type Asked = Message & { readonly replyTo: string; readonly tag: number };

/** A node of the gateway, and of two cells of sync that keep what they are asked. */
function nodeOf(gateway: Gateway) {
  const asked: Asked[] = [];
  const cell = (id: string, type: string) =>
    child(
      id,
      handler<undefined, Asked>({ init: () => undefined, receive: (message) => void asked.push(message) }),
      { publicEvents: [type] },
    );
  const system = createSystem({ name: 'node', clock: realClock(), random: seededRandom(1) });
  system.start(
    child(
      'node',
      supervisor({
        children: [
          child(
            'sync',
            supervisor({
              children: [
                cell('network-sync', 'resync.requested'),
                cell('sync-coordinator', 'sync.manualRequested'),
              ],
            }),
          ),
          child(
            'surface',
            supervisor({ children: [child('rpc', gateway.logic(), { publicEvents: GATEWAY_EVENTS })] }),
          ),
        ],
      }),
    ),
  );
  return { system, asked };
}

const answer = (system: System, asked: Asked | undefined, message: Message): void => {
  if (asked === undefined) throw new Error('nothing was asked');
  system.ref(asked.replyTo).tell({ ...message, tag: asked.tag });
};

describe('messages that wait for an answer (BR-2)', () => {
  it('are bounded: beyond them nothing is taken, and a submission hears so with certainty', async () => {
    const gateway = new Gateway();
    const { system } = nodeOf(gateway);
    await expect.poll(() => system.ref('node/surface/rpc').info()).toBeDefined();
    const waiting = Array.from({ length: 4_096 }, () => gateway.syncNow());
    const full = 'Queue full: node/consensus-bridge takes no more now: try again later';
    const refused = { status: 'refused', code: 'QUEUE_FULL', log: full };
    expect(await gateway.submit([new Uint8Array([1])], 'one')).toMatchObject([refused]);
    await expect(gateway.syncNow()).rejects.toThrow('Queue full');
    await system.stop();
    const ends = await Promise.allSettled(waiting);
    expect(ends.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(4_000);
  });
});

describe("the operator's calls of sync", () => {
  let gateway = new Gateway();
  let node = nodeOf(gateway);
  beforeEach(async () => {
    gateway = new Gateway();
    node = nodeOf(gateway);
    await expect.poll(() => node.system.ref('node/surface/rpc').info()).toBeDefined();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(async () => {
    vi.useRealTimers();
    await node.system.stop();
  });
  const settle = () => vi.advanceTimersByTimeAsync(10);

  it('a check goes to the sync-coordinator, and its end is the answer', async () => {
    const outcome = gateway.syncNow();
    await settle();
    expect(node.asked).toMatchObject([{ type: 'sync.manualRequested', replyTo: 'node/surface/rpc' }]);
    const error = { code: 'NoPeersAvailable', detail: 'nobody' };
    answer(node.system, node.asked[0], { type: 'sync.done', status: { kind: 'InSync' }, error });
    expect(await outcome).toEqual({ status: 'done', sync: { kind: 'InSync' }, error });
  });

  it('a check that takes long is answered as running, and its late end is nothing', async () => {
    const outcome = gateway.syncNow();
    await vi.advanceTimersByTimeAsync(5_001);
    expect(await outcome).toEqual({ status: 'running' });
    answer(node.system, node.asked[0], { type: 'sync.done', status: { kind: 'InSync' } });
    await settle();
    expect(gateway.resynced).toBeUndefined();
  });

  it('a resync goes to network-sync with its checkpoint; a refusal at once is the answer', async () => {
    const id = parseBlockId('ab'.repeat(32));
    if (id === 'malformed') throw new Error('an id is an id');
    const outcome = gateway.resync({ height: heightOf(5), id });
    await settle();
    expect(node.asked).toMatchObject([{ type: 'resync.requested', checkpoint: { height: 5, id } }]);
    const failed = { status: 'failed', error: { code: 'NoPeersAvailable', detail: 'none' } };
    answer(node.system, node.asked[0], { type: 'resync.ended', outcome: failed });
    expect(await outcome).toEqual(failed);
    expect(gateway.resynced).toEqual(failed);
  });

  it('how a resync ended is kept, however late; a new order forgets it', async () => {
    const first = gateway.resync();
    await vi.advanceTimersByTimeAsync(5_001);
    expect([await first, gateway.resynced]).toEqual([{ status: 'running' }, undefined]);
    expect(Object.hasOwn(node.asked[0] ?? {}, 'checkpoint')).toBe(false);
    answer(node.system, node.asked[0], { type: 'resync.ended', outcome: { status: 'ready', height: 9 } });
    await settle();
    expect(gateway.resynced).toEqual({ status: 'ready', height: 9 });
    const second = gateway.resync();
    expect(gateway.resynced).toBeUndefined();
    await vi.advanceTimersByTimeAsync(5_001);
    expect(await second).toEqual({ status: 'running' });
  });

  it('a cell that does not take it is a failure, not running', async () => {
    const stopped = new Gateway();
    await expect(stopped.syncNow()).rejects.toThrow('the node is not running');
    await expect(stopped.resync()).rejects.toThrow('the node is not running');
  });
});
