/** What a node proves of its store is what a light client accepts. */
import { describe, expect, it } from 'vitest';
import { EPOCH_PROOFS_MAX, type Epochs, epochProofs, provenHeader } from '../../src/node/proofs-port.ts';
import { blockIdOf } from '../../src/protocol/chain/canonical.ts';
import { FIRST_EPOCH } from '../../src/protocol/chain/ordinals.ts';
import type { EpochProof, ProvenHeader } from '../../src/protocol/chain/types.ts';
import { encodeEpochProof } from '../../src/protocol/light/encoding.ts';
import { verifyProvenHeader } from '../../src/protocol/light/headers.ts';
import { memoryDisk } from '../../src/storage/memory-store.ts';
import type { Store } from '../../src/storage/store.ts';
import { chainOf, epochNumber, height, present, world } from '../protocol/consensus/fixture.ts';
import {
  endingChain,
  epochProofOf,
  nextOf,
  proofOf,
  type SmallChain,
  trustedOf,
} from '../protocol/light/fixture.ts';

const place = world();
const NONE: Epochs = { current: () => FIRST_EPOCH, proofOf: () => undefined };

/** The first `count` blocks, committed by the QCs of these blocks, one for each. */
function storeOf({ blocks, qcs }: SmallChain, by: readonly number[]): Store {
  const store = memoryDisk(place.epoch.domain).open();
  const committed = by.map((proof, index) => {
    const block = present(blocks[index], 'block');
    const id = blockIdOf(place.epoch.domain, block);
    return { block, id, qc: present(qcs[index], 'QC'), commitProof: present(qcs[proof], 'proof') };
  });
  const staged = store.stage([{ kind: 'commit', blocks: committed }]);
  expect(staged).toMatchObject({ outcomes: [{ status: 'staged' }] });
  store.sync();
  return store;
}

const isProven = (proof: ProvenHeader | undefined, at: number): boolean => {
  if (proof === undefined) return false;
  const verdict = verifyProvenHeader(trustedOf(place), place.bls, proof);
  return verdict.status === 'proven' && verdict.facts.header.height === at;
};

describe('the proof of a stored header', () => {
  it('goes up to what its commit was proven by', () => {
    const store = storeOf(chainOf(place, [1, 2, 4, 6, 7]), [1, 4, 4, 4]);
    const proofs = [1, 2, 3, 4].map((at) => provenHeader({ store }, NONE, height(at)));
    expect(proofs.map((proof) => proof?.path.length)).toEqual([1, 3, 2, 1]);
    expect(proofs.map((proof, index) => isProven(proof, index + 1))).toEqual([true, true, true, true]);
    expect(provenHeader({ store }, NONE, height(5))).toBeUndefined();
  });

  it('goes over what was discarded above the end of its epoch (CS-16)', () => {
    const next = nextOf(place, world([1n, 1n], 'next'));
    // The end is block 3; blocks 4 and 5 are discarded; the QC of the last one is the proof.
    const chain = endingChain(place, [1, 2, 4, 6, 7], 2, next);
    const store = storeOf(chain, [1, 4, 4]);
    const last = proofOf(chain, 2, 4);
    const epochs: Epochs = {
      current: () => epochNumber(1),
      proofOf: (epoch) => (epoch === 0 ? { last, next } : undefined),
    };
    const proofs = [1, 2, 3].map((at) => provenHeader({ store }, epochs, height(at)));
    expect(proofs.map((proof, index) => isProven(proof, index + 1))).toEqual([true, true, true]);
    expect(proofs.map((proof) => proof?.path.length)).toEqual([1, 3, 2]);
    expect(provenHeader({ store }, NONE, height(3))).toBeUndefined();
  });
});

describe('the proofs of epochs', () => {
  const proof = epochProofOf(place, nextOf(place, world([1n], 'next')));
  const three: Epochs = {
    current: () => epochNumber(3),
    proofOf: (epoch): EpochProof | undefined => (epoch < 3 ? proof : undefined),
  };
  const count = (from: number, bytesMax: number) =>
    epochProofs(three, epochNumber(from), bytesMax).proofs.length;

  it('are no more than one turn of the node has time for', () => {
    const endless: Epochs = { current: () => epochNumber(5_000), proofOf: () => proof };
    expect(epochProofs(endless, epochNumber(0), 2 ** 30).proofs).toHaveLength(EPOCH_PROOFS_MAX);
  });

  it('are as many as fit, and one at least', () => {
    const { byteLength } = encodeEpochProof(proof);
    expect([count(0, 10 * byteLength), count(0, 2 * byteLength), count(0, 1)]).toEqual([3, 2, 1]);
    expect([count(2, 10 * byteLength), count(3, 10 * byteLength), count(9, 1)]).toEqual([1, 0, 0]);
    expect(epochProofs(three, epochNumber(0), 1).current).toBe(3);
  });
});
