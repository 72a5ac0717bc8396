/**
 * FOR SIMULATION ONLY: a `BlsEngine` of SHA-256 tags, 30 to 150 times faster than blst. Nobody without the
 * secret makes a tag, and it verifies by asking a registry for the secret: sound among the actors of one
 * process that do not read the registry, worthless outside it. Deterministic.
 * A tag is 8 words; tags add up word by word modulo 2^32 as points do, so an aggregate is proof of each tag in it.
 */
import { concatBytes, equalBytes, utf8 } from '../../base/bytes.ts';
import { SHA256_BYTES, sha256 } from '../hash.ts';
import {
  BLS_PUBLIC_KEY_BYTES,
  BLS_SEED_BYTES_MIN,
  BLS_SIGNATURE_BYTES,
  type BlsEngine,
  type BlsSignerGroup,
} from './engine.ts';
import { isSecretKey } from './secret-key.ts';

/** Tags that are remembered for a key; then all are forgotten. @unit tags */
const TAGS_MAX = 256;
/** Keys that one engine knows; a further one is refused, as a malformed secret is. @unit keys */
const KEYED_HASH_KEYS_MAX = 65_536;

const TAG_BYTES = 32;
const TAG_WORDS = TAG_BYTES / 4;
/** Fills the room that a real point would take, and tells a reader of a dump what this is. */
const LABEL = utf8('SIMULATION ONLY: NOT A BLS POINT. '.repeat(2));
const KEY_LABEL = LABEL.subarray(0, BLS_PUBLIC_KEY_BYTES - TAG_BYTES);
const SIGNATURE_LABEL = LABEL.subarray(0, BLS_SIGNATURE_BYTES - TAG_BYTES);

const DOMAIN = {
  seed: utf8('althing/simulation/seed/v1'),
  publicKey: utf8('althing/simulation/public-key/v1'),
  signature: utf8('althing/simulation/signature/v1'),
  possession: utf8('althing/simulation/possession/v1'),
};

type Tag = Uint32Array;

/** One admitted key, with what hashing it again and again would otherwise allocate. */
interface Member {
  readonly publicKey: Uint8Array;
  /** Of the messages that came last, by their bytes: all nodes of a simulation check the same ones. */
  readonly tags: Map<string, Tag>;
  /** Signature domain ‖ secret ‖ room for the hash of a message. */
  readonly signed: Uint8Array;
  readonly possession: Uint8Array;
}

interface Registry {
  readonly keysMax: number;
  readonly bySecret: Map<string, Member>;
  readonly byPublicKey: Map<string, Member>;
}

/**
 * An engine that knows `secrets` and whichever secrets it is asked to use. All nodes of one simulation share
 * one engine: a key of another engine never verifies.
 */
export function createKeyedHashEngine(
  secrets: readonly Uint8Array[] = [],
  keysMax = KEYED_HASH_KEYS_MAX,
): BlsEngine {
  const registry: Registry = { keysMax, bySecret: new Map(), byPublicKey: new Map() };
  for (const secret of secrets) admit(registry, secret);

  function aggregateVerify(groups: readonly BlsSignerGroup[], signature: Uint8Array): boolean {
    const claimed = parseTag(signature);
    if (claimed === undefined || groups.length === 0) return false;
    const expected = new Uint32Array(TAG_WORDS);
    const named = new Set<Member>();
    for (const { publicKeys, message } of groups) {
      if (publicKeys.length === 0) return false;
      const name = nameOf(message);
      for (const publicKey of publicKeys) {
        const member = registry.byPublicKey.get(nameOf(publicKey));
        if (member === undefined || named.has(member)) return false;
        named.add(member);
        add(expected, tagOf(member, name, message));
      }
    }
    return expected.every((word, index) => word === claimed[index]);
  }

  return {
    name: 'keyed-hash',
    generateSecret: (seed) => (seed.byteLength < BLS_SEED_BYTES_MIN ? undefined : secretOf(seed)),
    publicKeyOf: (secret) => admit(registry, secret)?.publicKey.slice(),
    sign(secret, message) {
      const member = admit(registry, secret);
      return member === undefined ? undefined : signatureOf(tagOf(member, nameOf(message), message));
    },
    verify: (publicKey, message, signature) =>
      aggregateVerify([{ publicKeys: [publicKey], message }], signature),
    aggregateSignatures,
    fastAggregateVerify: (publicKeys, message, signature) =>
      aggregateVerify([{ publicKeys, message }], signature),
    aggregateVerify,
    provePossession: (secret) => admit(registry, secret)?.possession.slice(),
    verifyPossession(publicKey, proof) {
      const member = registry.byPublicKey.get(nameOf(publicKey));
      return member !== undefined && equalBytes(proof, member.possession);
    },
  };
}

function aggregateSignatures(signatures: readonly Uint8Array[]): Uint8Array | undefined {
  const sum = new Uint32Array(TAG_WORDS);
  for (const signature of signatures) {
    const tag = parseTag(signature);
    if (tag === undefined) return undefined;
    add(sum, tag);
  }
  return sum.every((word) => word === 0) ? undefined : signatureOf(sum);
}

/** The member of a valid secret, whom the registry then knows. */
function admit({ keysMax, bySecret, byPublicKey }: Registry, secret: Uint8Array): Member | undefined {
  const known = bySecret.get(nameOf(secret));
  if (known !== undefined) return known;
  if (!isSecretKey(secret) || bySecret.size >= keysMax) return undefined;
  const publicKey = concatBytes(sha256(DOMAIN.publicKey, secret), KEY_LABEL);
  const member: Member = {
    publicKey,
    tags: new Map(),
    signed: concatBytes(DOMAIN.signature, secret, new Uint8Array(SHA256_BYTES)),
    possession: signatureOf(wordsOf(sha256(DOMAIN.possession, secret, publicKey))),
  };
  bySecret.set(nameOf(secret), member);
  byPublicKey.set(nameOf(publicKey), member);
  return member;
}

/** The highest bit stays clear, so that any hash is below r and the secret serves the real engines too. */
function secretOf(seed: Uint8Array): Uint8Array {
  const secret = sha256(DOMAIN.seed, seed);
  secret[0] = (secret[0] ?? 0) & 0x3f;
  return secret;
}

/** @param name `nameOf(message)` */
function tagOf({ signed, tags }: Member, name: string, message: Uint8Array): Tag {
  const known = tags.get(name);
  if (known !== undefined) return known;
  signed.set(sha256(message), signed.byteLength - SHA256_BYTES);
  const tag = wordsOf(sha256(signed));
  if (tags.size >= TAGS_MAX) tags.clear();
  tags.set(name, tag);
  return tag;
}

/** The 8 words of a signature; undefined for another length, a wrong label, or the identity (all zero). */
function parseTag(signature: Uint8Array): Tag | undefined {
  if (signature.byteLength !== BLS_SIGNATURE_BYTES) return undefined;
  if (!equalBytes(signature.subarray(TAG_BYTES), SIGNATURE_LABEL)) return undefined;
  const words = wordsOf(signature);
  return words.every((word) => word === 0) ? undefined : words;
}

function wordsOf(bytes: Uint8Array): Tag {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = new Uint32Array(TAG_WORDS);
  for (let index = 0; index < TAG_WORDS; index += 1) words[index] = view.getUint32(4 * index);
  return words;
}

function signatureOf(tag: Tag): Uint8Array {
  const words = new DataView(new ArrayBuffer(TAG_BYTES));
  tag.forEach((word, index) => {
    words.setUint32(4 * index, word);
  });
  return concatBytes(new Uint8Array(words.buffer), SIGNATURE_LABEL);
}

function add(sum: Tag, tag: Tag): void {
  for (let index = 0; index < TAG_WORDS; index += 1) sum[index] = (sum[index] ?? 0) + (tag[index] ?? 0);
}

const nameOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
