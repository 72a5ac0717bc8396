/** `althing simulate` as its users run it: what it prints, what it writes, how it ends. Rules SM-6, SM-7. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readScenario, writeScenario } from '../../src/simulation/scenario.ts';
import { planOf } from '../../src/simulation/swarm.ts';
import { althing, type Run } from './run.ts';

/** From the start of its workers to the Ctrl-C, and to the next. @unit ms */
const PAUSE_MS = 2_000;

/** Runs it and presses Ctrl-C: the terminal sends SIGINT to the whole process group. */
async function interrupted(args: readonly string[], times: number): Promise<Run & { workers: number[] }> {
  const workers: number[] = [];
  const press = async (child: ChildProcess): Promise<void> => {
    const pid = child.pid ?? 0;
    while (workers.length < (args.includes('2') ? 2 : 1) && child.exitCode === null) {
      await sleep(100);
      workers.splice(0, workers.length, ...childrenOf(pid));
    }
    for (let pressed = 0; pressed < times; pressed += 1) {
      await sleep(PAUSE_MS);
      process.kill(-pid, 'SIGINT');
    }
  };
  const run = await althing(args, {}, (child) => void press(child));
  // What was killed with it is gone when its new parent has noticed.
  for (let looks = 0; looks < 50 && workers.some(isAlive); looks += 1) await sleep(100);
  return { ...run, workers };
}

const childrenOf = (pid: number): readonly number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'althing-simulate-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const file = (name: string, text?: string): string => {
  const path = join(directory, name);
  if (text !== undefined) writeFileSync(path, text);
  return path;
};

/** Two of four run twice, on both sides of a partition: more than the protocol promises to bear. */
const FORK = {
  version: 1,
  validators: 4,
  twins: [0, 1],
  acts: [
    {
      at: 0,
      act: {
        kind: 'partition',
        groups: [
          [0, 1, 2],
          [3, 4, 5],
        ],
      },
    },
    { at: 100, act: { kind: 'submit', node: 2, transaction: 'left=1' } },
    { at: 100, act: { kind: 'submit', node: 3, transaction: 'right=1' } },
  ],
  durationMs: 3_000,
  ending: { kind: 'stop' },
};

// Processes that run networks: slow beside other work, so one after the other.
describe('althing simulate', { timeout: 180_000 }, () => {
  it('sums up its runs as JSON, with charts when asked, and ends with 0 (SM-7)', async () => {
    const args = ['simulate', '--seeds', '2', '--nodes', '4', '--coverage', '--jobs', '2', '--json'];
    const { code, stdout } = await althing(args);
    const summary: unknown = JSON.parse(stdout);
    expect(summary).toMatchObject({
      runs: 2,
      failed: 0,
      findings: [],
      faults: { submit: expect.any(Number) },
      times_real_time: expect.any(Number),
      coverage: { safety: { states: { all: expect.any(Number), missing: expect.any(Array) } } },
    });
    expect(code).toBe(0);
  });

  it('runs everything in two processes to identical hashes with --twice (SM-1)', async () => {
    const { code, stdout } = await althing([
      'simulate',
      '--seeds',
      '2',
      '--from',
      '8',
      '--nodes',
      '4',
      '--twice',
    ]);
    expect(stdout).toContain('2 of 2 ran twice to identical hashes');
    expect(code).toBe(0);
  });

  it('tells a violation, shrinks it, and writes what replays it: end to end (SM-6)', async () => {
    const scenario = file('fork.json', JSON.stringify(FORK));
    const small = file('small.json');
    const test = file('fork.test.ts');
    const first = await althing([
      'simulate',
      '--scenario',
      scenario,
      '--write-scenario',
      small,
      '--write-test',
      test,
    ]);
    expect(first.stdout).toContain('no two commits differ at a height');
    expect(first.stdout).toContain(`replay: althing simulate --scenario ${scenario}`);
    expect(first.code).toBe(1);
    const reading = readScenario(readFileSync(small, 'utf8'));
    expect(reading).toMatchObject({ status: 'read', plan: { acts: { 0: { act: { kind: 'partition' } } } } });
    expect(reading.status === 'read' && reading.plan.durationMs).toBeLessThan(FORK.durationMs);
    expect(readFileSync(test, 'utf8')).toContain('expect(runPlan(reading.plan).violations).toEqual([])');
    const again = await althing(['simulate', '--scenario', small, '--no-shrink', '--json']);
    expect(again.stdout).toContain('no two commits differ at a height');
    expect(again.code).toBe(1);
  });

  it('plays a plan that a seed drew from its file as from its seed', async () => {
    const scenario = file('seed.json', writeScenario(planOf(2)));
    const [fromFile, fromSeed] = await Promise.all([
      althing(['simulate', '--scenario', scenario, '--json']),
      althing(['simulate', '--seeds', '1', '--from', '2', '--json']),
    ]);
    const sums = ({ stdout }: { stdout: string }): object => {
      const { seconds: _, times_real_time: __, ...sum }: Record<string, unknown> = JSON.parse(stdout);
      return sum;
    };
    expect(sums(fromFile)).toEqual(sums(fromSeed));
  });

  it('plays Twins scenarios by their numbers, in several processes too (SM-3)', async () => {
    const args = ['simulate', '--twins', '1', '--seeds', '8', '--json'];
    const [one, two] = await Promise.all([althing(args), althing([...args, '--jobs', '2'])]);
    expect(JSON.parse(one.stdout)).toMatchObject({ scenarios: 8, unsafe: 0 });
    const { byHeight, delivered }: { byHeight: object; delivered: number } = JSON.parse(one.stdout);
    expect(JSON.parse(two.stdout)).toMatchObject({ scenarios: 8, unsafe: 0, byHeight, delivered });
    expect([one.code, two.code]).toEqual([0, 0]);
  });

  it('tells what it has found so far when it is interrupted, and leaves no process behind', async () => {
    const endless = ['simulate', '--seeds', '1000000', '--json'];
    const runs = [endless, [...endless, '--jobs', '2'], [...endless, '--jobs', '2', '--twins', '1']];
    const ended = await Promise.all(runs.map((args) => interrupted(args, 1)));
    for (const { code, stdout, workers } of ended) {
      expect(JSON.parse(stdout)).toMatchObject({ stopped: true, virtualMs: expect.any(Number) });
      expect(code).toBe(130);
      expect(workers.filter(isAlive)).toEqual([]);
    }
  });

  it('has one liar of the wanted kind in every run (SM-3)', async () => {
    const { code, stdout } = await althing(['simulate', '--lie', 'lie-clocks', '--seeds', '2', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ runs: 2, failed: 0, faults: { liar: 2 } });
  });

  it('ends at the second interruption, in the middle of a run, and leaves no process behind', async () => {
    const long = { version: 1, validators: 4, durationMs: 20_000_000, ending: { kind: 'stop' }, acts: [] };
    const scenario = file('long.json', JSON.stringify(long));
    const { code, stdout, workers } = await interrupted(['simulate', '--scenario', scenario, '--json'], 2);
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
    expect(workers).toHaveLength(1);
    expect(workers.filter(isAlive)).toEqual([]);
  });

  it.each([
    [['simulate', '--scenario', '/nowhere.json'], 'cannot read the scenario file'],
    [['simulate', '--seeds', '0'], 'give a whole number from 1'],
    [['simulate', '--twins', '1', '--liveness'], '--liveness, --lie and --twice are of seeds'],
    [['simulate', '--scenario', 'x', '--nodes', '4'], '--nodes, --liveness and --lie are of seeds'],
    [['simulate', '--lie', 'politely'], 'no lie "politely"; there are equivocate, '],
    [['simulate', '--lie', 'lie-clocks', '--nodes', '3'], 'needs four validators'],
  ])('althing %j is a sentence and exit 2', async (args, words) => {
    const { code, stderr } = await althing(args);
    expect(stderr).toContain(words);
    expect(code).toBe(2);
  });

  it('tells a violation also where its file cannot be written (SM-6)', async () => {
    const scenario = file('unwritable.json', JSON.stringify(FORK));
    const args = [
      'simulate',
      '--scenario',
      scenario,
      '--no-shrink',
      '--write-scenario',
      '/nowhere/at/all.json',
    ];
    const { code, stdout } = await althing(args);
    expect(code).toBe(1);
    expect(stdout).toContain('no two commits differ');
    expect(stdout).toContain('could not write /nowhere/at/all.json');
  });

  it('refuses what --twins cannot promise or does not do', async () => {
    for (const flags of [
      ['--twins', '2', '--nodes', '4'],
      ['--twins', '1', '--coverage'],
      ['--twins', '1', '--write-test', 'x.ts'],
    ]) {
      expect((await althing(['simulate', ...flags])).code, flags.join(' ')).toBe(2);
    }
  });

  it('a wrong scenario is told by path and value, and is exit 2', async () => {
    const wrong = file(
      'wrong.json',
      JSON.stringify({ ...FORK, acts: [{ at: 0, act: { kind: 'crash', node: 7 } }] }),
    );
    const { code, stderr } = await althing(['simulate', '--scenario', wrong]);
    expect(stderr).toContain(`${wrong}: acts[0].act: 7 is no node: 6 of them, numbered from 0`);
    expect(code).toBe(2);
  });
});
