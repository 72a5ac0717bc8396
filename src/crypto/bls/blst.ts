/** The first BLS engine: blst in native code. Pure. The binding comes as a value, since not every platform has one. */
import type * as Blst from '@chainsafe/blst';
import type { PublicKey, Signature } from '@chainsafe/blst';
import type { BlsEngine } from './engine.ts';
import { createPairingEngine } from './pairing-engine.ts';

/** The bit of a compressed point's first byte that marks the identity. @source Zcash BLS12-381 serialization */
const IDENTITY_FLAG = 0x40;
const isIdentity = (point: Uint8Array): boolean => ((point[0] ?? 0) & IDENTITY_FLAG) !== 0;

/** An engine over the loaded module `@chainsafe/blst`. */
export function createBlstEngine(blst: typeof Blst): BlsEngine {
  return createPairingEngine<PublicKey, Signature>({
    name: 'blst',
    publicKeyOf: (secret) => blst.SecretKey.fromBytes(secret).toPublicKey().toBytes(),
    sign: (secret, message) => blst.SecretKey.fromBytes(secret).sign(message).toBytes(),
    parsePublicKey: (bytes) => blst.PublicKey.fromBytes(bytes, true),
    parseSignature: (bytes) => blst.Signature.fromBytes(bytes, true, true),
    addPublicKeys(keys) {
      const sum = blst.aggregatePublicKeys([...keys]);
      return isIdentity(sum.toBytes()) ? undefined : sum;
    },
    addSignatures(signatures) {
      const sum = blst.aggregateSignatures([...signatures]).toBytes();
      return isIdentity(sum) ? undefined : sum;
    },
    verifySum(signed, signature) {
      const [first, ...others] = signed;
      if (first === undefined) return false;
      if (others.length === 0) return blst.verify(first.message, first.key, signature);
      const messages = signed.map(({ message }) => message);
      return blst.aggregateVerify(
        messages,
        signed.map(({ key }) => key),
        signature,
      );
    },
  });
}
