/** One simulated run, run once more with the journals of all its nodes, and shown where it failed. Boundary: disk. Rules SM-5, RP-1, docs/simulation.md. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mark } from '../../observe/feed/feed.ts';
import { REPLAYED_BY } from '../../replay/replayed-by.ts';
import type { Cluster } from '../../simulation/cluster.ts';
import type { Observer } from '../../simulation/observer.ts';
import type { RunPlan } from '../../simulation/plan.ts';
import { runPlan } from '../../simulation/run.ts';
import { writeScenario } from '../../simulation/scenario.ts';
import { usageFailure } from '../failure.ts';
import type { Output } from '../output.ts';
import { SCENARIO_FILE } from '../replay/export.ts';
import { runsAt, sessionOf } from '../replay/locate.ts';
import { showPage } from '../replay/page.ts';

interface RecordFlags {
  readonly json?: boolean;
  readonly record?: string;
  readonly page?: boolean;
}

/** @param flags `record`: a folder that `assertEmpty` has seen */
export async function recordRun(
  plan: RunPlan,
  { json, record, page }: RecordFlags,
  output: Output,
): Promise<void> {
  const dir = record ?? mkdtempSync(join(tmpdir(), 'althing-run-'));
  const marks = recordTo(dir, plan);
  if (record !== undefined) output.note(`recorded in ${dir}: althing replay ${dir} --page`);
  if (page === true) {
    const at = marks[0]?.at;
    await showPage(`seed ${plan.seed}`, sessionOf(runsAt(dir)), REPLAYED_BY, {
      marks,
      ...(json === undefined ? {} : { json }),
      ...(at === undefined ? {} : { until: new Date(at).toISOString() }),
    });
  }
  if (record === undefined) rmSync(dir, { recursive: true, force: true });
}

/** @returns what the checkers found, when they did */
function recordTo(dir: string, plan: RunPlan): readonly Mark[] {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, SCENARIO_FILE), writeScenario(plan));
  const marks: Mark[] = [];
  let cluster: Cluster | undefined;
  // A checker says nothing of time: whoever watches each turn sees when there is more than before.
  const watcher: Observer = { timeSeen: () => note() };
  const note = (): void => {
    if (cluster === undefined) return;
    const { violations } = cluster.checker;
    for (const { claim, detail } of violations.slice(marks.length)) {
      marks.push({ at: cluster.clock.wall(), kind: 'failure', detail: `not so: ${claim}. ${detail}` });
    }
  };
  runPlan(plan, { observers: [watcher], recordTo: dir, prepared: (made) => (cluster = made) });
  note();
  return marks;
}

/** Before anything runs. @throws CommandFailure for a folder that holds something already */
export function assertEmpty(dir: string): void {
  try {
    if (readdirSync(dir).length > 0)
      throw usageFailure(`--record ${dir}: it is not empty; name a new folder`);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
