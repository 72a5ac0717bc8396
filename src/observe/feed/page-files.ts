/**
 * The page's files as a fixed table of path → file, read once when the server starts; a page that says what to do where there are none.
 * Boundary: the disk. Rules IN-1, IN-2, docs/inspector.md.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { type PageFile, type Pages, pageFile } from '../../rpc/pages.ts';

/** Where the build leaves it, for this module's place in the sources and in the package alike. */
export const PAGE_FOLDER = join(import.meta.dirname, '..', '..', '..', 'visualize', 'dist');

/** Beyond, the folder is not the page's. @unit files */
const FILES_MAX = 500;

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.map': 'application/json',
};

/** @param listening what the page connects to, and nothing else */
export function pageFiles(
  folder: string,
  { host, port }: { readonly host: string; readonly port: number },
): Pages {
  if (!existsSync(join(folder, 'index.html'))) return new Map([['/', NOT_BUILT]]);
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
  if (names.length > FILES_MAX)
    throw new Error(`${folder} holds ${names.length} files: that is not the page; build it anew`);
  const policy = documentPolicy(host, port);
  const files = names.flatMap((name): [string, PageFile][] => {
    const type = CONTENT_TYPES[extname(name)];
    if (type === undefined) return [];
    const bytes = readFileSync(join(folder, name));
    // It opens Stately's inspector (IN-3).
    const file =
      extname(name) === '.html'
        ? pageFile(type, bytes, policy, 'same-origin-allow-popups')
        : pageFile(type, bytes);
    return name === 'index.html' ? [['/', file]] : [[`/${name}`, file]];
  });
  return new Map(files);
}

/** Only files of this server, and the feed's socket, by each of its names. */
function documentPolicy(host: string, port: number): string {
  const sockets = [host.includes(':') ? `[${host}]` : host, 'localhost', '127.0.0.1'].map(
    (name) => `ws://${name}:${port}`,
  );
  return [
    "default-src 'none'",
    "script-src 'self'",
    "worker-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src 'self' ${[...new Set(sockets)].join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

const NOT_BUILT = pageFile(
  'text/html; charset=utf-8',
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>Althing: the page is not built</title>
<h1>The page is not built</h1>
<p>The feed runs, but the files of its page are not there. Build them with <code>npm run page</code>, then start the node again.
The published package brings them along.</p></html>
`,
);
