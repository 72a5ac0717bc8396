/** What the feed is told of a system's own matter, beside what the runtime knows: messages between nodes, steps, chain, health. Types. IN-1. */
import type { CellAddress, Transition } from '../../actors/runtime/index.ts';
import type { NodeChain, NodeHealth, StepEvent, WireEvent } from './feed.ts';

/** What a lens saw in a step. `node` is filled in by the collector. */
export interface Seen {
  /**
   * Whether there is room for one more message of its sort before the next collection; where there is none, it counts as dropped. Asked
   * first, so that what is left out costs nothing. `bulk` is what comes by the thousand: it must not crowd out what decides.
   */
  readonly hasRoomFor: (sort: 'deciding' | 'bulk') => boolean;
  readonly wire: (event: Omit<WireEvent, 'node'>) => void;
  readonly step: (event: Omit<StepEvent, 'node'>) => void;
}

/** Made when somebody begins to look, and dropped when nobody does: it may keep what it compares with. */
export interface Lens {
  /**
   * Given each step, inside the turn: it must be quick. Rows are made at once, since steps that are kept cost more: they outlive
   * the young generation (measured: bench/inspector.bench.ts). Values are the cells' own: not to be changed.
   */
  read(transition: Transition, seen: Seen): void;
  /** Undefined: nobody knows yet, or, with `ifChanged`, it is as it was told last. */
  chain(ifChanged: boolean): Omit<NodeChain, 'node'> | undefined;
  health(): Omit<NodeHealth, 'node'> | undefined;
  /** Nobody looks any more. */
  end?(): void;
  /** What of a cell's context is worth a look, where all of it is too much; undefined: all of it. */
  worthALook?(address: CellAddress, context: object): unknown;
}
