/**
 * The bytes of proofs, for whoever carries them: one proof has one encoding, and what is read may come from anybody. Pure and
 * total; the one gateway of these bytes. Integers are big-endian u64, as in all canonical bytes. docs/protocol/light-client.md.
 */
import { wallTime } from '../../base/units.ts';
import { BLS_PUBLIC_KEY_BYTES, BLS_SIGNATURE_BYTES } from '../../crypto/bls/engine.ts';
import { signerBitmapBytes } from '../../crypto/signer-bitmap.ts';
import { batchDigestOf } from '../chain/batch.ts';
import { NO_EVIDENCE, NO_PARENT, writeHeaderFields } from '../chain/canonical.ts';
import { CanonicalReader } from '../chain/canonical-reader.ts';
import { CanonicalWriter } from '../chain/canonical-writer.ts';
import { FIRST_EPOCH, GENESIS_HEIGHT, ROOT_ROUND } from '../chain/ordinals.ts';
import {
  ADDRESS_BYTES,
  DIGEST_BYTES,
  type Malformed,
  parseAddress,
  parseBatchDigest,
  parseBlockId,
  parseBlockTime,
  parseDigest,
  parseEpoch,
  parseHeight,
  parseRound,
} from '../chain/parse.ts';
import type {
  Address,
  BatchReference,
  BlockId,
  CommitProof,
  Digest,
  Epoch,
  EpochDescriptor,
  EpochProof,
  Header,
  HeaderLink,
  Height,
  ProvenHeader,
  Round,
  Validator,
} from '../chain/types.ts';
import { addressOf, NODE_KEY_BYTES, validatorSet } from '../chain/validator-set.ts';
import { BATCH_REFERENCES_MAX, VALIDATORS_MAX } from '../transport/limits.ts';
import {
  PROOF_BYTES_MAX,
  PROOF_PATH_MAX,
  STATE_SIBLINGS_MAX,
  type StateEnd,
  type StateProof,
} from './types.ts';

/** By their numbers. */
const END_KINDS = ['nothing', 'pair', 'other'] as const satisfies readonly StateEnd['kind'][];
const HEADER_KIND = 'althing/proven-header/v1';
const EPOCH_KIND = 'althing/epoch-proof/v1';
const STATE_KIND = 'althing/state-proof/v1';
/** Of any of them. @unit bytes */
const KIND_BYTES_MAX = 32;
/** Longer than any; a proof of a verifiable random function has 80. @unit bytes @source RFC 9381, section 5.5 */
const VRF_BYTES_MAX = 80;
/** `althing/<name>/v<version>` of the longest name and version. @unit bytes */
const STATE_NAME_BYTES_MAX = 128;

export const encodeProvenHeader = (proof: ProvenHeader): Uint8Array =>
  writeProvenHeader(new CanonicalWriter().text(HEADER_KIND), proof).finish();

export const parseProvenHeader = (bytes: Uint8Array): ProvenHeader | Malformed =>
  parsed(bytes, HEADER_KIND, readProvenHeader);

export const encodeEpochProof = ({ last, next }: EpochProof): Uint8Array =>
  writeDescriptor(writeProvenHeader(new CanonicalWriter().text(EPOCH_KIND), last), next).finish();

export const parseEpochProof = (bytes: Uint8Array): EpochProof | Malformed =>
  parsed(bytes, EPOCH_KIND, (reader) => {
    const last = readProvenHeader(reader);
    const next = readDescriptor(reader);
    return last === 'malformed' || next === 'malformed' ? 'malformed' : { last, next };
  });

/** The header that ends the epoch, of a proof whose other headers, which may be many, are not looked at. */
export function parseEndOf(bytes: Uint8Array): HeaderLink | Malformed {
  const reader = new CanonicalReader(bytes);
  if (reader.text(KIND_BYTES_MAX) !== EPOCH_KIND || reader.u64(PROOF_PATH_MAX) === 0) return 'malformed';
  const link = readLink(reader);
  return reader.isSound ? link : 'malformed';
}

export function encodeStateProof({ state, validatorsHash, siblings, end }: StateProof): Uint8Array {
  const writer = new CanonicalWriter()
    .text(STATE_KIND)
    .text(state)
    .fixed(validatorsHash)
    .u64(siblings.length);
  for (const sibling of siblings) writer.fixed(sibling);
  writer.u64(END_KINDS.indexOf(end.kind));
  if (end.kind === 'other') writer.prefixed(end.key).prefixed(end.value);
  return writer.finish();
}

export const parseStateProof = (bytes: Uint8Array): StateProof | Malformed =>
  parsed(bytes, STATE_KIND, (reader) => {
    const state = reader.text(STATE_NAME_BYTES_MAX);
    const validatorsHash = reader.fixed(DIGEST_BYTES);
    const siblings = listOf(reader, STATE_SIBLINGS_MAX, () => reader.fixed(DIGEST_BYTES));
    return { state, validatorsHash, siblings, end: readEnd(reader) };
  });

/** Everything that `read` took, if it was all there and nothing else. */
function parsed<Proof>(
  bytes: Uint8Array,
  kind: string,
  read: (reader: CanonicalReader) => Proof | Malformed,
): Proof | Malformed {
  if (bytes.byteLength > PROOF_BYTES_MAX) return 'malformed';
  const reader = new CanonicalReader(bytes);
  if (reader.text(KIND_BYTES_MAX) !== kind) return 'malformed';
  const proof = read(reader);
  return reader.isRead ? proof : 'malformed';
}

/** A number, and as many of something. Ends where the bytes do, however great the number is. */
function listOf<Entry>(reader: CanonicalReader, max: number, read: () => Entry): Entry[] {
  const count = reader.u64(max);
  const entries: Entry[] = [];
  for (let index = 0; index < count && reader.isSound; index += 1) entries.push(read());
  return entries;
}

function writeProvenHeader(writer: CanonicalWriter, { path, certificate }: ProvenHeader): CanonicalWriter {
  writer.u64(path.length);
  for (const { header, parentRound } of path)
    writeHeaderFields(writer.u64(header.epoch), header).u64(parentRound);
  const { epoch, round, height, blockId, parentId, parentRound, signers, signature } = certificate;
  return writer
    .u64(epoch)
    .u64(round)
    .u64(height)
    .hex(blockId)
    .hex(parentId)
    .u64(parentRound)
    .prefixed(signers)
    .fixed(signature);
}

function readProvenHeader(reader: CanonicalReader): ProvenHeader | Malformed {
  const [first, ...others] = listOf(reader, PROOF_PATH_MAX, () => readLink(reader));
  const certificate = readCertificate(reader);
  return first === undefined ? 'malformed' : { path: [first, ...others], certificate };
}

function readLink(reader: CanonicalReader): HeaderLink {
  const header: Header = {
    epoch: epoch(reader),
    round: round(reader),
    height: height(reader),
    parentId: blockId(reader),
    time: orRefuse(reader, parseBlockTime(reader.u64()), wallTime(0)),
    proposer: address(reader),
    batches: listOf(reader, BATCH_REFERENCES_MAX, () => readReference(reader)),
    batchesRoot: digest(reader),
    executed: { height: height(reader), appHash: digest(reader) },
    validatorsHash: digest(reader),
    nextValidatorsHash: digest(reader),
    evidenceHash: digest(reader),
    vrfProof: reader.prefixed(VRF_BYTES_MAX),
  };
  return { header, parentRound: round(reader) };
}

const readReference = (reader: CanonicalReader): BatchReference => ({
  digest: orRefuse(reader, parseBatchDigest(reader.hex(DIGEST_BYTES)), NO_BATCH),
  count: reader.u64(),
  bytes: reader.u64(),
});

const readCertificate = (reader: CanonicalReader): CommitProof => ({
  epoch: epoch(reader),
  round: round(reader),
  height: height(reader),
  blockId: blockId(reader),
  parentId: blockId(reader),
  parentRound: round(reader),
  signers: reader.prefixed(signerBitmapBytes(VALIDATORS_MAX)),
  signature: reader.fixed(BLS_SIGNATURE_BYTES),
});

/** Addresses are left out: they follow from the node keys. */
function writeDescriptor(writer: CanonicalWriter, descriptor: EpochDescriptor): CanonicalWriter {
  const { validators } = descriptor.validators;
  writer.u64(descriptor.epoch).u64(validators.length);
  for (const { consensusKey, nodeKey, power } of validators)
    writer.fixed(consensusKey).fixed(nodeKey).u64(power);
  writer.hex(descriptor.seed).u64(descriptor.passedOver.length);
  for (const address of descriptor.passedOver) writer.hex(address);
  return writer;
}

function readDescriptor(reader: CanonicalReader): EpochDescriptor | Malformed {
  const number = epoch(reader);
  const list = listOf(reader, VALIDATORS_MAX, () => readValidator(reader));
  const seed = digest(reader);
  const passedOver = listOf(reader, VALIDATORS_MAX, () => address(reader));
  if (!reader.isSound) return 'malformed';
  const validators = validatorSet(list);
  if ('code' in validators) return 'malformed';
  // Another order would be another encoding of the same set.
  if (!list.every((one, index) => validators.validators[index]?.address === one.address)) return 'malformed';
  return { epoch: number, validators, seed, passedOver };
}

function readValidator(reader: CanonicalReader): Validator {
  const consensusKey = reader.fixed(BLS_PUBLIC_KEY_BYTES);
  const nodeKey = reader.fixed(NODE_KEY_BYTES);
  return { address: addressOf(nodeKey), consensusKey, nodeKey, power: reader.wide() };
}

function readEnd(reader: CanonicalReader): StateEnd {
  const kind = END_KINDS[reader.u64(END_KINDS.length - 1)] ?? 'nothing';
  if (kind !== 'other') return { kind };
  return { kind, key: reader.prefixed(PROOF_BYTES_MAX), value: reader.prefixed(PROOF_BYTES_MAX) };
}

function orRefuse<Value>(reader: CanonicalReader, value: Value | Malformed, otherwise: Value): Value {
  if (value !== 'malformed') return value;
  reader.refuse();
  return otherwise;
}

const NO_BATCH = batchDigestOf(new Uint8Array(0));
const NOBODY = addressOf(new Uint8Array(NODE_KEY_BYTES));

const epoch = (reader: CanonicalReader): Epoch => orRefuse(reader, parseEpoch(reader.u64()), FIRST_EPOCH);
const round = (reader: CanonicalReader): Round => orRefuse(reader, parseRound(reader.u64()), ROOT_ROUND);
const height = (reader: CanonicalReader): Height =>
  orRefuse(reader, parseHeight(reader.u64()), GENESIS_HEIGHT);
const digest = (reader: CanonicalReader): Digest =>
  orRefuse(reader, parseDigest(reader.hex(DIGEST_BYTES)), NO_EVIDENCE);
const blockId = (reader: CanonicalReader): BlockId =>
  orRefuse(reader, parseBlockId(reader.hex(DIGEST_BYTES)), NO_PARENT);
const address = (reader: CanonicalReader): Address =>
  orRefuse(reader, parseAddress(reader.hex(ADDRESS_BYTES)), NOBODY);
