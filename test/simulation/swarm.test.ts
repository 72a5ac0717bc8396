/** Many seeds, each with its own faults; a failing seed is printed, and replays to the bit. Rules SM-2, SM-4, SM-5. */
import { describe, expect, it } from 'vitest';
import { runSwarm } from '../../src/simulation/swarm.ts';

/** In continuous integration; `npm run swarm -- FROM TO` runs more. @unit seeds */
const SEEDS = 60;

describe('the swarm', () => {
  it(`finds no violation in seeds 1 to ${SEEDS} (SM-4, SM-5)`, () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      expect({ seed, violations: runSwarm({ seed }).violations }).toEqual({ seed, violations: [] });
    }
  });

  it('finds none in a fresh seed', () => {
    const seed = Math.floor(Date.now() / 1_000);
    console.log(`fresh seed ${seed}: npm run swarm -- ${seed} ${seed}`);
    expect({ seed, violations: runSwarm({ seed }).violations }).toEqual({ seed, violations: [] });
  });

  it('runs a seed twice to the same state, over the codec too (SM-1)', () => {
    for (const carry of ['reference', 'codec'] as const) {
      const once = runSwarm({ seed: 1_001, carry });
      const again = runSwarm({ seed: 1_001, carry });
      expect(again).toEqual(once);
    }
  });
});

/** Seeds that once failed; what they found is in docs/bugs-found.md. */
describe('regression', () => {
  it('a cluster whose restarted nodes know a commit but not its proof commits again (seed 115)', () => {
    expect(runSwarm({ seed: 115 }).violations).toEqual([]);
  });

  it('a node that committed blocks without their batches executes them after a restart (seed 528)', () => {
    expect(runSwarm({ seed: 528 }).violations).toEqual([]);
  });
});
