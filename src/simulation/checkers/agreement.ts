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
  /** As proofs of one epoch have it: what is above the end of an epoch is proven there, and in no chain (CS-16). By epoch/height. */
  readonly #proven = new Map<string, Known>();
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
    const { epoch } = block.header;
    this.#compare(this.#proven, `${epoch}/${height}`, { id, by }, ONE_CHAIN, height);
    const proven = { id: commitProof.parentId, by: `${by} (proof of height ${height})` };
    const at = commitProof.height - 1;
    this.#compare(this.#proven, `${commitProof.epoch}/${at}`, proven, ONE_CHAIN, at);
  }

  executed(by: string, height: number, id: BlockId): void {
    this.#claim(height, id, by, NO_ORPHAN);
  }

  #claim(height: number, id: BlockId, by: string, claim: string): void {
    this.#compare(this.#at, height, { id, by }, claim, height);
  }

  #compare<Key>(map: Map<Key, Known>, key: Key, { id, by }: Known, claim: string, height: number): void {
    const before = map.get(key);
    if (before === undefined) map.set(key, { id, by });
    else if (before.id !== id)
      this.#report(claim, `height ${height}: ${before.by} ${before.id}, ${by} ${id}`);
  }
}
