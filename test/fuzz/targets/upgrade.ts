/**
 * Upgrades over real sockets to a real listener, plain and over TLS: each is accepted, refused by name, or its connection
 * ends; then a good one is proven. `{HELLO}` and `{NONCE}` stand for what is true on this connection. Rules TP-1 to TP-3.
 */
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { realClock } from '../../../src/actors/runtime/index.ts';
import { PENDING_MAX } from '../../../src/protocol/transport/limits.ts';
import {
  exporterOf,
  HELLO_HEADER,
  helloHeader,
  NONCE_HEADER,
  plainBinding,
  REFUSAL_HEADER,
} from '../../../src/transport/handshake.ts';
import { Listener, type Offer } from '../../../src/transport/listener.ts';
import { describeSelf } from '../../transport/support/pair.ts';
import { LINES } from '../forms/lines.ts';
import { answerOf } from '../socket.ts';
import { claim, type Target } from '../target.ts';

const HOST = '127.0.0.1';
const NONCE = 'ab'.repeat(16);
const CHECK_EVERY = 32;
/** One input in so many, by its length, goes over TLS. */
const TLS_EVERY = 16;
/** @unit ms */
const PATIENCE_MS = 5_000;
/** Refused and closed sockets have so long to go. @unit ms */
const SETTLE_MS = 1_300;
const dialer = describeSelf(1);
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

const request = (lines: readonly string[], after = ''): string => `${lines.join('\r\n')}\r\n\r\n${after}`;
const HEAD = [
  ...['GET / HTTP/1.1', 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
  ...['Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', `${NONCE_HEADER}: {NONCE}`],
];
const GOOD = request([...HEAD, `${HELLO_HEADER}: {HELLO}`]);

export const upgrade: Target = {
  name: 'upgrade',
  what: 'upgrade requests over plain and TLS sockets to a real listener',
  covers: [
    '/src/transport/listener',
    '/src/transport/handshake',
    '/src/transport/certificate',
    '/src/protocol/transport/',
    '/node_modules/ws/',
  ],
  mutations: LINES,
  dictionary: [
    ...[
      ...HEAD,
      `${HELLO_HEADER}: {HELLO}`,
      `${HELLO_HEADER}: `,
      '{HELLO}',
      '{NONCE}',
      '\r\n\r\n',
      'POST ',
      'HEAD ',
    ],
    ...[
      'Sec-WebSocket-Extensions: permessage-deflate',
      'Sec-WebSocket-Protocol: a,b',
      'Sec-WebSocket-Version: 99',
    ],
    ...[
      'Content-Length: 99',
      'Transfer-Encoding: chunked',
      'Expect: 100-continue',
      'Upgrade: h2c',
      `${'A'.repeat(900)}: b`,
    ],
  ].map(bytesOf),
  bytesMax: 8 * 1024,
  window: 120,
  settleMs: SETTLE_MS,
  seeds: () =>
    [
      GOOD,
      request([...HEAD, `${HELLO_HEADER}: AAAA`]),
      request(HEAD),
      request([...HEAD, `${HELLO_HEADER}: {HELLO}`], '\x82\x80\x00\x00\x00\x00'),
      request(['GET / HTTP/1.1', 'Host: x']),
    ].flatMap((text) => [
      bytesOf(text),
      bytesOf(text.padEnd(text.length + TLS_EVERY - (text.length % TLS_EVERY), '\n')),
    ]),
  open,
};

async function open() {
  let accepts = true;
  const onOffer = (offer: Offer): void => {
    if (accepts) offer.accept()?.ws.terminate();
    else offer.refuse('TOO_MANY_CONNECTIONS');
  };
  const listening = { self: describeSelf(0), host: HOST, port: 0, clock: realClock(), onOffer };
  const [plain, tls] = [
    await Listener.open({ ...listening, insecure: true }),
    await Listener.open({ ...listening, insecure: false }),
  ];
  let runs = 0;
  const run = async (input: Uint8Array): Promise<string> => {
    runs += 1;
    accepts = input.byteLength % 3 !== 0;
    const overTls = input.byteLength % TLS_EVERY === 0;
    const ending = endingOf(await exchange(overTls ? tls : plain, overTls, input));
    if (runs % CHECK_EVERY !== 0) return `${overTls ? 'tls' : 'plain'} ${ending}`;
    accepts = true;
    for (const [listener, secure] of [
      [plain, false],
      [tls, true],
    ] as const) {
      const good = endingOf(await exchange(listener, secure, bytesOf(GOOD)));
      claim(good === '101', `a good upgrade is accepted afterwards, not '${good}'`);
      claim(listener.counts.pending <= PENDING_MAX, 'what has proven nothing is bounded (TP-2)');
    }
    return `${overTls ? 'tls' : 'plain'} ${ending}`;
  };
  const close = async (): Promise<void> => {
    plain.close();
    tls.close();
  };
  return { run, close };
}

function endingOf(answer: string): string {
  if (answer === '') return 'closed';
  const [, status = ''] = /^HTTP\/1\.1 (\d{3}) /.exec(answer) ?? [];
  claim(status !== '', 'an answer is HTTP');
  const [, refusal] = new RegExp(`^${REFUSAL_HEADER}: (\\w+)`, 'im').exec(answer) ?? [];
  claim(status !== '403' || refusal !== undefined, 'a refusal has a name (TP-1)');
  return refusal ?? status;
}

function exchange(
  listener: Listener,
  overTls: boolean,
  input: Uint8Array,
  patienceMs = PATIENCE_MS,
): Promise<string> {
  const at = { host: HOST, port: listener.port, allowHalfOpen: true };
  const { certificate, privateKey } = dialer.identity;
  const tls = overTls
    ? connectTls({ ...at, cert: certificate, key: privateKey, rejectUnauthorized: false })
    : undefined;
  const socket: Socket = tls ?? connectPlain(at);
  socket.on(overTls ? 'secureConnect' : 'connect', () => {
    const binding =
      tls === undefined ? plainBinding(new Uint8Array(Buffer.from(NONCE, 'hex'))) : exporterOf(tls);
    const text = Buffer.from(input)
      .toString('latin1')
      .replaceAll('{HELLO}', helloHeader(dialer, 'dialer', binding))
      .replaceAll('{NONCE}', NONCE);
    socket.end(Buffer.from(text, 'latin1'));
  });
  return answerOf(socket, patienceMs);
}
