/**
 * A key's file on disk: mode 0600, whole or not at all, never written over, and read only while nobody else may reach it.
 * Touches the disk, synchronously, at start only. Its text is in crypto/key-file.ts. "Configuration", docs/operator-guide.md.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { equalBytes, toHex } from '../base/bytes.ts';
import type { BlsEngine } from '../crypto/bls/engine.ts';
import { ed25519PublicKeyOf } from '../crypto/ed25519.ts';
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
import { errnoOf } from './device-errors.ts';
import { refusal } from './key-problems.ts';
import { syncDirectory } from './segments.ts';

export interface KeyOpening {
  /** For BLS keys. */
  readonly engine?: BlsEngine;
  /** Of a sealed file. */
  readonly passphrase?: string | undefined;
}

export interface KeySealing {
  /** Without it the file is plain: for development. */
  readonly passphrase?: string | undefined;
  /** Source of salts and nonces. */
  readonly random?: (bytes: number) => Uint8Array;
  readonly scryptCost?: ScryptCost;
  /** For whoever opens the file with an editor. Default: of a node's key. */
  readonly description?: string;
}

/** Permission bits. @source POSIX */
export const SECRET_MODE = 0o600;
/** @unit bytes @source 60 times a sealed file */
const KEY_FILE_BYTES_MAX = 65_536;

export const systemRandom = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));

/** The text of a key's file: sealed where there is a passphrase. */
export function keyText(
  key: StoredKey,
  { passphrase, random = systemRandom, scryptCost: cost, description }: KeySealing,
): string {
  if (passphrase === undefined) return encodePlainKey(key);
  return encodeSealedKey(key, {
    passphrase,
    salt: random(KEY_FILE_SALT_BYTES),
    iv: random(KEY_FILE_IV_BYTES),
    uuid: randomUUID(),
    ...(cost === undefined ? {} : { cost }),
    ...(description === undefined ? {} : { description }),
  });
}

/** The secret of a key file that only its owner may read. */
export function readSecret(path: string, kind: KeyKind, options: KeyOpening): Uint8Array {
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
export function refuseExposed(path: string, mode: number, modeMax: number): void {
  if (process.platform === 'win32') return;
  if ((mode & 0o777 & ~(modeMax | 0o700)) !== 0)
    throw refusal({ code: 'KEY_FILE_EXPOSED', path, mode, modeMax });
}

/** Makes the names of new files durable. Windows syncs no directories. */
export function syncNames(...directories: readonly string[]): void {
  if (process.platform === 'win32') return;
  for (const directory of directories) syncDirectory(directory);
}

/** Whole or not at all, in place of what is there: for what is no secret. */
export function writeOver(path: string, text: string, mode: number): void {
  const aside = `${path}.${randomUUID()}.new`;
  writeAside(aside, text, mode);
  renameSync(aside, path);
}

/** Whole or not at all, and never over another: written aside, synced, then linked, which fails if `path` is taken. */
export function writeOnce(path: string, text: string, mode: number): void {
  const aside = `${path}.${randomUUID()}.new`;
  try {
    writeAside(aside, text, mode);
    linkSync(aside, path);
  } catch (error) {
    throw errnoOf(error) === 'EEXIST' ? refusal({ code: 'KEY_FILE_EXISTS', path }) : error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function writeAside(aside: string, text: string, mode: number): void {
  const descriptor = openSync(aside, 'wx', mode);
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
