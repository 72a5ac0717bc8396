/** Each kind of act does to the network what it says, and nothing where it does not apply. Rules SM-1 to SM-3. */
import { describe, expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import { parseRound } from '../../src/protocol/chain/parse.ts';
import { nodesOf, play } from '../../src/simulation/acts.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import type { ClusterOptions } from '../../src/simulation/cluster-options.ts';
import type { Observer } from '../../src/simulation/observer.ts';
import type { Act, RunPlan } from '../../src/simulation/plan.ts';
import { runPlan } from '../../src/simulation/run.ts';
import { CALM } from '../../src/transport/hub.ts';

const SECOND = 1_000;

const cluster = (options: Partial<ClusterOptions> = {}): Cluster =>
  new Cluster({ seed: 7, timeouts: { emptyBlockIntervalMs: millis(200) }, ...options });

const heights = (of: Cluster): readonly number[] => of.nodes.map(({ height }) => height);

const PLAN: RunPlan = {
  seed: 'acts',
  validators: 4,
  twins: [],
  liars: [],
  clocks: [],
  lateStarts: [],
  signatures: 'keyed-hash',
  carry: 'reference',
  links: CALM,
  timeouts: { emptyBlockIntervalMs: millis(200) },
  acts: [],
  durationMs: 3 * SECOND,
  ending: { kind: 'stop' },
};

const at = (time: number, act: Act) => ({ at: time, act });

describe('processes', () => {
  it('a paused one does nothing, and all that came meanwhile reaches it when it goes on', () => {
    const run = cluster();
    run.advance(SECOND);
    const before = run.height(3);
    play(run, { kind: 'pause', node: 3, ms: 5 * SECOND }, 0);
    run.submit(3, 'late=1');
    run.advance(4 * SECOND);
    expect(run.height(3)).toBe(before);
    expect(run.node(3).admitted).toEqual([]);
    expect(run.height(0)).toBeGreaterThan(before);
    run.advance(2 * SECOND);
    expect(run.height(3)).toBeGreaterThanOrEqual(run.height(0) - 1);
    expect(run.node(3).admitted).toMatchObject([{ status: 'admitted' }]);
  });

  it('one that is killed while it is paused stays dead', () => {
    const run = cluster();
    run.advance(SECOND);
    play(run, { kind: 'pause', node: 3, ms: SECOND }, 0);
    play(run, { kind: 'crash', node: 3 }, 0);
    run.advance(3 * SECOND);
    expect(run.node(3).process).toBeUndefined();
    expect(play(run, { kind: 'restart', node: 3 }, 0)).toBe(true);
    expect(play(run, { kind: 'restart', node: 3 }, 0)).toBe(false);
    run.advance(3 * SECOND);
    expect(run.height(3)).toBeGreaterThan(5);
  });

  it('late ones start at their time', () => {
    const plan: RunPlan = { ...PLAN, lateStarts: [{ node: 2, at: 2 * SECOND }] };
    const starts: number[] = [];
    let run: Cluster | undefined;
    const observer: Observer = {
      started: ({ node }) => {
        if (node === 2) starts.push(run?.clock.now() ?? -1);
      },
    };
    const { acts } = runPlan(plan, { observers: [observer], prepared: (made) => (run = made) });
    expect(starts).toEqual([2 * SECOND]);
    expect(acts).toMatchObject({ 'late-start': 1 });
  });

  it('a cell that dies is started again by its supervisor, each of them, and the chain goes on', () => {
    for (const cell of ['mempool', 'round-manager', 'view-change', 'safety', 'executor', 'router'] as const) {
      const run = cluster();
      run.advance(SECOND);
      expect(play(run, { kind: 'kill-cell', node: 1, cell }, 0)).toBe(true);
      run.advance(3 * SECOND);
      const restarts = [...(run.node(1).process?.system.restarts() ?? [])].filter(([, times]) => times > 0);
      expect({ cell, restarted: restarts.some(([path]) => path.endsWith(cell)) }).toEqual({
        cell,
        restarted: true,
      });
      expect(run.height(1)).toBeGreaterThan(10);
    }
  });

  it('a full mailbox refuses, and its cell goes on (RT-7)', () => {
    const run = cluster();
    run.advance(SECOND);
    play(run, { kind: 'mailbox-overflow', node: 1, cell: 'view-change', messages: 20_000 }, 0);
    const refused = [...(run.node(1).process?.system.deadLetters.counts().values() ?? [])];
    expect(refused.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(1_000);
    run.advance(3 * SECOND);
    expect(run.height(1)).toBeGreaterThan(10);
  });

  it('an application that throws is opened again and executes what was missed (EX-5)', () => {
    const run = cluster();
    run.advance(SECOND);
    play(run, { kind: 'application-crash', node: 1, times: 2 }, 0);
    run.submit(0, 'after=crash');
    run.advance(20 * SECOND);
    expect(run.lostTransactions()).toEqual([]);
    const found = run.node(1).read((store) => store.latest());
    expect(found).toMatchObject({ status: 'found' });
    if (found?.status === 'found') expect(found.value.executed).toBeGreaterThan(found.value.committed - 3);
  });
});

describe('links', () => {
  it('a clogged direction delivers everything at once when it flows again', () => {
    const run = cluster();
    run.advance(SECOND);
    const before = run.hub.counts.dropped + run.hub.counts.cut;
    for (const from of [0, 1, 2]) play(run, { kind: 'clog', from, to: 3, ms: 4 * SECOND }, 0);
    run.advance(3 * SECOND);
    const stalled = run.height(3);
    expect(run.height(0)).toBeGreaterThan(stalled + 3);
    run.advance(2 * SECOND);
    expect(run.height(3)).toBeGreaterThan(stalled + 3);
    expect(run.hub.counts.dropped + run.hub.counts.cut).toBe(before);
  });

  it('the leader alone is cut off with `isolate-leader`, whoever it is', () => {
    const run = cluster();
    run.advance(SECOND);
    const round = parseRound(run.round);
    const leader = round === 'malformed' ? '' : run.leaderOf(round);
    play(run, { kind: 'isolate-leader' }, 0);
    run.advance(20 * SECOND);
    const sorted = run.nodes.toSorted((left, right) => left.height - right.height);
    expect(sorted[0]?.address).toBe(leader);
    expect((sorted[1]?.height ?? 0) - (sorted[0]?.height ?? 0)).toBeGreaterThan(5);
  });

  it('groups that overlap are joined by whom they share', () => {
    const run = cluster();
    run.advance(SECOND);
    play(
      run,
      {
        kind: 'partition',
        groups: [
          [0, 1, 2],
          [2, 3],
        ],
      },
      0,
    );
    const { cut } = run.hub.counts;
    run.advance(5 * SECOND);
    expect(run.hub.counts.cut).toBeGreaterThan(cut);
    expect(run.height(3)).toBeGreaterThan(10);
  });

  it('duplicates come as often as the links say', () => {
    const run = cluster({ faults: { ...CALM, duplicate: 0.1, copies: 50 } });
    run.advance(2 * SECOND);
    const { sent, duplicated } = run.hub.counts;
    expect(duplicated / sent).toBeGreaterThan(3);
    expect(duplicated % 50).toBe(0);
    expect(run.checker.violations).toEqual([]);
  });
});

describe('disks and clocks', () => {
  it('a slow disk delays, and a crash loses what it was about to write', () => {
    const run = cluster();
    run.advance(SECOND);
    play(run, { kind: 'disk-slow', node: 1, syncMs: 400, ms: 10 * SECOND }, 0);
    run.advance(100);
    // Between the write and its sync there is nothing to read.
    const unreadable = (): boolean => run.node(1).read(() => true) === undefined;
    for (let ms = 0; ms < 2 * SECOND && !unreadable(); ms += 50) run.advance(50);
    expect(unreadable()).toBe(true);
    play(run, { kind: 'crash', node: 1 }, 0);
    play(run, { kind: 'restart', node: 1 }, 0);
    run.advance(20 * SECOND);
    expect(run.height(1)).toBeGreaterThanOrEqual(run.height(0) - 1);
    expect(run.checker.violations).toEqual([]);
  });

  it('a wrong clock is read by its node alone, drifts and steps, and the chain goes on', () => {
    const run = cluster({ clocks: [{ node: 2, offsetMs: 100, driftPpm: 10_000 }] });
    const errorOf = (node: number): number => run.node(node).wall.read() - run.clock.wall();
    expect([errorOf(0), errorOf(2)]).toEqual([0, 100]);
    run.advance(10 * SECOND);
    expect([errorOf(0), errorOf(2)]).toEqual([0, 200]);
    play(run, { kind: 'clock-step', node: 2, ms: -300 }, 0);
    expect(errorOf(2)).toBe(-100);
    expect(Math.min(...heights(run))).toBeGreaterThan(20);
  });

  it('damaged reads reach the node, and not who judges the run', () => {
    const run = cluster();
    run.advance(SECOND);
    play(run, { kind: 'crash', node: 1 }, 0);
    play(run, { kind: 'disk-bit-flip', node: 1, times: 100 }, 0);
    play(run, { kind: 'restart', node: 1 }, 0);
    run.advance(SECOND);
    expect(run.height(1)).toBeGreaterThan(0);
    expect(run.node(1).needsOperator).toBe(true);
    run.node(1).faults.clear();
    expect(play(run, { kind: 'restart', node: 1 }, 0)).toBe(true);
    run.advance(5 * SECOND);
    expect(run.height(1)).toBeGreaterThanOrEqual(run.height(0) - 1);
  });
});

describe('who takes part', () => {
  it('a twin has the key of its validator and a disk of its own, and both hear what is sent to the address', () => {
    const run = cluster({ twins: [1] });
    expect(run.nodes).toHaveLength(5);
    expect(run.node(4).address).toBe(run.node(1).address);
    run.advance(3 * SECOND);
    expect(Math.min(...heights(run))).toBeGreaterThan(10);
    run.crash(1);
    run.advance(3 * SECOND);
    // Its other instance still votes: no round fails.
    expect(run.height(4)).toBeGreaterThan(20);
    expect(run.checker.violations).toEqual([]);
  });

  it('instances are cut one by one: each side of a partition has its own', () => {
    const run = cluster({ twins: [1] });
    run.partition([0, 2, 3, 4], [1]);
    run.advance(5 * SECOND);
    expect(run.height(4)).toBeGreaterThan(10);
    expect(run.height(1)).toBe(0);
  });

  it('a table of leaders is followed from round 1 on, cyclic', () => {
    const run = cluster({ leaders: [2, 2, 0] });
    const leaders = [1, 2, 3, 4, 5, 6].map((value) => {
      const round = parseRound(value);
      return run.nodes.findIndex(({ address }) => round !== 'malformed' && address === run.leaderOf(round));
    });
    expect(leaders).toEqual([2, 2, 0, 2, 2, 0]);
    run.advance(3 * SECOND);
    expect(Math.min(...heights(run))).toBeGreaterThan(10);
  });

  it('powers weigh: one with two thirds commits alone', () => {
    const run = cluster({ powers: [9, 1, 1, 1], leaders: [0] });
    run.partition([0], [1, 2, 3]);
    run.advance(60 * SECOND);
    expect(run.height(0)).toBeGreaterThan(3);
    expect(run.height(1)).toBe(0);
  });

  it('rules of a round stop its messages, whenever they are sent', () => {
    const nobody = { groups: [[0], [1], [2], [3]] };
    const report = runPlan({ ...PLAN, rounds: [{}, nobody, nobody], durationMs: 20 * SECOND });
    const calm = runPlan({ ...PLAN, durationMs: 20 * SECOND });
    expect(report.violations).toEqual([]);
    expect(report.committedHeight).toBeLessThan(calm.committedHeight);
    const walled = runPlan({
      ...PLAN,
      rounds: [{ firewall: [{ from: 0, to: 1, kind: 'Vote' }] }],
      durationMs: 20 * SECOND,
    });
    expect(walled.violations).toEqual([]);
  });

  it('a round that operators of a quorum order to be given up fails, and the chain goes on (ExplicitRequest)', () => {
    const reasons: unknown[] = [];
    const run = cluster({
      observers: [
        {
          started: (_, { system }) => {
            system.inspect({
              delivery: ({ message }) => {
                if (message.type === 'round.failed')
                  reasons.push(new Map(Object.entries(message)).get('reason'));
              },
            });
          },
        },
      ],
    });
    run.advance(SECOND);
    expect(reasons).toEqual([]);
    for (const node of [0, 1, 2]) expect(play(run, { kind: 'order-view-change', node }, 0)).toBe(true);
    run.advance(SECOND);
    expect(reasons).toContain('ExplicitRequest');
    const [before] = heights(run);
    run.advance(2 * SECOND);
    expect(run.height(0)).toBeGreaterThan(before ?? 0);
  });

  it('what names a node that is not there does nothing', () => {
    const run = cluster();
    const acts: readonly Act[] = [
      { kind: 'crash', node: 9 },
      { kind: 'cut', from: 0, to: 9 },
      { kind: 'partition', groups: [[0, 9], [1]] },
      { kind: 'links', faults: CALM, direction: { from: 9, to: 0 } },
    ];
    for (const act of acts) {
      expect(nodesOf(act)).toContain(9);
      expect(play(run, act, 0)).toBe(false);
    }
  });
});

describe('a run', () => {
  it('counts what was done and what was sent', () => {
    const { acts, messages, admitted, committedHeight, rounds, virtualMs } = runPlan({
      ...PLAN,
      acts: [
        at(500, { kind: 'load', node: 0, transactions: 20, bytes: 100 }),
        at(600, { kind: 'crash', node: 3 }),
      ],
    });
    expect(acts).toEqual({ load: 1, crash: 1 });
    expect(admitted).toBe(20);
    expect(messages.byKind.Proposal).toBeGreaterThanOrEqual(3);
    expect(rounds).toBeGreaterThanOrEqual(committedHeight);
    expect(virtualMs).toBe(3 * SECOND);
  });

  it('is a violation when a healed core does not commit (SM-5)', () => {
    // Two of four are no quorum: the claim must fail, or it could never fail.
    const plan: RunPlan = {
      ...PLAN,
      acts: [at(1_000, { kind: 'crash', node: 0 }), at(1_000, { kind: 'crash', node: 1 })],
      ending: { kind: 'heal-core', core: [2, 3] },
    };
    expect(runPlan(plan).violations).toMatchObject([
      { claim: 'a healed core commits while the rest stays broken' },
    ]);
    expect(runPlan({ ...plan, ending: { kind: 'heal-core', core: [1, 2, 3] } }).violations).toEqual([]);
  });

  it('is a violation with its plan when something is thrown outside of a cell', () => {
    const { violations } = runPlan(PLAN, {
      prepared: ({ clock }) => {
        clock.schedule(SECOND, () => {
          throw new TypeError('a defect of the simulator');
        });
      },
    });
    expect(violations).toMatchObject([
      { claim: 'nothing is thrown', detail: expect.stringContaining('a defect of the simulator') },
    ]);
  });
});
