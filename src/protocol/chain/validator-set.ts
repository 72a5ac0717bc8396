/** Validator sets and the arithmetic of power: Q(W) = ⌊2W/3⌋+1, J(W) = ⌊W/3⌋+1, in bigints only. Pure. CS "Arithmetic". */
import { compareBytes, toHex } from '../../base/bytes.ts';
import { BLS_PUBLIC_KEY_BYTES } from '../../crypto/bls/engine.ts';
import { sha256 } from '../../crypto/hash.ts';
import { validatorsHashOf } from './canonical.ts';
import { ADDRESS_BYTES, addressBytes, POWER_LIMIT } from './parse.ts';
import type { Address, Power, Validator, ValidatorSet } from './types.ts';

/** An Ed25519 public key. @unit bytes */
export const NODE_KEY_BYTES = 32;

/** Why a list is not a validator set; `address` names the offending entry. */
export type ValidatorSetProblem =
  | { readonly code: 'VALIDATORS_EMPTY' }
  | { readonly code: 'VALIDATOR_KEY_LENGTH_WRONG'; readonly address: Address; readonly bytes: number }
  | { readonly code: 'VALIDATOR_ADDRESS_WRONG'; readonly address: Address; readonly expected: Address }
  | { readonly code: 'VALIDATOR_DUPLICATE'; readonly address: Address; readonly of: Address }
  | { readonly code: 'VALIDATOR_POWER_NOT_POSITIVE'; readonly address: Address; readonly power: Power }
  | { readonly code: 'VALIDATORS_POWER_TOO_LARGE'; readonly totalPower: Power; readonly limit: Power };

/**
 * A set from validators in any order, or the first problem found. Possession proofs are the caller's to check,
 * where a key is admitted. The result is sorted by address, so it does not depend on the order given.
 */
export function validatorSet(list: readonly Validator[]): ValidatorSet | ValidatorSetProblem {
  const validators = [...list].sort((left, right) =>
    left.address < right.address ? -1 : left.address === right.address ? 0 : 1,
  );
  const problem = firstProblem(validators);
  if (problem !== undefined) return problem;
  const totalPower = validators.reduce((sum, { power }) => sum + power, 0n);
  if (totalPower >= POWER_LIMIT) {
    return { code: 'VALIDATORS_POWER_TOO_LARGE', totalPower, limit: POWER_LIMIT };
  }
  return {
    validators,
    indexByAddress: new Map(validators.map(({ address }, index) => [address, index])),
    totalPower,
    quorumPower: quorumPowerOf(totalPower),
    honestPower: honestPowerOf(totalPower),
    hash: validatorsHashOf(validators),
  };
}

/** Q(W) = ⌊2W/3⌋+1: any two quorums share more than a third. */
export const quorumPowerOf = (totalPower: Power): Power => (totalPower * 2n) / 3n + 1n;
/** J(W) = ⌊W/3⌋+1: more than all faulty validators together. */
export const honestPowerOf = (totalPower: Power): Power => totalPower / 3n + 1n;

/** The address that belongs to a node key: the first 20 bytes of its SHA-256. */
export function addressOf(nodeKey: Uint8Array): Address {
  return toHex(sha256(nodeKey).subarray(0, ADDRESS_BYTES)) as Address;
}

export function validatorOf(set: ValidatorSet, address: Address): Validator | undefined {
  const index = set.indexByAddress.get(address);
  return index === undefined ? undefined : set.validators[index];
}

/** Power of one address; 0 when it is not in the set. */
export const powerOf = (set: ValidatorSet, address: Address): Power => validatorOf(set, address)?.power ?? 0n;

/** CS-19: whoever is in the set has a voice in its epoch; every other node follows. Asked anew each time, since sets change. */
export const isValidator = (set: ValidatorSet, address: Address): boolean => set.indexByAddress.has(address);

/** The most validators that may be dead while the rest is a quorum: those of the least power. */
export function deadMax({ validators, totalPower, quorumPower }: ValidatorSet): number {
  let spare = totalPower - quorumPower;
  let dead = 0;
  for (const { power } of validators.toSorted((one, other) => Number(one.power - other.power))) {
    spare -= power;
    if (spare < 0n) break;
    dead += 1;
  }
  return dead;
}

/** Power of several validators, each counted as often as it is named. */
export const totalPowerOf = (validators: readonly Validator[]): Power =>
  validators.reduce((sum, { power }) => sum + power, 0n);

function firstProblem(sorted: readonly Validator[]): ValidatorSetProblem | undefined {
  if (sorted.length === 0) return { code: 'VALIDATORS_EMPTY' };
  const owners = new Map<string, Address>();
  for (const { address, consensusKey, nodeKey, power } of sorted) {
    if (consensusKey.byteLength !== BLS_PUBLIC_KEY_BYTES) {
      return { code: 'VALIDATOR_KEY_LENGTH_WRONG', address, bytes: consensusKey.byteLength };
    }
    if (nodeKey.byteLength !== NODE_KEY_BYTES) {
      return { code: 'VALIDATOR_KEY_LENGTH_WRONG', address, bytes: nodeKey.byteLength };
    }
    const expected = addressOf(nodeKey);
    if (compareBytes(addressBytes(address), addressBytes(expected)) !== 0) {
      return { code: 'VALIDATOR_ADDRESS_WRONG', address, expected };
    }
    for (const name of [`address ${address}`, `bls ${toHex(consensusKey)}`, `node ${toHex(nodeKey)}`]) {
      const of = owners.get(name);
      if (of !== undefined) return { code: 'VALIDATOR_DUPLICATE', address, of };
      owners.set(name, address);
    }
    if (power <= 0n) return { code: 'VALIDATOR_POWER_NOT_POSITIVE', address, power };
  }
  return undefined;
}
