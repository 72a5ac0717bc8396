/** Whom honest nodes hold proof against: only validators that lie or run twice. Read off their snapshots. CS-14, SM-4. */
import type { System } from '../../actors/runtime/index.ts';
import { treeOf } from '../../node/views.ts';
import type { Address } from '../../protocol/chain/types.ts';
import type { Report } from './claim.ts';

export const ONLY_GUILTY = 'evidence is only against Byzantine validators';

export function checkEvidence(
  node: string,
  system: System,
  faulty: ReadonlySet<Address>,
  report: Report,
): void {
  for (const evidence of treeOf(system)?.evidence ?? []) {
    const accused = evidence.kind === 'DoubleVote' ? evidence.first.validator : evidence.vote.validator;
    const { round } = evidence.kind === 'DoubleVote' ? evidence.first : evidence.vote;
    if (!faulty.has(accused))
      report(ONLY_GUILTY, `${evidence.kind} of ${accused} in round ${round}, at ${node}`);
  }
}
