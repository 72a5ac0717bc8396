/** Messages of every kind as fast-check arbitraries, valid by construction. */
import fc from 'fast-check';
import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import type { WallTime } from '../../../src/base/units.ts';
import { wallTime } from '../../../src/base/units.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import { ORDINAL_MAX } from '../../../src/protocol/chain/ordinals.ts';
import type {
  Address,
  BatchDigest,
  Block,
  BlockId,
  CertifiedBlock,
  Digest,
  Epoch,
  Evidence,
  Header,
  Height,
  QuorumCertificate,
  Round,
  TimeoutCertificate,
  ValidatorSet,
  Vote,
} from '../../../src/protocol/chain/types.ts';
import { addressOf, validatorSet } from '../../../src/protocol/chain/validator-set.ts';
import { encodeEpochProof } from '../../../src/protocol/light/encoding.ts';
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
const header: fc.Arbitrary<Header> = fc.record({
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
});
const link = fc.record({ header, parentRound: round });
const power = fc.bigInt({ min: 1n, max: 2n ** 50n });
const validators: fc.Arbitrary<ValidatorSet> = fc
  .uniqueArray(fc.tuple(fc.nat({ max: 1_000 }), power), {
    minLength: 1,
    maxLength: 5,
    selector: ([id]) => id,
  })
  .map((drawn) => {
    const list = drawn.map(([id, power]) => {
      const nodeKey = sha256(utf8(`node ${id}`));
      const consensusKey = concatBytes(sha256(utf8(`bls ${id}`)), new Uint8Array(16));
      return { address: addressOf(nodeKey), nodeKey, consensusKey, power };
    });
    const set = validatorSet(list);
    if ('code' in set) throw new Error(set.code);
    return set;
  });
const proof: fc.Arbitrary<Uint8Array> = fc
  .record({
    last: fc.record({
      path: fc
        .tuple(link, fc.array(link, { maxLength: 3 }))
        .map(([first, above]) => [first, ...above] as const),
      certificate: fc.record({ ...statement, signers: bitmap, signature: bytes(96) }),
    }),
    next: fc.record({
      epoch,
      validators,
      seed: digest,
      passedOver: fc.array(address, { maxLength: 3 }),
    }),
  })
  .map(encodeEpochProof);
const timeout = fc.record({ epoch, round, highQcRound: round, validator: address, signature: bytes(96) });
const evidence: fc.Arbitrary<Evidence> = fc.oneof(
  fc.record({ kind: fc.constant('DoubleVote' as const), first: vote, second: vote }),
  fc.record({ kind: fc.constant('QcHiding' as const), vote, timeout }),
);
/** Most blocks carry none. */
const carried: fc.Arbitrary<Pick<Block, 'evidence'>> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(evidence, fc.array(evidence, { maxLength: 3 }))
      .map(([first, rest]) => ({ evidence: [first, ...rest] as const })),
  },
);
const block: fc.Arbitrary<Block> = fc
  .tuple(carried, fc.record({ header, qc }))
  .map(([more, one]) => ({ ...one, ...more }));
export const certified: fc.Arbitrary<CertifiedBlock> = fc.record({ block, qc });
/** Some of them carry the certificate of the one before, as those of a chain do; or nearly so. */
export const chain: fc.Arbitrary<readonly CertifiedBlock[]> = fc
  .array(fc.tuple(certified, fc.constantFrom('same', 'copied', 'signers', 'signature', 'apart')), {
    maxLength: 6,
  })
  .map((drawn) => {
    const blocks: CertifiedBlock[] = [];
    for (const [one, link] of drawn) {
      const before = blocks.at(-1)?.qc;
      blocks.push(
        before === undefined ? one : { ...one, block: { ...one.block, qc: linked(before, link, one) } },
      );
    }
    return blocks;
  });

function linked(before: QuorumCertificate, link: string, { block }: CertifiedBlock): QuorumCertificate {
  switch (link) {
    case 'same':
      return before;
    case 'copied':
      return { ...before, signers: before.signers.slice(), signature: before.signature.slice() };
    case 'signers':
      return { ...before, signers: block.qc.signers };
    case 'signature':
      return { ...before, signature: block.qc.signature };
    default:
      return block.qc;
  }
}
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

const rejected = fc.record(
  {
    accepted: fc.constant(false as const),
    code: fc.constantFrom('TOO_LARGE', 'x'),
    log: fc.string({ maxLength: 60, unit: 'grapheme' }).filter((text) => Buffer.byteLength(text) <= 256),
    applicationCode: nonce,
  },
  { requiredKeys: ['accepted', 'code', 'log'] },
);
/** Heights that fall by `steps`, from above the first. Some lists of 40 are compressed, those of 3 are not. */
const fallingBy = (steps: readonly (readonly [number, Digest])[]) => {
  let at = steps.reduce((sum, [step]) => sum + step, 0);
  const sequenceNumber = fc.constant(at as Height);
  const partialState = steps.map(([step, appHash]) => {
    at -= step;
    return { height: at as Height, appHash };
  });
  return { sequenceNumber, partialState: fc.constant(partialState) };
};

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
  EpochChange: fc.record({ kind: kind('EpochChange'), qc, proof }),
  GetEpochChange: fc.record({ kind: kind('GetEpochChange'), epoch }),
  NewView: fc.record({ kind: kind('NewView'), epoch, height, round, leader: address, tc }),
  Batch: fc.record({
    kind: kind('Batch'),
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc.constantFrom(255, 256, 65_535, 65_536).map((length) => new Uint8Array(length).fill(7)),
    ),
  }),
  Evidence: fc.record({ kind: kind('Evidence'), evidence }),
  VoteShown: fc.record({ kind: kind('VoteShown'), vote }),
  BatchAck: fc.record({ kind: kind('BatchAck'), digests }),
  GetBatch: fc.record({ kind: kind('GetBatch'), digests }),
  GetBlocks: fc.record({
    kind: kind('GetBlocks'),
    requestId: ordinal,
    from: height,
    limit: fc.integer({ min: 1, max: 256 }),
    withBatches: fc.boolean(),
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
    blocks: fc.oneof(fc.array(certified, { maxLength: 3 }), chain),
    batches: fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 4 }),
    height,
  }),
  GetBlockHeight: fc.record({ kind: kind('GetBlockHeight'), requestId: ordinal }),
  BlockHeight: fc.record(
    { kind: kind('BlockHeight'), requestId: ordinal, base: height, height, tipId: blockId, proof: qc },
    { requiredKeys: ['kind', 'requestId', 'base', 'height', 'tipId'] },
  ),
  GetGenesisHash: fc.record({ kind: kind('GetGenesisHash'), requestId: ordinal }),
  GenesisHash: fc.record({ kind: kind('GenesisHash'), requestId: ordinal, genesisHash: digest }),
  GetBlockHash: fc.record({ kind: kind('GetBlockHash'), requestId: ordinal, height }),
  BlockHash: fc.record(
    { kind: kind('BlockHash'), requestId: ordinal, height, id: blockId },
    { requiredKeys: ['kind', 'requestId', 'height'] },
  ),
  GetChain: fc.record({ kind: kind('GetChain'), requestId: ordinal }),
  Chain: fc.record(
    {
      kind: kind('Chain'),
      requestId: ordinal,
      base: height,
      proof: qc,
      checkpoints: fc.array(fc.record({ height, id: blockId }), { maxLength: 6 }),
    },
    { requiredKeys: ['kind', 'requestId', 'base', 'checkpoints'] },
  ),
  GetSnapshot: fc.record({ kind: kind('GetSnapshot'), requestId: ordinal }),
  Snapshot: fc.record(
    {
      kind: kind('Snapshot'),
      requestId: ordinal,
      manifest: fc.record({
        height,
        format: ordinal,
        bytes: fc.nat({ max: 2 ** 32 }),
        chunks: fc.array(digest, { maxLength: 5 }),
      }),
    },
    { requiredKeys: ['kind', 'requestId'] },
  ),
  GetSnapshotChunk: fc.record({
    kind: kind('GetSnapshotChunk'),
    requestId: ordinal,
    height,
    format: ordinal,
    chunk: fc.nat({ max: 4_095 }),
  }),
  GetEpochs: fc.record({
    kind: kind('GetEpochs'),
    requestId: ordinal,
    from: epoch,
    limit: fc.integer({ min: 1, max: 16 }),
  }),
  Epochs: fc.record({
    kind: kind('Epochs'),
    requestId: ordinal,
    changes: fc.array(fc.record({ qc, proof }), { maxLength: 3 }),
  }),
  SnapshotChunk: fc.record(
    {
      kind: kind('SnapshotChunk'),
      requestId: ordinal,
      bytes: fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom(255, 256, 65_535, 65_536).map((length) => new Uint8Array(length).fill(7)),
      ),
    },
    { requiredKeys: ['kind', 'requestId'] },
  ),
  TimeRequest: fc.record({ kind: kind('TimeRequest'), requestId: ordinal }),
  TimeReply: fc.record({
    kind: kind('TimeReply'),
    requestId: ordinal,
    receivedMicros: fc.maxSafeNat(),
    repliedMicros: fc.maxSafeNat(),
    isSynchronised: fc.boolean(),
  }),
  StateSync: fc
    .array(fc.tuple(fc.integer({ min: 1, max: 100_000 }), digest), { maxLength: 40 })
    .chain((steps) => fc.record({ kind: kind('StateSync'), stateHash: digest, ...fallingBy(steps) })),
  SubmitOperations: fc.record({
    kind: kind('SubmitOperations'),
    tag: ordinal,
    operations: fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 6 }),
  }),
  OperationsAnswered: fc.record({
    kind: kind('OperationsAnswered'),
    tag: ordinal,
    admissions: fc.array(fc.oneof(fc.constant({ accepted: true } as const), rejected), {
      minLength: 1,
      maxLength: 6,
    }),
  }),
};

export const anyMessage: fc.Arbitrary<WireMessage> = fc.oneof(...Object.values(MESSAGES));
