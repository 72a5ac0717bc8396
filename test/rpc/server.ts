/** A real RPC server on a free loopback port, before a `MemoryNode`; for tests. */
import { millis } from '../../src/base/units.ts';
import type { FinishedCall } from '../../src/rpc/calls.ts';
import { type RpcServerOptions, type RunningRpcServer, startRpcServer } from '../../src/rpc/http-server.ts';
import { MemoryNode } from './memory-node.ts';

export interface TestServer {
  readonly node: MemoryNode;
  readonly url: string;
  readonly calls: FinishedCall[];
  readonly server: RunningRpcServer;
  /** The whole HTTP answer of a POST with this body. */
  readonly post: (body: unknown, headers?: Record<string, string>) => Promise<Reply>;
  /** The result or error of one JSON-RPC call. */
  readonly call: (method: string, params?: unknown) => Promise<RpcReply>;
  readonly get: (path: string, headers?: Record<string, string>) => Promise<Reply>;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

export interface RpcReply {
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: string };
}

export async function startTestServer(options: Partial<RpcServerOptions> = {}): Promise<TestServer> {
  const node = new MemoryNode();
  const calls: FinishedCall[] = [];
  const server = await startRpcServer({
    port: node,
    listen: '127.0.0.1:0',
    allowedHosts: [],
    allowedOrigins: [],
    connectionsMax: 100,
    connectionsPerAddressMax: 100,
    bodyBytesMax: 100_000,
    batchRequestsMax: 10,
    requestTimeout: millis(5_000),
    commitTimeout: millis(300),
    requestsPerSecond: 100_000,
    requestsBurst: 100_000,
    adminToken: 'secret-token',
    loopLag: () => millis(0),
    loopLagMax: millis(1_000),
    metrics: async () => 'metric 1\n',
    onCall: (call) => calls.push(call),
    onEarly: () => undefined,
    ...options,
  });
  const url = `http://${server.address}`;
  const reply = async (response: Response): Promise<Reply> => ({
    status: response.status,
    text: await response.text(),
    headers: response.headers,
  });
  const post = async (body: unknown, headers: Record<string, string> = {}): Promise<Reply> =>
    reply(
      await fetch(url, {
        method: 'POST',
        headers,
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    );
  return {
    node,
    url,
    calls,
    server,
    post,
    call: async (method, params) => JSON.parse((await post({ jsonrpc: '2.0', id: 1, method, params })).text),
    get: async (path, headers = {}) => reply(await fetch(`${url}${path}`, { headers })),
  };
}

export const base64Of = (text: string): string => Buffer.from(text).toString('base64');
