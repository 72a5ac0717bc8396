/**
 * An HTTP server that viewers of this machine come to: bounded in connections and in the time that each may take to ask, or to go when
 * it was refused; when it closes, nobody holds it open. Boundary: sockets. Rules IN-1, IN-2, docs/inspector.md.
 */
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Why no WebSocket is opened, in words for the one who asks. */
export interface DoorRefusal {
  /** Of HTTP. */
  readonly status: number;
  readonly detail: string;
}

export interface DoorOptions {
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
  /** Beyond, a connection is not taken. */
  readonly connectionsMax: number;
}

/** Of a request's head. @unit bytes */
const HEAD_BYTES_MAX = 16_384;
/** @unit ms @source as the RPC's */
const HEAD_MS_MAX = 5_000;
const REQUEST_MS_MAX = 10_000;
/** How often Node looks who is late; its default of 30 s would be their time. @unit ms */
const LATE_CHECK_MS = 1_000;
/** For the closing words; then the connection is torn down. @unit ms */
const GRACE_MS = 1_000;
/** For who is refused, to read why. @unit ms @source a browser of this machine under load */
const REFUSED_MS = 250;

export class Door {
  readonly server: Server;
  readonly #sockets = new Set<Duplex>();
  #isClosing = false;

  private constructor(server: Server) {
    this.server = server;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** Listens; rejects when the address is taken or not this machine's. */
  static async open({ host, port, connectionsMax }: DoorOptions): Promise<Door> {
    const server = createServer({
      maxHeaderSize: HEAD_BYTES_MAX,
      headersTimeout: HEAD_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      connectionsCheckingInterval: LATE_CHECK_MS,
    });
    server.maxConnections = connectionsMax;
    const door = new Door(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        // A connection that could not be taken, for want of file descriptors: there will be others.
        server.on('error', () => undefined);
        resolve();
      });
    });
    return door;
  }

  get port(): number {
    const address: AddressInfo | string | null = this.server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** @param rule why not; undefined: `welcome` has the socket from then on */
  onUpgrade(
    rule: (request: IncomingMessage) => DoorRefusal | undefined,
    welcome: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
  ): void {
    this.server.on('upgrade', (request, socket, head) => {
      const refusal = this.#isClosing ? CLOSING : rule(request);
      if (refusal === undefined) welcome(request, socket, head);
      else refuse(socket, refusal);
    });
  }

  /** Takes nobody any more; who has not gone in GRACE_MS is cut off. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeIdleConnections();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, GRACE_MS);
    await closed;
    clearTimeout(timer);
  }
}

const CLOSING: DoorRefusal = { status: 503, detail: 'it is being closed' };

/** Node leaves a connection half open whose other end does not go: without a deadline, refused ones would take all places. */
function refuse(socket: Duplex, { status, detail }: DoorRefusal): void {
  const body = `${detail}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.on('error', () => undefined);
  const late = setTimeout(() => socket.destroy(), REFUSED_MS);
  socket.once('close', () => clearTimeout(late));
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // What it still says is not kept.
  socket.resume();
}
