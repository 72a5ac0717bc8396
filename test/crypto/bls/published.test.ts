import * as blst from '@chainsafe/blst';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../../src/base/bytes.ts';
import { createBlstEngine } from '../../../src/crypto/bls/blst.ts';
import { createNobleEngine } from '../../../src/crypto/bls/noble.ts';
import { published } from './published-vectors.ts';

const hexOf = (bytes: Uint8Array | null | undefined) => (bytes ? toHex(bytes) : undefined);
const isIdentity = (bytes: Uint8Array | undefined) => bytes?.[0] === 0xc0;

/** EIP-2333's test cases 0 and 3: the master key is KeyGen of the seed. */
const KEYGEN: readonly (readonly [seed: string, secret: bigint])[] = [
  [
    'c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04',
    6083874454709270928345386274498605044986640685124978867557563392430687146096n,
  ],
  [
    '0099FF991111002299DD7744EE3355BBDD8844115566CC55663355668888CC00',
    27580842291869792442942448775674722299803720648445448686099262467207037398656n,
  ],
];

describe.each([createBlstEngine(blst), createNobleEngine()])('$name against published vectors', (engine) => {
  it.each(published.sign)('$name', ({ input, output }) => {
    expect(hexOf(engine.sign(input.privkey, input.message))).toBe(hexOf(output));
  });

  it.each(published.verify)('$name', ({ input, output }) => {
    expect(engine.verify(input.pubkey, input.message, input.signature)).toBe(output);
  });

  it.each(published.fast_aggregate_verify)('$name', ({ input, output }) => {
    expect(engine.fastAggregateVerify(input.pubkeys, input.message, input.signature)).toBe(output);
  });

  it.each(published.aggregate_verify)('$name', ({ input, output }) => {
    const groups = input.pubkeys.map((publicKey, index) => ({
      publicKeys: [publicKey],
      message: input.messages[index] ?? new Uint8Array(),
    }));
    expect(engine.aggregateVerify(groups, input.signature)).toBe(output);
  });

  it.each(published.aggregate.filter(({ output }) => !isIdentity(output ?? undefined)))(
    '$name',
    ({ input, output }) => {
      expect(hexOf(engine.aggregateSignatures(input))).toBe(hexOf(output));
    },
  );

  it('departs from the vectors in one case: the identity is no aggregate', () => {
    const departures = published.aggregate.filter(({ output }) => isIdentity(output ?? undefined));
    expect(departures.map(({ name }) => name)).toEqual(['aggregate_infinity_signature']);
    for (const { input } of departures) expect(engine.aggregateSignatures(input)).toBeUndefined();
  });

  it.each(published.deserialization_G2)('$name of G2 (but the identity is refused)', ({ input, output }) => {
    const accepted = output && !isIdentity(input.signature);
    expect(hexOf(engine.aggregateSignatures([input.signature]))).toBe(
      accepted ? hexOf(input.signature) : undefined,
    );
  });

  it.each(published.deserialization_G1.filter(({ output }) => !output))('$name of G1', ({ input }) => {
    const [signed] = published.verify;
    if (signed === undefined) throw new Error('the vectors hold no signature');
    const { pubkey, message, signature } = signed.input;
    expect(engine.verify(input.pubkey, message, signature)).toBe(false);
    expect(engine.fastAggregateVerify([pubkey, input.pubkey], message, signature)).toBe(false);
  });

  it.each(published.possession)('$name', ({ input, output }) => {
    expect(hexOf(engine.publicKeyOf(input.privkey))).toBe(toHex(input.pubkey));
    expect(hexOf(engine.provePossession(input.privkey))).toBe(toHex(output));
    expect(engine.verifyPossession(input.pubkey, output)).toBe(true);
  });

  it.each(KEYGEN)('generates the key of EIP-2333 from seed %s', (seed, secret) => {
    const generated = engine.generateSecret(Buffer.from(seed, 'hex'));
    expect(hexOf(generated)).toBe(secret.toString(16).padStart(64, '0'));
  });
});
