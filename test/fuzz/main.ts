/**
 * `npm run fuzz`: every target in a process of its own, for a number of seconds each. Exit code 1 with findings.
 * `--replay FILE` runs one finding's input again, `--save` renews the saved corpus, `--no-heap` leaves memory unmeasured. Rule SM-11, docs/simulation/fuzz.md.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { saveInputs } from './corpus.ts';
import { readFinding, writeFinding } from './finding.ts';
import { type FuzzReport, fuzz } from './loop.ts';
import { TARGETS } from './targets/index.ts';

const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
    json: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    heap: { type: 'boolean', default: true },
    replay: { type: 'string' },
  },
  allowNegative: true,
});

const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
if (!(seconds > 0) || !Number.isSafeInteger(seed)) usage('--seconds and --seed are numbers');
if (values.replay !== undefined) await replay(values.replay);
else await run(values.target ?? []);

function usage(problem: string): never {
  process.stderr.write(`${problem}; targets: ${[...TARGETS.keys()].join(', ')}\n`);
  process.exit(2);
}

function targetOf(name: string) {
  return TARGETS.get(name) ?? usage(`there is no target '${name}'`);
}

async function run(names: readonly string[]): Promise<void> {
  const chosen = names.length === 0 ? [...TARGETS.keys()] : names;
  for (const name of chosen) targetOf(name);
  const [only] = chosen;
  if (chosen.length === 1 && only !== undefined) return runHere(only);
  let failed = 0;
  for (const name of chosen) if ((await runApart(name)) !== 0) failed += 1;
  if (!values.json) process.stdout.write(`${chosen.length - failed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

/** A target that takes the process with it takes no other. */
function runApart(name: string): Promise<number | null> {
  const own = ['--target', name, '--seconds', String(seconds), '--seed', String(seed)];
  const flags = [
    ...(values.json ? ['--json'] : []),
    ...(values.save ? ['--save'] : []),
    ...(values.heap ? [] : ['--no-heap']),
  ];
  const child = spawn(process.execPath, [import.meta.filename, ...own, ...flags], { stdio: 'inherit' });
  return new Promise((resolve) => child.once('exit', resolve));
}

async function runHere(name: string): Promise<void> {
  const report = await fuzz(targetOf(name), {
    seed,
    seconds,
    heap: values.heap,
    select: values.save,
    onFinding: (finding) => {
      const { path, command } = writeFinding(finding);
      const [first] = finding.detail.split('\n');
      process.stderr.write(`${name}: ${finding.claim}: ${first}\n  ${path}\n  ${command}\n`);
    },
  });
  if (values.save) saveInputs(name, report.selection);
  process.stdout.write(values.json ? `${JSON.stringify(shape(report))}\n` : lines(report));
  process.exitCode = report.findings.length === 0 ? 0 : 1;
}

async function replay(path: string): Promise<void> {
  const { target, input } = readFinding(path);
  const subject = await (await targetOf(target)()).open();
  const before = process.threadCpuUsage();
  process.stdout.write(`${target}: ${await subject.run(input)}\n`);
  const { user, system } = process.threadCpuUsage(before);
  process.stdout.write(`${((user + system) / 1_000).toFixed(1)} ms of CPU\n`);
  await subject.close?.();
}

function shape({ selection, findings, ...report }: FuzzReport): object {
  const shown = findings.map(({ input, ...finding }) => ({
    ...finding,
    input: Buffer.from(input).toString('base64'),
  }));
  return { ...report, selection: selection.length, findings: shown };
}

function lines(report: FuzzReport): string {
  const { blocks, heap, outcomes, executions } = report;
  const kinds = Object.entries(outcomes);
  const shown = kinds
    .slice(0, 12)
    .map(([outcome, count]) => `${outcome} ${((100 * count) / executions).toFixed(1)} %`);
  return [
    `${report.target}  seed ${report.seed}: ${executions} inputs in ${report.seconds.toFixed(1)} s (${Math.round(executions / report.seconds)}/s), corpus ${report.corpus}`,
    `  blocks ${blocks.covered}/${blocks.known} in ${blocks.functions} functions; slowest ${report.slowestMs.toFixed(1)} ms; heap ${heap === undefined ? 'not measured' : `${heap.perRun.toFixed(1)} bytes a run`}`,
    `  ${kinds.length} outcomes: ${shown.join(', ')}`,
    `  ${report.findings.length} findings`,
    '',
  ].join('\n');
}
