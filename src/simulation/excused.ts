/**
 * Admitted operations that may be lost all the same: of those a run does not claim that they commit. Mutable memory. Rules SM-4, BR-8, MP-6.
 */
import { ADDRESSES } from '../actors/addresses.ts';
import { epochOf } from '../node/views.ts';
import type { Digest } from '../protocol/chain/types.ts';
import { isValidator } from '../protocol/chain/validator-set.ts';
import type { Observer } from './observer.ts';
import type { SimulatedNode } from './validator.ts';

export class ExcusedOperations {
  readonly #nodes: () => readonly SimulatedNode[];
  /** What the application may refuse by a later state, when it is checked anew. */
  readonly #passing = new Set<Digest>();
  /** Admitted by a node without a vote: which life of which node's bridge sees that it comes to a validator that does not lie. */
  readonly #handed = new Map<Digest, string>();

  constructor(nodes: () => readonly SimulatedNode[]) {
    this.#nodes = nodes;
  }

  passing(hash: Digest): void {
    this.#passing.add(hash);
  }

  observer(): Observer {
    return {
      admitted: ({ node: index, address }, admissions) => {
        const node = this.#nodes()[index];
        const epoch = node?.process === undefined ? undefined : epochOf(node.process.system);
        for (const { status, hash } of admissions) {
          if (status !== 'admitted' || node === undefined) continue;
          if (epoch === undefined || isValidator(epoch.set, address)) this.#handed.delete(hash);
          else this.#handed.set(hash, bridgeLifeOf(node));
        }
      },
    };
  }

  has(hash: Digest): boolean {
    if (this.#passing.has(hash)) return true;
    const keeper = this.#handed.get(hash);
    // What was pending in it ended with it; who took the operation over may lie.
    return keeper !== undefined && !this.#nodes().some((node) => bridgeLifeOf(node) === keeper);
  }
}

/** Changes whenever what its bridge held is gone. */
const bridgeLifeOf = ({ index, process }: SimulatedNode): string =>
  `${index}/${process?.life}/${process?.system.ref(ADDRESSES.bridge).info()?.incarnation}`;
