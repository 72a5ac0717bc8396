/** What goes out as a whole: JSON, refusals of a node that is busy, and answers to preflights. Boundary: sockets. */
import type { ServerResponse } from 'node:http';
import type { Millis } from '../base/units.ts';
import { envelope, type RpcError } from './json-rpc.ts';

export const sendJson = (response: ServerResponse, status: number, value: unknown): void =>
  sendText(response, status, JSON.stringify(value));

/** JSON as it is. */
export function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** Nothing was done: 429 for this client's rate, 503 for what this node holds. By the code its data begins with, the client knows it is the node's word (BR-1). */
export function sendBusy(
  response: ServerResponse,
  status: 429 | 503,
  error: RpcError,
  retryAfter: Millis,
): void {
  response.setHeader('Retry-After', String(retryAfter / 1_000));
  sendJson(response, status, envelope(null, { error }));
}

export function sendPreflight(response: ServerResponse): void {
  response.writeHead(204, {
    'Access-Control-Allow-Methods': 'GET, HEAD, POST',
    'Access-Control-Allow-Headers': 'Content-Type, Authorization',
    'Access-Control-Max-Age': '600',
  });
  response.end();
}
