import { describe, expect, it } from 'vitest';
import { batchDigestOf } from '../../../src/protocol/chain/batch.ts';
import type { BatchReference } from '../../../src/protocol/chain/types.ts';
import { validatorSet } from '../../../src/protocol/chain/validator-set.ts';
import type { MempoolReply } from '../../../src/protocol/ports/mempool.ts';
import { began, height, SMALL, setOf, World } from './world.ts';

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

  it('of a committed block are had from who has left the set, if nobody in it holds them (CS-16)', () => {
    const { world, references } = missing();
    const [, , , last] = world.set.validators;
    const alone = last === undefined ? { code: 'NONE' } : validatorSet([last]);
    if ('code' in alone) throw new Error(alone.code);
    for (const index of [0, 1, 2, 3]) world.send(index, began(alone));
    want(world, 3, { references, at: 1, tag: 7, holders: [] });
    world.link = (from, to) => from === 3 && to === 3;
    world.commit(references);
    world.advance(2_000);
    // Of a block that is not committed nobody else is asked; and then nobody is connected that could have it.
    expect(asked(world, 3)).toEqual([]);
    want(world, 3, { references, holders: [] });
    world.advance(2_000);
    expect(asked(world, 3)).toEqual([]);
    world.link = (from, to) => [from, to].every((index) => index >= 2);
    world.advance(4_000);
    expect(answers(world, 3)).toEqual([{ type: 'batches.held', tag: 1 }]);
    expect(asked(world, 3)).toEqual([world.node(2).address]);
    expect(world.node(3).disk.size).toBe(1);
    expect(world.node(3).accusations).toEqual([]);
  });

  it('are looked for on the own disk before anybody is asked', () => {
    const { world, references } = missing();
    world.commit(references);
    want(world, 1, { references });
    expect(answers(world, 1)).toEqual([{ type: 'batches.held', tag: 1 }]);
    expect(asked(world, 1)).toEqual([]);
  });

  it('are asked of others where the own disk gives another batch in their place', () => {
    const { world, references } = missing();
    world.submit(0, ['b']);
    world.advance(12);
    world.commit(references);
    const [digest] = references.map((reference) => reference.digest);
    const other = [...world.node(3).disk.values()].find((bytes) => batchDigestOf(bytes) !== digest);
    if (digest === undefined || other === undefined) throw new Error('both were made');
    world.node(3).disk.set(digest, other);
    world.restart(3);
    want(world, 3, { references });
    expect(answers(world, 3)).toEqual([{ type: 'batches.held', tag: 1 }]);
    expect(batchDigestOf(world.node(3).disk.get(digest) ?? other)).toBe(digest);
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

describe('a want that is repeated (MP-9)', () => {
  /** Validator 3 wants five committed batches of validator 0, and nothing reaches it but what a test hands over. */
  function slow(validators = 4) {
    const world = new World(Array.from({ length: validators }, () => 1));
    world.link = (_, to) => to !== 3;
    for (const text of ['a', 'b', 'c', 'd', 'e']) {
      world.submit(0, [text]);
      world.advance(20);
    }
    const references = world.payload(0);
    expect(references).toHaveLength(5);
    world.commit(references);
    const arrive = (reference: BatchReference | undefined) => {
      const bytes = reference && world.node(0).disk.get(reference.digest);
      if (bytes === undefined) throw new Error('validator 0 has its batches');
      world.receive(3, 0, { kind: 'Batch', bytes });
    };
    return { world, references, arrive };
  }

  /** Every batch takes two seconds; the want is repeated so often. */
  function fetchedOverASlowLink(repeatMs: number) {
    const { world, references, arrive } = slow();
    want(world, 3, { references });
    for (const reference of references) {
      for (let waited = 0; waited < 2_000; waited += 250) {
        world.advance(250);
        if ((waited + 250) % repeatMs === 0) want(world, 3, { references });
      }
      arrive(reference);
    }
    const { looked, sent } = world.node(3);
    return { looked, sent, answers: answers(world, 3), wants: world.node(3).state.wants };
  }

  it.each([250, 1_000])('every %i ms asks and looks for nothing more than one that is not', (repeatMs) => {
    const once = fetchedOverASlowLink(Number.POSITIVE_INFINITY);
    expect(once.answers).toEqual([{ type: 'batches.held', tag: 1 }]);
    expect(once.looked).toHaveLength(5);
    expect(fetchedOverASlowLink(repeatMs)).toEqual(once);
  });

  it('keeps the turn of the holders: the last of many is asked, however often it is repeated', () => {
    const { world, references } = slow(13);
    world.link = (from, to) => from !== 3 || to === 12;
    for (let second = 0; second < 5; second += 1) {
      want(world, 3, { references });
      world.advance(1_000);
    }
    expect(answers(world, 3)[0]).toEqual({ type: 'batches.held', tag: 1 });
  });

  it('begins anew where a restarted mempool has forgotten it', () => {
    const { world, references } = slow();
    want(world, 3, { references });
    world.crash(3);
    world.restart(3);
    world.link = () => true;
    world.advance(5_000);
    expect(answers(world, 3)).toEqual([]);
    want(world, 3, { references });
    expect(answers(world, 3)).toEqual([{ type: 'batches.held', tag: 1 }]);
  });

  it('is answered at once when all came before it was heard again', () => {
    const { world, references } = slow();
    world.link = () => true;
    want(world, 3, { references });
    want(world, 3, { references });
    expect(answers(world, 3)).toEqual([1, 2].map(() => ({ type: 'batches.held', tag: 1 })));
    expect(world.node(3).state.wants).toEqual([]);
  });

  it('begins anew for what got lost on the way to the disk', () => {
    const { world, references } = missing();
    const [reference] = references;
    const bytes = reference && world.node(0).disk.get(reference.digest);
    if (bytes === undefined) throw new Error('validator 0 has its batch');
    world.node(3).diskSilent = true;
    world.receive(3, 0, { kind: 'Batch', bytes });
    want(world, 3, { references });
    world.commit(references);
    world.node(3).diskSilent = false;
    world.advance(20_000);
    expect(answers(world, 3)).toEqual([]);
    want(world, 3, { references });
    expect(answers(world, 3)).toEqual([{ type: 'batches.held', tag: 1 }]);
  });

  it.each(['looks for it', 'writes it'])(
    'is served by holders when the disk gives no answer while it %s',
    (when) => {
      const { world, references, arrive } = slow();
      world.node(3).diskSilent = when === 'looks for it';
      want(world, 3, { references });
      world.node(3).diskSilent = true;
      for (const reference of references) arrive(reference);
      world.node(3).diskSilent = false;
      world.link = () => true;
      world.advance(SMALL.storagePatience - 100);
      expect(answers(world, 3)).toEqual([]);
      world.advance(200);
      expect(answers(world, 3)).toEqual([{ type: 'batches.held', tag: 1 }]);
    },
  );

  it('gives way to another under the same tag, and only what that wants is fetched', () => {
    const { world, references } = slow();
    want(world, 3, { references });
    const [first, second] = references;
    if (first === undefined || second === undefined) throw new Error('there are five');
    want(world, 3, { references: [second] });
    expect(world.node(3).state.fetches.size).toBe(1);
    expect(world.node(3).state.wants).toMatchObject([{ references: [second] }]);
    want(world, 3, { references: [{ ...second, count: second.count + 1 }], at: 1 });
    expect(world.node(3).state.wants).toMatchObject([{ height: 1 }]);
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

  it.each([1, 2])(
    'refuses the oldest of %i wants of an asker for a new one, and fetches on what they share',
    (most) => {
      const { world, references } = missing([1, 1, 1, 1], { ...SMALL, wantsPerAskerMax: most });
      world.link = () => false;
      const tags = [1, 2, 3].slice(0, most + 1);
      for (const tag of tags) want(world, 3, { references, at: 1, tag });
      expect(answers(world, 3, 1)).toMatchObject([{ type: 'batches.refused', code: 'TOO_MANY_WANTED' }]);
      expect(world.node(3).state.wants.map(({ tag }) => tag)).toEqual(tags.slice(1));
      expect(world.node(3).state.fetches.size).toBe(1);
      world.link = () => true;
      world.advance(3_000);
      for (const tag of tags.slice(1))
        expect(answers(world, 3, tag)).toEqual([{ type: 'batches.held', tag }]);
    },
  );

  it('reads for a few who are no validators at once, and for validators however many those are', () => {
    const { world, references } = missing([1, 1, 1, 1], { ...SMALL, servingGuestsMax: 2 });
    const digests = references.map(({ digest }) => digest);
    const guests = setOf(new Array<number>(9).fill(1)).validators.filter(
      ({ address }) => !world.set.indexByAddress.has(address),
    );
    const node = world.node(0);
    node.diskSilent = true;
    const before = node.looked.length;
    for (const { address } of guests) world.receive(0, address, { kind: 'GetBatch', digests });
    expect([guests.length, node.looked.length - before]).toEqual([5, 2]);
    world.receive(0, 1, { kind: 'GetBatch', digests });
    expect([node.looked.length - before, node.accusations]).toEqual([3, []]);
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
