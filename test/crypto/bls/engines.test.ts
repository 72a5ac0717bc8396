import * as blst from '@chainsafe/blst';
import { bls12_381 } from '@noble/curves/bls12-381.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, equalBytes, toHex, utf8 } from '../../../src/base/bytes.ts';
import { createBlstEngine } from '../../../src/crypto/bls/blst.ts';
import { BLS_SIGNATURE_BYTES, type BlsEngine } from '../../../src/crypto/bls/engine.ts';
import { createKeyedHashEngine } from '../../../src/crypto/bls/keyed-hash.ts';
import { createNobleEngine } from '../../../src/crypto/bls/noble.ts';
import { BLS_PUBLIC_KEYS_CACHED_MAX } from '../../../src/crypto/bls/pairing-engine.ts';
import { loadBlsEngine } from '../../../src/crypto/bls/select.ts';

const native = createBlstEngine(blst);
const noble = createNobleEngine();
const engines: readonly BlsEngine[] = [native, noble, createKeyedHashEngine()];

const MESSAGE = utf8('vote for block 7');
const OTHER_MESSAGE = utf8('vote for block 8');
const { G1, G2 } = bls12_381;
const ORDER = G1.Point.Fn.ORDER;

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('the test expected a value');
  return value;
}

/** Validator `index` of a test: a key pair and its signature of a message. */
function signerOf(engine: BlsEngine, index: number) {
  const secret = present(engine.generateSecret(new Uint8Array(32).fill(index + 1)));
  const publicKey = present(engine.publicKeyOf(secret));
  return { secret, publicKey, sign: (message: Uint8Array) => present(engine.sign(secret, message)) };
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

/** Noble needs 16 ms for a pairing, and many times that on a machine that does other things too. */
const PATIENCE = { timeout: 60_000 };

describe.each(engines)('BLS engine $name', PATIENCE, (engine) => {
  const [a, b, c] = [signerOf(engine, 0), signerOf(engine, 1), signerOf(engine, 2)];

  it('verifies what was signed, and nothing else', () => {
    const signature = a.sign(MESSAGE);
    expect(signature).toHaveLength(BLS_SIGNATURE_BYTES);
    expect(engine.verify(a.publicKey, MESSAGE, signature)).toBe(true);
    expect(engine.verify(a.publicKey, OTHER_MESSAGE, signature)).toBe(false);
    expect(engine.verify(b.publicKey, MESSAGE, signature)).toBe(false);
    expect(engine.verify(a.publicKey, new Uint8Array(), a.sign(new Uint8Array()))).toBe(true);
  });

  it('reads keys and signatures that are views into a larger message', () => {
    const message = new Uint8Array(200);
    message.set(a.publicKey, 3);
    message.set(a.sign(MESSAGE), 77);
    expect(engine.verify(message.subarray(3, 51), MESSAGE, message.subarray(77, 173))).toBe(true);
  });

  it('aggregates votes into one signature of all signers, whatever their order (CS-4)', () => {
    const aggregate = present(engine.aggregateSignatures([a, b, c].map(({ sign }) => sign(MESSAGE))));
    const keys = [c.publicKey, a.publicKey, b.publicKey];
    expect(engine.fastAggregateVerify(keys, MESSAGE, aggregate)).toBe(true);
    expect(engine.fastAggregateVerify(keys.slice(1), MESSAGE, aggregate)).toBe(false);
    expect(engine.fastAggregateVerify([...keys, signerOf(engine, 3).publicKey], MESSAGE, aggregate)).toBe(
      false,
    );
    expect(engine.fastAggregateVerify(keys, OTHER_MESSAGE, aggregate)).toBe(false);
  });

  it('refuses one signer counted three times', () => {
    const signature = a.sign(MESSAGE);
    const threefold = present(engine.aggregateSignatures([signature, signature, signature]));
    const keys = [a.publicKey, a.publicKey, a.publicKey];
    expect(engine.fastAggregateVerify(keys, MESSAGE, threefold)).toBe(false);
    expect(engine.fastAggregateVerify(keys, MESSAGE, signature)).toBe(false);
    const groups = keys.map((key) => ({ publicKeys: [key], message: MESSAGE }));
    expect(engine.aggregateVerify(groups, threefold)).toBe(false);
  });

  it('verifies a timeout certificate by groups of signers (CS-8)', () => {
    const aggregate = present(
      engine.aggregateSignatures([a.sign(MESSAGE), b.sign(MESSAGE), c.sign(OTHER_MESSAGE)]),
    );
    const grouped = [
      { publicKeys: [a.publicKey, b.publicKey], message: MESSAGE },
      { publicKeys: [c.publicKey], message: OTHER_MESSAGE },
    ];
    const swapped = [
      { publicKeys: [a.publicKey, c.publicKey], message: MESSAGE },
      { publicKeys: [b.publicKey], message: OTHER_MESSAGE },
    ];
    expect(engine.aggregateVerify(grouped, aggregate)).toBe(true);
    expect(engine.aggregateVerify(grouped.toReversed(), aggregate)).toBe(true);
    expect(engine.aggregateVerify(swapped, aggregate)).toBe(false);
    expect(engine.aggregateVerify(grouped.slice(0, 1), aggregate)).toBe(false);
  });

  it('verifies groups that share a message as one', () => {
    const aggregate = present(engine.aggregateSignatures([a.sign(MESSAGE), b.sign(MESSAGE)]));
    const groups = [a, b].map(({ publicKey }) => ({ publicKeys: [publicKey], message: MESSAGE }));
    expect(engine.aggregateVerify(groups, aggregate)).toBe(true);
  });

  it('refuses a signer who is in two groups (CS-8)', () => {
    const aggregate = present(engine.aggregateSignatures([a.sign(MESSAGE), a.sign(OTHER_MESSAGE)]));
    const groups = [MESSAGE, OTHER_MESSAGE].map((message) => ({ publicKeys: [a.publicKey], message }));
    expect(engine.aggregateVerify(groups, aggregate)).toBe(false);
  });

  it('refuses no keys, no groups, an empty group, and aggregates nothing to nothing', () => {
    const signature = a.sign(MESSAGE);
    expect(engine.fastAggregateVerify([], MESSAGE, signature)).toBe(false);
    expect(engine.aggregateVerify([], signature)).toBe(false);
    const groups = [
      { publicKeys: [a.publicKey], message: MESSAGE },
      { publicKeys: [], message: OTHER_MESSAGE },
    ];
    expect(engine.aggregateVerify(groups, signature)).toBe(false);
    expect(engine.aggregateSignatures([])).toBeUndefined();
  });

  it('admits a key by its possession proof, and only by that', () => {
    const proof = present(engine.provePossession(a.secret));
    expect(engine.verifyPossession(a.publicKey, proof)).toBe(true);
    expect(engine.verifyPossession(b.publicKey, proof)).toBe(false);
    expect(engine.verifyPossession(a.publicKey, flipped(proof, 700))).toBe(false);
    expect(engine.verifyPossession(a.publicKey, a.sign(a.publicKey))).toBe(false);
    expect(engine.verify(a.publicKey, a.publicKey, proof)).toBe(false);
    expect(engine.verifyPossession(a.publicKey.subarray(1), proof)).toBe(false);
    expect(engine.verifyPossession(a.publicKey, proof.subarray(1))).toBe(false);
  });

  it('answers every wrong length with false or undefined', () => {
    const signature = a.sign(MESSAGE);
    const wrong = [0, 1, 31, 33, 47, 49, 95, 97, 192, 1000].map((length) =>
      new Uint8Array(length).fill(0x81),
    );
    for (const bytes of wrong) {
      expect(engine.verify(bytes, MESSAGE, signature)).toBe(false);
      expect(engine.verify(a.publicKey, MESSAGE, bytes)).toBe(false);
      expect(engine.aggregateSignatures([signature, bytes])).toBeUndefined();
      expect(engine.sign(bytes, MESSAGE)).toBeUndefined();
      expect(engine.publicKeyOf(bytes)).toBeUndefined();
      expect(engine.provePossession(bytes)).toBeUndefined();
    }
    expect(engine.generateSecret(new Uint8Array(31))).toBeUndefined();
  });

  it('refuses secrets outside [1, r)', () => {
    const order = Buffer.from(ORDER.toString(16), 'hex');
    const below = Buffer.from((ORDER - 1n).toString(16), 'hex');
    for (const bytes of [new Uint8Array(32), order, new Uint8Array(32).fill(255)]) {
      expect(engine.publicKeyOf(bytes)).toBeUndefined();
      expect(engine.sign(bytes, MESSAGE)).toBeUndefined();
      expect(engine.provePossession(bytes)).toBeUndefined();
    }
    expect(engine.publicKeyOf(below)).toHaveLength(48);
  });

  it('refuses a signature or a key with any bit flipped', () => {
    const signature = a.sign(MESSAGE);
    const bits = engine.name === 'noble' ? [0, 5, 6, 7, 100, 383, 384, 767] : [...Array(768).keys()];
    for (const bit of bits) {
      expect(engine.verify(a.publicKey, MESSAGE, flipped(signature, bit)), `signature bit ${bit}`).toBe(
        false,
      );
      if (bit < 384) {
        expect(engine.verify(flipped(a.publicKey, bit), MESSAGE, signature), `key bit ${bit}`).toBe(false);
      }
    }
  });

  it('never throws, whatever the bytes', () => {
    const junk = fc.uint8Array({ maxLength: 200 });
    const point = (length: number) =>
      fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => {
        bytes[0] = 0x80 | ((bytes[0] ?? 0) & 0x3f);
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(junk, point(48)), junk, fc.oneof(junk, point(96)), (key, message, signature) => {
        expect(engine.verify(key, message, signature)).toBe(false);
        expect(engine.verifyPossession(key, signature)).toBe(false);
        expect(engine.fastAggregateVerify([a.publicKey, key], message, signature)).toBe(false);
        engine.sign(message, message);
      }),
      { numRuns: 40 },
    );
  });
});

describe.each([native, noble])('points on the curve, engine $name', PATIENCE, (engine) => {
  const [a, b] = [signerOf(engine, 0), signerOf(engine, 1)];
  const identityKey = G1.Point.ZERO.toBytes();
  const identitySignature = Uint8Array.of(0xc0, ...new Uint8Array(95));

  it('refuses the identity as a key, though the identity signature would fit it', () => {
    expect(engine.verify(identityKey, MESSAGE, identitySignature)).toBe(false);
    expect(engine.verifyPossession(identityKey, identitySignature)).toBe(false);
    expect(engine.fastAggregateVerify([a.publicKey, identityKey], MESSAGE, a.sign(MESSAGE))).toBe(false);
    expect(engine.aggregateSignatures([a.sign(MESSAGE), identitySignature])).toBeUndefined();
  });

  it('refuses keys that cancel out, in one group and in one of several', () => {
    const opposite = Uint8Array.from(a.publicKey);
    opposite[0] = (opposite[0] ?? 0) ^ 0x20;
    const keys = [a.publicKey, opposite];
    expect(engine.fastAggregateVerify(keys, MESSAGE, identitySignature)).toBe(false);
    const groups = [
      { publicKeys: keys, message: MESSAGE },
      { publicKeys: [b.publicKey], message: OTHER_MESSAGE },
    ];
    expect(engine.aggregateVerify(groups, b.sign(OTHER_MESSAGE))).toBe(false);
  });

  it('makes no aggregate of signatures that cancel out', () => {
    const opposite = a.sign(MESSAGE);
    opposite[0] = (opposite[0] ?? 0) ^ 0x20;
    expect(engine.aggregateSignatures([a.sign(MESSAGE), opposite])).toBeUndefined();
  });

  it('refuses a signature on the curve but outside the subgroup, alone and in an aggregate', () => {
    const stray = strayOfG2(a.sign(MESSAGE));
    expect(blst.Signature.fromBytes(stray).toBytes()).toEqual(stray);
    expect(engine.verify(a.publicKey, MESSAGE, stray)).toBe(false);
    expect(engine.aggregateSignatures([stray])).toBeUndefined();
    expect(engine.aggregateSignatures([b.sign(MESSAGE), stray])).toBeUndefined();
    expect(engine.fastAggregateVerify([a.publicKey], MESSAGE, stray)).toBe(false);
  });

  it('refuses a public key outside the subgroup, which the pairing alone accepts', () => {
    const stray = strayOfG1(a.publicKey);
    const proof = present(engine.provePossession(a.secret));
    expect(pairingAlone(stray, MESSAGE, a.sign(MESSAGE))).toBe(true);
    expect(engine.verify(stray, MESSAGE, a.sign(MESSAGE))).toBe(false);
    expect(engine.verifyPossession(stray, proof)).toBe(false);
    const aggregate = present(engine.aggregateSignatures([a.sign(MESSAGE), b.sign(MESSAGE)]));
    expect(engine.fastAggregateVerify([stray, b.publicKey], MESSAGE, aggregate)).toBe(false);
  });

  it('refuses uncompressed points: a key and a signature have one encoding', () => {
    const key = G1.Point.fromBytes(a.publicKey).toBytes(false);
    const signature = G2.Point.fromBytes(a.sign(MESSAGE)).toBytes(false);
    expect([key.length, signature.length]).toEqual([96, 192]);
    expect(engine.verify(key, MESSAGE, a.sign(MESSAGE))).toBe(false);
    expect(engine.verify(a.publicKey, MESSAGE, signature)).toBe(false);
    expect(engine.aggregateSignatures([signature])).toBeUndefined();
  });

  it('keeps a rogue key out by its possession proof, which nothing else does', () => {
    const attacker = signerOf(engine, 9);
    const rogueKey = G1.Point.fromBytes(attacker.publicKey)
      .subtract(G1.Point.fromBytes(a.publicKey))
      .toBytes();
    // The attacker alone "signs" for the victim too: this is why keys are admitted with a proof.
    expect(engine.fastAggregateVerify([a.publicKey, rogueKey], MESSAGE, attacker.sign(MESSAGE))).toBe(true);
    const forgeries = [
      present(engine.provePossession(attacker.secret)),
      attacker.sign(rogueKey),
      identitySignature,
    ];
    for (const forgery of forgeries) expect(engine.verifyPossession(rogueKey, forgery)).toBe(false);
  });

  it('answers the same when a key was forgotten by the bounded cache', () => {
    const signature = a.sign(MESSAGE);
    expect(engine.verify(a.publicKey, MESSAGE, signature)).toBe(true);
    const malformed = new Uint8Array(48);
    for (let index = 0; index <= BLS_PUBLIC_KEYS_CACHED_MAX; index += 1) {
      new DataView(malformed.buffer).setUint32(40, index);
      engine.verify(malformed, MESSAGE, signature);
    }
    expect(engine.verify(a.publicKey, MESSAGE, signature)).toBe(true);
  });
});

describe('blst and noble', PATIENCE, () => {
  it('give the same bytes and the same answers', () => {
    const input = fc.record({
      seeds: fc.uniqueArray(fc.uint8Array({ minLength: 32, maxLength: 64 }), {
        minLength: 1,
        maxLength: 4,
        selector: toHex,
      }),
      message: fc.uint8Array({ maxLength: 300 }),
      flip: fc.option(fc.integer({ min: 0, max: 767 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(input, ({ seeds, message, flip }) => {
        const made = [native, noble].map((engine) => {
          const secrets = seeds.map((seed) => present(engine.generateSecret(seed)));
          const keys = secrets.map((secret) => present(engine.publicKeyOf(secret)));
          const signatures = secrets.map((secret) => present(engine.sign(secret, message)));
          const aggregate = present(engine.aggregateSignatures(signatures));
          return { secrets, keys, signatures, aggregate };
        });
        const [first, second] = made;
        expect(second).toEqual(first);
        const { keys, aggregate } = present(first);
        const shown = flip === undefined ? aggregate : flipped(aggregate, flip);
        const expected = equalBytes(shown, aggregate);
        for (const engine of [native, noble]) {
          expect(engine.fastAggregateVerify(keys, message, shown)).toBe(expected);
        }
      }),
      { numRuns: 5 },
    );
  });

  it('prefers blst where it loads, and says so', async () => {
    const choice = await loadBlsEngine();
    expect(choice).toEqual({ engine: expect.objectContaining({ name: 'blst' }) });
  });
});

/** Verification without any subgroup check: what an engine would say that forgot them. */
const pairingAlone = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean =>
  blst.verify(message, blst.PublicKey.fromBytes(publicKey), blst.Signature.fromBytes(signature));

/** `encoded` plus a point whose order divides the cofactor: [r]Q of a Q on the curve. A pairing does not see it. */
function strayOfG1(encoded: Uint8Array): Uint8Array {
  const { Fp } = bls12_381.fields;
  for (let x = 1n; ; x += 1n) {
    const squared = Fp.add(Fp.pow(x, 3n), 4n);
    if (!Fp.eql(Fp.pow(squared, (Fp.ORDER - 1n) / 2n), Fp.ONE)) continue;
    const point = G1.Point.fromAffine({ x, y: Fp.sqrt(squared) });
    const torsion = point.multiplyUnsafe(ORDER - 1n).add(point);
    if (torsion.is0()) continue;
    const stray = G1.Point.fromBytes(encoded).add(torsion).toAffine();
    return compressed(Fp.toBytes(stray.x), stray.y > (Fp.ORDER - 1n) / 2n);
  }
}

function strayOfG2(encoded: Uint8Array): Uint8Array {
  const { Fp, Fp2 } = bls12_381.fields;
  for (let c0 = 1n; ; c0 += 1n) {
    const x = Fp2.fromBigTuple([c0, 0n]);
    const squared = Fp2.add(Fp2.pow(x, 3n), Fp2.fromBigTuple([4n, 4n]));
    if (!Fp2.eql(Fp2.pow(squared, (Fp2.ORDER - 1n) / 2n), Fp2.ONE)) continue;
    const point = G2.Point.fromAffine({ x, y: Fp2.sqrt(squared) });
    const torsion = point.multiplyUnsafe(ORDER - 1n).add(point);
    if (torsion.is0()) continue;
    const stray = G2.Point.fromBytes(encoded).add(torsion).toAffine();
    const bytes = concatBytes(Fp.toBytes(stray.x.c1), Fp.toBytes(stray.x.c0));
    return compressed(bytes, stray.y.c1 > (Fp.ORDER - 1n) / 2n);
  }
}

/** The flags of the Zcash serialization: compressed, and whether y is the larger root. */
function compressed(x: Uint8Array, isLargerRoot: boolean): Uint8Array {
  const bytes = x.slice();
  bytes[0] = (bytes[0] ?? 0) | 0x80 | (isLargerRoot ? 0x20 : 0);
  return bytes;
}
