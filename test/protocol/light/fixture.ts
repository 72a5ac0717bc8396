/** Proofs of small chains: of headers, and of an epoch that ends with other validators. */
import { epochHashOf, evidenceHashOf, NO_NEXT_EPOCH } from '../../../src/protocol/chain/canonical.ts';
import { nextHeight } from '../../../src/protocol/chain/ordinals.ts';
import type {
  Address,
  Block,
  EpochDescriptor,
  EpochProof,
  ExecutedState,
  HeaderLink,
  Height,
  ProvenHeader,
  QuorumCertificate,
} from '../../../src/protocol/chain/types.ts';
import type { TrustedEpoch } from '../../../src/protocol/light/types.ts';
import {
  blockOn,
  epochNumber,
  GENESIS_EXECUTED,
  idOf,
  present,
  qcOf,
  round,
  type World,
} from '../consensus/fixture.ts';

export const linkOf = ({ header, qc }: Block): HeaderLink => ({ header, parentRound: qc.round });

export const trustedOf = ({ epoch }: World): TrustedEpoch => ({
  domain: epoch.domain,
  descriptor: epoch.descriptor,
});

export interface SmallChain {
  readonly blocks: readonly Block[];
  readonly qcs: readonly QuorumCertificate[];
}

/** The header of block `from`, proven by the QC of block `by`. */
export function proofOf({ blocks, qcs }: SmallChain, from: number, by: number): ProvenHeader {
  const [first, ...others] = blocks.slice(from, by).map(linkOf);
  return {
    path: [present(first, `block ${from}`), ...others],
    certificate: present(qcs[by], `QC ${by}`),
  };
}

/** What an epoch with these validators after `place`'s is. */
export const nextOf = (place: World, next: World, passedOver: readonly Address[] = []): EpochDescriptor => ({
  epoch: epochNumber(place.epoch.epoch + 1),
  validators: next.epoch.set,
  seed: evidenceHashOf([]),
  passedOver,
});

/** A chain in these rounds whose blocks from the `end`-th on state the next epoch; `stated`: which state the header at a height states. */
export function endingChain(
  place: World,
  rounds: readonly number[],
  end: number,
  next: EpochDescriptor,
  stated: (at: Height) => ExecutedState = () => GENESIS_EXECUTED,
): SmallChain {
  const blocks: Block[] = [];
  const qcs: QuorumCertificate[] = [];
  let tip = place.epoch.rootQC;
  for (const [index, inRound] of rounds.entries()) {
    const plain = blockOn(place, tip, inRound, { executed: stated(nextHeight(tip.height)) });
    const ended = index > end ? NO_NEXT_EPOCH : epochHashOf(next);
    const nextValidatorsHash = index < end ? plain.header.nextValidatorsHash : ended;
    const block: Block = { ...plain, header: { ...plain.header, nextValidatorsHash } };
    tip = qcOf(place, block);
    blocks.push(block);
    qcs.push(tip);
  }
  return { blocks, qcs };
}

export function epochProofOf(place: World, next: EpochDescriptor): EpochProof {
  return { last: proofOf(endingChain(place, [1, 2, 3], 1, next), 1, 2), next };
}

/** The world of an epoch that begins with the block of `last`. */
export function worldAfter(next: World, place: World, { last, next: descriptor }: EpochProof): World {
  const { header, parentRound } = last.path[0];
  const root = { header, qc: { ...place.epoch.rootQC, round: parentRound } };
  const { domain } = place.epoch;
  const rootQC: QuorumCertificate = {
    ...place.epoch.rootQC,
    epoch: descriptor.epoch,
    round: round(0),
    height: header.height,
    blockId: idOf(place, root),
  };
  const epoch = {
    ...next.epoch,
    ...{ domain, epoch: descriptor.epoch, descriptor, set: descriptor.validators },
    ...{ hash: epochHashOf(descriptor), rootQC },
  };
  return { ...next, epoch };
}
