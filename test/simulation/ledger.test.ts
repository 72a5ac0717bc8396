/** The ledger in a simulated network, whose blocks carry proof of what a liar does. Rules LG-11, LG-12, CS-14. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/actors/runtime/index.ts';
import { ledgerRules } from '../../src/application/ledger/rules.ts';
import { stateApplication } from '../../src/application/state/application.ts';
import { millis } from '../../src/base/units.ts';
import { evidencePoolOf } from '../../src/node/views.ts';
import type { Evidence } from '../../src/protocol/chain/types.ts';
import type { BlockResults } from '../../src/protocol/ports/execution.ts';
import { createLiar } from '../../src/simulation/byzantine/index.ts';
import { Cluster } from '../../src/simulation/cluster.ts';
import type { ClusterOptions } from '../../src/simulation/cluster-options.ts';
import type { LieKind } from '../../src/simulation/plan.ts';
import type { ReplicatedBy } from '../../src/simulation/replicated.ts';
import { CALM } from '../../src/transport/hub.ts';
import { keyOf } from '../application/ledger/chain-of-ledger.ts';
import { present } from '../protocol/consensus/fixture.ts';

const SECOND = 1_000;
const LIAR = 2;

const ledger: ReplicatedBy = ({ domain, set }, bls) => ({
  open: () => stateApplication(ledgerRules({ domain, bls })),
  beginning: {
    validators: set.validators.map(({ nodeKey, consensusKey, power }) => ({
      ...{ nodeKey, consensusKey, power },
      possessionProof: new Uint8Array(0),
    })),
    appState: {
      accounts: [],
      operators: set.validators.map(({ address }) => ({ validator: address, operator: keyOf('op0').text })),
    },
  },
});

interface Seen {
  /** Events of punishment, at the node with the newest block; of each block once. */
  readonly accused: string[];
  readonly powers: { readonly height: number; readonly power: bigint }[];
}

/** What blocks of the chain lead to, each block once. */
function watching(): { readonly seen: Seen; readonly executed: (message: BlockResults) => void } {
  const seen: Seen = { accused: [], powers: [] };
  let newest = 0;
  return {
    seen,
    executed({ executed: { height }, events, validatorUpdates }) {
      if (height <= newest) return;
      newest = height;
      for (const { power } of validatorUpdates) seen.powers.push({ height, power });
      for (const { type, attributes } of events) {
        const validator = attributes.find(({ key }) => key === 'validator');
        if (type === 'ledger.punishment' && validator !== undefined) seen.accused.push(validator.value);
      }
    },
  };
}

/** Rounds fail, so that there are timeouts. */
const LOSSY = { ...CALM, delayMin: millis(5), delayMean: millis(20), drop: 0.06, reorder: true };

const liesOf = (cluster: Cluster, lie: LieKind = 'equivocate', rate = 0.8) =>
  createLiar(
    { validator: LIAR, lies: [lie], rate },
    {
      epoch: cluster.epoch,
      signer: cluster.signerOf(LIAR),
      draws: seededRandom('liar').stream('lies'),
      aggregate: (signatures) => cluster.bls.aggregateSignatures(signatures),
    },
  );

function run(options: Partial<ClusterOptions> = {}) {
  const { seen, executed } = watching();
  const cluster = new Cluster({
    seed: 'ledger',
    application: ledger,
    timeouts: { emptyBlockIntervalMs: millis(200) },
    faults: { ...CALM, delayMin: millis(5), delayMean: millis(20), drop: 0.02, reorder: true },
    liars: [LIAR],
    voiceOf: (_, net) => liesOf(net),
    ...options,
    observers: [
      { executed: ({ faulty }, message) => (faulty ? undefined : executed(message)) },
      ...(options.observers ?? []),
    ],
  });
  return { cluster, seen };
}

const pendingAt = (cluster: Cluster, node: number): number => {
  const system = cluster.node(node).process?.system;
  return system === undefined ? 0 : (evidencePoolOf(system)?.pool.pending.size ?? 0);
};

function expectPunishedOnce({ cluster, seen }: ReturnType<typeof run>, kind: Evidence['kind']): void {
  const offender = cluster.node(LIAR).address;
  expect(cluster.checker.violations).toEqual([]);
  expect(seen.accused).toEqual([offender]);
  expect(seen.powers).toHaveLength(1);
  const carried = [...cluster.carried].map(([offence, heights]) => [offence, heights.size]);
  expect(carried).toContainEqual([`0/${kind}/${offender}`, 1]);
}

describe('a validator whose offences prove themselves (CS-14, LG-11)', () => {
  it('votes twice: a block carries the proof once, and it loses stake and power once', () => {
    const ran = run();
    ran.cluster.advance(20 * SECOND);
    ran.cluster.finish();
    expect(ran.cluster.checker.committedHeight).toBeGreaterThan(20);
    expectPunishedOnce(ran, 'DoubleVote');
    for (const node of [0, 1, 3]) expect(pendingAt(ran.cluster, node)).toBe(0);
  });

  it('hides a QC that its own vote extended: the same', () => {
    const ran = run({ seed: 'hidden 3', voiceOf: (_, net) => liesOf(net, 'hide-qc', 1), faults: LOSSY });
    ran.cluster.advance(40 * SECOND);
    ran.cluster.finish();
    expectPunishedOnce(ran, 'QcHiding');
  });

  it('is punished though the one who saw it is killed at once, and remembers nothing', () => {
    let isLying = true;
    const ran = run({
      seed: 'killed',
      voiceOf: (_, net) => {
        const liar = liesOf(net);
        return { ...liar, outgoing: (sent) => (isLying ? liar.outgoing(sent) : [sent]) };
      },
    });
    const { cluster, seen } = ran;
    const holders = () => [0, 1, 3].filter((node) => pendingAt(cluster, node) > 0);
    for (let ms = 0; ms < 10_000 && isLying; ms += 1) {
      cluster.advance(1);
      if (holders().length > 0) isLying = false;
    }
    const [witness] = holders();
    // What it told has reached the others.
    cluster.advance(60);
    expect(seen.accused).toEqual([]);
    cluster.crash(present(witness, 'a witness'));
    cluster.advance(2 * SECOND);
    cluster.start(present(witness, 'a witness'));
    cluster.advance(10 * SECOND);
    cluster.finish();
    expectPunishedOnce(ran, 'DoubleVote');
  });

  it('is not carried a second time by nodes that all begin anew (CS-14)', () => {
    const ran = run({ seed: 'restarted' });
    const { cluster } = ran;
    cluster.advance(10 * SECOND);
    for (const node of [0, 1, 3]) {
      cluster.crash(node);
      cluster.start(node);
    }
    cluster.advance(10 * SECOND);
    cluster.finish();
    expectPunishedOnce(ran, 'DoubleVote');
  });
});
