import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PairState } from '../../../src/application/state/state.ts';
import { evidenceHashOf } from '../../../src/protocol/chain/canonical.ts';
import type { Digest } from '../../../src/protocol/chain/types.ts';
import { encodeStateProof, parseStateProof } from '../../../src/protocol/light/encoding.ts';
import { verifyStateProof } from '../../../src/protocol/light/state.ts';
import type { StateProof } from '../../../src/protocol/light/types.ts';
import { present } from '../consensus/fixture.ts';

const RULES = { name: 'kv', version: '1' };
const VALIDATORS = [new Uint8Array(88).fill(7), new Uint8Array(88).fill(9)];
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

const stateOf = (pairs: Iterable<readonly [string, string]>): PairState => new PairState(RULES, pairs);

function codeOf(appHash: Digest, key: string, value: string | undefined, proof: StateProof): string {
  const verdict = verifyStateProof(
    appHash,
    bytes(key),
    value === undefined ? undefined : bytes(value),
    proof,
  );
  return verdict === 'valid' ? 'valid' : verdict.code;
}

const pairs = new Map(Array.from({ length: 300 }, (_, index) => [`key-${index}`, `value-${index}`] as const));
const state = stateOf(pairs);
const appHash = state.appHash(VALIDATORS);
const prove = (key: string) => state.prove(key, VALIDATORS);
const absent = Array.from({ length: 200 }, (_, index) => `none-${index}`);

describe('a pair of the state (SY-10)', () => {
  it('is proven under the hash of the state, and no other value is', () => {
    for (const [key, value] of pairs) {
      const proof = prove(key);
      expect(codeOf(appHash, key, value, proof)).toBe('valid');
      expect(codeOf(appHash, key, `${value}0`, proof)).toBe('APP_HASH_WRONG');
      expect(codeOf(appHash, key, undefined, proof)).toBe('STATE_END_WRONG');
      expect(codeOf(appHash, key, undefined, { ...proof, end: { kind: 'nothing' } })).toBe('APP_HASH_WRONG');
      expect(codeOf(appHash, `${key}0`, value, proof)).toBe('APP_HASH_WRONG');
    }
  });

  it('that is not there is proven so, beside nothing or beside another, and no value of it is', () => {
    const proofs = absent.map((key) => [key, prove(key)] as const);
    for (const [key, proof] of proofs) {
      expect(codeOf(appHash, key, undefined, proof)).toBe('valid');
      expect(codeOf(appHash, key, '', proof)).not.toBe('valid');
      expect(codeOf(appHash, key, proof.end.kind === 'nothing' ? 'x' : 'value-1', proof)).not.toBe('valid');
    }
    // Both ways of being absent are among them.
    expect(new Set(proofs.map(([, proof]) => proof.end.kind))).toEqual(new Set(['nothing', 'other']));
  });

  it('cannot be passed off as absent by the proof of a neighbour, or by its own', () => {
    for (const key of pairs.keys()) {
      const own = prove(key);
      const end = { kind: 'other', key: bytes(key), value: bytes(pairs.get(key) ?? '') } as const;
      expect(codeOf(appHash, key, undefined, { ...own, end })).toBe('STATE_END_WRONG');
      for (const stranger of absent.slice(0, 20))
        expect(codeOf(appHash, key, undefined, prove(stranger))).not.toBe('valid');
    }
  });

  it('is not proven by a path that is cut, longer, or of hashes that are none', () => {
    const proof = prove('key-1');
    const { siblings } = proof;
    const judge = (changed: Partial<StateProof>) =>
      codeOf(appHash, 'key-1', 'value-1', { ...proof, ...changed });
    expect(judge({ siblings: siblings.slice(1) })).toBe('APP_HASH_WRONG');
    expect(judge({ siblings: siblings.slice(0, -1) })).toBe('APP_HASH_WRONG');
    expect(judge({ siblings: siblings.toReversed() })).toBe('APP_HASH_WRONG');
    expect(judge({ siblings: [...siblings, new Uint8Array(32)] })).toBe('APP_HASH_WRONG');
    expect(judge({ siblings: siblings.map((one) => one.subarray(1)) })).toBe('STATE_HASH_LENGTH_WRONG');
    expect(judge({ siblings: Array.from({ length: 257 }, () => new Uint8Array(32)) })).toBe(
      'STATE_PATH_TOO_LONG',
    );
    expect(judge({ state: 'althing/kv/v2' })).toBe('APP_HASH_WRONG');
    expect(judge({ validatorsHash: new Uint8Array(32) })).toBe('APP_HASH_WRONG');
    expect(judge({ end: { kind: 'other', key: bytes('key-2'), value: bytes('value-2') } })).toBe(
      'STATE_END_WRONG',
    );
  });

  it('is not proven by a branch of the tree that is passed off as a leaf', () => {
    // A leaf of 64 bytes would be one; it is hashed over more.
    const [top] = prove('key-1').siblings;
    const half = { key: present(top, 'sibling'), value: new Uint8Array(32) };
    const proof = { ...prove('key-1'), siblings: [] };
    expect(verifyStateProof(appHash, half.key, half.value, proof)).not.toBe('valid');
  });

  it('is not proven under another state’s hash', () => {
    const later = stateOf([...pairs, ['key-1', 'other']]);
    expect(codeOf(later.appHash(VALIDATORS), 'key-1', 'value-1', prove('key-1'))).toBe('APP_HASH_WRONG');
    expect(codeOf(evidenceHashOf([]), 'key-1', 'value-1', prove('key-1'))).toBe('APP_HASH_WRONG');
  });

  it('is proven in a state without pairs, of one pair, and after any changes', () => {
    const none = stateOf([]);
    expect(codeOf(none.appHash([]), 'a', undefined, none.prove('a', []))).toBe('valid');
    const key = fc.integer({ min: 0, max: 20 }).map((index) => `k${index}`);
    const change = fc.tuple(key, fc.option(fc.string({ maxLength: 5 }), { nil: undefined }));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changed) => {
        const one = stateOf([]);
        const model = new Map<string, string>();
        for (const [name, value] of changed) {
          if (value === undefined) {
            one.delete(name);
            model.delete(name);
          } else {
            const plain = Buffer.from(value).toString('latin1');
            one.set(name, plain);
            model.set(name, plain);
          }
        }
        const hash = one.appHash(VALIDATORS);
        for (let index = 0; index <= 21; index += 1) {
          const name = `k${index}`;
          expect(codeOf(hash, name, model.get(name), one.prove(name, VALIDATORS))).toBe('valid');
        }
      }),
      { numRuns: 100 },
    );
  });

  it('has a proof of as many hashes as the tree is deep, of 32 bytes each', () => {
    const large = stateOf(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, 'v'] as const));
    large.appHash(VALIDATORS);
    const proof = large.prove('k77', VALIDATORS);
    expect(proof.siblings.length).toBeLessThan(30);
    expect(encodeStateProof(proof).byteLength).toBeLessThan(30 * 32 + 200);
  });

  it('is not proven when any byte of the proof is another one', () => {
    for (const [key, value] of [
      ['key-5', 'value-5'],
      [
        present(
          absent.find((one) => prove(one).end.kind === 'other'),
          'absent',
        ),
        undefined,
      ],
    ] as const) {
      const encoded = encodeStateProof(prove(key));
      for (const [at, byte] of encoded.entries()) {
        const changed = encoded.slice();
        changed[at] = byte ^ (1 << (at % 8));
        const proof = parseStateProof(changed);
        expect(proof === 'malformed' ? 'malformed' : codeOf(appHash, key, value, proof)).not.toBe('valid');
      }
    }
  });
});
