/** Wrong heights wherever a height stands: blocks and votes, labels of timeouts, answers to those who catch up. Rule SM-3. */
import type { RandomStream } from '../../base/random.ts';
import { GENESIS_HEIGHT, ORDINAL_MAX } from '../../protocol/chain/ordinals.ts';
import type { Height } from '../../protocol/chain/types.ts';
import type { BlockHeightMessage, ChainMessage } from '../../protocol/sync/messages.ts';
import { instead, type LieModule } from './lie.ts';
import { heightBy } from './pen.ts';
import { anyOf } from './stale-certificates.ts';

/** @unit heights */
const STEPS = [-1_000, -2, -1, 1, 2, 1_000, 1_000_000_000] as const;

const FIRST = heightBy(GENESIS_HEIGHT, 1);
const LAST = heightBy(GENESIS_HEIGHT, ORDINAL_MAX);

export const lieHeights: LieModule = {
  concerns: [
    'Proposal',
    'Vote',
    'ViewChange',
    'NewView',
    'GetBlocks',
    'Blocks',
    'BlockHeight',
    'GetBlockHash',
    'BlockHash',
    'Chain',
    'Snapshot',
    'GetSnapshotChunk',
  ],
  lie(sent, { pen, draws, signer }) {
    const { message } = sent;
    switch (message.kind) {
      case 'Proposal': {
        if (message.vote.validator !== signer.address) return [sent];
        const height = wrong(message.block.header.height, draws);
        return [instead(sent, pen.proposal(message, { header: { height } }))];
      }
      case 'Vote': {
        const height = wrong(message.vote.height, draws);
        return [instead(sent, { kind: 'Vote', vote: pen.vote({ ...message.vote, height }) })];
      }
      case 'ViewChange':
      case 'NewView':
      case 'Blocks':
      case 'GetBlockHash':
      case 'BlockHash':
      case 'GetSnapshotChunk':
        return [instead(sent, { ...message, height: wrong(message.height, draws) })];
      case 'GetBlocks':
        return [instead(sent, { ...message, from: wrong(message.from, draws) })];
      case 'BlockHeight':
        return [instead(sent, wrongClaim(message, draws))];
      case 'Chain':
        return [instead(sent, wrongChain(message, draws))];
      case 'Snapshot':
        return message.manifest === undefined
          ? [sent]
          : [
              instead(sent, {
                ...message,
                manifest: { ...message.manifest, height: wrong(message.manifest.height, draws) },
              }),
            ];
      default:
        return [sent];
    }
  },
};

/** A true proof under a false height, a false base, the whole of all heights, or a height without any proof. */
function wrongClaim(message: BlockHeightMessage, draws: RandomStream): BlockHeightMessage {
  const { proof: _, ...unproved } = message;
  switch (draws.below(4)) {
    case 0:
      return { ...message, base: wrong(message.base, draws) };
    case 1:
      return { ...message, height: wrong(message.height, draws) };
    case 2:
      return { ...unproved, height: wrong(message.height, draws) };
    default:
      return { ...unproved, base: FIRST, height: LAST };
  }
}

/** All heights moved alike, or the base alone. */
function wrongChain(message: ChainMessage, draws: RandomStream): ChainMessage {
  const by = anyOf(STEPS, draws) ?? 1;
  return draws.below(2) === 0
    ? { ...message, base: wrong(message.base, draws) }
    : {
        ...message,
        base: wrong(message.base, draws),
        checkpoints: message.checkpoints.map(({ height, id }) => ({ height: heightBy(height, by), id })),
      };
}

/** Another height; upwards where there is no room below. */
function wrong(height: Height, draws: RandomStream): Height {
  const other = heightBy(height, anyOf(STEPS, draws) ?? 1);
  return other === height ? heightBy(height, 1) : other;
}
