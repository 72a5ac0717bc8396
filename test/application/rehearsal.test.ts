import { describe, expect, it } from 'vitest';
import {
  type Application,
  appHashOf,
  checkResult,
  type ExecutedState,
  GENESIS_HEIGHT,
  kv,
  rehearse,
  transactionResult,
} from '../../src/application/index.ts';
import { utf8 } from '../../src/base/bytes.ts';

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

  it('finds missing results, and one that does not repeat its last block', async () => {
    const few = await rehearse({
      fresh: () => application((answer) => ({ ...answer, results: [] })),
      blocks,
    });
    expect(few.problems[0]).toBe('height 1: 0 results for 2 transactions');
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
