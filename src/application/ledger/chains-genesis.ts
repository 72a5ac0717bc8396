/**
 * The other chains in `app.state` of the genesis: whom to trust there, and how much may come from there. Strict; every key with its
 * proof of possession. Gateway: zod. Pure. LG-35, docs/ledger.md.
 */
import { z } from 'zod';
import { fromHex, toHex } from '../../base/bytes.ts';
import type { PossessionVerifier } from '../../protocol/chain/genesis.ts';
import { FIRST_EPOCH, ORDINAL_MAX } from '../../protocol/chain/ordinals.ts';
import { digestFromBytes, parseEpoch } from '../../protocol/chain/parse.ts';
import type { EpochDescriptor } from '../../protocol/chain/types.ts';
import { addressOf, validatorSet } from '../../protocol/chain/validator-set.ts';
import type { InitChainRequest } from '../../protocol/ports/application.ts';
import { VALIDATORS_MAX } from '../../protocol/transport/limits.ts';
import type { Pair } from '../state/rules.ts';
import { CHAINS_MAX, chainPair, countPair, FIRST_SEQUENCE, trustPair, ZEROS } from './chains.ts';
import { openPairs } from './crossing.ts';
import { U64_MAX } from './fields.ts';
import { encodeTrustedEpoch } from './trusted-epoch.ts';
import { BLS_KEY_BYTES, BLS_SIGNATURE_BYTES, DIGEST_BYTES, KEY_BYTES } from './widths.ts';

const hex = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`), `expected ${2 * bytes} letters, 0-9 and a-f`)
    .transform((text) => fromHex(text) ?? new Uint8Array(bytes));
const wholeText = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,19})$/, 'expected a whole number in quotes, as in "1000000"');

const unitsText = wholeText
  .transform(BigInt)
  .refine((units) => units <= U64_MAX, 'expected at most 2^64 - 1 units');

const validatorSchema = z.strictObject({
  node_key: hex(KEY_BYTES),
  consensus_key: hex(BLS_KEY_BYTES),
  possession_proof: hex(BLS_SIGNATURE_BYTES),
  power: wholeText.transform(BigInt),
});

const chainSchema = z.strictObject({
  chain_id: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/, 'expected the chain id of the other genesis'),
  genesis_hash: hex(DIGEST_BYTES).optional(),
  credit_max: unitsText,
  /** Left out: no bound but what there is. */
  send_max: unitsText.optional(),
  validators: z.array(validatorSchema).min(1).max(VALIDATORS_MAX),
  /** Of these validators, where it is not the first. */
  epoch: z
    .strictObject({
      number: z.int().min(0).max(ORDINAL_MAX),
      seed: hex(DIGEST_BYTES),
      passed_over: z.array(z.string().regex(/^[0-9a-f]{40}$/)),
    })
    .optional(),
});

/** A member of the ledger's `app.state`; left out, the ledger knows no other chain. */
export const chainsSchema = z.array(chainSchema).max(CHAINS_MAX);

type GivenChain = z.infer<typeof chainSchema>;
/** Makes an error of a place below `app.state` and words. */
type Refuse = (where: string, problem: string) => Error;

/** The pairs of these chains, before the first block. @param supply of this genesis @throws with clear words */
export function chainPairs(
  given: readonly GivenChain[],
  { chainId, genesisHash }: Pick<InitChainRequest, 'chainId' | 'genesisHash'>,
  supply: bigint,
  bls: PossessionVerifier,
  refuse: Refuse,
): readonly Pair[] {
  if (given.length === 0) return [];
  const most = given.reduce((sum, { credit_max: credit }) => sum + credit, supply);
  if (most > U64_MAX) {
    throw refuse(
      'chains',
      `with all that may come from other chains (credit_max) there would be ${most} units, and ${U64_MAX} is the most (LG-1)`,
    );
  }
  const names = new Set([`id ${chainId}`, `hash ${genesisHash}`]);
  const pairs = given.flatMap((chain, slot) => {
    const own = [`id ${chain.chain_id}`];
    if (chain.genesis_hash !== undefined) own.push(`hash ${toHex(chain.genesis_hash)}`);
    for (const name of own) {
      if (names.has(name))
        throw refuse(
          `chains.${slot}`,
          `${name} is this chain's own, or that of a chain before: name each once`,
        );
      names.add(name);
    }
    return pairsOf(chain, slot, bls, refuse);
  });
  return [countPair(given.length), ...pairs];
}

function pairsOf(given: GivenChain, slot: number, bls: PossessionVerifier, refuse: Refuse): readonly Pair[] {
  const { genesis_hash: genesisHash, credit_max: creditMax, chain_id: chainId } = given;
  const chain = {
    ...{ chainId, genesisHash, creditMax, sendMax: given.send_max ?? U64_MAX, digest: ZEROS },
    ...{ sent: 0n, received: 0n },
  };
  return [
    chainPair(slot, { ...chain, nextSequence: FIRST_SEQUENCE, firstSequence: FIRST_SEQUENCE }),
    trustPair(slot, encodeTrustedEpoch(descriptorOf(given, slot, bls, refuse))),
    ...(genesisHash === undefined ? [] : openPairs(genesisHash, slot)),
  ];
}

function descriptorOf(
  given: GivenChain,
  slot: number,
  bls: PossessionVerifier,
  refuse: Refuse,
): EpochDescriptor {
  const { genesis_hash: genesisHash, epoch } = given;
  if (epoch !== undefined && genesisHash === undefined)
    throw refuse(
      `chains.${slot}.epoch`,
      'only of a chain whose genesis_hash is given: an unknown one is opened in its first',
    );
  const list = given.validators.map(
    ({ node_key: nodeKey, consensus_key: consensusKey, power, ...rest }, at) => {
      if (!bls.verifyPossession(consensusKey, rest.possession_proof))
        throw refuse(
          `chains.${slot}.validators.${at}`,
          'possession_proof does not prove possession of consensus_key',
        );
      return { address: addressOf(nodeKey), nodeKey, consensusKey, power };
    },
  );
  const validators = validatorSet(list);
  if ('code' in validators)
    throw refuse(`chains.${slot}.validators`, `no set of validators: ${validators.code}`);
  const seed = digestFromBytes(epoch?.seed ?? genesisHash ?? ZEROS);
  const number = parseEpoch(epoch?.number ?? FIRST_EPOCH);
  if (seed === 'malformed' || number === 'malformed') throw refuse(`chains.${slot}.epoch`, 'cannot be read');
  const passedOver = validators.validators
    .map(({ address }) => address)
    .filter((address) => epoch?.passed_over.includes(address) === true);
  if (passedOver.length !== (epoch?.passed_over.length ?? 0))
    throw refuse(`chains.${slot}.epoch.passed_over`, 'names an address twice, or one that is no validator');
  return { epoch: number, seed, passedOver, validators };
}
