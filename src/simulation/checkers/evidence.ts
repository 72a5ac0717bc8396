/**
 * Whom honest nodes hold proof against, and whom committed blocks accuse: only validators that lie or run twice; and the
 * chain carries an offence once. Read off snapshots and blocks. CS-14, SM-4.
 */
import type { System } from '../../actors/runtime/index.ts';
import { evidencePoolOf } from '../../node/views.ts';
import type { Address, Block, Evidence, Height } from '../../protocol/chain/types.ts';
import { accusedOf, epochOf, type Offence, offenceOf } from '../../protocol/consensus/evidence.ts';
import { evidenceHashOf } from './bytes.ts';
import type { Report } from './claim.ts';

export const ONLY_GUILTY = 'evidence is only against Byzantine validators';
export const AS_STATED = 'a committed block carries the evidence that its header states';
export const CARRIED_ALL = 'what an honest validator can prove comes into the chain while its epoch lasts';
export const CARRIED_IN_ITS_EPOCH =
  'a committed block carries evidence of its own epoch or of the one before';
export const CARRIED_ONCE = 'the chain carries an offence once while its evidence can be proposed';

export function checkEvidence(
  node: string,
  system: System,
  faulty: ReadonlySet<Address>,
  report: Report,
): void {
  for (const evidence of evidencePoolOf(system)?.pool.pending.values() ?? []) {
    if (!faulty.has(accusedOf(evidence))) report(ONLY_GUILTY, `${describe(evidence)}, held by ${node}`);
  }
}

/** Offences that it holds evidence of, and that no block carries yet. */
export const pendingOf = (system: System): readonly Offence[] => [
  ...(evidencePoolOf(system)?.pool.pending.keys() ?? []),
];

const describe = (evidence: Evidence): string => {
  const { round } = evidence.kind === 'DoubleVote' ? evidence.first : evidence.vote;
  return `${evidence.kind} of ${accusedOf(evidence)} in round ${round}`;
};

/** What the committed chain of a run carries; each height is told once, in any order. */
export class CarriedEvidence {
  readonly #faulty: ReadonlySet<Address>;
  readonly #ageHeights: number;
  readonly #heights = new Map<Offence, Set<Height>>();

  constructor(faulty: ReadonlySet<Address>, ageHeights: number) {
    this.#faulty = faulty;
    this.#ageHeights = ageHeights;
  }

  /** How often which offences were carried. */
  get offences(): ReadonlyMap<Offence, ReadonlySet<Height>> {
    return this.#heights;
  }

  committed({ header: { epoch, height, evidenceHash }, evidence: carried }: Block, report: Report): void {
    const evidence: readonly Evidence[] = carried ?? [];
    if (evidenceHash !== evidenceHashOf(evidence))
      report(AS_STATED, `${evidence.length} at height ${height}`);
    for (const one of evidence) {
      const offence = offenceOf(one);
      if (epochOf(one) !== epoch && epochOf(one) !== epoch - 1)
        report(CARRIED_IN_ITS_EPOCH, `${describe(one)}, at height ${height}`);
      const heights = this.#heights.get(offence) ?? new Set();
      this.#heights.set(offence, heights.add(height));
      if (!this.#faulty.has(accusedOf(one))) report(ONLY_GUILTY, `${describe(one)}, at height ${height}`);
      for (const other of heights) {
        const between = Math.abs(height - other);
        if (between > 0 && between <= this.#ageHeights) {
          report(CARRIED_ONCE, `${describe(one)} at heights ${other} and ${height}`);
        }
      }
    }
  }
}
