import { describe, expect, it } from 'vitest';
import type { Question } from '../../../src/observe/feed/feed.ts';
import { type ChainReader, commitOf } from '../../../visualize/src/feed/commits.ts';

/** A chain that executes a block at each look; the transaction is in one of them. */
class Growing {
  readonly asked: number[] = [];
  readonly #at: number;
  readonly #code: number;
  #height = 10;

  constructor(at: number, code = 0) {
    this.#at = at;
    this.#code = code;
  }

  readonly reader: ChainReader = {
    executed: () => this.#height,
    pause: () => {
      this.#height += 1;
      return Promise.resolve();
    },
    ask: (question) => this.#ask(question),
  };

  #ask(question: Question): Promise<unknown> {
    const height = 'height' in question ? question.height : 0;
    this.asked.push(height);
    if (height === 12) return Promise.reject(new Error('not kept'));
    const own = [{ hash: 'aa', shown: 'name=ada', code: this.#code, log: 'said' }];
    return Promise.resolve({ header: { height }, transactions: height === this.#at ? own : [] });
  }
}

const SUBMIT = { kind: 'submit', node: 0, transaction: 'name=ada' } as const;

describe('a transaction that the page submitted', () => {
  it('is found in the block that has it, with what the application said; a block that cannot be had is passed', async () => {
    const chain = new Growing(14, 3);
    expect(await commitOf(SUBMIT, { hash: 'aa' }, 10, chain.reader)).toEqual({
      height: 14,
      code: 3,
      log: 'said',
    });
    expect(chain.asked).toEqual([11, 12, 13, 14]);
  });

  it('is given up after so many blocks', async () => {
    const chain = new Growing(1_000);
    expect(await commitOf(SUBMIT, { hash: 'aa' }, 10, chain.reader)).toBeUndefined();
    expect(chain.asked).toHaveLength(64);
    expect(await commitOf({ kind: 'kill', node: 0 }, null, 10, chain.reader)).toBeUndefined();
  });
});
