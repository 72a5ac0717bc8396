/** Certificates of earlier rounds in place of the present ones, in everything that carries some. Rule SM-3. */
import type { RandomStream } from '../../base/random.ts';
import { instead, type LieModule } from './lie.ts';

export const staleCertificates: LieModule = {
  concerns: ['Proposal', 'QC', 'ViewChange', 'NewView'],
  lie(sent, { pen, memory, draws, signer }) {
    const { message } = sent;
    switch (message.kind) {
      case 'Proposal': {
        if (message.vote.validator !== signer.address) return [sent];
        const qc = anyOf(memory.qcsBelow(message.block.qc.round), draws);
        const tc = message.tc === undefined ? undefined : anyOf(memory.tcsBelow(message.tc.round), draws);
        if (qc === undefined && tc === undefined) return [sent];
        const change = { ...(qc === undefined ? {} : { qc }), ...(tc === undefined ? {} : { tc }) };
        return [instead(sent, pen.proposal(message, change))];
      }
      case 'QC': {
        const qc = anyOf(memory.qcsBelow(message.qc.round), draws);
        return [qc === undefined ? sent : instead(sent, { ...message, qc })];
      }
      case 'ViewChange': {
        if (message.validator !== signer.address) return [sent];
        const highQC = anyOf(memory.qcsBelow(message.highQC.round), draws);
        return [highQC === undefined ? sent : instead(sent, pen.timeout(message, { highQC }))];
      }
      case 'NewView': {
        const tc = anyOf(memory.tcsBelow(message.tc.round), draws);
        return [tc === undefined ? sent : instead(sent, { ...message, tc })];
      }
      default:
        return [sent];
    }
  },
};

/** One of them, or none of none. */
export const anyOf = <Item>(items: readonly Item[], draws: RandomStream): Item | undefined =>
  items[draws.below(Math.max(1, items.length))];
