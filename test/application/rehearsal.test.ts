import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Application,
  appHashOf,
  checkResult,
  type ExecutedState,
  GENESIS_HEIGHT,
  kv,
  rehearse,
  type StateOptions,
  stateApplication,
  transactionResult,
} from '../../src/application/index.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { counter, validator } from './state/counter.ts';

const folders: string[] = [];
const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'althing-rehearsal-'));
  folders.push(dir);
  return dir;
};
afterEach(() => {
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true });
});

const blocks = [['a=1', 'b=2'], [], ['a=3']].map((texts) => texts.map(utf8));

type Finalize = Application['finalizeBlock'];

function application(
  change: (answer: Awaited<ReturnType<Finalize>>) => Awaited<ReturnType<Finalize>>,
): Application {
  let executed: ExecutedState = { height: GENESIS_HEIGHT, appHash: appHashOf() };
  return {
    info: () => ({ name: 'x', version: '1', executed }),
    initChain: () => ({ appHash: executed.appHash }),
    checkTx: () => checkResult(),
    finalizeBlock({ height, transactions }) {
      executed = { height, appHash: appHashOf(String(height)) };
      const results = transactions.map(() => transactionResult());
      return change({ results, events: [], validatorUpdates: [], appHash: executed.appHash });
    },
    query: (_path, key) => ({ code: 0, log: '', codespace: '', key, value: key, height: executed.height }),
  };
}

describe('a rehearsal', () => {
  it('finds nothing to say of kv, and gives its results and hashes', async () => {
    const rehearsal = await rehearse({ fresh: () => kv(), reopen: () => kv(), blocks });
    expect(rehearsal.problems).toEqual([]);
    expect(rehearsal.results.map((results) => results.length)).toEqual([2, 0, 1]);
    expect(rehearsal.appHashes[1]).toBe(rehearsal.appHashes[0]);
  });

  it('finds an application that answers otherwise the second time', async () => {
    let count = 0;
    const next = () => {
      count += 1;
      return appHashOf(String(count));
    };
    const random = () => application((answer) => ({ ...answer, appHash: next() }));
    const { problems } = await rehearse({ fresh: random, blocks });
    expect(problems.some((problem) => problem.includes('a second fresh application answers otherwise'))).toBe(
      true,
    );
    expect(problems.some((problem) => problem.includes('info says height'))).toBe(true);
  });

  it('finds missing results, nonsense, and one that does not repeat its last block', async () => {
    const few = await rehearse({
      fresh: () => application((answer) => ({ ...answer, results: [] })),
      blocks,
    });
    expect(few.problems[0]).toBe('height 1: 0 results for 2 transactions');
    // What a program without types would give.
    const untyped = (value: unknown) => value as never;
    const nonsense = await rehearse({
      fresh: () => application((answer) => ({ ...answer, validatorUpdates: untyped(undefined) })),
      reopen: () => ({ ...kv(), info: () => untyped({}) }),
      blocks,
    });
    expect([...new Set(nonsense.problems)]).toEqual([
      'height 1: finalizeBlock gave nonsense: validatorUpdates: a list is needed, not undefined',
      'the application opened again: info gave nonsense: name: a text is needed, not undefined',
    ]);
    let last: Application | undefined;
    const kept = await rehearse({
      fresh: () => (last = application((answer) => answer)),
      reopen: () => ({
        ...(last ?? kv()),
        finalizeBlock: () => ({ results: [], events: [], validatorUpdates: [], appHash: appHashOf('x') }),
      }),
      blocks,
    });
    expect(kept.problems).toMatchObject([expect.stringContaining('opened again at height 3')]);
  });
});

describe('a rehearsal of applications made of rules', () => {
  const made: Record<string, { open: (options: StateOptions) => Application; blocks: readonly string[][] }> =
    {
      counter: {
        open: (options) => stateApplication(counter, options),
        blocks: [
          ['up a b', 'fail up a'],
          [],
          ['drop a', 'power 1 5', 'power 3 2'],
          ['up fleeting'],
          [],
          ['power 2 0', 'up a a'],
        ],
      },
      kv: {
        open: (options) => kv(options),
        blocks: [['a=1', 'b=2'], [], ['a=3', 'val:'], ['c'], ['a=1', 'd=4'], []],
      },
    };

  it.each(Object.keys(made))(
    'of %s finds nothing, opened again after a crash at each block',
    async (name) => {
      const { open, blocks } = made[name] ?? { open: () => kv(), blocks: [] };
      expect(blocks.length).toBeGreaterThan(5);
      for (const flushHeights of [1, 3]) {
        for (let crashed = 1; crashed <= blocks.length; crashed += 1) {
          let dir = '';
          const fresh = () => {
            dir = folder();
            return open({ dir, flushHeights });
          };
          const { problems } = await rehearse({
            fresh,
            reopen: () => open({ dir, flushHeights }),
            blocks: blocks.slice(0, crashed).map((texts) => texts.map(utf8)),
            genesis: { validators: [validator(1, 3n), validator(2, 2n)] },
          });
          expect(problems).toEqual([]);
        }
      }
    },
  );
});
