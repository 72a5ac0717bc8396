/**
 * Opens a connection to a peer: TCP, TLS 1.3 with the expected key, the upgrade with both Hellos. One deadline for
 * TLS, one for all. Touches sockets. Rules TP-1, TP-2, TP-3, docs/protocol/transport.md.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { toHex } from '../base/bytes.ts';
import { CLOSE_CODES, type CloseReason, closeReasonByName } from '../protocol/transport/closing.ts';
import {
  HANDSHAKE_BYTES_MAX,
  HANDSHAKE_DEADLINE_MS,
  UPGRADE_DEADLINE_MS,
} from '../protocol/transport/limits.ts';
import type { Endpoint, NodeId } from '../protocol/transport/messages.ts';
import type { HandshakeRefusal } from '../protocol/transport/refusal.ts';
import { certificateKey } from './certificate.ts';
import { after, type CarrierClock } from './clock.ts';
import {
  describeRefusal,
  exporterOf,
  HELLO_HEADER,
  type HelloContext,
  helloHeader,
  judgeHello,
  NONCE_BYTES,
  NONCE_HEADER,
  plainBinding,
  REFUSAL_HEADER,
  type SelfDescription,
} from './handshake.ts';
import { nodeIdOf } from './identity.ts';
import { endpointText, isLoopback, type ProvenSocket, WS_OPTIONS } from './websocket.ts';

export interface DialRequest {
  readonly self: SelfDescription;
  readonly endpoint: Endpoint;
  readonly expectedPeer: NodeId;
  readonly clock: CarrierClock;
  readonly signal: AbortSignal;
  /** Plain `ws`, for development: refused unless the endpoint is on loopback. */
  readonly insecure: boolean;
  /** TLS stands and the peer's key is the expected one: the upgrade has been asked for. */
  onUpgrading(): void;
}

export type DialOutcome =
  | { readonly outcome: 'proven'; readonly proven: ProvenSocket }
  | { readonly outcome: 'failed'; readonly reason: CloseReason; readonly detail: string };

type Failure = Extract<DialOutcome, { outcome: 'failed' }>;

const failed = (reason: CloseReason, detail: string): Failure => ({ outcome: 'failed', reason, detail });

/** Never rejects: every end is an outcome. An aborted dial leaves no socket behind. */
export function dial(request: DialRequest): Promise<DialOutcome> {
  const { endpoint, insecure } = request;
  if (insecure && !isLoopback(endpoint.host)) {
    const detail = `plain ws to ${endpoint.host} refused: development connections stay on loopback`;
    return Promise.resolve(failed('TLS_FAILED', detail));
  }
  return new Promise((resolve) => new Dial(request, resolve).start());
}

class Dial {
  readonly #request: DialRequest;
  readonly #resolve: (outcome: DialOutcome) => void;
  readonly #undo: (() => void)[] = [];
  #socket: Socket | undefined;
  #upgraded: ProvenSocket | undefined;
  #refusal: HandshakeRefusal | undefined;
  #done = false;

  constructor(request: DialRequest, resolve: (outcome: DialOutcome) => void) {
    this.#request = request;
    this.#resolve = resolve;
  }

  start(): void {
    const { clock, signal, endpoint, insecure } = this.#request;
    const abort = (): void => this.#fail('SHUTTING_DOWN', 'the dial was given up');
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    this.#undo.push(() => signal.removeEventListener('abort', abort));
    const late = (phase: string) => (): void =>
      this.#fail(
        'HANDSHAKE_TIMEOUT',
        `${phase} with ${endpointText(endpoint.host, endpoint.port)} took too long`,
      );
    this.#undo.push(after(clock, HANDSHAKE_DEADLINE_MS, late('the handshake')));
    const secured = after(clock, UPGRADE_DEADLINE_MS, late('TLS'));
    this.#undo.push(secured);
    if (insecure) this.#openPlain(secured);
    else this.#openTls(secured);
  }

  #openTls(secured: () => void): void {
    const { endpoint, self } = this.#request;
    const socket = connectTls({
      ...endpoint,
      cert: self.identity.certificate,
      key: self.identity.privateKey,
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      // No authority is asked: the key itself is compared below (TP-1).
      rejectUnauthorized: false,
    });
    this.#watch(socket);
    socket.once('secureConnect', () => {
      secured();
      this.#checkKey(socket);
    });
  }

  #openPlain(secured: () => void): void {
    const socket = connectPlain({ ...this.#request.endpoint });
    this.#watch(socket);
    socket.once('connect', () => {
      secured();
      const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
      const { self } = this.#request;
      this.#upgrade(socket, (answer) => plainBinding(nonce, nonceOf(answer)), undefined, {
        [NONCE_HEADER]: toHex(nonce),
        [HELLO_HEADER]: helloHeader(self, 'dialer', plainBinding(nonce)),
      });
    });
  }

  #watch(socket: Socket): void {
    this.#socket = socket;
    socket.setNoDelay(true);
    const onError = (error: Error): void => this.#fail('UNREACHABLE', error.message);
    socket.on('error', onError);
    const onClose = (): void =>
      this.#fail('CONNECTION_LOST', 'the peer closed the connection during the handshake');
    socket.on('close', onClose);
    this.#undo.push(() => socket.off('close', onClose));
  }

  #checkKey(socket: TLSSocket): void {
    const { expectedPeer } = this.#request;
    const key = certificateKey(socket.getPeerX509Certificate());
    if (key === undefined) {
      this.#fail('WRONG_CERTIFICATE', 'the peer presents no Ed25519 certificate');
      return;
    }
    const id = nodeIdOf(key);
    if (id !== expectedPeer) {
      this.#fail('WRONG_IDENTITY', `expected ${expectedPeer}, the certificate is of ${id}`);
      return;
    }
    const binding = exporterOf(socket);
    this.#upgrade(socket, () => binding, key, {
      [HELLO_HEADER]: helloHeader(this.#request.self, 'dialer', binding),
    });
  }

  #upgrade(
    socket: Socket,
    bindingOf: (answer: IncomingMessage) => Uint8Array,
    key: Uint8Array | undefined,
    headers: Readonly<Record<string, string>>,
  ): void {
    const { endpoint, self, expectedPeer } = this.#request;
    this.#request.onUpgrading();
    const ws = new WebSocket(`ws://${endpointText(endpoint.host, endpoint.port)}/`, {
      ...WS_OPTIONS,
      // Under TLS the mask hides nothing from anyone: zeros spare a copy of every frame.
      ...(key === undefined ? {} : { generateMask: (mask: Buffer) => void mask.fill(0) }),
      createConnection: () => socket,
      maxHeaderSize: HANDSHAKE_BYTES_MAX,
      headers: { ...headers },
    });
    ws.on('error', (error) => this.#fail('UPGRADE_FAILED', error.message));
    ws.once('unexpected-response', (_, answer) => this.#readRefusal(answer));
    ws.once('upgrade', (answer) => {
      const context: HelloContext = {
        self,
        from: 'listener',
        binding: bindingOf(answer),
        certificateKey: key,
        expectedPeer,
      };
      const verdict = judgeHello(headerOf(answer, HELLO_HEADER), context);
      if (verdict.outcome === 'refused') {
        this.#refusal = verdict.refusal;
        return;
      }
      const remote = endpointText(endpoint.host, endpoint.port);
      this.#upgraded = { ws, socket, peer: verdict.peer, end: 'dialer', remote };
    });
    ws.once('open', () => this.#succeed(ws));
  }

  #readRefusal(answer: IncomingMessage): void {
    const name = headerOf(answer, REFUSAL_HEADER);
    const reason = closeReasonByName(name) ?? 'UPGRADE_FAILED';
    this.#fail(reason, `the peer refused the upgrade: ${name ?? `HTTP ${answer.statusCode}`}`);
  }

  #succeed(ws: WebSocket): void {
    const proven = this.#upgraded;
    const refusal = this.#refusal;
    if (refusal !== undefined) {
      ws.close(CLOSE_CODES[refusal.code], refusal.code);
      this.#socket = undefined;
      this.#fail(refusal.code, describeRefusal(refusal));
    }
    if (this.#done || proven === undefined) return;
    this.#finish();
    ws.pause();
    ws.removeAllListeners('error');
    ws.on('error', () => undefined);
    this.#resolve({ outcome: 'proven', proven });
  }

  #fail(reason: CloseReason, detail: string): void {
    if (this.#done) return;
    this.#finish();
    this.#socket?.destroy();
    this.#resolve(failed(reason, detail));
  }

  #finish(): void {
    this.#done = true;
    for (const undo of this.#undo) undo();
  }
}

function headerOf(message: IncomingMessage, name: string): string | undefined {
  const value = message.headers[name];
  return typeof value === 'string' ? value : undefined;
}

const nonceOf = (answer: IncomingMessage): Uint8Array =>
  new Uint8Array(Buffer.from(headerOf(answer, NONCE_HEADER) ?? '', 'hex'));
