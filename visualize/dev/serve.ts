/**
 * Serves the built page with a made-up run, or with messages from a file, one a line: `node visualize/dev/serve.ts --nodes 16 --turns 50000`,
 * `node visualize/dev/serve.ts --file feed.jsonl`. For the page's tests and for work on it; a node serves its own. Boundary: sockets, disk.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { parseArgs } from 'node:util';
import { type WebSocket, WebSocketServer } from 'ws';
import { nodeCharts } from '../../src/node/charts.ts';
import type { FeedMessage, Question, ViewerMessage } from '../../src/observe/feed/feed.ts';
import { type LoadOptions, LoadRun } from './load.ts';

/** @unit ms @source IN-1: 20 Hz */
const TICK_MS = 50;
/** Beyond, the viewer is waited for. @unit bytes */
const BUFFERED_MAX = 8_000_000;
const FILES = join(import.meta.dirname, '..', 'dist');
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};
/** As the node's server says it. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'";

export interface DevServer {
  readonly url: string;
  close(): Promise<void>;
}

export interface DevOptions {
  readonly port?: number;
  readonly load?: Partial<LoadOptions>;
  /** Text of a feed, one message a line, told once; then the run stands still. */
  readonly recorded?: string;
  /** So many times faster than the clock. */
  readonly hurry?: number;
  /** What a viewer ordered. */
  readonly onOrder?: (control: unknown) => void;
  /** What a node would know; undefined: it refuses. */
  readonly answer?: (question: Question) => unknown;
}

const TOKEN = 'made-up';

export async function serve(options: DevOptions): Promise<DevServer> {
  const http = createServer(({ url = '/' }, response) => {
    const asked = normalize(new URL(url, 'http://page').pathname);
    const path = asked === '/' ? '/index.html' : asked;
    try {
      const body = readFileSync(join(FILES, path));
      response.writeHead(200, {
        'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
        'content-security-policy': POLICY,
      });
      response.end(body);
    } catch {
      response.writeHead(404).end('not found; was the page built? npx vite build visualize');
    }
  });
  const sockets = new WebSocketServer({ noServer: true });
  http.on('upgrade', (request, socket, head) => {
    if (new URL(request.url ?? '/', 'http://page').searchParams.get('token') !== TOKEN) {
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (viewer) => play(viewer, options));
  });
  await new Promise<void>((resolve) => http.listen(options.port ?? 0, '127.0.0.1', resolve));
  const address = http.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/#token=${TOKEN}`,
    close: () =>
      new Promise((resolve) => {
        for (const viewer of sockets.clients) viewer.terminate();
        http.closeAllConnections();
        http.close(() => resolve());
      }),
  };
}

function play(viewer: WebSocket, { load, recorded, hurry = 1, onOrder, answer }: DevOptions): void {
  if (recorded !== undefined) {
    playRecorded(viewer, recorded.split('\n').filter(Boolean));
    viewer.on('message', (data) => {
      const asked = JSON.parse(String(data));
      if (asked.type === 'ask') viewer.send(JSON.stringify(answerTo(asked, answer)));
    });
    return;
  }
  const run = new LoadRun({ charts: nodeCharts(), ...load });
  const send = (message: unknown): void => viewer.send(JSON.stringify(message));
  // There is something to see at once.
  for (let ms = 0; ms < 6_000; ms += TICK_MS) run.advance(TICK_MS);
  send(run.hello());
  send(run.moment());
  const timer = setInterval(() => {
    // A viewer that does not keep up is not sent more: the rest waits in the run.
    for (let times = 0; times < hurry && viewer.bufferedAmount < BUFFERED_MAX; times += 1)
      send(run.advance(TICK_MS));
  }, TICK_MS);
  viewer.on('close', () => clearInterval(timer));
  viewer.on('message', (data) => {
    const asked = JSON.parse(String(data));
    if (asked.type === 'watch') run.watch(asked.cells);
    if (asked.type === 'order') {
      onOrder?.(asked.control);
      send({ type: 'answer', id: asked.id, answer: { ordered: asked.control } });
    }
    if (asked.type === 'ask') {
      send(answerTo(asked, answer));
    }
  });
}

function answerTo(
  { id, question }: Extract<ViewerMessage, { readonly type: 'ask' }>,
  answer: DevOptions['answer'],
): FeedMessage {
  const known = answer?.(question);
  if (known !== undefined) return { type: 'answer', id, answer: known };
  const detail = 'a made-up run holds no messages, blocks or certificates';
  return { type: 'refused', code: 'MADE_UP', detail, isLast: false, id };
}

/** As fast as they were told, by their times. */
function playRecorded(viewer: WebSocket, lines: readonly string[]): void {
  let place = 0;
  const timer = setInterval(() => {
    const line = lines[place];
    if (line === undefined) return;
    viewer.send(line);
    place += 1;
    // Those that stand before the first delta come at once.
    while (lines[place]?.startsWith('{"type":"moment"')) viewer.send(lines[place++] ?? '');
  }, TICK_MS);
  viewer.on('close', () => clearInterval(timer));
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '26799' },
      nodes: { type: 'string', default: '4' },
      cells: { type: 'string' },
      turns: { type: 'string', default: '4000' },
      batches: { type: 'string', default: '40' },
      file: { type: 'string' },
    },
  });
  const { url } = await serve({
    port: Number(values.port),
    ...(values.file === undefined ? {} : { recorded: readFileSync(values.file, 'utf8') }),
    load: {
      nodes: Number(values.nodes),
      turnsPerSecond: Number(values.turns),
      batchesPerSecond: Number(values.batches),
      ...(values.cells === undefined ? {} : { cells: Number(values.cells) }),
    },
  });
  console.log(url);
}
