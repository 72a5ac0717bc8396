/** The built page with a made-up run behind it: built anew when its sources are newer. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buildPage } from '../../../scripts/page.ts';
import { type DevOptions, type DevServer, serve } from '../../../visualize/dev/serve.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

export async function servePage(options: DevOptions): Promise<DevServer> {
  if (
    newestIn(join(ROOT, 'visualize', 'dist')) <
    Math.max(...['src', 'visualize/src'].map((name) => newestIn(join(ROOT, name))))
  )
    await buildPage();
  return serve(options);
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
