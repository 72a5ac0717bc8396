/**
 * Which node a message's other end is, in recorded runs: nodes know each other by id, and a simulation may run a validator twice under one id.
 * Pure. Rules IN-1, SM-1.
 */
import type { NodeIndex, WireEvent } from '../observe/feed/feed.ts';

export class Peers {
  /** Nodes of an id, in order. */
  readonly #byId = new Map<string, NodeIndex[]>();

  /** @param ids of the nodes, by index */
  constructor(ids: readonly string[]) {
    for (const [node, id] of ids.entries()) {
      const known = this.#byId.get(id);
      if (known === undefined) this.#byId.set(id, [node]);
      else known.push(node);
    }
  }

  /** The node of an id, the first of several; the id where the run has none. */
  first(peer: WireEvent['peer']): WireEvent['peer'] {
    return typeof peer === 'string' ? (this.#byId.get(peer)?.[0] ?? peer) : peer;
  }

  /** Rows with the ends that they have had: a message to one of several is where the rows say that it came from or arrived. */
  resolve(rows: readonly WireEvent[]): readonly WireEvent[] {
    const isDoubtful = ({ peer }: WireEvent): boolean =>
      typeof peer === 'string' && (this.#byId.get(peer)?.length ?? 0) > 1;
    if (!rows.some(isDoubtful)) return rows.map((row) => ({ ...row, peer: this.first(row.peer) }));
    const seen = new Set(rows.map(({ id, direction, node }) => `${id} ${direction} ${node}`));
    return rows.flatMap((row) => {
      const { id, direction, peer } = row;
      if (typeof peer !== 'string' || !isDoubtful(row)) return [{ ...row, peer: this.first(peer) }];
      const other = direction === 'sent' ? 'received' : 'sent';
      const ends = (this.#byId.get(peer) ?? []).filter((node) => seen.has(`${id} ${other} ${node}`));
      // One that came to both of them has left for both.
      return ends.length === 0
        ? [{ ...row, peer: this.first(peer) }]
        : ends.map((node) => ({ ...row, peer: node }));
    });
  }
}
