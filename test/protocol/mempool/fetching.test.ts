import { describe, expect, it } from 'vitest';
import type { BatchReference } from '../../../src/protocol/chain/types.ts';
import type { MempoolReply } from '../../../src/protocol/ports/mempool.ts';
import { height, SMALL, World } from './world.ts';

interface Wanting {
  readonly references: readonly BatchReference[];
  readonly tag?: number;
  readonly at?: number;
  readonly holders?: readonly number[];
}

function want(world: World, index: number, { references, tag = 1, at, holders = [0] }: Wanting): void {
  world.send(index, {
    type: 'batches.wanted',
    references,
    holders: holders.map((each) => world.node(each).address),
    replyTo: 'round',
    tag,
    ...(at === undefined ? {} : { height: height(at) }),
  });
}

const answers = (world: World, index: number, tag = 1): readonly MempoolReply[] =>
  world
    .node(index)
    .answers.filter((answer) => 'tag' in answer && answer.tag === tag && answer.type.startsWith('batches.'));

const asked = (world: World, index: number) =>
  world
    .node(index)
    .sent.flatMap(({ to, message }) => (message.kind === 'GetBatch' && to !== 'all' ? to : []));

/** Validator 3 missed a batch of validator 0. */
function missing(
  powers = [1, 1, 1, 1],
  config = SMALL,
): { world: World; references: readonly BatchReference[] } {
  const world = new World(powers, config);
  world.link = (_, to) => to !== 3;
  world.submit(0, ['a']);
  world.advance(5);
  world.link = () => true;
  const references = world.payload(0);
  expect(references).toHaveLength(1);
  expect(world.node(3).disk.size).toBe(0);
  return { world, references };
}

describe('wanted batches (MP-9)', () => {
  it('are answered at once when they are here', () => {
    const { world, references } = missing();
    want(world, 1, { references, at: 1 });
    expect(answers(world, 1)).toEqual([{ type: 'batches.held', tag: 1 }]);
  });

  it('are fetched from the proposer first, after a moment in which they may arrive', () => {
    const { world, references } = missing();
    want(world, 3, { references, at: 1, holders: [2] });
    world.advance(5);
    expect(asked(world, 3)).toEqual([]);
    world.advance(40);
    expect(asked(world, 3)).toEqual([world.node(2).address]);
    expect(answers(world, 3)).toEqual([{ type: 'batches.held', tag: 1 }]);
    world.advance(2_000);
    expect(world.payload(3)).toHaveLength(1);
  });

  it('are fetched at once for a committed block, and do not come back as uncommitted', () => {
    const { world, references } = missing();
    world.commit(references);
    want(world, 3, { references });
    expect(answers(world, 3)).toEqual([{ type: 'batches.held', tag: 1 }]);
    expect(world.node(3).disk.size).toBe(1);
    expect(world.node(3).state.batches.size).toBe(0);
  });

  it('are asked of one holder after the other until one has them (MP-10)', () => {
    const { world, references } = missing();
    world.link = (from, to) => !(from === 3 && to !== 1);
    want(world, 3, { references, at: 1, holders: [2] });
    world.advance(2_000);
    expect(answers(world, 3)).toEqual([{ type: 'batches.held', tag: 1 }]);
    expect(asked(world, 3)[0]).toBe(world.node(2).address);
    expect(new Set(asked(world, 3))).toContain(world.node(1).address);
  });

  it('are looked for on the own disk before anybody is asked', () => {
    const { world, references } = missing();
    world.commit(references);
    want(world, 1, { references });
    expect(answers(world, 1)).toEqual([{ type: 'batches.held', tag: 1 }]);
    expect(asked(world, 1)).toEqual([]);
  });

  it('wait for the disk, and are asked for again when it failed', () => {
    const { world, references } = missing();
    world.node(3).diskFails = true;
    want(world, 3, { references, at: 1 });
    world.advance(500);
    expect(answers(world, 3)).toEqual([]);
    world.node(3).diskFails = false;
    world.advance(3_000);
    expect(answers(world, 3)).toEqual([{ type: 'batches.held', tag: 1 }]);
  });

  it('are given up when nobody wants them any more', () => {
    const { world, references } = missing();
    world.link = (from) => from !== 3;
    want(world, 3, { references, at: 1 });
    world.send(3, { type: 'batches.unwanted', replyTo: 'round', tag: 1 });
    expect(world.node(3).state.fetches.size).toBe(0);
    world.advance(1_000);
    expect(asked(world, 3)).toEqual([]);
  });
});

describe('blocks that name a batch wrongly (MP-7)', () => {
  it('are refused at once when the batch is here, and on its arrival when it is not', () => {
    const { world, references } = missing();
    const lying = references.map((reference) => ({ ...reference, count: 9 }));
    for (const index of [1, 3]) {
      want(world, index, { references: lying, at: 1 });
      world.advance(50);
      expect(answers(world, index)).toMatchObject([{ type: 'batches.refused', code: 'REFERENCE_MISMATCH' }]);
    }
    want(world, 1, { references, at: 11, tag: 2 });
    expect(answers(world, 1, 2)).toMatchObject([{ code: 'BATCH_EXPIRED' }]);
  });

  it('do not disturb another block that names it rightly', () => {
    const { world, references } = missing();
    want(world, 3, { references: references.map((each) => ({ ...each, bytes: 1 })), at: 1, tag: 1 });
    want(world, 3, { references, at: 1, tag: 2 });
    world.advance(50);
    expect(answers(world, 3, 1)).toMatchObject([{ type: 'batches.refused' }]);
    expect(answers(world, 3, 2)).toEqual([{ type: 'batches.held', tag: 2 }]);
  });
});

describe('bounds (MP-10)', () => {
  it('refuses one asker too many, and drops one GetBatch too many', () => {
    const { world, references } = missing([1, 1, 1, 1], { ...SMALL, wantsMax: 2 });
    world.link = () => false;
    for (const tag of [1, 2, 3]) want(world, 3, { references, at: 1, tag });
    expect(answers(world, 3, 3)).toMatchObject([{ code: 'TOO_MANY_WANTED' }]);
    expect(world.node(3).state.wants).toHaveLength(2);
    expect(world.node(3).state.fetches.size).toBe(1);
  });

  it('sends no more than serveBytesMax for one request', () => {
    const world = new World([1, 1], { ...SMALL, serveBytesMax: 1_500 });
    world.submit(
      0,
      Array.from({ length: 20 }, (_, index) => new Uint8Array(250).fill(index + 1)),
    );
    world.advance(20);
    const digests = [...world.node(0).disk.keys()];
    const before = world.node(0).sent.length;
    world.receive(0, 1, { kind: 'GetBatch', digests });
    const sent = world
      .node(0)
      .sent.slice(before)
      .flatMap(({ message }) => (message.kind === 'Batch' ? [message.bytes] : []));
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThanOrEqual(1_500);
  });
});
