import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, toHex, utf8 } from '../../../src/base/bytes.ts';
import { sha256 } from '../../../src/crypto/hash.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { commitIdOf, commitmentOf, opens, type Sealer } from '../../../src/protocol/ordering/commitment.ts';
import { ACCUMULATOR_START, accumulated, inOrder, seedOf } from '../../../src/protocol/ordering/order.ts';
import { randomnessOf } from '../../../src/protocol/ordering/randomness.ts';
import { SIZE_CLASSES, sizeClassFor, sizeClassOf } from '../../../src/protocol/ordering/size-classes.ts';

const sealer: Sealer = {
  genesisHash: sha256(utf8('genesis')),
  sender: sha256(utf8('ada')).slice(0, 20),
  nonce: 7n,
};
const content = utf8('three coins to bob');
const salt = sha256(utf8('salt'));

describe('a commitment (OR-1)', () => {
  it('is H(domain, genesis, sender, nonce, H(content), salt)', () => {
    const nonce = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 7]);
    const domain = utf8('althing/ordering/commitment/v1');
    const made = concatBytes(domain, sealer.genesisHash, sealer.sender, nonce, sha256(content), salt);
    expect(commitmentOf(sealer, content, salt)).toEqual(sha256(made));
  });

  it('opens with its own content, salt, sender, nonce and chain, and with no other', () => {
    const commitment = commitmentOf(sealer, content, salt);
    expect(opens(commitment, sealer, { content, salt })).toBe(true);
    const flipped = (bytes: Uint8Array, at: number) =>
      bytes.map((byte, index) => (index === at % bytes.length ? byte ^ 1 : byte));
    fc.assert(
      fc.property(
        fc.nat(),
        fc.constantFrom('content', 'salt', 'sender', 'genesisHash', 'nonce'),
        (at, what) => {
          const other = {
            ...{ content, salt, ...sealer },
            ...(what === 'nonce'
              ? { nonce: 8n + BigInt(at) }
              : { [what]: flipped({ content, salt, ...sealer }[what], at) }),
          };
          expect(opens(commitment, other, other)).toBe(false);
        },
      ),
    );
  });

  it('has another id for another sender or nonce: a copy is another seal (OR-2)', () => {
    const commitment = commitmentOf(sealer, content, salt);
    const ids = [
      commitIdOf(sealer, commitment),
      commitIdOf({ ...sealer, nonce: 8n }, commitment),
      commitIdOf({ ...sealer, sender: sha256(utf8('eve')).slice(0, 20) }, commitment),
    ];
    expect(new Set(ids.map(toHex)).size).toBe(3);
  });

  it('names its size by three classes', () => {
    expect(SIZE_CLASSES.map((_, index) => sizeClassOf(index))).toEqual([0, 1, 2]);
    expect(sizeClassOf(3)).toBeUndefined();
    expect([1, 64, 65, 256, 1_024, 1_025].map(sizeClassFor)).toEqual([0, 0, 1, 1, 2, undefined]);
  });
});

describe('the order of a set (OR-4)', () => {
  const ids = Array.from({ length: 50 }, (_, index) => sha256(utf8(`seal ${index}`)));
  it('depends on the seed and the ids alone, not on the order in which they are given', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(ids, { minLength: ids.length }), (shuffled) => {
        expect(inOrder(shuffled, salt, (id) => id)).toEqual(inOrder(ids, salt, (id) => id));
      }),
    );
    expect(inOrder(ids, content, (id) => id)).not.toEqual(inOrder(ids, salt, (id) => id));
  });

  it('gives every seal every place alike: 20,000 seeds, chi-square at p = 0.001', () => {
    const few = ids.slice(0, 5);
    const counts = few.map(() => 0);
    const seeds = 20_000;
    for (let seed = 0; seed < seeds; seed += 1) {
      const [first] = inOrder(few, sha256(utf8(`seed ${seed}`)), (id) => id);
      const index = first === undefined ? 0 : few.indexOf(first);
      counts[index] = (counts[index] ?? 0) + 1;
    }
    const expected = seeds / few.length;
    const chi = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 4 degrees of freedom.
    expect(chi).toBeLessThan(18.47);
  });

  it('takes the randomness of every block of the window into its seed, and another one for each height', () => {
    const outputs = ['a', 'b', 'c'].map((text) => sha256(utf8(text)));
    const seedFrom = (given: readonly Uint8Array[], height = 4) =>
      toHex(seedOf(given.reduce(accumulated, ACCUMULATOR_START), height));
    const variants = [
      seedFrom(outputs),
      seedFrom(outputs.toReversed()),
      seedFrom(outputs.slice(1)),
      seedFrom(outputs, 5),
      ...outputs.map((_, at) => seedFrom(outputs.with(at, sha256(utf8('other'))))),
    ];
    expect(new Set(variants).size).toBe(variants.length);
  });

  it("is from the VRF's output, and from the block's id only where there is none (OR-5)", () => {
    const [one, other] = [digestOf(utf8('one')), digestOf(utf8('other'))];
    const output = new Uint8Array(64).fill(9);
    expect(randomnessOf(one, output)).toBe(randomnessOf(other, output));
    expect(randomnessOf(one, undefined)).not.toBe(randomnessOf(other, undefined));
    expect(randomnessOf(one, output)).toBe(toHex(sha256(output)));
  });
});
