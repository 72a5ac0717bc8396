/**
 * One trial in a process of its own: `node --import ./loader.ts trial.ts TRIAL FROM TO`. Plays seeds until a checker
 * reports; prints one line of JSON. Whatever is thrown counts as reported: production would have stopped.
 */
import type { Violation } from '../checkers/index.ts';
import type { Cluster } from '../cluster.ts';
import { runPlan } from '../run.ts';
import { crafting } from './crafts.ts';
import type { Finding } from './finding.ts';
import { findingsOf } from './sync-trials.ts';
import { isCraft, isTrialName, trialPlan } from './trials.ts';

/** @unit ms of virtual time */
const GLANCE_MS = 100;
/** What a network that is only slow commits in its trial. @unit blocks */
const COMMITS_MIN = 3;
const COMMITS = 'a slow network commits';

const [trial = '', from, to] = process.argv.slice(2);
if (!isTrialName(trial)) throw new Error(`no trial '${trial}'`);
const finding = find(Number(from), Number(to));
console.log(JSON.stringify(finding));

function find(first: number, last: number): Finding {
  const started = performance.now();
  const seconds = (): number => Math.round(performance.now() - started) / 1_000;
  for (let seed = first; seed <= last; seed += 1) {
    const [violation] = violationsOf(seed);
    if (violation !== undefined) return { status: 'caught', seed, ...violation, seconds: seconds() };
  }
  return { status: 'survived', seeds: last - first + 1, seconds: seconds() };
}

function violationsOf(seed: number): readonly Violation[] {
  if (!isTrialName(trial)) return [];
  const plan = trialPlan(trial, seed);
  const liar = plan.liars[0]?.validator;
  let cluster: Cluster | undefined;
  const run = (): Cluster => {
    if (cluster === undefined) throw new Error('the cluster is not prepared');
    return cluster;
  };
  const observers = liar === undefined || !isCraft(trial) ? [] : [crafting(run, liar, trial)];
  const prepared = (made: Cluster): void => {
    cluster = made;
    stopEarly(made);
  };
  const report = runPlan(plan, { prepared, observers });
  const { committedHeight } = report;
  const violations = findingsOf(trial, report.violations);
  if (plan.ending.kind !== 'stop' || committedHeight >= COMMITS_MIN) return violations;
  return [...violations, { claim: COMMITS, detail: `height ${committedHeight} after ${plan.durationMs} ms` }];
}

/** The first violation is enough: a broken network would wait for its healing in vain. */
function stopEarly(watched: Pick<Cluster, 'clock' | 'checker'>): void {
  const { clock, checker } = watched;
  clock.schedule(GLANCE_MS, () => {
    if (findingsOf(trial, checker.violations).length > 0) throw new Error('a checker has reported');
    stopEarly(watched);
  });
}
