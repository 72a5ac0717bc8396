/**
 * A good message with one field changed a little: a round or height one off, an earlier value, the field of another
 * message; signed again where it is the liar's to sign, so that cheap checks let it pass. Rule SM-3.
 */
import { utf8 } from '../../base/bytes.ts';
import type { RandomStream } from '../../base/random.ts';
import { BRIDGE_KINDS, type BridgeMessage } from '../../protocol/bridge/messages.ts';
import { digestOf } from '../../protocol/chain/canonical.ts';
import type {
  BlockId,
  EncodedChange,
  Evidence,
  QuorumCertificate,
  TimeoutCertificate,
  Vote,
} from '../../protocol/chain/types.ts';
import type { PeerMessage, ProposalMessage, ViewChangeMessage } from '../../protocol/consensus/types.ts';
import { encodeEpochProof, parseEpochProof } from '../../protocol/light/encoding.ts';
import type {
  BlockHeightMessage,
  BlocksMessage,
  ChainMessage,
  SnapshotMessage,
  SyncMessage,
} from '../../protocol/sync/messages.ts';
import { SYNC_KINDS } from '../../protocol/sync/messages.ts';
import { inventedId } from './equivocate.ts';
import { instead, type LieModule, type LieTools } from './lie.ts';
import { epochBy, heightBy, NONE, type ProposalChange, roundBy, type TimeoutChange, timeBy } from './pen.ts';
import { anyOf } from './stale-certificates.ts';

export const mutate: LieModule = {
  concerns: [
    'Proposal',
    'Vote',
    'QC',
    'ViewChange',
    'NewView',
    'Evidence',
    'VoteShown',
    'Batch',
    'BatchAck',
    'GetBatch',
    ...SYNC_KINDS,
    'TimeRequest',
    'TimeReply',
    ...BRIDGE_KINDS,
  ],
  lie: (sent, tools) => [instead(sent, mutated(sent.message, tools))],
};

function mutated(message: PeerMessage, tools: LieTools): PeerMessage {
  const { pen, signer, draws } = tools;
  switch (message.kind) {
    case 'Proposal':
      if (message.vote.validator !== signer.address) return message;
      return draws.below(12) === 0
        ? { ...message, vote: otherVote(message.vote, tools) }
        : pen.proposal(message, proposalChange(message, tools));
    case 'Vote':
      return { kind: 'Vote', vote: otherVote(message.vote, tools) };
    case 'QC':
      return { ...message, qc: otherQC(message.qc, tools) };
    case 'ViewChange':
      return message.validator === signer.address
        ? pen.timeout(message, timeoutChange(message, tools))
        : message;
    case 'NewView':
      return draws.below(2) === 0
        ? { ...message, round: roundBy(message.round, plusOrMinusOne(draws)) }
        : { ...message, tc: otherTC(message.tc, tools) };
    case 'Batch':
      return { ...message, bytes: withOneBitFlipped(message.bytes, draws) };
    case 'GetEpochChange':
      return { ...message, epoch: epochBy(message.epoch, 1) };
    case 'EpochChange':
      return otherChange(message, tools);
    case 'BatchAck':
    case 'GetBatch':
      return { ...message, digests: [...message.digests, ...message.digests.slice(0, 1)] };
    case 'TimeRequest':
      return { ...message, requestId: message.requestId + 1 };
    case 'TimeReply':
      return draws.below(2) === 0
        ? { ...message, requestId: message.requestId + 1 }
        : { ...message, receivedMicros: message.repliedMicros, repliedMicros: message.receivedMicros };
    case 'Evidence':
      return { ...message, evidence: mutatedEvidence(message.evidence, draws) };
    case 'VoteShown':
      return {
        ...message,
        vote: { ...message.vote, round: roundBy(message.vote.round, plusOrMinusOne(draws)) },
      };
    case 'StateSync':
    case 'SubmitOperations':
    case 'OperationsAnswered':
      return mutatedBridge(message, draws);
    default:
      return draws.below(4) === 0
        ? { ...message, requestId: message.requestId + 1 }
        : mutatedSync(message, tools);
  }
}

/** What proves itself proves nothing any more. */
function mutatedEvidence(evidence: Evidence, draws: RandomStream): Evidence {
  if (evidence.kind === 'DoubleVote') {
    return draws.below(2) === 0
      ? { ...evidence, second: evidence.first }
      : { ...evidence, second: { ...evidence.second, height: heightBy(evidence.second.height, 1) } };
  }
  const { timeout } = evidence;
  return {
    ...evidence,
    timeout: { ...timeout, highQcRound: roundBy(timeout.highQcRound, plusOrMinusOne(draws)) },
  };
}

function mutatedBridge(message: BridgeMessage, draws: RandomStream): BridgeMessage {
  const isFirst = draws.below(2) === 0;
  switch (message.kind) {
    case 'StateSync': {
      const { sequenceNumber, stateHash } = message;
      return isFirst
        ? { ...message, sequenceNumber: heightBy(sequenceNumber, 1) }
        : { ...message, stateHash: digestOf(utf8(`mutation of ${stateHash}`)) };
    }
    case 'SubmitOperations':
      return isFirst
        ? { ...message, tag: message.tag + 1 }
        : { ...message, operations: message.operations.map((bytes) => withOneBitFlipped(bytes, draws)) };
    case 'OperationsAnswered':
      return isFirst
        ? { ...message, tag: message.tag + 1 }
        : {
            ...message,
            admissions: message.admissions.map(({ accepted }) =>
              accepted ? { accepted: false, code: 'MUTATED', log: '' } : { accepted: true },
            ),
          };
  }
}

function mutatedSync(message: SyncMessage, tools: LieTools): SyncMessage {
  const { draws } = tools;
  const other = inventedId(`mutation ${draws.below(1_000_000)}`);
  switch (message.kind) {
    case 'GetBlocks':
      return draws.below(4) === 0
        ? { ...message, withBatches: !message.withBatches }
        : { ...message, from: heightBy(message.from, plusOrMinusOne(draws)) };
    case 'GetBlock':
      return { ...message, id: other ?? message.id };
    case 'Blocks':
      return mutatedBlocks(message, tools);
    case 'BlockHeight':
      return mutatedClaim(message, tools);
    case 'GenesisHash':
      return { ...message, genesisHash: other ?? message.genesisHash };
    case 'GetBlockHash':
      return { ...message, height: heightBy(message.height, plusOrMinusOne(draws)) };
    case 'BlockHash': {
      const { id: _, ...unknown } = message;
      return other === undefined || draws.below(3) === 0 ? unknown : { ...message, id: other };
    }
    case 'Chain':
      return mutatedChain(message, tools);
    case 'Snapshot':
      return mutatedSnapshot(message, draws, other);
    case 'GetSnapshotChunk':
      return { ...message, chunk: message.chunk === 0 ? 1 : message.chunk - 1 };
    case 'SnapshotChunk': {
      const { bytes, ...none } = message;
      if (bytes === undefined) return { ...message, bytes: utf8('no chunk at all') };
      return draws.below(3) === 0 ? none : { ...message, bytes: withOneBitFlipped(bytes, draws) };
    }
    case 'GetEpochs':
      return { ...message, from: epochBy(message.from, 1) };
    case 'Epochs':
      return { ...message, changes: mutatedChanges(message.changes, tools) };
    case 'GetBlockHeight':
    case 'GetGenesisHash':
    case 'GetChain':
    case 'GetSnapshot':
      return { ...message, requestId: message.requestId + 1 };
  }
}

function mutatedBlocks(message: BlocksMessage, { draws }: LieTools): BlocksMessage {
  const { blocks, batches } = message;
  switch (draws.below(5)) {
    case 0:
      return { ...message, blocks: blocks.slice(1) };
    case 1:
      return { ...message, blocks: blocks.toReversed() };
    case 2:
      return { ...message, blocks: blocks.map(({ block }) => ({ block, qc: block.qc })) };
    case 3:
      return { ...message, height: heightBy(message.height, plusOrMinusOne(draws)) };
    default:
      return batches.length === 0
        ? { ...message, batches: [utf8('a batch that nobody named')] }
        : { ...message, batches: batches.map((bytes) => withOneBitFlipped(bytes, draws)) };
  }
}

/** Another base, height or tip under a true proof, another proof under a true claim, or none. */
function mutatedClaim(message: BlockHeightMessage, tools: LieTools): BlockHeightMessage {
  const { draws, memory } = tools;
  const { proof, ...unproved } = message;
  switch (draws.below(6)) {
    case 0:
      return { ...message, base: heightBy(message.base, plusOrMinusOne(draws)) };
    case 1:
      return { ...message, height: heightBy(message.height, plusOrMinusOne(draws)) };
    case 2:
      return { ...message, base: heightBy(message.height, 1) };
    case 3:
      return { ...message, tipId: inventedId(`mutation of ${message.tipId}`) ?? message.tipId };
    case 4:
      return proof === undefined ? { ...message, height: heightBy(message.height, 1) } : unproved;
    default: {
      const some = proof ?? memory.qcs.at(-1);
      return some === undefined ? unproved : { ...message, proof: otherQC(some, tools) };
    }
  }
}

function mutatedChain(message: ChainMessage, tools: LieTools): ChainMessage {
  const { draws } = tools;
  const { proof, ...unproved } = message;
  const { checkpoints } = message;
  const changed = draws.below(Math.max(1, checkpoints.length));
  switch (draws.below(5)) {
    case 0:
      return { ...message, base: heightBy(message.base, plusOrMinusOne(draws)) };
    case 1:
      return { ...message, checkpoints: checkpoints.slice(0, -1) };
    case 2:
      return { ...message, checkpoints: checkpoints.toReversed() };
    case 3:
      return {
        ...message,
        checkpoints: checkpoints.map((one, place) =>
          place === changed ? { ...one, id: inventedId(`mutation of ${one.id}`) ?? one.id } : one,
        ),
      };
    default:
      return proof === undefined || draws.below(2) === 0
        ? unproved
        : { ...message, proof: otherQC(proof, tools) };
  }
}

function mutatedSnapshot(
  message: SnapshotMessage,
  draws: RandomStream,
  other: BlockId | undefined,
): SnapshotMessage {
  const { manifest, ...none } = message;
  if (manifest === undefined) return { ...message, requestId: message.requestId + 1 };
  switch (draws.below(4)) {
    case 0:
      return none;
    case 1:
      return {
        ...message,
        manifest: { ...manifest, height: heightBy(manifest.height, plusOrMinusOne(draws)) },
      };
    case 2:
      return { ...message, manifest: { ...manifest, format: manifest.format + 1 } };
    default: {
      const chunks = other === undefined ? manifest.chunks : [...manifest.chunks.slice(1), other];
      return { ...message, manifest: { ...manifest, chunks } };
    }
  }
}

function proposalChange(message: ProposalMessage, tools: LieTools): ProposalChange {
  const { draws, memory, epoch } = tools;
  const { header, qc } = message.block;
  const earlier = anyOf(memory.ofKind('Proposal'), draws)?.block.header ?? header;
  const some = digestOf(utf8(`mutation of ${header.validatorsHash}`));
  const changes: readonly (() => ProposalChange)[] = [
    () => ({ header: { round: roundBy(header.round, plusOrMinusOne(draws)) } }),
    () => ({ header: { height: heightBy(header.height, plusOrMinusOne(draws)) } }),
    () => ({ header: { epoch: epochBy(header.epoch, 1) } }),
    () => ({ header: { time: timeBy(header.time, plusOrMinusOne(draws)) } }),
    () => ({ header: { parentId: earlier.parentId } }),
    () => ({ header: { executed: earlier.executed } }),
    () => ({ header: { executed: { ...header.executed, appHash: some } } }),
    () => ({ header: { nextValidatorsHash: some } }),
    () => ({ header: { evidenceHash: some } }),
    () => ({ header: { batches: earlier.batches } }),
    () => ({ header: { proposer: anyOf(epoch.set.validators, draws)?.address ?? header.proposer } }),
    () => ({ qc: otherQC(qc, tools) }),
    () => ({ tc: message.tc === undefined ? (memory.tcs.at(-1) ?? NONE) : NONE }),
  ];
  return anyOf(changes, draws)?.() ?? {};
}

function timeoutChange(message: ViewChangeMessage, tools: LieTools): TimeoutChange {
  const { draws, memory } = tools;
  const changes: readonly (() => TimeoutChange)[] = [
    () => ({ round: roundBy(message.round, plusOrMinusOne(draws)) }),
    () => ({ highQC: otherQC(message.highQC, tools) }),
    () => ({ lastTC: message.lastTC === undefined ? (memory.tcs.at(-1) ?? NONE) : NONE }),
    () => ({ lastTC: anyOf(memory.tcs, draws) ?? NONE }),
    () => ({ lastVote: anyOf(memory.votes, draws) ?? NONE }),
    () => ({ tick: Math.max(0, message.tick - 1) }),
    () => ({ height: heightBy(message.height, plusOrMinusOne(draws)) }),
    () => ({ reason: 'ConflictingProposals' }),
  ];
  return anyOf(changes, draws)?.() ?? {};
}

function otherVote(vote: Vote, { pen, draws, memory }: LieTools): Vote {
  const other = anyOf(memory.votes, draws) ?? vote;
  switch (draws.below(6)) {
    case 0:
      return pen.vote({ ...vote, round: roundBy(vote.round, plusOrMinusOne(draws)) });
    case 1:
      return pen.vote({ ...vote, height: heightBy(vote.height, plusOrMinusOne(draws)) });
    case 2:
      return pen.vote({ ...vote, blockId: other.blockId });
    case 3:
      return pen.vote({ ...vote, parentId: other.parentId });
    case 4:
      return pen.vote({ ...vote, parentRound: roundBy(vote.parentRound, plusOrMinusOne(draws)) });
    default:
      // Another's vote as it is, or with the liar's signature under it.
      return { ...other, signature: vote.signature };
  }
}

function otherQC(qc: QuorumCertificate, { draws, memory }: LieTools): QuorumCertificate {
  const other = anyOf(memory.qcs, draws) ?? qc;
  switch (draws.below(6)) {
    case 0:
      return { ...qc, round: roundBy(qc.round, plusOrMinusOne(draws)) };
    case 1:
      return { ...qc, height: heightBy(qc.height, plusOrMinusOne(draws)) };
    case 2:
      return { ...qc, blockId: other.blockId };
    case 3:
      return { ...qc, signers: withOneBitFlipped(qc.signers, draws) };
    case 4:
      return { ...qc, signature: other.signature };
    default:
      return other;
  }
}

function otherTC(tc: TimeoutCertificate, tools: LieTools): TimeoutCertificate {
  const { draws, memory } = tools;
  const other = anyOf(memory.tcs, draws) ?? tc;
  switch (draws.below(5)) {
    case 0:
      return { ...tc, round: roundBy(tc.round, plusOrMinusOne(draws)) };
    case 1:
      return { ...tc, highQC: otherQC(tc.highQC, tools) };
    case 2:
      return { ...tc, groups: other.groups };
    case 3:
      return { ...tc, signature: other.signature };
    default:
      return other;
  }
}

function otherChange<Change extends EncodedChange>(message: Change, tools: LieTools): Change {
  const proof = parseEpochProof(message.proof);
  if (proof === 'malformed' || tools.draws.below(2) === 0)
    return { ...message, qc: otherQC(message.qc, tools) };
  const last = { ...proof.last, certificate: otherQC(proof.last.certificate, tools) };
  return { ...message, proof: encodeEpochProof({ ...proof, last }) };
}

/** One of them false, or left out, or none at all. */
function mutatedChanges(changes: readonly EncodedChange[], tools: LieTools): readonly EncodedChange[] {
  const at = tools.draws.below(Math.max(1, changes.length));
  switch (tools.draws.below(3)) {
    case 0:
      return changes.map((change, index) => (index === at ? otherChange(change, tools) : change));
    case 1:
      return changes.filter((_, index) => index !== at);
    default:
      return [];
  }
}

function withOneBitFlipped(bytes: Uint8Array, draws: RandomStream): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = draws.below(Math.max(1, copy.length));
  const byte = copy[at];
  if (byte !== undefined) copy[at] = byte ^ (1 << draws.below(8));
  return copy;
}

const plusOrMinusOne = (draws: RandomStream): number => (draws.below(2) === 0 ? -1 : 1);
