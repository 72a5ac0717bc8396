/**
 * Fills `dist/` and `visualize/dist/` for `npm pack`, which runs this first: Node strips no types below `node_modules`, so what is
 * installed is JavaScript, with declarations beside it; the layouts of charts, which elkjs makes; and the page, which Vite makes.
 * Nothing in a clone runs from `dist/`. Boundary: disk, the compiler.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeChartLayouts } from '../src/cli/chart-layouts.ts';
import { buildPage } from './page.ts';

const ROOT = join(import.meta.dirname, '..');
const [SOURCES, COMPILED] = ['src', 'dist'].map((name) => join(ROOT, name));
/** What nodes serve beside modules. */
const PAGE_FILES = [
  ...['index.html', 'style.css', 'icon.svg'].map((name) => join('application', 'dice', 'page', name)),
  ...['index.html', 'style.css'].map((name) => join('observe', 'stately', 'page', name)),
];

async function pack(): Promise<number> {
  if (SOURCES === undefined || COMPILED === undefined) return 1;
  rmSync(COMPILED, { recursive: true, force: true });
  const { status, error } = spawnSync('tsc', ['--project', join(ROOT, 'tsconfig.package.json')], {
    stdio: 'inherit',
  });
  if (error !== undefined) console.error(`tsc did not run (${error.message}): \`npm ci\` installs it`);
  if (status !== 0) return status ?? 1;
  for (const path of PAGE_FILES) cpSync(join(SOURCES, path), join(COMPILED, path));
  writeFileSync(join(COMPILED, 'cli', 'chart-layouts.json'), JSON.stringify(await nodeChartLayouts()));
  await buildPage();
  return 0;
}

process.exitCode = await pack();
