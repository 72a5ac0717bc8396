/** Its votes reach nobody, neither alone nor inside its timeouts. Its own blocks still carry one. Rule SM-3. */
import { instead, type LieModule } from './lie.ts';
import { NONE } from './pen.ts';

export const withholdVotes: LieModule = {
  concerns: ['Vote', 'ViewChange'],
  lie(sent, { pen, signer }) {
    const { message } = sent;
    if (message.kind === 'Vote') return [];
    if (message.kind === 'ViewChange' && message.validator === signer.address) {
      return [instead(sent, pen.timeout(message, { lastVote: NONE }))];
    }
    return [sent];
  },
};
