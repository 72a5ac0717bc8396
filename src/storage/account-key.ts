/**
 * The key of an account of the ledger on disk: an Ed25519 key file like a node's, with the same care. Touches the disk.
 * docs/ledger.md, "Keys".
 */
import { unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { invariant } from '../base/invariant.ts';
import { ED25519_SECRET_KEY_BYTES, ed25519PublicKeyOf } from '../crypto/ed25519.ts';
import type { StoredKey } from '../crypto/key-file.ts';
import { attempt, type KeyStoreProblem } from './key-problems.ts';
import { keyText, readSecret, SECRET_MODE, syncNames, systemRandom, writeOnce } from './secret-file.ts';

export type AccountKeyResult =
  | { readonly status: 'ready'; readonly secret: Uint8Array; readonly publicKey: Uint8Array }
  | { readonly status: 'refused'; readonly problem: KeyStoreProblem };

/** A new key in a new file, mode 0600: sealed where there is a passphrase. Never writes over another. */
export function createAccountKey(path: string, passphrase: string | undefined): AccountKeyResult {
  const folder = dirname(path);
  const made = attempt(path, () => {
    const ready = keyOf(systemRandom(ED25519_SECRET_KEY_BYTES));
    const key: StoredKey = { kind: 'ed25519', secret: ready.secret, publicKey: ready.publicKey };
    writeOnce(path, keyText(key, { passphrase, description: 'Althing ledger account' }), SECRET_MODE);
    try {
      syncNames(folder);
    } catch (error) {
      unlinkSync(path);
      throw error;
    }
    return ready;
  });
  return whereMissing(made, { code: 'KEY_FOLDER_MISSING', path, folder });
}

export const loadAccountKey = (path: string, passphrase: string | undefined): AccountKeyResult =>
  whereMissing(
    attempt(path, () => keyOf(readSecret(path, 'ed25519', { passphrase }))),
    { code: 'ACCOUNT_KEY_MISSING', path },
  );

/** What is not there is none of a node's keys: other words help. */
const whereMissing = (result: AccountKeyResult, problem: KeyStoreProblem): AccountKeyResult =>
  result.status === 'refused' && result.problem.code === 'KEY_FILE_MISSING'
    ? { status: 'refused', problem }
    : result;

function keyOf(secret: Uint8Array): Extract<AccountKeyResult, { readonly status: 'ready' }> {
  const publicKey = ed25519PublicKeyOf(secret);
  invariant(publicKey !== undefined, 'a secret has 32 bytes');
  return { status: 'ready', secret, publicKey };
}
