/**
 * Sealed transfers that have not ended, each a file beside its key: durable before anything is sent, since without its salt a
 * seal cannot be revealed, and its deposit is lost. Boundary: disk. docs/ledger.md, "Commands".
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { fromHex, toHex } from '../../base/bytes.ts';
import { SECRET_MODE, syncNames, writeOnce } from '../../storage/secret-file.ts';
import { messageOf, runtimeFailure } from '../failure.ts';

export interface PendingSeal {
  /** The commit id, 64 letters. */
  readonly id: string;
  readonly chainId: string;
  /** Above it nobody can seal it any more (LG-18). */
  readonly lastHeight: number;
  /** The signed transaction that commits. */
  readonly seal: Uint8Array;
  /** What opens it: secret until the seal is committed. */
  readonly reveal: Uint8Array;
  /** For people: what it does. */
  readonly words: string;
}

/** Of one key; who has so many must end some. @unit files @source twice the open seals of one account by default */
const PENDING_MAX = 32;

const bytes = z.string().transform((text, context) => {
  const read = fromHex(text);
  if (read !== undefined) return read;
  context.addIssue({ code: 'custom', message: 'expected hexadecimal letters' });
  return z.NEVER;
});
const FILE = z.strictObject({
  version: z.literal(1),
  seal_id: z.string().regex(/^[0-9a-f]{64}$/),
  chain_id: z.string(),
  last_height: z.int().min(0),
  seal: bytes,
  reveal: bytes,
  words: z.string(),
});

const folderOf = (key: string): string => `${key}.seals`;
const fileOf = (key: string, id: string): string => join(folderOf(key), `${id}.json`);

/** Returns when it is durable. @param key the file of the account's key */
export function keepSeal(key: string, pending: PendingSeal): void {
  const folder = folderOf(key);
  const count = pendingSeals(key).length;
  if (count >= PENDING_MAX) {
    throw runtimeFailure(
      `${folder} has ${count} sealed transfers that have not ended: althing ledger resume`,
    );
  }
  const { id, chainId, lastHeight, words } = pending;
  const text = JSON.stringify({
    ...{ version: 1, seal_id: id, chain_id: chainId, last_height: lastHeight },
    ...{ seal: toHex(pending.seal), reveal: toHex(pending.reveal), words },
  });
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeOnce(fileOf(key, id), text, SECRET_MODE);
    syncNames(folder, dirname(folder));
  } catch (failure) {
    throw runtimeFailure(
      `${folder}: ${messageOf(failure)}: nothing was sent, since what opens it would be lost`,
    );
  }
}

/** @throws in words that name the file, when one cannot be read */
export function pendingSeals(key: string): readonly PendingSeal[] {
  const folder = folderOf(key);
  return namesIn(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => readSeal(join(folder, name)));
}

export function forgetSeal(key: string, { id }: Pick<PendingSeal, 'id'>): void {
  rmSync(fileOf(key, id), { force: true });
}

function readSeal(path: string): PendingSeal {
  try {
    const read = FILE.parse(JSON.parse(readFileSync(path, 'utf8')));
    const { seal_id: id, chain_id: chainId, last_height: lastHeight, seal, reveal, words } = read;
    return { id, chainId, lastHeight, seal, reveal, words };
  } catch (failure) {
    throw runtimeFailure(`${path}: cannot be read as a sealed transfer: ${messageOf(failure)}`);
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
