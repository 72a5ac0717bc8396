/**
 * A node's keys on disk: `consensus.json` (BLS), `node.json` (Ed25519), `identity.json` with what may be shown to others; and
 * `consensus-<key>.json` for each consensus key that was made later (CS-16). Touches the disk, synchronously, at start only. "Configuration", docs/operator-guide.md.
 * Secrets have mode 0600, appear whole or not at all, and are never written over.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { equalBytes, fromHex, toHex } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import {
  BLS_PUBLIC_KEY_BYTES,
  BLS_SECRET_KEY_BYTES,
  BLS_SIGNATURE_BYTES,
  type BlsEngine,
} from '../crypto/bls/engine.ts';
import { ED25519_PUBLIC_KEY_BYTES, ED25519_SECRET_KEY_BYTES, ed25519PublicKeyOf } from '../crypto/ed25519.ts';
import type { ScryptCost, StoredKey } from '../crypto/key-file.ts';
import { nodeIdOf } from '../crypto/node-id.ts';
import { attempt, type KeyStoreProblem, refusal } from './key-problems.ts';
import {
  keyText,
  readSecret,
  refuseExposed,
  SECRET_MODE,
  syncNames,
  systemRandom,
  writeOnce,
  writeOver,
} from './secret-file.ts';

/** Who a node is. */
export interface NodePublicKeys {
  /** 40 lower-case hex letters; the validator's address too. */
  readonly nodeId: string;
  /** Ed25519, 32 bytes. */
  readonly nodeKey: Uint8Array;
  /** BLS, 48 bytes. */
  readonly consensusKey: Uint8Array;
}

/** What may be shown to anyone: what a genesis file says of a validator. */
export interface NodeIdentity extends NodePublicKeys {
  /** That this node holds the secret of `consensusKey`, 96 bytes. */
  readonly possession: Uint8Array;
}

/** A node's keys. The secrets have 32 bytes each. */
export interface NodeKeys {
  /** With the key of `consensus.json`. */
  readonly identity: NodePublicKeys;
  readonly nodeSecret: Uint8Array;
  readonly consensusSecret: Uint8Array;
  /** Made later. The set of an epoch says which of all signs in it. */
  readonly furtherConsensusKeys: readonly ConsensusKey[];
}

export interface ConsensusKey {
  readonly publicKey: Uint8Array;
  readonly secret: Uint8Array;
}

export type KeysResult =
  | { readonly status: 'ready'; readonly keys: NodeKeys }
  | { readonly status: 'refused'; readonly problem: KeyStoreProblem };

export type CreatedKeysResult =
  | { readonly status: 'ready'; readonly keys: NodeKeys; readonly identity: NodeIdentity }
  | { readonly status: 'refused'; readonly problem: KeyStoreProblem };

export type IdentityResult =
  | { readonly status: 'ready'; readonly identity: NodeIdentity }
  | { readonly status: 'refused'; readonly problem: KeyStoreProblem };

export interface KeyStoreOptions {
  readonly engine: BlsEngine;
  /** Seals new files and opens sealed ones. Without it new files are plain: for development. */
  readonly passphrase?: string;
}

export interface KeyCreationOptions extends KeyStoreOptions {
  /** Source of secrets, salts and nonces; the system's by default. Anything else is for tests and fixed testnets. */
  readonly random?: (bytes: number) => Uint8Array;
  readonly scryptCost?: ScryptCost;
}

export const KEY_FILES = {
  consensus: 'consensus.json',
  node: 'node.json',
  identity: 'identity.json',
} as const;

/** Consensus keys made later that one node has. Beyond, an old one has to go first. @unit files @source chosen: two suffice */
const FURTHER_KEYS_MAX = 8;

/** Permission bits. @source POSIX */
const IDENTITY_MODE = 0o644;
const DIRECTORY_MODE = 0o700;
/** A directory that others may write to lets them put another key in its place. */
const DIRECTORY_MODE_MAX = 0o755;

/** Reads both keys of `directory`, opens them, and checks that each file's public key is its secret's. */
export function loadKeys(directory: string, options: KeyStoreOptions): KeysResult {
  return attempt(directory, () => {
    refuseExposed(directory, statSync(directory).mode, DIRECTORY_MODE_MAX);
    const consensusSecret = readSecret(join(directory, KEY_FILES.consensus), 'bls12-381', options);
    const nodeSecret = readSecret(join(directory, KEY_FILES.node), 'ed25519', options);
    const keys = keysOf(nodeSecret, consensusSecret, options.engine);
    const further = furtherFiles(directory).map((path) =>
      consensusKeyOf(readSecret(path, 'bls12-381', options), options.engine),
    );
    return { status: 'ready', keys: { ...keys, furtherConsensusKeys: further } };
  });
}

/** Makes both keys and writes three files into `directory`, which becomes 0700. Refuses if one of them is there. */
export function createKeys(directory: string, options: KeyCreationOptions): CreatedKeysResult {
  return attempt(directory, () => {
    const random = options.random ?? systemRandom;
    const consensusSecret = options.engine.generateSecret(random(BLS_SECRET_KEY_BYTES));
    invariant(consensusSecret !== undefined, 'the source of secrets gives as many bytes as asked');
    const keys = keysOf(random(ED25519_SECRET_KEY_BYTES), consensusSecret, options.engine);
    const identity = identityOf(keys, options.engine);
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    chmodSync(directory, DIRECTORY_MODE);
    const written: string[] = [];
    try {
      for (const { name, mode, text } of filesOf(keys, identity, options)) {
        const path = join(directory, name);
        writeOnce(path, text, mode);
        written.push(path);
      }
      syncNames(directory, dirname(directory));
    } catch (error) {
      for (const path of written) unlinkSync(path);
      throw error;
    }
    return { status: 'ready', keys, identity };
  });
}

/**
 * Makes a consensus key beside those that are there, and names it in `identity.json`: it signs from the epoch on whose set has
 * it (CS-16). The others stay. Whoever crashes in between has a key that nobody was told of, and makes another.
 */
export function addConsensusKey(directory: string, options: KeyCreationOptions): IdentityResult {
  return attempt(directory, () => {
    const found = loadKeys(directory, options);
    if (found.status === 'refused') return found;
    const { length } = found.keys.furtherConsensusKeys;
    if (length >= FURTHER_KEYS_MAX) throw refusal({ code: 'KEYS_TOO_MANY', path: directory, count: length });
    const random = options.random ?? systemRandom;
    const secret = options.engine.generateSecret(random(BLS_SECRET_KEY_BYTES));
    invariant(secret !== undefined, 'the source of secrets gives as many bytes as asked');
    const { publicKey } = consensusKeyOf(secret, options.engine);
    const keys = { ...found.keys, consensusSecret: secret };
    const identity = identityOf(
      { ...keys, identity: { ...keys.identity, consensusKey: publicKey } },
      options.engine,
    );
    const stored: StoredKey = { kind: 'bls12-381', secret, publicKey };
    writeOnce(join(directory, furtherName(publicKey)), keyText(stored, options), SECRET_MODE);
    writeOver(join(directory, KEY_FILES.identity), shownText(identity), IDENTITY_MODE);
    syncNames(directory);
    return { status: 'ready', identity };
  });
}

/** The secret of a consensus key; undefined: this node has not got it. */
export function consensusSecretOf(keys: NodeKeys, consensusKey: Uint8Array): Uint8Array | undefined {
  if (equalBytes(keys.identity.consensusKey, consensusKey)) return keys.consensusSecret;
  return keys.furtherConsensusKeys.find(({ publicKey }) => equalBytes(publicKey, consensusKey))?.secret;
}

/** `consensus-` and the first 16 of the public key's letters. */
const FURTHER_NAME = /^consensus-[0-9a-f]{16}\.json$/;
const furtherName = (publicKey: Uint8Array): string => `consensus-${toHex(publicKey).slice(0, 16)}.json`;

const furtherFiles = (directory: string): readonly string[] =>
  readdirSync(directory)
    .filter((name) => FURTHER_NAME.test(name))
    .sort()
    .map((name) => join(directory, name));

function consensusKeyOf(secret: Uint8Array, engine: BlsEngine): ConsensusKey {
  const publicKey = engine.publicKeyOf(secret);
  invariant(publicKey, 'a consensus secret is a secret key');
  return { publicKey, secret };
}

/** What may be shown, without a passphrase. Not checked against the secrets. */
export function loadIdentity(directory: string): IdentityResult {
  const path = join(directory, KEY_FILES.identity);
  return attempt(path, () => {
    const document: unknown = parseJson(path, readFileSync(path, 'utf8'));
    const bytes = (field: string, length: number) => hexMember(path, document, field, length);
    const nodeKey = bytes('nodeKey', ED25519_PUBLIC_KEY_BYTES);
    return {
      status: 'ready',
      identity: {
        nodeId: nodeIdOf(nodeKey) ?? '',
        nodeKey,
        consensusKey: bytes('consensusKey', BLS_PUBLIC_KEY_BYTES),
        possession: bytes('possession', BLS_SIGNATURE_BYTES),
      },
    };
  });
}

function keysOf(nodeSecret: Uint8Array, consensusSecret: Uint8Array, engine: BlsEngine): NodeKeys {
  const nodeKey = ed25519PublicKeyOf(nodeSecret);
  const consensusKey = engine.publicKeyOf(consensusSecret);
  const nodeId = nodeKey === undefined ? undefined : nodeIdOf(nodeKey);
  invariant(nodeKey && nodeId && consensusKey, 'both secrets are secret keys');
  return {
    identity: { nodeId, nodeKey, consensusKey },
    nodeSecret,
    consensusSecret,
    furtherConsensusKeys: [],
  };
}

/** With the proof, which costs more than all else here and is needed once. */
function identityOf({ identity, consensusSecret }: NodeKeys, engine: BlsEngine): NodeIdentity {
  const possession = engine.provePossession(consensusSecret);
  invariant(possession, 'the consensus secret is a secret key');
  return { ...identity, possession };
}

function filesOf(
  { nodeSecret, consensusSecret }: NodeKeys,
  identity: NodeIdentity,
  options: KeyCreationOptions,
) {
  const consensus: StoredKey = {
    kind: 'bls12-381',
    secret: consensusSecret,
    publicKey: identity.consensusKey,
  };
  const node: StoredKey = { kind: 'ed25519', secret: nodeSecret, publicKey: identity.nodeKey };
  return [
    { name: KEY_FILES.consensus, mode: SECRET_MODE, text: keyText(consensus, options) },
    { name: KEY_FILES.node, mode: SECRET_MODE, text: keyText(node, options) },
    { name: KEY_FILES.identity, mode: IDENTITY_MODE, text: shownText(identity) },
  ];
}

function shownText({ nodeId, nodeKey, consensusKey, possession }: NodeIdentity): string {
  const shown = {
    nodeId,
    nodeKey: toHex(nodeKey),
    consensusKey: toHex(consensusKey),
    possession: toHex(possession),
  };
  return `${JSON.stringify(shown, null, 2)}\n`;
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refusal({ code: 'KEY_FILE_MALFORMED', path, field: '', problem: 'not JSON' });
  }
}

function hexMember(path: string, document: unknown, field: string, length: number): Uint8Array {
  const found = typeof document === 'object' && document !== null ? Object.entries(document) : [];
  const [, text] = found.find(([name]) => name === field) ?? [];
  const bytes = typeof text === 'string' ? fromHex(text) : undefined;
  if (bytes?.byteLength === length) return bytes;
  const problem = `expected ${2 * length} hexadecimal digits`;
  throw refusal({ code: 'KEY_FILE_MALFORMED', path, field, problem });
}
