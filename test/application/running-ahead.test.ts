import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kv } from '../../src/application/kv/rules.ts';
import { RUNS_PER_WAIT, UNTOLD_MAX } from '../../src/application/untold.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { millis } from '../../src/base/units.ts';
import { digestOf } from '../../src/protocol/chain/canonical.ts';
import type { ExecutedState } from '../../src/protocol/chain/types.ts';
import type { Application, FinalizeRequest } from '../../src/protocol/ports/application.ts';
import type { MemoryFaults } from '../../src/storage/memory-store.ts';
import { committed, found, height } from '../storage/fixtures.ts';
import { type Life, Lives } from './lives.ts';

const DEVICE_MS = 5;
const genesis: ExecutedState = { height: height(0), appHash: digestOf(utf8('ahead')) };

/** What an application keeps over crashes, and what it was asked. */
interface Ground {
  durable: ExecutedState;
  readonly asked: FinalizeRequest[];
}
const emptyGround = (): Ground => ({ durable: genesis, asked: [] });

/** Its hash is a chain of hashes. Makes durable what `storedHeight` allows, whenever it is asked. */
function chaining(
  ground: Ground,
  runsAhead: boolean,
  before: (request: FinalizeRequest) => void = () => undefined,
): Application {
  let executed = ground.durable;
  return {
    info: () => ({ name: 'ahead', version: '1', executed, runsAhead }),
    initChain: () => ({ appHash: genesis.appHash }),
    checkTx: () => ({ code: 0, log: '', codespace: '', priority: 0n }),
    finalizeBlock(request) {
      before(request);
      ground.asked.push(request);
      if (executed.height <= (request.storedHeight ?? executed.height)) ground.durable = executed;
      const texts = request.transactions.map((bytes) => Buffer.from(bytes).toString());
      const appHash = digestOf(utf8(`${executed.appHash} ${request.height} ${texts.join()}`));
      executed = { height: request.height, appHash };
      const results = request.transactions.map(() => ({
        code: 0,
        data: new Uint8Array(0),
        log: '',
        codespace: '',
        gasWanted: 0n,
        gasUsed: 0n,
        events: [],
      }));
      return { results, events: [], validatorUpdates: [], appHash };
    },
    query: () => ({
      code: 0,
      log: '',
      codespace: '',
      key: utf8(''),
      value: utf8(''),
      height: executed.height,
    }),
  };
}

const heights = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);
const askedOf = ({ asked }: Ground) => asked.map((request) => request.height);
const toldOf = (life: Life) => life.executed.map(({ executed }) => executed.height);

/** Blocks that become durable and are told at once, 20 ms later. */
function commit(lives: Lives, life: Life, count: number): void {
  const { chain } = lives;
  const blocks = heights(1, count).map(() => chain.add([`t${chain.made.length}`]));
  life.persistAndTell(chain.batches.slice(-count).flat(), blocks);
}

function started(lives: Lives, open: () => Application): Life {
  const life = lives.begin(open, { retryMin: millis(100) });
  life.advance(50);
  return life;
}

describe('an application that runs ahead of the disk (EX-1)', () => {
  it('gets blocks before the results of those below are durable; they are told in order, each when it is', () => {
    const lives = new Lives({ deviceMs: DEVICE_MS });
    const ground = emptyGround();
    const life = started(lives, () => chaining(ground, true));
    commit(lives, life, 20);
    life.advance(2 * DEVICE_MS - 1);
    expect(askedOf(ground)).toEqual(heights(1, 20));
    expect(toldOf(life)).toEqual([]);
    life.advance(200);
    expect(toldOf(life)).toEqual(heights(1, 20));
    expect(found(life.store.latest()).executed).toBe(20);
  });

  it('is waited for when 16 MiB of its answers are not durable, however small its blocks are', async () => {
    const lives = new Lives({ deviceMs: DEVICE_MS });
    const ground = emptyGround();
    const data = new Uint8Array(1_048_576);
    const life = started(lives, () => {
      const inner = chaining(ground, true);
      return {
        ...inner,
        async finalizeBlock(request) {
          const answer = await inner.finalizeBlock(request);
          return { ...answer, results: answer.results.map((result) => ({ ...result, data })) };
        },
      };
    });
    commit(lives, life, 20);
    await life.advanceAsync(2 * DEVICE_MS - 1);
    expect(askedOf(ground)).toEqual(heights(1, 16));
    await life.advanceAsync(200);
    expect(toldOf(life)).toEqual(heights(1, 20));
  });

  it('any other gets one at a time: the next when the one before is durable', () => {
    const lives = new Lives({ deviceMs: DEVICE_MS });
    const ground = emptyGround();
    const life = started(lives, () => chaining(ground, false));
    commit(lives, life, 4);
    for (let waited = 0; waited < 20; waited += 1) {
      expect(ground.asked.length - life.executed.length).toBeLessThanOrEqual(1);
      life.advance(DEVICE_MS);
    }
    expect(ground.asked.map(({ storedHeight }) => storedHeight)).toEqual([0, 1, 2, 3]);
    expect(toldOf(life)).toEqual([1, 2, 3, 4]);
  });

  it('is at most so many blocks ahead, and then sees everything stored', () => {
    const lives = new Lives({ deviceMs: DEVICE_MS });
    const ground = emptyGround();
    let mostAhead = 0;
    const life = started(lives, () =>
      chaining(ground, true, () => {
        mostAhead = Math.max(mostAhead, ground.asked.length + 1 - life.executed.length);
      }),
    );
    commit(lives, life, UNTOLD_MAX + 20);
    life.advance(500);
    expect(mostAhead).toBe(UNTOLD_MAX);
    expect(ground.asked[UNTOLD_MAX]?.storedHeight).toBe(UNTOLD_MAX);
    expect(toldOf(life)).toEqual(heights(1, UNTOLD_MAX + 20));
  });

  it('sees everything stored now and then, also where blocks come as quickly as the disk answers', () => {
    const lives = new Lives({ deviceMs: DEVICE_MS });
    const ground = emptyGround();
    const life = started(lives, () => chaining(ground, true));
    const blocks = heights(1, 10 * UNTOLD_MAX).map(() => lives.chain.add([`t${lives.chain.made.length}`]));
    life.persist(lives.chain.batches.flat(), blocks);
    let greatest = 0;
    for (const block of blocks) {
      life.tell({ type: 'blocks.committed', blocks: [block] });
      life.advance(DEVICE_MS - 1);
      greatest = Math.max(greatest, ground.asked.length - ground.durable.height);
    }
    expect(life.failures).toEqual([]);
    expect(greatest).toBeLessThanOrEqual(RUNS_PER_WAIT * UNTOLD_MAX + 1);
  });

  it('what the disk refuses is asked again, all of it in order, and told once', () => {
    let fault: 'ok' | 'IO' | 'IO_AFTER_WRITE' = 'ok';
    const faults: MemoryFaults = { onSync: () => fault };
    for (const how of ['IO', 'IO_AFTER_WRITE'] as const) {
      fault = 'ok';
      const lives = new Lives({ deviceMs: DEVICE_MS, faults });
      const life = started(lives, () => chaining(emptyGround(), true));
      commit(lives, life, 6);
      fault = how;
      life.advance(4 * DEVICE_MS);
      expect(toldOf(life)).toEqual([]);
      expect(life.failures).toMatchObject([{ code: 'STORAGE_FAILED' }]);
      fault = 'ok';
      life.advance(1_000);
      expect(toldOf(life)).toEqual(heights(1, 6));
    }
  });

  it('blocks behind one that the disk refused are no failure of their own: the store says "a gap" of them', () => {
    let refusals = 0;
    const faults: MemoryFaults = { onSync: () => (refusals-- > 0 ? 'FULL' : 'ok') };
    const lives = new Lives({ deviceMs: DEVICE_MS, faults });
    const ground = emptyGround();
    const life = started(lives, () => chaining(ground, true));
    commit(lives, life, 3);
    // The group, then its first request alone.
    refusals = 2;
    commit(lives, life, 3);
    life.advance(1_000);
    expect(toldOf(life)).toEqual(heights(1, 6));
    expect(askedOf(ground)).toEqual(heights(1, 6));
    expect(life.failures.every(({ code }) => code === 'STORAGE_FAILED')).toBe(true);
  });

  it('what is on its way to the disk is told before a failure of the application: nobody would tell it later (EX-5)', () => {
    const lives = new Lives({ deviceMs: DEVICE_MS });
    const ground = emptyGround();
    let throws = 1;
    const life = started(lives, () =>
      chaining(ground, true, (request) => {
        if (request.height === 5 && throws-- > 0) throw new Error('out of memory');
      }),
    );
    commit(lives, life, 8);
    expect(life.failures).toEqual([]);
    life.advance(1_000);
    expect(life.failures).toMatchObject([{ code: 'APPLICATION_FAILED' }]);
    expect(toldOf(life)).toEqual(heights(1, 8));
  });

  it('one that answers later replays what is stored to the end, and goes on', async () => {
    const lives = new Lives();
    const first = started(lives, () => chaining(emptyGround(), true));
    commit(lives, first, 5);
    lives.crash();
    const plain = chaining(emptyGround(), true);
    const later: Application = {
      ...plain,
      finalizeBlock: (request) => Promise.resolve().then(() => plain.finalizeBlock(request)),
    };
    const life = lives.begin(() => later);
    await life.advanceAsync(50);
    commit(lives, life, 2);
    await life.advanceAsync(50);
    expect(life.failures).toEqual([]);
    expect(toldOf(life)).toEqual([6, 7]);
  });

  it.each([true, false])('ends in the same state wherever it crashes (runs ahead: %s)', (runsAhead) => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ blocks: fc.integer({ min: 1, max: 6 }) }) },
      { weight: 4, arbitrary: fc.record({ wait: fc.integer({ min: 1, max: 14 }) }) },
      { weight: 2, arbitrary: fc.constant('crash' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 4, maxLength: 24 }), (steps) => {
        const ground = emptyGround();
        const lives = new Lives({ deviceMs: DEVICE_MS });
        const open = () => chaining(ground, runsAhead);
        let life = started(lives, open);
        for (const each of steps) {
          if (each === 'crash') {
            lives.crash();
            life = lives.begin(open);
          } else if ('wait' in each) life.advance(each.wait);
          else commit(lives, life, each.blocks);
        }
        life.advance(5_000);
        expect(life.failures).toEqual([]);
        const calm = new Lives();
        const other = calm.begin(() => chaining(emptyGround(), false));
        calm.chain.made.push(...lives.chain.made);
        calm.chain.batches.push(...lives.chain.batches);
        other.persistAndTell(calm.chain.batches.flat(), calm.chain.made.map(committed));
        expect(found(life.store.recover()).executed).toEqual(found(other.store.recover()).executed);
        expect(found(life.store.latest()).executed).toBe(lives.chain.made.length);
      }),
      { numRuns: 60 },
    );
  });
});

describe('kv runs ahead', () => {
  it('and is never ahead of the results on the disk: it starts again wherever it crashed', () => {
    const dir = mkdtempSync(join(tmpdir(), 'althing-ahead-'));
    try {
      const lives = new Lives({ deviceMs: DEVICE_MS });
      const open = () => kv({ dir, flushHeights: 2 });
      for (let crashes = 0; crashes < 6; crashes += 1) {
        const life = started(lives, open);
        life.advance(100);
        commit(lives, life, 9);
        life.advance(1 + crashes * 3);
        expect(life.failures).toEqual([]);
        lives.crash();
      }
      const life = started(lives, open);
      life.advance(1_000);
      expect(life.failures).toEqual([]);
      expect(found(life.store.latest()).executed).toBe(54);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
