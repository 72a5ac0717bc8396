/** The passphrase of the key files: from the file that `ALTHING_PASSPHRASE_FILE` names, never from the command line. Boundary. */
import { readFileSync } from 'node:fs';
import { errnoOf } from '../../storage/device-errors.ts';
import { StartRefused } from './start-refused.ts';

const VARIABLE = 'ALTHING_PASSPHRASE_FILE';

/** Its first line; undefined when the variable is not set. @throws StartRefused when the file cannot be read */
export function readPassphrase(
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const path = environment[VARIABLE];
  if (path === undefined || path === '') return undefined;
  try {
    return readFileSync(path, 'utf8').split(/\r?\n/, 1)[0];
  } catch (cause) {
    const message = `${path} cannot be read (${errnoOf(cause) ?? String(cause)}): name the file whose first line is the passphrase`;
    throw new StartRefused('config', [{ where: VARIABLE, message }]);
  }
}
