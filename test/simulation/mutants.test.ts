/**
 * Negative controls: the checkers see a broken rule. A few of the mutants here, each in a process of its own; all of them
 * by `npm run mutants`. Rule SM-8.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hunt, playTrial } from '../../src/simulation/mutants/hunt.ts';
import { MUTANTS } from '../../src/simulation/mutants/list.ts';
import type { Patch } from '../../src/simulation/mutants/mutant.ts';

/** One of each kind of rule, the quick ones. */
const SAMPLE = [
  'commits-without-consecutive-rounds',
  'vote-leaves-before-its-record',
  'tc-over-the-round-only',
  'leader-not-checked',
  'duplicates-executed',
  'tc-moves-no-round',
  'nobody-trimmed',
  'first-server-believed',
  'proposes-without-time',
];
const SEEDS = 3;

describe('the mutants of the rules (SM-8)', () => {
  it('are at least 30, each with a name of its own, and fit the present source', () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(30);
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    const patches = MUTANTS.flatMap(({ name, patches, setting = [] }) =>
      [...patches, ...setting].map((patch): Patch & { readonly name: string } => ({ name, ...patch })),
    );
    const misfits = patches.filter(
      ({ file, find }) => readFileSync(file, 'utf8').split(find).length - 1 !== 1,
    );
    expect(misfits.map(({ name, find }) => `${name}: ${find}`)).toEqual([]);
  });

  it.each(SAMPLE)('%s is caught', async (name) => {
    const mutant = MUTANTS.find((one) => one.name === name);
    if (mutant === undefined) throw new Error(`no mutant ${name}`);
    expect(await hunt(mutant, SEEDS)).toMatchObject({ status: 'caught' });
  });

  it('the true source survives the same trial', async () => {
    expect(await playTrial('usurper', [], 1)).toMatchObject({ status: 'survived' });
  });

  it('a patch whose text is not there once is no catch, but a failure', async () => {
    const patch = { file: 'src/protocol/consensus/entry.ts', find: 'return', replace: 'return' };
    expect(await playTrial('swarm', [patch], 1)).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('times, not once'),
    });
    const elsewhere = { file: 'src/protocol/consensus/nowhere.ts', find: 'x', replace: 'y' };
    expect(await playTrial('swarm', [elsewhere], 1)).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('never loaded'),
    });
  });
});
