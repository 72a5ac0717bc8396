/**
 * Modules for a browser, without a build: from an entry along its imports, the types of TypeScript stripped, and packages by an
 * import map. Read once, before a node listens. Boundary: the disk. Imports by `import()` are not followed: pages have none.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { type PageFile, pageFile } from './pages.ts';

export interface ModuleRequest {
  /** Relative imports may not leave this folder. */
  readonly root: string;
  /** Below `root`. */
  readonly entry: string;
  /** Where they are served: `/<prefix>/<path below root>`, and packages at `/<prefix>/modules/<package>/…`. */
  readonly prefix: string;
}

export interface BrowserModules {
  readonly files: ReadonlyMap<string, PageFile>;
  readonly entryPath: string;
  /** The text of a `<script type="importmap">`. */
  readonly importMap: string;
}

/** A page that grew beyond has taken in what is no browser's. @unit modules @source three times what the largest page has */
const MODULES_MAX = 150;
/** Of formatted code: a statement begins its line. */
const IMPORT = /^(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]/gm;

/** @throws with the module's name when one cannot be read, is Node's alone, or is outside */
export function browserModules({ root, entry, prefix }: ModuleRequest): BrowserModules {
  const files = new Map<string, PageFile>();
  const packages = new Map<string, string>();
  const replaced = replacedModules(dirname(root));
  const waiting = [join(root, entry)];
  for (const path of waiting) {
    if (waiting.length > MODULES_MAX) throw new Error(`${entry}: imports more than ${MODULES_MAX} modules`);
    // Under its own name, since nobody who imports it knows of another.
    const source = readFileSync(replaced.get(path) ?? path, 'utf8');
    const code = path.endsWith('.ts') ? withoutTypes(source) : source;
    files.set(servedAt(path, root, prefix), pageFile('text/javascript; charset=utf-8', code));
    for (const [, from, bare] of code.matchAll(IMPORT)) {
      const specifier = from ?? bare ?? '';
      const target = resolve(specifier, path);
      const at = servedAt(target, root, prefix);
      if (!specifier.startsWith('.')) remember(packages, specifier, at);
      if (!waiting.includes(target)) waiting.push(target);
    }
  }
  return {
    files,
    entryPath: servedAt(join(root, entry), root, prefix),
    importMap: JSON.stringify({ imports: Object.fromEntries([...packages].toSorted()) }),
  };
}

/**
 * What stands for a module in a browser, by `browser` of package.json, which bundlers go by too. Each stands beside its module,
 * so that imports within mean the same.
 */
function replacedModules(folder: string): ReadonlyMap<string, string> {
  const manifest = join(folder, 'package.json');
  if (!existsSync(manifest)) return new Map();
  const { browser = {} }: { readonly browser?: Readonly<Record<string, string>> } = JSON.parse(
    readFileSync(manifest, 'utf8'),
  );
  return new Map(Object.entries(browser).map(([from, to]) => [join(folder, from), join(folder, to)]));
}

/**
 * Node's own strip of types is the one that this program runs by, so a page's modules mean what the node's do; libraries for it
 * carry a compiler of several MB, which Node has within. Node calls the function experimental, and says so once, on the console
 * of every operator, who can do nothing about it: that one warning is passed over here, and every other one is not.
 */
function withoutTypes(source: string): string {
  const { emitWarning } = process;
  process.emitWarning = (warning: string | Error, ...rest: readonly unknown[]): void => {
    if (!String(warning).startsWith('stripTypeScriptTypes is an experimental feature'))
      Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  try {
    return stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}

function resolve(specifier: string, importer: string): string {
  if (specifier.startsWith('.')) return join(dirname(importer), specifier);
  if (specifier.startsWith('node:')) throw new Error(`${importer} imports ${specifier}: no browser has it`);
  return createRequire(importer).resolve(specifier);
}

/** One specifier is one file for the whole page. */
function remember(packages: Map<string, string>, specifier: string, at: string): void {
  const known = packages.get(specifier);
  if (known !== undefined && known !== at)
    throw new Error(`${specifier} is both ${known} and ${at}: install one version`);
  packages.set(specifier, at);
}

function servedAt(path: string, root: string, prefix: string): string {
  const [, inPackage] = path.split(`${sep}node_modules${sep}`).slice(-2);
  const below = inPackage === undefined ? relative(root, path) : join('modules', inPackage);
  if (below.startsWith('..')) throw new Error(`${path} is outside of ${root}: a page may not import it`);
  return `/${prefix}/${below.replaceAll(sep, '/')}`;
}
