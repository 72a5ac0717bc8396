/** The page of the Stately relay, as it is served. Boundary: the disk, once at start. Rule IN-3. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { extname, join } from 'node:path';
import { browserModules } from '../../rpc/browser-modules.ts';
import { type PageFile, type Pages, pageFile } from '../../rpc/pages.ts';

const FOLDER = join(import.meta.dirname, 'page');

/** @param inspector the address of the page that it opens @param port where it is served */
export function relayFiles(inspector: URL, port: number): Pages {
  const { files, entryPath } = browserModules({
    root: FOLDER,
    // Compiled where this module is.
    entry: `main${extname(import.meta.filename)}`,
    prefix: 'page',
  });
  const read = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
  // No address has a quote: the URL's parser writes %22.
  const address = inspector.href.replaceAll('&', '&amp;');
  const html = read('index.html')
    .replace('name="inspector" content=""', () => `name="inspector" content="${address}"`)
    .replace('/main.ts', entryPath);
  return new Map<string, PageFile>([
    ['/', pageFile('text/html; charset=utf-8', html, policyOf(inspector, port), 'same-origin-allow-popups')],
    ['/style.css', pageFile('text/css; charset=utf-8', read('style.css'))],
    ...files,
  ]);
}

/** Files of the relay alone, its stream, and one page that is not its own: the inspector, in a frame. */
function policyOf({ origin, protocol, host, hostname }: URL, port: number): string {
  const hasParts = hostname.includes('.') && isIP(hostname) === 0;
  const inspectors = hasParts ? `${origin} ${protocol}//*.${host}` : origin;
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    'img-src data:',
    `connect-src ws://127.0.0.1:${port} ws://localhost:${port} ${inspectors}`,
    `frame-src ${inspectors}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}
