import { describe, expect, it } from 'vitest';
import { monotonic, wallTime } from '../../../src/base/units.ts';
import { routerMachine } from '../../../src/machines/peer/router.machine.ts';
import type { RouterInput } from '../../../src/machines/peer/router.setup.ts';
import { probe } from '../../../src/machines/vocabulary/probe.ts';
import type { Address, BatchDigest, Digest } from '../../../src/protocol/chain/types.ts';
import type { PeerMessage } from '../../../src/protocol/consensus/types.ts';
import type { EpochBegan } from '../../../src/protocol/ports/consensus.ts';
import type { Effect } from '../../../src/protocol/supervision/effect.ts';
import {
  ADDRESS_GOSSIP_MS,
  BANS_KEPT_MAX,
  GUESTS_MAX,
  GUESTS_PER_HOST_MAX,
} from '../../../src/protocol/transport/limits.ts';
import type { AddressRecord } from '../../../src/protocol/transport/messages.ts';
import type { ConnectionCard } from '../../../src/protocol/transport/peering.ts';
import { encode } from '../../../src/transport/codec/codec.ts';
import {
  blockOn,
  chainOf,
  epochOfAddresses,
  timeoutBy,
  voteFor,
  world,
} from '../../protocol/consensus/fixture.ts';

const id = (index: number): Address => index.toString(16).padStart(40, '0') as Address;
const [SELF, A, B, STRANGER] = [id(1), id(2), id(3), id(99)];
const keyOf = (address: Address): Uint8Array => new Uint8Array(32).fill(Number.parseInt(address, 16));
const ack: PeerMessage = { kind: 'BatchAck', digests: ['ab'.repeat(32) as Digest as BatchDigest] };

const question: PeerMessage = { kind: 'GetBlockHeight', requestId: 1 };
const place = world();
const vote = voteFor(place, blockOn(place, place.epoch.rootQC, 1), 0);
/** What consensus would send, were this node a validator. */
const VOICES: readonly PeerMessage[] = [
  ack,
  { kind: 'Vote', vote },
  { kind: 'QC', qc: chainOf(place, [1]).qcs[0] ?? place.epoch.rootQC },
  timeoutBy(place, 0, { round: 1, highQC: place.epoch.rootQC }),
];

const began = (validators: readonly Address[]): EpochBegan => ({
  type: 'epoch.began',
  epoch: epochOfAddresses(place.epoch, validators),
});

const card = (connection: number): ConnectionCard => ({
  connection,
  end: 'listener',
  instance: new Uint8Array(8),
  role: 'validator',
  moniker: 'm',
  remote: 'r',
});

const record = (of: Address, sequence: number, good = true): AddressRecord => ({
  host: '127.0.0.1',
  port: 1_000 + sequence,
  nodeKey: keyOf(of),
  sequence,
  signature: new Uint8Array(64).fill(good ? 1 : 0),
});

function router(change: Partial<RouterInput> = {}) {
  let encodings = 0;
  const input: RouterInput = {
    self: SELF,
    validators: [SELF, A, B],
    route: (kind) => `cell/${kind}`,
    connectivity: ['cell/one', 'cell/two'],
    peers: 'node/network/peer',
    listener: 'node/network/listener',
    advertised: { host: '127.0.0.1', port: undefined },
    encode: (message) => {
      encodings += 1;
      return encode(message);
    },
    signAddress: (endpoint, sequence) => ({ ...record(SELF, sequence), ...endpoint }),
    idOf: (nodeKey) => id(nodeKey[0] ?? 0),
    verifyAddress: ({ signature }) => signature[0] === 1,
    ...change,
  };
  const chart = probe(routerMachine, { input, address: 'node/network/router' });
  return { chart, encodings: () => encodings };
}

const told = (effects: readonly { readonly kind: string }[]): [string, unknown][] =>
  (effects as readonly Effect[]).flatMap((effect): [string, unknown][] =>
    effect.kind === 'tell' ? [[effect.to, effect.message]] : [],
  );
const to = (effects: readonly { readonly kind: string }[]): string[] => told(effects).map(([cell]) => cell);
const up = (peer: Address, link = `link/${peer}`) => ({ type: 'link.up', peer, link }) as const;
const send = (receivers: 'all' | readonly Address[], message: PeerMessage = ack) =>
  ({ type: 'network.sendRequested', outgoing: [{ to: receivers, message }] }) as const;
const offered = (peer: Address, connection = 1, remote = '192.0.2.1:4000') =>
  ({ type: 'connection.offered', peer, card: { ...card(connection), remote } }) as const;
const received = (from: Address, ...records: readonly AddressRecord[]) =>
  ({ type: 'addresses.received', from, message: { kind: 'Addresses', records } }) as const;

describe('router: sending (TP-4, CS-18)', () => {
  it('encodes a broadcast once, sends it by each link, and to itself by its own route', () => {
    const { chart, encodings } = router();
    chart.send(up(A));
    chart.send(up(B));
    const before = encodings();
    const effects = chart.send(send('all'));
    expect(encodings() - before).toBe(1);
    expect(to(effects)).toEqual(['cell/BatchAck', `link/${A}`, `link/${B}`]);
    expect(told(effects)[0]?.[1]).toEqual({ type: 'message.received', from: SELF, message: ack });
    const frames = told(effects)
      .slice(1)
      .map(([, message]) => message);
    expect(frames[0]).toEqual(frames[1]);
  });

  it('does not encode what only it itself receives: single-node mode goes through the mailbox', () => {
    const { chart, encodings } = router({ validators: [SELF] });
    expect(to(chart.send(send('all')))).toEqual(['cell/BatchAck']);
    expect(encodings()).toBe(0);
  });

  it('counts what could not go: no link, or a message that its own codec refuses', () => {
    const { chart } = router();
    chart.send(send([A]));
    expect(chart.snapshot.context.counts.unreachable).toBe(1);
    chart.send(up(A));
    const empty: PeerMessage = { kind: 'BatchAck', digests: [] };
    expect(to(chart.send(send([A], empty)))).toEqual([]);
    expect(chart.snapshot.context.counts.unsendable).toBe(1);
  });

  it('reaches itself only as a validator of the set', () => {
    const { chart } = router({ validators: [A, B] });
    chart.send(up(A));
    expect(to(chart.send(send('all', question)))).toEqual([`link/${A}`]);
  });

  it('of a node that is no validator: asks and answers, and says nothing that only validators may say (CS-19, TP-9)', () => {
    const { chart } = router({ validators: [A, B] });
    chart.send(up(A));
    expect(to(chart.send(send([A], question)))).toEqual([`link/${A}`]);
    for (const message of VOICES) expect(to(chart.send(send([A], message)))).toEqual([]);
    expect(chart.snapshot.context.counts).toMatchObject({ voiceless: VOICES.length, unreachable: 0 });
    // Once it is in the set it speaks.
    chart.send(began([SELF, A, B]));
    for (const message of VOICES) expect(to(chart.send(send([A], message)))).toEqual([`link/${A}`]);
  });
});

describe('router: who is connected', () => {
  it('tells its listeners of each turn once, also when a link is replaced', () => {
    const { chart } = router();
    const first = chart.send(up(A, 'link/1'));
    expect(told(first)).toContainEqual(['cell/two', { type: 'peer.connected', peer: A }]);
    expect(first).toContainEqual({ kind: 'watch', address: 'link/1' });
    expect(to(chart.send(up(A, 'link/2')))).toEqual([]);
    const down = (address: string) => ({ type: 'cell.down', address, reason: { kind: 'normal' } }) as const;
    expect(to(chart.send(down('link/1')))).toEqual([]);
    expect(to(chart.send(send([A])))).toEqual(['link/2']);
    const last = chart.send(down('link/2'));
    expect(told(last)).toEqual([
      ['cell/one', { type: 'peer.disconnected', peer: A }],
      ['cell/two', { type: 'peer.disconnected', peer: A }],
    ]);
  });

  it('greets its peers when it runs anew, and forwards blame to the one it concerns', () => {
    const { chart } = router();
    expect(told(chart.effects)).toEqual([
      [`node/network/peer/${A}`, { type: 'router.started' }],
      [`node/network/peer/${B}`, { type: 'router.started' }],
    ]);
    const blame = { type: 'peer.misbehaved', peer: B, code: 'X' } as const;
    expect(told(chart.send(blame))).toEqual([
      [`node/network/peer/${B}`, { type: 'peer.misbehaved', code: 'X' }],
    ]);
    expect(to(chart.send({ ...blame, peer: SELF }))).toEqual([]);
    expect(to(chart.send({ ...blame, peer: STRANGER }))).toEqual([]);
  });
});

describe('router: guests (TP-2)', () => {
  it('forwards the offer of a validator, starts a cell for a stranger', () => {
    const { chart } = router();
    expect(to(chart.send(offered(A)))).toEqual([`node/network/peer/${A}`]);
    const [[cell, start] = []] = told(chart.send(offered(STRANGER, 4)));
    expect(cell).toBe('node/network/peer');
    expect(start).toMatchObject({
      type: 'child.start',
      template: 'guest',
      id: STRANGER,
      input: { standing: 'guest', offer: { connection: 4 }, router: 'node/network/router' },
    });
  });

  it('has so many places and no more, and gives one free when its cell ends', () => {
    const { chart } = router();
    for (let index = 0; index < GUESTS_MAX; index += 1) {
      chart.send(offered(id(100 + index), 1, `198.51.100.${index}:4000`));
      chart.send({ type: 'guest.started', peer: id(100 + index) });
      chart.send(up(id(100 + index)));
    }
    const refused = chart.send(offered(id(500), 7));
    expect(told(refused)).toEqual([
      [
        'node/network/listener',
        { type: 'connection.refused', connection: 7, reason: 'TOO_MANY_CONNECTIONS' },
      ],
    ]);
    chart.send({ type: 'cell.down', address: `node/network/peer/${id(100)}`, reason: { kind: 'normal' } });
    chart.send({ type: 'cell.down', address: `link/${id(100)}`, reason: { kind: 'normal' } });
    expect(to(chart.send(offered(id(500))))).toEqual(['node/network/peer']);
  });

  it('has so many of them for one address, whose node ids are free, and the others for other addresses (TP-2)', () => {
    const { chart } = router();
    const from = (index: number, remote: string) => offered(id(index), index, remote);
    const come = (index: number, remote: string) => {
      const effects = chart.send(from(index, remote));
      chart.send({ type: 'guest.started', peer: id(index) });
      chart.send(up(id(index)));
      return to(effects);
    };
    for (let index = 0; index < GUESTS_PER_HOST_MAX; index += 1) {
      expect(come(100 + index, `[2001:db8::${index}]:4000`)).toEqual(['node/network/peer']);
    }
    expect(to(chart.send(from(300, '[2001:db8::ffff]:4000')))).toEqual(['node/network/listener']);
    expect(come(301, '192.0.2.7:4000')).toEqual(['node/network/peer']);
    const own = GUESTS_MAX - GUESTS_PER_HOST_MAX - 1;
    for (let index = 0; index < own; index += 1) {
      expect(come(400 + index, '127.0.0.1:4000')).toEqual(['node/network/peer']);
    }
    expect(to(chart.send(from(500, '192.0.2.8:4000')))).toEqual(['node/network/listener']);
  });

  it('remembers bans of those that have no cell, a bounded number, for their time', () => {
    const { chart } = router();
    chart.send({ type: 'peer.banned', peer: STRANGER, until: monotonic(1_000) }, { now: monotonic(0) });
    expect(told(chart.send(offered(STRANGER, 3), { now: monotonic(999) }))).toEqual([
      ['node/network/listener', { type: 'connection.refused', connection: 3, reason: 'BANNED' }],
    ]);
    expect(to(chart.send(offered(STRANGER), { now: monotonic(1_000) }))).toEqual(['node/network/peer']);
    for (let index = 0; index < 2 * BANS_KEPT_MAX; index += 1) {
      chart.send({ type: 'peer.banned', peer: id(1_000 + index), until: monotonic(1e9) });
    }
    expect(chart.snapshot.context.bans.size).toBe(BANS_KEPT_MAX);
  });
});

describe('router: nodes without a voice (SY-15)', () => {
  const D = id(4);
  const keeping = (change: Partial<RouterInput> = {}) =>
    router({ kept: [A, STRANGER], sources: ['cell/two'], ...change });
  const tell = { type: 'guests.tellRequested', message: VOICES[2] ?? ack } as const;

  it('are told what guests are to be told, and no validator is', () => {
    const { chart, encodings } = keeping();
    chart.send(up(A));
    const nobody = encodings();
    expect([to(chart.send(tell)), encodings()]).toEqual([[], nobody]);
    chart.send(offered(D));
    chart.send({ type: 'guest.started', peer: D });
    for (const peer of [D, STRANGER]) chart.send(up(peer));
    const before = encodings();
    expect(to(chart.send(tell))).toEqual([`link/${D}`, `link/${STRANGER}`]);
    expect(encodings() - before).toBe(1);
  });

  it('are asked one at a time, another with each turn, whoever of them was just dismissed (MP-9)', () => {
    const { chart } = keeping();
    const asking = (turn: number) => {
      const message: PeerMessage = { kind: 'GetBatch', digests: ['ab'.repeat(32) as Digest as BatchDigest] };
      return to(chart.send({ type: 'guest.askRequested', message, turn }));
    };
    chart.send(up(A));
    chart.send(up(B));
    expect(asking(0)).toEqual([]);
    chart.send(up(STRANGER));
    chart.send(began([SELF, A]));
    expect([0, 1, 2].map(asking)).toEqual([[`link/${B}`], [`link/${STRANGER}`], [`link/${B}`]]);
  });

  it('that are kept: those who ask for the chain hear of them, nobody else; a guest is told to nobody', () => {
    const { chart } = keeping();
    const came = chart.send(up(STRANGER));
    expect(told(came)).toEqual([['cell/two', { type: 'peer.connected', peer: STRANGER }]]);
    expect(told(chart.send(up(D)))).toEqual([]);
    chart.send(up(A));
    const late = { type: 'sources.requested', replyTo: 'cell/late' } as const;
    expect(told(chart.send(late))).toEqual([['cell/late', { type: 'peer.connected', peer: STRANGER }]]);
    const down = { type: 'cell.down', address: `link/${STRANGER}`, reason: { kind: 'normal' } } as const;
    expect(told(chart.send(down))).toEqual([['cell/two', { type: 'peer.disconnected', peer: STRANGER }]]);
  });

  it("that are kept have cells of their own: their offers go there, and they take no guest's place", () => {
    const { chart } = keeping();
    expect(to(chart.send(offered(STRANGER)))).toEqual([`node/network/peer/${STRANGER}`]);
    expect(chart.send({ type: 'guest.started', peer: STRANGER })).toEqual([]);
    expect(chart.snapshot.context.guests.size).toBe(0);
  });

  it('that are kept, elected and dismissed: each cell hears of it what concerns it (CS-16)', () => {
    const { chart } = keeping();
    chart.send(up(STRANGER));
    const elected = chart.send(began([SELF, A, B, STRANGER]));
    expect(told(elected)).toEqual([
      [`node/network/peer/${STRANGER}`, { type: 'standing.changed', standing: 'validator' }],
      ['cell/one', { type: 'peer.connected', peer: STRANGER }],
    ]);
    const dismissed = chart.send(began([SELF, A, B]));
    expect(told(dismissed)).toEqual([
      [`node/network/peer/${STRANGER}`, { type: 'standing.changed', standing: 'guest' }],
      ['cell/one', { type: 'peer.disconnected', peer: STRANGER }],
    ]);
    expect(chart.snapshot.context.guests.size).toBe(0);
  });
});

describe('router: addresses (TP-7)', () => {
  it('signs its own with the port that is listened on, gathers, and tells them on', () => {
    const { chart } = router();
    chart.send(up(A));
    const effects = chart.send({ type: 'listener.opened', port: 777 }, { wall: wallTime(5) });
    expect(effects).toContainEqual(
      expect.objectContaining({ kind: 'startTimer', key: 'gossip', delayMs: ADDRESS_GOSSIP_MS }),
    );
    expect(chart.snapshot.context.book.get(SELF)).toMatchObject({ port: 777, sequence: 5 });
    expect(to(chart.send({ type: 'gossip.due' }))).toEqual([`link/${A}`]);
    expect(to(chart.send({ type: 'gossip.due' }))).toEqual([]);
    // Whoever connects later is told all.
    expect(to(chart.send(up(B)))).toContain(`link/${B}`);
  });

  it('says nothing where it advertises nothing', () => {
    const { chart } = router({ advertised: undefined });
    expect(chart.send({ type: 'listener.opened', port: 777 })).toEqual([]);
  });

  it('tells a peer’s chart where it is found, once for each newer record', () => {
    const { chart } = router();
    expect(told(chart.send(received(A, record(B, 1))))).toEqual([
      [`node/network/peer/${B}`, { type: 'endpoint.learned', endpoint: { host: '127.0.0.1', port: 1_001 } }],
    ]);
    expect(to(chart.send(received(A, record(B, 1))))).toEqual([]);
    expect(to(chart.send(received(A, record(B, 2))))).toEqual([`node/network/peer/${B}`]);
  });

  it('keeps nothing of strangers and of itself, and blames a forgery on who told it', () => {
    const { chart } = router();
    expect(to(chart.send(received(A, record(STRANGER, 1), record(SELF, 1))))).toEqual([]);
    expect(told(chart.send(received(A, record(B, 3, false), record(B, 4))))).toEqual([
      [`node/network/peer/${A}`, { type: 'peer.misbehaved', code: 'ADDRESS_SIGNATURE' }],
    ]);
    expect(chart.snapshot.context.book.size).toBe(0);
  });
});

describe('router: a new validator set (CS-16)', () => {
  it('starts cells for the new, promotes guests, demotes those that left', () => {
    const { chart } = router();
    chart.send(up(A));
    chart.send(offered(STRANGER));
    chart.send({ type: 'guest.started', peer: STRANGER });
    chart.send(up(STRANGER));
    const fresh = id(7);
    const effects = chart.send(began([SELF, B, STRANGER, fresh]));
    expect(told(effects)).toEqual([
      [
        'node/network/peer',
        expect.objectContaining({ type: 'child.start', template: 'validator', id: fresh }),
      ],
      [`node/network/peer/${STRANGER}`, { type: 'standing.changed', standing: 'validator' }],
      [`node/network/peer/${A}`, { type: 'standing.changed', standing: 'guest' }],
      ['cell/one', { type: 'peer.connected', peer: STRANGER }],
      ['cell/two', { type: 'peer.connected', peer: STRANGER }],
      ['cell/one', { type: 'peer.disconnected', peer: A }],
      ['cell/two', { type: 'peer.disconnected', peer: A }],
    ]);
    expect(to(chart.send(send('all')))).toEqual(['cell/BatchAck', `link/${STRANGER}`]);
    // The demoted one is still known: its connection may go on as a guest's.
    expect(to(chart.send(offered(A)))).toEqual([`node/network/peer/${A}`]);
  });
});

it('router: tells a cell that asks all validators that it can reach now, in one word', () => {
  const { chart } = router();
  const request = { type: 'connectivity.requested', replyTo: 'cell/late' } as const;
  const answer = (...connected: readonly string[]) => [
    ['cell/late', { type: 'connectivity.told', connected }],
  ];
  expect(told(chart.send(request))).toEqual(answer());
  chart.send(up(A));
  chart.send(up(STRANGER));
  expect(told(chart.send(request))).toEqual(answer(A));
});
