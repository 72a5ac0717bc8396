import { describe, expect, it } from 'vitest';
import { type ClientOptions, connect } from '../../src/client/index.ts';
import { checkedOptions } from '../../src/client/options.ts';

const endpoints = ['http://127.0.0.1:26657'];

describe('the options of a client', () => {
  it('have their defaults, also where one is undefined', () => {
    const unsaid: object = { pendingMax: undefined };
    expect(checkedOptions({ endpoints, ...unsaid })).toEqual({
      endpoints: ['http://127.0.0.1:26657/'],
      ...{ pendingMax: 10_000, whenFull: 'wait', whenRefused: 'retry', expiryHeights: 500 },
      ...{ callTimeoutMs: 10_000, resubmitAfterMs: 5_000, bodyBytesMax: 786_432, answerBytesMax: 33_554_432 },
    });
  });

  it.each([
    'pendingMax',
    'expiryHeights',
    'callTimeoutMs',
    'resubmitAfterMs',
    'bodyBytesMax',
    'answerBytesMax',
  ] as const)('%s is a whole number from 1 to 2^31 - 1', (name) => {
    for (const value of [1, 2 ** 31 - 1])
      expect(checkedOptions({ endpoints, [name]: value })[name]).toBe(value);
    for (const value of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '5', null]) {
      const shown = typeof value === 'string' ? '"5"' : String(value);
      expect(() => connect({ endpoints, [name]: value })).toThrow(
        new TypeError(`${name} ${shown}: give a whole number from 1 to 2147483647`),
      );
    }
  });

  it.each([
    [{ whenFull: 'drop' }, 'whenFull "drop": give "wait" or "reject"'],
    [{ whenRefused: 'wait' }, 'whenRefused "wait": give "retry" or "reject"'],
    [{ endpoint: endpoints }, 'endpoint is no option of a client: there are endpoints, pendingMax, '],
    [{ endpoints: undefined }, 'endpoints: name the URL of one node at least, in a list'],
    [{ endpoints: 'http://127.0.0.1:26657' }, 'endpoints: name the URL of one node at least, in a list'],
    [{ endpoints: [7] }, 'endpoint 7: give an http or https URL'],
  ])('%o is refused in words', (wrong, words) => {
    // As a program without types would call it.
    const options: object = { endpoints, ...wrong };
    expect(() => connect(options as ClientOptions)).toThrow(words);
  });
});
