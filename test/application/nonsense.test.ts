/**
 * An application in the node's own process that answers nonsense: each is told in words, nothing of it is stored, and the block is
 * executed once when the application has been mended. Written as its user does, with what `althing/application` has. Rules EX-5, EX-6, SY-10.
 */

import { describe, expect, it } from 'vitest';
import {
  type Application,
  appHashOf,
  type BlockResult,
  type CheckResult,
  checkResult,
  type ExecutedState,
  GENESIS_HEIGHT,
  type QueryResult,
  transactionResult,
} from '../../src/application/index.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { millis } from '../../src/base/units.ts';
import { found } from '../storage/fixtures.ts';
import { type Life, Lives } from './lives.ts';

/** What a program without types would give. */
const untyped = (value: unknown) => value as never;

/** Counts blocks, in memory. What is given here it answers instead. */
function counting(faults: Partial<Application> = {}): Application {
  let executed: ExecutedState = { height: GENESIS_HEIGHT, appHash: appHashOf() };
  return {
    info: () => ({ name: 'counting', version: '1', executed }),
    initChain: () => ({ appHash: executed.appHash }),
    checkTx: () => checkResult(),
    finalizeBlock({ height, transactions }) {
      executed = { height, appHash: appHashOf(`${height}`) };
      const results = transactions.map(() => transactionResult());
      return { results, events: [], validatorUpdates: [], appHash: executed.appHash };
    },
    query: (_path, key) => ({
      ...{ code: 0, log: '', codespace: '', key, value: key, height: executed.height },
    }),
    ...faults,
  };
}

const times = { retryMin: millis(100), retryMax: millis(100), queryMax: millis(200), checkMax: millis(200) };
const RIGHT: BlockResult = {
  ...{ results: [transactionResult()], events: [], validatorUpdates: [] },
  appHash: appHashOf('1'),
};

/** The failure that one wrong answer is told with; then the application is mended, and its block executed. */
function mended(faults: Partial<Application>, commits = true): { words: string; life: Life } {
  const lives = new Lives();
  let isBroken = true;
  const life = lives.begin(() => counting(isBroken ? faults : {}), times);
  if (commits) life.commit(lives.chain, lives.chain.add(['a']));
  expect(life.failures.map(({ code }) => code)).toEqual(['APPLICATION_FAILED']);
  expect(found(life.store.latest()).executed).toBe(0);
  isBroken = false;
  life.advance(100);
  if (!commits) life.commit(lives.chain, lives.chain.add(['a']));
  expect(life.executed.map(({ executed }) => executed.height)).toEqual([1]);
  expect(life.failures).toHaveLength(1);
  return { words: life.failures[0]?.detail ?? '', life };
}

const cycle: { attributes: unknown[] } = { attributes: [] };
cycle.attributes.push(cycle);
const withResult = (change: object) => ({ ...RIGHT, results: [{ ...transactionResult(), ...change }] });
const event = (attribute: unknown) => withResult({ events: [{ type: 'e', attributes: [attribute] }] });
const update = (change: object) => {
  const keys = { consensusKey: utf8('c'), nodeKey: utf8('n'), possessionProof: utf8('p') };
  return { ...RIGHT, validatorUpdates: [{ ...keys, power: 1n, ...change }] };
};
const hostile = { code: 0 };
Object.defineProperty(hostile, 'data', {
  enumerable: true,
  get: () => {
    throw new Error('not readable');
  },
});

describe('a block that is answered with nonsense (EX-5)', () => {
  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'an object is needed, not undefined'],
    ['a number', 7, 'an object is needed, not 7'],
    ['an empty object', {}, 'results: a list is needed, not undefined'],
    ['no results', { ...RIGHT, results: undefined }, 'results: a list is needed, not undefined'],
    [
      'results that count as a list',
      { ...RIGHT, results: { length: 1 } },
      'results: a list is needed, not an object',
    ],
    ['a hole', { ...RIGHT, results: new Array(1) }, 'results[0]: an object is needed, not undefined'],
    [
      'a code below 0',
      withResult({ code: -1 }),
      'results[0].code: -1 is not a whole number from 0 to 4294967295',
    ],
    ['a code of 33 bits', withResult({ code: 2 ** 32 }), 'results[0].code: 4294967296 is not a whole number'],
    ['a broken code', withResult({ code: 0.5 }), 'results[0].code: 0.5 is not a whole number'],
    ['no number', withResult({ code: Number.NaN }), 'results[0].code: NaN is not a whole number'],
    ['a code in letters', withResult({ code: '0' }), 'results[0].code: a number is needed, not "0"'],
    ['data in letters', withResult({ data: 'abc' }), 'results[0].data: a Uint8Array is needed, not "abc"'],
    ['data of numbers', withResult({ data: [1, 2] }), 'results[0].data: a Uint8Array is needed, not a list'],
    ['a log that is none', withResult({ log: null }), 'results[0].log: a text is needed, not null'],
    ['gas as a number', withResult({ gasUsed: 5 }), 'results[0].gasUsed: a bigint is needed, not 5'],
    [
      'gas beyond all',
      withResult({ gasWanted: 2n ** 64n }),
      'results[0].gasWanted: 18446744073709551616n is not from -2^63 to 2^64 - 1',
    ],
    [
      "the node's codespace",
      withResult({ code: 31, codespace: 'althing' }),
      'results[0].codespace: "althing" is the node\'s own: choose another name',
    ],
    ['no events', withResult({ events: undefined }), 'results[0].events: a list is needed, not undefined'],
    [
      'an event in a circle',
      withResult({ events: [cycle] }),
      'results[0].events[0].type: a text is needed, not undefined',
    ],
    [
      'attributes in a circle',
      withResult({ events: [{ type: 'e', ...cycle }] }),
      'results[0].events[0].attributes[0].key: a text is needed',
    ],
    [
      'an index that is no flag',
      event({ key: 'k', value: 'v', index: 1 }),
      'attributes[0].index: true or false is needed, not 1',
    ],
    ['events of the block', { ...RIGHT, events: [7] }, 'events[0]: an object is needed, not 7'],
    [
      'no updates',
      { ...RIGHT, validatorUpdates: undefined },
      'validatorUpdates: a list is needed, not undefined',
    ],
    ['a power below 0', update({ power: -1n }), 'validatorUpdates[0].power: -1n is not from 0 to 2^64 - 1'],
    [
      'a key in letters',
      update({ nodeKey: 'ab' }),
      'validatorUpdates[0].nodeKey: a Uint8Array is needed, not "ab"',
    ],
    ['no hash', { ...RIGHT, appHash: undefined }, 'appHash: undefined is not 64 lower-case hex letters'],
    ['a hash of 31 bytes', { ...RIGHT, appHash: 'ab'.repeat(31) }, 'appHash: "abababab'],
    ['a hash of 33 bytes', { ...RIGHT, appHash: 'ab'.repeat(33) }, 'appHash: "abababab'],
    ['a hash in capitals', { ...RIGHT, appHash: 'AB'.repeat(32) }, 'appHash: "ABABABAB'],
  ])('is told with the field and the value: %s', (_, answer, words) => {
    const told = mended({ finalizeBlock: () => untyped(answer) }).words;
    expect(told).toContain(`finalizeBlock of height 1 gave nonsense: `);
    expect(told).toContain(words);
    expect(told.length).toBeLessThan(400);
  });

  it('is the same when the answer comes later, or throws when it is read', async () => {
    const lives = new Lives();
    const life = lives.begin(() => counting({ finalizeBlock: async () => untyped({}) }), times);
    life.commit(lives.chain, lives.chain.add(['a']));
    await life.advanceAsync(1);
    expect(life.failures).toMatchObject([
      { detail: expect.stringContaining('finalizeBlock of height 1 gave nonsense: results: a list') },
    ]);
    const { words } = mended({ finalizeBlock: () => untyped({ ...RIGHT, results: [hostile] }) });
    expect(words).toBe('finalizeBlock of height 1 threw: not readable');
  });

  it.each([
    [0, 'gave 0 results'],
    [2, 'gave 2 results'],
  ])('is counted: %i results for one transaction', (count, words) => {
    const results = Array.from({ length: count }, () => transactionResult());
    expect(mended({ finalizeBlock: () => ({ ...RIGHT, results }) }).words).toContain(words);
  });

  it('is no larger than 128 MiB, and megabytes below it are stored whole', () => {
    const megabyte = 'm'.repeat(1_048_576);
    const attributes = (count: number) =>
      Array.from({ length: count }, () => ({ key: 'k', value: megabyte, index: false }));
    const large = (count: number) => () => ({
      ...RIGHT,
      results: [transactionResult({ events: [{ type: 'e', attributes: attributes(count) }] })],
    });
    expect(mended({ finalizeBlock: large(128) }).words).toMatch(
      /gave nonsense: results\[0\]\.events\[0\]\.attributes\[127\]: with it the answer has \d+ bytes, at most 134217728 may be/,
    );
    const lives = new Lives();
    const life = lives.begin(() => counting({ finalizeBlock: large(4) }));
    life.commit(lives.chain, lives.chain.add(['a']));
    expect(life.failures).toEqual([]);
    const stored = found(life.store.execution(life.executed[0]?.executed.height ?? GENESIS_HEIGHT));
    expect(stored?.transactions[0]?.result.events[0]?.attributes).toHaveLength(4);
  });

  it('is what it was when it was given: changed afterwards by the application, it is told and stored unchanged', () => {
    const data = Uint8Array.of(1, 2, 3);
    const results = [transactionResult({ data, events: [{ type: 'before', attributes: [] }] })];
    const lives = new Lives({ deviceMs: 5 });
    const life = lives.begin(() => counting({ finalizeBlock: () => ({ ...RIGHT, results }) }));
    life.advance(50);
    life.persistAndTell(lives.chain.batches.flat(), []);
    const block = lives.chain.add(['a']);
    life.persistAndTell(lives.chain.batches.flat(), [block]);
    data.fill(9);
    results.pop();
    life.advance(50);
    expect(life.executed[0]?.transactions[0]?.result).toMatchObject({ data: Uint8Array.of(1, 2, 3) });
    expect(found(life.store.execution(block.block.header.height))).toEqual(
      expect.objectContaining({ transactions: life.executed[0]?.transactions }),
    );
  });
});

describe('what cannot be said in words (EX-5)', () => {
  it.each<[string, () => never, string]>([
    [
      'an object without a text',
      () => {
        throw Object.create(null);
      },
      'threw: something that has no words',
    ],
    [
      'nothing',
      () => {
        throw undefined;
      },
      'threw: undefined',
    ],
    [
      'an error whose words throw',
      () => {
        throw Object.defineProperty(new Error(), 'message', {
          get: () => {
            throw new Error('no');
          },
        });
      },
      'threw: something that has no words',
    ],
    [
      'an error whose words are a number',
      () => {
        throw Object.assign(new Error(), { message: 7 });
      },
      'threw: 7',
    ],
    [
      'a book',
      () => {
        throw new Error('x'.repeat(10_000_000));
      },
      'threw: xxx',
    ],
  ])('is told all the same, in a few letters: it throws %s', (_, finalizeBlock, words) => {
    const told = mended({ finalizeBlock }).words;
    expect(told).toContain(`finalizeBlock of height 1 ${words}`);
    expect(told.length).toBeLessThan(5_000);
  });
});

describe('a start that is answered with nonsense (EX-5)', () => {
  const executed: ExecutedState = { height: GENESIS_HEIGHT, appHash: appHashOf() };
  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'an object is needed, not undefined'],
    ['no state', { name: 'x', version: '1' }, 'executed: an object is needed, not undefined'],
    [
      'a height below 0',
      { name: 'x', version: '1', executed: { ...executed, height: -1 } },
      'executed.height: -1 is not a whole number',
    ],
    [
      'a hash that is none',
      { name: 'x', version: '1', executed: { ...executed, appHash: 7 } },
      'executed.appHash: 7 is not 64 lower-case hex letters',
    ],
    ['a name that is none', { name: 7, version: '1', executed }, 'name: a text is needed, not 7'],
    [
      'a maybe',
      { name: 'x', version: '1', executed, runsAhead: 'yes' },
      'runsAhead: true or false is needed, not "yes"',
    ],
  ])('is told, and tried again: info gives %s', (_, answer, words) => {
    expect(mended({ info: () => untyped(answer) }, false).words).toContain(`info gave nonsense: ${words}`);
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'initChain gave nonsense: an object is needed, not undefined'],
    [
      'half a hash',
      { appHash: 'ab' },
      'initChain gave nonsense: appHash: "ab" is not 64 lower-case hex letters',
    ],
  ])('is told, and tried again: initChain gives %s', (_, answer, words) => {
    expect(mended({ initChain: () => untyped(answer) }, false).words).toContain(words);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['an object without methods', {}],
  ])('is told, and tried again: the opening gives %s', (_, opened) => {
    const lives = new Lives();
    let isBroken = true;
    const life = lives.begin(() => (isBroken ? untyped(opened) : counting()), times);
    expect(life.failures).toMatchObject([{ code: 'APPLICATION_FAILED' }]);
    isBroken = false;
    life.advance(100);
    life.commit(lives.chain, lives.chain.add(['a']));
    expect(life.executed).toHaveLength(1);
  });
});

const SENDER = { id: 'me', sequence: 1n, next: 0n, cost: 2n, funds: 3n };

describe('checks and queries that are answered with nonsense (EX-6)', () => {
  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'an object is needed, not undefined'],
    ['a code that is none', { ...checkResult(), code: '0' }, 'code: a number is needed, not "0"'],
    ['a priority that is none', { ...checkResult(), priority: 1 }, 'priority: a bigint is needed, not 1'],
    [
      "the node's codespace",
      checkResult({ code: 30, codespace: 'althing' }),
      'codespace: "althing" is the node\'s own: choose another name',
    ],
    ['a sender that is none', { ...checkResult(), sender: 'me' }, 'sender: an object is needed, not "me"'],
    [
      'a cost below 0',
      { ...checkResult(), sender: { ...SENDER, cost: -1n } },
      'sender.cost: -1n is not from 0 to 2^64 - 1',
    ],
    [
      'a number as sequence',
      { ...checkResult(), sender: { ...SENDER, sequence: 1 } },
      'sender.sequence: a bigint is needed, not 1',
    ],
    [
      'a sender of 129 bytes',
      { ...checkResult(), sender: { ...SENDER, id: `${'é'.repeat(64)}x` } },
      `sender.id: "${'é'.repeat(64)}x" has more than 128 bytes`,
    ],
    ['a book', checkResult({ log: 'x'.repeat(100_000) }), 'log: 100000 letters, at most 65536 may be'],
  ])('refuse that transaction and no other: %s', async (_, answer, words) => {
    for (const isLate of [false, true]) {
      const life = new Lives().begin(() =>
        counting({
          checkTx(transaction): CheckResult | Promise<CheckResult> {
            if (transaction[0] !== 98) return checkResult();
            return isLate ? Promise.resolve(untyped(answer)) : untyped(answer);
          },
        }),
      );
      life.check('a', 'b', 'c');
      await life.advanceAsync(1);
      expect(life.answers).toMatchObject([
        {
          type: 'check.answered',
          results: [{ code: 0 }, { code: 1, log: `checkTx gave nonsense: ${words}` }, { code: 0 }],
        },
      ]);
      expect(life.failures).toEqual([]);
    }
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'an object is needed, not undefined'],
    ['a value in letters', { value: 'x' }, 'value: a Uint8Array is needed, not "x"'],
    ['a height below 0', { height: -1 }, 'height: -1 is not a whole number'],
  ])('fail alone: a query gives %s', (_, change, words) => {
    const right: QueryResult = {
      ...{ code: 0, log: '', codespace: '', key: utf8('k'), value: utf8('v'), height: GENESIS_HEIGHT },
    };
    const answer = change === undefined ? undefined : Object.assign({}, right, change);
    const lives = new Lives();
    const life = lives.begin(() => counting({ query: () => untyped(answer) }));
    life.query('k');
    expect(life.answers).toMatchObject(
      [{ type: 'execution.failed', tag: 2, detail: `query of '' gave nonsense: ${words}` }].map((one) => ({
        ...one,
        detail: expect.stringContaining(one.detail),
      })),
    );
    life.commit(lives.chain, lives.chain.add(['a']));
    expect([life.failures, life.executed.length]).toEqual([[], 1]);
  });

  it('are refused at once while 1,024 of them hang, given up: what does not end takes no more memory', async () => {
    const life = new Lives().begin(() => counting({ checkTx: () => new Promise(() => undefined) }), times);
    for (let count = 0; count < 1_024; count += 1) life.check('x');
    await life.advanceAsync(200);
    expect(life.answers).toHaveLength(1_024);
    life.check('x');
    life.query('k');
    expect(life.answers.slice(1_024)).toMatchObject([
      {
        type: 'execution.failed',
        detail: expect.stringContaining('1024 calls that were given up have not ended'),
      },
      {
        type: 'execution.failed',
        detail: expect.stringContaining('1024 calls that were given up have not ended'),
      },
    ]);
  });
});
