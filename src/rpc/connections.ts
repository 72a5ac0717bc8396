/**
 * Open connections of clients, bounded in all and for each address. When there is no room, the one that has been without
 * a complete request for longest gives way: half-open ones cannot keep a client out. Boundary: sockets.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { networkOf } from '../protocol/transport/networks.ts';

export interface ConnectionBounds {
  /** @unit connections */
  readonly connectionsMax: number;
  /** Of them from one address. @unit connections */
  readonly connectionsPerAddressMax: number;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

interface Connection {
  readonly socket: Socket;
  readonly address: string;
  readonly exchanges: Set<Exchange>;
}

/** Connections in the order in which they began to wait for a request: the longest first. */
type Waiting = Set<Connection>;

/** Which answers wait though there is nothing to answer: the call is refused. */
export interface RefusedAnswers {
  readonly isWaiting: (response: ServerResponse) => boolean;
}

/** Bounds the connections of `server`. */
export function boundConnections(server: Server, bounds: ConnectionBounds, refused: RefusedAnswers): void {
  const all: Waiting = new Set();
  const byAddress = new Map<string, Waiting>();
  const bySocket = new WeakMap<Socket, Connection>();

  const remove = (connection: Connection): void => {
    all.delete(connection);
    const near = byAddress.get(connection.address);
    near?.delete(connection);
    if (near?.size === 0) byAddress.delete(connection.address);
  };
  const append = (connection: Connection): void => {
    all.add(connection);
    const near = byAddress.get(connection.address) ?? new Set();
    byAddress.set(connection.address, near.add(connection));
  };
  /** Makes room for one more; false when every connection is being answered. */
  const makeRoom = (among: Waiting | undefined, max: number): boolean => {
    if (among === undefined || among.size < max) return true;
    for (const connection of among) {
      if (isBeingAnswered(connection, refused)) continue;
      remove(connection);
      connection.socket.destroy();
      return true;
    }
    return false;
  };

  server.on('connection', (socket: Socket) => {
    const address = clientOf(socket);
    const hasRoom =
      makeRoom(byAddress.get(address), bounds.connectionsPerAddressMax) &&
      makeRoom(all, bounds.connectionsMax);
    if (!hasRoom) {
      socket.destroy();
      return;
    }
    const connection = { socket, address, exchanges: new Set<Exchange>() };
    bySocket.set(socket, connection);
    append(connection);
    socket.once('close', () => remove(connection));
  });

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const connection = bySocket.get(request.socket);
    if (connection === undefined) return;
    const exchange = { request, response };
    connection.exchanges.add(exchange);
    response.once('close', () => {
      connection.exchanges.delete(exchange);
      if (!all.has(connection)) return;
      remove(connection);
      append(connection);
    });
  });
}

/** What counts as one client: for connections, rates, calls under way and places to wait. */
export const clientOf = (socket: Pick<Socket, 'remoteAddress'>): string =>
  networkOf(socket.remoteAddress ?? 'unknown');

/** A request has come whole and its answer is not written: closing it would take an answer from a client. */
const isBeingAnswered = ({ exchanges }: Connection, refused: RefusedAnswers): boolean => {
  for (const { request, response } of exchanges) {
    if (request.complete && !response.writableEnded && !refused.isWaiting(response)) return true;
  }
  return false;
};
