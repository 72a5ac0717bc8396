/** What the stores of stopped validators say of the chain, height by height, read from copies. Boundary: disk. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { toHex } from '../../../src/base/bytes.ts';
import { homePaths } from '../../../src/node/config/home.ts';
import { DATABASE_FILE } from '../../../src/storage/open.ts';
import { blobOf, integerOf } from '../../../src/storage/rows.ts';

export interface ChainOnDisk {
  /** Ids of the committed blocks by height. */
  readonly blocks: ReadonlyMap<number, string>;
  /** The application's state after the block, by height. */
  readonly states: ReadonlyMap<number, string>;
}

export function readChain(home: string): ChainOnDisk {
  const { data } = homePaths(home);
  const copy = mkdtempSync(join(tmpdir(), 'althing-chain-'));
  try {
    for (const name of [DATABASE_FILE, `${DATABASE_FILE}-wal`]) {
      if (existsSync(join(data, name))) copyFileSync(join(data, name), join(copy, name));
    }
    const db = new DatabaseSync(join(copy, DATABASE_FILE));
    try {
      const column = (sql: string): ReadonlyMap<number, string> =>
        new Map(
          db
            .prepare(sql)
            .all()
            .map((row) => [integerOf(row, 'height'), toHex(blobOf(row, 'value'))] as const),
        );
      return {
        blocks: column('SELECT height, id AS value FROM committed_blocks'),
        states: column('SELECT height, app_hash AS value FROM executions'),
      };
    } finally {
      db.close();
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** One line for each height at which two of them differ; and what a gap leaves out. Pure. */
export function differencesOf(chains: readonly ChainOnDisk[]): readonly string[] {
  return (['blocks', 'states'] as const).flatMap((part) => {
    const first = new Map<number, { readonly value: string; readonly by: number }>();
    return chains.flatMap((chain, by) => {
      const found: string[] = [];
      for (const [height, value] of chain[part]) {
        const before = first.get(height);
        if (before === undefined) first.set(height, { value, by });
        else if (before.value !== value) {
          found.push(`${part} at height ${height}: validator ${before.by} ${before.value}, ${by} ${value}`);
        }
      }
      const heights = [...chain[part].keys()].filter((height) => height > 0);
      const top = Math.max(0, ...heights);
      if (heights.length !== top)
        found.push(`${part} of validator ${by}: ${heights.length} up to height ${top}`);
      return found;
    });
  });
}
