/**
 * The RPC over real HTTP: a body that begins with a bracket is posted, a text that begins with `/` is got, all else goes to
 * the socket as it is. Each answer is HTTP with words for what is wrong, and the server serves the next request.
 */
import { connect } from 'node:net';
import { millis } from '../../../src/base/units.ts';
import { METHODS } from '../../../src/rpc/methods.ts';
import type { NodePort } from '../../../src/rpc/node-port.ts';
import { MemoryNode } from '../../rpc/memory-node.ts';
import { base64Of, startTestServer, type TestServer } from '../../rpc/server.ts';
import { JSON_FORM } from '../forms/json.ts';
import { LINES } from '../forms/lines.ts';
import { answerOf } from '../socket.ts';
import { claim, type Target } from '../target.ts';

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const call = (method: string, params: unknown, id: unknown = 1): object => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
});
const names = [...METHODS.keys()];
/** A good request follows every so many inputs. */
const CHECK_EVERY = 32;
/** The other end closes at once, as a rule, since this one has. @unit ms */
const PATIENCE_MS = 5_000;
/** Refused and closed sockets have so long to go. @unit ms */
const SETTLE_MS = 1_300;

const PARAMS = {
  height: '1',
  hash: base64Of('x'),
  tx: base64Of('k=v'),
  path: '/store',
  data: '61',
  prove: false,
};

function seeds(): readonly Uint8Array[] {
  const posts = [
    ...names.map((name) => call(name, {})),
    ...names.map((name) => call(name, PARAMS, 'a')),
    call('blockchain', { minHeight: '0', maxHeight: '9' }),
    call('validators', { height: '1', page: '1', per_page: '2' }),
    call('broadcast_tx_commit', [base64Of('a=1')]),
    [call('health', {}), call('status', {}, 2), { jsonrpc: '2.0', method: 'health' }],
  ].map((value) => JSON.stringify(value));
  const gets = [
    ...names.map((name) => `/${name}`),
    '/abci_query?path="/store"&data=0x61&prove=false',
    '/block?height="1"',
    '/tx?hash=0xAB&prove=true',
    '/broadcast_tx_sync?tx="a=1"',
    '/livez',
    '/readyz',
    '/metrics',
    '/',
  ];
  const raw = [
    'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
    'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    'OPTIONS / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\nConnection: close\r\n\r\n',
    'GET /status HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer secret-token\r\nConnection: close\r\n\r\n',
  ];
  return [...posts, ...gets, ...raw].map(bytesOf);
}

export const rpc: Target = {
  name: 'rpc',
  what: 'requests to a real HTTP server: bodies by POST, queries by GET, and bytes as they are',
  covers: ['/src/rpc/'],
  mutations: [...JSON_FORM, ...LINES],
  dictionary: [
    ...[
      ...names,
      ...Object.keys(PARAMS),
      'jsonrpc',
      'method',
      'params',
      'id',
      '2.0',
      'page',
      'per_page',
      'limit',
      '__proto__',
    ],
    ...[
      '0x',
      '%22',
      '%',
      '&',
      '?',
      '\r\n\r\n',
      'Host: localhost\r\n',
      'Content-Length: ',
      'Expect: 100-continue\r\n',
    ],
    ...[
      'Upgrade: websocket\r\n',
      'HTTP/1.0',
      'HEAD ',
      'PUT ',
      'CONNECT ',
      'Bearer secret-token',
      '99999999999999999999',
    ],
  ].map(bytesOf),
  bytesMax: 110_000,
  window: 250,
  settleMs: SETTLE_MS,
  seeds,
  open: async () => {
    let node = await filledNode();
    // A node that grows by what is committed: it is not what is under test.
    const port: NodePort = new Proxy<NodePort>(node, {
      get: (_, name) => {
        const member: unknown = Reflect.get(node, name);
        return typeof member === 'function' ? member.bind(node) : member;
      },
    });
    const server = await startTestServer({ port, commitTimeout: millis(20), batchRequestsMax: 10 });
    let runs = 0;
    const run = async (input: Uint8Array): Promise<string> => {
      runs += 1;
      const ending = await ask(server, input);
      if (runs % CHECK_EVERY === 0) {
        claim(
          (await ask(server, bytesOf('/health'))).startsWith('200'),
          'a good request is answered afterwards',
        );
      }
      for (const { failure, method } of server.calls.splice(0)) {
        claim(
          failure === undefined,
          `no call fails: ${method}: ${failure instanceof Error ? failure.stack : String(failure)}`,
        );
      }
      return ending;
    };
    const reset = async (): Promise<void> => {
      node = await filledNode();
    };
    return { run, reset, close: () => server.server.close() };
  },
};

/** With two blocks, so that there is something to read. */
async function filledNode(): Promise<MemoryNode> {
  const node = new MemoryNode();
  await node.submit(['a=1', 'b=2'].map(bytesOf));
  return node;
}

function requestOf(input: Uint8Array): Buffer {
  const text = Buffer.from(input);
  const first = String.fromCharCode(input[0] ?? 0);
  if (first === '{' || first === '[') {
    const head = `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${input.byteLength}\r\nConnection: close\r\n\r\n`;
    return Buffer.concat([Buffer.from(head), text]);
  }
  if (first !== '/') return text;
  const target = text
    .toString('latin1')
    .replaceAll(/[^\x21-\x7e]/g, (letter) => `%${letter.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return Buffer.from(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
}

async function ask(server: TestServer, input: Uint8Array, patienceMs = PATIENCE_MS): Promise<string> {
  const answer = await exchange(new URL(server.url), requestOf(input), patienceMs);
  if (answer === '') return 'no answer';
  const [, status = ''] = /^HTTP\/1\.1 (\d{3}) /.exec(answer) ?? [];
  claim(status !== '', 'an answer is HTTP');
  claim(status !== '500' || answer.includes('"data":"'), 'a 500 has words');
  const body = answer.slice(answer.indexOf('\r\n\r\n') + 4);
  const isJson = /^content-type: application\/json/im.test(answer);
  // Of several answers on one connection only the first is looked at.
  if (!isJson || answer.includes('HTTP/1.1', 8)) return status;
  const document: unknown = body === '' ? undefined : JSON.parse(body);
  return `${status} ${codesIn(document)}`;
}

function codesIn(document: unknown): string {
  const answers = Array.isArray(document) ? document : [document];
  const codes = answers.map((one) => {
    if (typeof one !== 'object' || one === null || !('jsonrpc' in one)) return 'other';
    claim('result' in one !== 'error' in one, 'an answer is a result or an error');
    if (!('error' in one)) return 'result';
    const { error } = one;
    claim(
      typeof error === 'object' && error !== null && 'code' in error && 'data' in error,
      'an error has a code and words',
    );
    return String(error.code);
  });
  return [...new Set(codes)].sort().join('+');
}

function exchange(url: URL, request: Uint8Array, patienceMs: number): Promise<string> {
  const socket = connect({ host: url.hostname, port: Number(url.port), allowHalfOpen: true });
  socket.on('connect', () => socket.end(request));
  return answerOf(socket, patienceMs);
}
