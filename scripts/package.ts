/**
 * Fills `dist/` for `npm pack`, which runs this first: Node strips no types below `node_modules`, so what is installed is
 * JavaScript, with declarations beside it. Nothing in a clone runs from there. Boundary: disk, the compiler.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const [SOURCES, COMPILED] = ['src', 'dist'].map((name) => join(ROOT, name));
/** What nodes serve beside modules. */
const PAGE_FOLDER = join('application', 'dice', 'page');
const PAGE_FILES = ['index.html', 'style.css', 'icon.svg'];

function pack(): number {
  if (SOURCES === undefined || COMPILED === undefined) return 1;
  rmSync(COMPILED, { recursive: true, force: true });
  const { status, error } = spawnSync('tsc', ['--project', join(ROOT, 'tsconfig.package.json')], {
    stdio: 'inherit',
  });
  if (error !== undefined) console.error(`tsc did not run (${error.message}): \`npm ci\` installs it`);
  if (status !== 0) return status ?? 1;
  for (const name of PAGE_FILES) cpSync(join(SOURCES, PAGE_FOLDER, name), join(COMPILED, PAGE_FOLDER, name));
  return 0;
}

process.exitCode = pack();
