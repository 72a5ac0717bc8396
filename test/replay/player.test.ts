/** Journals of simulated nodes, played: the same nodes to the bit, at any turn, in any order. Rules RP-1, RP-4, RT-15. */
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type JournalEntry, seededRandom } from '../../src/actors/runtime/index.ts';
import { millis } from '../../src/base/units.ts';
import { runsIn } from '../../src/record/run-folder.ts';
import { RunReader } from '../../src/record/run-reader.ts';
import { Player } from '../../src/replay/player.ts';
import { REPLAYED_BY as BY } from '../../src/replay/replayed-by.ts';
import { WaypointsByRun } from '../../src/replay/waypoints.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import { runPlan } from '../../src/simulation/run.ts';
import { planOf } from '../../src/simulation/swarm.ts';
import { standOf, testFolder, verifyRun } from '../record/support/small-run.ts';

const { dir, remove } = testFolder();
afterAll(remove);

const verifyAll = (of: string) => runsIn(of).map((dir) => verifyRun(dir, BY));

function expectSame(of: string, runs: number): void {
  const verified = verifyAll(of);
  expect(verified.filter(({ divergence, flaws }) => divergence !== undefined || flaws.length > 0)).toEqual(
    [],
  );
  expect(verified.length).toBeGreaterThanOrEqual(runs);
  expect(verified.reduce((sum, { turns }) => sum + turns, 0)).toBeGreaterThan(1_000);
}

/** What the swarm does to them: see `planOf`. Chosen for what they bring, each under a second. */
const PLANS = [
  [6, 'crashes, restarts, killed cells, partitions, a liar', 10],
  [10, 'epochs and joiners', 6],
  [22, 'crashes of applications, slow disks', 10],
] as const;

describe('a recorded simulation is replayed to the bit (RP-4)', () => {
  it.each(PLANS)('plan %i: %s', (seed, _, runs) => {
    const to = join(dir, `plan${seed}`);
    runPlan(planOf(seed), { recordTo: to });
    expectSame(to, runs);
  });

  it('with a node that joins by a snapshot', async () => {
    const to = join(dir, 'joins');
    const run = new Cluster({
      seed: 'journal joins',
      validators: 4,
      leaders: [0, 1, 2],
      absent: [3],
      joining: [3],
      snapshotIntervalHeights: 5,
      batchTtlHeights: 8,
      timeouts: { emptyBlockIntervalMs: millis(50) },
      recordTo: to,
    });
    run.advance(2_000);
    run.start(3);
    for (let step = 0; step < 60; step += 1) {
      run.advance(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
    run.finish();
    expect(run.height(3)).toBeGreaterThan(20);
    expectSame(to, 4);
  });
});

describe('a player', () => {
  const to = join(dir, 'seeks');
  const runDir = join(to, 'node0', 'life001');
  const playerOf = (keepsWaypoints: boolean) =>
    new Player(new RunReader(runDir), keepsWaypoints ? { ...BY, waypoints: new WaypointsByRun() } : BY);
  runPlan(planOf(5), { recordTo: to });

  it('shows the same at a turn, wherever it came from (RP-4)', () => {
    const draws = seededRandom('seeks').stream('turns');
    const moving = playerOf(true);
    moving.finish();
    const end = moving.turn;
    expect(end).toBeGreaterThan(4_000);
    expect(moving.divergence()).toBeUndefined();
    for (let seek = 0; seek < 6; seek += 1) {
      const turn = seek === 0 ? end : Math.floor(draws.next() * end);
      const fresh = playerOf(false);
      fresh.advance(turn);
      moving.seek(turn);
      expect(standOf(moving)).toBe(standOf(fresh));
      fresh.run.close();
    }
    moving.run.close();
  });

  it('goes on as it would have from anywhere: no cell decides by which object it holds (RT-12)', () => {
    const player = new Player(new RunReader(runDir), { ...BY, waypoints: new WaypointsByRun(100) });
    player.finish();
    for (let turn = player.turn - 1; turn > 200; turn -= 100) {
      player.seek(turn);
      expect(player.divergence()).toBeUndefined();
      expect(player.turn).toBe(turn);
    }
    player.run.close();
  });

  it('comes back to where another player of the run has been, by its keyframes (RP-4)', () => {
    const waypoints = new WaypointsByRun(500);
    const first = new Player(new RunReader(runDir), { ...BY, waypoints });
    first.finish();
    let played = 0;
    const inspector = {
      transition: () => {
        played += 1;
      },
    };
    const second = new Player(new RunReader(runDir), { ...BY, waypoints, inspector });
    second.seek(first.turn - 1);
    expect(second.turn).toBe(first.turn - 1);
    expect(played).toBeLessThan(1_000);
    for (const { run } of [first, second]) run.close();
  });

  it('shows the same at a time, wherever it came from', () => {
    const moving = playerOf(true);
    const { beginsAt: from, endsAt: until } = moving.run;
    for (const share of [0.7, 0.2, 1]) {
      const at = from + share * (until - from);
      const fresh = playerOf(false);
      fresh.advanceTime(at);
      moving.seekTime(at);
      expect(standOf(moving)).toBe(standOf(fresh));
      expect(moving.at).toBeLessThanOrEqual(at);
      fresh.run.close();
    }
    moving.run.close();
  });

  it('steps one turn at a time', () => {
    const player = playerOf(false);
    player.seek(100);
    for (let turn = 101; turn < 120; turn += 1) {
      expect(player.step()).toBe(true);
      expect(player.turn).toBe(turn);
    }
    player.run.close();
  });

  it('finds where a journal tells another story: the cell and the turn (RP-4)', () => {
    let changed: JournalEntry | undefined;
    const meaning = (entry: JournalEntry): JournalEntry => {
      if (changed !== undefined || entry.kind !== 'message' || entry.turn < 1_000) return entry;
      if (entry.message.type !== 'message.received') return entry;
      changed = entry;
      return { ...entry, message: { type: 'message.received' } };
    };
    const player = new Player(new RunReader(runDir), { ...BY, meaning });
    player.finish();
    const divergence = player.divergence();
    expect(changed).toBeDefined();
    expect(divergence?.turn).toBeGreaterThanOrEqual(changed?.turn ?? 0);
    expect(divergence?.turn).toBeLessThan((changed?.turn ?? 0) + 1_000);
    player.run.close();
  });
});
