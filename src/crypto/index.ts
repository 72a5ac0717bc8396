/** The public interface of the crypto layer: hashes, Ed25519, BLS engines, signer bitmaps, key files, node ids. */
export {
  BLS_PUBLIC_KEY_BYTES,
  BLS_SECRET_KEY_BYTES,
  BLS_SEED_BYTES_MIN,
  BLS_SIGNATURE_BYTES,
  type BlsEngine,
  type BlsEngineName,
  type BlsSignerGroup,
} from './bls/engine.ts';
export { createKeyedHashEngine } from './bls/keyed-hash.ts';
export { createNobleEngine } from './bls/noble.ts';
export { type BlsEngineChoice, loadBlsEngine } from './bls/select.ts';
export {
  ED25519_PUBLIC_KEY_BYTES,
  ED25519_SECRET_KEY_BYTES,
  ED25519_SIGNATURE_BYTES,
  ed25519Pkcs8,
  ed25519PublicKeyOf,
  ed25519PublicKeyOfSpki,
  ed25519Sign,
  ed25519Verify,
} from './ed25519.ts';
export { SHA256_BYTES, SHA512_BYTES, sha256, sha512 } from './hash.ts';
export {
  encodePlainKey,
  encodeSealedKey,
  type KeyFile,
  type KeyFileProblem,
  type KeyKind,
  openKey,
  parseKeyFile,
  type ScryptCost,
  type Sealing,
  type StoredKey,
} from './key-file.ts';
export { isNodeId, NODE_ID_BYTES, nodeIdOf } from './node-id.ts';
export { countSigners, parseSignerBitmap, signerBitmap, signerBitmapBytes } from './signer-bitmap.ts';
