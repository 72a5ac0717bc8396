/** JSON-RPC to one validator over kept-alive HTTP. Boundary: sockets. */
import { Agent, request } from 'node:http';
import { messageOf } from '../failure.ts';

/** What a POST brought; `broken`: no answer, so nobody knows what became of the calls. */
export type Posted =
  | { readonly kind: 'answered'; readonly status: number; readonly text: string }
  | { readonly kind: 'broken'; readonly detail: string };

/** @unit ms @source above the 10 s of commit_timeout_ms and of the gateway */
const POST_TIMEOUT = 15_000;

export interface ConnectionOptions {
  /** Whom the node takes the caller for; on Linux all of 127.0.0.0/8 is this machine's. */
  readonly localAddress?: string;
  /** Without an answer for so long it is given up. @unit ms */
  readonly timeoutMs?: number;
}

export class Connection {
  readonly #timeoutMs: number;
  readonly #agent: Agent;
  readonly #host: string;
  readonly #port: number;

  constructor(address: string, socketsMax: number, { localAddress, timeoutMs }: ConnectionOptions = {}) {
    const colon = address.lastIndexOf(':');
    this.#host = address.slice(0, colon);
    this.#port = Number(address.slice(colon + 1));
    this.#timeoutMs = timeoutMs ?? POST_TIMEOUT;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: socketsMax,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
  }

  /** Never rejects. `body` must stay as it is until the answer. */
  async post(body: Buffer): Promise<Posted> {
    const posted = await this.#post(body);
    // The server closed an idle connection while the request was on its way to it: it was not read.
    return posted.kind === 'stale' ? broken(await this.#post(body)) : posted;
  }

  #post(body: Buffer): Promise<Posted | { readonly kind: 'stale' }> {
    return new Promise((resolve) => {
      const fail = (cause: unknown): void =>
        resolve(sent.reusedSocket && isReset(cause) ? { kind: 'stale' } : brokenBy(cause));
      const sent = request(
        {
          agent: this.#agent,
          host: this.#host,
          port: this.#port,
          method: 'POST',
          path: '/',
          headers: { 'Content-Type': 'application/json', 'Content-Length': body.byteLength },
          timeout: this.#timeoutMs,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.once('error', (cause) => resolve(brokenBy(cause)));
          response.once('end', () => {
            const text = Buffer.concat(chunks).toString('latin1');
            resolve({ kind: 'answered', status: response.statusCode ?? 0, text });
          });
        },
      );
      sent.once('timeout', () => sent.destroy(new Error(`no answer within ${this.#timeoutMs} ms`)));
      sent.once('error', fail);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

const brokenBy = (cause: unknown): Posted => ({ kind: 'broken', detail: messageOf(cause) });
const broken = (posted: Posted | { readonly kind: 'stale' }): Posted =>
  posted.kind === 'stale' ? brokenBy('the connection was closed twice') : posted;
const isReset = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && (cause.code === 'ECONNRESET' || cause.code === 'EPIPE');

/** Undefined where it is no JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A refusal's words up to the first colon or digit: what differs from one to the next comes after. */
export const reasonOf = (text: string, otherwise: string): string =>
  (text.split(/[:0-9]/)[0] ?? '').trim().slice(0, 80) || otherwise;
