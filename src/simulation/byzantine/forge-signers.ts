/**
 * Certificates whose bitmaps claim others: the statement is of its own invention and so is the only signature under it.
 * Rule SM-3; refused by CS-4, CS-8.
 */

import { viewChangeStatementBytes } from '../../protocol/chain/canonical.ts';
import { bitmapOf } from '../../protocol/chain/signers.ts';
import type { QuorumCertificate, Round, TimeoutCertificate } from '../../protocol/chain/types.ts';
import { inventedId } from './equivocate.ts';
import { instead, type LieModule, type LieTools } from './lie.ts';
import { heightBy, roundBy } from './pen.ts';

export const forgeSigners: LieModule = {
  concerns: ['Proposal', 'QC', 'ViewChange', 'NewView'],
  lie(sent, tools) {
    const { message } = sent;
    const { pen, signer } = tools;
    switch (message.kind) {
      case 'Proposal': {
        if (message.vote.validator !== signer.address) return [sent];
        const { round } = message.block.header;
        const change =
          message.tc === undefined
            ? { qc: forgedQC(message.block.qc, message.block.qc.round, tools) }
            : { tc: forgedTC(roundBy(round, -1), tools) };
        return [instead(sent, pen.proposal(message, change))];
      }
      case 'QC':
        return [instead(sent, { ...message, qc: forgedQC(message.qc, roundBy(message.qc.round, 1), tools) })];
      case 'ViewChange': {
        if (message.validator !== signer.address) return [sent];
        const highQC = forgedQC(message.highQC, roundBy(message.round, -1), tools);
        return [instead(sent, pen.timeout(message, { highQC }))];
      }
      case 'NewView': {
        const round = roundBy(message.round, 1);
        return [instead(sent, { ...message, round, tc: forgedTC(message.round, tools) })];
      }
      default:
        return [sent];
    }
  },
};

/** All validators, as a bitmap says it. */
const everybody = ({ epoch: { set } }: LieTools): Uint8Array =>
  bitmapOf(
    set,
    set.validators.map(({ address }) => address),
  );

/** "A quorum voted for this block", which nobody has, under one signature. */
function forgedQC(model: QuorumCertificate, round: Round, tools: LieTools): QuorumCertificate {
  const blockId = inventedId(`forgery of ${model.blockId}`) ?? model.blockId;
  const { validator: _, ...voted } = tools.pen.vote({
    ...model,
    round,
    height: heightBy(model.height, 1),
    blockId,
    parentId: model.blockId,
    parentRound: roundBy(round, -1),
  });
  return { ...voted, signers: everybody(tools) };
}

/** "A quorum gave this round up", under one signature. */
function forgedTC(round: Round, tools: LieTools): TimeoutCertificate {
  const { epoch, signer, memory } = tools;
  const highQC = memory.qcsBelow(round).at(-1) ?? epoch.rootQC;
  const statement = viewChangeStatementBytes(epoch.domain, epoch.epoch, round, highQC.round);
  return {
    epoch: epoch.epoch,
    round,
    highQC,
    groups: [{ highQcRound: highQC.round, signers: everybody(tools) }],
    signature: signer.sign(statement) ?? new Uint8Array(0),
  };
}
