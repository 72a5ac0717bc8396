/** The file of an application's state: on a disk that refuses, and what its rows of changes say. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { packed, unpack } from '../../../src/application/state/store.ts';

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
      const read = new Map(before);
      expect(unpack(packed(new Map(made)), read)).toBeUndefined();
      expect(read).toEqual(expected);
    }),
  );
});
