/**
 * The strict shape of each kind of message: every field, its bounds, nothing else. Brands are made here.
 * Output has its keys in the order written here, which is the one order on the wire. Pure. Rules TP-8, TP-9.
 */
import { z } from 'zod';
import type { WallTime } from '../../base/units.ts';
import {
  ADMISSION_CODE_BYTES_MAX,
  ADMISSION_LOG_BYTES_MAX,
  OPERATIONS_MAX,
  type OperationAdmission,
  STATES_MAX,
} from '../../protocol/bridge/messages.ts';
import { ORDINAL_MAX } from '../../protocol/chain/ordinals.ts';
import type {
  Address,
  BatchDigest,
  BatchReference,
  Block,
  BlockId,
  Digest,
  Epoch,
  Evidence,
  EvidenceList,
  ExecutedState,
  Header,
  Height,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  TimeoutGroup,
  TimeoutStatement,
  Vote,
} from '../../protocol/chain/types.ts';
import {
  CHECKPOINTS_MAX,
  type ChainCheckpoint,
  EPOCHS_ASKED_MAX,
  SNAPSHOT_CHUNK_BYTES_MAX,
  SNAPSHOT_CHUNKS_MAX,
  type SnapshotManifest,
} from '../../protocol/sync/messages.ts';
import type { WireKind } from '../../protocol/transport/kinds.ts';
import {
  ADDRESS_RECORDS_MAX,
  ANSWER_BATCHES_MAX,
  BATCH_BYTES_MAX,
  BATCH_REFERENCES_MAX,
  BLOCKS_MAX,
  DIGESTS_MAX,
  EVIDENCE_PER_BLOCK_MAX,
  HOST_BYTES_MAX,
  VALIDATORS_MAX,
} from '../../protocol/transport/limits.ts';
import type { AddressRecord, WireMessage } from '../../protocol/transport/messages.ts';
import type { CompressedState, StateOnWire } from './compressed-state.ts';

/** A message without its name, which is in the envelope. */
type Unnamed<Kind extends WireKind> = Omit<Extract<WireMessage, { kind: Kind }>, 'kind'>;
/** The body of a kind as msgpack sees it; blocks are one byte string (`chain.ts`), and so is a partial state (`partial-state.ts`). */
export type Body<Kind extends WireKind> = Kind extends 'Blocks'
  ? Omit<Unnamed<'Blocks'>, 'blocks'> & { readonly blocks: Uint8Array }
  : Kind extends 'StateSync'
    ? Omit<Unnamed<'StateSync'>, 'partialState'> & { readonly partialState: StateOnWire }
    : Unnamed<Kind>;

/** Tells a brand's schema by its name: the checks are the schema's, the brand is this gateway's. */
const branded = <Branded>(schema: z.ZodType): z.ZodType<Branded> => schema as z.ZodType<Branded>;

const whole = z.int().min(0).max(ORDINAL_MAX);
const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const height = branded<Height>(whole);
const round = branded<Round>(whole);
const epoch = branded<Epoch>(whole);
const digest = branded<Digest>(hex64);
const blockId = branded<BlockId>(hex64);
const batchDigest = branded<BatchDigest>(hex64);
const address = branded<Address>(z.string().regex(/^[0-9a-f]{40}$/));
const wallTime = branded<WallTime>(whole);
/** Microseconds since 1970. */
const micros = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

const bytesWithin = (lengthMin: number, lengthMax: number): z.ZodType<Uint8Array> =>
  z.custom<Uint8Array>(
    (value) => value instanceof Uint8Array && value.byteLength >= lengthMin && value.byteLength <= lengthMax,
    `expected ${lengthMin} to ${lengthMax} bytes`,
  );
const bytesOf = (length: number): z.ZodType<Uint8Array> => bytesWithin(length, length);

/** A list that stops at its first bad item: what a bad frame costs does not grow with its length (TP-11). */
function listOf<Item>(item: z.ZodType<Item>, countMin: number, countMax: number): z.ZodType<readonly Item[]> {
  return z.unknown().transform((value, context): readonly Item[] => {
    if (!Array.isArray(value) || value.length < countMin || value.length > countMax) {
      context.addIssue({ code: 'custom', message: `expected a list of ${countMin} to ${countMax}` });
      return z.NEVER;
    }
    const items: Item[] = [];
    for (const [index, raw] of value.entries()) {
      const parsed = item.safeParse(raw);
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        context.addIssue({
          code: 'custom',
          message: issue?.message ?? 'malformed',
          path: [index, ...(issue?.path ?? [])],
        });
        return z.NEVER;
      }
      items.push(parsed.data);
    }
    return items;
  });
}

const bitmap = bytesWithin(0, VALIDATORS_MAX / 8);
/** A BLS signature, or none in the QC of round 0. */
const blsOrNone = z.custom<Uint8Array>(
  (value) => value instanceof Uint8Array && (value.byteLength === 96 || value.byteLength === 0),
  'expected 96 bytes or none',
);

const statement = { epoch, round, height, blockId, parentId: blockId, parentRound: round };
const vote: z.ZodType<Vote> = z.strictObject({ ...statement, validator: address, signature: bytesOf(96) });
const qc: z.ZodType<QuorumCertificate> = z.strictObject({
  ...statement,
  signers: bitmap,
  signature: blsOrNone,
});
const timeoutGroup: z.ZodType<TimeoutGroup> = z.strictObject({ highQcRound: round, signers: bitmap });
const tc: z.ZodType<TimeoutCertificate> = z.strictObject({
  epoch,
  round,
  highQC: qc,
  groups: listOf(timeoutGroup, 1, VALIDATORS_MAX) as unknown as z.ZodType<TimeoutCertificate['groups']>,
  signature: bytesOf(96),
});
const batchReference: z.ZodType<BatchReference> = z.strictObject({
  digest: batchDigest,
  count: whole,
  bytes: whole,
});
const header: z.ZodType<Header> = z.strictObject({
  epoch,
  round,
  height,
  parentId: blockId,
  time: wallTime,
  proposer: address,
  batches: listOf(batchReference, 0, BATCH_REFERENCES_MAX),
  batchesRoot: digest,
  executed: z.strictObject({ height, appHash: digest }),
  validatorsHash: digest,
  nextValidatorsHash: digest,
  evidenceHash: digest,
  vrfProof: bytesWithin(0, 96),
});
const timeout: z.ZodType<TimeoutStatement> = z.strictObject({
  epoch,
  round,
  highQcRound: round,
  validator: address,
  signature: bytesOf(96),
});
const evidence: z.ZodType<Evidence> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('DoubleVote'), first: vote, second: vote }),
  z.strictObject({ kind: z.literal('QcHiding'), vote, timeout }),
]);
const block: z.ZodType<Block> = z.strictObject({
  header,
  qc,
  evidence: branded<EvidenceList>(listOf(evidence, 1, EVIDENCE_PER_BLOCK_MAX)).exactOptional(),
});
const batches = z.custom<readonly Uint8Array[]>(
  (value) =>
    Array.isArray(value) &&
    value.length <= ANSWER_BATCHES_MAX &&
    value.every(
      (item) => item instanceof Uint8Array && item.byteLength > 0 && item.byteLength <= BATCH_BYTES_MAX,
    ),
  `expected at most ${ANSWER_BATCHES_MAX} byte strings`,
);
const checkpoint: z.ZodType<ChainCheckpoint> = z.strictObject({ height, id: blockId });
const manifest: z.ZodType<SnapshotManifest> = z.strictObject({
  height,
  format: whole,
  bytes: z
    .int()
    .min(0)
    .max(SNAPSHOT_CHUNKS_MAX * SNAPSHOT_CHUNK_BYTES_MAX),
  chunks: listOf(digest, 0, SNAPSHOT_CHUNKS_MAX),
});
const addressRecord: z.ZodType<AddressRecord> = z.strictObject({
  host: z
    .string()
    .min(1)
    .max(HOST_BYTES_MAX)
    .regex(/^[0-9A-Za-z.:_-]+$/),
  port: z.int().min(1).max(65_535),
  nodeKey: bytesOf(32),
  sequence: whole,
  signature: bytesOf(64),
});
/** Their order is checked in `partial-state.ts`. */
export const EXECUTED_STATES: z.ZodType<readonly ExecutedState[]> = listOf(
  z.strictObject({ height, appHash: digest }),
  0,
  STATES_MAX,
);
const word = z.int().min(0).max(0xffffffff);
/** Lengths are checked when it is read (`compressed-state.ts`): each has a refusal of its own. */
const compressedState: z.ZodType<CompressedState> = z.strictObject({
  sequence: whole,
  data: z.instanceof(Uint8Array),
  checksum: word,
  originalSize: whole,
});
const operation = z.instanceof(Uint8Array).refine(({ byteLength }) => byteLength > 0, 'expected bytes');
const admission: z.ZodType<OperationAdmission> = z.discriminatedUnion('accepted', [
  z.strictObject({ accepted: z.literal(true) }),
  z.strictObject({
    accepted: z.literal(false),
    code: z
      .string()
      .min(1)
      .max(ADMISSION_CODE_BYTES_MAX)
      .regex(/^[\x21-\x7e]*$/),
    log: z
      .string()
      .refine(
        (text) => Buffer.byteLength(text) <= ADMISSION_LOG_BYTES_MAX,
        `expected at most ${ADMISSION_LOG_BYTES_MAX} bytes`,
      ),
    applicationCode: word.exactOptional(),
  }),
]);
const change = z.strictObject({ qc, proof: z.instanceof(Uint8Array) });
const nonce = word;
const requestId = whole;

/** Bodies by kind. A kind without a schema does not compile. */
export const BODIES: { readonly [Kind in WireKind]: z.ZodType<Body<Kind>> } = {
  Hello: z.strictObject({
    version: z.strictObject({ major: z.int().min(0).max(127), minor: z.int().min(0).max(127) }),
    chainId: z.string().min(1).max(64),
    genesisHash: digest,
    epoch,
    role: z.enum(['validator', 'full']),
    nodeKey: bytesOf(32),
    instance: bytesOf(8),
    moniker: z.string().max(64),
    signature: bytesOf(64),
  }),
  Ping: z.strictObject({ nonce }),
  Pong: z.strictObject({ nonce }),
  Addresses: z.strictObject({ records: listOf(addressRecord, 0, ADDRESS_RECORDS_MAX) }),
  Proposal: z.strictObject({ block, vote, tc: tc.exactOptional() }),
  Vote: z.strictObject({ vote }),
  QC: z.strictObject({ qc }),
  ViewChange: z.strictObject({
    epoch,
    round,
    highQC: qc,
    lastTC: tc.exactOptional(),
    lastVote: vote.exactOptional(),
    reason: z.enum([
      'LeaderTimeout',
      'InvalidProposal',
      'NoProgressInView',
      'ConflictingProposals',
      'ExplicitRequest',
    ]),
    height,
    tick: whole,
    validator: address,
    signature: bytesOf(96),
  }),
  NewView: z.strictObject({ epoch, height, round, leader: address, tc }),
  EpochChange: change,
  GetEpochChange: z.strictObject({ epoch }),
  Evidence: z.strictObject({ evidence }),
  VoteShown: z.strictObject({ vote }),
  Batch: z.strictObject({ bytes: z.instanceof(Uint8Array) }),
  BatchAck: z.strictObject({ digests: listOf(batchDigest, 1, DIGESTS_MAX) }),
  GetBatch: z.strictObject({ digests: listOf(batchDigest, 1, DIGESTS_MAX) }),
  GetBlocks: z.strictObject({
    requestId,
    from: height,
    limit: z.int().min(1).max(BLOCKS_MAX),
    withBatches: z.boolean(),
  }),
  GetBlock: z.strictObject({ requestId, id: blockId, ancestors: z.int().min(0).max(64) }),
  Blocks: z.strictObject({ requestId, blocks: z.instanceof(Uint8Array), batches, height }),
  GetBlockHeight: z.strictObject({ requestId }),
  BlockHeight: z.strictObject({
    requestId,
    base: height,
    height,
    tipId: blockId,
    proof: qc.exactOptional(),
  }),
  GetGenesisHash: z.strictObject({ requestId }),
  GenesisHash: z.strictObject({ requestId, genesisHash: digest }),
  GetBlockHash: z.strictObject({ requestId, height }),
  BlockHash: z.strictObject({ requestId, height, id: blockId.exactOptional() }),
  GetChain: z.strictObject({ requestId }),
  Chain: z.strictObject({
    requestId,
    base: height,
    proof: qc.exactOptional(),
    checkpoints: listOf(checkpoint, 0, CHECKPOINTS_MAX),
  }),
  GetSnapshot: z.strictObject({ requestId }),
  Snapshot: z.strictObject({ requestId, manifest: manifest.exactOptional() }),
  GetSnapshotChunk: z.strictObject({
    requestId,
    height,
    format: whole,
    chunk: z
      .int()
      .min(0)
      .max(SNAPSHOT_CHUNKS_MAX - 1),
  }),
  SnapshotChunk: z.strictObject({
    requestId,
    bytes: bytesWithin(0, SNAPSHOT_CHUNK_BYTES_MAX).exactOptional(),
  }),
  GetEpochs: z.strictObject({ requestId, from: epoch, limit: z.int().min(1).max(EPOCHS_ASKED_MAX) }),
  Epochs: z.strictObject({
    requestId,
    changes: listOf(change, 0, EPOCHS_ASKED_MAX),
  }),
  TimeRequest: z.strictObject({ requestId }),
  TimeReply: z.strictObject({
    requestId,
    receivedMicros: micros,
    repliedMicros: micros,
    isSynchronised: z.boolean(),
  }),
  StateSync: z.strictObject({
    stateHash: digest,
    sequenceNumber: height,
    partialState: z.union([z.instanceof(Uint8Array), compressedState]),
  }),
  SubmitOperations: z.strictObject({
    tag: whole,
    operations: listOf(operation, 1, OPERATIONS_MAX),
  }),
  OperationsAnswered: z.strictObject({ tag: whole, admissions: listOf(admission, 1, OPERATIONS_MAX) }),
};
