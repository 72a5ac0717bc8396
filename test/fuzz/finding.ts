/** What a run found wrong: which claim, by which input, made smaller, written to a file that replays it. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type ClaimName = 'no exception' | 'no input over 50 ms' | 'no growth of memory' | 'ends';

export interface Finding {
  readonly target: string;
  readonly claim: ClaimName;
  readonly detail: string;
  /** One place of the program: findings of one key are one finding. */
  readonly key: string;
  readonly input: Uint8Array;
}

/** Where findings are written; not in git. */
export const FINDINGS = join(import.meta.dirname, 'findings');

/** Writes it; gives the file's path and the command that replays it. */
export function writeFinding(finding: Finding): { readonly path: string; readonly command: string } {
  const name = createHash('sha256').update(finding.key).update(finding.input).digest('hex').slice(0, 12);
  mkdirSync(FINDINGS, { recursive: true });
  const path = join(FINDINGS, `${finding.target}-${name}.json`);
  const command = `npm run fuzz -- --replay ${path}`;
  const { input, ...rest } = finding;
  const shown = { ...rest, bytes: input.byteLength, command, input: Buffer.from(input).toString('base64') };
  writeFileSync(path, `${JSON.stringify(shown, undefined, 2)}\n`);
  return { path, command };
}

/** Target and input of a written finding. */
export function readFinding(path: string): { readonly target: string; readonly input: Uint8Array } {
  const document: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (typeof document !== 'object' || document === null) throw new Error(`${path}: no finding`);
  const { target, input }: { target?: unknown; input?: unknown } = document;
  if (typeof target !== 'string' || typeof input !== 'string') throw new Error(`${path}: no finding`);
  return { target, input: new Uint8Array(Buffer.from(input, 'base64')) };
}

/** The claim in words and the first place of this repository in the stack. */
export function keyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = /\/((?:src|test)\/[^():]+\.ts:\d+)/.exec(error.stack ?? '')?.[1] ?? '';
  return `${error.name} ${place} ${error.name === 'BrokenClaim' ? error.message.replaceAll(/\d+/g, '#').slice(0, 80) : ''}`;
}

/** Runs while an input is made smaller. @unit runs */
const SHRINK_RUNS_MAX = 1_500;

/** A shorter, plainer input that still fails: parts left out, halves first, then bytes made 0. */
export async function shrunk(
  input: Uint8Array,
  fails: (input: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  let best = input;
  let left = SHRINK_RUNS_MAX;
  const adopt = async (candidate: Uint8Array): Promise<boolean> => {
    left -= 1;
    if (!(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  for (
    let size = Math.ceil(input.byteLength / 2);
    size >= 1 && left > 0;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < best.byteLength && left > 0; ) {
      const candidate = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if (!(await adopt(new Uint8Array(candidate)))) at += size;
    }
  }
  for (let at = 0; at < best.byteLength && left > 0; at += 1) {
    if (best[at] === 0) continue;
    const candidate = new Uint8Array(best);
    candidate[at] = 0;
    await adopt(candidate);
  }
  return best;
}
