/** Catching up in whole networks: late nodes, long outages, liars who serve badly, forks. The checkers judge along. SY-1 to SY-12. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/actors/runtime/index.ts';
import { millis } from '../../src/base/units.ts';
import { networkSyncOf, stateSyncOf } from '../../src/node/views.ts';
import { play } from '../../src/simulation/acts.ts';
import { createLiar } from '../../src/simulation/byzantine/index.ts';
import { SYNC_WAY_NAMES, type SyncWay } from '../../src/simulation/byzantine/lie-sync.ts';
import { ONE_CHAIN } from '../../src/simulation/checkers/agreement.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import type { ClusterOptions } from '../../src/simulation/cluster-options.ts';
import { findingsOf } from '../../src/simulation/mutants/sync-trials.ts';
import type { KillableCell } from '../../src/simulation/plan.ts';
import { runPlan } from '../../src/simulation/run.ts';
import { planOf } from '../../src/simulation/swarm.ts';

const SECOND = 1_000;
const LIAR = 1;
const LATE = 3;
const SHORT = {
  checkInterval: millis(2 * SECOND),
  tier1Timeout: millis(6 * SECOND),
  peerQueryTimeout: millis(SECOND),
  blockFetchTimeout: millis(2 * SECOND),
  tier2TimeoutPerBlock: millis(500),
} as const;

/** So many blocks a second as a run can afford where their number does not matter. */
const SLOW = { emptyBlockIntervalMs: millis(100) };

const fastChain = (options: Partial<ClusterOptions> = {}): Cluster =>
  new Cluster({
    seed: 'sync',
    timeouts: { emptyBlockIntervalMs: millis(25) },
    // Who comes late leads no round, so that the chain is fast without it.
    leaders: [0, 1, 2],
    sync: SHORT,
    ...options,
  });

function syncAt(run: Cluster, node: number) {
  const system = run.node(node).process?.system;
  const chart = system === undefined ? undefined : networkSyncOf(system);
  return chart;
}

const statusAt = (run: Cluster, node: number): string => syncAt(run, node)?.context.status.kind ?? 'down';

/** Advances until it is so. @param steps of half a second each, at most */
function until(run: Cluster, isSo: () => boolean, steps: number): boolean {
  for (let step = 0; step < steps && !isSo(); step += 1) run.advance(SECOND / 2);
  return isSo();
}

const isLevel = (run: Cluster, node: number): boolean =>
  statusAt(run, node) === 'InSync' && run.height(node) + 5 >= run.height(0);

describe('a node that starts late', () => {
  it('catches up hundreds of blocks with an empty disk and then is in sync, gap 0 (SY-8, SY-12)', () => {
    const run = fastChain({ absent: [LATE] });
    run.advance(7 * SECOND);
    const behind = run.height(0);
    expect(behind).toBeGreaterThan(200);
    run.start(LATE);
    expect(until(run, () => isLevel(run, LATE), 20)).toBe(true);
    expect(run.height(LATE)).toBeGreaterThan(behind);
    expect(run.checker.violations).toEqual([]);
  });

  it('alone with nobody is never in sync, and does not go on by itself (SY-2, bug "no peers" taken for "synced")', () => {
    const run = fastChain({ timeouts: SLOW });
    run.partition([0, 1, 2], [LATE]);
    run.crash(LATE);
    run.start(LATE);
    for (let step = 0; step < 30; step += 1) {
      run.advance(SECOND / 2);
      expect(statusAt(run, LATE)).toBe('Unknown');
    }
    expect(run.height(LATE)).toBe(0);
    run.heal();
    expect(until(run, () => isLevel(run, LATE), 30)).toBe(true);
    expect(run.checker.violations).toEqual([]);
  });

  it('and hears of a window of 16 blocks only never asks beyond it (SY-8)', () => {
    const run = fastChain({ absent: [LATE], sync: { ...SHORT, tier2MaxGap: 16 } });
    run.advance(5 * SECOND);
    run.start(LATE);
    expect(until(run, () => isLevel(run, LATE), 30)).toBe(true);
    expect(run.checker.violations).toEqual([]);
  });
});

/** A network whose validator LIAR serves in one way while LATE catches up. */
function servedBy(way: SyncWay): { readonly run: Cluster; readonly told: () => number } {
  let told = 0;
  const place = SYNC_WAY_NAMES.indexOf(way);
  const run = fastChain({
    seed: `served ${way}`,
    timeouts: SLOW,
    absent: [LATE],
    liars: [LIAR],
    voiceOf: ({ node }, net) => {
      const draws = seededRandom(`served ${way}`).stream('liar');
      const liar = createLiar(
        { validator: LIAR, lies: ['lie-sync'], rate: 1 },
        {
          signer: net.signerOf(node),
          epoch: net.epoch,
          draws: {
            next: () => draws.next(),
            state: () => draws.state(),
            // The first way is the one, and no other is drawn besides.
            below: (bound) =>
              bound === SYNC_WAY_NAMES.length ? place : bound === 8 ? 1 : draws.below(bound),
          },
          aggregate: (signatures) => net.bls.aggregateSignatures(signatures),
        },
      );
      return {
        heard: (arriving) => liar.heard(arriving),
        outgoing: (sent) => {
          const out = liar.outgoing(sent);
          if (out.length !== 1 || out[0]?.message !== sent.message) told += 1;
          return out;
        },
      };
    },
  });
  return { run, told: () => told };
}

describe('one liar of four who serves badly', () => {
  it.each(SYNC_WAY_NAMES.filter((way) => way !== 'orphans'))(
    '%s: who comes late is in sync soon, no honest node is blamed, none is Critical (SY-3 to SY-8)',
    (way) => {
      const { run, told } = servedBy(way);
      for (let at = 1; at < 4; at += 1) {
        run.advance(SECOND);
        run.submit(0, `key${at}=value${at}`);
      }
      // At first it hears the liar alone, so that it asks the liar.
      for (const from of [0, 2]) run.cut(from, LATE);
      run.start(LATE);
      run.advance(1.2 * SECOND);
      run.heal();
      expect(until(run, () => isLevel(run, LATE), 60)).toBe(true);
      expect(told()).toBeGreaterThan(0);
      expect(run.checker.violations).toEqual([]);
    },
  );
});

/** Halves that commit a chain each: more than f run twice. 4 and 5 are the second instances of 0 and 1. */
function forkedNetwork(): Cluster {
  const run = fastChain({ seed: 'fork', twins: [0, 1], leaders: [0, 1], timeouts: SLOW });
  run.partition([0, 1, 2], [3, 4, 5]);
  run.advance(SECOND / 2);
  run.submit(2, 'left=1');
  run.submit(3, 'right=1');
  run.advance(2 * SECOND);
  expect(run.height(2)).toBeGreaterThan(10);
  expect(run.height(3)).toBeGreaterThan(10);
  run.heal();
  return run;
}

describe('fork of certified blocks', () => {
  it('Critical, evidence kept, voting stopped: both halves, by more than f that run twice (SY-5)', () => {
    const run = forkedNetwork();
    expect(until(run, () => [2, 3].every((node) => statusAt(run, node) === 'Critical'), 60)).toBe(true);
    for (const node of [2, 3]) {
      expect(syncAt(run, node)).toMatchObject({ state: 'critical' });
      expect(syncAt(run, node)?.context.fork?.evidence?.kind).toMatch(/CommitProofs|RoundCertificates/);
    }
    // Its safety cell is halted: it refuses to sign.
    for (const node of [2, 3]) expect(run.node(node).needsOperator).toBe(true);
    const heights = [run.height(2), run.height(3)];
    run.advance(10 * SECOND);
    run.finish();
    expect([run.height(2), run.height(3)]).toEqual(heights);
    expect(run.checker.violations.some(({ claim }) => claim === ONE_CHAIN)).toBe(true);
    // What sync promises of a fork holds: proofs that hold, nothing signed after, no resync by itself.
    expect(findingsOf('fork', run.checker.violations)).toEqual([]);
  });

  it('f that run twice make none: nobody is Critical (SY-5)', () => {
    const run = fastChain({ seed: 'no fork', twins: [0], timeouts: SLOW });
    run.partition([0, 1, 2], [3, 4]);
    run.advance(3 * SECOND);
    run.heal();
    expect(until(run, () => [1, 2, 3].every((node) => isLevel(run, node)), 40)).toBe(true);
    expect(run.checker.violations).toEqual([]);
  });
});

describe('cells of sync that die', () => {
  const CELLS: readonly KillableCell[] = [
    'side-store',
    'chain-server',
    'state-sync',
    'height-sync',
    'block-sync',
    'chain-sync',
    'network-sync',
    'sync-coordinator',
  ];

  it('in the middle of catching up, one after the other: it goes on, and is in sync (SY-12)', () => {
    const run = fastChain({ absent: [LATE] });
    run.advance(4 * SECOND);
    run.start(LATE);
    for (const cell of CELLS) {
      run.advance(40);
      expect(play(run, { kind: 'kill-cell', node: LATE, cell }, 0)).toBe(true);
    }
    expect(until(run, () => isLevel(run, LATE), 60)).toBe(true);
    expect(run.checker.violations).toEqual([]);
  });

  it('while nobody can be reached, and one that lies about its genesis can: it is in sync after the heal (SY-4)', () => {
    const { run } = servedBy('other-genesis');
    run.start(LATE);
    run.advance(5 * SECOND);
    run.partition([0, 1, 2], [LIAR, LATE]);
    play(run, { kind: 'kill-cell', node: LATE, cell: 'state-sync' }, 0);
    run.advance(10 * SECOND);
    const system = run.node(LATE).process?.system;
    const known = system === undefined ? undefined : stateSyncOf(system);
    expect([...(known?.peers.values() ?? [])].filter(({ presence }) => presence === 'connected').length).toBe(
      1,
    );
    run.heal();
    expect(until(run, () => isLevel(run, LATE), 60)).toBe(true);
  });
});

describe('seeds of the swarm', () => {
  // 60, 311: gates that asked nobody anew, and always the silent one.
  it.each([60, 311])('lie-sync, seed %i: no claim is broken', (seed) => {
    expect(runPlan(planOf(seed, { lie: 'lie-sync' })).violations).toEqual([]);
  });
});
