/** The kv application's file on a disk that refuses. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const STORE = join(import.meta.dirname, '../../../src/application/kv/store.ts');

it('tells why a flush failed, also where SQLite has rolled back by itself (RLIMIT_FSIZE)', () => {
  const dir = mkdtempSync(join(tmpdir(), 'althing-kv-limit-'));
  const script = `
    import { KvStore } from ${JSON.stringify(STORE)};
    const store = new KvStore(${JSON.stringify(dir)});
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
