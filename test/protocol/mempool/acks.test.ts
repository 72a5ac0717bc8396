import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { batchDigestOf, encodeBatch } from '../../../src/protocol/chain/batch.ts';
import { parseBatchDigest } from '../../../src/protocol/chain/parse.ts';
import type { Address, BatchDigest } from '../../../src/protocol/chain/types.ts';
import { validatorSet } from '../../../src/protocol/chain/validator-set.ts';
import { addressAt, began, height, SMALL, World } from './world.ts';

const digestAt = (index: number): BatchDigest => {
  const parsed = parseBatchDigest(index.toString(16).padStart(64, '0'));
  if (parsed === 'malformed') throw new Error('a padded number is a digest');
  return parsed;
};

const batchOf = (author: Address, name: string, sequence = 0, expiresAt = 10): Uint8Array =>
  encodeBatch({ author, sequence, expiresAtHeight: height(expiresAt), transactions: [utf8(name)] });

const stranger = addressAt(new World([1, 1, 1, 1, 1, 1, 1, 1, 1]).set, 8);

describe('acknowledgements (CS-9, MP-5)', () => {
  it('makes a batch proposable at Q(W), by power and not by count', () => {
    const world = new World([1, 1, 1, 2]);
    world.link = () => false;
    world.submit(0, ['a']);
    world.advance(5);
    const [digest] = world.node(0).disk.keys();
    if (digest === undefined) throw new Error('a batch is on disk');
    const ack = { kind: 'BatchAck', digests: [digest] } as const;
    world.receive(0, 1, ack);
    world.receive(0, 2, ack);
    world.receive(0, 2, ack);
    expect(world.payload(0)).toEqual([]);
    expect(world.node(0).hasWork).toBe(false);
    world.receive(0, 3, ack);
    expect(world.payload(0)).toMatchObject([{ digest, count: 1 }]);
    expect(world.node(0).hasWork).toBe(true);
  });

  it('lets every validator name the batch of another, and a single node its own by the same path (CS-18)', () => {
    const world = new World([1, 1, 1, 1]);
    world.submit(0, ['a']);
    world.advance(10);
    for (const index of [0, 1, 2, 3]) expect(world.payload(index)).toHaveLength(1);
    const alone = new World([5]);
    alone.submit(0, ['a']);
    alone.advance(5);
    expect(alone.payload(0)).toHaveLength(1);
  });

  it('does not name a batch before it is durable here', () => {
    const world = new World([1, 1, 1, 1]);
    world.node(3).diskFails = true;
    world.submit(0, ['a']);
    world.advance(10);
    expect(world.payload(2)).toHaveLength(1);
    expect(world.payload(3)).toEqual([]);
  });

  it('counts acknowledgements that came before the batch', () => {
    const world = new World([1, 1, 1, 1]);
    world.link = () => false;
    const bytes = batchOf(world.node(0).address, 'early');
    const ack = { kind: 'BatchAck', digests: [batchDigestOf(bytes)] } as const;
    world.receive(3, 0, ack);
    world.receive(3, 1, ack);
    world.receive(3, 0, { kind: 'Batch', bytes });
    world.advance(5);
    expect(world.payload(3)).toHaveLength(1);
    expect(world.node(3).state.earlyAcks.size).toBe(0);
  });

  it('keeps the newest few early ones of each validator: a million leave memory flat', () => {
    const world = new World([1, 1, 1, 1], { ...SMALL, earlyAcksMax: 5 });
    for (let index = 0; index < 100; index += 1) {
      const digests = Array.from({ length: 10 }, (_, at) => digestAt(index * 10 + at));
      world.receive(0, 1, { kind: 'BatchAck', digests });
      world.receive(0, 2, { kind: 'BatchAck', digests });
    }
    expect(world.node(0).state.earlyAcks.size).toBe(5);
  });

  it('weighs them anew when the validators change', () => {
    const world = new World([1, 1, 1, 1]);
    world.link = () => false;
    world.submit(0, ['a']);
    world.advance(5);
    expect(world.payload(0)).toEqual([]);
    const weights = new World([9, 1, 1, 1]).set;
    world.send(0, began(weights));
    expect(world.payload(0)).toHaveLength(1);
    world.send(0, began(world.set));
    expect(world.payload(0)).toEqual([]);
    expect(world.node(0).state.proposable).toBe(0);
  });

  it('goes in one message of many digests an interval', () => {
    const world = new World([1, 1, 1, 1]);
    world.receive(1, 0, { kind: 'Batch', bytes: batchOf(world.node(0).address, 'x', 0) });
    world.receive(1, 0, { kind: 'Batch', bytes: batchOf(world.node(0).address, 'y', 1) });
    world.receive(1, 0, { kind: 'Batch', bytes: batchOf(world.node(0).address, 'z', 2) });
    world.advance(3);
    const acks = world
      .node(1)
      .sent.flatMap(({ message }) => (message.kind === 'BatchAck' ? [message.digests.length] : []));
    expect(acks).toEqual([1, 2]);
  });
});

describe('spreading again (MP-6)', () => {
  it('reaches a validator that was down, and one that misses acknowledgements only', () => {
    const world = new World([1, 1, 1, 1]);
    world.link = (_, to) => to !== 3;
    world.submit(0, ['a']);
    world.advance(100);
    expect(world.node(3).disk.size).toBe(0);
    world.link = () => true;
    world.advance(2_000);
    expect(world.node(3).disk.size).toBe(1);
    expect(world.payload(3)).toHaveLength(1);
  });

  it('reaches who has become a validator, although a quorum of the epoch before had it (CS-16)', () => {
    const world = new World([1, 1, 1, 1, 1]);
    const [first, second, third, fourth, fresh] = world.set.validators;
    const members = [first, second, third, fourth].flatMap((one) => one ?? []);
    const before = validatorSet(members);
    if ('code' in before || fresh === undefined) throw new Error('five validators');
    const nodes = [0, 1, 2, 3, 4];
    for (const node of nodes) world.send(node, began(before));
    const place = nodes.findIndex((node) => world.node(node).address === fresh.address);
    const author = nodes.find((node) => node !== place) ?? 0;
    world.submit(author, ['a']);
    world.advance(100);
    expect(world.node(place).disk.size).toBe(0);
    for (const node of nodes) world.send(node, began(world.set));
    world.advance(2_000);
    expect(world.node(place).disk.size).toBe(1);
    expect(world.payload(place)).toHaveLength(1);
  });

  it('goes at once to a peer that connects', () => {
    const world = new World([1, 1, 1, 1]);
    world.link = (from, to) => from !== 3 && to !== 3;
    world.submit(0, ['a']);
    world.advance(20);
    world.link = () => true;
    world.send(0, { type: 'peer.connected', peer: world.node(3).address });
    world.advance(30);
    expect(world.node(3).disk.size).toBe(1);
  });

  it('pauses twice as long each time, and ends with the commit', () => {
    const world = new World([1, 1, 1, 1]);
    world.link = () => false;
    world.submit(0, ['a']);
    world.advance(60_000);
    const sent = world.node(0).sent.filter(({ message }) => message.kind === 'Batch').length;
    expect(sent).toBeGreaterThan(5);
    expect(sent).toBeLessThan(20);
    world.link = () => true;
    world.advance(10_000);
    world.commit(world.payload(0));
    const before = world.node(0).sent.length;
    world.advance(60_000);
    expect(world.node(0).sent.length).toBe(before);
    expect(world.node(0).timers.size).toBe(0);
  });
});

describe('what others send (MP-5, MP-11)', () => {
  const codes = (world: World) => world.node(0).accusations.map(({ code }) => code);

  it('accuses strangers that acknowledge, malformed batches and overlong lists', () => {
    const world = new World([1, 1, 1, 1]);
    const { address } = world.node(1);
    // Perhaps a late answer of who has left the set.
    world.receive(0, stranger, { kind: 'Batch', bytes: batchOf(stranger, 'x') });
    world.receive(0, stranger, { kind: 'BatchAck', digests: [digestAt(1)] });
    world.receive(0, 1, { kind: 'Batch', bytes: batchOf(address, 'x').subarray(1) });
    const digests = Array.from({ length: SMALL.digestsPerMessageMax + 1 }, (_, index) => digestAt(index));
    world.receive(0, 1, { kind: 'BatchAck', digests });
    world.receive(0, 1, { kind: 'GetBatch', digests });
    expect(codes(world)).toEqual([
      'NOT_A_VALIDATOR',
      'BATCH_MALFORMED',
      'TOO_MANY_DIGESTS',
      'TOO_MANY_DIGESTS',
    ]);
    expect(world.node(0).disk.size).toBe(0);
  });

  it('does not store what another than the author sends unasked, what is expired, or too far ahead', () => {
    const world = new World([1, 1, 1, 1]);
    world.commit([]);
    const author = world.node(1).address;
    world.receive(0, 2, { kind: 'Batch', bytes: batchOf(author, 'forwarded') });
    world.receive(0, 1, { kind: 'Batch', bytes: batchOf(author, 'expired', 0, 1) });
    world.receive(0, 1, { kind: 'Batch', bytes: batchOf(author, 'far', 0, 100) });
    expect(world.node(0).disk.size).toBe(0);
    expect(codes(world)).toEqual([]);
  });

  it('does not take a committed batch for a new one when its author sends it once more', () => {
    const world = new World([1, 1, 1, 1]);
    world.submit(0, ['a']);
    world.advance(10);
    const [bytes] = world.node(0).disk.values();
    if (bytes === undefined) throw new Error('a batch is on disk');
    world.commit(world.payload(0));
    world.receive(1, 0, { kind: 'Batch', bytes });
    expect(world.node(1).state.batches.size).toBe(0);
    expect(world.node(1).hasWork).toBe(false);
  });

  it('holds no more of one author than its quota, and the others are not concerned', () => {
    const world = new World([1, 1, 1, 1], { ...SMALL, authorBatchesMax: 3 });
    for (let index = 0; index < 10; index += 1) {
      world.receive(0, 1, { kind: 'Batch', bytes: batchOf(world.node(1).address, `x${index}`, index) });
    }
    world.receive(0, 2, { kind: 'Batch', bytes: batchOf(world.node(2).address, 'y') });
    expect(world.node(0).disk.size).toBe(4);
    const bytes = new World([1, 1, 1, 1], { ...SMALL, authorBytesMax: 200 });
    for (let index = 0; index < 10; index += 1) {
      bytes.receive(0, 1, { kind: 'Batch', bytes: batchOf(bytes.node(1).address, `x${index}`, index) });
    }
    expect(bytes.node(0).disk.size).toBe(4);
  });
});
