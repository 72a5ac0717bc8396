/** A node's RPC by script, over real HTTP: honest by a small chain that several nodes share, until a test makes it something else. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { idOf } from '../../src/client/encoding.ts';

/** What a method answers: a result, an error, plain HTTP, a closed connection, or nothing. */
export type Reply =
  | { readonly result: unknown }
  | { readonly error: { readonly code: number; readonly message: string; readonly data?: string } }
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  | 'destroy'
  | 'hang';

/** As a node turns a call away that it has not read: in its own words. */
export function turnedAway(status: 403 | 413 | 429 | 503): Extract<Reply, { readonly status: number }> {
  const word = { 403: 'FORBIDDEN', 413: 'TOO_LARGE', 429: 'RATE_LIMITED', 503: 'QUEUE_FULL' }[status];
  const error = { code: -32_000, message: 'Server error', data: `${word}: try again later` };
  return { status, body: JSON.stringify({ jsonrpc: '2.0', id: null, error }) };
}

export interface Asked {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Heights and what was executed where. */
export class ScriptedChain {
  height = 10;
  readonly committed = new Map<string, number>();
  readonly lifeHeights = 1_000;

  commit(id: string): void {
    this.height += 1;
    this.committed.set(id, this.height);
  }
}

const RESULT = { code: 0, log: 'yes', data: 'AQI=', info: '', gas_wanted: '0', gas_used: '0', codespace: '' };
const EVENTS = [{ type: 'set', attributes: [{ key: 'key', value: 'a', index: true }] }];

export class ScriptedNode {
  readonly chain: ScriptedChain;
  readonly asked: Asked[] = [];
  /** Ids that this node accepted. */
  readonly held = new Set<string>();
  /** By method, in place of the honest answer. */
  readonly script = new Map<string, (asked: Asked) => Reply | Promise<Reply> | undefined>();
  readonly #server: Server;

  private constructor(chain: ScriptedChain) {
    this.chain = chain;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => void this.#serve(Buffer.concat(chunks).toString(), response));
    });
  }

  static async start(chain = new ScriptedChain()): Promise<ScriptedNode> {
    const node = new ScriptedNode(chain);
    await node.listen(0);
    return node;
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve) => this.#server.listen(port, '127.0.0.1', () => resolve()));
  }

  get port(): number {
    const address = this.#server.address() as AddressInfo;
    return address.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Dies: no answer to anything, and nobody listens. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  count(method: string): number {
    return this.asked.filter((one) => one.method === method).length;
  }

  /** As an honest node answers. */
  honest({ method, params }: Asked): unknown {
    const { chain } = this;
    const heights = {
      height: String(chain.height),
      expires_at_height_max: String(chain.height + chain.lifeHeights),
    };
    const operations = params['operations'] as readonly never[];
    if (method === 'althing_submit') {
      const ids = operations.map((text) => idOf(Buffer.from(text, 'base64')));
      for (const id of ids) this.held.add(id);
      return { ...heights, operations: ids.map((id) => ({ id, status: 'accepted', known: false })) };
    }
    const outcomes = (operations as readonly { id: string; expires_at_height: string }[]).map((one) => {
      const height = chain.committed.get(one.id);
      if (height !== undefined) {
        const result = { ...RESULT, events: EVENTS };
        return { id: one.id, status: 'committed', height: String(height), index: 0, result };
      }
      const status = chain.height > Number(one.expires_at_height) ? 'expired' : 'pending';
      return { id: one.id, status, height: String(chain.height) };
    });
    return { ...heights, outcomes };
  }

  async #serve(body: string, response: ServerResponse): Promise<void> {
    const asked: Asked = JSON.parse(body);
    this.asked.push(asked);
    const reply = (await this.script.get(asked.method)?.(asked)) ?? (await this.#patient(asked));
    if (reply === 'hang') return;
    if (reply === 'destroy') {
      response.destroy();
      return;
    }
    if ('status' in reply) {
      response.writeHead(reply.status, reply.headers ?? {}).end(reply.body ?? '');
      return;
    }
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, ...reply }));
  }

  /** A long poll waits a little: tests are short. */
  async #patient(asked: Asked): Promise<Reply> {
    if (Number(asked.params['wait_ms']) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    return { result: this.honest(asked) };
  }
}
