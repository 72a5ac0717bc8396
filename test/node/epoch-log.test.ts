import { describe, expect, it } from 'vitest';
import { epochLog, missingKey, setChange } from '../../src/node/epoch-log.ts';
import type { Validator, ValidatorSet } from '../../src/protocol/chain/types.ts';
import { validatorSet } from '../../src/protocol/chain/validator-set.ts';
import { epochNumber, present, world } from '../protocol/consensus/fixture.ts';

const { epoch } = world();
const [a, b, c, d] = epoch.set.validators.map((one) => one);
const one = (validator: Validator | undefined): Validator => present(validator, 'one of four validators');

function setOf(...validators: readonly Validator[]): ValidatorSet {
  const set = validatorSet(validators);
  if ('code' in set) throw new Error(set.code);
  return set;
}

const NEW_KEY = new Uint8Array(48).fill(9);
const before = setOf(one(a), one(b), one(c));
const after = setOf({ ...one(a), power: 7n }, { ...one(b), consensusKey: NEW_KEY }, one(d));

/** An epoch with another number and set. */
const next = (number: number, set: ValidatorSet) => ({ ...epoch, epoch: epochNumber(number), set });

function logged(self: Validator, hasKey: (key: Uint8Array) => boolean = () => true) {
  const lines: [string, string][] = [];
  const tell = epochLog({
    log: {
      info: (_: object, words: string) => lines.push(['info', words]),
      warn: (words: string) => lines.push(['warn', words]),
    } as never,
    self: self.address,
    hasKey,
    epoch: next(0, before),
  });
  return { lines, tell };
}

describe('the log of epochs (CS-16)', () => {
  it('says who came, left, changed its power, and has another key', () => {
    expect(setChange(before, after)).toEqual({
      came: [one(d).address],
      left: [one(c).address],
      changed: [one(a).address],
      rotated: [one(b).address],
    });
  });

  it('has one line for each epoch, however often it is told', () => {
    const { lines, tell } = logged(one(d));
    tell(next(0, before));
    tell(next(1, after));
    tell(next(1, after));
    expect(lines).toEqual([
      ['info', expect.stringMatching(/epoch 0 ended .* epoch 1 began; this node is a validator now/)],
    ]);
  });

  it('says of a node that it is no validator any more', () => {
    const { lines, tell } = logged(one(c));
    tell(next(1, after));
    expect(lines).toEqual([['info', expect.stringContaining('no validator any more')]]);
  });

  it('warns where the set names a key that the node has not got, at the start and at a change', () => {
    const { lines, tell } = logged(one(b), (key) => key !== NEW_KEY);
    expect(lines).toEqual([]);
    tell(next(1, after));
    expect(lines.at(-1)).toEqual(['warn', expect.stringContaining('this node signs nothing')]);
    expect(logged(one(a), () => false).lines).toEqual([['warn', expect.stringContaining('keys/')]]);
    expect(missingKey(after, one(c).address, () => false)).toBeUndefined();
  });
});
