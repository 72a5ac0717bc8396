/**
 * One signer counted often: its own signature added up until it weighs a quorum, itself in several groups of a TC, bits
 * beyond the set, its votes and timeouts said again and again. Rule SM-3; refused by "Arithmetic", CS-4, CS-8.
 */
import { viewChangeStatementBytes } from '../../protocol/chain/canonical.ts';
import { bitmapOf } from '../../protocol/chain/signers.ts';
import type { QuorumCertificate, Round, TimeoutCertificate } from '../../protocol/chain/types.ts';
import { inventedId } from './equivocate.ts';
import { instead, type LieModule, type LieTools } from './lie.ts';
import { heightBy, roundBy } from './pen.ts';

export const duplicateSigners: LieModule = {
  concerns: ['Proposal', 'Vote', 'QC', 'ViewChange', 'NewView'],
  lie(sent, tools) {
    const { message } = sent;
    const { pen, signer } = tools;
    switch (message.kind) {
      case 'Vote':
        return [sent, instead(sent, { ...message }), instead(sent, { ...message })];
      case 'ViewChange':
        if (message.validator !== signer.address) return [sent];
        return [sent, instead(sent, { ...message, tick: message.tick + 1 }), instead(sent, { ...message })];
      case 'QC':
        return [instead(sent, { ...message, qc: inflatedQC(message.qc, tools) })];
      case 'NewView':
        return [instead(sent, { ...message, tc: inflatedTC(message.tc.round, tools) })];
      case 'Proposal': {
        if (message.vote.validator !== signer.address) return [sent];
        const change =
          message.tc === undefined
            ? { qc: { ...message.block.qc, signers: withBitsBeyond(message.block.qc.signers) } }
            : { tc: inflatedTC(message.tc.round, tools) };
        return [instead(sent, pen.proposal(message, change))];
      }
      default:
        return [sent];
    }
  },
};

/** Validators of as many names as make a quorum of equal powers, the liar first. */
function quorumNames({ epoch: { set }, signer }: LieTools) {
  const others = set.validators.map(({ address }) => address).filter((address) => address !== signer.address);
  return [signer.address, ...others].slice(0, Math.floor((2 * set.validators.length) / 3) + 1);
}

/** A QC of the next round under the liar's signature, as often as there are names (what naive aggregation accepts). */
function inflatedQC(model: QuorumCertificate, tools: LieTools): QuorumCertificate {
  const names = quorumNames(tools);
  const { validator: _, ...voted } = tools.pen.vote({
    ...model,
    round: roundBy(model.round, 1),
    height: heightBy(model.height, 1),
    blockId: inventedId(`inflation of ${model.blockId}`) ?? model.blockId,
    parentId: model.blockId,
    parentRound: model.round,
  });
  const signature = tools.aggregate(names.map(() => voted.signature)) ?? voted.signature;
  return { ...voted, signature, signers: bitmapOf(tools.epoch.set, names) };
}

/** Three groups of falling high-QC rounds, the liar the signer of each. */
function inflatedTC(round: Round, tools: LieTools): TimeoutCertificate {
  const { epoch, signer, memory, aggregate } = tools;
  const known = memory.qcsBelow(round).slice(-3).reverse();
  const highQC = known[0] ?? epoch.rootQC;
  const signatureOver = (highQcRound: Round): Uint8Array =>
    signer.sign(viewChangeStatementBytes(epoch.domain, epoch.epoch, round, highQcRound)) ?? new Uint8Array(0);
  const signers = bitmapOf(epoch.set, [signer.address]);
  const others = known.slice(1).map((qc) => ({ highQcRound: qc.round, signers }));
  const parts = [highQC, ...known.slice(1)].map((qc) => signatureOver(qc.round));
  return {
    epoch: epoch.epoch,
    round,
    highQC,
    groups: [{ highQcRound: highQC.round, signers }, ...others],
    signature: aggregate(parts) ?? parts[0] ?? new Uint8Array(0),
  };
}

/** The same signers, and one more byte of nobody. */
const withBitsBeyond = (signers: Uint8Array): Uint8Array => Uint8Array.of(...signers, 0xff);
