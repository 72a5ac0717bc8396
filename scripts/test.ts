/**
 * The whole test command: format and lint → types → arrows → dead code → tests by stage → examples.
 * `npm test` runs all; `npm test -- unit cluster` runs the named stages.
 * The last line printed is `N passed, N failed`; each check and each example counts as one.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Count {
  readonly passed: number;
  readonly failed: number;
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
  readonly success: boolean;
}

const scratch = mkdtempSync(join(tmpdir(), 'althing-test-'));

function command(program: string, ...words: readonly string[]): Count {
  const { status } = spawnSync(program, words, { stdio: 'inherit' });
  return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

function tests(stage: string): Count {
  const report = join(scratch, `${stage}.json`);
  const words = [
    'run',
    '--project',
    stage,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const { status } = spawnSync('vitest', words, { stdio: 'inherit' });
  try {
    const found = JSON.parse(readFileSync(report, 'utf8')) as VitestReport;
    const broken = found.numFailedTests === 0 && (!found.success || status !== 0) ? 1 : 0;
    return { passed: found.numPassedTests, failed: found.numFailedTests + broken };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

/** `althing/…` is then this clone, and not what is packed of it. */
const SOURCES = '--conditions=althing-source';

function examples(): Count {
  const files = readdirSync('examples').filter((file) => /^\d\d-.*\.ts$/.test(file));
  return files
    .map((file) => command('node', SOURCES, join('examples', file)))
    .reduce(add, { passed: 0, failed: 0 });
}

const add = (left: Count, right: Count): Count => ({
  passed: left.passed + right.passed,
  failed: left.failed + right.failed,
});

const stages: Readonly<Record<string, () => Count>> = {
  lint: () => command('biome', 'ci', '--error-on-warnings', '.'),
  types: () => add(command('tsc'), command('tsc', '--project', 'tsconfig.page.json')),
  arrows: () => command('node', 'scripts/arrows.ts'),
  'dead-code': () => command('knip'),
  unit: () => tests('unit'),
  simulation: () => tests('simulation'),
  cluster: () => tests('cluster'),
  chaos: () => tests('chaos'),
  page: () => tests('page'),
  package: () => tests('package'),
  examples,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in stages));
if (unknown.length > 0) {
  console.error(`no stage ${unknown.join(', ')}; there are ${Object.keys(stages).join(', ')}`);
  process.exit(2);
}
let total: Count = { passed: 0, failed: 0 };
for (const [name, run] of Object.entries(stages)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const started = performance.now();
  console.log(`\n── ${name}`);
  const count = run();
  total = add(total, count);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`── ${name}: ${count.passed} passed, ${count.failed} failed in ${seconds} s`);
}
rmSync(scratch, { recursive: true, force: true });
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;
