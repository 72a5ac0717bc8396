import { ed25519 as curve, ED25519_TORSION_SUBGROUP } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex, utf8 } from '../../src/base/bytes.ts';
import { sha512 } from '../../src/crypto/hash.ts';
import { ECVRF, VRF_OUTPUT_BYTES, VRF_PROOF_BYTES, vrfOutput } from '../../src/crypto/vrf.ts';
import { createKeyedHashVrf } from '../../src/crypto/vrf-keyed-hash.ts';

const bytesOf = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array();
function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('the test expected a value');
  return value;
}

/** RFC 9381, appendix B.3: examples 16, 17 and 18, intermediate values included. */
const RFC_9381 = [
  {
    name: 'example 16',
    secret: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    alpha: '',
    h: '91bbed02a99461df1ad4c6564a5f5d829d0b90cfc7903e7a5797bd658abf3318',
    k: '8a49edbd1492a8ee09766befe50a7d563051bf3406cbffc20a88def030730f0f',
    u: 'aef27c725be964c6a9bf4c45ca8e35df258c1878b838f37d9975523f09034071',
    v: '5016572f71466c646c119443455d6cb9b952f07d060ec8286d678615d55f954f',
    proof:
      '8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f26f8a57ccaed74ee1b190bed1f479d9727d2d0f9b005a6e456a35d4fb0daab1268a1b0db10836d9826a528ca76567805',
    output:
      '90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff66b71dda49d2de59d03450451af026798e8f81cd2e333de5cdf4f3e140fdd8ae',
  },
  {
    name: 'example 17',
    secret: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    alpha: '72',
    h: '5b659fc3d4e9263fd9a4ed1d022d75eaacc20df5e09f9ea937502396598dc551',
    k: 'd8c3a66921444cb3427d5d989f9b315aa8ca3375e9ec4d52207711a1fdb44107',
    u: '1dcb0a4821a2c48bf53548228b7f170962988f6d12f5439f31987ef41f034ab3',
    v: 'fd03c0bf498c752161bae4719105a074630a2aa5f200ff7b3995f7bfb1513423',
    proof:
      'f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed5933bf0864a62558b3ed7f2fea45c92a465301b3bbf5e3e54ddf2d935be3b67926da3ef39226bbc355bdc9850112c8f4b02',
    output:
      'eb4440665d3891d668e7e0fcaf587f1b4bd7fbfe99d0eb2211ccec90496310eb5e33821bc613efb94db5e5b54c70a848a0bef4553a41befc57663b56373a5031',
  },
  {
    name: 'example 18',
    secret: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    alpha: 'af82',
    h: 'bf4339376f5542811de615e3313d2b36f6f53c0acfebb482159711201192576a',
    k: '5ffdbc72135d936014e8ab708585fda379405542b07e3bd2c0bd48437fbac60a',
    u: '2bae73e15a64042fcebf062abe7e432b2eca6744f3e8265bc38e009cd577ecd5',
    v: '88cba1cb0d4f9b649d9a86026b69de076724a93a65c349c988954f0961c5d506',
    proof:
      '9bc0f79119cc5604bf02d23b4caede71393cedfbb191434dd016d30177ccbf8096bb474e53895c362d8628ee9f9ea3c0e52c7a5c691b6c18c9979866568add7a2d41b00b05081ed0f58ee5e31b3a970e',
    output:
      '645427e5d00c62a23fb703732fa5d892940935942101e456ecca7bb217c61c452118fec1219202a0edcf038bb6373241578be7217ba85a2687f7a0310b2df19f',
  },
];

const { Point } = curve;
const ORDER = Point.Fn.ORDER;
const integerOf = (littleEndian: Uint8Array): bigint => BigInt(`0x${toHex(littleEndian.toReversed())}`);
const scalarHex = (scalar: bigint): string => toHex(Point.Fn.toBytes(scalar));
const pointOf = (hex: string) => Point.fromHex(hex);

const SECRET = new Uint8Array(32).fill(7);
const KEY = curve.getPublicKey(SECRET);
const ALPHA = utf8('althing');
const PROOF = present(ECVRF.prove(SECRET, ALPHA));

describe('RFC 9381, ECVRF-EDWARDS25519-SHA512-TAI', () => {
  it.each(RFC_9381)('proves and verifies as appendix B.3 says: $name', (one) => {
    const [secret, publicKey, alpha] = [bytesOf(one.secret), bytesOf(one.publicKey), bytesOf(one.alpha)];
    expect(toHex(present(ECVRF.prove(secret, alpha)))).toBe(one.proof);
    expect(toHex(present(ECVRF.verify(publicKey, alpha, bytesOf(one.proof))))).toBe(one.output);
    expect(toHex(present(vrfOutput(bytesOf(one.proof))))).toBe(one.output);
  });

  it.each(RFC_9381)('has the intermediate values of appendix B.3: $name', (one) => {
    const proof = present(ECVRF.prove(bytesOf(one.secret), bytesOf(one.alpha)));
    const [gamma, c, s] = [
      pointOf(toHex(proof.subarray(0, 32))),
      integerOf(proof.subarray(32, 48)),
      integerOf(proof.subarray(48)),
    ];
    const x = curve.utils.getExtendedPublicKey(bytesOf(one.secret)).scalar;
    const k = (((s - c * x) % ORDER) + ORDER) % ORDER;
    const key = pointOf(one.publicKey);
    expect(scalarHex(k)).toBe(one.k);
    expect(Point.BASE.multiply(k).toHex()).toBe(one.u);
    expect(pointOf(one.h).multiply(k).toHex()).toBe(one.v);
    expect(Point.BASE.multiply(s).subtract(key.multiply(c)).toHex()).toBe(one.u);
    expect(pointOf(one.h).multiply(s).subtract(gamma.multiply(c)).toHex()).toBe(one.v);
    expect(gamma.equals(pointOf(one.h).multiply(x % ORDER))).toBe(true);
  });
});

describe('a proof', () => {
  it('is one alone for a key and an input, and its output has 64 bytes', () => {
    expect(PROOF.byteLength).toBe(VRF_PROOF_BYTES);
    expect(ECVRF.prove(SECRET, ALPHA)).toEqual(PROOF);
    expect(present(ECVRF.verify(KEY, ALPHA, PROOF)).byteLength).toBe(VRF_OUTPUT_BYTES);
  });

  it('is refused with any bit of it flipped', () => {
    for (let bit = 0; bit < 8 * VRF_PROOF_BYTES; bit += 1) {
      const changed = PROOF.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(ECVRF.verify(KEY, ALPHA, changed), `bit ${bit}`).toBeUndefined();
    }
  }, 30_000);

  it('is refused with any bit of the key or the input flipped', () => {
    const flipped = fc.record({
      at: fc.nat(31),
      bit: fc.nat(7),
      input: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    });
    fc.assert(
      fc.property(flipped, ({ at, bit, input }) => {
        const proof = present(ECVRF.prove(SECRET, input));
        const change = (bytes: Uint8Array): Uint8Array =>
          bytes.map((byte, index) => (index === at ? byte ^ (1 << bit) : byte));
        expect(ECVRF.verify(KEY, input, proof)).toBeDefined();
        expect(ECVRF.verify(change(KEY), input, proof)).toBeUndefined();
        expect(ECVRF.verify(KEY, change(input), proof)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  it('is refused for bytes of any length and content, without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 100 }), (key, proof) => {
        expect(ECVRF.verify(key, ALPHA, proof)).toBeUndefined();
        expect(ECVRF.verify(KEY, ALPHA, proof)).toBeUndefined();
        vrfOutput(proof);
        expect(ECVRF.prove(concatBytes(SECRET, key, Uint8Array.of(1)), ALPHA)).toBeUndefined();
      }),
    );
  });

  it('is refused with a response of the group’s order or more, though it is the same modulo the order', () => {
    const s = integerOf(PROOF.subarray(48)) + ORDER;
    const bytes = bytesOf(s.toString(16).padStart(64, '0')).toReversed();
    const changed = concatBytes(PROOF.subarray(0, 48), bytes);
    expect(changed.byteLength).toBe(VRF_PROOF_BYTES);
    expect(ECVRF.verify(KEY, ALPHA, changed)).toBeUndefined();
    expect(vrfOutput(changed)).toBeUndefined();
  });

  it('is refused where gamma or the key is not in its canonical encoding', () => {
    // y = p is 0 again, and y = p + 1 the identity.
    for (const y of ['edff', 'eeff']) {
      const bytes = bytesOf(`${y}${'ff'.repeat(29)}7f`);
      expect(ECVRF.verify(KEY, ALPHA, concatBytes(bytes, PROOF.subarray(32)))).toBeUndefined();
      expect(ECVRF.verify(bytes, ALPHA, PROOF)).toBeUndefined();
    }
  });

  it('is refused for each key of low order, for which one could be made without a secret (5.4.5)', () => {
    for (const hex of ED25519_TORSION_SUBGROUP) {
      const key = bytesOf(hex);
      // U = s·B and V = s·H whatever c is, if c is a multiple of eight and gamma the identity.
      const made = forgedFor(key);
      expect(ECVRF.verify(key, ALPHA, made), hex).toBeUndefined();
    }
  });
});

/** The proof that a verifier without the check of the key takes: the secret is 0 up to a point of low order. */
function forgedFor(key: Uint8Array): Uint8Array {
  const gamma = Point.ZERO.toBytes();
  for (let counter = 0; ; counter += 1) {
    const candidate = sha512(
      Uint8Array.of(3, 1),
      key,
      ALPHA,
      Uint8Array.of(counter),
      Uint8Array.of(0),
    ).subarray(0, 32);
    let h = Point.ZERO;
    try {
      h = Point.fromBytes(candidate, false).clearCofactor();
    } catch {
      continue;
    }
    for (let s = 1n; ; s += 1n) {
      const [u, v] = [Point.BASE.multiply(s).toBytes(), h.multiply(s).toBytes()];
      const challenge = sha512(Uint8Array.of(3, 2), key, h.toBytes(), gamma, u, v, Uint8Array.of(0)).slice(
        0,
        16,
      );
      if (((challenge[0] ?? 1) & 7) === 0) return concatBytes(gamma, challenge, Point.Fn.toBytes(s));
    }
  }
}

describe('the simulator’s engine', () => {
  const pair = (index: number) => ({
    secret: new Uint8Array(32).fill(index),
    publicKey: new Uint8Array(32).fill(100 + index),
  });
  const engine = createKeyedHashVrf([pair(1), pair(2)]);

  it('proves as the real one does: verified with the own key and input alone, with an output', () => {
    const proof = present(engine.prove(pair(1).secret, ALPHA));
    expect(proof.byteLength).toBe(VRF_PROOF_BYTES);
    expect(engine.verify(pair(1).publicKey, ALPHA, proof)).toEqual(present(vrfOutput(proof)));
    expect(engine.verify(pair(2).publicKey, ALPHA, proof)).toBeUndefined();
    expect(engine.verify(pair(1).publicKey, utf8('other'), proof)).toBeUndefined();
    expect(engine.verify(pair(3).publicKey, ALPHA, proof)).toBeUndefined();
    const changed = proof.map((byte, index) => (index === 79 ? byte ^ 1 : byte));
    expect(engine.verify(pair(1).publicKey, ALPHA, changed)).toBeUndefined();
  });

  it('makes many outputs', () => {
    const outputs = Array.from({ length: 500 }, (_, index) =>
      toHex(present(vrfOutput(present(engine.prove(pair(1).secret, utf8(`${index}`)))))),
    );
    expect(new Set(outputs).size).toBeGreaterThan(200);
  });
});
