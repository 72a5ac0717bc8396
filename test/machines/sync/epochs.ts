/** A chain over several epochs, each with validators of its own; what ends each of them, and what is above that end. */
import type {
  BlockId,
  CertifiedBlock,
  CommitProof,
  EncodedChange,
  EpochChange,
  ExecutedState,
  Height,
} from '../../../src/protocol/chain/types.ts';
import { epochAfter } from '../../../src/protocol/consensus/epoch.ts';
import { encodeEpochProof } from '../../../src/protocol/light/encoding.ts';
import type { EpochBegan } from '../../../src/protocol/ports/consensus.ts';
import { present, type World, world } from '../../protocol/consensus/fixture.ts';
import { endingChain, nextOf, proofOf } from '../../protocol/light/fixture.ts';

export interface EpochsChain {
  readonly worlds: readonly [World, ...World[]];
  /** By height from 1, over all epochs. */
  readonly blocks: readonly CertifiedBlock[];
  /** Of the block at each height. */
  readonly proofs: readonly CommitProof[];
  readonly changes: readonly EpochChange[];
  /** Above the end of each epoch, certified and in no chain. */
  readonly suffixes: readonly CertifiedBlock[][];
}

export interface EpochsOptions {
  /** Whose validators play each epoch after the first; default: others each time. */
  readonly setOf?: (epoch: number) => World;
  /** Which state the header at a height states. */
  readonly stated?: (at: Height) => ExecutedState;
}

/** `length` blocks in each epoch; the last one is ended, too. `gap`: rounds that failed above the end of each. */
export function chainOfEpochs(
  place: World,
  epochs: number,
  length: number,
  gap = 0,
  { setOf = (epoch) => world([1n, 1n, 1n, 1n, 1n], `set ${epoch}`, place.bls), stated }: EpochsOptions = {},
): EpochsChain {
  const worlds: [World, ...World[]] = [place];
  const blocks: CertifiedBlock[] = [];
  const proofs: CommitProof[] = [];
  const changes: EpochChange[] = [];
  const suffixes: CertifiedBlock[][] = [];
  let now = place;
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    const others = setOf(epoch);
    const next = nextOf(now, others);
    const upTo = Array.from({ length }, (_, index) => index + 1);
    const rounds = [...upTo, length + 1 + gap, length + 2 + gap];
    const chain = endingChain(now, rounds, length - 1, next, stated);
    const certified = chain.blocks.map((block, index) => ({ block, qc: present(chain.qcs[index], 'QC') }));
    blocks.push(...certified.slice(0, length));
    suffixes.push(certified.slice(length));
    const last = gap === 0 ? length : length + 1;
    const proof = present(chain.qcs[last], 'proof');
    for (const [index] of upTo.entries())
      proofs.push(index < length - 1 ? present(chain.qcs[index + 1], 'QC') : proof);
    const change = {
      qc: present(chain.qcs[length - 1], 'QC'),
      proof: { last: proofOf(chain, length - 1, last), next },
    };
    changes.push(change);
    now = { ...others, epoch: epochAfter(now.epoch, change) };
    worlds.push(now);
  }
  return { worlds, blocks, proofs, changes, suffixes };
}

export const idAtHeight = ({ blocks }: EpochsChain, at: number): BlockId =>
  present(blocks[at - 1], `block ${at}`).qc.blockId;

/** What round-manager tells when the epoch of that number begins. */
export const began = ({ worlds }: EpochsChain, number: number): EpochBegan => ({
  type: 'epoch.began',
  epoch: present(worlds[number], `epoch ${number}`).epoch,
});

/** As they are sent. */
export const encoded = (changes: readonly EpochChange[]): readonly EncodedChange[] =>
  changes.map(({ qc, proof }) => ({ qc, proof: encodeEpochProof(proof) }));
