/**
 * Serves an application to a node in another process. Each connection is one life of it: opened anew, closed when the node is
 * gone, one after the other, as an executor does it in its own process. Boundary: sockets, one file.
 * Rules AP-1, AP-5, AP-8, docs/application-protocol.md.
 */
import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Application } from '../../protocol/ports/application.ts';
import { messageOf } from '../calls.ts';
import { type SocketAddress, socketAddress } from './address.ts';
import { Connection } from './connection.ts';
import type { Frame } from './frames.ts';
import { APPLICATION_GREETING, NODE_GREETING } from './greeting.ts';
import { Nonsense } from './reader.ts';
import { Session } from './session.ts';

/** Connections at a time, those that have not greeted included. Beyond: dropped by the system's own rule. @unit connections */
const CONNECTIONS_MAX = 16;
/** Who says nothing is let go. @unit ms @source chosen: the node greets with its first packet */
const GREETING_MS_MAX = 10_000;
/** A node that comes again may be heard before the end of its last connection is. @unit ms @source chosen: some turns of the event loop */
const LEAVING_MS = 100;
/** Only this user may connect. */
const SOCKET_FILE_MODE = 0o600;

export interface ServeOptions {
  /** `unix:/run/app.sock`, or `tcp:127.0.0.1:26658`; port 0: the system chooses. */
  readonly listen: string;
  /** The only chain that is served. Left out: that of the first node. */
  readonly chainId?: string;
  /** Told who comes and goes, in words. Must not throw. */
  readonly report?: (words: string) => void;
}

export interface ServedApplication {
  /** For `application.address` of the node. */
  readonly address: string;
  /** Resolves when the node's connection is ended, the application is closed and nobody listens any more. */
  close(): Promise<void>;
}

/**
 * Listens, and opens the application for each node that comes, one at a time.
 * @param openApplication gives it as it stands on disk; called again for each connection, when the last one is closed
 * @throws (rejects) when it cannot listen, in words
 */
export async function serveApplication(
  openApplication: () => Application | Promise<Application>,
  options: ServeOptions,
): Promise<ServedApplication> {
  const address = socketAddress(options.listen);
  const host = new Host(openApplication, options);
  const server = createServer((socket) => host.welcome(socket));
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, address);
  if (address.kind === 'unix') chmodSync(address.path, SOCKET_FILE_MODE);
  return {
    address: addressOf(server, address),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await host.close();
      await closed;
    },
  };
}

interface Guest {
  readonly connection: Connection;
  session: Session | undefined;
  hasGreeted: boolean;
}

class Host {
  readonly #open: () => Application | Promise<Application>;
  readonly #report: (words: string) => void;
  readonly #guests = new Set<Guest>();
  #chainId: string | undefined;
  /** Whose turn it is; it may be gone, its application still ending. */
  #current: Guest | undefined;
  /** Settles when the application of the last guest is closed. Never rejects. */
  #lives: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(open: () => Application | Promise<Application>, { chainId, report }: ServeOptions) {
    this.#open = open;
    this.#chainId = chainId;
    this.#report = report ?? (() => undefined);
  }

  welcome(socket: Socket): void {
    const connection = new Connection(socket, {
      received: (frame) => this.#received(guest, frame),
      ended: (words) => {
        clearTimeout(timer);
        this.#guests.delete(guest);
        this.#report(words);
      },
    });
    const guest: Guest = { connection, session: undefined, hasGreeted: false };
    this.#guests.add(guest);
    const timer = setTimeout(() => {
      if (!guest.hasGreeted) connection.refuse(`no greeting within ${GREETING_MS_MAX} ms`);
    }, GREETING_MS_MAX);
    if (this.#isClosed) connection.refuse('the application ends');
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { connection } of [...this.#guests]) connection.refuse('the application ends');
    await this.#lives;
  }

  #received(guest: Guest, frame: Frame): void {
    const { session } = guest;
    if (session !== undefined) {
      session.receive(frame);
      return;
    }
    if (guest.hasGreeted) throw new Nonsense('a node waits for the greeting before it asks');
    if (frame.kind !== 'greeting')
      throw new Nonsense(`the first frame is of kind ${frame.kind}, not a greeting`);
    const { chainId } = NODE_GREETING.read(frame.reader);
    frame.reader.end();
    guest.hasGreeted = true;
    this.#admit(guest, chainId);
  }

  #admit(guest: Guest, chainId: string, hasWaited = false): void {
    const { connection } = guest;
    if (!connection.isOpen) return;
    if (this.#chainId !== undefined && this.#chainId !== chainId) {
      connection.refuse(
        `this application serves the chain "${this.#chainId}", and a node of "${chainId}" asks: ` +
          'start one of its own for each chain, with a folder of its own',
      );
    } else if (this.#current?.connection.isOpen !== true) {
      this.#chainId = chainId;
      this.#current = guest;
      this.#lives = this.#lives.then(() => this.#live(guest));
    } else if (hasWaited) {
      connection.refuse(
        'another node is served: one application has one node, start one of its own for each',
      );
    } else setTimeout(() => this.#admit(guest, chainId, true), LEAVING_MS);
  }

  /** From the opening of the application to its close: the next one waits for it. */
  async #live(guest: Guest): Promise<void> {
    const { connection } = guest;
    if (!connection.isOpen) return;
    let application: Application;
    try {
      application = await this.#open();
    } catch (error) {
      connection.refuse(`the application cannot be opened: ${messageOf(error)}`);
      return;
    }
    const session = new Session(connection, application);
    if (connection.isOpen) {
      guest.session = session;
      connection.admitAll();
      connection.send('greeting', 0, APPLICATION_GREETING.write(application));
      this.#report(`a node of "${this.#chainId}" is served`);
      await connection.closed;
    }
    try {
      await session.end();
    } catch (error) {
      this.#report(`the application failed to close: ${messageOf(error)}`);
    }
  }
}

const addressOf = (server: Server, address: SocketAddress): string => {
  const bound: AddressInfo | string | null = server.address();
  if (address.kind === 'unix' || bound === null || typeof bound === 'string') return address.text;
  return `tcp:${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
};

/** A socket's file that a dead process has left is taken away; one at which somebody listens is not, nor any other file. */
async function listen(server: Server, address: SocketAddress): Promise<void> {
  // Where the folder is missing, some systems name a right that is missing instead.
  if (address.kind === 'unix' && !existsSync(dirname(address.path)))
    throw new Error(`cannot listen at ${address.text}: there is no folder ${dirname(address.path)}; make it`);
  const first = await bind(server, address);
  if (first === undefined) return;
  if (first.code !== 'EADDRINUSE' || address.kind !== 'unix') throw unheard(address, first);
  if (!lstatSync(address.path).isSocket()) {
    throw new Error(`${address.path} is a file and no socket: delete it, or choose another address`);
  }
  if (await isHeard(address.path)) throw unheard(address, first);
  unlinkSync(address.path);
  const second = await bind(server, address);
  if (second !== undefined) throw unheard(address, second);
}

const unheard = ({ text }: SocketAddress, { code, message }: NodeJS.ErrnoException): Error =>
  new Error(
    code === 'EADDRINUSE'
      ? `somebody listens at ${text} already: stop it, or choose another address`
      : `cannot listen at ${text}: ${message}`,
  );

function bind(server: Server, address: SocketAddress): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once('error', resolve);
    const done = () => {
      server.off('error', resolve);
      resolve(undefined);
    };
    if (address.kind === 'unix') server.listen(address.path, done);
    else server.listen(address.port, address.host, done);
  });
}

function isHeard(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const settle = (isAnswered: boolean) => {
      socket.destroy();
      resolve(isAnswered);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => settle(code !== 'ECONNREFUSED'));
  });
}
