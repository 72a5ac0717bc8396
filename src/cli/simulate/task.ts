/** One simulated run that a worker is asked for, and its answer: plain data, so that it may cross to another process. */
import type { ChartCoverage, Coverage } from '../../simulation/coverage.ts';
import type { Observer } from '../../simulation/observer.ts';
import type { LieKind, RunPlan } from '../../simulation/plan.ts';
import { type RunReport, runPlan } from '../../simulation/run.ts';
import { planForLiveness, planOf } from '../../simulation/swarm.ts';
import { type StepHashes, Trace } from '../../simulation/trace.ts';

/** Where a plan comes from. */
export type PlanSource =
  | {
      readonly kind: 'seed';
      readonly seed: number;
      readonly mode: 'swarm' | 'liveness';
      /** Drawn without. */
      readonly validators?: number;
      /** One liar who tells only this; drawn without. */
      readonly lie?: LieKind;
    }
  | { readonly kind: 'plan'; readonly plan: RunPlan };

export interface Task {
  readonly source: PlanSource;
  /** Also hash every step. */
  readonly hashes?: boolean;
  /** Also tell the steps of one stretch: see `Trace`. */
  readonly stretch?: number;
}

export interface Outcome {
  readonly report: RunReport;
  readonly hashes?: StepHashes;
  readonly lines?: readonly string[];
}

/** Where runs take place. */
export interface Worker {
  run(task: Task): Promise<Outcome>;
  /** What all its runs have reached, and the end of it. */
  finish(): Promise<Readonly<Record<string, ChartCoverage>> | undefined>;
  /** At once. */
  end(): void;
}

export function planFrom(source: PlanSource): RunPlan {
  if (source.kind === 'plan') return source.plan;
  const { seed, mode, ...options } = source;
  return mode === 'liveness' ? planForLiveness(seed, options) : planOf(seed, options);
}

/** @param coverage notes what the run reaches */
export function runTask({ source, hashes, stretch }: Task, coverage?: Coverage): Outcome {
  const trace =
    hashes === true || stretch !== undefined
      ? new Trace(stretch === undefined ? undefined : { mark: stretch })
      : undefined;
  const watcher: Observer = { started: (_, { system }) => coverage?.watch(system) };
  const report = runPlan(planFrom(source), {
    observers: [
      ...(trace === undefined ? [] : [trace.observer()]),
      ...(coverage === undefined ? [] : [watcher]),
    ],
  });
  if (trace === undefined) return { report };
  return { report, hashes: trace.hashes(), ...(stretch === undefined ? {} : { lines: trace.lines() }) };
}
