/** `npm run fuzz` for a second a target, from the saved corpus on: a claim that a change has broken is mostly found at once. SM-11. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { TARGETS } from '../fuzz/targets/index.ts';

const main = join(import.meta.dirname, '../fuzz/main.ts');

function run(...flags: readonly string[]): readonly string[] {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, '--json', ...flags], {
    encoding: 'utf8',
  });
  expect(status, stderr + stdout).toBe(0);
  return stdout.trim().split('\n');
}

it('finds nothing in any target in a second each (SM-11)', () => {
  const lines = run('--seconds', '1', '--seed', '1', '--no-heap');
  const reports: { target: string; executions: number; findings: readonly object[] }[] = lines.map((line) =>
    JSON.parse(line),
  );
  expect(reports.map(({ target }) => target)).toEqual([...TARGETS.keys()]);
  for (const { target, executions, findings } of reports) {
    expect(findings, target).toEqual([]);
    expect(executions, target).toBeGreaterThan(10);
  }
});

it('finds no growth of memory in the decoder of frames (SM-11)', () => {
  run('--target', 'codec', '--seconds', '1', '--seed', '1');
});
