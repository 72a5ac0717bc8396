import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { POWER_LIMIT } from '../../../src/protocol/chain/parse.ts';
import { bitmapOf, powerOfSigners, signersOf } from '../../../src/protocol/chain/signers.ts';
import type { Validator, ValidatorSet } from '../../../src/protocol/chain/types.ts';
import {
  addressOf,
  honestPowerOf,
  powerOf,
  quorumPowerOf,
  validatorSet,
} from '../../../src/protocol/chain/validator-set.ts';
import { present, world } from '../consensus/fixture.ts';

const validator = (name: string, power = 1n): Validator => {
  const nodeKey = new Uint8Array(createHash('sha256').update(name).digest());
  return { nodeKey, address: addressOf(nodeKey), consensusKey: new Uint8Array(48).fill(name.length), power };
};
const withKey = (one: Validator, fill: number): Validator => ({
  ...one,
  consensusKey: new Uint8Array(48).fill(fill),
});
const four = ['a', 'b', 'c', 'd'].map((name, index) => withKey(validator(name), index));
const [a, b] = four;
const made = (list: readonly Validator[]): ValidatorSet => {
  const set = validatorSet(list);
  if ('code' in set) throw new Error(set.code);
  return set;
};
const codeOf = (list: readonly Validator[]): string => {
  const set = validatorSet(list);
  return 'code' in set ? set.code : 'valid';
};

describe('arithmetic of power', () => {
  it.each([
    [1n, 1n, 1n],
    [2n, 2n, 1n],
    [3n, 3n, 2n],
    [4n, 3n, 2n],
    [5n, 4n, 2n],
    [6n, 5n, 3n],
    [7n, 5n, 3n],
    [100n, 67n, 34n],
  ])('W = %s has Q = %s and J = %s', (total, quorum, honest) => {
    expect(quorumPowerOf(total)).toBe(quorum);
    expect(honestPowerOf(total)).toBe(honest);
  });

  it('lets two quorums share more than any third, and a quorum be reached without any third', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: POWER_LIMIT - 1n }), (total) => {
        const faulty = (total - 1n) / 3n;
        expect(2n * quorumPowerOf(total) - total).toBeGreaterThan(faulty);
        expect(total - faulty).toBeGreaterThanOrEqual(quorumPowerOf(total));
        expect(honestPowerOf(total)).toBeGreaterThan(faulty);
      }),
    );
  });
});

describe('validator set', () => {
  it('does not depend on the order of the list', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(four, { minLength: 4, maxLength: 4 }), (shuffled) => {
        expect(made(shuffled)).toEqual(made(four));
      }),
    );
  });

  it('refuses an empty list', () => expect(codeOf([])).toBe('VALIDATORS_EMPTY'));

  it('refuses a second validator with an address, BLS key or node key', () => {
    const [first, second] = [present(a, 'a'), present(b, 'b')];
    expect(codeOf([first, first])).toBe('VALIDATOR_DUPLICATE');
    expect(codeOf([first, { ...second, consensusKey: first.consensusKey }])).toBe('VALIDATOR_DUPLICATE');
  });

  it('refuses power that is not positive, and a total of 2^60', () => {
    const first = present(a, 'a');
    expect(codeOf([{ ...first, power: 0n }])).toBe('VALIDATOR_POWER_NOT_POSITIVE');
    expect(codeOf([{ ...first, power: -1n }])).toBe('VALIDATOR_POWER_NOT_POSITIVE');
    expect(codeOf([{ ...first, power: POWER_LIMIT }])).toBe('VALIDATORS_POWER_TOO_LARGE');
    expect(codeOf([{ ...first, power: POWER_LIMIT - 1n }])).toBe('valid');
  });

  it('refuses keys of a wrong length and an address that is not its node key', () => {
    const [first, second] = [present(a, 'a'), present(b, 'b')];
    expect(codeOf([{ ...first, consensusKey: new Uint8Array(47) }])).toBe('VALIDATOR_KEY_LENGTH_WRONG');
    expect(codeOf([{ ...first, nodeKey: new Uint8Array(31) }])).toBe('VALIDATOR_KEY_LENGTH_WRONG');
    expect(codeOf([{ ...first, address: second.address }])).toBe('VALIDATOR_ADDRESS_WRONG');
  });

  it('hashes every field of every validator', () => {
    const [first, ...others] = four;
    const one = present(first, 'a');
    const hashes = [
      made(four),
      made([{ ...one, power: 2n }, ...others]),
      made([withKey(one, 9), ...others]),
      made(others),
    ].map(({ hash }) => hash);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('gives an unknown address no power', () => {
    expect(powerOf(made(four), validator('stranger').address)).toBe(0n);
  });
});

describe('signer bitmaps', () => {
  it('name exactly the validators that they were made of, with their power', () => {
    const { epoch, validators } = world([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n]);
    fc.assert(
      fc.property(fc.subarray([...validators]), (chosen) => {
        const bitmap = bitmapOf(
          epoch.set,
          chosen.map(({ address }) => address),
        );
        expect(signersOf(epoch.set, bitmap)).toEqual(chosen);
        expect(powerOfSigners(epoch.set, bitmap)).toBe(chosen.reduce((sum, { power }) => sum + power, 0n));
      }),
    );
  });

  it('are malformed with another length, or a bit beyond the set', () => {
    const { epoch } = world();
    expect(signersOf(epoch.set, new Uint8Array(0))).toBe('malformed');
    expect(signersOf(epoch.set, new Uint8Array(2))).toBe('malformed');
    expect(signersOf(epoch.set, Uint8Array.of(0b1_0000))).toBe('malformed');
    expect(powerOfSigners(epoch.set, Uint8Array.of(0b1_0000))).toBe('malformed');
  });
});
