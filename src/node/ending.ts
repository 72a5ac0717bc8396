/** Why a node ends, and when it must not. Boundary. Rules SY-5, SY-9, docs/protocol/sync.md; exit codes: docs/operator-guide.md. */
import type { Height } from '../protocol/chain/types.ts';
import { ForkKeeper, type ForkKeeperOptions } from './fork-keeper.ts';

/** Why a node ended. */
export type NodeEnd =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly detail: string }
  | { readonly kind: 'store-corrupt'; readonly detail: string }
  | { readonly kind: 'safety-violation'; readonly detail: string }
  /** A new chain is whole beside the old one: the next start of this home goes on with it (SY-9). */
  | { readonly kind: 'resynced'; readonly height: Height };

/** The first reason to end counts; but where nothing is kept of a fork the node stays up until it is told to stop (SY-5). */
export class Ending {
  readonly fork: ForkKeeper;
  readonly #end = Promise.withResolvers<NodeEnd>();

  constructor(keeper: Omit<ForkKeeperOptions, 'kept'>) {
    this.fork = new ForkKeeper({
      ...keeper,
      kept: (detail) => this.#end.resolve({ kind: 'safety-violation', detail }),
    });
  }

  get asked(): Promise<NodeEnd> {
    return this.#end.promise;
  }

  ask(reason: NodeEnd): void {
    if (!this.fork.isUnkept) this.#end.resolve(reason);
  }

  stop(): void {
    this.#end.resolve({ kind: 'stopped' });
  }

  /** Whatever else ended it: a fork that was proved meanwhile is what its operator must hear. */
  reasonAfter(reason: NodeEnd): NodeEnd {
    const { violation } = this.fork;
    return violation === undefined ? reason : { kind: 'safety-violation', detail: violation };
  }
}
