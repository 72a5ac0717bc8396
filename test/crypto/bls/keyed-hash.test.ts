import { describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import { createKeyedHashEngine } from '../../../src/crypto/bls/keyed-hash.ts';

const MESSAGE = utf8('vote');
const secretAt = (index: number) => new Uint8Array(32).fill(index + 1);

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('the test expected a value');
  return value;
}

describe('the keyed-hash engine of simulations', () => {
  it('gives the same bytes in every run of a simulation', () => {
    const [first, second] = [createKeyedHashEngine(), createKeyedHashEngine()];
    for (const secret of [secretAt(0), secretAt(1)]) {
      expect(second.publicKeyOf(secret)).toEqual(first.publicKeyOf(secret));
      expect(second.sign(secret, MESSAGE)).toEqual(first.sign(secret, MESSAGE));
    }
    expect(second.generateSecret(secretAt(5))).toEqual(first.generateSecret(secretAt(5)));
  });

  it('knows the keys that it was made with, and none of another engine', () => {
    const signer = createKeyedHashEngine();
    const key = present(signer.publicKeyOf(secretAt(0)));
    const signature = present(signer.sign(secretAt(0), MESSAGE));
    const proof = present(signer.provePossession(secretAt(0)));
    expect(createKeyedHashEngine([secretAt(0)]).verify(key, MESSAGE, signature)).toBe(true);
    expect(createKeyedHashEngine([secretAt(1)]).verify(key, MESSAGE, signature)).toBe(false);
    expect(createKeyedHashEngine([secretAt(1)]).verifyPossession(key, proof)).toBe(false);
  });

  it('refuses an aggregate in which a named signer has no part', () => {
    const engine = createKeyedHashEngine();
    const keys = [0, 1, 2].map((index) => present(engine.publicKeyOf(secretAt(index))));
    const [first, second] = [0, 1].map((index) => present(engine.sign(secretAt(index), MESSAGE)));
    const pair = present(engine.aggregateSignatures([present(first), present(second)]));
    const padded = present(engine.aggregateSignatures([pair, present(second)]));
    expect(engine.fastAggregateVerify(keys.slice(0, 2), MESSAGE, pair)).toBe(true);
    for (const forged of [pair, padded, present(first)]) {
      expect(engine.fastAggregateVerify(keys, MESSAGE, forged)).toBe(false);
    }
    expect(engine.fastAggregateVerify(keys.slice(0, 2), MESSAGE, padded)).toBe(false);
  });

  it('takes no signature for another message, also where the messages differ only in where they end', () => {
    const engine = createKeyedHashEngine();
    const key = present(engine.publicKeyOf(secretAt(0)));
    const signature = present(engine.sign(secretAt(0), MESSAGE));
    expect(engine.verify(key, concatBytes(MESSAGE, Uint8Array.of(0)), signature)).toBe(false);
    expect(engine.verify(key, MESSAGE.subarray(0, 3), signature)).toBe(false);
  });

  it('admits no more keys than its bound, and goes on with those it has', () => {
    const engine = createKeyedHashEngine([secretAt(0), secretAt(1)], 2);
    expect(engine.publicKeyOf(secretAt(2))).toBeUndefined();
    expect(engine.sign(secretAt(2), MESSAGE)).toBeUndefined();
    expect(engine.sign(secretAt(1), MESSAGE)).toBeDefined();
  });

  it('says in each key and signature what it is', () => {
    const engine = createKeyedHashEngine();
    const signature = Buffer.from(present(engine.sign(secretAt(0), MESSAGE)));
    const key = Buffer.from(present(engine.publicKeyOf(secretAt(0))));
    expect([key.length, signature.length]).toEqual([48, 96]);
    expect(signature.toString('latin1')).toContain('SIMULATION ONLY: NOT A BLS POINT');
    expect(key.toString('latin1')).toContain('SIMULATION ONLY');
  });
});
