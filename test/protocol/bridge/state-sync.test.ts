/** What is told of executed states, how often, and what follows from others'. BR-4. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BRIDGE_DEFAULTS } from '../../../src/protocol/bridge/config.ts';
import { STATES_MAX, type StateSyncMessage } from '../../../src/protocol/bridge/messages.ts';
import {
  calculateNextInterval,
  certifiedDivergence,
  divergenceFrom,
  type RecentStates,
  stateSyncOf,
  withExecuted,
  withStated,
} from '../../../src/protocol/bridge/state-sync.ts';
import { height, present } from '../consensus/fixture.ts';
import { committedAt, stateAfter } from './operations-of.ts';

/** States after 1 to `count`, others from `from` on. */
const statesTo = (count: number, from = Number.POSITIVE_INFINITY): RecentStates =>
  Array.from({ length: count }, (_, index) =>
    stateAfter(index + 1, index + 1 >= from ? 'otherwise' : 'as all'),
  ).reduce(withExecuted, []);
const messageOf = (states: RecentStates): StateSyncMessage => present(stateSyncOf(states), 'a message');

describe('calculateNextInterval (seed 004)', () => {
  it.each([
    [0, 60_000],
    [10, 60_000],
    [11, 10_000],
    [100, 10_000],
    [101, 1_000],
    [1_000_000, 1_000],
  ])('after activity %i is %i ms', (activity, interval) => {
    expect(calculateNextInterval(activity, BRIDGE_DEFAULTS)).toBe(interval);
  });
});

describe('what is told', () => {
  it('is nothing before the first block', () => {
    expect(stateSyncOf([])).toBeUndefined();
  });

  it('is the newest state and those before it, newest first, at most as many as a message holds', () => {
    const message = messageOf(statesTo(STATES_MAX + 40));
    expect(message.sequenceNumber).toBe(STATES_MAX + 40);
    expect(message.stateHash).toBe(stateAfter(STATES_MAX + 40).appHash);
    expect(message.partialState).toHaveLength(STATES_MAX);
    expect(message.partialState.map(({ height: at }) => at)).toEqual(
      Array.from({ length: STATES_MAX }, (_, index) => STATES_MAX + 39 - index),
    );
  });

  it('begins anew from a height that is executed again', () => {
    const again = withExecuted(statesTo(9), stateAfter(4, 'otherwise'));
    expect(again.map(({ height: at }) => at)).toEqual([4, 3, 2, 1]);
    expect(again[0]?.appHash).toBe(stateAfter(4, 'otherwise').appHash);
  });
});

describe('a divergence by a peer', () => {
  it('is none where both executed the same, or share no height', () => {
    expect(divergenceFrom(statesTo(5), 'x', messageOf(statesTo(9)))).toBeUndefined();
    const later = messageOf([stateAfter(50, 'otherwise')]);
    expect(divergenceFrom(statesTo(5), 'x', later)).toBeUndefined();
    expect(divergenceFrom([], 'x', later)).toBeUndefined();
  });

  it('names the lowest height that both know, both hashes, and who says so', () => {
    expect(divergenceFrom(statesTo(9), 'x', messageOf(statesTo(8, 6)))).toEqual({
      height: 6,
      ours: stateAfter(6).appHash,
      theirs: stateAfter(6, 'otherwise').appHash,
      by: 'x',
    });
  });

  it('is found at the first differing height, wherever each stands', () => {
    const counts = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(counts, counts, counts, (ours, theirs, from) => {
        const found = divergenceFrom(statesTo(ours), 'x', messageOf(statesTo(theirs, from)));
        expect(found?.height).toBe(from <= Math.min(ours, theirs) ? from : undefined);
      }),
      { numRuns: 100 },
    );
  });
});

describe('a divergence by a certificate', () => {
  it('is of the state that a committed header states, whichever came first', () => {
    const evidence = committedAt(7, stateAfter(5, 'otherwise'));
    const named = {
      height: height(5),
      ours: stateAfter(5).appHash,
      theirs: stateAfter(5, 'otherwise').appHash,
      by: 'the certificate of height 7',
      evidence,
    };
    expect(certifiedDivergence(statesTo(9), [evidence])).toEqual(named);
    expect(certifiedDivergence([stateAfter(5)], withStated([committedAt(6)], [evidence]))).toEqual(named);
  });

  it('is none where the states agree, or this node has not executed so far', () => {
    expect(certifiedDivergence(statesTo(9), [committedAt(7, stateAfter(5))])).toBeUndefined();
    expect(certifiedDivergence(statesTo(4), [committedAt(7, stateAfter(5, 'otherwise'))])).toBeUndefined();
  });

  it('remembers the newest stated states, and no more', () => {
    const blocks = Array.from({ length: STATES_MAX + 10 }, (_, index) => committedAt(index + 1));
    const stated = withStated([], blocks);
    expect([stated.length, stated.at(-1)?.block.header.height]).toEqual([STATES_MAX, STATES_MAX + 10]);
  });
});
