/**
 * Loaded before a mutant's trial (`node --import`): patches the source of the named files as they are loaded, in this
 * process only. A patch whose text does not occur exactly once ends the process; so does one that was never loaded.
 */
import { registerHooks } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { patchesFrom } from './patches.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const patches = patchesFrom(process.env['ALTHING_MUTANT'] ?? '[]');
const waiting = new Set(patches.map(({ file }) => file));

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.startsWith('file:')) return loaded;
    const file = relative(ROOT, fileURLToPath(url));
    const own = patches.filter((patch) => patch.file === file);
    if (own.length === 0) return loaded;
    waiting.delete(file);
    const source = own.reduce(patched, String(loaded.source));
    return { ...loaded, source };
  },
});

function patched(source: string, { file, find, replace }: (typeof patches)[number]): string {
  const times = source.split(find).length - 1;
  if (times !== 1) fail(`${file}: '${find}' occurs ${times} times, not once`);
  return source.replace(find, () => replace);
}

process.on('exit', () => {
  if (waiting.size > 0) fail(`never loaded: ${[...waiting].join(', ')}`);
});

function fail(detail: string): never {
  console.error(`the mutant does not apply: ${detail}`);
  process.exit(70);
}
