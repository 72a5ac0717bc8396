import { describe, expect, it } from 'vitest';
import type { Control, NodeCard } from '../../../src/observe/feed/feed.ts';
import type { Order } from '../../../visualize/src/feed/orders.ts';
import { delayOf, outcomeWords, sidesOf, wordsOf } from '../../../visualize/src/views/control/orders.ts';
import { afterLosing, remainingPower } from '../../../visualize/src/views/control/quorum.ts';
import { heard } from '../support/run.ts';

const nodes = (...powers: readonly string[]): readonly NodeCard[] =>
  heard(0, { nodes: powers.length }).hello.nodes.map((card, node) => ({
    ...card,
    power: powers[node] ?? '0',
  }));

describe('what is left of a quorum', () => {
  it('is counted in power, by integers', () => {
    expect(remainingPower(nodes('10', '10', '10', '10'), 3)).toEqual({
      power: 30n,
      quorum: 27n,
      isEnough: true,
    });
    expect(remainingPower(nodes('1', '1', '1'), 0)).toEqual({ power: 2n, quorum: 3n, isEnough: false });
    expect(remainingPower(nodes('9007199254740993', '1'), 1).power).toBe(9_007_199_254_740_993n);
  });

  it('does not count who is down, full nodes, or what is no number', () => {
    const cards = nodes('10', '10', '10', '0').map((card, node) => ({ ...card, isUp: node !== 1 }));
    expect(remainingPower(cards).isEnough).toBe(false);
    expect(remainingPower(nodes('10', 'much')).quorum).toBe(7n);
  });

  it('is said before a validator is taken away', () => {
    expect(afterLosing(nodes('1', '1', '1', '1'), 0)).toContain('The others go on');
    expect(afterLosing(nodes('1', '1', '1'), 0)).toContain('will stand still');
  });
});

describe('an order in words', () => {
  it('names who and what', () => {
    const cards = nodes('1', '1', '1');
    expect(wordsOf({ kind: 'kill', node: 1 }, cards)).toBe('kill bravo');
    expect(wordsOf({ kind: 'partition', groups: [[0, 2], [1]] }, cards)).toBe(
      'cut the network: alfa + charlie | bravo',
    );
    expect(wordsOf({ kind: 'partition', groups: [] }, cards)).toBe('heal all links');
    expect(wordsOf({ kind: 'delay', node: 0, ms: 0 }, cards)).toBe('no delay for alfa');
    expect(wordsOf({ kind: 'submit', node: 9, transaction: 'a=b' }, cards)).toBe('submit “a=b” to node 9');
  });

  it('has an outcome in few words, whatever the answer is', () => {
    const words = (isDone: boolean, answer: unknown): string => outcomeWords({ isDone, answer, tookMs: 12 });
    expect(words(true, null)).toBe('done after 12 ms');
    expect(words(true, { height: 7 })).toBe('done after 12 ms: {"height":7}');
    expect(words(false, new Error('it is down'))).toBe('refused after 12 ms: it is down');
    expect(words(true, 'x'.repeat(1_000)).length).toBeLessThan(330);
  });
});

describe('what was ordered', () => {
  const given = (control: Control, isDone = true): Order => ({
    ...{ id: 0, control },
    outcome: { isDone, answer: null, tookMs: 1 },
  });

  it('stays in force until it is ordered otherwise, whatever view is open', () => {
    const delay = given({ kind: 'delay', node: 1, ms: 500 });
    expect(delayOf([given({ kind: 'kill', node: 0 }), delay], 1)).toBe(500);
    expect(delayOf([delay], 0)).toBe(0);
    expect(delayOf([given({ kind: 'delay', node: 1, ms: 20 }, false), delay], 1)).toBe(500);
    expect(delayOf([given({ kind: 'start', node: 1 }), delay], 1)).toBe(0);
    const cut = given({ kind: 'partition', groups: [[0, 2], [1]] });
    expect([...sidesOf([cut])]).toEqual([
      [0, 0],
      [2, 0],
      [1, 1],
    ]);
    expect(sidesOf([given({ kind: 'partition', groups: [] }), cut]).size).toBe(0);
  });

  it('is told with what became of the transaction: taken, then committed', () => {
    const taken = { isDone: true, answer: { hash: 'ab12' }, tookMs: 29 };
    expect(outcomeWords(taken)).toBe('taken after 29 ms, not in a block yet; hash ab12');
    expect(outcomeWords({ ...taken, commit: { height: 1_234, code: 0, tookMs: 84 } })).toBe(
      'committed and executed at height 1\u202f234 after 84 ms',
    );
    expect(
      outcomeWords({ ...taken, commit: { height: 7, code: 3, log: 'not yours', tookMs: 84 } }),
    ).toContain('refused it: code 3, not yours');
  });
});
