/** What a liar wrote where no id covers it must not make its readers liars: 7 validators, one is late twice over. SY-8, CS-12. */
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/actors/runtime/index.ts';
import { millis } from '../../src/base/units.ts';
import { stateSyncOf } from '../../src/node/views.ts';
import { createLiar } from '../../src/simulation/byzantine/index.ts';
import { SYNC_WAY_NAMES, type SyncWay } from '../../src/simulation/byzantine/lie-sync.ts';
import { Cluster } from '../../src/simulation/cluster.ts';

const SECOND = 1_000;
const SHORT = {
  checkInterval: millis(2 * SECOND),
  tier1Timeout: millis(6 * SECOND),
  peerQueryTimeout: millis(SECOND),
  blockFetchTimeout: millis(2 * SECOND),
  tier2TimeoutPerBlock: millis(500),
} as const;
const HONEST = [0, 2, 3, 4] as const;
const LIAR = 1;
/** Hears the liar alone. */
const FIRST = 5;
/** Hears FIRST alone. */
const SECOND_LATE = 6;

function withLiar(way: SyncWay): { readonly run: Cluster; readonly told: () => number } {
  let told = 0;
  const place = SYNC_WAY_NAMES.indexOf(way);
  const run = new Cluster({
    seed: `one liar, then one reader: ${way}`,
    validators: 7,
    leaders: HONEST,
    absent: [FIRST, SECOND_LATE],
    liars: [LIAR],
    sync: SHORT,
    timeouts: { emptyBlockIntervalMs: millis(80) },
    voiceOf: ({ node }, net) => {
      const draws = seededRandom(way).stream('liar');
      const below = (bound: number): number =>
        bound === SYNC_WAY_NAMES.length ? place : bound === 8 ? 1 : draws.below(bound);
      const liar = createLiar(
        { validator: LIAR, lies: ['lie-sync'], rate: 1 },
        {
          signer: net.signerOf(node),
          epoch: net.epoch,
          draws: { next: () => draws.next(), state: () => draws.state(), below },
          aggregate: (signatures) => net.bls.aggregateSignatures(signatures),
        },
      );
      return {
        heard: (arriving) => liar.heard(arriving),
        outgoing: (sent) => {
          const out = liar.outgoing(sent);
          if (out[0]?.message !== sent.message) told += 1;
          return out;
        },
      };
    },
  });
  return { run, told: () => told };
}

const stateSyncAt = (run: Cluster, node: number) => {
  const system = run.node(node).process?.system;
  const known = system === undefined ? undefined : stateSyncOf(system);
  if (known === undefined) throw new Error(`validator ${node} has no state-sync`);
  return known;
};

it.each(['seam', 'inner-certificate'] as const)(
  '%s: who has caught up from a liar alone serves who comes next, and no honest node is blamed',
  (way) => {
    const { run, told } = withLiar(way);
    for (let at = 0; at < 5; at += 1) {
      run.submit(0, `key${at}=value${at}`);
      run.advance(SECOND);
    }
    for (const node of HONEST) run.cut(node, FIRST);
    run.start(FIRST);
    run.advance(3 * SECOND);
    const fromLiar = run.height(FIRST);
    expect([told() > 0, fromLiar > 40], `told ${told()}, height ${fromLiar}`).toEqual([true, true]);
    run.heal();
    run.advance(3 * SECOND);
    expect(run.height(FIRST) + 5).toBeGreaterThan(run.height(0));
    for (const node of [...HONEST, LIAR]) run.cut(node, SECOND_LATE);
    run.start(SECOND_LATE);
    const wanted = run.height(FIRST);
    for (let step = 0; step < 40 && run.height(SECOND_LATE) < wanted; step += 1) run.advance(SECOND / 2);
    const { counts, peers } = stateSyncAt(run, SECOND_LATE);
    const giver = run.nodes[FIRST]?.address;
    const { reputation } =
      [...peers.values()].map(({ state }) => state).find(({ peer }) => peer === giver) ?? {};
    expect(run.height(SECOND_LATE)).toBeGreaterThanOrEqual(wanted);
    expect([counts.lies, reputation?.removedUntil]).toEqual([0, undefined]);
    expect(reputation?.score).toBeGreaterThanOrEqual(0.5);
    expect(run.checker.violations).toEqual([]);
  },
  60_000,
);
