/** What follows distance and load, in the deterministic cluster. CS-11, BR-11. */
import { expect, it } from 'vitest';
import { millis } from '../../src/base/units.ts';
import { pacingReport } from '../../src/node/pacing-report.ts';
import { mempoolOf, viewChangeOf } from '../../src/node/views.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import { CALM } from '../../src/transport/hub.ts';

const SECOND = 1_000;

function pacingOf(run: Cluster, index: number) {
  const system = run.node(index).process?.system;
  const views = system && viewChangeOf(system);
  const mempool = system && mempoolOf(system)?.mempool;
  if (views === undefined || mempool === undefined) throw new Error(`node ${index} is down`);
  return pacingReport({ ...mempool, pacemaker: views.live?.pacemaker, timeouts: views.timeouts });
}

/** Each node gets one submission each 100 ms. */
function load(run: Cluster, seconds: number): void {
  for (let turn = 0; turn < 10 * seconds; turn += 1) {
    for (const { index } of run.nodes) run.submit(index, `key${turn}=of ${index}`);
    run.advance(100);
  }
}

it.each([
  [2, 4, 30, 10, 20],
  [200, 400, 1_200, 40, 100],
])(
  'validators %i ms apart measure a round trip of about %i ms, and pace themselves by it',
  (oneWay, roundTrip, target, least, greatest) => {
    const run = new Cluster({ seed: 5, carry: 'codec', timeouts: { emptyBlockIntervalMs: millis(1_000) } });
    run.setLinks({ ...CALM, delayMin: millis(oneWay), delayMean: millis(0) });
    run.advance(5 * SECOND);
    load(run, 15);
    run.advance(10 * SECOND);
    const reports = run.nodes.map(({ index }) => pacingOf(run, index));
    for (const report of reports) {
      expect(report.roundTrip).toBeCloseTo(roundTrip, -2);
      expect(report.blockTimeTarget).toBeGreaterThanOrEqual(target);
      expect(report.sealInterval.now).toBeGreaterThanOrEqual(least);
      expect(report.sealInterval.now).toBeLessThanOrEqual(greatest);
      expect(report.roundTimeout?.now).toBeGreaterThanOrEqual(2 * roundTrip);
    }
    // The chain says the same to all.
    expect(new Set(reports.map(({ blockShare }) => blockShare.now)).size).toBe(1);
    expect(run.lostTransactions()).toEqual([]);
    expect(run.checker.violations).toEqual([]);
  },
);
