import { describe, expect, it } from 'vitest';
import { loadBlsEngine } from '../../../src/crypto/bls/select.ts';
import { previousRound } from '../../../src/protocol/chain/ordinals.ts';
import { commitReady } from '../../../src/protocol/consensus/commit-rule.ts';
import { world } from './fixture.ts';
import { type Rules, runModel, TRUE_RULES, type Weather, weatherOf } from './model.ts';

const place = world();
const calm: Weather = {
  seed: 1,
  steps: 400,
  loss: 0,
  repeat: 0,
  partition: 0,
  hide: 0,
  timeout: 0,
  crash: 0,
  twins: [],
};

/** The first seed that shows the breach, or undefined. */
function hunt(rules: Rules, seeds: number, twins: readonly number[] = []): number | undefined {
  for (let seed = 1; seed <= seeds; seed += 1) {
    if (runModel(place, weatherOf(seed, twins), rules).breach !== undefined) return seed;
  }
  return undefined;
}

describe('replicas made of the rules alone', () => {
  it('commit a block a round in calm weather, two rounds behind', () => {
    const { height, round, breach } = runModel(place, calm);
    expect(breach).toBeUndefined();
    expect(round).toBeGreaterThan(15);
    expect(round - height).toBeLessThanOrEqual(3);
  });

  it('commit alone, by the same rules (CS-18; pitfall: stack overflow at n=1)', () => {
    const { height } = runModel(world([1n]), { ...calm, steps: 4_000 });
    expect(height).toBeGreaterThan(1_000);
  });

  it('commit with real BLS12-381 signatures', async () => {
    const { engine } = await loadBlsEngine();
    const { height, breach } = runModel(world([1n, 1n, 1n, 1n], 'real', engine), { ...calm, steps: 120 });
    expect(breach).toBeUndefined();
    expect(height).toBeGreaterThan(2);
  });

  it.each([
    ['4 equal validators', [1n, 1n, 1n, 1n], []],
    ['4 equal validators, one of them twins', [1n, 1n, 1n, 1n], [1]],
    ['5 validators of different power', [5n, 1n, 2n, 3n, 2n], []],
    ['7 validators, two of them twins', [1n, 1n, 1n, 1n, 1n, 1n, 1n], [2, 5]],
  ])(
    'never commit two blocks at a height nor accuse the honest: %s',
    (_, powers, twins) => {
      const where = world(powers);
      let committed = 0;
      for (let seed = 1; seed <= 30; seed += 1) {
        const result = runModel(where, weatherOf(seed, twins));
        expect(result.breach, `seed ${seed}`).toBeUndefined();
        committed += result.height;
      }
      expect(committed).toBeGreaterThan(30);
    },
    60_000,
  );
});

describe('the same replicas under a mutant rule are caught', () => {
  it('commit without consecutive rounds', () => {
    const mutant: Rules = {
      ...TRUE_RULES,
      commitReady: (tree) => {
        const certificates = new Map(
          [...tree.certificates].map(([id, qc]) => [
            id,
            { ...qc, parentRound: previousRound(qc.round) ?? qc.parentRound },
          ]),
        );
        return commitReady({ ...tree, certificates });
      },
    };
    expect(hunt(mutant, 100)).toBeDefined();
  }, 60_000);

  it('quorum of one validator less', () => {
    const mutant: Rules = {
      ...TRUE_RULES,
      epoch: (epoch) => ({ ...epoch, set: { ...epoch.set, quorumPower: epoch.set.quorumPower - 1n } }),
    };
    expect(hunt(mutant, 100, [0])).toBeDefined();
  }, 60_000);

  it('a crash that forgets the safety record', () => {
    expect(hunt({ ...TRUE_RULES, recover: (_, fresh) => fresh }, 100)).toBeDefined();
  }, 60_000);
});
