/** The operator's token: random, one a home, readable by its owner only. Boundary: disk and randomness. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** @unit bytes @source as hard to guess as a key */
const TOKEN_BYTES = 32;

/** The token in `path`; made there, mode 0600, when there is none. */
export function ensureAdminToken(path: string): string {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, `${randomBytes(TOKEN_BYTES).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause;
  }
  return readFileSync(path, 'utf8').trim();
}
