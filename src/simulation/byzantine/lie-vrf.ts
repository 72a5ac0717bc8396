/**
 * Blocks with a VRF proof that is not their round's: the liar's own of another round, another leader's, a changed one, none; and
 * one where the genesis chose no VRF (CS-17). Rule SM-3.
 */
import { vrfInputOf } from '../../protocol/chain/canonical.ts';
import type { Header } from '../../protocol/chain/types.ts';
import type { Letter, LieModule, LieTools } from './lie.ts';
import { instead } from './lie.ts';
import { roundBy } from './pen.ts';
import { anyOf } from './stale-certificates.ts';

/** Rounds between the block's and that which the proof is of. */
const STEPS = [-2, -1, 1, 2] as const;
const NONE: readonly Uint8Array[] = [];

export const lieVrf: LieModule = {
  concerns: ['Proposal'],
  lie(sent: Letter, tools) {
    const { message } = sent;
    const { pen, draws, signer } = tools;
    if (message.kind !== 'Proposal' || message.vote.validator !== signer.address) return [sent];
    const vrfProof = anyOf(proofsFor(message.block.header, tools), draws);
    return vrfProof === undefined ? [sent] : [instead(sent, pen.proposal(message, { header: { vrfProof } }))];
  },
};

function proofsFor(header: Header, { signer, epoch, memory, draws }: LieTools): readonly Uint8Array[] {
  const { round, vrfProof } = header;
  const replayed = STEPS.map((by) => roundBy(round, by)).flatMap((at) =>
    at === round ? NONE : (signer.prove(vrfInputOf(epoch.domain, epoch.epoch, at)) ?? NONE),
  );
  if (vrfProof.byteLength === 0) return replayed;
  const foreign = memory
    .ofKind('Proposal')
    .map(({ block }) => block.header)
    .filter(({ proposer }) => proposer !== signer.address);
  const at = draws.below(vrfProof.byteLength);
  const forged = vrfProof.map((byte, index) => (index === at ? byte ^ (1 + draws.below(255)) : byte));
  const others = foreign.slice(-1).map((one) => one.vrfProof);
  return [...replayed, ...others, forged, new Uint8Array(0)];
}
