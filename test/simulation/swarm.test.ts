/** Many seeds, each with its own faults; a failing seed is printed, and replays to the bit. Rules SM-1 to SM-5. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runPlan } from '../../src/simulation/run.ts';
import { readScenario } from '../../src/simulation/scenario.ts';
import { planForLiveness, planOf } from '../../src/simulation/swarm.ts';
import { Trace } from '../../src/simulation/trace.ts';

/** In continuous integration; `npm run simulate -- --seeds N` runs more. @unit seeds */
const SEEDS = 30;
const LIVENESS_SEEDS = 20;

describe('the swarm', () => {
  it(`finds no violation in seeds 1 to ${SEEDS} (SM-4, SM-5)`, () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      expect({ seed, violations: runPlan(planOf(seed)).violations }).toEqual({ seed, violations: [] });
    }
  });

  it(`finds a quorum that is healed alone committing again in seeds 1 to ${LIVENESS_SEEDS} (SM-5)`, () => {
    for (let seed = 1; seed <= LIVENESS_SEEDS; seed += 1) {
      const { violations, recoveryMs } = runPlan(planForLiveness(seed));
      expect({ seed, violations }).toEqual({ seed, violations: [] });
      expect(recoveryMs).toBeGreaterThan(0);
    }
  });

  it('finds none in a fresh seed', () => {
    const seed = Math.floor(Date.now() / 1_000);
    console.log(`fresh seed ${seed}: npm run simulate -- --seeds 1 --from ${seed}`);
    expect({ seed, violations: runPlan(planOf(seed)).violations }).toEqual({ seed, violations: [] });
  });

  it('runs a plan twice through the same steps to the same end, over the codec too (SM-1)', () => {
    for (const carry of ['reference', 'codec'] as const) {
      const plan = { ...planOf(1_001), carry };
      const run = () => {
        const trace = new Trace();
        const report = runPlan(plan, { observers: [trace.observer()] });
        return { report, hashes: trace.hashes() };
      };
      const once = run();
      expect(once.hashes.steps).toBeGreaterThan(1_000);
      expect(run()).toEqual(once);
    }
  });
});

describe('the plans of seeds', () => {
  const plans = Array.from({ length: 400 }, (_, seed) => planOf(seed));

  it('have every kind of fault, and none in every seed (SM-2)', () => {
    const kinds = plans.map(({ acts }) => new Set(acts.map(({ act }) => act.kind)));
    const counts = new Map<string, number>();
    for (const kind of kinds.flatMap((set) => [...set])) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    expect(counts.size).toBe(20);
    for (const [kind, count] of counts) {
      expect({ kind, some: count > 20, all: count === plans.length }).toEqual({
        kind,
        some: true,
        all: false,
      });
    }
  });

  it('use real BLS, the codec, liars, twins, powers, wrong clocks, NTP and late starts in a share of seeds (SM-1 to SM-3)', () => {
    const share = (has: (plan: (typeof plans)[number]) => boolean): number =>
      plans.filter(has).length / plans.length;
    expect(share(({ signatures }) => signatures === 'bls')).toBeCloseTo(1 / 20, 1);
    for (const has of [
      share(({ carry }) => carry === 'codec'),
      share(({ liars }) => liars.length > 0),
      share(({ twins }) => twins.length > 0),
      share(({ powers }) => powers !== undefined),
      share(({ clocks }) => clocks.length > 0),
      share(({ clocks }) => clocks.filter(({ offsetMs }) => Math.abs(offsetMs) > 1_000).length > 1),
      share(({ acts }) => acts.some(({ act }) => act.kind === 'clock-step' && Math.abs(act.ms) > 1_800_000)),
      share(({ time }) => time?.source === 'hybrid'),
      share(({ time }) => time?.source === 'ntp'),
      share(({ time }) => time?.servers.some(({ offsetMs }) => Math.abs(offsetMs) > 1_000) === true),
      share(({ time }) => time?.servers.some(({ silentFrom }) => silentFrom !== undefined) === true),
      share(({ lateStarts }) => lateStarts.length > 0),
      share(({ links }) => (links.copies ?? 1) > 50),
      share(({ validators }) => validators !== 4),
      share(({ epochs }) => epochs !== undefined),
      share(({ epochs }) => (epochs?.length ?? 0) > 0),
      share(({ epochs, liars, twins }) => epochs !== undefined && liars.length + twins.length > 0),
      share(({ leadership }) => leadership?.leaderSchedule === 'stake_weighted'),
      share(({ leadership }) => leadership?.leaderReputation === true),
    ]) {
      expect(has).toBeGreaterThan(0.01);
      expect(has).toBeLessThan(0.7);
    }
  });

  it('change validators so that whoever lies or runs twice has less than a third, whichever changes take effect (CS-16)', () => {
    const changed = plans.filter(
      ({ epochs, liars, twins }) => epochs !== undefined && liars.length + twins.length > 0,
    );
    expect(changed.length).toBeGreaterThan(10);
    for (const { epochs, liars, twins, acts } of changed) {
      const faulty = [...liars.map(({ validator }) => validator), ...twins];
      const changes = acts.flatMap(({ act }) => (act.kind === 'change-validator' ? [act] : []));
      const powers = (validator: number): readonly number[] => [
        ...(validator < (epochs?.members ?? 0) ? [1] : [0]),
        ...changes.filter((act) => act.validator === validator).map(({ power }) => power),
      ];
      const most = faulty.reduce((sum, one) => sum + Math.max(...powers(one)), 0);
      const honest = Array.from({ length: epochs?.members ?? 0 }, (_, one) => one).filter(
        (one) => !faulty.includes(one),
      );
      const least = honest.reduce((sum, one) => sum + Math.min(...powers(one)), 0);
      expect(least).toBeGreaterThan(2 * most);
    }
  });

  it('let no server that is far off be the only one that tells the time (TM-6)', () => {
    const timed = Array.from({ length: 4_000 }, (_, seed) => planOf(seed).time?.servers ?? []).filter(
      (servers) => servers.some(({ offsetMs }) => Math.abs(offsetMs) > 1_000_000),
    );
    expect(timed.length).toBeGreaterThan(50);
    for (const servers of timed) {
      const telling = servers.filter(({ isUnsynchronised }) => isUnsynchronised === undefined);
      const far = telling.filter(({ offsetMs }) => Math.abs(offsetMs) > 5_000);
      expect(far.length).toBeLessThanOrEqual(telling.length / 2);
    }
  });

  it('never have more than f validators that lie or run twice', () => {
    for (const { epochs, validators, liars, twins } of plans) {
      const members = epochs?.members ?? validators;
      expect(liars.length + twins.length).toBeLessThanOrEqual(Math.floor((members - 1) / 3));
    }
  });
});

/** Runs that once failed; what they found is in docs/bugs-found.md. */
describe('regression', () => {
  const play = (name: string) => {
    const reading = readScenario(readFileSync(new URL(`scenarios/${name}.json`, import.meta.url), 'utf8'));
    if (reading.status === 'refused') throw new Error(JSON.stringify(reading.problems));
    return runPlan(reading.plan).violations;
  };

  it('a cluster whose restarted nodes know a commit but not its proof commits again (seed 115)', () => {
    expect(play('seed-115')).toEqual([]);
  });

  it('a node that committed blocks without their batches executes them after a restart (seed 528)', () => {
    expect(play('seed-528')).toEqual([]);
  });

  it('a node whose consensus restarts between a commit and its news executes all the same (seed 363)', () => {
    expect(play('seed-363')).toEqual([]);
  });

  it('a node asks others for blocks when the one connection that it heard of carries nothing (seed 324)', () => {
    expect(play('seed-324')).toEqual([]);
  });

  it('what a validator admitted before it was removed is handed to the others (seed 68)', () => {
    expect(play('seed-68')).toEqual([]);
  });

  it('what a full node handed to one validator that keeps it to itself goes to another (BR-8, seed 55583)', () => {
    expect(play('seed-55583')).toEqual([]);
  });

  it('a quorum by power commits though two of four are dead, whose turns would be every other one (seed 444)', () => {
    expect(play('seed-444')).toEqual([]);
  });
});
