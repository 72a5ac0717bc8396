/**
 * The whole test command: format and lint → types → arrows → dead code → tests by stage → examples.
 * `npm test` runs all; `npm test -- unit cluster` runs the named stages.
 * The last line printed is `N passed, N failed`; each check and each example counts as one.
 * What failed is named above it, the whole of each in its stage's output.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

interface Count {
  readonly passed: number;
  /** A line for each, for the end of the output, where whoever reads only that finds them. */
  readonly failures: readonly string[];
}

/** What `--reporter=json` of vitest writes, as far as it is used here. */
interface VitestReport {
  readonly numPassedTests: number;
  readonly success: boolean;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

const scratch = mkdtempSync(join(tmpdir(), 'althing-test-'));

function command(program: string, ...words: readonly string[]): Count {
  const { status } = spawnSync(program, words, { stdio: 'inherit' });
  return status === 0
    ? { passed: 1, failures: [] }
    : { passed: 0, failures: [[program, ...words].join(' ')] };
}

function failuresOf(report: VitestReport): readonly string[] {
  return report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(process.cwd(), name);
    const tests = assertionResults
      .filter((one) => one.status === 'failed')
      .map((one) => `${file} > ${one.fullName}: ${firstLines(one.failureMessages?.[0] ?? '')}`);
    return tests.length === 0 && status === 'failed' ? [`${file}: ${firstLines(message)}`] : tests;
  });
}

const firstLines = (text: string): string => text.split('\n').slice(0, 4).join('\n    ');

/** `words`: files, or options of vitest. */
function tests(stage: string, ...words: readonly string[]): Count {
  const report = join(scratch, `${stage}.json`);
  const flags = [
    'run',
    ...words,
    '--project',
    stage,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const { status } = spawnSync('vitest', flags, { stdio: 'inherit' });
  try {
    const found = JSON.parse(readFileSync(report, 'utf8')) as VitestReport;
    const failures = failuresOf(found);
    const broken = failures.length === 0 && (!found.success || status !== 0);
    return {
      passed: found.numPassedTests,
      failures: broken ? [`vitest, stage ${stage}: status ${status}`] : failures,
    };
  } catch {
    return { passed: 0, failures: [`vitest, stage ${stage}: no report`] };
  }
}

/** `althing/…` is then this clone, and not what is packed of it. */
const SOURCES = '--conditions=althing-source';

function examples(): Count {
  const files = readdirSync('examples').filter((file) => /^\d\d-.*\.ts$/.test(file));
  return files.map((file) => command('node', SOURCES, join('examples', file))).reduce(add, NONE);
}

/** It measures how long validators take: no other network runs beside it. */
const TIMED = 'test/cluster/kill.test.ts';

const NONE: Count = { passed: 0, failures: [] };

const add = (left: Count, right: Count): Count => ({
  passed: left.passed + right.passed,
  failures: [...left.failures, ...right.failures],
});

const stages: Readonly<Record<string, () => Count>> = {
  lint: () => command('biome', 'ci', '--error-on-warnings', '.'),
  types: () => add(command('tsc'), command('tsc', '--project', 'tsconfig.page.json')),
  arrows: () => command('node', 'scripts/arrows.ts'),
  'dead-code': () => command('knip'),
  unit: () => tests('unit'),
  simulation: () => tests('simulation'),
  cluster: () => add(tests('cluster', `--exclude=${TIMED}`), tests('cluster', TIMED)),
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
let total = NONE;
for (const [name, run] of Object.entries(stages)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const started = performance.now();
  console.log(`\n── ${name}`);
  const count = run();
  total = add(total, count);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`── ${name}: ${count.passed} passed, ${count.failures.length} failed in ${seconds} s`);
}
rmSync(scratch, { recursive: true, force: true });
for (const failure of total.failures) console.log(`failed: ${failure}`);
console.log(`\n${total.passed} passed, ${total.failures.length} failed`);
process.exitCode = total.failures.length > 0 ? 1 : 0;
