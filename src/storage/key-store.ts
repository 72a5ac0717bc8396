/**
 * A node's two keys on disk: `consensus.json` (BLS), `node.json` (Ed25519), and `identity.json` with what may be
 * shown to others. Touches the disk, synchronously, at start only. "Configuration", docs/operator-guide.md.
 * Secrets have mode 0600, appear whole or not at all, and are never written over.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
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
import {
  encodePlainKey,
  encodeSealedKey,
  KEY_FILE_IV_BYTES,
  KEY_FILE_SALT_BYTES,
  type KeyKind,
  openKey,
  parseKeyFile,
  type ScryptCost,
  type StoredKey,
} from '../crypto/key-file.ts';
import { nodeIdOf } from '../crypto/node-id.ts';

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
  readonly identity: NodePublicKeys;
  readonly nodeSecret: Uint8Array;
  readonly consensusSecret: Uint8Array;
}

/** Why there are no keys. `path` is the file or directory concerned. */
export type KeyStoreProblem =
  | { readonly code: 'KEY_FILE_MISSING'; readonly path: string }
  | { readonly code: 'KEY_FILE_EXISTS'; readonly path: string }
  | {
      readonly code: 'KEY_FILE_EXPOSED';
      readonly path: string;
      readonly mode: number;
      readonly modeMax: number;
    }
  | {
      readonly code: 'KEY_FILE_MALFORMED';
      readonly path: string;
      readonly field: string;
      readonly problem: string;
    }
  | {
      readonly code: 'KEY_FILE_MISMATCH';
      readonly path: string;
      readonly claimed: string;
      readonly found: string;
    }
  | { readonly code: 'KEY_PASSPHRASE_REQUIRED'; readonly path: string }
  | { readonly code: 'KEY_PASSPHRASE_WRONG'; readonly path: string }
  | { readonly code: 'KEY_STORE_FAILED'; readonly path: string; readonly reason: string };

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

/** Permission bits. @source POSIX */
export const SECRET_MODE = 0o600;
const IDENTITY_MODE = 0o644;
const DIRECTORY_MODE = 0o700;
/** A directory that others may write to lets them put another key in its place. */
const DIRECTORY_MODE_MAX = 0o755;
/** @unit bytes @source 60 times a sealed file */
const KEY_FILE_BYTES_MAX = 65_536;

/** Reads both keys of `directory`, opens them, and checks that each file's public key is its secret's. */
export function loadKeys(directory: string, options: KeyStoreOptions): KeysResult {
  return attempt(directory, () => {
    refuseExposed(directory, statSync(directory).mode, DIRECTORY_MODE_MAX);
    const consensusSecret = readSecret(join(directory, KEY_FILES.consensus), 'bls12-381', options);
    const nodeSecret = readSecret(join(directory, KEY_FILES.node), 'ed25519', options);
    return { status: 'ready', keys: keysOf(nodeSecret, consensusSecret, options.engine) };
  });
}

/** Makes both keys and writes three files into `directory`, which becomes 0700. Refuses if one of them is there. */
export function createKeys(directory: string, options: KeyCreationOptions): CreatedKeysResult {
  return attempt(directory, () => {
    const random = options.random ?? ((bytes: number) => new Uint8Array(randomBytes(bytes)));
    const consensusSecret = options.engine.generateSecret(random(BLS_SECRET_KEY_BYTES));
    invariant(consensusSecret !== undefined, 'the source of secrets gives as many bytes as asked');
    const keys = keysOf(random(ED25519_SECRET_KEY_BYTES), consensusSecret, options.engine);
    const identity = identityOf(keys, options.engine);
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    chmodSync(directory, DIRECTORY_MODE);
    const written: string[] = [];
    try {
      for (const { name, mode, text } of filesOf(keys, identity, options, random)) {
        const path = join(directory, name);
        writeOnce(path, text, mode);
        written.push(path);
      }
      syncDirectory(directory);
    } catch (error) {
      for (const path of written) unlinkSync(path);
      throw error;
    }
    return { status: 'ready', keys, identity };
  });
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

/** One sentence for the operator: what, where, and what to do. */
export function describeKeyProblem(problem: KeyStoreProblem): string {
  const { path } = problem;
  switch (problem.code) {
    case 'KEY_FILE_MISSING':
      return `${path}: there is no such key; create keys with 'althing init', or point --home at the right directory`;
    case 'KEY_FILE_EXISTS':
      return `${path}: a key is there already and is never written over; choose another directory, or move it away`;
    case 'KEY_FILE_EXPOSED':
      return `${path}: other users may reach it (mode ${octal(problem.mode)}); run: chmod ${octal(problem.modeMax)} '${path}'`;
    case 'KEY_FILE_MALFORMED':
      return `${path}: ${problem.field === '' ? 'the document' : `'${problem.field}'`}: ${problem.problem}; restore the file from a backup`;
    case 'KEY_FILE_MISMATCH':
      return `${path}: says its public key is ${problem.claimed}, but its secret gives ${problem.found}; restore the file from a backup`;
    case 'KEY_PASSPHRASE_REQUIRED':
      return `${path}: is sealed; give its passphrase`;
    case 'KEY_PASSPHRASE_WRONG':
      return `${path}: the passphrase does not open it`;
    case 'KEY_STORE_FAILED':
      return `${path}: ${problem.reason}`;
  }
}

const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0');

function keysOf(nodeSecret: Uint8Array, consensusSecret: Uint8Array, engine: BlsEngine): NodeKeys {
  const nodeKey = ed25519PublicKeyOf(nodeSecret);
  const consensusKey = engine.publicKeyOf(consensusSecret);
  const nodeId = nodeKey === undefined ? undefined : nodeIdOf(nodeKey);
  invariant(nodeKey && nodeId && consensusKey, 'both secrets are secret keys');
  return { identity: { nodeId, nodeKey, consensusKey }, nodeSecret, consensusSecret };
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
  random: (bytes: number) => Uint8Array,
) {
  const textOf = (key: StoredKey): string =>
    options.passphrase === undefined
      ? encodePlainKey(key)
      : encodeSealedKey(key, {
          passphrase: options.passphrase,
          salt: random(KEY_FILE_SALT_BYTES),
          iv: random(KEY_FILE_IV_BYTES),
          uuid: randomUUID(),
          ...(options.scryptCost === undefined ? {} : { cost: options.scryptCost }),
        });
  const shown = {
    nodeId: identity.nodeId,
    nodeKey: toHex(identity.nodeKey),
    consensusKey: toHex(identity.consensusKey),
    possession: toHex(identity.possession),
  };
  const consensus: StoredKey = {
    kind: 'bls12-381',
    secret: consensusSecret,
    publicKey: identity.consensusKey,
  };
  const node: StoredKey = { kind: 'ed25519', secret: nodeSecret, publicKey: identity.nodeKey };
  return [
    { name: KEY_FILES.consensus, mode: SECRET_MODE, text: textOf(consensus) },
    { name: KEY_FILES.node, mode: SECRET_MODE, text: textOf(node) },
    { name: KEY_FILES.identity, mode: IDENTITY_MODE, text: `${JSON.stringify(shown, null, 2)}\n` },
  ];
}

/** The secret of a key file that only its owner may read. @param options.engine for BLS keys */
export function readSecret(path: string, kind: KeyKind, options: Partial<KeyStoreOptions>): Uint8Array {
  const file = parseKeyFile(readPrivate(path));
  if (file.status === 'malformed') {
    const { field, problem } = file;
    throw refusal({ code: 'KEY_FILE_MALFORMED', path, field, problem });
  }
  const found = file.status === 'plain' ? file.key.kind : file.kind;
  if (found !== kind) {
    const problem = `expected a ${kind} key, found ${found}`;
    throw refusal({ code: 'KEY_FILE_MALFORMED', path, field: 'type', problem });
  }
  const { secret, publicKey } = file.status === 'plain' ? file.key : opened(path, file, options.passphrase);
  const derived = kind === 'ed25519' ? ed25519PublicKeyOf(secret) : options.engine?.publicKeyOf(secret);
  if (derived === undefined) {
    throw refusal({ code: 'KEY_FILE_MALFORMED', path, field: 'secret', problem: `not a ${kind} secret key` });
  }
  if (!equalBytes(derived, publicKey)) {
    throw refusal({ code: 'KEY_FILE_MISMATCH', path, claimed: toHex(publicKey), found: toHex(derived) });
  }
  return secret;
}

function opened(
  path: string,
  file: Parameters<typeof openKey>[0],
  passphrase: string | undefined,
): StoredKey {
  if (passphrase === undefined) throw refusal({ code: 'KEY_PASSPHRASE_REQUIRED', path });
  const key = openKey(file, passphrase);
  if (key === 'wrong-passphrase') throw refusal({ code: 'KEY_PASSPHRASE_WRONG', path });
  return key;
}

/** Mode and content come from one descriptor: nobody swaps the file in between. */
function readPrivate(path: string): string {
  const descriptor = openSync(path, constants.O_RDONLY);
  try {
    const { mode, size } = fstatSync(descriptor);
    refuseExposed(path, mode, SECRET_MODE);
    if (size > KEY_FILE_BYTES_MAX) {
      const problem = `${size} bytes, more than the ${KEY_FILE_BYTES_MAX} of any key file`;
      throw refusal({ code: 'KEY_FILE_MALFORMED', path, field: '', problem });
    }
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/** Windows has no such bits; its access lists are the operator's. */
function refuseExposed(path: string, mode: number, modeMax: number): void {
  if (process.platform === 'win32') return;
  if ((mode & 0o777 & ~(modeMax | 0o700)) !== 0)
    throw refusal({ code: 'KEY_FILE_EXPOSED', path, mode, modeMax });
}

/** Whole or not at all, and never over another: written aside, synced, then linked, which fails if `path` is taken. */
export function writeOnce(path: string, text: string, mode: number): void {
  const aside = `${path}.${randomUUID()}.new`;
  const descriptor = openSync(aside, 'wx', mode);
  try {
    try {
      writeFileSync(descriptor, text);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    linkSync(aside, path);
  } catch (error) {
    throw errnoOf(error) === 'EEXIST' ? refusal({ code: 'KEY_FILE_EXISTS', path }) : error;
  } finally {
    unlinkSync(aside);
  }
}

function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  for (const path of [directory, dirname(directory)]) {
    const descriptor = openSync(path, constants.O_RDONLY);
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }
}

/** Carries a problem up to `attempt`; never leaves this module. */
class Refusal extends Error {
  readonly problem: KeyStoreProblem;
  constructor(problem: KeyStoreProblem) {
    super(problem.code);
    this.problem = problem;
  }
}

const refusal = (problem: KeyStoreProblem): Refusal => new Refusal(problem);

/** Turns refusals and the operating system's errors into values; this program's bugs go on. */
export function attempt<Result>(
  path: string,
  run: () => Result,
): Result | { readonly status: 'refused'; readonly problem: KeyStoreProblem } {
  try {
    return run();
  } catch (error) {
    if (error instanceof Refusal) return { status: 'refused', problem: error.problem };
    const code = errnoOf(error);
    if (code === undefined) throw error;
    const at =
      error instanceof Error && 'path' in error && typeof error.path === 'string' ? error.path : path;
    const reason = error instanceof Error ? error.message : code;
    return {
      status: 'refused',
      problem:
        code === 'ENOENT'
          ? { code: 'KEY_FILE_MISSING', path: at }
          : { code: 'KEY_STORE_FAILED', path: at, reason },
    };
  }
}

/** The name of an operating system's error, as in 'ENOENT'. */
function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && 'errno' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
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
