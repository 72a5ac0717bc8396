/** The part of a node's port that proves what is stored to those who hold nothing of the chain. Boundary: the store. */
import { parseBatch, transactionHashOf, transactionsOf } from '../protocol/chain/batch.ts';
import { nextEpoch } from '../protocol/chain/ordinals.ts';
import type { Digest, Epoch, EpochProof, HeaderLink, Height, ProvenHeader } from '../protocol/chain/types.ts';
import { encodeEpochProof } from '../protocol/light/encoding.ts';
import { PROOF_BYTES_MAX, PROOF_PATH_MAX, type TransactionProof } from '../protocol/light/types.ts';
import type { CommittedBlock } from '../protocol/ports/storage.ts';
import type { EpochProofs, ProofsPort } from '../rpc/proofs-port.ts';
import { found } from './chain-port.ts';
import type { PortHost } from './node-port.ts';

/** The epochs that the store knows. */
export interface Epochs {
  readonly current: () => Epoch;
  /** How an epoch ended; undefined: it has not, or not here. */
  readonly proofOf: (epoch: Epoch) => EpochProof | undefined;
}

export function proofsPort(host: PortHost): ProofsPort {
  const epochs: Epochs = {
    current: () => host.epoch().epoch,
    proofOf: (epoch) => found(host.store.changes(epoch, 1)).find(({ qc }) => qc.epoch === epoch)?.proof,
  };
  return {
    provenHeader: async (height) => provenHeader(host, epochs, height),
    epochProofs: async (from, bytesMax) => epochProofs(epochs, from, bytesMax),
    transactionProof: async (height, hash) => transactionProof(host, height, hash),
  };
}

/** The headers up to the parent of the block that the proof of commit certifies; mostly one. */
export function provenHeader(
  { store }: Pick<PortHost, 'store'>,
  epochs: Epochs,
  height: Height,
): ProvenHeader | undefined {
  const block = found(store.blockAt(height));
  if (block === undefined) return undefined;
  const end = epochs.proofOf(block.block.header.epoch)?.last;
  const certificate = end !== undefined && isAbove(block, end) ? end.certificate : block.commitProof;
  const stored =
    (end === undefined ? certificate.height : Math.min(certificate.height, heightOf(end) + 1)) - height;
  if (stored < 1 || stored > PROOF_PATH_MAX) return undefined;
  const { blocks } = found(store.blocksFrom(height, stored, PROOF_BYTES_MAX));
  // Fewer: there are more bytes than a proof may have.
  if (blocks.length < stored) return undefined;
  // What was discarded above the end of its epoch is not stored with it (CS-16).
  const discarded = certificate === end?.certificate ? end.path.slice(1) : [];
  const [first, ...others] = [...blocks.map(linkOf), ...discarded];
  return first === undefined ? undefined : { path: [first, ...others], certificate };
}

const linkOf = ({ block: { header, qc } }: CommittedBlock): HeaderLink => ({ header, parentRound: qc.round });
const heightOf = (end: ProvenHeader): Height => end.path[0].header.height;
/** Its commit was proven by a block above the end of its epoch. */
const isAbove = ({ commitProof }: CommittedBlock, end: ProvenHeader): boolean =>
  commitProof.height > heightOf(end) + 1;

/** Of one answer, which is made in one turn; whoever wants more asks again. @unit proofs @source measured: 0.3 ms each on a busy machine, of 4 validators */
export const EPOCH_PROOFS_MAX = 64;

export function epochProofs(epochs: Epochs, from: Epoch, bytesMax: number): EpochProofs {
  const proofs: EpochProof[] = [];
  let bytes = 0;
  for (let epoch = from; ; epoch = nextEpoch(epoch)) {
    const proof = epochs.proofOf(epoch);
    bytes += proof === undefined ? 0 : encodeEpochProof(proof).byteLength;
    if (proof === undefined || (proofs.length > 0 && bytes > bytesMax)) break;
    proofs.push(proof);
    if (proofs.length >= EPOCH_PROOFS_MAX) break;
  }
  return { current: epochs.current(), proofs };
}

function transactionProof(
  { store, card }: PortHost,
  height: Height,
  hash: Digest,
): TransactionProof | undefined {
  const block = found(store.blockAt(height));
  const digests = block?.block.header.batches.map(({ digest }) => digest) ?? [];
  for (const [batch, digest] of digests.entries()) {
    const [held] = found(store.batches([digest])).batches;
    const view = held === undefined ? 'malformed' : parseBatch(held.bytes, card.mempool);
    if (held === undefined || view === 'malformed') continue;
    const index = transactionsOf(view).findIndex((transaction) => transactionHashOf(transaction) === hash);
    if (index >= 0) return { batch, bytes: held.bytes, index };
  }
  return undefined;
}
