/**
 * One chain: whatever any node commits, executes, or proves as committed, there is one block at each height. Also the
 * parents that committed blocks name, and the blocks that commit proofs prove. Mutable memory. Rules SM-4, CS-5, SY-14.
 */
import type { BlockId } from '../../protocol/chain/types.ts';
import type { CommittedBlock } from '../../protocol/ports/storage.ts';
import type { Report } from './claim.ts';

export const ONE_CHAIN = 'no two commits differ at a height';
export const NO_ORPHAN = 'no orphan is executed';

interface Known {
  readonly id: BlockId;
  readonly by: string;
}

export class Agreement {
  readonly #at = new Map<number, Known>();
  readonly #report: Report;
  #height = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  /** Newest height that any node committed. */
  get committedHeight(): number {
    return this.#height;
  }

  committed(by: string, { id, block, commitProof }: CommittedBlock): void {
    const { height, parentId } = block.header;
    this.#height = Math.max(this.#height, height);
    this.#claim(height, id, by, ONE_CHAIN);
    this.#claim(height - 1, parentId, `${by} (parent of height ${height})`, ONE_CHAIN);
    this.#claim(commitProof.height - 1, commitProof.parentId, `${by} (proof of height ${height})`, ONE_CHAIN);
  }

  executed(by: string, height: number, id: BlockId): void {
    this.#claim(height, id, by, NO_ORPHAN);
  }

  #claim(height: number, id: BlockId, by: string, claim: string): void {
    const before = this.#at.get(height);
    if (before === undefined) this.#at.set(height, { id, by });
    else if (before.id !== id)
      this.#report(claim, `height ${height}: ${before.by} ${before.id}, ${by} ${id}`);
  }
}
