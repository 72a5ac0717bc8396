/** This program's version. Boundary: reads the package's manifest. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const MANIFEST = z.object({ version: z.string() });

const manifest = MANIFEST.parse(
  JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')),
);

export const VERSION = manifest.version;
