/** What a node can prove to those who have no chain of their own. Types only: `src/node/` implements it. */
import type { Digest, Epoch, EpochProof, Height, ProvenHeader } from '../protocol/chain/types.ts';
import type { TransactionProof } from '../protocol/light/types.ts';

export interface ProofsPort {
  /** Undefined: what proves its commit is not stored here. */
  provenHeader(height: Height): Promise<ProvenHeader | undefined>;
  /** The ends of the epochs from `from` on, in order, of so many bytes, encoded, as `bytesMax` allows, and one at least. */
  epochProofs(from: Epoch, bytesMax: number): Promise<EpochProofs>;
  /** Where the transaction is in the block of `height`. Undefined: it is not in it, or its batch is not stored here. */
  transactionProof(height: Height, hash: Digest): Promise<TransactionProof | undefined>;
}

export interface EpochProofs {
  /** The epoch that goes on now. */
  readonly current: Epoch;
  readonly proofs: readonly EpochProof[];
}
