/** What a page believes that several nodes say. docs/dice.md, "What the page believes". */
import { describe, expect, it } from 'vitest';
import { believedOf, firstAgreed } from '../../../src/application/dice/agreement.ts';

const never = new Promise<undefined>(() => undefined);
const down = (): Promise<never> => Promise.reject(new Error('down'));

describe('nodes that say the same', () => {
  it('are more than those that lie, where a third of them does', () => {
    for (let known = 1; known <= 20; known += 1) {
      expect(believedOf(known)).toBeGreaterThan(Math.floor(known / 3));
      expect(believedOf(known)).toBeLessThanOrEqual(known - Math.floor((known - 1) / 3));
    }
    expect([1, 2, 3, 4, 7].map(believedOf)).toEqual([1, 1, 2, 2, 3]);
  });

  it('are believed as soon as there are enough, whoever is silent', async () => {
    const fact = { dice: 'closed' };
    expect(await firstAgreed([never, Promise.resolve(fact), Promise.resolve({ ...fact })], 2)).toEqual(fact);
  });

  it('are not believed while they are too few, however often another says something else', async () => {
    const words = ['a', 'b', 'c'].map((word) => Promise.resolve(word));
    expect(await firstAgreed([...words, down(), Promise.resolve(undefined)], 2)).toBeUndefined();
    expect(await firstAgreed([Promise.resolve(undefined), Promise.resolve(undefined)], 2)).toBeUndefined();
  });

  it('outvote a liar that answers first', async () => {
    const honest = new Promise<string>((resolve) => setTimeout(() => resolve('honest'), 5));
    expect(await firstAgreed([Promise.resolve('lie'), honest, honest, down()], 2)).toBe('honest');
  });

  it('are nobody where nobody is asked', async () => {
    expect(await firstAgreed([], 1)).toBeUndefined();
  });
});
