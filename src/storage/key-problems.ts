/**
 * Why there is no key, as a value and as a sentence for the operator. Pure; what a key file's own text may have wrong is in
 * crypto/key-file.ts. "Configuration", docs/operator-guide.md.
 */
import { errnoOf } from './device-errors.ts';

/** Why there are no keys. `path` is the file or directory concerned. */
export type KeyStoreProblem =
  | { readonly code: 'KEY_FILE_MISSING'; readonly path: string }
  /** Of an account: nothing of it is made by `althing init`. */
  | { readonly code: 'ACCOUNT_KEY_MISSING'; readonly path: string }
  | { readonly code: 'KEY_FOLDER_MISSING'; readonly path: string; readonly folder: string }
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
  | { readonly code: 'KEYS_TOO_MANY'; readonly path: string; readonly count: number }
  | { readonly code: 'KEY_PASSPHRASE_REQUIRED'; readonly path: string }
  | { readonly code: 'KEY_PASSPHRASE_WRONG'; readonly path: string }
  | { readonly code: 'KEY_STORE_FAILED'; readonly path: string; readonly reason: string };

/** One sentence for the operator: what, where, and what to do. */
export function describeKeyProblem(problem: KeyStoreProblem): string {
  const { path } = problem;
  switch (problem.code) {
    case 'KEY_FILE_MISSING':
      return `${path}: there is no such key; create keys with 'althing init', or point --home at the right directory`;
    case 'ACCOUNT_KEY_MISSING':
      return `${path}: there is no such key file; make one with 'althing ledger keys new ${path}', or name another`;
    case 'KEY_FOLDER_MISSING':
      return `${path}: there is no directory ${problem.folder}: make it, or name another file`;
    case 'KEY_FILE_EXISTS':
      return `${path}: a key is there already and is never written over; choose another directory, or move it away`;
    case 'KEY_FILE_EXPOSED':
      return `${path}: other users may reach it (mode ${octal(problem.mode)}); run: chmod ${octal(problem.modeMax)} '${path}'`;
    case 'KEY_FILE_MALFORMED':
      return `${path}: ${problem.field === '' ? 'the document' : `'${problem.field}'`}: ${problem.problem}; restore the file from a backup`;
    case 'KEY_FILE_MISMATCH':
      return `${path}: says its public key is ${problem.claimed}, but its secret gives ${problem.found}; restore the file from a backup`;
    case 'KEYS_TOO_MANY':
      return `${path}: has ${problem.count} consensus keys beside consensus.json, the most; move away those that no epoch names any more`;
    case 'KEY_PASSPHRASE_REQUIRED':
      return `${path}: is sealed; name the file with its passphrase in ALTHING_PASSPHRASE_FILE`;
    case 'KEY_PASSPHRASE_WRONG':
      return `${path}: the passphrase does not open it`;
    case 'KEY_STORE_FAILED':
      return `${path}: ${problem.reason}`;
  }
}

const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0');

/** Carries a problem up to `attempt`; nothing else catches it. */
class Refusal extends Error {
  readonly problem: KeyStoreProblem;
  constructor(problem: KeyStoreProblem) {
    super(problem.code);
    this.problem = problem;
  }
}

export const refusal = (problem: KeyStoreProblem): Refusal => new Refusal(problem);

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
