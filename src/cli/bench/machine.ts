/** Where and on what a figure was measured. Boundary: the operating system, git. */
import { spawnSync } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { VERSION } from '../../node/version.ts';
import { type LatencySummary, summarise } from './statistics.ts';

export interface Circumstances {
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  readonly version: string;
  readonly cpus: number;
  readonly cpu_model: string;
  readonly memory_bytes: number;
  /** Of 1, 5 and 15 minutes, before the first run: how busy others keep the machine. */
  readonly load_average: readonly number[];
  /** One durable write of 4 KiB by a single writer, where the validators' homes will be. @unit ms */
  readonly durable_write_ms: LatencySummary | undefined;
}

/** @unit writes @source a 99th percentile */
const WRITES = 200;
/** @unit bytes */
const WRITE_BYTES = 4_096;

/** `directory`: where the homes will be. */
export function circumstances(directory: string): Circumstances {
  const [first] = cpus();
  return {
    date: new Date().toISOString(),
    commit: commit(),
    node: process.version,
    version: VERSION,
    cpus: cpus().length,
    cpu_model: first?.model.trim() ?? 'unknown',
    memory_bytes: totalmem(),
    load_average: loadavg().map((load) => Math.round(load * 100) / 100),
    durable_write_ms: summarise(durableWrites(directory)),
  };
}

function durableWrites(directory: string): readonly number[] {
  const folder = mkdtempSync(join(directory, 'althing-bench-'));
  const file = openSync(join(folder, 'writes'), 'w');
  const bytes = Buffer.alloc(WRITE_BYTES, 1);
  const took = Array.from({ length: WRITES }, (_, index) => {
    writeSync(file, bytes, 0, WRITE_BYTES, index * WRITE_BYTES);
    const startedAt = performance.now();
    fdatasyncSync(file);
    return performance.now() - startedAt;
  });
  closeSync(file);
  rmSync(folder, { recursive: true });
  return took;
}

/** The checked-out commit, with `+changes` when the working tree differs from it; `unknown` outside a repository. */
function commit(): string {
  const cwd = import.meta.dirname;
  const head = spawnSync('git', ['rev-parse', '--short=12', 'HEAD'], { cwd, encoding: 'utf8' });
  if (head.status !== 0) return 'unknown';
  const changes = spawnSync('git', ['status', '--porcelain'], { cwd, encoding: 'utf8' });
  return head.stdout.trim() + (changes.stdout === '' ? '' : '+changes');
}
