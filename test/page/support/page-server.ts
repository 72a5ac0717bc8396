/** The built page with a made-up run behind it: built anew when its sources are newer. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buildPage } from '../../../scripts/page.ts';
import { type DevOptions, type DevServer, serve } from '../../../visualize/dev/serve.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

let built: Promise<void> | undefined;

export async function servePage(options: DevOptions): Promise<DevServer> {
  built ??= buildWhereOld();
  await built;
  return serve(options);
}

/** Looked at once by each file of tests. */
async function buildWhereOld(): Promise<void> {
  if (
    newestIn(join(ROOT, 'visualize', 'dist')) <
    Math.max(...['src', 'visualize/src'].map((name) => newestIn(join(ROOT, name))))
  )
    await buildPage();
}

/** When what is in a folder changed last; 0 when it is not there. @unit ms since 1970 */
function newestIn(folder: string): number {
  try {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    return Math.max(0, ...files.map(({ parentPath, name }) => statSync(join(parentPath, name)).mtimeMs));
  } catch {
    return 0;
  }
}
