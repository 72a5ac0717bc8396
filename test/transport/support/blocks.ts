/** A chain of certified blocks as a committee of some size would have made it: no signature in it holds. */
import { createHash } from 'node:crypto';
import { wallTime } from '../../../src/base/units.ts';
import type {
  Address,
  BatchDigest,
  BatchReference,
  CertifiedBlock,
  Digest,
  Epoch,
  Height,
  QuorumCertificate,
  Round,
} from '../../../src/protocol/chain/types.ts';

const hash = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex');
const filled = (length: number, mark: number): Uint8Array => new Uint8Array(length).fill(mark);

export interface ChainShape {
  readonly blocks: number;
  readonly validators: number;
  /** Of each block. */
  readonly batches: number;
  /** @unit bytes */
  readonly batchBytes: number;
  /** Of the first block. Default 1. */
  readonly from?: number;
}

export interface Chain {
  readonly blocks: readonly CertifiedBlock[];
  readonly batches: readonly { readonly digest: BatchDigest; readonly bytes: Uint8Array }[];
}

export function chainOf({ blocks, validators, batches, batchBytes, from = 1 }: ChainShape): Chain {
  const qcAt = (height: number): QuorumCertificate => ({
    epoch: 0 as Epoch,
    round: height as Round,
    height: height as Height,
    blockId: hash(`block ${height}`) as Digest as QuorumCertificate['blockId'],
    parentId: hash(`block ${height - 1}`) as Digest as QuorumCertificate['blockId'],
    parentRound: Math.max(0, height - 1) as Round,
    signers: filled(Math.ceil(validators / 8), 0xff),
    signature: filled(96, height % 251),
  });
  const held: { digest: BatchDigest; bytes: Uint8Array }[] = [];
  const referencesAt = (height: number): readonly BatchReference[] =>
    Array.from({ length: batches }, (_, place) => {
      const bytes = filled(batchBytes, height);
      new DataView(bytes.buffer).setUint32(0, height * batches + place);
      const digest = hash(bytes) as Digest as BatchDigest;
      held.push({ digest, bytes });
      return { digest, count: 10, bytes: batchBytes };
    });
  const all: CertifiedBlock[] = [];
  for (let height = from; height < from + blocks; height += 1) {
    const parent = all.at(-1)?.qc ?? qcAt(height - 1);
    all.push({
      block: {
        header: {
          epoch: 0 as Epoch,
          round: height as Round,
          height: height as Height,
          parentId: parent.blockId,
          time: wallTime(1_800_000_000_000 + height),
          proposer: hash(`validator ${height % validators}`).slice(0, 40) as Address,
          batches: referencesAt(height),
          batchesRoot: hash(`root ${height}`) as Digest,
          executed: { height: Math.max(0, height - 1) as Height, appHash: hash(`state ${height}`) as Digest },
          validatorsHash: hash('validators') as Digest,
          nextValidatorsHash: hash('validators') as Digest,
          evidenceHash: hash('') as Digest,
          vrfProof: filled(80, height),
        },
        qc: parent,
      },
      qc: qcAt(height),
    });
  }
  return { blocks: all, batches: held };
}
