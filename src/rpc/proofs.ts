/** Proofs for light clients: of a header, of the epochs, of a transaction. What is answered is bounded in bytes. */
import { digestFromBytes, parseEpoch } from '../protocol/chain/parse.ts';
import { encodeEpochProof, encodeProvenHeader } from '../protocol/light/encoding.ts';
import type { TransactionProof } from '../protocol/light/types.ts';
import { type Answer, fail, invalidParams, succeed } from './json-rpc.ts';
import { chooseHeight } from './lookups.ts';
import type { CallContext } from './method.ts';
import { base64, transactionJson, upperHex } from './shapes.ts';

/** Of the proofs of one answer; one that is larger goes alone. @unit bytes @source chosen: 20 epochs of 512 validators */
const EPOCH_PROOFS_BYTES_MAX = 1_048_576;

export async function provenHeader(
  { height }: { readonly height: number | undefined },
  { port }: CallContext,
): Promise<Answer> {
  const chosen = chooseHeight(port, height);
  if ('error' in chosen) return chosen;
  const proof = await port.provenHeader(chosen.height);
  if (proof === undefined) return fail(`the commit of height ${chosen.height} cannot be proven here`);
  return succeed({ height: String(chosen.height), proof: base64(encodeProvenHeader(proof)) });
}

export async function epochProofs(
  { from }: { readonly from: number | undefined },
  { port }: CallContext,
): Promise<Answer> {
  const epoch = parseEpoch(from ?? 0);
  if (epoch === 'malformed') return { error: invalidParams(`from must be an epoch, but got ${from}`) };
  const { current, proofs } = await port.epochProofs(epoch, EPOCH_PROOFS_BYTES_MAX);
  return succeed({
    current: String(current),
    proofs: proofs.map((proof) => base64(encodeEpochProof(proof))),
  });
}

export async function transactionBy(
  { hash, prove }: { readonly hash: Uint8Array | undefined; readonly prove: boolean | undefined },
  { port }: CallContext,
): Promise<Answer> {
  const digest = digestFromBytes(hash ?? new Uint8Array());
  const found = digest === 'malformed' ? undefined : await port.transaction(digest);
  if (digest === 'malformed' || found === undefined)
    return fail(`tx (${upperHex(hash ?? new Uint8Array())}) not found`);
  if (prove !== true) return succeed(transactionJson(found));
  const proof = await port.transactionProof(found.height, digest);
  if (proof === undefined) return fail(`the batch of tx (${upperHex(digest)}) is not stored here`);
  return succeed({ ...transactionJson(found), proof: transactionProofJson(proof) });
}

const transactionProofJson = ({ batch, bytes, index }: TransactionProof): object => ({
  batch: String(batch),
  index: String(index),
  bytes: base64(bytes),
});
