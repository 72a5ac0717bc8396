/** The published BLS vectors of test/crypto/vectors/bls12-381.json, decoded. Their source is named in the file. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { fromHex } from '../../../src/base/bytes.ts';

const bytes = z.string().transform((text) => {
  const decoded = fromHex(text.replace(/^0x/, ''));
  if (decoded === undefined) throw new Error(`the vectors hold no hexadecimal text: ${text}`);
  return decoded;
});
const casesOf = <Input extends z.ZodType, Output extends z.ZodType>(input: Input, output: Output) =>
  z.array(z.strictObject({ name: z.string(), input, output })).nonempty();

const schema = z.strictObject({
  source: z.string(),
  ciphersuite: z.literal('BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_'),
  cases: z.strictObject({
    sign: casesOf(z.strictObject({ privkey: bytes, message: bytes }), bytes.nullable()),
    verify: casesOf(z.strictObject({ pubkey: bytes, message: bytes, signature: bytes }), z.boolean()),
    aggregate: casesOf(z.array(bytes), bytes.nullable()),
    fast_aggregate_verify: casesOf(
      z.strictObject({ pubkeys: z.array(bytes), message: bytes, signature: bytes }),
      z.boolean(),
    ),
    aggregate_verify: casesOf(
      z.strictObject({ pubkeys: z.array(bytes), messages: z.array(bytes), signature: bytes }),
      z.boolean(),
    ),
    deserialization_G1: casesOf(z.strictObject({ pubkey: bytes }), z.boolean()),
    deserialization_G2: casesOf(z.strictObject({ signature: bytes }), z.boolean()),
    possession: casesOf(z.strictObject({ privkey: bytes, pubkey: bytes }), bytes),
  }),
});

const file = new URL('../vectors/bls12-381.json', import.meta.url);

export const published = schema.parse(JSON.parse(readFileSync(file, 'utf8'))).cases;
