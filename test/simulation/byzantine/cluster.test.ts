/**
 * Networks with as many liars as they bear: the honest stay safe and commit on, only liars are blamed and proven guilty.
 * Rules SM-3, SM-4, SM-5, CS-14, TP-6.
 */
import { describe, expect, it } from 'vitest';
import { ADDRESSES } from '../../../src/actors/addresses.ts';
import { millis } from '../../../src/base/units.ts';
import type { Address } from '../../../src/protocol/chain/types.ts';
import { accusedOf } from '../../../src/protocol/consensus/evidence.ts';
import type { EvidenceFound } from '../../../src/protocol/ports/consensus.ts';
import { LIE_KINDS } from '../../../src/simulation/byzantine/index.ts';
import type { Liar, LieKind, RunPlan } from '../../../src/simulation/plan.ts';
import { type RunReport, runPlan } from '../../../src/simulation/run.ts';
import { CALM, type LinkFaults } from '../../../src/transport/hub.ts';

/** Now and then a round fails by itself. */
const ROUGH: LinkFaults = { ...CALM, delayMin: millis(5), delayMean: millis(20), drop: 0.04, reorder: true };

function planWith(seed: string, validators: number, liars: readonly Liar[]): RunPlan {
  return {
    seed,
    validators,
    twins: [],
    lateStarts: [],
    signatures: 'keyed-hash',
    carry: 'codec',
    links: ROUGH,
    timeouts: { emptyBlockIntervalMs: millis(200) },
    liars,
    clocks: [],
    acts: Array.from({ length: 20 }, (_, turn) => ({
      at: 300 + turn * 500,
      act: { kind: 'load', node: turn % validators, transactions: 2, bytes: 64 },
    })),
    durationMs: 12_000,
    ending: { kind: 'heal-all' },
  };
}

interface Watched {
  readonly report: RunReport;
  /** Codes for which honest nodes blamed liars. */
  readonly codes: ReadonlySet<string>;
  /** Honest validators whom honest nodes blamed, with the code. */
  readonly slandered: readonly string[];
  /** Validators against whom honest nodes found evidence; blocks carry it on. */
  readonly accused: ReadonlySet<number>;
}

function watched(plan: RunPlan): Watched {
  const lying = new Set(plan.liars.map(({ validator }) => validator));
  const addresses: Address[] = [];
  const codes = new Set<string>();
  const slandered: string[] = [];
  const accused = new Set<number>();
  const report = runPlan(plan, {
    prepared: (cluster) => {
      addresses.push(...cluster.nodes.map(({ address }) => address));
    },
    observers: [
      {
        started: ({ validator }, { system }) => {
          if (lying.has(validator)) return;
          system.inspect({
            transition: ({ address, event }) => {
              if (event.type === 'evidence.found') {
                accused.add(addresses.indexOf(accusedOf((event as EvidenceFound).evidence)));
              }
              if (address !== ADDRESSES.router || event.type !== 'peer.misbehaved') return;
              if (!('peer' in event) || !('code' in event)) return;
              const { peer, code } = event;
              const blamed = addresses.map(String).indexOf(String(peer));
              if (lying.has(blamed)) codes.add(String(code));
              // Nobody's lie: on these links a question or its answer may be lost.
              else if (code !== 'REQUEST_TIMEOUT') slandered.push(`${String(code)} ${blamed}`);
            },
          });
        },
      },
    ],
  });
  return { report, codes, slandered, accused };
}

function expectUnharmed({ report, slandered, accused }: Watched): void {
  expect(report.violations).toEqual([]);
  expect(slandered).toEqual([]);
  const lying = report.plan.liars.map(({ validator }) => validator);
  for (const validator of accused) expect(lying).toContain(validator);
  expect(report.committedHeight).toBeGreaterThan(5);
}

/** What of a lie honest nodes must notice; all others leave no trace that proves anything. */
const NOTICED: Partial<Record<LieKind, readonly string[]>> = {
  equivocate: ['DOUBLE_VOTE'],
  'lie-heights': ['HEIGHT_WRONG', 'DOUBLE_VOTE'],
  'lie-times': ['TIME_NOT_AFTER_PARENT', 'TIME_TOO_EARLY'],
  'stale-certificates': ['ENTRY_INVALID'],
  'forge-signers': ['SIGNATURE_INVALID'],
  'duplicate-signers': ['SIGNERS_MALFORMED'],
  flood: ['BATCH_MALFORMED'],
  mutate: ['SIGNATURE_INVALID', 'LINK_WRONG'],
  'lie-vrf': ['VRF_PROOF_UNEXPECTED'],
};

describe('four validators, one liar', () => {
  it.each(LIE_KINDS)('%s: the three stay safe and live, and blame nobody else', (kind) => {
    const liar: Liar = { validator: LIE_KINDS.indexOf(kind) % 4, lies: [kind], rate: 0.8 };
    const run = watched(planWith(`one/${kind}`, 4, [liar]));
    expectUnharmed(run);
    for (const code of NOTICED[kind] ?? []) expect(run.codes).toContain(code);
    if (kind === 'equivocate') expect([...run.accused]).toEqual([liar.validator]);
  });

  it('of every lie at once', () => {
    const [first = 'mutate', ...others] = LIE_KINDS;
    expectUnharmed(watched(planWith('all', 4, [{ validator: 1, lies: [first, ...others], rate: 1 }])));
  });
});

describe('leaders drawn by stake, with VRF (CS-15, CS-17)', () => {
  const leadership = { leaderSchedule: 'stake_weighted', leaderReputation: true, vrf: true } as const;

  it.each(['keyed-hash', 'bls'] as const)(
    'a leader with a replayed, foreign, forged or missing proof is refused, and blamed: %s',
    (signatures) => {
      const liars: readonly Liar[] = [{ validator: 2, lies: ['lie-vrf'], rate: 0.8 }];
      const run = watched({ ...planWith(`vrf/${signatures}`, 4, liars), leadership, signatures });
      expectUnharmed(run);
      expect(run.codes).toContain('VRF_PROOF_WRONG');
      expect(run.codes).toContain('VRF_PROOF_MALFORMED');
      expect(run.codes).not.toContain('VRF_PROOF_UNEXPECTED');
    },
  );

  it('commits what four validators of unequal power propose, on rough links', () => {
    const plan = { ...planWith('vrf/honest', 4, []), powers: [1, 2, 3, 4], leadership };
    expectUnharmed(watched(plan));
  });
});

describe('seven validators, two liars', () => {
  const pairs: readonly (readonly [LieKind, LieKind])[] = [
    ['equivocate', 'hide-qc'],
    ['withhold-votes', 'stale-certificates'],
    ['mutate', 'forge-signers'],
    ['lie-times', 'lie-heights'],
    ['duplicate-signers', 'equivocate'],
    ['flood', 'mutate'],
  ];

  it.each(pairs)('%s and %s: the five stay safe and live, and blame nobody else', (one, other) => {
    const liars: readonly Liar[] = [
      { validator: 2, lies: [one], rate: 0.8 },
      { validator: 3, lies: [other, one], rate: 0.6 },
    ];
    expectUnharmed(watched(planWith(`two/${one}/${other}`, 7, liars)));
  });
});
