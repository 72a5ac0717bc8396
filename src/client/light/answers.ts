/** The gateway of the light client: what a node answered, as parsed proofs or the word 'malformed'. Pure and total. */
import type { EpochProof, ProvenHeader } from '../../protocol/chain/types.ts';
import { parseEpochProof, parseProvenHeader, parseStateProof } from '../../protocol/light/encoding.ts';
import type { StateProof, TransactionProof } from '../../protocol/light/types.ts';
import { bytesOf, heightOf, listOf, type Malformed, membersOf } from '../answers.ts';

export interface PairAnswer {
  readonly height: number;
  readonly value: Uint8Array | undefined;
  readonly proof: StateProof;
}

/** `type` of the operation that proves a value, and of the one that proves that a key is not there. */
const PRESENT_TYPE = 'althing:pair/v1';
const ABSENT_TYPE = 'althing:absent/v1';

export function readHeaderAnswer(raw: unknown): ProvenHeader | Malformed {
  const bytes = bytesOf(membersOf(raw)['proof']);
  return bytes === 'malformed' ? 'malformed' : parseProvenHeader(bytes);
}

export interface EpochsAnswer {
  readonly current: number;
  readonly proofs: readonly EpochProof[];
}

export function readEpochsAnswer(raw: unknown): EpochsAnswer | Malformed {
  const current = heightOf(membersOf(raw)['current']);
  const proofs = listOf(membersOf(raw)['proofs'], (entry) => {
    const bytes = bytesOf(entry);
    return bytes === 'malformed' ? 'malformed' : parseEpochProof(bytes);
  });
  return current === 'malformed' || proofs === 'malformed' ? 'malformed' : { current, proofs };
}

/** `response` of `abci_query` with `prove`. */
export function readPairAnswer(raw: unknown): PairAnswer | Malformed {
  const response = membersOf(membersOf(raw)['response']);
  const height = heightOf(response['height']);
  const value = bytesOf(response['value']);
  const [op, second] = listed(membersOf(response['proofOps'])['ops']);
  const { type, data } = membersOf(op);
  const bytes = bytesOf(data);
  const proof = bytes === 'malformed' ? 'malformed' : parseStateProof(bytes);
  if (height === 'malformed' || value === 'malformed' || proof === 'malformed') return 'malformed';
  if (second !== undefined || (type !== PRESENT_TYPE && type !== ABSENT_TYPE)) return 'malformed';
  return { height, value: type === PRESENT_TYPE ? value : undefined, proof };
}

export interface TransactionAnswer {
  readonly height: number;
  readonly proof: TransactionProof;
}

export function readTransactionAnswer(raw: unknown): TransactionAnswer | Malformed {
  const members = membersOf(raw);
  const height = heightOf(members['height']);
  const given = membersOf(members['proof']);
  const [batch, index, bytes] = [heightOf(given['batch']), heightOf(given['index']), bytesOf(given['bytes'])];
  if (height === 'malformed' || batch === 'malformed' || index === 'malformed' || bytes === 'malformed')
    return 'malformed';
  return { height, proof: { batch, bytes, index } };
}

const listed = (raw: unknown): readonly unknown[] => (Array.isArray(raw) ? raw : []);
