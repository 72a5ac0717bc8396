/**
 * Rows to bytes and back: msgpack of positional fields, digests as 32 and addresses as 20 bytes. Pure.
 * Decoding checks every field's shape and raises DamagedData; it is the store's gateway of brands.
 * The layout is part of the schema: a change is a migration (docs/storage.md).
 */
import {
  addressBytes,
  digestBytes,
  digestFromBytes,
  type Malformed,
  parseAddress,
  parseBlockTime,
  parseEpoch,
  parseHeight,
  parseRound,
} from '../protocol/chain/parse.ts';
import type {
  BatchDigest,
  BatchReference,
  Block,
  BlockId,
  Digest,
  Evidence,
  Header,
  QuorumCertificate,
  TimeoutCertificate,
  TimeoutGroup,
  TimeoutStatement,
  Vote,
} from '../protocol/chain/types.ts';
import type { SafetyRecord, ViewChangeMessage, ViewChangeReason } from '../protocol/consensus/types.ts';
import type { CommittedBlock } from '../protocol/ports/storage.ts';
import { DamagedData } from './checksum.ts';
import { type Fields, fromBytes, type Packable, pack, unpack } from './packed.ts';
import { RowWriter } from './row-writer.ts';

/** As `fromBytes` of a digest's parser, which would look at each letter of a text that was made of bytes. */
const digest = (raw: unknown): Digest | Malformed =>
  raw instanceof Uint8Array ? digestFromBytes(raw) : 'malformed';
const blockId = (raw: unknown): BlockId | Malformed => digest(raw) as BlockId | Malformed;
const batchDigest = (raw: unknown): BatchDigest | Malformed => digest(raw) as BatchDigest | Malformed;
const address = fromBytes(parseAddress);

const writeHeader = (row: RowWriter, header: Header): RowWriter => {
  row.array(14).integer(header.epoch).integer(header.round).integer(header.height).hex(header.parentId);
  row.integer(header.time).hex(header.proposer).array(header.batches.length);
  for (const { digest, count, bytes } of header.batches)
    row.array(3).hex(digest).integer(count).integer(bytes);
  row.hex(header.batchesRoot).integer(header.executed.height).hex(header.executed.appHash);
  row.hex(header.validatorsHash).hex(header.nextValidatorsHash).hex(header.evidenceHash);
  return row.bytes(header.vrfProof);
};

const readHeader = (fields: Fields): Header => ({
  epoch: fields.take(parseEpoch),
  round: fields.take(parseRound),
  height: fields.take(parseHeight),
  parentId: fields.take(blockId),
  time: fields.take(parseBlockTime),
  proposer: fields.take(address),
  batches: fields.list(readReference),
  batchesRoot: fields.take(digest),
  executed: { height: fields.take(parseHeight), appHash: fields.take(digest) },
  validatorsHash: fields.take(digest),
  nextValidatorsHash: fields.take(digest),
  evidenceHash: fields.take(digest),
  vrfProof: fields.bytes(),
});

const readReference = (fields: Fields): BatchReference => ({
  digest: fields.take(batchDigest),
  count: fields.count(),
  bytes: fields.count(),
});

const packQc = (qc: QuorumCertificate): Packable => [
  qc.epoch,
  qc.round,
  qc.height,
  digestBytes(qc.blockId),
  digestBytes(qc.parentId),
  qc.parentRound,
  qc.signers,
  qc.signature,
];

const readQc = (fields: Fields): QuorumCertificate => ({
  epoch: fields.take(parseEpoch),
  round: fields.take(parseRound),
  height: fields.take(parseHeight),
  blockId: fields.take(blockId),
  parentId: fields.take(blockId),
  parentRound: fields.take(parseRound),
  signers: fields.bytes(),
  signature: fields.bytes(),
});

const writeQc = (row: RowWriter, qc: QuorumCertificate): RowWriter => {
  row.array(8).integer(qc.epoch).integer(qc.round).integer(qc.height).hex(qc.blockId).hex(qc.parentId);
  return row.integer(qc.parentRound).bytes(qc.signers).bytes(qc.signature);
};

/** The third field is there where the block carries evidence. */
function writeBlock(row: RowWriter, { header, qc, evidence }: Block): RowWriter {
  writeQc(writeHeader(row.array(evidence === undefined ? 2 : 3), header), qc);
  return evidence === undefined ? row : row.bytes(pack(evidence.map(packEvidence)));
}

/** What has one length in a header, a certificate, or a row around them, or more. @unit bytes */
const ROW_BYTES = 512;
/** A digest, two numbers and their heads, or more. @unit bytes */
const REFERENCE_BYTES = 64;
/** Two votes as they are packed, or more. @unit bytes */
const EVIDENCE_BYTES = 640;
/** At least what the writers take. @unit bytes */
const roomOfQc = ({ signers, signature }: QuorumCertificate): number =>
  ROW_BYTES + signers.byteLength + signature.byteLength;
const roomOfBlock = ({ header: { batches, vrfProof }, qc, evidence }: Block): number =>
  ROW_BYTES +
  batches.length * REFERENCE_BYTES +
  vrfProof.byteLength +
  roomOfQc(qc) +
  (evidence?.length ?? 0) * EVIDENCE_BYTES;

function readBlock(fields: Fields): Block {
  const block = { header: fields.nested(readHeader), qc: fields.nested(readQc) };
  if (fields.isAtEnd) return block;
  const [first, ...others] = unpack(fields.bytes(), 'the evidence of a block').all(readEvidence);
  return first === undefined ? block : { ...block, evidence: [first, ...others] };
}

export const encodeBlock = (block: Block): Uint8Array =>
  writeBlock(new RowWriter(roomOfBlock(block)), block).written;
export const decodeBlock = (bytes: Uint8Array, what: string): Block => readBlock(unpack(bytes, what));
export const encodeQc = (qc: QuorumCertificate): Uint8Array => pack(packQc(qc));
export const decodeQc = (bytes: Uint8Array, what: string): QuorumCertificate => readQc(unpack(bytes, what));

export function encodeCommitted({ id, block, qc, commitProof }: CommittedBlock): Uint8Array {
  const row = new RowWriter(ROW_BYTES + roomOfBlock(block) + roomOfQc(qc) + roomOfQc(commitProof));
  writeBlock(row.array(4).hex(id), block);
  return writeQc(writeQc(row, qc), commitProof).written;
}

export function decodeCommitted(bytes: Uint8Array, what: string): CommittedBlock {
  const fields = unpack(bytes, what);
  return {
    id: fields.take(blockId),
    block: fields.nested(readBlock),
    qc: fields.nested(readQc),
    commitProof: fields.nested(readQc),
  };
}

const packVote = (vote: Vote): Packable => [
  vote.epoch,
  vote.round,
  vote.height,
  digestBytes(vote.blockId),
  digestBytes(vote.parentId),
  vote.parentRound,
  addressBytes(vote.validator),
  vote.signature,
];

const readVote = (fields: Fields): Vote => ({
  epoch: fields.take(parseEpoch),
  round: fields.take(parseRound),
  height: fields.take(parseHeight),
  blockId: fields.take(blockId),
  parentId: fields.take(blockId),
  parentRound: fields.take(parseRound),
  validator: fields.take(address),
  signature: fields.bytes(),
});

const packEvidence = (evidence: Evidence): Packable =>
  evidence.kind === 'DoubleVote'
    ? [evidence.kind, packVote(evidence.first), packVote(evidence.second)]
    : [evidence.kind, packVote(evidence.vote), packTimeoutStatement(evidence.timeout)];

function readEvidence(fields: Fields): Evidence {
  const kind = fields.take((raw) => (raw === 'DoubleVote' || raw === 'QcHiding' ? raw : 'malformed'));
  return kind === 'DoubleVote'
    ? { kind, first: fields.nested(readVote), second: fields.nested(readVote) }
    : { kind, vote: fields.nested(readVote), timeout: fields.nested(readTimeoutStatement) };
}

const packTimeoutStatement = (timeout: TimeoutStatement): Packable => [
  timeout.epoch,
  timeout.round,
  timeout.highQcRound,
  addressBytes(timeout.validator),
  timeout.signature,
];

const readTimeoutStatement = (fields: Fields): TimeoutStatement => ({
  epoch: fields.take(parseEpoch),
  round: fields.take(parseRound),
  highQcRound: fields.take(parseRound),
  validator: fields.take(address),
  signature: fields.bytes(),
});

const packTc = (tc: TimeoutCertificate): Packable => [
  tc.epoch,
  tc.round,
  packQc(tc.highQC),
  tc.groups.map((group) => [group.highQcRound, group.signers]),
  tc.signature,
];

function readTc(fields: Fields): TimeoutCertificate {
  const epoch = fields.take(parseEpoch);
  const round = fields.take(parseRound);
  const highQC = fields.nested(readQc);
  const [first, ...rest] = fields.list(readGroup);
  if (first === undefined) throw new DamagedData(`timeout certificate of round ${round}: no group`);
  return { epoch, round, highQC, groups: [first, ...rest], signature: fields.bytes() };
}

const readGroup = (fields: Fields): TimeoutGroup => ({
  highQcRound: fields.take(parseRound),
  signers: fields.bytes(),
});

const REASONS: readonly ViewChangeReason[] = [
  'LeaderTimeout',
  'InvalidProposal',
  'NoProgressInView',
  'ConflictingProposals',
  'ExplicitRequest',
];

const parseReason = (raw: unknown): ViewChangeReason | Malformed =>
  REASONS.find((reason) => reason === raw) ?? 'malformed';

const packTimeout = (message: ViewChangeMessage): Packable => [
  message.epoch,
  message.round,
  packQc(message.highQC),
  message.lastTC === undefined ? null : packTc(message.lastTC),
  message.lastVote === undefined ? null : packVote(message.lastVote),
  message.reason,
  message.height,
  message.tick,
  addressBytes(message.validator),
  message.signature,
];

function readTimeout(fields: Fields): ViewChangeMessage {
  const epoch = fields.take(parseEpoch);
  const round = fields.take(parseRound);
  const highQC = fields.nested(readQc);
  const lastTC = fields.optional(readTc);
  const lastVote = fields.optional(readVote);
  return {
    kind: 'ViewChange',
    epoch,
    round,
    highQC,
    ...(lastTC === undefined ? {} : { lastTC }),
    ...(lastVote === undefined ? {} : { lastVote }),
    reason: fields.take(parseReason),
    height: fields.take(parseHeight),
    tick: fields.count(),
    validator: fields.take(address),
    signature: fields.bytes(),
  };
}

export const encodeRecord = (record: SafetyRecord): Uint8Array =>
  pack([
    record.epoch,
    record.lastVotedRound,
    record.lastVote === undefined ? null : packVote(record.lastVote),
    record.lastTimeout === undefined ? null : packTimeout(record.lastTimeout),
    record.lockedRound,
    packQc(record.highQC),
    record.lastTC === undefined ? null : packTc(record.lastTC),
  ]);

export function decodeRecord(bytes: Uint8Array, what: string): SafetyRecord {
  const fields = unpack(bytes, what);
  const epoch = fields.take(parseEpoch);
  const lastVotedRound = fields.take(parseRound);
  const lastVote = fields.optional(readVote);
  const lastTimeout = fields.optional(readTimeout);
  const lockedRound = fields.take(parseRound);
  const highQC = fields.nested(readQc);
  const lastTC = fields.optional(readTc);
  return {
    epoch,
    lastVotedRound,
    ...(lastVote === undefined ? {} : { lastVote }),
    ...(lastTimeout === undefined ? {} : { lastTimeout }),
    lockedRound,
    highQC,
    ...(lastTC === undefined ? {} : { lastTC }),
  };
}
