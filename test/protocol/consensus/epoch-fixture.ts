/** A second epoch after a small world's: how the first ends, by hand, and the world in which the second is played. */
import { epochHashOf, NO_NEXT_EPOCH } from '../../../src/protocol/chain/canonical.ts';
import type {
  Block,
  EpochChange,
  EpochDescriptor,
  ExecutedState,
  HeaderLink,
  ProvenHeader,
  QuorumCertificate,
} from '../../../src/protocol/chain/types.ts';
import type { BlockTree } from '../../../src/protocol/consensus/block-tree.ts';
import { epochAfter } from '../../../src/protocol/consensus/epoch.ts';
import { descriptorAfter } from '../../../src/protocol/consensus/epoch-end.ts';
import { rootStanding } from '../../../src/protocol/consensus/standing.ts';
import type { ValidatorUpdate } from '../../../src/protocol/ports/application.ts';
import { blockOn, GENESIS_EXECUTED, present, qcOf, type World } from './fixture.ts';

/** A change of one validator's power; with `of` another world's, that one comes. */
export function updateOf(place: World, index: number, power: bigint): ValidatorUpdate {
  const { nodeKey, consensusKey } = present(place.validators[index], `validator ${index}`);
  return { nodeKey, consensusKey, possessionProof: new Uint8Array(0), power };
}

export interface Ending {
  readonly next: EpochDescriptor;
  /** From the first block of the epoch; the `end`-th is the last of it. */
  readonly blocks: readonly Block[];
  readonly qcs: readonly QuorumCertificate[];
  readonly change: EpochChange;
}

export interface EndingOptions {
  /** Position of the last block of the epoch. */
  readonly end: number;
  readonly executed?: ExecutedState;
  readonly updates?: BlockTree['updates'];
}

const linkOf = ({ header, qc }: Block): HeaderLink => ({ header, parentRound: qc.round });

/** Blocks in these rounds, of which the `end`-th ends the epoch; the newest proves it. */
export function endingIn(place: World, rounds: readonly number[], options: EndingOptions): Ending {
  const { end, executed = GENESIS_EXECUTED, updates = [] } = options;
  const next = descriptorAfter(place.epoch, rootStanding(place.epoch), updates, executed.height);
  if ('code' in next) throw new Error(`no epoch can follow: ${next.code}`);
  const blocks: Block[] = [];
  const qcs: QuorumCertificate[] = [];
  for (const [index, inRound] of rounds.entries()) {
    const above = index === end ? epochHashOf(next) : NO_NEXT_EPOCH;
    const nextHash = index < end ? place.epoch.hash : above;
    const stated = index < end ? GENESIS_EXECUTED : executed;
    const block = blockOn(place, qcs.at(-1) ?? place.epoch.rootQC, inRound, { nextHash, executed: stated });
    blocks.push(block);
    qcs.push(qcOf(place, block));
  }
  const [first, ...others] = blocks.slice(end, -1).map(linkOf);
  const last: ProvenHeader = {
    path: [present(first, 'the last block'), ...others],
    certificate: present(qcs.at(-1), 'the proof'),
  };
  const qc = present(qcs[end], 'the certificate of the last block');
  return { next, blocks, qcs, change: { qc, proof: { last, next } } };
}

/** The next epoch, whose validators are all of `place`. */
export const worldIn = (place: World, change: EpochChange): World => {
  const epoch = epochAfter(place.epoch, change);
  const { validators } = epoch.set;
  return {
    ...place,
    epoch,
    validators,
    addressAt: (index) => present(validators[index], `validator ${index}`).address,
    indexOf: (address) => epoch.set.indexByAddress.get(address) ?? -1,
    signer: (index) => place.signer(place.indexOf(present(validators[index], `validator ${index}`).address)),
  };
};
