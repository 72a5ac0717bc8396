/**
 * A sequence of frames of batches, acknowledgements and requests to a mempool with a disk and an executor around it, and of
 * addresses to a router: what they hold stays bounded, who misbehaves is accused and changes nothing. MP-5 to MP-11, TP-7.
 */

import { monotonic } from '../../../src/base/units.ts';
import { routerMachine } from '../../../src/machines/peer/router.machine.ts';
import { probe } from '../../../src/machines/vocabulary/probe.ts';
import { encodeBatch, parseBatch } from '../../../src/protocol/chain/batch.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import { handle } from '../../../src/protocol/mempool/step.ts';
import { ADDRESS_RECORDS_MAX } from '../../../src/protocol/transport/limits.ts';
import type { AddressesMessage, WireMessage } from '../../../src/protocol/transport/messages.ts';
import { decode, encode } from '../../../src/transport/codec/codec.ts';
import { nodeIdOf } from '../../../src/transport/identity.ts';
import { height, SMALL, World } from '../../protocol/mempool/world.ts';
import { MSGPACK, valuesIn } from '../forms/msgpack.ts';
import { claim, type Target } from '../target.ts';
import { words } from './codec.ts';

const POWERS = [1, 1, 1, 1];
/** Frames of one input that are looked at. */
const FRAMES_MAX = 12;

const keyOf = (index: number): Uint8Array => new Uint8Array(32).fill(index + 1);

function sampleMessages(): readonly WireMessage[] {
  const place = new World(POWERS);
  place.submit(0, ['a=1', 'b=2']);
  place.submit(1, ['c=3']);
  place.advance(100);
  const sent = place.nodes.flatMap((node) => node.sent.map(({ message }) => message));
  const bytes = (sequence: number, texts: readonly string[], expires = 5): Uint8Array =>
    encodeBatch({
      author: place.node(1).address,
      sequence,
      expiresAtHeight: height(expires),
      transactions: texts.map((text) => new Uint8Array(Buffer.from(text))),
    });
  const record = (index: number, sequence: number) => ({
    host: '127.0.0.1',
    port: 26_656 + index,
    nodeKey: keyOf(index),
    sequence,
    signature: new Uint8Array(64).fill(1),
  });
  return [
    ...sent,
    ...[bytes(7, ['k=v']), bytes(8, ['x', 'y', 'zz'], 9), bytes(9, ['late'], 900)].map(
      (encoding) => ({ kind: 'Batch', bytes: encoding }) as const,
    ),
    { kind: 'Addresses', records: [record(1, 1), record(2, 1)] },
    { kind: 'Addresses', records: [record(1, 2), record(90, 1), record(3, 1)] },
  ];
}

function seeds(): readonly Uint8Array[] {
  const frames = sampleMessages().flatMap((message) => {
    const encoding = encode(message);
    return encoding.outcome === 'encoded' ? [encoding.frame.bytes] : [];
  });
  const all = Buffer.concat(frames.slice(0, 12));
  return [...frames.slice(-20), new Uint8Array(all)];
}

export const mempool: Target = {
  name: 'mempool',
  what: 'sequences of frames of batches, acknowledgements, requests and addresses into mempool and router',
  covers: [
    '/src/protocol/mempool/',
    '/src/protocol/chain/batch',
    '/src/machines/peer/router',
    '/src/protocol/transport/addresses',
  ],
  mutations: MSGPACK,
  dictionary: words(),
  bytesMax: 64 * 1024,
  window: 600,
  seeds,
  open: async () => ({ run }),
};

function run(input: Uint8Array): string {
  const place = new World(POWERS);
  place.submit(0, ['own=1']);
  const router = routerOf(place);
  const endings: string[] = [];
  for (const [index, frame] of valuesIn(input).slice(0, FRAMES_MAX).entries()) {
    const decoding = decode(frame);
    if (decoding.outcome !== 'decoded') endings.push(decoding.outcome);
    else endings.push(take(place, router, index, decoding.message));
  }
  place.advance(200);
  holdBounds(place);
  return [...new Set(endings)].sort().join(', ');
}

function take(
  place: World,
  router: ReturnType<typeof routerOf>,
  index: number,
  message: WireMessage,
): string {
  switch (message.kind) {
    case 'Addresses':
      return learn(router, place, message);
    case 'Batch':
    case 'BatchAck':
    case 'GetBatch': {
      const from = senderOf(place, index, message);
      const { state } = place.node(0);
      const event = { type: 'message.received', from, message } as const;
      const step = handle(state, event, place.now);
      const accuses = JSON.stringify(step.effects, (_, value) =>
        typeof value === 'bigint' ? String(value) : value,
      ).includes('peer.misbehaved');
      claim(!accuses || step.state === state, 'who is accused changes nothing (MP-11)');
      place.receive(0, from, message);
      return `${message.kind}${accuses ? ' accused' : ''}`;
    }
    default:
      return 'another kind';
  }
}

/** Every second batch comes from its author, where there is one. */
function senderOf(place: World, index: number, message: WireMessage): Address {
  const other = place.node(1 + (index % 3)).address;
  if (message.kind !== 'Batch' || index % 2 === 1) return other;
  const view = parseBatch(message.bytes, SMALL);
  return view === 'malformed' ? other : view.author;
}

function holdBounds(place: World): void {
  const { state } = place.node(0);
  const held = [...state.held.values()];
  claim(
    held.every(({ batches, bytes }) => batches <= SMALL.authorBatchesMax && bytes <= SMALL.authorBytesMax),
    'no author holds more than its quota (MP-11)',
  );
  claim(held.length <= POWERS.length, 'only validators author batches');
  for (const queue of state.earlyAckQueues.values())
    claim(queue.length <= SMALL.earlyAcksMax, 'early acknowledgements are bounded');
  claim(state.errands.size <= SMALL.servingMax + 64, 'errands are bounded');
  claim(state.pendingBytes >= 0 && state.proposable >= 0, 'counts are never negative');
}

function routerOf(place: World) {
  const validators = place.nodes.map(({ address }) => address);
  return probe(routerMachine, {
    address: 'node/network/router',
    input: {
      self: place.node(0).address,
      validators,
      route: (kind) => `cell/${kind}`,
      connectivity: [],
      peers: 'node/network/peer',
      listener: 'node/network/listener',
      advertised: undefined,
      encode,
      idOf: nodeIdOf,
      signAddress: (endpoint, sequence) => ({
        ...endpoint,
        nodeKey: keyOf(0),
        sequence,
        signature: new Uint8Array(64),
      }),
      verifyAddress: ({ signature }) => signature[0] !== 0,
    },
  });
}

function learn(router: ReturnType<typeof routerOf>, place: World, message: AddressesMessage): string {
  const before = router.snapshot.context.book;
  router.send({ type: 'addresses.received', from: place.node(1).address, message }, { now: monotonic(1) });
  const { book } = router.snapshot.context;
  claim(book.size <= ADDRESS_RECORDS_MAX, 'the address book is bounded (TP-7)');
  const admitted = new Set<string>(place.nodes.map(({ address }) => address));
  for (const [id, { nodeKey, sequence }] of book) {
    claim(admitted.has(id) && nodeIdOf(nodeKey) === id, 'only admitted nodes are in the book (TP-7)');
    claim((before.get(id)?.sequence ?? -1) <= sequence, 'an older record never replaces a newer one (TP-7)');
  }
  return book === before ? 'Addresses known' : 'Addresses learned';
}
