/** Widths of what the ledger writes, in transactions and state alike. Pure; runs in a browser. docs/ledger.md, LG-2. */

/** Ed25519. @unit bytes @source RFC 8032 */
export const KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
/** @unit bytes @source draft-irtf-cfrg-bls-signature-05 */
export const BLS_KEY_BYTES = 48;
export const BLS_SIGNATURE_BYTES = 96;
/** Of an account, as of a validator. @unit bytes @source LG-3, docs/protocol/consensus.md */
export const ADDRESS_BYTES = 20;
/** Hash of a genesis. @unit bytes @source SHA-256 */
export const DIGEST_BYTES = 32;
/** @unit bytes @source LG-1 */
export const NUMBER_BYTES = 8;
