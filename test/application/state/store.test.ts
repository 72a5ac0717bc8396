/** The file of an application's state: on a disk that refuses, and what its rows of changes say. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { packed, StateStore, unpack } from '../../../src/application/state/store.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { parseHeight } from '../../../src/protocol/chain/parse.ts';
import type { ExecutedState } from '../../../src/protocol/chain/types.ts';

const STORE = join(import.meta.dirname, '../../../src/application/state/store.ts');

it('tells why a flush failed, also where SQLite has rolled back by itself (RLIMIT_FSIZE)', () => {
  const dir = mkdtempSync(join(tmpdir(), 'althing-state-limit-'));
  const script = `
    import { StateStore } from ${JSON.stringify(STORE)};
    const store = new StateStore({ name: 'kv', version: '3' }, ${JSON.stringify(dir)});
    const flush = (height, letters) => {
      const changed = new Map([['key', 'v'.repeat(letters)]]);
      const executed = { height, appHash: '00'.repeat(32) };
      try {
        store.flush({ executed, changed, all: changed, validators: [] });
        console.log('flushed');
      } catch (error) {
        console.log(error.message);
      }
    };
    flush(1, 5_000_000);
    flush(2, 10);`;
  const limited = spawnSync(
    'sh',
    ['-c', 'ulimit -f 3000; exec "$0" --input-type=module -e "$1"', process.execPath, script],
    { encoding: 'utf8' },
  );
  rmSync(dir, { recursive: true });
  expect(limited.stdout.trim().split('\n'), limited.stderr).toEqual(['disk I/O error', 'flushed']);
});

it('reads changes as they were written: what was set, and what was deleted', () => {
  const text = fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
  const changes = fc.array(fc.tuple(text, fc.option(text, { nil: undefined })), { maxLength: 40 });
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text)), changes, (before, made) => {
      const expected = new Map(before);
      for (const [key, value] of new Map(made)) {
        if (value === undefined) expected.delete(key);
        else expected.set(key, value);
      }
      // The newest first.
      const read = new Map<string, string | undefined>();
      const pairs = [made, before].map((changes) => unpack(packed(new Map(changes)), read));
      expect(new Map([...read].filter(([, value]) => value !== undefined))).toEqual(expected);
      expect(Number(pairs[0]) + Number(pairs[1])).toBe(expected.size);
    }),
  );
});

const RULES = { name: 'kv', version: '3' };
const digest = digestOf(new Uint8Array());
const executedAt = (number: number): ExecutedState => {
  const height = parseHeight(number);
  if (height === 'malformed') throw new Error(`${number} is no height`);
  return { height, appHash: digest };
};
const folder = (): string => mkdtempSync(join(tmpdir(), 'althing-state-log-'));
const logBytesOf = (dir: string): number => {
  const database = new DatabaseSync(join(dir, 'kv.db'));
  const row = database.prepare('SELECT coalesce(sum(length(pairs)), 0) AS bytes FROM log').get();
  database.close();
  return Number(row?.['bytes']);
};

it('has the state of the last flush wherever a life ends, while it writes all of it anew between them', () => {
  const key = fc.integer({ min: 0, max: 40 }).map((number) => `key${number}`);
  const value = fc.option(
    fc.integer({ min: 0, max: 30 }).map((length) => 'v'.repeat(length)),
    { nil: undefined },
  );
  const change = fc.tuple(key, value);
  const flush = fc.record({ changes: fc.array(change, { maxLength: 12 }), isLast: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(flush, { minLength: 20, maxLength: 60 }),
      fc.integer({ min: 64, max: 2_000 }),
      (flushes, foldBytes) => {
        const dir = folder();
        const state = new Map<string, string>();
        let store = new StateStore(RULES, dir, foldBytes);
        for (const [index, { changes, isLast }] of flushes.entries()) {
          const changed = new Map(changes);
          for (const [name, text] of changed) {
            if (text === undefined) state.delete(name);
            else state.set(name, text);
          }
          store.flush({ executed: executedAt(index + 1), changed, all: state, validators: [] });
          if (!isLast) continue;
          store.close();
          store = new StateStore(RULES, dir, foldBytes);
          expect(new Map(store.load()?.pairs)).toEqual(state);
        }
        store.close();
        rmSync(dir, { recursive: true });
      },
    ),
  );
});

it('no flush writes all of a large state, and the log stays within twice what it may be', () => {
  const dir = folder();
  const foldBytes = 64 * 1_024;
  const store = new StateStore(RULES, dir, foldBytes);
  const state = new Map<string, string>();
  for (let index = 0; index < 1_000; index += 1) state.set(`key${index}`, 'v'.repeat(250));
  const stateBytes = packed(state).byteLength;
  store.replace({ executed: executedAt(1), changed: new Map(), all: state, validators: [] });
  let [before, most, greatest, least] = [logBytesOf(dir), 0, 0, Number.POSITIVE_INFINITY];
  for (let height = 2; height < 2_000; height += 1) {
    const changed = new Map<string, string>();
    for (let index = 0; index < 20; index += 1)
      changed.set(`key${(height * 37 + index) % 1_000}`, `${height}`.padEnd(250, 'w'));
    for (const [key, text] of changed) state.set(key, text);
    store.flush({ executed: executedAt(height), changed, all: state, validators: [] });
    const bytes = logBytesOf(dir);
    most = Math.max(most, bytes - before);
    greatest = Math.max(greatest, bytes);
    if (height > 500) least = Math.min(least, bytes);
    before = bytes;
  }
  store.close();
  const again = new StateStore(RULES, dir, foldBytes);
  expect(new Map(again.load()?.pairs)).toEqual(state);
  again.close();
  rmSync(dir, { recursive: true });
  // What changed, and twice of it (or a pair more) of the rest.
  expect(most).toBeLessThan(4 * 20 * 270);
  expect(greatest).toBeLessThan(2 * 5 * stateBytes);
  expect(least).toBeLessThan(3 * stateBytes);
});

it('lives that end before all of the state is written anew leave no more behind, and the next goes on where they were', () => {
  const dir = folder();
  const foldBytes = 64 * 1_024;
  const state = new Map<string, string>();
  for (let index = 0; index < 1_000; index += 1) state.set(`key${index}`, 'v'.repeat(250));
  const stateBytes = packed(state).byteLength;
  let store = new StateStore(RULES, dir, foldBytes);
  store.replace({ executed: executedAt(1), changed: new Map(), all: state, validators: [] });
  let [height, greatest] = [1, 0];
  const live = (flushes: number, all: Iterable<readonly [string, string]>) => {
    for (let flush = 0; flush < flushes; flush += 1) {
      height += 1;
      const key = `key${(height * 37) % 1_000}`;
      const text = `${height}`.padEnd(250, 'w');
      state.set(key, text);
      if (all !== state && all instanceof Map) all.set(key, text);
      store.flush({ executed: executedAt(height), changed: new Map([[key, text]]), all, validators: [] });
    }
  };
  live(3_900, state);
  for (let life = 0; life < 200; life += 1) {
    store.close();
    store = new StateStore(RULES, dir, foldBytes);
    const pairs = new Map(store.load()?.pairs);
    expect(pairs).toEqual(state);
    // A fold takes some 200 of them.
    live(20, pairs);
    greatest = Math.max(greatest, logBytesOf(dir));
  }
  store.close();
  rmSync(dir, { recursive: true });
  expect(greatest).toBeLessThan(2 * 5 * stateBytes);
});

it('many small rows go as quickly as large ones come', () => {
  const dir = folder();
  const foldBytes = 64 * 1_024;
  const store = new StateStore(RULES, dir, foldBytes);
  const state = new Map<string, string>();
  let [height, greatest] = [0, 0];
  const live = (flushes: number, keys: number, letters: number) => {
    for (let flush = 0; flush < flushes; flush += 1) {
      height += 1;
      const changed = new Map<string, string>();
      for (let index = 0; index < keys; index += 1)
        changed.set(`key${index}`, `${height}`.padEnd(letters, 'w'));
      for (const [key, text] of changed) state.set(key, text);
      store.flush({ executed: executedAt(height), changed, all: state, validators: [] });
      greatest = Math.max(greatest, logBytesOf(dir));
    }
  };
  // A quiet chain comes to the least size that is folded, and is busy from then on.
  live(3_600, 1, 6);
  live(400, 20, 250);
  store.close();
  rmSync(dir, { recursive: true });
  expect(greatest).toBeLessThan(2 * foldBytes);
});

it('a flush that failed takes nothing with it: the next ones write what is needed', () => {
  const dir = folder();
  const store = new StateStore(RULES, dir, 64);
  const state = new Map([['a', 'x'.repeat(100)]]);
  const flush = (
    height: number,
    changed: Map<string, string>,
    all: Iterable<readonly [string, string]> = state,
  ) => store.flush({ executed: executedAt(height), changed, all, validators: [] });
  const failing = (function* () {
    yield ['a', 'x'.repeat(300)] as const;
    throw new Error('no more');
  })();
  flush(1, new Map(state), failing);
  // It reads on, for a fold that began with the first.
  expect(() => flush(2, new Map([['b', 'y'.repeat(100)]]))).toThrow('no more');
  state.set('c', 'z'.repeat(100));
  flush(3, new Map([['c', 'z'.repeat(100)]]));
  for (let height = 4; height < 20; height += 1) flush(height, new Map([['a', 'x'.repeat(100)]]));
  store.close();
  const again = new StateStore(RULES, dir, 64);
  expect(new Map(again.load()?.pairs)).toEqual(state);
  again.close();
  rmSync(dir, { recursive: true });
});

it('refuses a file that an older program wrote, with what to do', () => {
  const dir = folder();
  const database = new DatabaseSync(join(dir, 'kv.db'));
  database.exec(
    'PRAGMA user_version = 3; CREATE TABLE standing (id INTEGER); CREATE TABLE changes (height INTEGER)',
  );
  database.close();
  expect(() => new StateStore(RULES, dir)).toThrow(
    /has no log: an older program wrote this file\. Go on with that program, or remove/,
  );
  rmSync(dir, { recursive: true });
});
