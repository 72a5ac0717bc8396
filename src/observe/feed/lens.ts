/** What the feed is told of a system's own matter, beside what the runtime knows: messages between nodes, steps, chain, health. Types. IN-1. */
import type { CellAddress, Transition } from '../../actors/runtime/index.ts';
import type { NodeChain, NodeHealth, StepEvent, WireEvent } from './feed.ts';

/** What a lens saw in a step. `node` is filled in by the collector. */
export interface Seen {
  readonly wire: (event: Omit<WireEvent, 'node'>) => void;
  readonly step: (event: Omit<StepEvent, 'node'>) => void;
}

/** Made when somebody begins to look, and dropped when nobody does: it may keep what it compares with. */
export interface Lens {
  /** Called inside the turn, so it must be quick: whether `read` is to be given this step, at the next collection. */
  wants(transition: Transition): boolean;
  /** Given the wanted steps in their order. Values are the cells' own: not to be changed, not to be kept. */
  read(transition: Transition, seen: Seen): void;
  /** Undefined: nobody knows yet, or, with `ifChanged`, it is as it was told last. */
  chain(ifChanged: boolean): Omit<NodeChain, 'node'> | undefined;
  health(): Omit<NodeHealth, 'node'> | undefined;
  /** Nobody looks any more. */
  end?(): void;
  /** What of a cell's context is worth a look, where all of it is too much; undefined: all of it. */
  worthALook?(address: CellAddress, context: object): unknown;
}
