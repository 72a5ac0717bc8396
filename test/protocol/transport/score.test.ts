import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { monotonic } from '../../../src/base/units.ts';
import { SEGMENT_FAULTS, SYNC_FAULTS } from '../../../src/protocol/sync/faults.ts';
import type { StateRefusal } from '../../../src/protocol/transport/refusal.ts';
import {
  BAN_AT,
  BAN_FORGOTTEN_AFTER_MS,
  BAN_MS_MAX,
  BAN_MS_MIN,
  banDuration,
  cleanScore,
  isBanned,
  type PeerScore,
  type Penalty,
  penalize,
  penaltyFor,
  penaltyForFrame,
  pointsAt,
  SCORE_HALF_LIFE_MS,
  UNLISTED,
} from '../../../src/protocol/transport/score.ts';

const grave: Penalty = { lane: 'consensus', weight: 50 };
const at = monotonic;

const charge = (score: PeerScore, penalty: Penalty, times: number, now: number): PeerScore => {
  let charged = score;
  for (let count = 0; count < times; count += 1) charged = penalize(charged, penalty, at(now)).score;
  return charged;
};

describe('what only validators may say, from a node that is none (TP-9)', () => {
  it('is forgiven who left the set a minute ago, and bans who goes on (CS-16)', () => {
    const penalty = penaltyFor('KIND_NOT_FOR_ROLE');
    expect(isBanned(charge(cleanScore(at(0)), penalty, 900, 0), 'consensus', at(0))).toBe(false);
    expect(isBanned(charge(cleanScore(at(0)), penalty, 1_001, 0), 'consensus', at(0))).toBe(true);
  });
});

describe('what sync blames for (SY-6)', () => {
  it.each(SYNC_FAULTS)('%s has a price of its own', (code) => {
    expect(penaltyFor(code)).not.toBe(UNLISTED);
  });

  it('costs the sync lane alone: who serves badly goes on to vote', () => {
    for (const code of SEGMENT_FAULTS) expect(penaltyFor(code)).toEqual({ lane: 'sync', weight: 50 });
    const { lane } = penaltyFor('SNAPSHOT_FALSE');
    expect([lane, penaltyFor('CLAIM_FALSE').lane]).toEqual(['sync', 'sync']);
  });
});

describe('state that does not hold (BR-5)', () => {
  it('costs the sync lane alone, and an engine that fails costs nobody', () => {
    for (const code of [
      'STATE_EMPTY',
      'STATE_TOO_LARGE',
      'STATE_COMPRESSED_NEEDLESSLY',
      'STATE_SEQUENCE_MISMATCH',
      'STATE_BLOCK_MALFORMED',
      'STATE_SIZE_MISMATCH',
      'STATE_CHECKSUM_MISMATCH',
    ] as const satisfies readonly StateRefusal['code'][]) {
      expect(penaltyFor(code)).toEqual({ lane: 'sync', weight: 50 });
    }
    expect(penaltyFor('STATE_NOT_DECOMPRESSED').weight).toBe(0);
  });
});

describe('score and ban (TP-6)', () => {
  it('bans at BAN_AT, and says so once', () => {
    const once = penalize(cleanScore(at(0)), grave, at(0));
    expect(once.banned).toBeUndefined();
    const twice = penalize(once.score, grave, at(0));
    expect(twice.banned).toBe('consensus');
    expect(penalize(twice.score, grave, at(1)).banned).toBeUndefined();
    expect(isBanned(twice.score, 'consensus', at(0))).toBe(true);
    expect(isBanned(twice.score, 'sync', at(0))).toBe(false);
  });

  it('forgets half of the points with each half-life', () => {
    const { score } = penalize(cleanScore(at(0)), grave, at(0));
    expect(pointsAt(score.consensus, at(SCORE_HALF_LIFE_MS))).toBeCloseTo(25);
    expect(pointsAt(score.consensus, at(10 * SCORE_HALF_LIFE_MS))).toBeLessThan(0.1);
  });

  it('never bans a peer for small faults that are far apart', () => {
    let score = cleanScore(at(0));
    for (let count = 0; count < 1_000; count += 1) {
      const charged = penalize(score, { lane: 'sync', weight: 10 }, at(count * 20_000));
      expect(charged.banned).toBeUndefined();
      score = charged.score;
    }
  });

  it('ends a ban after its time; each further one lasts twice as long, up to the longest', () => {
    let score = cleanScore(at(0));
    let now = 0;
    for (let n = 1; n <= 10; n += 1) {
      score = charge(score, grave, 2, now);
      const until = score.consensus.bannedUntil;
      expect(until - now).toBe(Math.min(BAN_MS_MAX, BAN_MS_MIN * 2 ** (n - 1)));
      expect(isBanned(score, 'consensus', at(until - 1))).toBe(true);
      expect(isBanned(score, 'consensus', until)).toBe(false);
      now = until;
    }
  });

  it('counts bans anew after long good behaviour', () => {
    const first = charge(cleanScore(at(0)), grave, 2, 0);
    const later = first.consensus.bannedUntil + BAN_FORGOTTEN_AFTER_MS;
    expect(charge(first, grave, 2, later).consensus.bannedUntil - later).toBe(BAN_MS_MIN);
  });

  it('never bans for what is our own fault or nobody’s', () => {
    for (const code of [
      'STORAGE_FAILED',
      'SIGNER_UNAVAILABLE',
      'WRONG_EPOCH',
      'ROUND_BELOW_WINDOW',
      'TREE_FULL',
    ]) {
      const charged = charge(cleanScore(at(0)), penaltyFor(code), 10_000, 0);
      expect(charged).toEqual(cleanScore(at(0)));
    }
  });

  it('keeps the score of one lane apart from the other', () => {
    const charged = charge(cleanScore(at(0)), penaltyFor('BLOCKS_NOT_GAPLESS'), 2, 0);
    expect(isBanned(charged, 'sync', at(0))).toBe(true);
    expect(charged.consensus).toEqual(cleanScore(at(0)).consensus);
  });

  it('charges a flood in the sync lanes to the sync score', () => {
    const refusal = { code: 'RATE_EXCEEDED', kind: 'GetBlocks' } as const;
    expect(penaltyForFrame(refusal, 'sync').lane).toBe('sync');
    expect(penaltyForFrame(refusal, 'consensus').lane).toBe('consensus');
  });

  it('gives a code that no row names a middling weight', () => {
    expect(penaltyFor('SOMETHING_NEW')).toEqual({ lane: 'consensus', weight: 10 });
  });

  it('keeps points within [0, BAN_AT] whatever happens', () => {
    const step = fc.tuple(
      fc.constantFrom('consensus', 'sync'),
      fc.nat({ max: 300 }),
      fc.nat({ max: 100_000 }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        let score = cleanScore(at(0));
        let now = 0;
        for (const [lane, weight, wait] of steps) {
          now += wait;
          score = penalize(score, { lane: lane as Penalty['lane'], weight }, at(now)).score;
          for (const { points } of [score.consensus, score.sync]) {
            expect(points).toBeGreaterThanOrEqual(0);
            expect(points).toBeLessThanOrEqual(BAN_AT);
          }
        }
      }),
    );
  });

  it('has a longest ban', () => {
    expect(banDuration(1_000)).toBe(BAN_MS_MAX);
  });
});
