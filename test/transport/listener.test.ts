import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { realClock, type VirtualClock, virtualClock } from '../../src/actors/runtime/index.ts';
import type { Digest, Epoch } from '../../src/protocol/chain/types.ts';
import { PENDING_PER_HOST_MAX } from '../../src/protocol/transport/limits.ts';
import { type DialOutcome, type DialRequest, dial } from '../../src/transport/dial.ts';
import {
  exporterOf,
  HELLO_HEADER,
  helloHeader,
  REFUSAL_HEADER,
  type SelfDescription,
} from '../../src/transport/handshake.ts';
import { nodeIdentity } from '../../src/transport/identity.ts';
import { Listener, type ListenerOptions, type Offer } from '../../src/transport/listener.ts';
import { CHAIN, secretOf, until } from './support/nodes.ts';
import { describeSelf } from './support/pair.ts';

const HOST = '127.0.0.1';
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function listen(change: Partial<ListenerOptions> = {}) {
  const offers: Offer[] = [];
  const listener = await Listener.open({
    self: describeSelf(0),
    host: HOST,
    port: 0,
    clock: realClock(),
    insecure: false,
    onOffer: (offer) => offers.push(offer),
    ...change,
  });
  cleanups.push(() => listener.close());
  return { listener, offers };
}

function dialTo(listener: Listener, change: Partial<DialRequest> = {}): Promise<DialOutcome> {
  const control = new AbortController();
  cleanups.push(() => control.abort());
  return dial({
    self: describeSelf(1),
    endpoint: { host: HOST, port: listener.port },
    expectedPeer: nodeIdentity(secretOf(0)).id,
    clock: realClock(),
    signal: control.signal,
    insecure: false,
    onUpgrading: () => undefined,
    ...change,
  });
}

function open(socket: Socket): Socket {
  socket.on('error', () => undefined);
  cleanups.push(() => socket.destroy());
  return socket;
}

/** A TLS client with the key of node `index`, before any upgrade. */
async function openTls(listener: Listener, index: number): Promise<TLSSocket> {
  const { certificate, privateKey } = nodeIdentity(secretOf(index));
  const socket = connectTls({
    host: HOST,
    port: listener.port,
    cert: certificate,
    key: privateKey,
    rejectUnauthorized: false,
  });
  open(socket);
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  return socket;
}

const upgradeRequest = (hello: string): string =>
  `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${HELLO_HEADER}: ${hello}\r\n\r\n`;

const answerOf = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    const parts: Buffer[] = [];
    socket.on('data', (part) => parts.push(part));
    socket.once('close', () => resolve(Buffer.concat(parts).toString()));
  });

describe('handshake over TLS (TP-1)', () => {
  it('proves both ends to each other', async () => {
    const { listener, offers } = await listen();
    const dialing = dialTo(listener);
    await until('an offer', () => offers.length === 1);
    const accepted = offers[0]?.accept();
    const outcome = await dialing;
    expect(accepted?.peer.id).toBe(nodeIdentity(secretOf(1)).id);
    expect(accepted?.peer.moniker).toBe('node-1');
    if (outcome.outcome !== 'proven') throw new Error(outcome.detail);
    expect(outcome.proven.peer.id).toBe(nodeIdentity(secretOf(0)).id);
    outcome.proven.ws.terminate();
  });

  it('works over plain ws on loopback when that was asked for, and only there', async () => {
    const { listener, offers } = await listen({ insecure: true });
    const dialing = dialTo(listener, { insecure: true });
    await until('an offer', () => offers.length === 1);
    offers[0]?.accept();
    const outcome = await dialing;
    expect(outcome.outcome).toBe('proven');
    if (outcome.outcome === 'proven') outcome.proven.ws.terminate();
    const outside = await dialTo(listener, { insecure: true, endpoint: { host: '192.0.2.1', port: 1 } });
    expect(outside).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('loopback') });
    await expect(listen({ insecure: true, host: '0.0.0.0' })).rejects.toThrow('loopback');
  });

  it('does not start to listen where another does', async () => {
    const { listener } = await listen();
    await expect(listen({ port: listener.port })).rejects.toThrow('EADDRINUSE');
  });

  const strangers: readonly (readonly [string, Partial<SelfDescription>])[] = [
    ['WRONG_CHAIN', { chain: { ...CHAIN, chainId: 'another' } }],
    ['WRONG_GENESIS', { chain: { ...CHAIN, genesisHash: 'cd'.repeat(32) as Digest } }],
    // The certificate is made with another key than the Hello names.
    [
      'WRONG_IDENTITY',
      { identity: { ...nodeIdentity(secretOf(1)), nodeKey: nodeIdentity(secretOf(2)).nodeKey } },
    ],
    ['WRONG_SIGNATURE', { identity: { ...nodeIdentity(secretOf(1)), sign: () => new Uint8Array(64) } }],
    ['SELF_CONNECTION', { identity: nodeIdentity(secretOf(0)) }],
  ];
  for (const [reason, change] of strangers) {
    it(`ends a dialer's ${reason} with that name, before there is a WebSocket`, async () => {
      const { listener, offers } = await listen();
      const outcome = await dialTo(listener, { self: describeSelf(1, change) });
      expect(outcome).toMatchObject({ outcome: 'failed', reason });
      expect(offers).toEqual([]);
      expect(listener.counts.refused).toEqual({ [reason]: 1 });
    });
  }

  it('never closes for another epoch: laggards must be helped', async () => {
    const { listener, offers } = await listen();
    const dialing = dialTo(listener, { self: describeSelf(1, { epoch: () => 99 as Epoch }) });
    await until('an offer', () => offers.length === 1);
    expect(offers[0]?.peer.epoch).toBe(99);
    offers[0]?.refuse('SHUTTING_DOWN');
    await dialing;
  });

  it('sends nothing to a node whose certificate is not the expected one', async () => {
    const { listener } = await listen();
    let upgrading = false;
    const outcome = await dialTo(listener, {
      expectedPeer: nodeIdentity(secretOf(2)).id,
      onUpgrading: () => {
        upgrading = true;
      },
    });
    expect(outcome).toMatchObject({ outcome: 'failed', reason: 'WRONG_IDENTITY' });
    expect(upgrading).toBe(false);
  });

  it('names the wrong chain of a listener to the dialer', async () => {
    const elsewhere = describeSelf(0, { chain: { ...CHAIN, chainId: 'another' } });
    const { listener } = await listen({ self: elsewhere });
    expect(await dialTo(listener)).toMatchObject({ outcome: 'failed', reason: 'WRONG_CHAIN' });
  });

  it('refuses a Hello that was signed for another connection', async () => {
    const { listener } = await listen();
    const elsewhere = await openTls(listener, 1);
    const stolen = helloHeader(describeSelf(1), 'dialer', exporterOf(elsewhere));
    const socket = await openTls(listener, 1);
    const answer = answerOf(socket);
    socket.write(upgradeRequest(stolen));
    expect(await answer).toContain(`${REFUSAL_HEADER}: WRONG_SIGNATURE`);
  });

  it("refuses a listener's Hello that is reflected to it", async () => {
    const { listener } = await listen();
    const socket = await openTls(listener, 1);
    const answer = answerOf(socket);
    socket.write(upgradeRequest(helloHeader(describeSelf(1), 'listener', exporterOf(socket))));
    expect(await answer).toContain(`${REFUSAL_HEADER}: WRONG_SIGNATURE`);
  });

  it('refuses a client without a certificate, and garbage for a Hello', async () => {
    const { listener } = await listen();
    const bare = connectTls({ host: HOST, port: listener.port, rejectUnauthorized: false });
    open(bare);
    const answer = answerOf(bare);
    bare.once('secureConnect', () => bare.write(upgradeRequest('x')));
    expect(await answer).toContain('WRONG_CERTIFICATE');
    const socket = await openTls(listener, 1);
    const other = answerOf(socket);
    socket.write(upgradeRequest('not-a-hello'));
    expect(await other).toContain('HELLO_MALFORMED');
  });

  it('tells a dialer why its offer was refused', async () => {
    const { listener, offers } = await listen();
    const dialing = dialTo(listener);
    await until('an offer', () => offers.length === 1);
    offers[0]?.refuse('BANNED');
    expect(await dialing).toMatchObject({ outcome: 'failed', reason: 'BANNED' });
  });

  it('gives no connection for an offer whose dialer has gone', async () => {
    const { listener, offers } = await listen();
    const control = new AbortController();
    const dialing = dialTo(listener, { signal: control.signal });
    await until('an offer', () => offers.length === 1);
    control.abort();
    expect(await dialing).toMatchObject({ outcome: 'failed', reason: 'SHUTTING_DOWN' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(offers[0]?.accept()).toBeUndefined();
  });
});

describe('unproven connections (TP-2, TP-3)', () => {
  const closed = (socket: Socket): Promise<void> =>
    new Promise((resolve) => {
      socket.once('close', () => resolve());
      socket.resume();
    });

  async function listenVirtually(): Promise<{ clock: VirtualClock; listener: Listener; offers: Offer[] }> {
    const clock = virtualClock();
    return { clock, ...(await listen({ clock })) };
  }

  it('ends a half-open connection after 5 s, not before', async () => {
    const { clock, listener } = await listenVirtually();
    const socket = open(connectPlain({ host: HOST, port: listener.port }));
    const end = closed(socket);
    await until('it is pending', () => listener.counts.pending === 1);
    clock.advance(4_999);
    expect(listener.counts).toEqual({ pending: 1, refused: {} });
    clock.advance(1);
    await end;
    expect(listener.counts).toEqual({ pending: 0, refused: { HANDSHAKE_TIMEOUT: 1 } });
  });

  it('ends a client that sends its headers byte by byte (slow loris)', async () => {
    const { clock, listener } = await listenVirtually();
    const socket = await openTls(listener, 1);
    const end = closed(socket);
    const request = upgradeRequest('x'.repeat(100));
    for (const letter of request.slice(0, 20)) socket.write(letter);
    await until('it is pending', () => listener.counts.pending === 1);
    clock.advance(5_000);
    await end;
    expect(listener.counts.refused).toEqual({ HANDSHAKE_TIMEOUT: 1 });
  });

  it('takes at most 4 KB of headers from the unproven', async () => {
    const { listener, offers } = await listen();
    const socket = await openTls(listener, 1);
    const end = closed(socket);
    socket.write(upgradeRequest('x'.repeat(5_000)));
    await end;
    expect(offers).toEqual([]);
  });

  it('keeps a flood of half-open connections bounded, and lets an honest peer through', async () => {
    const { listener, offers } = await listenVirtually();
    const sockets = Array.from({ length: PENDING_PER_HOST_MAX + 40 }, () =>
      open(connectPlain({ host: HOST, port: listener.port })),
    );
    await until('the flood is cut', () => (listener.counts.refused.TOO_MANY_CONNECTIONS ?? 0) >= 40);
    expect(listener.counts.pending).toBeLessThanOrEqual(PENDING_PER_HOST_MAX);
    const dialing = dialTo(listener);
    await until('the honest one is offered', () => offers.length === 1);
    offers[0]?.refuse('SHUTTING_DOWN');
    await dialing;
    for (const socket of sockets) socket.destroy();
  });

  it('ends an offer that nobody decides on within 20 s', async () => {
    const { clock, listener, offers } = await listenVirtually();
    const dialing = dialTo(listener);
    await until('an offer', () => offers.length === 1);
    clock.advance(20_000);
    expect(await dialing).toMatchObject({ outcome: 'failed', reason: 'HANDSHAKE_TIMEOUT' });
  });

  it('gives up a dial to a listener that says nothing', async () => {
    const clock = virtualClock();
    const { createServer } = await import('node:net');
    const silent = createServer(open);
    await new Promise<void>((resolve) => silent.listen(0, HOST, resolve));
    cleanups.push(() => silent.close());
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { listener } = await listen();
    const dialing = dialTo(listener, { clock, endpoint: { host: HOST, port } });
    clock.advance(5_000);
    expect(await dialing).toMatchObject({ outcome: 'failed', reason: 'HANDSHAKE_TIMEOUT' });
  });

  it('answers a plain request without an upgrade, and ends it', async () => {
    const { listener } = await listen();
    const socket = await openTls(listener, 1);
    const answer = answerOf(socket);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await answer).toContain('426');
  });
});
