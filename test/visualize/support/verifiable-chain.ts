/** A small chain with true BLS signatures from its genesis document into its second epoch, and what a node shows of it. */

import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { wallTime } from '../../../src/base/units.ts';
import type { BlsEngine } from '../../../src/crypto/bls/engine.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import type { CertificateAnswer } from '../../../src/observe/feed/feed.ts';
import { DEFAULT_CHAIN_PARAMETERS, genesisHash, genesisToJson } from '../../../src/protocol/chain/genesis.ts';
import { firstEpoch } from '../../../src/protocol/consensus/epoch.ts';
import { encodeEpochProof, encodeProvenHeader } from '../../../src/protocol/light/encoding.ts';
import { chainOf, idOf, present, world } from '../../protocol/consensus/fixture.ts';
import { endingChain, nextOf, proofOf, worldAfter } from '../../protocol/light/fixture.ts';

const CHAIN = 'glass';
/** The first epoch ends with block 2; the second goes on, and its round 3 failed. */
const END = 2;
const SECOND_ROUNDS = [1, 2, 4, 5, 6];

export interface VerifiableChain {
  readonly genesisHash: string;
  /** Ids of blocks 1 to 5, in their order. */
  readonly ids: readonly string[];
  /** As a node answers for heights 1, 2, 3, 4 and 5. */
  answer(height: number): CertificateAnswer;
  /** The second epoch by its hash. */
  readonly point: {
    readonly chainId: string;
    readonly genesisHash: string;
    readonly epoch: number;
    readonly epochHash: string;
    readonly time: number;
  };
}

export function verifiableChain(bls: BlsEngine): VerifiableChain {
  const made = world([1n, 1n, 1n, 1n], CHAIN, bls);
  const possessions = new Map(
    made.validators.map((_, index) => {
      const secret = present(bls.generateSecret(sha256(utf8(`${CHAIN} bls ${index}`))), 'secret');
      return [
        toHex(present(bls.publicKeyOf(secret), 'key')),
        present(bls.provePossession(secret), 'possession'),
      ];
    }),
  );
  const document = {
    chainId: CHAIN,
    genesisTime: wallTime(1_700_000_000_000),
    validators: made.validators.map((validator, index) => ({
      ...validator,
      name: `v${index}`,
      possessionProof: present(possessions.get(toHex(validator.consensusKey)), 'possession'),
    })),
    parameters: DEFAULT_CHAIN_PARAMETERS,
    application: { name: 'kv', state: {} },
  };
  const hash = genesisHash(document);
  const domain = { genesisHash: hash, chainId: CHAIN };
  const place = { ...made, epoch: firstEpoch(domain, made.epoch.set, DEFAULT_CHAIN_PARAMETERS) };
  const others = world([2n, 1n, 1n], 'others', bls);
  const next = nextOf(place, others);
  const first = endingChain(place, [1, 2, 3], END - 1, next);
  const epochProof = { last: proofOf(first, END - 1, END), next };
  const second = worldAfter(others, place, epochProof);
  const later = chainOf(second, SECOND_ROUNDS);
  const ids = [
    ...first.blocks.slice(0, END).map((block) => idOf(place, block)),
    ...later.blocks.slice(0, 3).map((block) => idOf(second, block)),
  ];
  const proofAt = (height: number) =>
    height <= END
      ? proofOf(first, height - 1, height)
      : proofOf(later, height - END - 1, height === END + 2 ? height - END + 1 : height - END);
  return {
    genesisHash: hash,
    ids,
    answer: (height) => ({
      proof: toHex(encodeProvenHeader(proofAt(height))),
      epochs: height <= END ? [] : [toHex(encodeEpochProof(epochProof))],
      genesis: genesisToJson(document),
      scheme: 'bls12-381',
    }),
    point: { ...domain, epoch: 1, epochHash: second.epoch.hash, time: 0 },
  };
}
