/**
 * A `BlsEngine` from a curve library: what is the same for each of them, above all what is refused. Pure but
 * for a bounded cache of parsed public keys (parsing costs a square root and a subgroup check, about 0.1 ms).
 * draft-irtf-cfrg-bls-signature-05, sections 2 and 3; "Arithmetic" and CS-8, docs/protocol/consensus.md.
 */
import { toHex } from '../../base/bytes.ts';
import { createRecentCache } from '../recent-cache.ts';
import {
  BLS_PUBLIC_KEY_BYTES,
  BLS_SIGNATURE_BYTES,
  type BlsEngine,
  type BlsEngineName,
  type BlsSignerGroup,
} from './engine.ts';
import { isPossessionProof, possessionProof } from './possession.ts';
import { isSecretKey, secretKeyFromSeed } from './secret-key.ts';

/** Parsed keys kept: four validator sets of 1,024. @unit keys @source 4,096 × about 300 bytes = 1.2 MB */
export const BLS_PUBLIC_KEYS_CACHED_MAX = 4096;

/** What a curve library does. It may throw on malformed bytes; it is never given a wrong length or a bad secret. */
interface PairingLibrary<Key, Signature> {
  readonly name: BlsEngineName;
  readonly publicKeyOf: (secret: Uint8Array) => Uint8Array;
  readonly sign: (secret: Uint8Array, message: Uint8Array) => Uint8Array;
  /** A point of the subgroup and not the identity, else undefined or a throw. */
  readonly parsePublicKey: (bytes: Uint8Array) => Key | undefined;
  /** A point of the subgroup and not the identity, else undefined or a throw. */
  readonly parseSignature: (bytes: Uint8Array) => Signature | undefined;
  /** The sum, or undefined when it is the identity. */
  readonly addPublicKeys: (keys: readonly Key[]) => Key | undefined;
  /** The sum's bytes, or undefined when it is the identity. */
  readonly addSignatures: (signatures: readonly Signature[]) => Uint8Array | undefined;
  readonly verifySum: (signed: readonly SignedMessage<Key>[], signature: Signature) => boolean;
}

/** One message and the (summed) key that signed it. */
interface SignedMessage<Key> {
  readonly key: Key;
  readonly message: Uint8Array;
}

export function createPairingEngine<Key, Signature>(library: PairingLibrary<Key, Signature>): BlsEngine {
  const parsedKeys = createRecentCache<Key | undefined>(BLS_PUBLIC_KEYS_CACHED_MAX);

  const parsePublicKey = (bytes: Uint8Array): Key | undefined =>
    bytes.byteLength === BLS_PUBLIC_KEY_BYTES
      ? parsedKeys.of(bytes, (key) => orUndefined(() => library.parsePublicKey(key)))
      : undefined;
  const parseSignature = (bytes: Uint8Array): Signature | undefined =>
    bytes.byteLength === BLS_SIGNATURE_BYTES ? orUndefined(() => library.parseSignature(bytes)) : undefined;

  function aggregateVerify(groups: readonly BlsSignerGroup[], signature: Uint8Array): boolean {
    if (groups.length === 0 || !namesEachKeyOnce(groups)) return false;
    const signed: SignedMessage<Key>[] = [];
    for (const { publicKeys, message } of groups) {
      const keys = allOf(publicKeys, parsePublicKey);
      const [first, ...others] = keys ?? [];
      if (keys === undefined || first === undefined) return false;
      const key = others.length === 0 ? first : orUndefined(() => library.addPublicKeys(keys));
      if (key === undefined) return false;
      signed.push({ key, message });
    }
    const parsed = parseSignature(signature);
    return parsed !== undefined && orUndefined(() => library.verifySum(signed, parsed)) === true;
  }

  return {
    name: library.name,
    generateSecret: secretKeyFromSeed,
    publicKeyOf: (secret) => (isSecretKey(secret) ? library.publicKeyOf(secret) : undefined),
    sign: (secret, message) => (isSecretKey(secret) ? library.sign(secret, message) : undefined),
    verify: (publicKey, message, signature) =>
      aggregateVerify([{ publicKeys: [publicKey], message }], signature),
    aggregateSignatures(signatures) {
      const parsed = allOf(signatures, parseSignature);
      if (parsed === undefined || parsed.length === 0) return undefined;
      return orUndefined(() => library.addSignatures(parsed));
    },
    fastAggregateVerify: (publicKeys, message, signature) =>
      aggregateVerify([{ publicKeys, message }], signature),
    aggregateVerify,
    provePossession: (secret) => (isSecretKey(secret) ? possessionProof(secret) : undefined),
    verifyPossession: isPossessionProof,
  };
}

/** Guards against one signer counted three times, which the draft's FastAggregateVerify accepts. */
function namesEachKeyOnce(groups: readonly BlsSignerGroup[]): boolean {
  const seen = new Set<string>();
  let named = 0;
  for (const { publicKeys } of groups) {
    for (const key of publicKeys) {
      seen.add(toHex(key));
      named += 1;
    }
  }
  return seen.size === named;
}

/** Every item parsed, or undefined when one does not. */
function allOf<Item, Parsed>(
  items: readonly Item[],
  parse: (item: Item) => Parsed | undefined,
): readonly Parsed[] | undefined {
  const parsed: Parsed[] = [];
  for (const item of items) {
    const value = parse(item);
    if (value === undefined) return undefined;
    parsed.push(value);
  }
  return parsed;
}

/** The libraries speak in throws; the engine speaks in values. */
function orUndefined<Value>(attempt: () => Value | undefined): Value | undefined {
  try {
    return attempt();
  } catch {
    return undefined;
  }
}
