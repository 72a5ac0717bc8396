/** This program: its version, and what its files are. Boundary: reads the package's manifest and modules. Rule RP-1. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Program } from '../record/opening.ts';

const MANIFEST = z.object({ version: z.string() });

const manifest = MANIFEST.parse(
  JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')),
);

export const VERSION = manifest.version;

const MODULE = /\.(ts|js|mjs)$/;
let known: Program | undefined;

/** What journals are recorded by: two of one version differ while somebody works on it. Reads all modules once, about 50 ms. */
export function thisProgram(): Program {
  if (known !== undefined) return known;
  const root = join(import.meta.dirname, '..');
  const hash = createHash('sha256');
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
  for (const name of names.filter((one) => MODULE.test(one)).sort()) {
    hash.update(`${name}\0`);
    hash.update(readFileSync(join(root, name)));
  }
  known = { version: VERSION, digest: hash.digest('hex').slice(0, 16) };
  return known;
}
