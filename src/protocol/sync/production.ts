/**
 * May this leader make a block now, as far as sync is concerned? A round's own certificates answer that; no poll of peers
 * does, for one lying peer of three would stop every honest leader. Pure. Rules SY-2, SY-7, docs/protocol/sync.md.
 */
import type { SyncStatus } from './types.ts';

/** What the leader of round r holds. */
export interface ProductionFacts {
  /** A verified QC or TC of round r−1 (CS-2). */
  readonly holdsEntry: boolean;
  /** The block of its high QC. */
  readonly holdsParent: boolean;
  /** It has executed what a block on that parent states. */
  readonly hasExecuted: boolean;
  /** Two proofs contradict each other (SY-5). */
  readonly forkProved: boolean;
  /** What the newest check said; shown, never a veto. */
  readonly status: SyncStatus;
}

/** `proceed` is seed 001's true or false. */
export type ProductionRuling =
  | { readonly proceed: true }
  | {
      readonly proceed: false;
      readonly code: 'FORK_PROVED' | 'ROUND_NOT_OPENED' | 'PARENT_MISSING' | 'NOT_EXECUTED';
      readonly detail: string;
    };

/** Seed 001: syncBeforeProduction. Asks nobody and waits for nothing: what is missing is being fetched already (CS-12). */
export function syncBeforeProduction(facts: ProductionFacts): ProductionRuling {
  const { holdsEntry, holdsParent, hasExecuted, forkProved, status } = facts;
  if (forkProved)
    return skip('FORK_PROVED', 'two proofs contradict each other: nothing is proposed any more');
  if (!holdsEntry) return skip('ROUND_NOT_OPENED', 'no certificate of the round before is held');
  if (!holdsParent)
    return skip('PARENT_MISSING', `the block of the high QC is being fetched; sync says ${status.kind}`);
  if (!hasExecuted)
    return skip('NOT_EXECUTED', `the parent's state is not executed yet; sync says ${status.kind}`);
  return { proceed: true };
}

const skip = (
  code: Extract<ProductionRuling, { proceed: false }>['code'],
  detail: string,
): ProductionRuling => ({ proceed: false, code, detail });
