/** Many simulated runs, one after the other or in worker processes: their sum, and those that failed. Boundary. SM-6, SM-7. */
import { type ChartCoverage, mergeCoverage } from '../../simulation/coverage.ts';
import { EMPTY_SUMMARY, type Summary, summed } from '../../simulation/report.ts';
import type { RunReport } from '../../simulation/run.ts';
import { firstDifference } from '../../simulation/trace.ts';
import type { Outcome, PlanSource, Worker } from './task.ts';
import { spread } from './worker-pool.ts';

export interface Finding {
  readonly source: PlanSource;
  readonly report: RunReport;
}

/** Two runs of one plan that were not the same. */
export interface Divergence {
  readonly source: PlanSource;
  /** The first step that differs, as each of the two had it. */
  readonly left: string;
  readonly right: string;
}

export interface CampaignResult {
  readonly summary: Summary;
  /** Runs that violated something, the first `FINDINGS_MAX` of them, by order of their end. */
  readonly findings: readonly Finding[];
  /** Plans that were run twice with different steps. */
  readonly divergences: readonly Divergence[];
  /** Plans that were run twice, and whose steps had equal hashes. */
  readonly identical: number;
  readonly coverage: Readonly<Record<string, ChartCoverage>> | undefined;
  readonly seconds: number;
  /** Not all were run. */
  readonly stopped: boolean;
}

export interface CampaignOptions {
  readonly sources: Iterable<PlanSource>;
  /** Aborted: runs that have begun end, no other begins. */
  readonly stop: AbortSignal;
  /** Makes one worker. */
  readonly hire: () => Worker;
  readonly jobs: number;
  /** Run each plan in two processes, and compare. */
  readonly twice: boolean;
  readonly progress: (summary: Summary, seconds: number) => void;
  /** At once, for each that is kept. */
  readonly found: (finding: Finding) => void;
}

/** Failed runs that are kept whole; further ones are counted. @unit runs */
const FINDINGS_MAX = 100;

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { sources, stop, hire, jobs, twice, progress, found } = options;
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1_000;
  const workers = Array.from({ length: jobs }, hire);
  const others = twice ? Array.from({ length: jobs }, hire) : [];
  const findings: Finding[] = [];
  const divergences: Divergence[] = [];
  let identical = 0;
  let summary = EMPTY_SUMMARY;
  let stopped = false;
  function* wanted(): Generator<PlanSource> {
    for (const source of sources) {
      stopped = stop.aborted;
      if (stopped) return;
      yield source;
    }
  }
  try {
    await spread(wanted(), workers, async (source, worker) => {
      const other = others[workers.indexOf(worker)];
      const [left, right] = await Promise.all([
        worker.run({ source, hashes: twice }),
        other?.run({ source, hashes: twice }),
      ]);
      summary = summed(summary, left.report);
      if (left.report.violations.length > 0 && findings.length < FINDINGS_MAX) {
        const finding: Finding = { source, report: left.report };
        findings.push(finding);
        found(finding);
      }
      if (right !== undefined && other !== undefined) {
        const divergence = await compare(source, [worker, left], [other, right]);
        if (divergence === undefined) identical += 1;
        else divergences.push(divergence);
      }
      progress(summary, seconds());
    });
  } finally {
    // Whatever happens, no process is left behind.
    for (const worker of others) worker.end();
  }
  const finished = await Promise.all(workers.map((worker) => worker.finish()));
  const reports = finished.filter((report) => report !== undefined);
  return {
    summary,
    findings,
    divergences,
    identical,
    coverage: reports.length === 0 ? undefined : mergeCoverage(reports),
    seconds: seconds(),
    stopped,
  };
}

async function compare(
  source: PlanSource,
  [leftWorker, left]: readonly [Worker, Outcome],
  [rightWorker, right]: readonly [Worker, Outcome],
): Promise<Divergence | undefined> {
  if (left.hashes === undefined || right.hashes === undefined) return undefined;
  const stretch = firstDifference(left.hashes, right.hashes);
  if (stretch === undefined) {
    if (left.report.fingerprint === right.report.fingerprint) return undefined;
    return { source, left: `end ${left.report.fingerprint}`, right: `end ${right.report.fingerprint}` };
  }
  const [leftAgain, rightAgain] = await Promise.all([
    leftWorker.run({ source, stretch }),
    rightWorker.run({ source, stretch }),
  ]);
  const [leftLines, rightLines] = [leftAgain.lines ?? [], rightAgain.lines ?? []];
  const place = leftLines.findIndex((line, index) => line !== rightLines[index]);
  return {
    source,
    left: leftLines[place] ?? '(no such step)',
    right: rightLines[place < 0 ? leftLines.length : place] ?? '(no such step)',
  };
}
