import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { CHECK_MS } from '../../../src/protocol/bridge/times.ts';
import { parseBatch, transactionHashOf } from '../../../src/protocol/chain/batch.ts';
import { encodeOperation } from '../../../src/protocol/chain/operation.ts';
import { GENESIS_HEIGHT } from '../../../src/protocol/chain/ordinals.ts';
import { isFull } from '../../../src/protocol/mempool/admission.ts';
import { bucketOf } from '../../../src/protocol/mempool/clients.ts';
import { DEFAULT_MEMPOOL_CONFIG, mempoolConfigProblems } from '../../../src/protocol/mempool/config.ts';
import { handle } from '../../../src/protocol/mempool/step.ts';
import type { Effect } from '../../../src/protocol/supervision/effect.ts';
import { height } from '../consensus/fixture.ts';
import { began, SMALL, textsOf, World } from './world.ts';

const codesOf = (world: World, tag: number) =>
  world
    .node(0)
    .admissions.get(tag)
    ?.map((admission) => (admission.status === 'admitted' ? 'admitted' : admission.code));

const admissionsIn = (effects: readonly Effect[]): readonly unknown[] =>
  effects.flatMap((effect) => (effect.kind === 'tell' ? (Object(effect.message).admissions ?? []) : []));

describe('admission (MP-1, MP-2)', () => {
  it('refuses an operation without a payload: nobody would hold it to the height that it names (EX-7)', () => {
    const world = new World([1]);
    const operation = (payload: Uint8Array) =>
      encodeOperation({ expiresAtHeight: height(40), nonce: 7n, payload });
    const head = operation(new Uint8Array(0));
    const tag = world.submit(0, [head, operation(utf8('a=1')), head.subarray(0, -1)]);
    expect(codesOf(world, tag)).toEqual(['EMPTY', 'admitted', 'admitted']);
    expect(world.node(0).admissions.get(tag)?.[0]).toMatchObject({
      log: 'an operation has at least one byte of payload',
    });
  });

  it('admits what is new, small and accepted, and names every other reason in its place', () => {
    const world = new World([1]);
    const tag = world.submit(0, ['a=1', new Uint8Array(0), new Uint8Array(257).fill(1), 'a=1', 'bad', 'b=2']);
    expect(codesOf(world, tag)).toEqual([
      'admitted',
      'EMPTY',
      'TOO_LARGE',
      'ALREADY_KNOWN',
      'CHECK_FAILED',
      'admitted',
    ]);
    const admissions = world.node(0).admissions.get(tag);
    expect(admissions?.[4]).toMatchObject({ applicationCode: 7, log: 'ruled' });
    expect(admissions?.[0]).toEqual({ status: 'admitted', hash: transactionHashOf(utf8('a=1')) });
  });

  it('answers `admitted` only when the batch is durable, and `STORAGE_FAILED` when it cannot be (MP-3)', () => {
    const world = new World([1, 1, 1, 1]);
    const good = world.submit(0, ['a']);
    expect(codesOf(world, good)).toEqual(['admitted']);
    expect([...world.node(0).disk.values()].flatMap(textsOf)).toEqual(['a']);
    world.node(0).diskFails = true;
    const lost = world.submit(0, ['b', 'bad']);
    world.advance(20);
    expect(codesOf(world, lost)).toEqual(['STORAGE_FAILED', 'CHECK_FAILED']);
    world.node(0).diskFails = false;
    const again = world.submit(0, ['b']);
    world.advance(20);
    expect(codesOf(world, again)).toEqual(['admitted']);
  });

  it('refuses what is pending or executed already, and admits again what it refused', () => {
    const world = new World([1]);
    world.submit(0, ['a', 'bad']);
    world.advance(10);
    expect(codesOf(world, world.submit(0, ['a']))).toEqual(['ALREADY_KNOWN']);
    world.commit(world.payload(0));
    expect(codesOf(world, world.submit(0, ['a']))).toEqual(['ALREADY_KNOWN']);
    expect(codesOf(world, world.submit(0, ['bad']))).toEqual(['CHECK_FAILED']);
    expect(world.node(0).state.pending.size).toBe(0);
    expect(world.node(0).state.pendingBytes).toBe(0);
  });

  it('is bounded by count and by bytes with MEMPOOL_FULL, and has room again after a commit', () => {
    const many = Array.from({ length: 250 }, (_, index) => `t${index}`);
    const world = new World([1]);
    const tag = world.submit(0, many);
    world.advance(10);
    expect(codesOf(world, tag)?.filter((code) => code === 'admitted')).toHaveLength(SMALL.pendingCountMax);
    expect(codesOf(world, tag)?.at(-1)).toBe('MEMPOOL_FULL');
    expect(isFull(world.node(0).state)).toBe(true);
    world.commit(world.payload(0));
    expect(isFull(world.node(0).state)).toBe(false);
    const large = world.submit(
      0,
      Array.from({ length: 40 }, (_, index) => new Uint8Array(256).fill(index + 1)),
    );
    world.advance(10);
    expect(codesOf(world, large)?.filter((code) => code === 'admitted')).toHaveLength(32);
  });

  it('limits the rate of each client by itself, on the injected clock', () => {
    const clientRate = { ratePerSecond: 10, burst: 3 };
    const world = new World([1], { ...SMALL, clientRate, clientsMax: 2 });
    const fives = (client: string, prefix: string) =>
      world.submit(
        0,
        Array.from({ length: 5 }, (_, index) => `${prefix}${index}`),
        client,
      );
    const rate = (tag: number) => {
      world.advance(10);
      return codesOf(world, tag)?.filter((code) => code === 'admitted').length;
    };
    expect(rate(fives('ann', 'a'))).toBe(3);
    expect(rate(fives('bob', 'b'))).toBe(3);
    expect(rate(fives('ann', 'c'))).toBe(0);
    world.advance(200);
    expect(rate(fives('ann', 'd'))).toBe(2);
    fives('cat', 'e');
    const { clients } = world.node(0).state;
    expect(['ann', 'bob', 'cat'].map((name) => bucketOf(clients, name) !== undefined)).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('refuses as NOT_CHECKED what the application does not answer in time, never with its code 0 (MP-2)', () => {
    const world = new World([1]);
    const tag = world.submit(0, ['hang']);
    world.advance(CHECK_MS - 100);
    expect(codesOf(world, tag)).toBeUndefined();
    world.advance(200);
    expect(codesOf(world, tag)).toEqual(['NOT_CHECKED']);
    expect(world.node(0).admissions.get(tag)?.[0]).not.toHaveProperty('applicationCode');
    expect(world.node(0).state.pending.size).toBe(0);
  });

  it('refuses as NOT_CHECKED what an application that failed or that gave no result did not look at (MP-2)', () => {
    const world = new World([1]);
    world.submit(0, ['hang']);
    const { state } = world.node(0);
    const tag = state.nextTag - 1;
    const failure = { code: 'APPLICATION_FAILED', detail: 'kv.db is damaged' } as const;
    const failed = handle(state, { type: 'execution.failed', tag, ...failure }, world.now);
    expect(admissionsIn(failed.effects)).toEqual([
      expect.objectContaining({ code: 'NOT_CHECKED', log: 'APPLICATION_FAILED: kv.db is damaged' }),
    ]);
    const short = handle(
      state,
      { type: 'check.answered', tag, results: [], height: GENESIS_HEIGHT },
      world.now,
    );
    expect(admissionsIn(short.effects)).toEqual([expect.objectContaining({ code: 'NOT_CHECKED' })]);
    expect([...admissionsIn(failed.effects), ...admissionsIn(short.effects)]).not.toContainEqual(
      expect.objectContaining({ applicationCode: expect.anything() }),
    );
  });

  it('refuses all where the node is no validator', () => {
    const world = new World([1, 1]);
    const validators = new World([1]).set;
    world.send(0, began(validators));
    world.send(1, began(validators));
    const outsider = validators.indexByAddress.has(world.node(0).address) ? 1 : 0;
    const tag = world.submit(outsider, ['a']);
    expect(world.node(outsider).admissions.get(tag)?.[0]).toMatchObject({ code: 'NOT_A_VALIDATOR' });
  });
});

describe('sealing (MP-4)', () => {
  it('seals the first at once, then no sooner than an interval, unless a batch is full', () => {
    const world = new World([1]);
    world.submit(0, ['a']);
    expect(world.node(0).disk.size).toBe(1);
    const later = world.submit(0, ['b']);
    world.submit(0, ['c']);
    world.advance(9);
    expect(world.node(0).disk.size).toBe(1);
    expect(codesOf(world, later)).toBeUndefined();
    world.advance(1);
    expect(world.node(0).disk.size).toBe(2);
    expect(codesOf(world, later)).toEqual(['admitted']);
    world.submit(
      0,
      Array.from({ length: 4 }, (_, index) => new Uint8Array(200).fill(index + 1)),
    );
    expect(world.node(0).disk.size).toBe(3);
  });

  it('puts higher priority first, and the first comer among equals', () => {
    const world = new World([1]);
    world.submit(0, ['first']);
    world.submit(0, ['p1 a', 'p5 b']);
    world.submit(0, ['p5 c', 'p0 d', 'p9 e']);
    world.advance(10);
    const texts = [...world.node(0).disk.values()].map(textsOf);
    expect(texts).toEqual([['first'], ['p9 e', 'p5 b', 'p5 c', 'p1 a', 'p0 d']]);
  });

  it('keeps every batch within its size and gives it a growing sequence', () => {
    const world = new World([1]);
    world.submit(
      0,
      Array.from({ length: 30 }, (_, index) => new Uint8Array(100).fill(index + 1)),
    );
    world.advance(10);
    const views = [...world.node(0).disk.values()].map((bytes) => parseBatch(bytes, SMALL));
    expect(views.every((view) => view !== 'malformed' && view.bytes.byteLength <= SMALL.sealBytes)).toBe(
      true,
    );
    expect(views.map((view) => (view === 'malformed' ? -1 : view.sequence))).toEqual(
      views.map((_, index) => index),
    );
  });
});

describe('the configuration of a mempool', () => {
  it('has no problem by default, and says which it has', () => {
    expect(mempoolConfigProblems(DEFAULT_MEMPOOL_CONFIG)).toEqual([]);
    const wrong = {
      ...DEFAULT_MEMPOOL_CONFIG,
      sealBytes: 2e6,
      transactionBytesMax: 2e6,
      pendingBytesMax: 1e9,
    };
    expect(mempoolConfigProblems({ ...wrong, batchTtlHeights: 0 })).toHaveLength(4);
  });
});
