/**
 * The truth, and with it up to sixteen messages that nobody needs: repetitions of all that was heard, true votes for far
 * rounds, requests for what does not exist,
 * answers that nobody asked for, garbage. Rule SM-3; bounded by CS-13, MP-5, TP-6.
 */
import { utf8 } from '../../base/bytes.ts';
import type { RandomStream } from '../../base/random.ts';
import { digestOf } from '../../protocol/chain/canonical.ts';
import { FIRST_EPOCH } from '../../protocol/chain/ordinals.ts';
import { parseBatchDigest, parseHeight } from '../../protocol/chain/parse.ts';
import type { BatchDigest } from '../../protocol/chain/types.ts';
import type { PeerMessage } from '../../protocol/consensus/types.ts';
import { EPOCHS_ASKED_MAX, type SyncAnswer, type SyncQuestion } from '../../protocol/sync/messages.ts';
import { BLOCKS_MAX } from '../../protocol/transport/limits.ts';
import type { Transit } from '../../transport/hub.ts';
import { inventedId } from './equivocate.ts';
import { instead, type LieModule, type LieTools } from './lie.ts';
import { roundBy } from './pen.ts';
import { anyOf } from './stale-certificates.ts';

/** Extras with one message. @unit messages @source chosen: a run must stay affordable */
const EXTRAS_MAX = 16;
/** How far ahead a far round lies. @unit rounds */
const FAR = 1_000_000;
/** In one request. @unit digests */
const DIGESTS = 32;

export const flood: LieModule = {
  concerns: [
    'Proposal',
    'Vote',
    'QC',
    'ViewChange',
    'NewView',
    'Batch',
    'BatchAck',
    'GetBatch',
    'Blocks',
    'BlockHeight',
    'Chain',
  ],
  lie(sent, tools) {
    const extras: Transit[] = [];
    for (let left = 1 + tools.draws.below(EXTRAS_MAX); left > 0; left -= 1) {
      const message = extra(tools);
      if (message !== undefined) extras.push(instead(sent, message));
    }
    return [sent, ...extras];
  },
};

function extra(tools: LieTools): PeerMessage | undefined {
  const { draws, memory, pen, epoch } = tools;
  switch (draws.below(7)) {
    case 0:
    case 1: {
      // A copy: whoever forwards cannot be told from whoever repeats.
      const heard = anyOf(memory.messages, draws);
      return heard === undefined ? undefined : { ...heard };
    }
    case 2: {
      const round = roundBy(epoch.rootQC.round, FAR + draws.below(FAR));
      const blockId = inventedId(`far ${round}`) ?? epoch.rootQC.blockId;
      const link = { parentId: epoch.rootQC.blockId, parentRound: roundBy(round, -1) };
      const height = parseHeight(FAR);
      if (height === 'malformed') return undefined;
      return { kind: 'Vote', vote: pen.vote({ epoch: epoch.epoch, round, height, blockId, ...link }) };
    }
    case 3:
      return {
        kind: draws.below(2) === 0 ? 'GetBatch' : 'BatchAck',
        digests: inventedDigests(draws.below(FAR)),
      };
    case 4:
      return question(draws);
    case 5:
      return answer(tools);
    default:
      return { kind: 'Batch', bytes: utf8(`no batch at all ${draws.below(FAR)}`) };
  }
}

/** Questions about the chain: the dear and the cheap ones alike. */
function question(draws: RandomStream): PeerMessage | undefined {
  const requestId = draws.below(FAR);
  const height = parseHeight(1 + draws.below(1_000));
  if (height === 'malformed') return undefined;
  const questions: readonly SyncQuestion[] = [
    { kind: 'GetBlocks', requestId, from: height, limit: BLOCKS_MAX, withBatches: true },
    { kind: 'GetBlockHeight', requestId },
    { kind: 'GetGenesisHash', requestId },
    { kind: 'GetBlockHash', requestId, height },
    { kind: 'GetChain', requestId },
    { kind: 'GetSnapshot', requestId },
    { kind: 'GetSnapshotChunk', requestId, height, format: 1, chunk: 0 },
    { kind: 'GetEpochs', requestId, from: FIRST_EPOCH, limit: EPOCHS_ASKED_MAX },
  ];
  return anyOf(questions, draws);
}

/** Answers that nobody asked for. */
function answer({ draws, epoch }: LieTools): PeerMessage | undefined {
  const requestId = draws.below(FAR);
  const height = parseHeight(FAR + draws.below(FAR));
  const id = inventedId(`flood ${requestId}`);
  if (height === 'malformed' || id === undefined) return undefined;
  const answers: readonly SyncAnswer[] = [
    { kind: 'Blocks', requestId, blocks: [], batches: [], height },
    { kind: 'BlockHeight', requestId, base: height, height, tipId: id, proof: epoch.rootQC },
    { kind: 'GenesisHash', requestId, genesisHash: id },
    { kind: 'BlockHash', requestId, height, id },
    { kind: 'Chain', requestId, base: height, checkpoints: [{ height, id }] },
    { kind: 'Snapshot', requestId },
    { kind: 'SnapshotChunk', requestId },
    { kind: 'Epochs', requestId, changes: [] },
  ];
  return anyOf(answers, draws);
}

function inventedDigests(from: number): readonly BatchDigest[] {
  return Array.from({ length: DIGESTS }, (_, index) => from + index).flatMap((number) => {
    const digest = parseBatchDigest(digestOf(utf8(`batch ${number}`)));
    return digest === 'malformed' ? [] : [digest];
  });
}
