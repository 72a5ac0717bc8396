/** The passphrase of the key files: from the file that `ALTHING_PASSPHRASE_FILE` names, never from the command line. Boundary. */
import { readFileSync } from 'node:fs';

/** Its first line; undefined when the variable is not set. Throws what the system says when the file cannot be read. */
export function readPassphrase(
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const path = environment['ALTHING_PASSPHRASE_FILE'];
  if (path === undefined || path === '') return undefined;
  return readFileSync(path, 'utf8').split(/\r?\n/, 1)[0];
}
