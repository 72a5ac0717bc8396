/**
 * The inputs that reached something new, and their small saved selection: `corpus/<target>.txt`, a line each of the
 * outcome, a tab, and the input in base64. A line is replayed in the unit stage and must end as it did.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Draws } from './mutate.ts';

/** Inputs kept in memory; the newest beyond it are run and not kept. @unit inputs */
const INPUTS_MAX = 4_096;
/** @unit bytes @source 13 targets and room below 300 kB */
const SAVED_BYTES_MAX = 20_000;

export interface SavedInput {
  readonly outcome: string;
  readonly input: Uint8Array;
}

export class Corpus {
  readonly #inputs: Uint8Array[] = [];

  get inputs(): readonly Uint8Array[] {
    return this.#inputs;
  }

  add(input: Uint8Array): void {
    if (this.#inputs.length < INPUTS_MAX) this.#inputs.push(input);
  }

  /** One of them; every second time one of the newest, which reach furthest. */
  draw({ below }: Draws): Uint8Array {
    const { length } = this.#inputs;
    const among = below(2) === 0 ? Math.min(length, 32) : length;
    return this.#inputs[length - 1 - below(among)] ?? new Uint8Array();
  }
}

const folder = join(import.meta.dirname, 'corpus');

/** None when nothing is saved of the target. */
export function savedInputs(target: string): readonly SavedInput[] {
  let text: string;
  try {
    text = readFileSync(join(folder, `${target}.txt`), 'utf8');
  } catch {
    return [];
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [outcome = '', base64 = ''] = line.split('\t');
      return { outcome, input: new Uint8Array(Buffer.from(base64, 'base64')) };
    });
}

/** Writes the first of `inputs` that fit. */
export function saveInputs(target: string, inputs: readonly SavedInput[]): void {
  const lines: string[] = [];
  let bytes = 0;
  for (const { outcome, input } of inputs) {
    const line = `${outcome}\t${Buffer.from(input).toString('base64')}\n`;
    if (bytes + line.length > SAVED_BYTES_MAX) continue;
    bytes += line.length;
    lines.push(line);
  }
  const path = join(folder, `${target}.txt`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, lines.sort().join(''));
}
