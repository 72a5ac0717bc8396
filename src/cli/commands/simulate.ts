/** `simulate`: networks of validators in this process, under faults that seeds draw or a scenario file tells. Rule SM-6. */
import type { Command } from 'commander';
import type { LieKind, RunPlan } from '../../simulation/plan.ts';
import { type CommonOptions, wholeNumber, withJson } from '../command.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { usageFailure } from '../failure.ts';
import { createOutput, type Output } from '../output.ts';
import type { ExitStatus } from '../program.ts';
import { exitCodeOf, stopSignal } from '../signals.ts';
import type { CampaignResult, Finding } from '../simulate/campaign.ts';
import type { PlanSource } from '../simulate/task.ts';

interface SimulateFlags extends CommonOptions {
  readonly seeds: number;
  readonly from: number;
  readonly nodes?: number;
  readonly liveness?: boolean;
  readonly lie?: string;
  readonly twins?: number;
  readonly rounds: number;
  readonly twice?: boolean;
  readonly coverage?: boolean;
  readonly jobs: number;
  readonly scenario?: string;
  readonly shrink: boolean;
  readonly shrinkRuns: number;
  readonly shrinkSeconds: number;
  readonly writeScenario?: string;
  readonly writeTest?: string;
  readonly record?: string;
  readonly page?: boolean;
}

export function addSimulateCommand(program: Command, status: ExitStatus): void {
  withJson(
    program
      .command('simulate')
      .description('look for violations in simulated networks: drawn faults by seed, or a scenario file'),
  )
    .option('--seeds <n>', 'how many seeds', wholeNumber(1, 100_000_000), 100)
    .option('--from <seed>', 'the first of them', wholeNumber(0, 2 ** 52), 1)
    .option('--nodes <n>', 'validators (drawn without, mostly 4)', wholeNumber(1, 200))
    .option('--liveness', 'heal a quorum only, the rest stays broken: it must commit')
    .option(
      '--lie <kind>',
      'in every run one validator tells this lie, always (docs/simulation/byzantine.md)',
    )
    .option('--twins <pairs>', 'Twins scenarios instead, with so many validators twice', wholeNumber(1, 10))
    .option('--rounds <n>', 'with --twins: rounds of a scenario', wholeNumber(1, 1_000), 8)
    .option(
      '--scenario <file>',
      'play this scenario file instead of seeds (with --twins: a set of Twins scenarios)',
    )
    .option('--twice', 'run everything in two processes and compare every step')
    .option('--coverage', 'tell which states and transitions of every chart were reached; costs some')
    .option('--jobs <n>', 'worker processes', wholeNumber(1, 64), 1)
    .option('--no-shrink', 'leave the first failing run as it is')
    .option('--shrink-runs <n>', 'runs that making it small may take', wholeNumber(1, 100_000), 400)
    .option('--shrink-seconds <n>', 'time that making it small may take', wholeNumber(1, 1_000_000), 120)
    .option('--write-scenario <file>', 'where the failing run goes (default: scenario-<seed>.json)')
    .option('--write-test <file>', 'also write it as a vitest file')
    .option('--record <dir>', 'record the first failing run, or the only one, for `althing replay`')
    .option('--page', 'show that run in a page, at the instant where it failed')
    .action((flags: SimulateFlags) => runSimulateCommand(flags, status));
}

async function runSimulateCommand(flags: SimulateFlags, status: ExitStatus): Promise<void> {
  const output = createOutput(flags.json === true);
  const looked = new AbortController();
  const stop = stopSignal(looked.signal);
  if (flags.twins !== undefined) {
    if (flags.liveness !== undefined || flags.twice !== undefined || flags.lie !== undefined) {
      throw usageFailure('--liveness, --lie and --twice are of seeds: --twins has scenarios of its own');
    }
    const { coverage, writeTest, record, page } = flags;
    if ([coverage, writeTest, record, page].some((flag) => flag !== undefined)) {
      throw usageFailure(
        '--coverage, --write-test, --record and --page are of seeds: leave them away with --twins',
      );
    }
    const { runTwinsCommand } = await import('../simulate/twins-command.ts');
    await runTwinsCommand({ ...flags, pairs: flags.twins }, stop, output, status);
    return;
  }
  const sources =
    flags.scenario === undefined
      ? seedsOf(flags, await lieOf(flags))
      : [await scenarioOf(flags.scenario, flags)];
  if (flags.record !== undefined) (await import('../simulate/recorded-run.ts')).assertEmpty(flags.record);
  const isToBeSeen = flags.record !== undefined || flags.page === true;
  const result = await campaign(flags, sources, stop, output);
  // Shrinking does not look at signals.
  looked.abort();
  const [first] = result.findings;
  const kept = first === undefined ? undefined : await keepFinding(flags, first, result.stopped, output);
  await show(flags, result, kept, output);
  if (result.summary.failed > 0 || result.divergences.length > 0) status.code = EXIT_CODES.runtime;
  else if (result.stopped) status.code = exitCodeOf(stop.reason);
  if (isToBeSeen && !result.stopped) await showRecorded(flags, kept?.plan, output);
}

/** The first failing run, else the only one, is run again with its journals. */
async function showRecorded(
  flags: SimulateFlags,
  failed: RunPlan | undefined,
  output: Output,
): Promise<void> {
  const { planFrom } = await import('../simulate/task.ts');
  const [only] =
    flags.scenario === undefined
      ? seedsOf({ ...flags, seeds: 1 }, await lieOf(flags))
      : [await scenarioOf(flags.scenario, flags)];
  const isOnly = flags.seeds === 1 || flags.scenario !== undefined;
  const plan = failed ?? (isOnly && only !== undefined ? planFrom(only) : undefined);
  if (plan === undefined) {
    output.note('no run failed: to record one that does not, name it with --seeds 1 --from SEED');
    return;
  }
  const { recordRun } = await import('../simulate/recorded-run.ts');
  await recordRun(plan, flags, output);
}

async function lieOf({ lie, nodes }: SimulateFlags): Promise<LieKind | undefined> {
  if (lie === undefined) return undefined;
  const { LIE_KINDS } = await import('../../simulation/byzantine/index.ts');
  const kind = LIE_KINDS.find((one) => one === lie);
  if (kind === undefined) throw usageFailure(`no lie "${lie}"; there are ${LIE_KINDS.join(', ')}`);
  if (nodes !== undefined && nodes < 4)
    throw usageFailure('--lie needs four validators: of fewer none may lie');
  return kind;
}

function* seedsOf(
  { from, seeds, nodes, liveness }: SimulateFlags,
  lie: LieKind | undefined,
): Generator<PlanSource> {
  for (let seed = from; seed < from + seeds; seed += 1) {
    yield {
      kind: 'seed',
      seed,
      mode: liveness === true ? 'liveness' : 'swarm',
      ...(nodes === undefined ? {} : { validators: nodes }),
      ...(lie === undefined ? {} : { lie }),
    };
  }
}

async function scenarioOf(file: string, { nodes, liveness, lie }: SimulateFlags): Promise<PlanSource> {
  if (nodes !== undefined || liveness !== undefined || lie !== undefined) {
    throw usageFailure('--nodes, --liveness and --lie are of seeds: a scenario file says them itself');
  }
  const { readScenario } = await import('../../simulation/scenario.ts');
  const { readText } = await import('../simulate/findings.ts');
  const reading = readScenario(readText(file));
  if (reading.status === 'read') return { kind: 'plan', plan: reading.plan };
  const lines = reading.problems.map(
    ({ path, message }) => `${file}: ${path === '' ? '' : `${path}: `}${message}`,
  );
  throw usageFailure(lines.join('\n'));
}

async function campaign(
  flags: SimulateFlags,
  sources: Iterable<PlanSource>,
  stop: AbortSignal,
  output: Output,
): Promise<CampaignResult> {
  const { runCampaign } = await import('../simulate/campaign.ts');
  const { workerProcess } = await import('../simulate/worker-pool.ts');
  const watches = flags.coverage === true;
  const isLive = process.stderr.isTTY && flags.json !== true;
  let shown = 0;
  const result = await runCampaign({
    sources,
    stop,
    hire: () => workerProcess(watches),
    jobs: flags.jobs,
    twice: flags.twice === true,
    found: ({ report: { plan, violations } }) =>
      output.note(`${isLive ? '\r\u001B[K' : ''}seed ${plan.seed}: ${violations[0]?.claim ?? ''}`),
    progress: ({ runs, failed, virtualMs }, seconds) => {
      if (!isLive || seconds - shown < 0.2) return;
      shown = seconds;
      const speed = (virtualMs / 1_000 / seconds).toFixed(0);
      process.stderr.write(`\r\u001B[K${runs} runs, ${failed} failed, ${speed} × real time`);
    },
  });
  if (isLive) process.stderr.write('\r\u001B[K');
  return result;
}

interface Kept {
  readonly lines: readonly string[];
  readonly shrunk: { readonly acts: number; readonly runs: number } | undefined;
  readonly scenario: string | undefined;
  readonly plan: RunPlan;
}

/** The first failing run, small when asked for, in the files asked for. */
async function keepFinding(
  flags: SimulateFlags,
  { source, report }: Finding,
  stopped: boolean,
  output: Output,
): Promise<Kept> {
  const { keep, shrinkFinding } = await import('../simulate/findings.ts');
  // A scenario that was given and not made smaller is in its file already.
  if (source.kind === 'plan' && flags.writeScenario === undefined && flags.writeTest === undefined) {
    return { lines: [], shrunk: undefined, scenario: flags.scenario, plan: source.plan };
  }
  const bounds = { runsMax: flags.shrinkRuns, secondsMax: flags.shrinkSeconds };
  const shrunk = flags.shrink && !stopped ? shrinkFinding(report, bounds, output.note) : undefined;
  const plan = shrunk?.plan ?? report.plan;
  const claim = report.violations[0]?.claim ?? 'no violation';
  const scenario = flags.writeScenario ?? `scenario-${String(report.plan.seed)}.json`;
  const lines = [
    ...(stopped && flags.shrink ? ['not shrunk: the replay above shrinks it'] : []),
    ...(shrunk === undefined
      ? []
      : [
          `shrunk in ${shrunk.runs} runs from ${report.plan.acts.length} acts to ${plan.acts.length}${shrunk.isMinimal ? '' : ' (more may make it smaller: --shrink-runs, --shrink-seconds)'}`,
        ]),
    ...keep(plan, claim, {
      scenario,
      ...(flags.writeTest === undefined ? {} : { test: flags.writeTest }),
    }),
  ];
  return {
    lines,
    shrunk: shrunk === undefined ? undefined : { acts: plan.acts.length, runs: shrunk.runs },
    scenario,
    plan,
  };
}

async function show(
  flags: SimulateFlags,
  result: CampaignResult,
  kept: Kept | undefined,
  output: Output,
): Promise<void> {
  const { summaryLines } = await import('../../simulation/report.ts');
  const { replayCommand, violationLines } = await import('../simulate/findings.ts');
  const { coverageLines } = await import('../simulate/coverage-lines.ts');
  const { summary, findings, divergences, identical, coverage, seconds, stopped } = result;
  const replayOf = (source: PlanSource): string => replayCommand(source, flags.scenario);
  const value = {
    ...summary,
    simulated_hours: summary.virtualMs / 3_600_000,
    seconds,
    stopped,
    times_real_time: summary.virtualMs / 1_000 / seconds,
    findings: findings.map(({ source, report }) => ({
      seed: report.plan.seed,
      violations: report.violations,
      replay: replayOf(source),
    })),
    ...(kept === undefined ? {} : { shrunk: kept.shrunk, scenario: kept.scenario }),
    ...(flags.twice === true ? { identical, divergences } : {}),
    ...(coverage === undefined ? {} : { coverage }),
  };
  output.data(value, [
    ...findings.flatMap(({ source, report }) => violationLines(report, replayOf(source))),
    ...(kept?.lines ?? []),
    ...divergences.flatMap(({ source, left, right }) => [
      `two processes differ: ${replayOf(source)} --twice`,
      `  one:   ${left.slice(0, 400)}`,
      `  other: ${right.slice(0, 400)}`,
    ]),
    ...(flags.twice === true ? [`${identical} of ${summary.runs} ran twice to identical hashes`] : []),
    ...(coverage === undefined ? [] : coverageLines(coverage)),
    ...summaryLines(summary, seconds),
    ...(stopped ? ['stopped before all were run'] : []),
  ]);
}
