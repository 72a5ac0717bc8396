/** Wrong heights wherever a height stands: blocks and votes, labels of timeouts, answers to those who catch up. Rule SM-3. */
import type { RandomStream } from '../../base/random.ts';
import type { Height } from '../../protocol/chain/types.ts';
import { instead, type LieModule } from './lie.ts';
import { heightBy } from './pen.ts';
import { anyOf } from './stale-certificates.ts';

/** @unit heights */
const STEPS = [-1_000, -2, -1, 1, 2, 1_000, 1_000_000_000] as const;

export const lieHeights: LieModule = {
  concerns: ['Proposal', 'Vote', 'ViewChange', 'NewView', 'GetBlocks', 'Blocks'],
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
        return [instead(sent, { ...message, height: wrong(message.height, draws) })];
      case 'GetBlocks':
        return [instead(sent, { ...message, from: wrong(message.from, draws) })];
      default:
        return [sent];
    }
  },
};

/** Another height; upwards where there is no room below. */
function wrong(height: Height, draws: RandomStream): Height {
  const other = heightBy(height, anyOf(STEPS, draws) ?? 1);
  return other === height ? heightBy(height, 1) : other;
}
