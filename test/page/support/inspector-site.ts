/** Serves the page that stands for the hosted inspector, on an origin of its own. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { build } from 'vite';

const STYLE =
  'body{font:13px sans-serif;margin:12px}section{margin:6px 0}h2{font-size:13px;margin:0}' +
  'span{display:inline-block;margin:2px;padding:1px 6px;border:1px solid #bbb;border-radius:3px}.active{background:#bfe3cf}';

export interface InspectorSite {
  readonly url: URL;
  readonly close: () => Promise<void>;
}

export async function startInspectorSite(): Promise<InspectorSite> {
  const script = await bundled(join(import.meta.dirname, 'hosted-inspector.ts'));
  const page = `<!doctype html><title>inspector</title><style>${STYLE}</style><body><script type="module" src="/i.js"></script>`;
  const server = createServer(({ url }, response) => {
    const isScript = url === '/i.js';
    response.writeHead(200, { 'Content-Type': isScript ? 'text/javascript' : 'text/html; charset=utf-8' });
    response.end(isScript ? script : page);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://localhost:${port}/inspect`),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A module with all that it imports, as one script for a browser. */
export async function bundled(entry: string): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    build: { write: false, minify: false, rollupOptions: { input: entry } },
  });
  const outputs = [result].flat().flatMap((one) => ('output' in one ? one.output : []));
  const code = outputs.flatMap((output) => (output.type === 'chunk' ? output.code : []));
  if (code.length !== 1) throw new Error(`${entry} became ${code.length} scripts: one was expected`);
  return code.join('');
}
