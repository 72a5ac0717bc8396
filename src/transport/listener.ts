/**
 * Takes connections: TLS 1.3 with a client certificate, then an upgrade whose Hello proves the peer; what is proven
 * is offered, and upgraded only when the peer's chart accepts. What is not proven in time ends. Touches sockets.
 * Rules TP-1, TP-2, TP-3, docs/protocol/transport.md.
 */

import { randomBytes } from 'node:crypto';
import { createServer as createPlainServer, type IncomingMessage, type Server } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import { toHex } from '../base/bytes.ts';
import { CLOSE_CODES, type NamedCloseReason } from '../protocol/transport/closing.ts';
import {
  CLOSE_TIMEOUT_MS,
  HANDSHAKE_BYTES_MAX,
  HANDSHAKE_DEADLINE_MS,
  PENDING_MAX,
  PENDING_PER_HOST_MAX,
  UPGRADE_DEADLINE_MS,
} from '../protocol/transport/limits.ts';
import { networkOf } from '../protocol/transport/networks.ts';
import { certificateKey } from './certificate.ts';
import { after, type CarrierClock } from './clock.ts';
import {
  exporterOf,
  HELLO_HEADER,
  helloHeader,
  judgeHello,
  NONCE_BYTES,
  NONCE_HEADER,
  type PeerIdentity,
  plainBinding,
  REFUSAL_HEADER,
  type SelfDescription,
} from './handshake.ts';
import { endpointText, isLoopback, type ProvenSocket, WS_OPTIONS } from './websocket.ts';

/** A proven peer at the door: exactly one of the two must be called, within the handshake's deadline. */
export interface Offer {
  readonly peer: PeerIdentity;
  readonly remote: string;
  /** Completes the upgrade; undefined when the peer has gone meanwhile. */
  accept(): ProvenSocket | undefined;
  refuse(reason: NamedCloseReason): void;
}

export interface ListenerOptions {
  readonly self: SelfDescription;
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  readonly clock: CarrierClock;
  /** Plain `ws`, for development: refused unless `host` is on loopback. */
  readonly insecure: boolean;
  onOffer(offer: Offer): void;
}

export interface ListenerCounts {
  /** Connections that never proved themselves, by the reason of their end. */
  readonly refused: Readonly<Partial<Record<NamedCloseReason, number>>>;
  readonly pending: number;
}

/** A connection that has proven nothing yet. */
interface Pending {
  readonly socket: Socket;
  /** Whose connections are counted together. */
  readonly host: string;
  readonly cancel: (() => void)[];
}

export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #upgrader: WebSocketServer;
  readonly #answers = new WeakMap<IncomingMessage, readonly string[]>();
  /** In order of arrival. */
  readonly #pending = new Map<string, Pending>();
  readonly #refused: Partial<Record<NamedCloseReason, number>> = {};

  private constructor(options: ListenerOptions) {
    this.#options = options;
    const limits = { maxHeaderSize: HANDSHAKE_BYTES_MAX, keepAlive: false, noDelay: true };
    const { identity } = options.self;
    this.#server = options.insecure
      ? createPlainServer(limits)
      : createServer({
          ...limits,
          cert: identity.certificate,
          key: identity.privateKey,
          requestCert: true,
          rejectUnauthorized: false,
          minVersion: 'TLSv1.3',
          maxVersion: 'TLSv1.3',
          handshakeTimeout: UPGRADE_DEADLINE_MS,
        });
    this.#upgrader = new WebSocketServer({ ...WS_OPTIONS, noServer: true, clientTracking: false });
    this.#upgrader.on('headers', (headers, request) => headers.push(...(this.#answers.get(request) ?? [])));
  }

  /** Listens; rejects with the system's error (EADDRINUSE, EACCES, …). */
  static async open(options: ListenerOptions): Promise<Listener> {
    if (options.insecure && !isLoopback(options.host)) {
      throw new Error(`plain ws on ${options.host} refused: development connections stay on loopback`);
    }
    const listener = new Listener(options);
    await listener.#listen();
    return listener;
  }

  /** The port that is listened on. */
  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get counts(): ListenerCounts {
    return { refused: { ...this.#refused }, pending: this.#pending.size };
  }

  /** Stops listening and ends what has not proven itself; proven connections live on. */
  close(): void {
    this.#server.close();
    for (const pending of [...this.#pending.values()]) this.#drop(pending.socket, 'SHUTTING_DOWN');
  }

  #listen(): Promise<void> {
    const server = this.#server;
    server.on('connection', (socket: Socket) => this.#admit(socket));
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) =>
      this.#judge(request, socket, head),
    );
    server.on('request', (_, response) => response.writeHead(426, { connection: 'close' }).end());
    server.on('clientError', (_: Error, socket: Socket) => socket.destroy());
    server.on('tlsClientError', (_: Error, socket: TLSSocket) => socket.destroy());
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#options.port, this.#options.host, () => {
        server.off('error', reject);
        server.on('error', () => undefined);
        resolve();
      });
    });
  }

  /** A TCP connection has come: it has a deadline, and a flood of them pushes out its own oldest (TP-2). */
  #admit(socket: Socket): void {
    const key = keyOf(socket);
    const host = networkOf(socket.remoteAddress ?? '');
    socket.on('error', () => undefined);
    const cancel = after(this.#options.clock, UPGRADE_DEADLINE_MS, () =>
      this.#drop(socket, 'HANDSHAKE_TIMEOUT'),
    );
    this.#pending.set(key, { socket, host, cancel: [cancel] });
    socket.once('close', () => this.#settle(key));
    const ofHost = [...this.#pending.values()].filter((pending) => pending.host === host);
    const oldest =
      ofHost.length > PENDING_PER_HOST_MAX
        ? ofHost[0]
        : this.#pending.size > PENDING_MAX
          ? this.#pending.values().next().value
          : undefined;
    if (oldest !== undefined) this.#drop(oldest.socket, 'TOO_MANY_CONNECTIONS');
  }

  #drop(socket: Socket, reason: NamedCloseReason): void {
    this.#count(reason);
    this.#settle(keyOf(socket));
    socket.destroy();
  }

  #count(reason: NamedCloseReason): void {
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
  }

  /** The connection with this key is no longer pending. */
  #settle(key: string): void {
    const pending = this.#pending.get(key);
    if (pending === undefined) return;
    this.#pending.delete(key);
    for (const cancel of pending.cancel) cancel();
  }

  #judge(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { self, insecure } = this.#options;
    socket.on('error', () => undefined);
    const key = socket instanceof TLSSocket ? certificateKey(socket.getPeerX509Certificate()) : undefined;
    if (!insecure && key === undefined) {
      this.#refuse(socket, 'WRONG_CERTIFICATE');
      return;
    }
    const bindings = socket instanceof TLSSocket ? tlsBindings(socket) : plainBindings(request);
    const verdict = judgeHello(headerOf(request, HELLO_HEADER), {
      self,
      from: 'dialer',
      binding: bindings.theirs,
      certificateKey: key,
      expectedPeer: undefined,
    });
    if (verdict.outcome === 'refused') {
      this.#refuse(socket, verdict.refusal.code);
      return;
    }
    this.#offer(request, socket, head, verdict.peer, bindings);
  }

  #offer(
    request: IncomingMessage,
    socket: Socket,
    head: Buffer,
    peer: PeerIdentity,
    bindings: Bindings,
  ): void {
    const { self, clock, onOffer } = this.#options;
    const remote = endpointText(socket.remoteAddress ?? '', socket.remotePort ?? 0);
    this.#settle(keyOf(socket));
    let open = true;
    const rest = HANDSHAKE_DEADLINE_MS;
    const close = (): boolean => {
      const was = open;
      open = false;
      cancel();
      return was;
    };
    const cancel = after(clock, rest, () => {
      if (close()) this.#refuse(socket, 'HANDSHAKE_TIMEOUT');
    });
    socket.once('close', close);
    onOffer({
      peer,
      remote,
      refuse: (reason) => {
        if (close()) this.#refuse(socket, reason);
      },
      accept: () => {
        if (!close() || socket.destroyed) return undefined;
        this.#answers.set(request, [
          `${HELLO_HEADER}: ${helloHeader(self, 'listener', bindings.ours)}`,
          ...bindings.headers,
        ]);
        let upgraded: WebSocket | undefined;
        this.#upgrader.handleUpgrade(request, socket, head, (ws) => {
          ws.on('error', () => undefined);
          ws.pause();
          upgraded = ws;
        });
        return upgraded === undefined ? undefined : { ws: upgraded, socket, peer, end: 'listener', remote };
      },
    });
  }

  /** Answers an upgrade with the reason, and ends the connection. */
  #refuse(socket: Socket, reason: NamedCloseReason): void {
    this.#count(reason);
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    socket.end(
      `HTTP/1.1 403 Forbidden\r\n${REFUSAL_HEADER}: ${reason}\r\nalthing-code: ${CLOSE_CODES[reason]}\r\n` +
        'connection: close\r\ncontent-length: 0\r\n\r\n',
    );
    after(this.#options.clock, CLOSE_TIMEOUT_MS, () => socket.destroy());
  }
}

/** What the two Hellos of one connection are bound to, and headers that the listener's answer needs for it. */
interface Bindings {
  readonly theirs: Uint8Array;
  readonly ours: Uint8Array;
  readonly headers: readonly string[];
}

function tlsBindings(socket: TLSSocket): Bindings {
  const exporter = exporterOf(socket);
  return { theirs: exporter, ours: exporter, headers: [] };
}

function plainBindings(request: IncomingMessage): Bindings {
  const theirs = new Uint8Array(Buffer.from(headerOf(request, NONCE_HEADER) ?? '', 'hex'));
  const nonce = new Uint8Array(randomBytes(NONCE_BYTES));
  return {
    theirs: plainBinding(theirs),
    ours: plainBinding(theirs, nonce),
    headers: [`${NONCE_HEADER}: ${toHex(nonce)}`],
  };
}

/** The same for a TCP socket and for the TLS socket above it. */
const keyOf = (socket: Socket): string => `${socket.remoteAddress}|${socket.remotePort}`;

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}
