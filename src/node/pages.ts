/** Which web pages a node serves: those of the built-in application that its chain runs. Boundary: the disk, once at start. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { hasPage } from '../application/built-in-names.ts';
import type { Digest } from '../protocol/chain/types.ts';
import { browserModules } from '../rpc/browser-modules.ts';
import { type PageFile, type Pages, pageFile } from '../rpc/pages.ts';

const SOURCES = join(import.meta.dirname, '..');
const ENTRY = 'application/dice/page/main';
const IMPORT_MAP_PLACE = '<script type="importmap"></script>';

export interface PageSurroundings {
  readonly genesisHash: Digest;
  /** `http://host:port` where the page goes on when this node fails, and whom it asks before it believes. */
  readonly otherNodes: readonly string[];
}

/** Empty for an application without a page. */
export const applicationPages = (application: string, surroundings: PageSurroundings): Pages =>
  hasPage(application) ? dicePages(surroundings) : new Map();

function dicePages({ genesisHash, otherNodes }: PageSurroundings): Pages {
  const folder = join(SOURCES, 'application', 'dice', 'page');
  const { files, importMap, entryPath } = browserModules({
    root: SOURCES,
    // Compiled where this module is.
    entry: `${ENTRY}${extname(import.meta.filename)}`,
    prefix: 'dice',
  });
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  const html = read('index.html')
    .replace(IMPORT_MAP_PLACE, `<script type="importmap">${importMap}</script>`)
    .replace(`/dice/${ENTRY}.ts`, entryPath);
  const network = JSON.stringify({ genesis_hash: genesisHash, other_nodes: otherNodes });
  return new Map<string, PageFile>([
    ['/dice', pageFile('text/html; charset=utf-8', html, policy(importMap, otherNodes))],
    ['/dice/style.css', pageFile('text/css; charset=utf-8', read('style.css'))],
    ['/dice/icon.svg', pageFile('image/svg+xml', read('icon.svg'))],
    ['/dice/network.json', pageFile('application/json', network)],
    ...files,
  ]);
}

/** Only this node's files, no script in the document but the import map, and calls to the named nodes alone. */
function policy(importMap: string, otherNodes: readonly string[]): string {
  const hash = createHash('sha256').update(importMap).digest('base64');
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${hash}'`,
    "style-src 'self'",
    "img-src 'self'",
    `connect-src ${["'self'", ...otherNodes].join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}
