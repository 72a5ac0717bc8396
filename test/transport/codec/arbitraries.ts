/** Messages of every kind as fast-check arbitraries, valid by construction. */
import fc from 'fast-check';
import type { WallTime } from '../../../src/base/units.ts';
import { wallTime } from '../../../src/base/units.ts';
import { ORDINAL_MAX } from '../../../src/protocol/chain/ordinals.ts';
import type {
  Address,
  BatchDigest,
  Block,
  BlockId,
  CertifiedBlock,
  Digest,
  Epoch,
  Height,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  Vote,
} from '../../../src/protocol/chain/types.ts';
import type { WireMessage } from '../../../src/protocol/transport/messages.ts';

const hex = (letters: number): fc.Arbitrary<string> =>
  fc
    .uint8Array({ minLength: letters / 2, maxLength: letters / 2 })
    .map((bytes) => Buffer.from(bytes).toString('hex'));
const ordinal = fc.oneof(
  fc.nat({ max: 200 }),
  fc.constantFrom(127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, ORDINAL_MAX),
  fc.integer({ min: 0, max: ORDINAL_MAX }),
);
const height = ordinal as fc.Arbitrary<number> as fc.Arbitrary<Height>;
const round = ordinal as fc.Arbitrary<number> as fc.Arbitrary<Round>;
const epoch = ordinal as fc.Arbitrary<number> as fc.Arbitrary<Epoch>;
const digest = hex(64) as fc.Arbitrary<string> as fc.Arbitrary<Digest>;
const blockId = digest as fc.Arbitrary<string> as fc.Arbitrary<BlockId>;
const batchDigest = digest as fc.Arbitrary<string> as fc.Arbitrary<BatchDigest>;
export const address = hex(40) as fc.Arbitrary<string> as fc.Arbitrary<Address>;
const time: fc.Arbitrary<WallTime> = ordinal.map(wallTime);
const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const bitmap = fc.uint8Array({ minLength: 0, maxLength: 64 });

const statement = { epoch, round, height, blockId, parentId: blockId, parentRound: round };
const vote: fc.Arbitrary<Vote> = fc.record({ ...statement, validator: address, signature: bytes(96) });
const qc: fc.Arbitrary<QuorumCertificate> = fc.record({
  ...statement,
  signers: bitmap,
  signature: fc.oneof(bytes(96), bytes(0)),
});
const group = fc.record({ highQcRound: round, signers: bitmap });
const tc: fc.Arbitrary<TimeoutCertificate> = fc.record({
  epoch,
  round,
  highQC: qc,
  groups: fc
    .tuple(group, fc.array(group, { maxLength: 3 }))
    .map(([first, rest]) => [first, ...rest] as const),
  signature: bytes(96),
});
const block: fc.Arbitrary<Block> = fc.record({
  header: fc.record({
    epoch,
    round,
    height,
    parentId: blockId,
    time,
    proposer: address,
    batches: fc.array(fc.record({ digest: batchDigest, count: ordinal, bytes: ordinal }), { maxLength: 20 }),
    batchesRoot: digest,
    executed: fc.record({ height, appHash: digest }),
    validatorsHash: digest,
    nextValidatorsHash: digest,
    evidenceHash: digest,
    vrfProof: fc.oneof(bytes(0), bytes(80)),
  }),
  qc,
});
const certified: fc.Arbitrary<CertifiedBlock> = fc.record({ block, qc });
const record = fc.record({
  host: fc.constantFrom('127.0.0.1', 'node-1.example', '::1'),
  port: fc.integer({ min: 1, max: 65_535 }),
  nodeKey: bytes(32),
  sequence: ordinal,
  signature: bytes(64),
});
const digests = fc.array(batchDigest, { minLength: 1, maxLength: 20 });
const nonce = fc.nat({ max: 0xffffffff });
const kind = <Name extends WireMessage['kind']>(name: Name): fc.Arbitrary<Name> => fc.constant(name);

/** A message of each kind. */
export const MESSAGES: {
  readonly [Kind in WireMessage['kind']]: fc.Arbitrary<Extract<WireMessage, { kind: Kind }>>;
} = {
  Hello: fc.record({
    kind: kind('Hello'),
    version: fc.record({ major: fc.nat({ max: 127 }), minor: fc.nat({ max: 127 }) }),
    chainId: fc.string({ minLength: 1, maxLength: 20 }),
    genesisHash: digest,
    epoch,
    role: fc.constantFrom('validator', 'full'),
    nodeKey: bytes(32),
    instance: bytes(8),
    moniker: fc.oneof(fc.string({ maxLength: 16 }), fc.constantFrom('Þingvellir', '議会')),
    signature: bytes(64),
  }),
  Ping: fc.record({ kind: kind('Ping'), nonce }),
  Pong: fc.record({ kind: kind('Pong'), nonce }),
  Addresses: fc.record({ kind: kind('Addresses'), records: fc.array(record, { maxLength: 8 }) }),
  Proposal: fc.record(
    { kind: kind('Proposal'), block, vote, tc },
    { requiredKeys: ['kind', 'block', 'vote'] },
  ),
  Vote: fc.record({ kind: kind('Vote'), vote }),
  QC: fc.record({ kind: kind('QC'), qc }),
  ViewChange: fc.record(
    {
      kind: kind('ViewChange'),
      epoch,
      round,
      highQC: qc,
      lastTC: tc,
      lastVote: vote,
      reason: fc.constantFrom(
        'LeaderTimeout',
        'InvalidProposal',
        'NoProgressInView',
        'ConflictingProposals',
        'ExplicitRequest',
      ),
      height,
      tick: ordinal,
      validator: address,
      signature: bytes(96),
    },
    {
      requiredKeys: [
        'kind',
        'epoch',
        'round',
        'highQC',
        'reason',
        'height',
        'tick',
        'validator',
        'signature',
      ],
    },
  ),
  NewView: fc.record({ kind: kind('NewView'), epoch, height, round, leader: address, tc }),
  Batch: fc.record({
    kind: kind('Batch'),
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc.constantFrom(255, 256, 65_535, 65_536).map((length) => new Uint8Array(length).fill(7)),
    ),
  }),
  BatchAck: fc.record({ kind: kind('BatchAck'), digests }),
  GetBatch: fc.record({ kind: kind('GetBatch'), digests }),
  GetBlocks: fc.record({
    kind: kind('GetBlocks'),
    requestId: ordinal,
    from: height,
    limit: fc.integer({ min: 1, max: 256 }),
  }),
  GetBlock: fc.record({
    kind: kind('GetBlock'),
    requestId: ordinal,
    id: blockId,
    ancestors: fc.nat({ max: 64 }),
  }),
  Blocks: fc.record({
    kind: kind('Blocks'),
    requestId: ordinal,
    blocks: fc.array(certified, { maxLength: 3 }),
    height,
  }),
  TimeRequest: fc.record({ kind: kind('TimeRequest'), requestId: ordinal }),
  TimeReply: fc.record({
    kind: kind('TimeReply'),
    requestId: ordinal,
    receivedMicros: fc.maxSafeNat(),
    repliedMicros: fc.maxSafeNat(),
    isSynchronised: fc.boolean(),
  }),
};

export const anyMessage: fc.Arbitrary<WireMessage> = fc.oneof(...Object.values(MESSAGES));
