/** BR-11: what batches and blocks carry follows the chain, inside bounds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, wallTime } from '../../../src/base/units.ts';
import { batchDigestOf } from '../../../src/protocol/chain/batch.ts';
import { parseRound } from '../../../src/protocol/chain/parse.ts';
import type { BatchReference, Header } from '../../../src/protocol/chain/types.ts';
import {
  blockTimeTargetOf,
  type Pacing,
  type PacingConfig,
  sealBytesOf,
  sealIntervalOf,
  startPacing,
  withArrived,
  withBlock,
  withRoundTrip,
} from '../../../src/protocol/mempool/pacing.ts';
import { height, SMALL, World } from './world.ts';

const KIB = 1_024;
const CONFIG: PacingConfig = {
  sealInterval: millis(10),
  sealIntervalMax: millis(100),
  sealBytes: 64 * KIB,
  sealBytesMax: 512 * KIB,
  blockTimeTarget: millis(500),
  batchBytesMax: 512 * KIB,
  blockBytesMax: 8_192 * KIB,
};

const round = (value: number) => {
  const parsed = parseRound(value);
  if (parsed === 'malformed') throw new Error(`${value} is no round`);
  return parsed;
};

/** Blocks one after the other; `failed` rounds lie before it. */
class Chain {
  pacing: Pacing;
  readonly config: PacingConfig;
  #height = 0;
  #round = 0;
  #time = 1_000_000;

  constructor(config: PacingConfig = CONFIG) {
    this.config = config;
    this.pacing = startPacing(config);
  }

  add(bytes: number, took: number, failed = 0): void {
    this.#height += 1;
    this.#round += 1 + failed;
    this.#time += took;
    const batches: readonly BatchReference[] =
      bytes === 0 ? [] : [{ digest: batchDigestOf(new Uint8Array(1)), count: 1, bytes }];
    const header: Pick<Header, 'height' | 'round' | 'time' | 'batches'> = {
      ...{ height: height(this.#height), round: round(this.#round), time: wallTime(this.#time) },
      batches,
    };
    this.pacing = withBlock(this.pacing, header, this.config);
  }

  /** Leaders fill their blocks, on a network that moves so many bytes a millisecond after `base` ms. */
  saturate(blocks: number, bytesPerMs: number, base = 20): readonly number[] {
    const took: number[] = [];
    let before = 0;
    for (let block = 0; block < blocks; block += 1) {
      const bytes = this.pacing.blockBytes;
      const time = Math.round(base + before / bytesPerMs);
      this.add(bytes, time);
      took.push(time);
      before = bytes;
    }
    return took;
  }
}

describe('the size of a block (BR-11)', () => {
  it('is the greatest while blocks are quick', () => {
    const chain = new Chain();
    chain.saturate(50, 100_000);
    expect(chain.pacing.blockBytes).toBe(CONFIG.blockBytesMax);
  });

  it('keeps full blocks around their target where the network is slow, and comes back when it is not', () => {
    const chain = new Chain();
    const slow = chain.saturate(400, 4 * KIB).slice(200);
    const mean = slow.reduce((sum, one) => sum + one, 0) / slow.length;
    expect(mean).toBeGreaterThan(0.7 * CONFIG.blockTimeTarget);
    expect(mean).toBeLessThan(1.1 * CONFIG.blockTimeTarget);
    expect(Math.max(...slow)).toBeLessThan(1.5 * CONFIG.blockTimeTarget);
    chain.saturate(60, 100_000);
    expect(chain.pacing.blockBytes).toBe(CONFIG.blockBytesMax);
  });

  it('is cut once for the blocks that were under way, not for each of them', () => {
    const chain = new Chain();
    chain.add(CONFIG.blockBytesMax, 10);
    chain.add(CONFIG.blockBytesMax, 2_000);
    const once = chain.pacing.blockBytes;
    expect(once).toBe(Math.floor(0.7 * CONFIG.blockBytesMax));
    for (let block = 0; block < 3; block += 1) chain.add(CONFIG.blockBytesMax, 2_000);
    expect(chain.pacing.blockBytes).toBe(once);
    chain.add(CONFIG.blockBytesMax, 2_000);
    expect(chain.pacing.blockBytes).toBeLessThan(once);
  });

  it.each([
    ['small blocks, whatever takes so long', 100 * KIB, 0],
    ['a failed round, whose timeout was waited for', CONFIG.blockBytesMax, 1],
    ['empty blocks, which wait for work', 0, 0],
  ])('does not shrink for %s', (_, bytes, failed) => {
    const chain = new Chain();
    for (let block = 0; block < 20; block += 1) chain.add(bytes, 5_000, failed);
    expect(chain.pacing.blockBytes).toBe(CONFIG.blockBytesMax);
  });

  it('does not shrink for a distance that no size makes shorter', () => {
    const chain = new Chain();
    chain.pacing = withRoundTrip(chain.pacing, millis(300));
    expect(blockTimeTargetOf(chain.pacing, CONFIG)).toBe(1_200);
    for (let block = 0; block < 20; block += 1) chain.add(CONFIG.blockBytesMax, 900);
    expect(chain.pacing.blockBytes).toBe(CONFIG.blockBytesMax);
  });

  it('never keeps the greatest batch out of a block', () => {
    const chain = new Chain(SMALL);
    for (let block = 0; block < 400; block += 1) chain.add(chain.pacing.blockBytes, 30_000);
    expect(chain.pacing.blockBytes).toBe(SMALL.batchBytesMax);
    const world = new World([1]);
    const node = world.node(0);
    node.state = { ...node.state, pacing: { ...chain.pacing, arrivedPerBlock: 1e6 } };
    world.submit(
      0,
      Array.from({ length: 15 }, (_, index) => `${index}`.padEnd(255, 'x')),
    );
    world.advance(150);
    const [first, ...more] = world.payload(0);
    expect(more).toEqual([]);
    expect(first?.bytes).toBeGreaterThan(0.9 * SMALL.batchBytesMax);
  });
});

describe('batches (BR-11)', () => {
  it('are sealed four times in the time of a block', () => {
    const chain = new Chain();
    expect(sealIntervalOf(chain.pacing, CONFIG)).toBe(10);
    for (let block = 0; block < 100; block += 1) chain.add(1_000, 240);
    expect(sealIntervalOf(chain.pacing, CONFIG)).toBeCloseTo(60, 0);
    for (let block = 0; block < 100; block += 1) chain.add(1_000, 8);
    expect(sealIntervalOf(chain.pacing, CONFIG)).toBe(10);
    for (let block = 0; block < 100; block += 1) chain.add(1_000, 3_000);
    expect(sealIntervalOf(chain.pacing, CONFIG)).toBe(100);
  });

  it('grow with what comes in the time of a block', () => {
    const chain = new Chain();
    expect(sealBytesOf(chain.pacing, CONFIG)).toBe(64 * KIB);
    for (let block = 0; block < 100; block += 1) {
      chain.pacing = withArrived(chain.pacing, 1_024 * KIB);
      chain.add(1_000, 100);
    }
    expect(sealBytesOf(chain.pacing, CONFIG) / KIB).toBeCloseTo(256, 0);
    for (let block = 0; block < 100; block += 1) chain.add(0, 100);
    expect(sealBytesOf(chain.pacing, CONFIG)).toBe(64 * KIB);
  });

  it('of a node under load are fewer and fuller than of one that starts', () => {
    const world = new World([1]);
    const node = world.node(0);
    const many = Array.from({ length: 6 }, (_, index) => `${index}${'x'.repeat(200)}`);
    world.submit(0, many);
    world.advance(50);
    const before = world.payload(0).length;
    node.state = { ...node.state, pacing: { ...node.state.pacing, arrivedPerBlock: 1e6 } };
    world.submit(
      0,
      many.map((text) => `${text}!`),
    );
    world.advance(50);
    expect([before, world.payload(0).length - before]).toEqual([3, 1]);
  });
});

describe('whatever leaders write into their blocks (BR-11)', () => {
  it('every number stays inside its bounds', () => {
    const block = fc.record({
      bytes: fc.nat(20_000 * KIB),
      took: fc.integer({ min: -10_000, max: 1e9 }),
      failed: fc.nat(3),
      arrived: fc.nat(1e9),
      roundTrip: fc.nat(60_000),
    });
    fc.assert(
      fc.property(fc.array(block, { maxLength: 60 }), (blocks) => {
        const chain = new Chain();
        for (const { bytes, took, failed, arrived, roundTrip } of blocks) {
          chain.pacing = withArrived(withRoundTrip(chain.pacing, millis(roundTrip)), arrived);
          chain.add(bytes, took, failed);
          const { pacing } = chain;
          expect(pacing.blockBytes).toBeGreaterThanOrEqual(CONFIG.batchBytesMax);
          expect(pacing.blockBytes).toBeLessThanOrEqual(CONFIG.blockBytesMax);
          expect(sealIntervalOf(pacing, CONFIG)).toBeGreaterThanOrEqual(CONFIG.sealInterval);
          expect(sealIntervalOf(pacing, CONFIG)).toBeLessThanOrEqual(CONFIG.sealIntervalMax);
          expect(sealBytesOf(pacing, CONFIG)).toBeGreaterThanOrEqual(CONFIG.sealBytes);
          expect(sealBytesOf(pacing, CONFIG)).toBeLessThanOrEqual(CONFIG.sealBytesMax);
        }
      }),
    );
  });
});
