/**
 * When a node's process was down: the gaps of its lane. From the steps 'crashed' and 'restarted' of the node itself, and from what the
 * feed says of its process. Mutable, no I/O. Bounded: beyond `OUTAGES_MAX` the oldest go.
 */
import type { At, NodeIndex, StepEvent } from '../../../../src/observe/feed/feed.ts';
import type { Model } from '../../feed/model.ts';

export interface Outage {
  readonly node: NodeIndex;
  readonly from: At;
  /** Absent: it is down still. */
  to: At | undefined;
}

/** @unit outages of all nodes */
const OUTAGES_MAX = 512;
/** What the steps of a whole process name as their cell; other crashes are those of cells, which supervisors mend. */
const PROCESS = 'node';

export class OutageBook {
  readonly outages: Outage[] = [];
  readonly #wasUp: boolean[] = [];

  take(steps: readonly StepEvent[]): void {
    for (const { kind, node, cell, at } of steps) {
      if (cell !== PROCESS) continue;
      if (kind === 'crashed') this.down(node, at);
      else if (kind === 'restarted') this.up(node, at);
    }
  }

  /** Which processes there are. One that is gone ended when it was heard of last: whoever looks later sees the same gap. */
  see({ nodes, chains, health, at }: Pick<Model, 'nodes' | 'chains' | 'health' | 'at'>): void {
    for (const [node, { isUp }] of nodes.entries()) {
      if (this.#wasUp[node] === false && isUp) this.up(node, at);
      if (!isUp) this.down(node, Math.max(0, chains.get(node)?.at ?? 0, health.get(node)?.at ?? 0));
      this.#wasUp[node] = isUp;
    }
  }

  down(node: NodeIndex, at: At): void {
    if (this.#openOf(node) !== undefined) return;
    this.outages.push({ node, from: at, to: undefined });
    if (this.outages.length > OUTAGES_MAX) this.outages.shift();
  }

  up(node: NodeIndex, at: At): void {
    const open = this.#openOf(node);
    if (open !== undefined) open.to = Math.max(at, open.from);
  }

  clear(): void {
    this.outages.length = 0;
  }

  isDown(node: NodeIndex, at: At): boolean {
    return this.outages.some(
      ({ node: of, from, to = Number.POSITIVE_INFINITY }) => of === node && from <= at && at < to,
    );
  }

  #openOf(node: NodeIndex): Outage | undefined {
    return this.outages.findLast((outage) => outage.node === node && outage.to === undefined);
  }
}
