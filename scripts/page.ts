/** Builds the page that nodes serve, `visualize/dist`: `npm run page`, at the end of `npm ci`, and for a package. Boundary: disk, Vite. */
import { join } from 'node:path';
import { build } from 'vite';

const VISUALIZE = join(import.meta.dirname, '..', 'visualize');

export async function buildPage(): Promise<void> {
  await build({
    root: VISUALIZE,
    configFile: join(VISUALIZE, 'vite.config.ts'),
    configLoader: 'native',
    logLevel: 'warn',
  });
}

if (import.meta.main) await buildPage();
