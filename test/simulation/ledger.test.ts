/** The ledger in a simulated network, whose validators report by themselves who votes twice. Rules LG-16, LG-17, CS-14. */
import { describe, expect, it } from 'vitest';
import { ADDRESSES } from '../../src/actors/addresses.ts';
import { seededRandom } from '../../src/actors/runtime/index.ts';
import { LEDGER_EVIDENCE } from '../../src/application/ledger/report.ts';
import { ledgerRules } from '../../src/application/ledger/rules.ts';
import { stateApplication } from '../../src/application/state/application.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { millis } from '../../src/base/units.ts';
import type { Reports } from '../../src/protocol/bridge/reports.ts';
import { digestOf } from '../../src/protocol/chain/canonical.ts';
import type { BlockId, Vote } from '../../src/protocol/chain/types.ts';
import { doubleVote } from '../../src/protocol/consensus/evidence.ts';
import type { BlockExecuted } from '../../src/protocol/ports/execution.ts';
import { createLiar } from '../../src/simulation/byzantine/index.ts';
import { Cluster, type ClusterOptions } from '../../src/simulation/cluster.ts';
import type { ReplicatedBy } from '../../src/simulation/replicated.ts';
import { CALM } from '../../src/transport/hub.ts';
import { keyOf } from '../application/ledger/chain-of-ledger.ts';
import { height, present, round } from '../protocol/consensus/fixture.ts';

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
  evidence: LEDGER_EVIDENCE,
});

interface Seen {
  /** Results of reports by code, at the node with the newest block; of each block once. */
  readonly codes: number[];
  readonly accused: string[];
  readonly powers: { readonly height: number; readonly power: bigint }[];
}

/** What blocks of the chain carry, each block once. */
function watching(): { readonly seen: Seen; readonly executed: (message: BlockExecuted) => void } {
  const seen: Seen = { codes: [], accused: [], powers: [] };
  let newest = 0;
  return {
    seen,
    executed({ executed: { height }, transactions, validatorUpdates }) {
      if (height <= newest) return;
      newest = height;
      for (const { power } of validatorUpdates) seen.powers.push({ height, power });
      for (const { result } of transactions) {
        seen.codes.push(result.code);
        for (const { type, attributes } of result.events) {
          if (type === 'ledger.report') seen.accused.push(...attributes.map(({ value }) => value));
        }
      }
    },
  };
}

const liesOf = (cluster: Cluster) =>
  createLiar(
    { validator: LIAR, lies: ['equivocate'], rate: 0.8 },
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

/** What a node's evidence-reporter holds. */
function reportsOf(cluster: Cluster, node: number): Reports {
  const snapshot = cluster.node(node).process?.system.ref(ADDRESSES.evidenceReporter).info()?.snapshot;
  if (typeof snapshot !== 'object' || snapshot === null || !('context' in snapshot)) return new Map();
  return (snapshot.context as { readonly reports: Reports }).reports;
}

describe('a validator that votes twice (LG-17)', () => {
  it('is punished once by the nodes themselves, however many of them report it', () => {
    const { cluster, seen } = run();
    cluster.advance(30 * SECOND);
    cluster.finish();
    expect(cluster.checker.violations).toEqual([]);
    expect(cluster.checker.committedHeight).toBeGreaterThan(20);
    const offender = cluster.node(LIAR).address;
    expect(seen.accused).toEqual([offender]);
    expect(seen.powers).toHaveLength(1);
    expect(seen.codes.filter((code) => code === 0)).toHaveLength(1);
    expect(seen.codes.every((code) => code === 0 || code === 16)).toBe(true);
    const reporters = [0, 1, 3].filter((node) => reportsOf(cluster, node).size > 0);
    expect(reporters.length).toBeGreaterThan(0);
    for (const node of reporters) {
      expect([...reportsOf(cluster, node)]).toMatchObject([[offender, { status: 'ended', as: 'punished' }]]);
    }
  });

  it('is punished while strangers pour false reports of it into every node, and no block carries one of those', () => {
    const { cluster, seen } = run({ seed: 'flooded' });
    const { epoch } = cluster.epoch;
    const offender = cluster.node(LIAR).address;
    /** Two votes that nobody signed. */
    const falseReport = (number: number): Uint8Array => {
      const id = (text: string) => digestOf(utf8(`${text} ${number}`)) as string as BlockId;
      const vote = (blockId: BlockId): Vote => ({
        ...{ epoch, round: round(number + 1), height: height(1_000), blockId, parentId: id('parent') },
        ...{ parentRound: round(number), validator: offender, signature: new Uint8Array(96).fill(7) },
      });
      return LEDGER_EVIDENCE.encode(present(doubleVote(vote(id('one')), vote(id('other'))), 'an offence'));
    };
    let number = 0;
    const answered = new Set<string>();
    for (let turn = 0; turn < 120; turn += 1) {
      for (const node of [0, 1, 3]) {
        const transactions = Array.from({ length: 30 }, () => {
          number += 1;
          return falseReport(number);
        });
        cluster.node(node).reach((system) => {
          system.ref(ADDRESSES.bridge).tell({
            type: 'operations.submitted',
            client: 'stranger',
            transactions,
            replyTo: ADDRESSES.rpc,
            tag: turn,
          });
        });
      }
      cluster.advance(100);
    }
    cluster.finish();
    for (const { admitted } of cluster.nodes) for (const { status } of admitted) answered.add(status);
    expect(number).toBe(10_800);
    expect([...answered]).toEqual(['refused']);
    expect(cluster.checker.violations).toEqual([]);
    expect(seen.accused).toEqual([offender]);
    expect(seen.codes.every((code) => code === 0 || code === 16)).toBe(true);
  });

  it('is punished though its only witness is killed when the report is admitted, and remembers nothing (MP-3)', () => {
    let isLying = true;
    let admittedAt: number | undefined;
    const { cluster, seen } = run({
      seed: 'killed',
      voiceOf: (_, net) => {
        const liar = liesOf(net);
        return { ...liar, outgoing: (sent) => (isLying ? liar.outgoing(sent) : [sent]) };
      },
      observers: [
        {
          started: ({ node }, { system }) =>
            system.inspect({
              transition: ({ address, event }) => {
                if (address === ADDRESSES.evidenceReporter && event.type === 'operations.answered')
                  admittedAt ??= node;
              },
            }),
        },
      ],
    });
    const found = () => [0, 1, 3].filter((node) => reportsOf(cluster, node).size > 0);
    for (let ms = 0; ms < 10_000 && admittedAt === undefined; ms += 1) {
      cluster.advance(1);
      if (found().length > 0) isLying = false;
    }
    const witness = present(admittedAt, 'a report that was admitted');
    expect(found()).toEqual([witness]);
    expect([...reportsOf(cluster, witness).values()]).toMatchObject([{ status: 'submitted', attempts: 1 }]);
    expect(seen.accused).toEqual([]);
    cluster.crash(witness);
    cluster.advance(2 * SECOND);
    cluster.start(witness);
    cluster.advance(10 * SECOND);
    cluster.finish();
    expect(found()).toEqual([]);
    expect(seen.accused).toEqual([cluster.node(LIAR).address]);
    expect(cluster.checker.violations).toEqual([]);
  });
});
