/** Negative controls: Twins on a source with one rule broken must see two commits differ. Rule SM-8. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ONE_CHAIN } from '../../../src/simulation/checkers/agreement.ts';
import { VOTES_GROW } from '../../../src/simulation/checkers/statements.ts';
import type { Patch } from '../../../src/simulation/mutants/mutant.ts';
import { patchesText } from '../../../src/simulation/mutants/patches.ts';

const LOADER = new URL('../../../src/simulation/mutants/loader.ts', import.meta.url).href;
const HUNT = fileURLToPath(new URL('./hunt.ts', import.meta.url));

const HUNTED = z.object({ found: z.boolean(), scenarios: z.number(), unsafe: z.number() });

/** In a process of its own: the patched source never meets this one. */
function hunt(
  patches: readonly Patch[],
  seed: number,
  scenarios: number,
  claim = ONE_CHAIN,
): z.infer<typeof HUNTED> {
  const child = spawnSync(process.execPath, ['--import', LOADER, HUNT, `${seed}`, `${scenarios}`, claim], {
    env: { ...process.env, ALTHING_MUTANT: patchesText(patches) },
    encoding: 'utf8',
    timeout: 240_000,
  });
  expect(child.status, child.stderr).toBe(0);
  return HUNTED.parse(JSON.parse(child.stdout.trim().split('\n').at(-1) ?? ''));
}

describe('Twins', () => {
  it('finds the fork of the vulnerable commit rule: the parent of any certified block (CS-5)', () => {
    const patch: Patch = {
      file: 'src/protocol/consensus/commit-rule.ts',
      find: "if (qc.round !== qc.parentRound + 1 || qc.epoch !== root.epoch) return { status: 'nothing' };",
      replace: "if (qc.epoch !== root.epoch) return { status: 'nothing' };",
    };
    expect(hunt([patch], 5, 400)).toMatchObject({ found: true });
  });

  it('finds the fork of a quorum that is one too small', () => {
    const patch: Patch = {
      file: 'src/protocol/chain/validator-set.ts',
      find: '(totalPower * 2n) / 3n + 1n',
      replace: '(totalPower * 2n) / 3n',
    };
    expect(hunt([patch], 1, 50)).toMatchObject({ found: true });
  });

  it('finds the vote after a timeout where a round that was given up may still be voted in (CS-3, CS-6)', () => {
    const patch: Patch = {
      file: 'src/protocol/consensus/safety.ts',
      find: 'if (statement.round <= record.lastVotedRound) {',
      replace: 'if (statement.round < record.lastVotedRound) {',
    };
    expect(hunt([patch], 6, 300, VOTES_GROW)).toMatchObject({ found: true });
  });

  it('finds nothing in the true source', () => {
    expect(hunt([], 5, 80)).toMatchObject({ found: false, unsafe: 0, scenarios: 80 });
  });
});
