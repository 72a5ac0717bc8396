import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findInRun, RUN_ENTRIES, type Run, TransactionTail } from '../../src/storage/transaction-index.ts';
import { chain, committed, execution, folderDisk, found, height, transaction, write } from './fixtures.ts';

function runOf(tail: TransactionTail): Run & { reads: number } {
  const bytes = tail.encodeRun();
  const run = {
    count: tail.count,
    reads: 0,
    readPart(start: number, length: number) {
      run.reads += 1;
      return bytes.subarray(start, start + length);
    },
  };
  return run;
}

const prefixes = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.nat(3), fc.constant(2 ** 32 - 1)),
  { maxLength: 2_000 },
);

describe('the index of transactions', () => {
  it('finds the same places, newest first, in the tail and in its run, for any prefixes', () => {
    fc.assert(
      fc.property(prefixes, fc.nat(2 ** 32 - 1), (given, other) => {
        const tail = new TransactionTail();
        for (const [at, prefix] of given.entries()) tail.add(prefix, at, height(1_000_000 + at));
        const run = runOf(tail);
        for (const wanted of [...new Set(given).values()].slice(0, 20).concat(other, 0, 2 ** 32 - 1)) {
          const expected = given.flatMap((prefix, at) => (prefix === wanted ? [at] : [])).reverse();
          expect([...tail.find(wanted)].map(({ entry }) => entry)).toEqual(expected);
          expect([...findInRun(run, wanted)].map(({ entry }) => entry)).toEqual(expected);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('reads about one page of a run of uniform hashes', () => {
    const tail = new TransactionTail();
    let state = 1;
    const drawn: number[] = [];
    for (let at = 0; at < RUN_ENTRIES + 10; at += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      drawn.push(state);
      tail.add(state, at, height(1));
    }
    const run = runOf(tail);
    for (const prefix of drawn.slice(0, 1_000)) expect([...findInRun(run, prefix)]).toHaveLength(1);
    expect(run.reads / 1_000).toBeLessThan(3.5);
  });

  it('finds transactions in runs on disk, in the tail, and after a restart that follows a run', () => {
    const disk = folderDisk();
    try {
      let store = disk.open();
      const [first, second, third] = chain(3);
      if (first === undefined || second === undefined || third === undefined) throw new Error('three blocks');
      const many = Array.from({ length: RUN_ENTRIES }, (_, at) => `m${at}`);
      write(store, { kind: 'commit', blocks: [first, second, third].map(committed) });
      write(store, execution(first, ['early']));
      write(store, execution(second, many));
      const check = (): void => {
        for (const [name, index, at] of [
          ['early', 0, 1],
          ['m0', 0, 2],
          ['m65535', 65_535, 2],
          ['late', 0, 3],
        ] as const) {
          expect(found(store.transaction(transaction(name, index).hash))).toEqual({
            height: at,
            executed: transaction(name, index),
          });
        }
        expect(found(store.transaction(transaction('never', 0).hash))).toBeUndefined();
      };
      write(store, execution(third, ['late']));
      check();
      disk.crash();
      store = disk.open();
      check();
    } finally {
      disk.remove();
    }
  });

  it('still finds everything after a group that wrote a run was undone', () => {
    const disk = folderDisk({ databasePagesMax: 60 });
    try {
      const store = disk.open();
      const blocks = chain(400);
      const [first, second] = blocks;
      if (first === undefined || second === undefined) throw new Error('two blocks');
      write(store, { kind: 'commit', blocks: [committed(first), committed(second)] });
      write(store, execution(first, ['early']));
      const many = Array.from({ length: RUN_ENTRIES }, (_, at) => `m${at}`);
      const staged = store.stage([
        execution(second, many),
        { kind: 'commit', blocks: blocks.slice(2).map(committed) },
      ]);
      const result = staged.status === 'staged' ? store.sync() : staged;
      expect(result).toMatchObject({ status: 'failed', code: 'FULL' });
      expect(found(store.transaction(transaction('early', 0).hash))?.height).toBe(1);
      expect(found(store.transaction(transaction('m7', 7).hash))).toBeUndefined();
      write(store, execution(second, ['other']));
      expect(found(store.transaction(transaction('other', 0).hash))?.height).toBe(2);
    } finally {
      disk.remove();
    }
  });
});
