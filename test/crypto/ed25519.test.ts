import { createPrivateKey, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { ed25519 as curve, ED25519_TORSION_SUBGROUP } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex, utf8 } from '../../src/base/bytes.ts';
import * as native from '../../src/crypto/ed25519.ts';
import * as noble from '../../src/crypto/ed25519-noble.ts';
import { sha512 } from '../../src/crypto/hash.ts';

const bytesOf = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array();

/** RFC 8032, section 7.1: TEST 1, 2, 3 and SHA(abc). */
const RFC_8032 = [
  {
    name: 'TEST 1',
    secret: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    name: 'TEST 2',
    secret: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    name: 'TEST 3',
    secret: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature:
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
  {
    name: 'TEST SHA(abc)',
    secret: '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
    publicKey: 'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
    message:
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    signature:
      'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
  },
];

const { Point } = curve;
const MESSAGE = utf8('node handshake');
const SECRET = new Uint8Array(32).fill(7);

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('the test expected a value');
  return value;
}

/** An attacker's scalars, and a point of order 8. */
const [SCALAR, NONCE] = [123_456_789n, 987_654_321n];
const TORSION = Point.fromHex(present(ED25519_TORSION_SUBGROUP[3]), true);

/** The Ed25519 equation for any encodings of key and nonce, which an attacker is free to choose. */
function signedBy(key: Uint8Array, nonce: Uint8Array, message: Uint8Array): Uint8Array {
  const digest = sha512(nonce, key, message).reverse();
  const challenge = BigInt(`0x${toHex(digest)}`) % Point.Fn.ORDER;
  const s = (NONCE + challenge * SCALAR) % Point.Fn.ORDER;
  return concatBytes(nonce, bytesOf(s.toString(16).padStart(64, '0')).reverse());
}

/** OpenSSL without the checks of this project. */
function opensslAccepts(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key]);
  return verify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature);
}

const PUBLIC_KEY = present(native.ed25519PublicKeyOf(SECRET));
const SIGNATURE = present(native.ed25519Sign(SECRET, MESSAGE));

describe.each([
  ['node:crypto', native],
  ['noble', noble],
])('Ed25519 of %s', (_name, engine) => {
  it.each(RFC_8032)('RFC 8032, $name', ({ secret, publicKey, message, signature }) => {
    expect(toHex(present(engine.ed25519PublicKeyOf(bytesOf(secret))))).toBe(publicKey);
    expect(toHex(present(engine.ed25519Sign(bytesOf(secret), bytesOf(message))))).toBe(signature);
    expect(engine.ed25519Verify(bytesOf(publicKey), bytesOf(message), bytesOf(signature))).toBe(true);
  });

  it('answers every wrong length with false or undefined', () => {
    for (const length of [0, 1, 31, 33, 63, 65, 128]) {
      const bytes = new Uint8Array(length).fill(1);
      expect(engine.ed25519Verify(bytes, MESSAGE, SIGNATURE)).toBe(false);
      expect(engine.ed25519Verify(PUBLIC_KEY, MESSAGE, bytes)).toBe(false);
      expect(engine.ed25519Sign(bytes, MESSAGE)).toBeUndefined();
      expect(engine.ed25519PublicKeyOf(bytes)).toBeUndefined();
    }
  });

  it('refuses keys of small order, which sign anything', () => {
    const anything = new Uint8Array(64);
    anything[0] = 1;
    for (const point of ED25519_TORSION_SUBGROUP) {
      expect(engine.ed25519Verify(bytesOf(point), MESSAGE, anything), point).toBe(false);
    }
  });

  it('refuses encodings of y that are not below p', () => {
    const encodings = [0xed, 0xee, 0xef, 0xff].map((low) =>
      Uint8Array.of(low, ...new Array(30).fill(0xff), 0x7f),
    );
    for (const key of encodings) expect(engine.ed25519Verify(key, MESSAGE, SIGNATURE)).toBe(false);
  });

  it('refuses a key with a part of small order, though OpenSSL takes its signature', () => {
    const key = Point.BASE.multiply(SCALAR).add(TORSION).toBytes();
    // One signature in eight: where 8 divides the challenge.
    const signatures = Array.from({ length: 100 }, (_, index) => ({
      message: Uint8Array.of(index),
      signature: signedBy(key, Point.BASE.multiply(NONCE).toBytes(), Uint8Array.of(index)),
    }));
    const accepted = signatures.filter(({ message, signature }) => opensslAccepts(key, message, signature));
    expect(accepted).not.toHaveLength(0);
    for (const { message, signature } of accepted) {
      expect(engine.ed25519Verify(key, message, signature)).toBe(false);
    }
  });

  it('refuses a nonce with a part of small order, though cofactored verification takes it', () => {
    const key = Point.BASE.multiply(SCALAR).toBytes();
    const nonce = Point.BASE.multiply(NONCE).add(TORSION).toBytes();
    const signature = signedBy(key, nonce, MESSAGE);
    expect(curve.verify(signature, MESSAGE, key, { zip215: true })).toBe(true);
    expect(engine.ed25519Verify(key, MESSAGE, signature)).toBe(false);
    const honest = signedBy(key, Point.BASE.multiply(NONCE).toBytes(), MESSAGE);
    expect(engine.ed25519Verify(key, MESSAGE, honest)).toBe(true);
  });

  it('refuses a scalar that is not below the order: a signature has one form', () => {
    const order = Point.Fn.ORDER;
    const s = BigInt(`0x${toHex(SIGNATURE.slice(32).reverse())}`) + order;
    const malleated = SIGNATURE.slice();
    malleated.set(bytesOf(s.toString(16).padStart(64, '0')).reverse(), 32);
    expect(engine.ed25519Verify(PUBLIC_KEY, MESSAGE, malleated)).toBe(false);
  });
});

describe('both Ed25519 engines', () => {
  it('sign the same bytes and agree on every flipped bit', () => {
    const input = fc.record({
      secret: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      message: fc.uint8Array({ maxLength: 300 }),
      flip: fc.integer({ min: 0, max: 511 }),
    });
    fc.assert(
      fc.property(input, ({ secret, message, flip }) => {
        const publicKey = present(native.ed25519PublicKeyOf(secret));
        const signature = present(native.ed25519Sign(secret, message));
        expect(noble.ed25519PublicKeyOf(secret)).toEqual(publicKey);
        expect(noble.ed25519Sign(secret, message)).toEqual(signature);
        const flipped = signature.slice();
        flipped[flip >> 3] = (flipped[flip >> 3] ?? 0) ^ (1 << (flip & 7));
        for (const engine of [native, noble]) {
          expect(engine.ed25519Verify(publicKey, message, signature)).toBe(true);
          expect(engine.ed25519Verify(publicKey, message, flipped)).toBe(false);
        }
      }),
      { numRuns: 25 },
    );
  });

  it('agree on bytes at random as keys', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
        expect(native.ed25519Verify(key, MESSAGE, SIGNATURE)).toBe(false);
        expect(noble.ed25519Verify(key, MESSAGE, SIGNATURE)).toBe(false);
      }),
      { numRuns: 25 },
    );
  });
});

describe('Ed25519 keys of TLS (TP-1)', () => {
  it('go out as PKCS #8 that node:crypto reads', () => {
    const der = Buffer.from(present(native.ed25519Pkcs8(SECRET)));
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
    expect(native.ed25519PublicKeyOfSpki(spki)).toEqual(PUBLIC_KEY);
    expect(native.ed25519Pkcs8(new Uint8Array(31))).toBeUndefined();
  });

  it('come in from a certificate only when they are Ed25519 keys of prime order', () => {
    const other = generateKeyPairSync('x25519').publicKey.export({ format: 'der', type: 'spki' });
    expect(native.ed25519PublicKeyOfSpki(other)).toBeUndefined();
    expect(native.ed25519PublicKeyOfSpki(new Uint8Array())).toBeUndefined();
    const relabelled = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' });
    expect(native.ed25519PublicKeyOfSpki(relabelled)).toBeDefined();
    relabelled[8] = 0x6e;
    expect(native.ed25519PublicKeyOfSpki(relabelled)).toBeUndefined();
    const smallOrder = Buffer.concat([
      generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).subarray(0, 12),
      bytesOf(present(ED25519_TORSION_SUBGROUP[3])),
    ]);
    expect(native.ed25519PublicKeyOfSpki(smallOrder)).toBeUndefined();
  });
});
