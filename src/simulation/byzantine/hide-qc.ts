/**
 * Nobody hears of the newest QC that it collected: it is neither told nor built upon, and its timeouts name an older one,
 * which is an offence where its own vote extended the newer (CS-14). Rule SM-3.
 */
import { instead, type Letter, type LieModule, type LieTools } from './lie.ts';

export const hideQc: LieModule = {
  concerns: ['QC', 'Proposal', 'ViewChange', 'NewView'],
  lie(sent, tools) {
    const { message } = sent;
    switch (message.kind) {
      case 'QC':
      case 'NewView':
        return [];
      case 'Proposal':
        return proposed({ ...sent, message }, tools);
      case 'ViewChange':
        return message.validator === tools.signer.address ? timedOut({ ...sent, message }, tools) : [sent];
      default:
        return [sent];
    }
  },
};

/** With a TC the round allows any QC from the TC's own on: that one. Without, there is nothing older to build upon. */
function proposed(sent: Letter<'Proposal'>, { pen }: LieTools) {
  const { message } = sent;
  const { tc, block } = message;
  if (tc === undefined) return [];
  if (tc.highQC.round >= block.qc.round) return [sent];
  return [instead(sent, pen.proposal(message, { qc: tc.highQC }))];
}

/** Justified by a TC the round allows a timeout over an older QC. Without, silence hides it. */
function timedOut(sent: Letter<'ViewChange'>, { pen, memory, draws }: LieTools) {
  const { message } = sent;
  const lastTC = message.lastTC ?? memory.tcs.find((tc) => tc.round === message.round - 1);
  const older = memory.qcsBelow(message.highQC.round);
  const highQC = older[draws.below(Math.max(1, older.length))];
  if (lastTC === undefined || highQC === undefined) return [];
  return [instead(sent, pen.timeout(message, { highQC, lastTC }))];
}
