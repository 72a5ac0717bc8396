import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { parseHeight } from '../../../src/protocol/chain/parse.ts';
import type { ExecutedState, Height } from '../../../src/protocol/chain/types.ts';
import { applicationParts, DUPLICATE_RESULT, outcomes } from '../../../src/protocol/execution/outcome.ts';
import { startPlan } from '../../../src/protocol/execution/plan.ts';

const height = (value: number): Height => {
  const parsed = parseHeight(value);
  if (parsed === 'malformed') throw new Error('a test height is a height');
  return parsed;
};
const hash = (name: string) => digestOf(utf8(name));
const at = (value: number, name = `app ${value}`): ExecutedState => ({
  height: height(value),
  appHash: hash(name),
});
const plan = (application: number, stored: number, committed: number) =>
  startPlan({ application: at(application), stored: at(stored), committedHeight: height(committed) });

describe('where an executor goes on after a start (EX-4)', () => {
  it.each([
    ['a new chain', 0, 0, 0, { initialises: true, next: 1, from: 0 }],
    ['an application that lost everything', 0, 7, 9, { initialises: true, next: 1, from: 0 }],
    ['one that is behind the results', 3, 7, 9, { initialises: false, next: 4, from: 3 }],
    ['one that agrees with the results', 7, 7, 9, { initialises: false, next: 8, from: 7 }],
    ['one block ahead: its last block comes again', 8, 7, 9, { initialises: false, next: 8, from: 7 }],
  ])('%s', (_, application, stored, committed, expected) => {
    expect(plan(application, stored, committed)).toEqual({ status: 'ready', ...expected });
  });

  it('refuses an application two blocks ahead, or above the chain, and says what to do', () => {
    expect(plan(9, 7, 9)).toMatchObject({ status: 'impossible', detail: expect.stringContaining('replay') });
    expect(plan(8, 7, 7)).toMatchObject({ status: 'impossible' });
  });

  it('refuses an application whose hash is not the one that was stored', () => {
    const ruling = startPlan({ application: at(7, 'x'), stored: at(7, 'y'), committedHeight: height(7) });
    expect(ruling).toMatchObject({ status: 'impossible', detail: expect.stringContaining('deterministic') });
  });
});

describe('results of a block (EX-2)', () => {
  const transactions = ['a', 'b', 'a', 'c'].map(utf8);
  const ordered = {
    transactions,
    hashes: ['a', 'b', 'a', 'c'].map(hash),
    given: ['a', 'b', DUPLICATE_RESULT, 'c'].map((part) => (typeof part === 'string' ? utf8(part) : part)),
  };
  const result = (log: string) => ({ ...DUPLICATE_RESULT, code: 0, log });

  it('gives the application first appearances only, and every transaction a result in its place', () => {
    expect(applicationParts(ordered)).toEqual(['a', 'b', 'c'].map(utf8));
    const executed = outcomes(ordered, ['1', '2', '3'].map(result));
    expect(executed?.map(({ index, result: { code, log } }) => [index, code, log])).toEqual([
      [0, 0, '1'],
      [1, 0, '2'],
      [2, 30, DUPLICATE_RESULT.log],
      [3, 0, '3'],
    ]);
  });

  it('refuses results that are too few or too many', () => {
    expect(outcomes(ordered, ['1', '2'].map(result))).toBeUndefined();
    expect(outcomes(ordered, ['1', '2', '3', '4'].map(result))).toBeUndefined();
  });
});
