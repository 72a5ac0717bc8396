/**
 * The seam between rules and BLS12-381: whoever signs or verifies holds a `BlsEngine` value, never an import,
 * so that a simulator can put a keyed hash in its place. Types and constants only.
 * Ciphersuite BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_ (public keys in G1), draft-irtf-cfrg-bls-signature-05.
 */

/** @unit bytes @source draft-irtf-cfrg-bls-signature-05, section 2.3 */
export const BLS_SECRET_KEY_BYTES = 32;
/** A compressed point of G1. @unit bytes @source draft-irtf-cfrg-bls-signature-05, section 4.2 */
export const BLS_PUBLIC_KEY_BYTES = 48;
/** A compressed point of G2. @unit bytes @source draft-irtf-cfrg-bls-signature-05, section 4.2 */
export const BLS_SIGNATURE_BYTES = 96;
/** The least entropy that KeyGen takes. @unit bytes @source draft-irtf-cfrg-bls-signature-05, section 2.3 */
export const BLS_SEED_BYTES_MIN = 32;

/** Domain separation of signatures. @source draft-irtf-cfrg-bls-signature-05, section 4.2.3 */
export const BLS_SIGNATURE_DOMAIN = 'BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_';
/** Domain separation of possession proofs. @source draft-irtf-cfrg-bls-signature-05, section 4.2.3 */
export const BLS_POSSESSION_DOMAIN = 'BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_';

export type BlsEngineName = 'blst' | 'noble' | 'keyed-hash';

/** The keys that signed one message of an aggregate. */
export interface BlsSignerGroup {
  readonly publicKeys: readonly Uint8Array[];
  readonly message: Uint8Array;
}

/**
 * Signatures of one scheme. Every function is total: a wrong length, a point off the curve or outside its
 * subgroup, the identity point, a zero secret end in `false` or `undefined`, never in a throw.
 *
 * Who counts signers relies on two clauses that go beyond the draft: a public key named twice is refused, and
 * so is a group whose keys sum to the identity. Rogue keys are kept out by possession proofs, which the caller
 * must have verified when it admitted the key; no verification here repeats that.
 */
export interface BlsEngine {
  readonly name: BlsEngineName;

  /** KeyGen: 32 secret bytes from at least `BLS_SEED_BYTES_MIN` bytes of entropy; undefined for fewer. */
  generateSecret(seed: Uint8Array): Uint8Array | undefined;
  /** The 48-byte public key; undefined when `secret` is not 32 bytes of a number in [1, r). */
  publicKeyOf(secret: Uint8Array): Uint8Array | undefined;
  /** A 96-byte signature, the same for the same inputs; undefined when `secret` is not a secret key. */
  sign(secret: Uint8Array, message: Uint8Array): Uint8Array | undefined;
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;

  /**
   * The sum of signatures, 96 bytes, each checked to lie in its subgroup but not verified. Undefined for an
   * empty list, one malformed signature, or a sum that is the identity (which no verification accepts).
   */
  aggregateSignatures(signatures: readonly Uint8Array[]): Uint8Array | undefined;
  /** True when every key of `publicKeys`, each named once, signed `message`. Two pairings. False for no keys. */
  fastAggregateVerify(publicKeys: readonly Uint8Array[], message: Uint8Array, signature: Uint8Array): boolean;
  /**
   * True when every key of each group signed its group's message, no key named twice in all groups together.
   * (groups + 1) pairings (CS-8). False for no groups and for a group without keys.
   */
  aggregateVerify(groups: readonly BlsSignerGroup[], signature: Uint8Array): boolean;

  /** 96 bytes that only the holder of `secret` can make; undefined when `secret` is not a secret key. */
  provePossession(secret: Uint8Array): Uint8Array | undefined;
  /** True when `proof` was made with the secret of `publicKey`. The condition for admitting a key. */
  verifyPossession(publicKey: Uint8Array, proof: Uint8Array): boolean;
}
