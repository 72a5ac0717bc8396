import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import type { Digest } from '../../../src/protocol/chain/types.ts';
import { claimed, NO_SENDERS, released, type Senders } from '../../../src/protocol/mempool/senders.ts';
import { SMALL, textsOf, World } from './world.ts';

const codesOf = (world: World, tag: number) =>
  world
    .node(0)
    .admissions.get(tag)
    ?.map((each) => (each.status === 'admitted' ? each.status : each.code));
const logsOf = (world: World, tag: number) =>
  world
    .node(0)
    .admissions.get(tag)
    ?.map((each) => (each.status === 'admitted' ? '' : each.log));
const submitted = (world: World, texts: readonly string[]) => {
  const tag = world.submit(0, texts);
  world.advance(10);
  return tag;
};
const one = () => new World([1]);

describe('what is pending of a sender (MP-13)', () => {
  it('goes into batches by its sequence, whatever each pays, and its senders by what is next of them (MP-4)', () => {
    const world = one();
    submitted(world, ['first']);
    world.submit(0, ['p1 @ada:0', 'p9 @ada:1', 'p5 @bob:0', 'p3 c']);
    world.advance(10);
    expect([...world.node(0).disk.values()].map(textsOf).at(-1)).toEqual([
      'p5 @bob:0',
      'p3 c',
      'p1 @ada:0',
      'p9 @ada:1',
    ]);
  });

  it('is ranked by nothing while one before it is missing', () => {
    const world = one();
    submitted(world, ['first']);
    world.submit(0, ['p9 @ada:1', 'p1 b', 'p0 c']);
    world.advance(10);
    expect([...world.node(0).disk.values()].map(textsOf).at(-1)).toEqual(['p1 b', 'p9 @ada:1', 'p0 c']);
  });

  it('has each sequence once, until that one has ended', () => {
    const world = one();
    expect(codesOf(world, submitted(world, ['@ada:0', 'other @ada:0']))).toEqual(['admitted', 'SENDER_BUSY']);
    const again = submitted(world, ['third @ada:0']);
    expect(logsOf(world, again)?.[0]).toMatch(
      /^sequence 0 of ada is pending already, as [0-9a-f]{64}: send it/,
    );
    world.commit(world.payload(0));
    expect(codesOf(world, submitted(world, ['third @ada:0']))).toEqual(['admitted']);
  });

  it('costs together no more than its sender has', () => {
    const world = one();
    const texts = [0, 1, 2].map((at) => `@ada:${at} cost=4 funds=10`);
    const tag = submitted(world, texts);
    expect(codesOf(world, tag)).toEqual(['admitted', 'admitted', 'SENDER_BUSY']);
    expect(logsOf(world, tag)?.[2]).toContain('what is pending of ada takes 8 of 10, and this one 4');
    // What was executed has been paid: it is no longer asked for.
    expect(codesOf(world, submitted(world, ['@ada:2 next=1 cost=4 funds=9']))).toEqual(['admitted']);
  });

  it('waits for one before it in bounded number, of each sender and of all', () => {
    const world = one();
    const waiting = (name: string) => [2, 3, 4, 5].map((at) => `@${name}:${at}`);
    const ofAda = submitted(world, waiting('ada'));
    expect(codesOf(world, ofAda)).toEqual(['admitted', 'admitted', 'admitted', 'SENDER_BUSY']);
    expect(logsOf(world, ofAda)?.[3]).toBe('3 of ada wait for sequence 0, at most 3: send that first');
    expect(codesOf(world, submitted(world, waiting('bob')))).toEqual([
      'admitted',
      'admitted',
      'MEMPOOL_FULL',
      'MEMPOOL_FULL',
    ]);
    // The gap closes, and all of them can execute.
    submitted(world, ['@ada:0', '@ada:1']);
    expect(world.node(0).state.senders.waiting).toBe(2);
    expect(codesOf(world, submitted(world, ['@eve:7']))).toEqual(['admitted']);
  });

  it('is so many at the most', () => {
    const world = one();
    const texts = Array.from({ length: 9 }, (_, at) => `@ada:${at}`);
    const tag = submitted(world, texts);
    expect(codesOf(world, tag)).toEqual([...new Array(8).fill('admitted'), 'SENDER_BUSY']);
    expect(logsOf(world, tag)?.[8]).toContain('8 transactions of ada are pending, at most 8');
  });

  it('ends with its batch that storage refuses, or that nobody commits', () => {
    const world = one();
    world.node(0).diskFails = true;
    expect(codesOf(world, submitted(world, ['@ada:0', '@ada:3']))).toEqual([
      'STORAGE_FAILED',
      'STORAGE_FAILED',
    ]);
    expect(world.node(0).state.senders).toEqual(NO_SENDERS);
    world.node(0).diskFails = false;
    expect(codesOf(world, submitted(world, ['@ada:0', '@ada:3']))).toEqual(['admitted', 'admitted']);
    for (let index = 0; index < 12; index += 1) world.commit([]);
    expect(world.node(0).expired).toHaveLength(2);
    expect(world.node(0).state.senders).toEqual(NO_SENDERS);
  });

  it('is known again after a restart, and ends as ever (MP-3)', () => {
    const world = one();
    submitted(world, ['@ada:0 cost=4 funds=9', '@ada:1 cost=4 funds=9', 'x']);
    world.restart(0);
    expect(world.node(0).state.senders.owners.size).toBe(2);
    expect(codesOf(world, submitted(world, ['new @ada:1 cost=1 funds=9', '@ada:2 cost=2 funds=9']))).toEqual([
      'SENDER_BUSY',
      'SENDER_BUSY',
    ]);
    world.commit(world.payload(0));
    expect(world.node(0).state.senders).toEqual(NO_SENDERS);
  });

  const restarted = (application: 'fails' | 'is silent') => {
    const world = one();
    submitted(world, ['@ada:0 cost=4 funds=9', '@ada:1 cost=4 funds=9', 'x']);
    world.node(0).application = application;
    world.node(0).asked.splice(0);
    world.crash(0);
    world.restart(0);
    return world;
  };
  const later = ['new @ada:1 cost=1 funds=9', '@ada:2 cost=2 funds=9', 'y'];

  it('is asked for again, with pauses, when a node starts before its application', () => {
    const world = restarted('fails');
    world.advance(60_000);
    const { asked } = world.node(0);
    expect(new Set(asked).size).toBe(1);
    expect(asked.length).toBeGreaterThan(60_000 / SMALL.recheckRetryMax - 1);
    expect(asked.length).toBeLessThan(25);
    world.node(0).application = 'answers';
    // Not a sequence twice nor funds twice, before the application has said what is pending either.
    expect(codesOf(world, submitted(world, later))).toEqual(['NOT_CHECKED', 'NOT_CHECKED', 'admitted']);
    world.advance(SMALL.recheckRetryMax + SMALL.tick);
    expect(world.node(0).state.rechecks.size).toBe(0);
    expect(world.node(0).state.senders.owners.size).toBe(2);
    expect(codesOf(world, submitted(world, later))).toEqual(['SENDER_BUSY', 'SENDER_BUSY', 'ALREADY_KNOWN']);
    world.commit(world.payload(0));
    expect(world.node(0).state.senders).toEqual(NO_SENDERS);
  });

  it('is asked for again soon when the question was lost and a later one is answered', () => {
    const world = restarted('is silent');
    world.node(0).application = 'answers';
    world.advance(SMALL.recheckPatience / 2);
    expect(world.node(0).asked).toHaveLength(1);
    expect(codesOf(world, submitted(world, later))).toEqual(['NOT_CHECKED', 'NOT_CHECKED', 'admitted']);
    world.advance(SMALL.recheckRetryMin + SMALL.tick);
    expect(codesOf(world, submitted(world, later))).toEqual(['SENDER_BUSY', 'SENDER_BUSY', 'ALREADY_KNOWN']);
  });

  it('is asked for again when the question was lost and nothing else is asked', () => {
    const world = restarted('is silent');
    world.advance(SMALL.recheckPatience - 1);
    expect(world.node(0).asked).toHaveLength(1);
    world.node(0).application = 'answers';
    world.advance(SMALL.tick + 1);
    expect(world.node(0).state.senders.owners.size).toBe(2);
  });

  it('is not asked for any more once it has ended', () => {
    const world = restarted('fails');
    for (let index = 0; index < 12; index += 1) world.commit([]);
    expect(world.node(0).expired).toHaveLength(3);
    world.advance(2 * SMALL.recheckRetryMax);
    expect(world.node(0).asked).toHaveLength(1);
    expect(world.node(0).state.rechecks.size).toBe(0);
  });
});

describe('claims of senders (MP-13)', () => {
  it('never pass a bound, count what waits rightly, and leave nothing behind', () => {
    const act = fc.record({
      id: fc.constantFrom('ada', 'bob', 'eve'),
      sequence: fc.bigInt({ min: 0n, max: 12n }),
      cost: fc.bigInt({ min: 0n, max: 4n }),
      ends: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        let senders: Senders = NO_SENDERS;
        const nexts = new Map<string, bigint>();
        const held = new Map<
          Digest,
          { readonly id: string; readonly sequence: bigint; readonly cost: bigint }
        >();
        acts.forEach(({ id, sequence, cost, ends }, index) => {
          if (ends) {
            const [first] = [...held].filter(([, claim]) => claim.id === id);
            if (first === undefined) return;
            held.delete(first[0]);
            senders = released(senders, [first[0]]);
            const next = nexts.get(id) ?? 0n;
            if (first[1].sequence === next) nexts.set(id, next + 1n);
            return;
          }
          const next = nexts.get(id) ?? 0n;
          if (sequence < next) return;
          const hash = digestOf(utf8(String(index)));
          const ruling = claimed(senders, hash, { id, sequence, next, cost, funds: 20n }, SMALL);
          if (ruling.status === 'refused') return;
          senders = ruling.senders;
          const mine = [...held.values()].filter((claim) => claim.id === id);
          const run = new Set(mine.map((claim) => claim.sequence));
          let reach = next;
          while (run.has(reach)) reach += 1n;
          expect(ruling.isNext).toBe(sequence === reach);
          expect(mine.some((claim) => claim.sequence === sequence)).toBe(false);
          expect(mine.reduce((sum, claim) => sum + claim.cost, cost) <= 20n).toBe(true);
          held.set(hash, { id, sequence, cost });
        });
        expect(senders.owners.size).toBe(held.size);
        expect(senders.waiting).toBeGreaterThanOrEqual(0);
        expect(released(senders, [...held.keys()])).toEqual(NO_SENDERS);
      }),
      { numRuns: 500 },
    );
  });
});
