/**
 * A transaction of the ledger: its fields, its one encoding, and what its owner signs. Every kind has a fixed length, so
 * that there is nothing to pad, order or leave out. Pure; runs in a browser. LG-2 to LG-5, docs/ledger.md.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { concatBytes } from '@noble/hashes/utils.js';
import { COMMITMENT_BYTES, type SizeClass, sizeClassOf } from '../../protocol/ordering/size-classes.ts';
import { FieldReader, FieldWriter, U64_MAX } from './fields.ts';
import {
  ADDRESS_BYTES,
  BLS_KEY_BYTES,
  BLS_SIGNATURE_BYTES,
  DIGEST_BYTES,
  KEY_BYTES,
  NUMBER_BYTES,
  SIGNATURE_BYTES,
} from './widths.ts';

/** What a transaction does. Bytes have the lengths of LG-2. */
export type Payload =
  | { readonly kind: 'transfer'; readonly to: Uint8Array; readonly amount: bigint }
  | {
      readonly kind: 'register';
      readonly nodeKey: Uint8Array;
      readonly consensusKey: Uint8Array;
      readonly possessionProof: Uint8Array;
      /** Of the node key, over `registrationBytes` with the nonce of this transaction and its last height. */
      readonly nodeSignature: Uint8Array;
      readonly amount: bigint;
    }
  | { readonly kind: 'stake'; readonly validator: Uint8Array; readonly amount: bigint }
  | { readonly kind: 'unstake'; readonly validator: Uint8Array; readonly amount: bigint }
  | { readonly kind: 'withdraw'; readonly validator: Uint8Array }
  /** Another consensus key for a validator: LG-19. */
  | {
      readonly kind: 'rotate';
      readonly validator: Uint8Array;
      readonly consensusKey: Uint8Array;
      readonly possessionProof: Uint8Array;
    }
  /** To transfers that are revealed later: LG-20. */
  | { readonly kind: 'seal'; readonly sizeClass: SizeClass; readonly commitment: Uint8Array }
  /** To an account of another chain, whose genesis hash is `chain`: LG-30. */
  | {
      readonly kind: 'send';
      readonly chain: Uint8Array;
      readonly to: Uint8Array;
      readonly amount: bigint;
    }
  /** What another chain proves (proofs-between-chains.ts): LG-31 to LG-34, LG-37. */
  | { readonly kind: ProofKind; readonly chain: Uint8Array; readonly proof: Uint8Array };

/** Transactions that carry a proof of another chain, of 1 to PROOF_BYTES_MAX bytes. */
export type ProofKind = 'open' | 'follow' | 'receive' | 'acknowledge' | 'contradict';
export type TransactionKind = Payload['kind'];

export interface UnsignedTransaction {
  /** Ed25519, 32 bytes: whose account pays, and acts. */
  readonly publicKey: Uint8Array;
  /** How many transactions this account has done before. 0..2^64-2 */
  readonly nonce: bigint;
  /** Above it no block executes it, however it comes there: LG-18. 0..2^64-1 @unit heights */
  readonly lastHeight: bigint;
  /** The most that may be taken, tip included. @unit units */
  readonly feeMax: bigint;
  /** Of this at most so much for the proposer; <= feeMax. @unit units */
  readonly tip: bigint;
  readonly payload: Payload;
}

export interface Transaction extends UnsignedTransaction {
  readonly signature: Uint8Array;
}

/** The chain that a signature is for: its genesis hash, 32 bytes, and its id. */
export interface SigningDomain {
  readonly genesisHash: Uint8Array;
  readonly chainId: string;
}

/** The first byte. Another format will have another. */
export const TRANSACTION_VERSION = 2;
/** 6 and 7 were evidence, which blocks carry now; 9 is a reveal, which has no sender (sealed/reveal.ts); from 16 on they are about other chains; the rest is free. */
const KIND_NUMBERS = {
  transfer: 1,
  register: 2,
  stake: 3,
  unstake: 4,
  withdraw: 5,
  seal: 8,
  rotate: 10,
  send: 16,
  open: 17,
  follow: 18,
  receive: 19,
  acknowledge: 20,
  contradict: 21,
} as const satisfies Record<TransactionKind, number>;
const KINDS = new Map<number, TransactionKind>([
  [KIND_NUMBERS.transfer, 'transfer'],
  [KIND_NUMBERS.register, 'register'],
  [KIND_NUMBERS.stake, 'stake'],
  [KIND_NUMBERS.unstake, 'unstake'],
  [KIND_NUMBERS.withdraw, 'withdraw'],
  [KIND_NUMBERS.seal, 'seal'],
  [KIND_NUMBERS.rotate, 'rotate'],
  [KIND_NUMBERS.send, 'send'],
  [KIND_NUMBERS.open, 'open'],
  [KIND_NUMBERS.follow, 'follow'],
  [KIND_NUMBERS.receive, 'receive'],
  [KIND_NUMBERS.acknowledge, 'acknowledge'],
  [KIND_NUMBERS.contradict, 'contradict'],
]);

/** Version, kind, key, nonce, last height, greatest fee, tip. @unit bytes */
const HEAD = 1 + 1 + KEY_BYTES + 4 * NUMBER_BYTES;
const LENGTHS: Readonly<Record<Exclude<TransactionKind, ProofKind>, number>> = {
  transfer: ADDRESS_BYTES + NUMBER_BYTES,
  register: KEY_BYTES + BLS_KEY_BYTES + BLS_SIGNATURE_BYTES + SIGNATURE_BYTES + NUMBER_BYTES,
  stake: ADDRESS_BYTES + NUMBER_BYTES,
  unstake: ADDRESS_BYTES + NUMBER_BYTES,
  withdraw: ADDRESS_BYTES,
  rotate: ADDRESS_BYTES + BLS_KEY_BYTES + BLS_SIGNATURE_BYTES,
  seal: 1 + COMMITMENT_BYTES,
  send: DIGEST_BYTES + ADDRESS_BYTES + NUMBER_BYTES,
};
/** Of another chain, with its path of headers. @unit bytes @source 64 KiB of `transaction_bytes_max`, less head, signature and operation */
export const PROOF_BYTES_MAX = 61_440;
/** Chain, and length of the proof. @unit bytes */
const PROOF_HEAD = DIGEST_BYTES + NUMBER_BYTES;

/** The transaction signed, and as bytes to send. @throws RangeError when a field does not fit */
export function signTransaction(
  unsigned: UnsignedTransaction,
  secret: Uint8Array,
  domain: SigningDomain,
): Uint8Array {
  const body = encodeBody(unsigned);
  return concatBytes(body, ed25519.sign(signedBytes(body, domain), secret));
}

/** The bytes of a transaction; `parseTransaction` of them gives it back. @throws RangeError when a field does not fit */
export const encodeTransaction = (transaction: Transaction): Uint8Array =>
  concatBytes(encodeBody(transaction), transaction.signature);

/** The transaction of these bytes, or why they are none. What it accepts, `encodeTransaction` writes the same (LG-2). */
export function parseTransaction(bytes: Uint8Array): Transaction | { readonly problem: string } {
  if (bytes.byteLength < HEAD + SIGNATURE_BYTES) {
    return { problem: `${bytes.byteLength} bytes; the shortest transaction has more` };
  }
  const reader = new FieldReader(bytes);
  const version = reader.u8();
  if (version !== TRANSACTION_VERSION) {
    return { problem: `format ${version}; this chain reads format ${TRANSACTION_VERSION}` };
  }
  const number = reader.u8();
  const kind = KINDS.get(number);
  if (kind === undefined) return { problem: `kind ${number} is not known` };
  const expected = payloadLength(kind, bytes.subarray(HEAD));
  if (typeof expected !== 'number') return expected;
  const length = HEAD + expected + SIGNATURE_BYTES;
  if (bytes.byteLength !== length) {
    return { problem: `a ${kind} of ${bytes.byteLength} bytes, expected ${length}` };
  }
  const [publicKey, nonce, lastHeight] = [reader.fixed(KEY_BYTES), reader.u64(), reader.u64()];
  const [feeMax, tip] = [reader.u64(), reader.u64()];
  if (nonce === U64_MAX) return { problem: 'the nonce is at most 2^64 - 2' };
  if (tip > feeMax) return { problem: `the tip of ${tip} is above the greatest fee, ${feeMax}` };
  const payload = readPayload(reader, kind);
  if ('amount' in payload && payload.amount === 0n) return { problem: 'the amount is 0' };
  return { publicKey, nonce, lastHeight, feeMax, tip, payload, signature: reader.fixed(SIGNATURE_BYTES) };
}

/** What the owner signs, of the encoding of a whole transaction. */
export const signedPart = (transaction: Uint8Array, domain: SigningDomain): Uint8Array =>
  signedBytes(transaction.subarray(0, transaction.byteLength - SIGNATURE_BYTES), domain);

/** What a node key signs so that `operator` may own its validator by this transaction of its own, and by no other: LG-9. */
export function registrationBytes(
  consensusKey: Uint8Array,
  operator: Uint8Array,
  { nonce, lastHeight }: Pick<UnsignedTransaction, 'nonce' | 'lastHeight'>,
  domain: SigningDomain,
): Uint8Array {
  const numbers = new FieldWriter(2 * NUMBER_BYTES).u64(nonce).u64(lastHeight).finish();
  return concatBytes(preamble('althing/ledger/registration/v2', domain), consensusKey, operator, numbers);
}

const signedBytes = (body: Uint8Array, domain: SigningDomain): Uint8Array =>
  concatBytes(preamble('althing/ledger/transaction/v2', domain), body);

/** As every statement of the house begins: a text behind its length, the genesis hash, the chain id behind its length. */
function preamble(kind: string, { genesisHash, chainId }: SigningDomain): Uint8Array {
  const [name, id] = [new TextEncoder().encode(kind), new TextEncoder().encode(chainId)];
  return new FieldWriter(2 * NUMBER_BYTES + name.byteLength + KEY_BYTES + id.byteLength)
    .u64(BigInt(name.byteLength))
    .fixed(name, name.byteLength)
    .fixed(genesisHash, KEY_BYTES)
    .u64(BigInt(id.byteLength))
    .fixed(id, id.byteLength)
    .finish();
}

function encodeBody({ publicKey, nonce, lastHeight, feeMax, tip, payload }: UnsignedTransaction): Uint8Array {
  const length =
    'proof' in payload
      ? lengthWithProof(payload.proof)
      : payloadLength(payload.kind, Uint8Array.of('sizeClass' in payload ? payload.sizeClass : 0));
  if (typeof length !== 'number') throw new RangeError(length.problem);
  const writer = new FieldWriter(HEAD + length)
    .u8(TRANSACTION_VERSION)
    .u8(KIND_NUMBERS[payload.kind])
    .fixed(publicKey, KEY_BYTES)
    .u64(nonce)
    .u64(lastHeight)
    .u64(feeMax)
    .u64(tip);
  return writePayload(writer, payload).finish();
}

function lengthWithProof({ byteLength }: Uint8Array): number {
  if (byteLength >= 1 && byteLength <= PROOF_BYTES_MAX) return PROOF_HEAD + byteLength;
  throw new RangeError(`a proof of ${byteLength} bytes: 1 to ${PROOF_BYTES_MAX}`);
}

function writePayload(writer: FieldWriter, payload: Payload): FieldWriter {
  switch (payload.kind) {
    case 'transfer':
      return writer.fixed(payload.to, ADDRESS_BYTES).u64(payload.amount);
    case 'register':
      return writer
        .fixed(payload.nodeKey, KEY_BYTES)
        .fixed(payload.consensusKey, BLS_KEY_BYTES)
        .fixed(payload.possessionProof, BLS_SIGNATURE_BYTES)
        .fixed(payload.nodeSignature, SIGNATURE_BYTES)
        .u64(payload.amount);
    case 'stake':
    case 'unstake':
      return writer.fixed(payload.validator, ADDRESS_BYTES).u64(payload.amount);
    case 'withdraw':
      return writer.fixed(payload.validator, ADDRESS_BYTES);
    case 'rotate':
      return writer
        .fixed(payload.validator, ADDRESS_BYTES)
        .fixed(payload.consensusKey, BLS_KEY_BYTES)
        .fixed(payload.possessionProof, BLS_SIGNATURE_BYTES);
    case 'seal':
      return writer.u8(payload.sizeClass).fixed(payload.commitment, COMMITMENT_BYTES);
    case 'send':
      return writer.fixed(payload.chain, DIGEST_BYTES).fixed(payload.to, ADDRESS_BYTES).u64(payload.amount);
    case 'open':
    case 'follow':
    case 'receive':
    case 'acknowledge':
    case 'contradict':
      return writer
        .fixed(payload.chain, DIGEST_BYTES)
        .u64(BigInt(payload.proof.byteLength))
        .fixed(payload.proof, payload.proof.byteLength);
  }
}

function readPayload(reader: FieldReader, kind: TransactionKind): Payload {
  switch (kind) {
    case 'transfer':
      return { kind, to: reader.fixed(ADDRESS_BYTES), amount: reader.u64() };
    case 'register':
      return {
        kind,
        nodeKey: reader.fixed(KEY_BYTES),
        consensusKey: reader.fixed(BLS_KEY_BYTES),
        possessionProof: reader.fixed(BLS_SIGNATURE_BYTES),
        nodeSignature: reader.fixed(SIGNATURE_BYTES),
        amount: reader.u64(),
      };
    case 'stake':
    case 'unstake':
      return { kind, validator: reader.fixed(ADDRESS_BYTES), amount: reader.u64() };
    case 'withdraw':
      return { kind, validator: reader.fixed(ADDRESS_BYTES) };
    case 'rotate':
      return {
        kind,
        validator: reader.fixed(ADDRESS_BYTES),
        consensusKey: reader.fixed(BLS_KEY_BYTES),
        possessionProof: reader.fixed(BLS_SIGNATURE_BYTES),
      };
    case 'seal':
      // `payloadLength` has refused other classes.
      return { kind, sizeClass: sizeClassOf(reader.u8()) ?? 0, commitment: reader.fixed(COMMITMENT_BYTES) };
    case 'send':
      return {
        kind,
        chain: reader.fixed(DIGEST_BYTES),
        to: reader.fixed(ADDRESS_BYTES),
        amount: reader.u64(),
      };
    case 'open':
    case 'follow':
    case 'receive':
    case 'acknowledge':
    case 'contradict':
      return { kind, chain: reader.fixed(DIGEST_BYTES), proof: reader.fixed(Number(reader.u64())) };
  }
}

type Length = number | { readonly problem: string };

/** @param bytes from the payload on: the class of a seal, and the length of a proof, stand in them */
function payloadLength(kind: TransactionKind, bytes: Uint8Array): Length {
  switch (kind) {
    case 'seal':
      return sizeClassOf(bytes[0] ?? 0) === undefined
        ? { problem: `${kind} of kind ${bytes[0]} is not known` }
        : LENGTHS[kind];
    case 'open':
    case 'follow':
    case 'receive':
    case 'acknowledge':
    case 'contradict':
      return lengthOfStated(bytes);
    default:
      return LENGTHS[kind];
  }
}

function lengthOfStated(bytes: Uint8Array): Length {
  const stated = bytes.byteLength < PROOF_HEAD ? 0n : new FieldReader(bytes, DIGEST_BYTES).u64();
  if (stated >= 1n && stated <= BigInt(PROOF_BYTES_MAX)) return PROOF_HEAD + Number(stated);
  return { problem: `the length of its proof is not 1 to ${PROOF_BYTES_MAX}` };
}
