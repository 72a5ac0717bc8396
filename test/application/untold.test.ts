import { describe, expect, it } from 'vitest';
import { RUNS_PER_WAIT, UNTOLD_MAX, Untold } from '../../src/application/untold.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { wallTime } from '../../src/base/units.ts';
import { digestOf } from '../../src/protocol/chain/canonical.ts';
import type { BlockResults } from '../../src/protocol/ports/execution.ts';
import { address, child, height, round } from '../storage/fixtures.ts';

const outcome = (at: number): BlockResults => ({
  type: 'results.persisted',
  blockId: child(undefined).id,
  round: round(at),
  proposer: address(1),
  time: wallTime(at),
  executed: { height: height(at), appHash: digestOf(utf8(`${at}`)) },
  transactions: [],
  events: [],
  validatorUpdates: [],
});
const heightsOf = (blocks: readonly BlockResults[]) => blocks.map(({ executed }) => executed.height);
const filled = (count: number, max = UNTOLD_MAX): Untold => {
  const untold = new Untold(max);
  for (let at = 1; at <= count; at += 1) untold.add(outcome(at), 10, 100 + at);
  return untold;
};

describe('executed blocks that are not told yet (EX-1)', () => {
  it('are told up to the one that is durable, and no further', () => {
    const untold = filled(4);
    expect(heightsOf(untold.persisted(102))).toEqual([1, 2]);
    expect(heightsOf(untold.persisted(102))).toEqual([]);
    expect(heightsOf(untold.persisted(103))).toEqual([3]);
    expect(untold.isEmpty).toBe(false);
  });

  it('at their bound have no room until all of them are told', () => {
    const untold = filled(3, 3);
    expect(untold.hasRoom).toBe(false);
    untold.persisted(102);
    expect(untold.hasRoom).toBe(false);
    untold.persisted(103);
    expect(untold.hasRoom).toBe(true);
  });

  it('are bounded since all were told, however few are left at any time', () => {
    const untold = new Untold(3);
    untold.add(outcome(1), 10, 101);
    for (let at = 2; at <= 3 * RUNS_PER_WAIT; at += 1) {
      expect(untold.hasRoom).toBe(true);
      untold.add(outcome(at), 10, 100 + at);
      untold.persisted(100 + at - 1);
    }
    expect(untold.hasRoom).toBe(false);
    untold.persisted(100 + 3 * RUNS_PER_WAIT);
    expect(untold.hasRoom).toBe(true);
  });

  it('are bounded in bytes too', () => {
    const untold = new Untold(UNTOLD_MAX);
    untold.add(outcome(1), 16 * 1_048_576 - 1, 1);
    expect(untold.hasRoom).toBe(true);
    untold.add(outcome(2), 1, 2);
    expect(untold.hasRoom).toBe(false);
    untold.persisted(2);
    untold.add(outcome(3), 1, 3);
    expect(untold.hasRoom).toBe(true);
  });

  it('once lost, answers of the attempt before count for nothing; all are asked again in order', () => {
    const untold = filled(3);
    untold.persisted(101);
    untold.lose();
    expect(untold.hasRoom).toBe(false);
    expect([untold.isOutstanding(102), heightsOf(untold.persisted(102))]).toEqual([false, []]);
    const asked: number[] = [];
    untold.askAgain(({ executed }) => {
      asked.push(executed.height);
      return 200 + executed.height;
    });
    expect(asked).toEqual([2, 3]);
    expect([102, 103, 202, 203, 204].map((tag) => untold.isOutstanding(tag))).toEqual([
      false,
      false,
      true,
      true,
      false,
    ]);
    expect(heightsOf(untold.persisted(203))).toEqual([2, 3]);
  });
});
