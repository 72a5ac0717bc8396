/** BR-11: what batches and blocks carry follows the chain, inside bounds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { millis, wallTime } from '../../../src/base/units.ts';
import { BLOCK_TRANSACTIONS_MAX, batchDigestOf } from '../../../src/protocol/chain/batch.ts';
import { parseRound } from '../../../src/protocol/chain/parse.ts';
import type { BatchReference } from '../../../src/protocol/chain/types.ts';
import {
  BLOCK_SHARE_MIN,
  blockTimeTargetOf,
  type Pacing,
  type PacingConfig,
  roundTripOf,
  START_PACING,
  sealBytesOf,
  sealIntervalOf,
  shareOf,
  withArrived,
  withBlock,
  withRoundTrip,
} from '../../../src/protocol/mempool/pacing.ts';
import { height, World } from './world.ts';

const KIB = 1_024;
const MIB = 1_024 * KIB;
const CONFIG: PacingConfig = {
  sealInterval: millis(10),
  sealIntervalMax: millis(100),
  sealBytes: 64 * KIB,
  sealBytesMax: 512 * KIB,
  blockTimeTarget: millis(500),
  blockBytesMax: 8 * MIB,
  blockBatchesMax: 256,
};
const DIGEST = batchDigestOf(new Uint8Array(1));
const batch = (bytes: number, count = 1): BatchReference => ({
  digest: DIGEST,
  count,
  bytes: Math.ceil(bytes),
});

const round = (value: number) => {
  const parsed = parseRound(value);
  if (parsed === 'malformed') throw new Error(`${value} is no round`);
  return parsed;
};

/** Blocks one after the other. */
class Chain {
  pacing: Pacing = START_PACING;
  height = 0;
  #round = 0;
  #time = 1_000_000;

  add(batches: readonly BatchReference[], took: number, failed = 0): void {
    this.height += 1;
    this.#round += 1 + failed;
    this.#time += took;
    const place = { height: height(this.height), round: round(this.#round), time: wallTime(this.#time) };
    this.pacing = withBlock(this.pacing, { ...place, batches }, CONFIG);
  }

  get share(): number {
    return this.pacing.size.share;
  }
}

interface Plant {
  /** What a block takes that follows one of `mib`. @unit ms */
  readonly took: (mib: number, at: number) => number;
  /** How far ahead of the others' the clock of a block's leader is. @unit ms */
  readonly ahead?: (at: number) => number;
  readonly fill?: (share: number) => readonly BatchReference[];
  readonly blocks?: number;
}

/** Leaders that always have enough. They learn of a block when three more were proposed. */
function saturated(chain: Chain, { took, ahead = () => 0, fill, blocks = 3_000 }: Plant, isAdaptive = true) {
  const learnt = [chain.share, chain.share, chain.share];
  const times: number[] = [];
  let [real, shown, before, bytes] = [0, 0, 0, 0];
  for (let at = 1; at <= blocks; at += 1) {
    const share = isAdaptive ? (learnt.at(-3) ?? 1) : 1;
    const time = before === 0 ? 0 : took(before, at);
    real += time;
    const header = Math.max(shown + 1, Math.floor(real + ahead(at)));
    const batches = fill?.(share) ?? [batch(8 * MIB * share)];
    chain.add(batches, header - shown);
    shown = header;
    before = batches.reduce((sum, one) => sum + one.bytes, 0) / MIB;
    learnt.push(chain.share);
    if (at <= blocks / 4) continue;
    bytes += before;
    times.push(time);
  }
  const whole = times.reduce((sum, time) => sum + time, 0);
  return { mean: whole / times.length, greatest: Math.max(...times), throughput: bytes / whole };
}

/** The same numbers in each run. */
function drawing(): () => number {
  let state = 7;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
const noise = (draw: () => number, sigma: number): number =>
  Math.exp(sigma * Math.sqrt(-2 * Math.log(draw() + 1e-12)) * Math.cos(2 * Math.PI * draw()));

/** Throughput against that of blocks that are always as large as the genesis allows. */
function against(plant: () => Plant): number {
  return saturated(new Chain(), plant()).throughput / saturated(new Chain(), plant(), false).throughput;
}

const quick = (mib: number): number => 60 + 10 * mib;

describe('the size of a block (BR-11)', () => {
  it('begins small, and is what the genesis allows a few windows later, while blocks are quick', () => {
    const chain = new Chain();
    expect(chain.share).toBe(1 / 8);
    saturated(chain, { took: quick, blocks: 45 });
    expect(chain.share).toBe(1);
  });

  it.each([100, 150, 400])('keeps full blocks around their target at %i ms a MiB', (perMib) => {
    const slow = saturated(new Chain(), { took: (mib) => 50 + perMib * mib });
    expect(slow.mean).toBeGreaterThan(0.7 * CONFIG.blockTimeTarget);
    expect(slow.mean).toBeLessThan(1.1 * CONFIG.blockTimeTarget);
    expect(slow.greatest).toBeLessThan(1.4 * CONFIG.blockTimeTarget);
  });

  it('comes back when the network does', () => {
    const chain = new Chain();
    saturated(chain, { took: (mib) => 50 + 400 * mib });
    expect(chain.share).toBeLessThan(0.2);
    saturated(chain, { took: quick, blocks: 300 });
    expect(chain.share).toBe(1);
  });

  it('follows their number where transactions are small', () => {
    const fill = (share: number) => [
      batch(260 * BLOCK_TRANSACTIONS_MAX * share, BLOCK_TRANSACTIONS_MAX * share),
    ];
    const chain = new Chain();
    const { mean } = saturated(chain, { took: (mib) => 50 + 1_000 * mib, fill });
    expect(mean).toBeGreaterThan(0.7 * CONFIG.blockTimeTarget);
    expect(mean).toBeLessThan(1.1 * CONFIG.blockTimeTarget);
  });

  it.each<[string, number, () => Plant]>([
    ['one slow leader of four', 0.97, () => ({ took: (mib, at) => (at % 4 === 0 ? 600 : quick(mib)) })],
    [
      'two slow ones of seven',
      0.97,
      () => ({ took: (mib, at) => (at % 7 === 0 || at % 7 === 4 ? 600 : quick(mib)) }),
    ],
    [
      'a leader of four whose clock is ahead by all that is accepted',
      0.97,
      () => ({ took: quick, ahead: (at) => (at % 4 === 0 ? 504 : 0) }),
    ],
    [
      'a leader that delays and lies in one of its two turns',
      0.97,
      () => ({
        took: (mib, at) => (at % 8 === 0 ? 700 : quick(mib)),
        ahead: (at) => (at % 8 === 0 ? 504 : 0),
      }),
    ],
    [
      'a machine that stalls in each fifth block',
      0.95,
      () => {
        const draw = drawing();
        return { took: (mib) => quick(mib) + (draw() < 0.2 ? 400 + 800 * draw() : 0) };
      },
    ],
    [
      'times that vary by half, around 450 ms',
      0.9,
      () => {
        const draw = drawing();
        return { took: (mib) => (250 + 25 * mib) * noise(draw, 0.5) };
      },
    ],
    ['rounds that take long whatever they carry', 0.85, () => ({ took: (mib) => 520 + 25 * mib })],
  ])('costs little throughput at %s (at least %f)', (_, least, plant) => {
    expect(against(plant)).toBeGreaterThan(least);
  });

  it.each([
    ['small blocks, whatever takes so long', [batch(100)], 0],
    ['a failed round, whose timeout was waited for', [batch(8 * MIB)], 1],
    ['empty blocks, which wait for work', [], 0],
  ])('says nothing of %s', (_, batches, failed) => {
    const chain = new Chain();
    for (let block = 0; block < 40; block += 1) chain.add(batches, 5_000, failed);
    expect(chain.pacing.size).toEqual(START_PACING.size);
  });

  it('does not shrink for a distance that no size makes shorter', () => {
    const chain = new Chain();
    chain.pacing = withRoundTrip(withRoundTrip(chain.pacing, millis(300)), millis(900));
    // The least: a busy machine answers late.
    expect([roundTripOf(chain.pacing), blockTimeTargetOf(chain.pacing, CONFIG)]).toEqual([300, 1_200]);
    saturated(chain, { took: () => 900, blocks: 60 });
    expect(chain.share).toBe(1);
  });

  it('forgets how far a quorum was, and how near, after thirty polls', () => {
    let { pacing } = new Chain();
    expect(roundTripOf(pacing)).toBeUndefined();
    for (const ms of [20, ...Array.from({ length: 30 }, () => 80)])
      pacing = withRoundTrip(pacing, millis(ms));
    expect([roundTripOf(pacing), pacing.roundTrips.length]).toEqual([80, 30]);
  });
});

describe('what a leader names (BR-11)', () => {
  const half: Pacing = { ...START_PACING, size: { ...START_PACING.size, share: 0.5 } };

  it('ends with the batch that reaches its share, by bytes, transactions or batches', () => {
    const bytes = Array.from({ length: 8 }, () => batch(MIB));
    expect(shareOf(bytes, half, CONFIG)).toHaveLength(4);
    const transactions = Array.from({ length: 8 }, () => batch(KIB, BLOCK_TRANSACTIONS_MAX / 8));
    expect(shareOf(transactions, half, CONFIG)).toHaveLength(4);
    expect(
      shareOf(
        Array.from({ length: 256 }, () => batch(1)),
        half,
        CONFIG,
      ),
    ).toHaveLength(128);
    expect(shareOf([], half, CONFIG)).toEqual([]);
  });

  it('has room for one batch however small the share is, and after small ones for a great one', () => {
    const least: Pacing = { ...START_PACING, size: { ...START_PACING.size, share: BLOCK_SHARE_MIN } };
    expect(shareOf([batch(8 * MIB), batch(1)], least, CONFIG)).toHaveLength(1);
    expect(shareOf([batch(100), batch(8 * MIB), batch(1)], least, CONFIG)).toHaveLength(2);
  });

  it('is what the mempool answers', () => {
    const world = new World([1]);
    const node = world.node(0);
    for (let turn = 0; turn < 6; turn += 1) {
      world.submit(0, [`${turn}`.padEnd(200, 'x')]);
      world.advance(15);
    }
    expect(world.payload(0)).toHaveLength(6);
    node.state = {
      ...node.state,
      config: { ...node.state.config, blockBatchesMax: 6 },
      pacing: half,
    };
    expect(world.payload(0)).toHaveLength(3);
  });
});

describe('batches (BR-11)', () => {
  it('are sealed four times in the time of a block', () => {
    const chain = new Chain();
    const run = (took: number): number => {
      for (let block = 0; block < 100; block += 1) chain.add([batch(1_000)], took);
      return sealIntervalOf(chain.pacing, CONFIG);
    };
    expect(sealIntervalOf(chain.pacing, CONFIG)).toBe(10);
    expect(run(240)).toBeCloseTo(60, 0);
    expect(run(8)).toBe(10);
    expect(run(3_000)).toBe(100);
  });

  it('grow with what comes in the time of a block, as far as blocks are large', () => {
    const chain = new Chain();
    const run = (bytes: number): number => {
      for (let block = 0; block < 100; block += 1) {
        chain.pacing = withArrived(chain.pacing, bytes);
        chain.add([], 100);
      }
      return sealBytesOf(chain.pacing, CONFIG) / KIB;
    };
    expect(sealBytesOf(chain.pacing, CONFIG)).toBe(64 * KIB);
    expect(run(512 * KIB)).toBeCloseTo(128, 0);
    expect(run(4 * MIB)).toBe(256);
    chain.pacing = { ...chain.pacing, size: { ...chain.pacing.size, share: 1 } };
    expect(run(4 * MIB)).toBe(512);
    expect(run(0)).toBe(64);
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
      bytes: fc.nat(20 * MIB),
      count: fc.nat(BLOCK_TRANSACTIONS_MAX),
      took: fc.integer({ min: -10_000, max: 1e9 }),
      failed: fc.integer({ min: -8, max: 3 }),
      arrived: fc.nat(1e9),
      roundTrip: fc.nat(60_000),
    });
    fc.assert(
      fc.property(fc.array(block, { maxLength: 120 }), (blocks) => {
        const chain = new Chain();
        for (const { bytes, count, took, failed, arrived, roundTrip } of blocks) {
          chain.pacing = withArrived(withRoundTrip(chain.pacing, millis(roundTrip)), arrived);
          chain.add([batch(bytes, count)], took, Math.max(0, failed));
          const { pacing } = chain;
          expect(pacing.size.share).toBeGreaterThanOrEqual(BLOCK_SHARE_MIN);
          expect(pacing.size.share).toBeLessThanOrEqual(1);
          expect(pacing.size.took.length).toBeLessThan(9);
          expect(pacing.blockTime ?? 0).toBeLessThanOrEqual(30_000);
          expect(pacing.blockTime ?? 0).toBeGreaterThanOrEqual(0);
          expect(sealIntervalOf(pacing, CONFIG)).toBeGreaterThanOrEqual(CONFIG.sealInterval);
          expect(sealIntervalOf(pacing, CONFIG)).toBeLessThanOrEqual(CONFIG.sealIntervalMax);
          expect(sealBytesOf(pacing, CONFIG)).toBeGreaterThanOrEqual(CONFIG.sealBytes);
          expect(sealBytesOf(pacing, CONFIG)).toBeLessThanOrEqual(CONFIG.sealBytesMax);
        }
      }),
    );
  });
});
