import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { afterEach, describe, expect, it } from 'vitest';
import {
  child,
  createSystem,
  handler,
  realClock,
  seededRandom,
  supervisor,
} from '../../src/actors/runtime/index.ts';
import { millis } from '../../src/base/units.ts';
import type { Address, Digest } from '../../src/protocol/chain/types.ts';
import type { PeerMessage } from '../../src/protocol/consensus/types.ts';
import { CLOSE_CODES } from '../../src/protocol/transport/closing.ts';
import { KINDS } from '../../src/protocol/transport/kinds.ts';
import { handingRates } from '../../src/protocol/transport/limits.ts';
import type { Endpoint } from '../../src/protocol/transport/messages.ts';
import { PROTOCOL_VERSION } from '../../src/protocol/transport/version.ts';
import { encode } from '../../src/transport/codec/codec.ts';
import { type DialOutcome, dial } from '../../src/transport/dial.ts';
import { createNetwork } from '../../src/transport/network.ts';
import { epochOfAddresses, world } from '../protocol/consensus/fixture.ts';
import { MESSAGES } from './codec/arbitraries.ts';
import {
  CHAIN,
  idsOf,
  secretOf,
  startNode,
  type TestNode,
  type TestNodeOptions,
  until,
} from './support/nodes.ts';
import { describeSelf } from './support/pair.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
});

async function start(options: TestNodeOptions): Promise<TestNode> {
  const node = await startNode(options);
  cleanups.push(() => node.stop());
  return node;
}

const at = (node: TestNode): Endpoint => ({ host: '127.0.0.1', port: node.port });
const knowing = (...nodes: readonly TestNode[]) => new Map(nodes.map((node) => [node.id, at(node)]));
const soon = { min: millis(20), max: millis(100), factor: 2, jitter: 0.5 };

const [vote] = fc.sample(MESSAGES.Vote, { numRuns: 1, seed: 3 });
if (vote === undefined) throw new Error('fast-check gave no vote');

const connections = (node: TestNode): number => node.network.connections().length;

/** A peer that is only a socket: it may say anything. */
async function stranger(node: TestNode, index: number): Promise<DialOutcome> {
  const control = new AbortController();
  cleanups.push(() => control.abort());
  const outcome = await dial({
    self: describeSelf(index),
    endpoint: at(node),
    expectedPeer: node.id,
    clock: realClock(),
    signal: control.signal,
    insecure: false,
    onUpgrading: () => undefined,
  });
  if (outcome.outcome === 'proven') {
    outcome.proven.ws.resume();
    cleanups.push(() => outcome.proven.ws.terminate());
  }
  return outcome;
}

async function strangerSocket(node: TestNode, index: number) {
  const outcome = await stranger(node, index);
  if (outcome.outcome !== 'proven') throw new Error(outcome.detail);
  const { ws } = outcome.proven;
  const closed = new Promise<number>((resolve) => ws.once('close', resolve));
  return { ws, closed };
}

describe('network over TLS: four nodes', () => {
  it('carries a broadcast to every validator, and to oneself by the same route (CS-18)', async () => {
    const validators = idsOf(4);
    const first = await start({ index: 0, validators });
    const others = await Promise.all(
      [1, 2, 3].map((index) => start({ index, validators, endpoints: knowing(first) })),
    );
    const nodes = [first, ...others];
    // Started with one address, each finds all (TP-7).
    await until('all see all', () => nodes.every((node) => connections(node) === 3));
    first.send('all', vote);
    await until('all have it', () => nodes.every((node) => node.received.length === 1));
    for (const node of nodes) {
      expect(node.received).toEqual([{ type: 'message.received', from: first.id, message: vote }]);
      expect(new Set(node.connectivity).size).toBe(3);
    }
  });

  it('carries large batches between all, each exactly as it was sent', async () => {
    const validators = idsOf(3);
    const first = await start({ index: 0, validators });
    const second = await start({ index: 1, validators, endpoints: knowing(first) });
    const third = await start({ index: 2, validators, endpoints: knowing(first, second) });
    const nodes = [first, second, third];
    await until('all see all', () => nodes.every((node) => connections(node) === 2));
    const sizes = [0, 1, 300, 70_000, 1_000_000];
    for (const [index, node] of nodes.entries()) {
      for (const size of sizes) node.send('all', { kind: 'Batch', bytes: new Uint8Array(size).fill(index) });
    }
    await until('all batches everywhere', () => nodes.every((node) => node.received.length === 15));
    for (const node of nodes) {
      for (const [index, { id }] of nodes.entries()) {
        const batches = node.received.flatMap(({ from, message }) =>
          from === id && message.kind === 'Batch' ? [message.bytes] : [],
        );
        expect(batches.map((bytes) => bytes.byteLength)).toEqual(sizes);
        expect(batches.every((bytes) => bytes.every((byte) => byte === index))).toBe(true);
      }
    }
  });
});

describe('network over TLS: connections (TP-2)', () => {
  it('keeps one connection of a pair that dials each other at once', async () => {
    const validators = idsOf(2);
    for (let round = 0; round < 5; round += 1) {
      const first = await start({ index: 0, validators, change: { backoff: soon } });
      const second = await start({ index: 1, validators, change: { backoff: soon } });
      const learn = (node: TestNode, other: TestNode) =>
        node.system
          .ref(`node/network/peer/${other.id}`)
          .tell({ type: 'endpoint.learned', endpoint: at(other) });
      learn(first, second);
      learn(second, first);
      await until('both are connected', () => connections(first) === 1 && connections(second) === 1);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect([connections(first), connections(second)]).toEqual([1, 1]);
      const [near] = first.network.connections();
      const [far] = second.network.connections();
      expect(near?.outbound).toBe(!far?.outbound);
      second.send([first.id], vote);
      await until('it arrives', () => first.received.length === 1);
      await first.stop();
      await second.stop();
    }
  });

  it('finds a peer again that was restarted, and tells both turns', async () => {
    const validators = idsOf(2);
    const first = await start({ index: 0, validators, change: { backoff: soon } });
    const second = await start({
      index: 1,
      validators,
      endpoints: knowing(first),
      change: { backoff: soon },
    });
    await until('connected', () => connections(first) === 1 && connections(second) === 1);
    const { port } = first;
    await first.stop();
    await until('noticed', () => second.connectivity.length === 2);
    const again = await start({
      index: 0,
      validators,
      change: { backoff: soon, listen: { host: '127.0.0.1', port } },
    });
    await until('connected again', () => second.connectivity.length === 3);
    expect(second.connectivity).toEqual([`+${first.id}`, `-${first.id}`, `+${first.id}`]);
    again.send([second.id], vote);
    await until('it arrives', () => second.received.length === 1);
  });

  it('takes the new connection of a peer that restarted before the old one was missed', async () => {
    const validators = idsOf(2);
    const first = await start({ index: 0, validators });
    const before = await strangerSocket(first, 1);
    await until('connected', () => connections(first) === 1);
    const outcome = await dial({
      self: describeSelf(1, { instance: new Uint8Array(8).fill(99) }),
      endpoint: at(first),
      expectedPeer: first.id,
      clock: realClock(),
      signal: new AbortController().signal,
      insecure: false,
      onUpgrading: () => undefined,
    });
    expect(outcome.outcome).toBe('proven');
    if (outcome.outcome === 'proven') cleanups.push(() => outcome.proven.ws.terminate());
    expect(await before.closed).toBe(CLOSE_CODES.REPLACED);
    expect(connections(first)).toBe(1);
  });

  it('admits a bounded number of guests, and keeps the places of validators', async () => {
    const validators = idsOf(2);
    const first = await start({ index: 0, validators });
    const outcomes = await Promise.all(Array.from({ length: 34 }, (_, index) => stranger(first, 10 + index)));
    const refused = outcomes.filter((outcome) => outcome.outcome === 'failed');
    expect(refused.length).toBe(2);
    expect(refused.every((outcome) => outcome.reason === 'TOO_MANY_CONNECTIONS')).toBe(true);
    const second = await start({ index: 1, validators, endpoints: knowing(first) });
    await until('the validator has its place', () => second.connectivity.length === 1);
    // A guest is no validator: nobody is told that it can be reached.
    expect(first.connectivity).toEqual([`+${second.id}`]);
  });
});

describe('network over TLS: operations of guests (TP-5)', () => {
  const encoding = encode({
    kind: 'SubmitOperations',
    tag: 1,
    operations: Array.from({ length: 1_000 }, () => new Uint8Array(1)),
  });
  if (encoding.outcome === 'refused') throw new Error(encoding.refusal.code);
  const frame = encoding.frame.bytes;
  const each = handingRates(1, 1024);
  const all = handingRates(1_500, 2 * 1024 * 1024);

  it('are no more for a guest that comes back, nor for one that comes back as another', async () => {
    const first = await start({ index: 0, validators: idsOf(1), change: { guests: { each, all } } });
    const { network, received } = first;
    for (const [times, index] of [7, 7, 8, 9].entries()) {
      const { ws, closed } = await strangerSocket(first, index);
      ws.send(frame);
      ws.send(frame);
      await until(
        'both have come',
        () => received.length * 1_000 + network.operationsTurnedAway() >= 2_000 * (times + 1),
      );
      ws.close();
      await closed;
      await until('it is gone', () => connections(first) === 0);
    }
    expect(received).toHaveLength(1);
    expect(network.operationsTurnedAway()).toBe(7_000);
  });
});

describe('network over TLS: misbehaviour (TP-6, TP-11)', () => {
  it('bans a peer for malformed frames, says so, and does not let it back', async () => {
    const validators = idsOf(1);
    const first = await start({ index: 0, validators });
    const { ws, closed } = await strangerSocket(first, 7);
    ws.send(Buffer.from([0x93, 0, KINDS.Ping.number, 0xc1]));
    ws.send(Buffer.from('garbage'));
    expect(await closed).toBe(CLOSE_CODES.BANNED);
    await until('gone', () => connections(first) === 0);
    expect(await stranger(first, 7)).toMatchObject({ outcome: 'failed', reason: 'BANNED' });
  });

  it('bans for what a cell says of a peer, once it weighs enough', async () => {
    const validators = idsOf(2);
    const first = await start({ index: 0, validators });
    const { closed } = await strangerSocket(first, 1);
    await until('connected', () => connections(first) === 1);
    const [, peer] = validators;
    first.tellRouter({ type: 'peer.misbehaved', peer, code: 'SIGNATURE_INVALID' });
    first.tellRouter({ type: 'peer.misbehaved', peer, code: 'SIGNATURE_INVALID' });
    expect(await closed).toBe(CLOSE_CODES.BANNED);
    await until('told', () => first.connectivity.length === 2);
  });

  it('does not ban for unknown kinds of a newer minor version (TP-10)', async () => {
    const validators = idsOf(1);
    const first = await start({ index: 0, validators });
    const { ws } = await strangerSocket(first, 7);
    const packr = new Packr({ useRecords: false });
    for (let count = 0; count < 100; count += 1)
      ws.send(packr.pack([PROTOCOL_VERSION.minor + 1, 99, { count }]));
    await until('all are counted', () => first.network.connections()[0]?.received.ignored === 100);
    expect(connections(first)).toBe(1);
  });

  it('takes no consensus from a guest', async () => {
    const first = await start({ index: 0, validators: idsOf(1) });
    // It takes itself for a validator: an honest one would not send it (CS-19).
    const liars = [...idsOf(1), ...idsOf(6).slice(5)];
    const guest = await start({ index: 5, validators: liars, endpoints: knowing(first) });
    await until('connected', () => connections(guest) === 1);
    guest.send([first.id], vote);
    await until('refused', () => first.network.connections()[0]?.received.refused === 1);
    expect(first.received).toEqual([]);
    guest.send([first.id], { kind: 'GetBlockHeight', requestId: 1 });
    await until('sync is served', () => first.received.length === 1);
    first.send([guest.id], { kind: 'GetBlockHeight', requestId: 1 });
    await until('and answered', () => guest.received.length === 1);
  });
});

describe('network over TLS: nodes without a vote (SY-15)', () => {
  it('keep a connection to each other where one names the other, and ask over it', async () => {
    const first = await start({ index: 5, validators: idsOf(1) });
    const second = await start({ index: 6, validators: idsOf(1), endpoints: knowing(first) });
    await until('connected', () => connections(first) === 1 && connections(second) === 1);
    second.send([first.id], { kind: 'GetBlockHeight', requestId: 1 });
    await until('it asks', () => first.received.length === 1);
    // What only validators may say does not leave it, so nobody charges it.
    second.send([first.id], vote);
    second.send([first.id], { kind: 'GetBlockHeight', requestId: 2 });
    await until('it asks on', () => first.received.length === 2);
    expect(first.network.connections()[0]?.received.refused).toBe(0);
  });
});

describe('network over TLS: a full mailbox (TP-5)', () => {
  it.each([
    ['full mailbox', { capacity: 4, overflow: 'reject' }],
    ['mailbox of which the link has its share', { capacity: 1_000, perSender: 4, overflow: 'reject' }],
  ] as const)('pauses the sender of a %s at the socket and loses nothing', async (_, mailbox) => {
    const validators = idsOf(2);
    const sender = await start({ index: 0, validators });
    const clock = realClock();
    const network = createNetwork({
      address: 'node/network',
      secret: secretOf(1),
      chain: CHAIN,
      validators: () => validators,
      endpoints: knowing(sender),
      listen: { host: '127.0.0.1', port: 0 },
      moniker: 'slow',
      epoch: () => 0 as never,
      route: () => 'node/slow',
      connectivity: [],
      clock,
    });
    const seen: number[] = [];
    const slow = handler<undefined, { readonly type: string; readonly message: PeerMessage }>({
      init: () => undefined,
      async receive({ message }) {
        if (message.kind === 'Batch') seen.push(message.bytes[0] ?? -1);
        await new Promise((resolve) => setTimeout(resolve, 1));
      },
    });
    const system = createSystem({ name: 'slow', clock, random: seededRandom(1) });
    const root = system.start(
      child(
        'node',
        supervisor({
          children: [
            child('slow', slow, { mailbox }),
            child('network', supervisor({ children: network.cells })),
          ],
        }),
      ),
    );
    cleanups.push(() => system.stop());
    await root.started();
    await until('connected', () => connections(sender) === 1);
    for (let mark = 0; mark < 200; mark += 1) {
      sender.send([network.id], { kind: 'Batch', bytes: new Uint8Array(1_000).fill(mark) });
    }
    await until('all have come', () => seen.length === 200);
    expect(seen).toEqual(Array.from({ length: 200 }, (_, mark) => mark));
    expect(network.connections()[0]?.received.pauses).toBeGreaterThan(0);
  });
});

describe('network over TLS: a new validator set', () => {
  it('reaches a guest that becomes a validator, and tells who left', async () => {
    const [a, b, c] = idsOf(3);
    if (a === undefined || b === undefined || c === undefined) throw new Error('three ids');
    const first = await start({ index: 0, validators: [a, b] });
    const second = await start({ index: 1, validators: [a, b], endpoints: knowing(first) });
    const third = await start({ index: 2, validators: [a, b], endpoints: knowing(first, second) });
    const nodes = [first, second, third];
    await until('all are connected', () => nodes.every((node) => connections(node) === 2));
    for (const node of nodes)
      node.tellRouter({ type: 'epoch.began', epoch: epochOfAddresses(world().epoch, [a, c]) });
    await until('the change is told', () => first.connectivity.includes(`-${b}`));
    expect(first.connectivity).toEqual([`+${b}`, `+${c}`, `-${b}`]);
    third.send('all', vote);
    await until('the new set hears the new validator', () => first.received.length === 1);
    expect(second.received).toEqual([]);
  });

  it('is what a node says in its Hello: a validator that came in while it runs does not call itself a full node (TP-1)', async () => {
    const [a, b] = idsOf(2);
    if (a === undefined || b === undefined) throw new Error('two ids');
    let present: readonly Address[] = [b];
    const node = await start({ index: 0, validators: [b], change: { validators: () => present } });
    const roleTold = async (to: number): Promise<string> => {
      const outcome = await stranger(node, to);
      return outcome.outcome === 'proven' ? outcome.proven.peer.role : outcome.outcome;
    };
    expect(await roleTold(5)).toBe('full');
    present = [a, b];
    expect(await roleTold(6)).toBe('validator');
    present = [b];
    expect(await roleTold(7)).toBe('full');
  });
});

it('the digest of a chain is what separates networks', async () => {
  const validators = idsOf(2);
  const first = await start({ index: 0, validators });
  const elsewhere = { ...CHAIN, genesisHash: 'cd'.repeat(32) as Digest };
  const second = await start({
    index: 1,
    validators,
    endpoints: knowing(first),
    change: { chain: elsewhere, backoff: soon },
  });
  await until('refused', () => first.network.listening()?.refused.WRONG_GENESIS === 1);
  expect(connections(second)).toBe(0);
});
