/**
 * When a player's secret may be shown: once all commitments of its round are fixed on the chain. Pure; the page asks several
 * nodes for this, since one that lies could have the secret early, while its friend may still stay away. Rules DC-5, DC-6.
 */
import type { TableView } from '../views.ts';

/** How a table stands to one of its players: what honest nodes of the same height say alike. */
export type Standing =
  | { readonly kind: 'open' | 'committing'; readonly round: number }
  | {
      readonly kind: 'revealing';
      readonly round: number;
      /** By rising seat. */
      readonly commitments: readonly string[];
      /** That of the player, as long as it is not revealed. */
      readonly mine: string | undefined;
    }
  /** There is no such table any more, or the player does not sit there. */
  | { readonly kind: 'gone' };

export function standingOf(view: TableView, key: string): Standing {
  const seat = view?.table.seats.find((found) => found.key === key);
  if (view === null || seat === undefined) return { kind: 'gone' };
  const { phase, round, seats } = view.table;
  if (phase.kind !== 'revealing') return { kind: phase.kind, round };
  const commitments = seats.flatMap(({ part }) => ('commitment' in part ? [part.commitment] : []));
  const mine = seat.part.kind === 'committed' ? seat.part.commitment : undefined;
  return { kind: 'revealing', round, commitments, mine };
}
