/** JSON-RPC to one validator over kept-alive HTTP. Boundary: sockets. */
import { Agent, request } from 'node:http';
import { messageOf } from '../failure.ts';

/** What a POST brought; `broken`: no answer, so nobody knows what became of the calls. */
export type Posted =
  | { readonly kind: 'answered'; readonly status: number; readonly text: string }
  | { readonly kind: 'broken'; readonly detail: string };

/** @unit ms @source above the 10 s of commit_timeout_ms and of the gateway */
const POST_TIMEOUT = 15_000;

export class Connection {
  readonly #agent: Agent;
  readonly #host: string;
  readonly #port: number;

  constructor(address: string, socketsMax: number) {
    const colon = address.lastIndexOf(':');
    this.#host = address.slice(0, colon);
    this.#port = Number(address.slice(colon + 1));
    this.#agent = new Agent({ keepAlive: true, maxSockets: socketsMax });
  }

  /** Never rejects. `body` must stay as it is until the answer. */
  post(body: Buffer): Promise<Posted> {
    return new Promise((resolve) => {
      const broken = (cause: unknown): void => resolve({ kind: 'broken', detail: messageOf(cause) });
      const sent = request(
        {
          agent: this.#agent,
          host: this.#host,
          port: this.#port,
          method: 'POST',
          path: '/',
          headers: { 'Content-Type': 'application/json', 'Content-Length': body.byteLength },
          timeout: POST_TIMEOUT,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.once('error', broken);
          response.once('end', () => {
            const text = Buffer.concat(chunks).toString('latin1');
            resolve({ kind: 'answered', status: response.statusCode ?? 0, text });
          });
        },
      );
      sent.once('timeout', () => sent.destroy(new Error(`no answer within ${POST_TIMEOUT} ms`)));
      sent.once('error', broken);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
