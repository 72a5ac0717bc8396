import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { millis } from '../../../src/base/units.ts';
import { batchDigestOf, encodeBatch, transactionHashOf } from '../../../src/protocol/chain/batch.ts';
import { ORDINAL_MAX } from '../../../src/protocol/chain/ordinals.ts';
import type { Digest } from '../../../src/protocol/chain/types.ts';
import { valuesOf } from '../../../src/protocol/mempool/sharded-map.ts';
import { emptyMempool } from '../../../src/protocol/mempool/state.ts';
import { handle, start } from '../../../src/protocol/mempool/step.ts';
import { committedBlock, height, SMALL, textsOf, World } from './world.ts';

const hash = (text: string): Digest => transactionHashOf(utf8(text));
const blocks = (world: World, count: number): void => {
  for (let index = 0; index < count; index += 1) world.commit([]);
};

describe('expiry (MP-12)', () => {
  it('is told when a height beyond it is committed and executed, not before', () => {
    const world = new World([1, 1, 1, 1]);
    world.link = () => false;
    world.submit(0, ['a']);
    world.advance(10);
    blocks(world, 10);
    expect(world.node(0).expired).toEqual([]);
    expect(world.node(0).state.pending.size).toBe(1);
    blocks(world, 1);
    expect(world.node(0).expired).toEqual([hash('a')]);
    expect(world.node(0).state.pending.size).toBe(0);
    expect(world.node(0).state.pendingBytes).toBe(0);
    expect(world.node(0).state.batches.size).toBe(0);
    expect(world.node(0).disk.size).toBe(0);
  });

  it('waits for execution: what is committed and not executed yet may hold the transaction', () => {
    const world = new World([1]);
    world.submit(0, ['a']);
    const block = committedBlock(height(11), [], world.node(0).address);
    world.send(0, { type: 'blocks.committed', blocks: [block] });
    expect(world.node(0).expired).toEqual([]);
    world.commit([]);
    for (let index = 0; index < 11; index += 1) world.commit([]);
    expect(world.node(0).expired).toEqual([hash('a')]);
  });

  it('comes to each batch at its own height', () => {
    const world = new World([1]);
    world.link = () => false;
    world.submit(0, ['early']);
    world.advance(20);
    blocks(world, 1);
    world.submit(0, ['late']);
    world.advance(20);
    blocks(world, 10);
    expect(world.node(0).expired).toEqual([hash('early')]);
    blocks(world, 1);
    expect(world.node(0).expired).toEqual([hash('early'), hash('late')]);
  });

  it('is not told of a transaction that another author’s batch has committed', () => {
    const world = new World([1, 1, 1, 1]);
    world.link = (from) => from !== 0;
    world.submit(0, ['shared', 'alone']);
    world.submit(1, ['shared']);
    world.advance(10);
    world.commit(world.payload(1));
    blocks(world, 10);
    expect(world.node(0).expired).toEqual([hash('alone')]);
  });

  it('drops another author’s batch too, here and on disk', () => {
    const world = new World([1, 1, 1, 1]);
    world.submit(0, ['a']);
    world.advance(10);
    expect(world.node(2).disk.size).toBe(1);
    blocks(world, 11);
    expect(world.node(2).disk.size).toBe(0);
    expect(world.node(2).state.held.size).toBe(0);
    expect(world.node(2).hasWork).toBe(false);
  });
});

describe('a restart (MP-3)', () => {
  it('brings back every batch that was durable, proposes it, and knows its transactions', () => {
    const world = new World([1, 1, 1, 1]);
    world.link = () => false;
    const names = Array.from({ length: 40 }, (_, index) => `name ${index} ${'x'.repeat(60)}`);
    world.submit(0, names);
    world.advance(15);
    world.crash(0);
    world.link = () => true;
    world.restart(0);
    const again = world.submit(0, ['name 0 '.concat('x'.repeat(60))]);
    expect(world.node(0).admissions.get(again)).toMatchObject([{ code: 'ALREADY_KNOWN' }]);
    world.advance(2_000);
    const payload = world.payload(2);
    expect(payload.reduce((sum, { count }) => sum + count, 0)).toBe(40);
    world.commit(payload);
    expect(world.node(0).state.pending.size).toBe(0);
    expect(world.node(0).state.pendingBytes).toBe(0);
  });

  it('goes on with a greater sequence', () => {
    const world = new World([1]);
    for (const text of ['a', 'b', 'c']) {
      world.submit(0, [text]);
      world.advance(15);
    }
    world.crash(0);
    world.restart(0);
    expect(world.node(0).state.nextSequence).toBe(3);
  });

  it('does not go on from a sequence that another has invented in its name', () => {
    const world = new World([1, 1, 1, 1]);
    const { disk, address } = world.node(0);
    // A leader named it in a block, so that it was fetched; batches are not signed.
    const transactions = [utf8('invented')];
    const invented = encodeBatch({
      author: address,
      sequence: ORDINAL_MAX,
      expiresAtHeight: height(5),
      transactions,
    });
    disk.set(batchDigestOf(invented), invented);
    world.crash(0);
    world.restart(0);
    world.submit(0, ['a']);
    world.advance(100);
    expect(world.nodes.flatMap(({ accusations }) => accusations)).toEqual([]);
    const own = textsOf(
      world.node(1).disk.get(world.payload(1)[0]?.digest ?? batchDigestOf(invented)) ?? invented,
    );
    expect(own).toEqual(['a']);
    world.crash(0);
    world.restart(0);
    expect(world.node(0).state.nextSequence).toBe(1);
  });

  it('takes out what a block named while the rest was still being read', () => {
    const world = new World([1]);
    for (const text of ['a', 'b']) {
      world.submit(0, [text]);
      world.advance(15);
    }
    const { disk, address, state } = world.node(0);
    const [first, second] = [...disk].map(([digest, bytes]) => ({ digest, bytes }));
    if (first === undefined || second === undefined) throw new Error('two batches are on the disk');
    let step = start(emptyMempool(state, world.now));
    const read = (batch: typeof first, at: number, more: boolean) => {
      const tag = step.state.nextTag - 1;
      const found = { tag, batches: [batch], more, height: height(at) };
      step = handle(step.state, { type: 'batches.uncommittedFound', ...found }, world.now);
    };
    read(first, 0, true);
    const naming = committedBlock(height(1), [{ digest: first.digest, count: 1, bytes: 1 }], address);
    read(second, 1, false);
    step = handle(step.state, { type: 'blocks.committed', blocks: [naming] }, world.now);
    expect(valuesOf(step.state.batches).map(({ digest }) => digest)).toEqual([second.digest]);
    expect(step.state.committedHeight).toBe(1);
  });

  it('does not tell as expired what another’s batch committed before it', () => {
    const world = new World([1, 1, 1, 1]);
    world.link = (from) => from !== 0;
    world.submit(0, ['shared']);
    world.submit(1, ['shared']);
    world.advance(10);
    world.commit(world.payload(1));
    world.crash(0);
    world.restart(0);
    expect(world.node(0).state.batches.size).toBeGreaterThan(0);
    blocks(world, 12);
    expect(world.node(0).expired).toEqual([]);
  });
});

type Command =
  | { readonly kind: 'submit'; readonly node: number; readonly name: number; readonly count: number }
  | { readonly kind: 'commit'; readonly leader: number; readonly max: number; readonly to: readonly number[] }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'restart'; readonly node: number }
  | { readonly kind: 'links'; readonly down: readonly number[] }
  | { readonly kind: 'disk'; readonly node: number; readonly fails: boolean };

const node = fc.nat(3);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('submit' as const), node, name: fc.nat(60), count: fc.nat(12) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('commit' as const),
      leader: node,
      max: fc.nat(6),
      to: fc.subarray([0, 1, 2, 3]),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 700 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), node }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('links' as const), down: fc.subarray([0, 1, 2, 3]) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('disk' as const), node, fails: fc.boolean() }) },
);

function run(world: World, each: Command): void {
  switch (each.kind) {
    case 'submit':
      world.submit(
        each.node,
        Array.from({ length: each.count }, (_, index) => `n${each.name + index}`),
      );
      return;
    case 'commit':
      // What a quorum votes for is held by whoever voted: a batch of one disk only is never committed.
      world.commit(world.payload(each.leader, { countMax: each.max }), each.to);
      return;
    case 'advance':
      world.advance(each.ms);
      return;
    case 'restart':
      world.crash(each.node);
      world.restart(each.node);
      return;
    case 'links':
      world.link = (from, to) => !each.down.includes(from) && !each.down.includes(to);
      return;
    case 'disk':
      world.node(each.node).diskFails = each.fails;
  }
}

describe('conservation (MP-3, MP-12)', () => {
  it('ends every admitted transaction exactly once: committed, or expired, through crashes and cut links', () => {
    fc.assert(
      fc.property(fc.array(command, { minLength: 5, maxLength: 40 }), (commands) => {
        const world = new World([1, 1, 1, 1], { ...SMALL, tick: millis(100) });
        for (const each of commands) run(world, each);
        world.link = () => true;
        for (const each of world.nodes) each.diskFails = false;
        world.advance(9_000);
        world.commit(world.payload(0));
        for (let index = 0; index < 25; index += 1) world.commit([]);
        world.nodes.forEach((each, index) => {
          world.catchUp(index);
          const admitted = [...each.admissions.values()].flat().filter(({ status }) => status === 'admitted');
          for (const { hash: ended } of admitted) {
            const expired = each.expired.filter((other) => other === ended).length;
            const times = admitted.filter((other) => other.hash === ended).length;
            const committed = each.executedHashes.has(ended);
            expect(expired).toBeLessThanOrEqual(times);
            expect(committed || expired === times).toBe(true);
            if (times === 1 && committed) expect(expired).toBe(0);
          }
          expect(each.state.pending.size).toBe(0);
          expect(each.state.pendingBytes).toBe(0);
          expect(each.state.submissions.size).toBe(0);
          expect(each.state.batches.size).toBe(0);
          expect(each.state.held.size).toBe(0);
          expect(each.state.proposable).toBe(0);
          expect(each.state.errands.size).toBe(0);
        });
      }),
      { numRuns: 150 },
    );
  });

  it('stays within its bounds all the time, and its counts are those of what it holds', () => {
    fc.assert(
      fc.property(fc.array(command, { minLength: 5, maxLength: 40 }), (commands) => {
        const world = new World([1, 1, 1, 1]);
        for (const each of commands) {
          run(world, each);
          for (const { state } of world.nodes) {
            const entries = state.batches.shards.flatMap((shard) => [...(shard?.values() ?? [])]);
            expect(state.batches.size).toBe(entries.length);
            const { quorumPower } = state.validators;
            expect(state.proposable).toBe(
              entries.filter((entry) => entry.storage.status === 'durable' && entry.ackPower >= quorumPower)
                .length,
            );
            const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
            expect([...state.held.values()].reduce((sum, held) => sum + held.bytes, 0)).toBe(bytes);
            expect(state.pending.size).toBeLessThanOrEqual(SMALL.pendingCountMax);
            expect(state.pendingBytes).toBeLessThanOrEqual(SMALL.pendingBytesMax);
            expect(state.pendingBytes).toBeGreaterThanOrEqual(0);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
