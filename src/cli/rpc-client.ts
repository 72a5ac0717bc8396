/** Calls a running node's RPC for the command line. Every failure is a sentence. Boundary: HTTP. */
import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { homePaths } from '../node/config/home.ts';
import { loadConfig } from '../node/config/load.ts';
import { isOperatorOnly } from '../rpc/json-rpc.ts';
import { configFailure, messageOf, runtimeFailure, usageFailure } from './failure.ts';

export interface RpcTarget {
  /** `http://127.0.0.1:26657` */
  readonly url: string;
  /** The operator's token, where the home is known and readable. */
  readonly token: string | undefined;
}

const DEFAULT_ADDRESS = '127.0.0.1:26657';
/** @unit ms @source longer than a node's own limit on a request */
const CALL_TIMEOUT = 60_000;

/** The node that a command talks to: `--rpc`, else the home's configuration, else the first of a local network. */
export function targetOf(given: { readonly rpc?: string; readonly home?: string }): RpcTarget {
  if (given.home !== undefined) requireConfiguration(given.home);
  if (given.rpc !== undefined) return { url: urlOf(given.rpc), token: tokenOf(given.home) };
  if (given.home === undefined) return { url: urlOf(DEFAULT_ADDRESS), token: undefined };
  const result = loadConfig(given.home, process.env, []);
  if (result.status === 'refused') throw configFailure(result.problems);
  const { listen } = result.loaded.config.rpc;
  if (listen === '') throw usageFailure(`the node of ${given.home} has no RPC (rpc.listen = "")`);
  return { url: urlOf(listen.replace(/^0\.0\.0\.0:/, '127.0.0.1:')), token: tokenOf(given.home) };
}

/** Without its configuration every setting has its default: a slip of the pen would ask, and write to, some other node. */
export function requireConfiguration(home: string): void {
  const { configFile } = homePaths(home);
  if (existsSync(configFile)) return;
  const message = `no home there: it has no ${configFile}; give the directory that \`althing init\` or \`testnet\` made`;
  throw configFailure([{ where: `--home ${home}`, message }]);
}

/** @param command as it was typed. @throws a usage failure where the operator's token is not known */
export function requireOperator({ token }: RpcTarget, command: string): void {
  if (token !== undefined) return;
  throw usageFailure(
    `${command} is an operator command: give --home DIR, where keys/admin.token can be read`,
  );
}

/** One call; `schema` checks the answer. @param signal gives it up */
export async function callRpc<Result>(
  target: RpcTarget,
  method: string,
  params: Readonly<Record<string, unknown>>,
  schema: z.ZodType<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  const body = await post(target, JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }), signal);
  const answer = ANSWER.safeParse(body);
  if (!answer.success) throw runtimeFailure(`${target.url} is no Althing RPC: its answer is not JSON-RPC`);
  const { error, result } = answer.data;
  if (error !== undefined) throw runtimeFailure(`${method}: ${wordsOf(error, target)}`);
  const checked = schema.safeParse(result);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  throw runtimeFailure(
    `${target.url} answers ${method} in another shape (${issue?.path.join('.')}: ${issue?.message}); is it an Althing node?`,
  );
}

function wordsOf({ data, message }: NonNullable<z.infer<typeof ANSWER>['error']>, target: RpcTarget): string {
  return target.token !== undefined && isOperatorOnly(data)
    ? `this is an operator's, and the token of the given --home is not that of the node at ${target.url}: give that node's home`
    : (data ?? message);
}

/** GET of a plain endpoint such as `/readyz`: its status and body. */
export async function getPlain(
  target: RpcTarget,
  path: string,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await reach(target, path, { headers: ONE_CALL });
  return { status: response.status, body: await response.json().catch(() => ({})) };
}

const ANSWER = z.object({
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string(), data: z.string().optional() }).optional(),
});

/** A connection that rested may just be closed by the node, and what is sent on it is lost: a command asks too little to keep one. */
const ONE_CALL = { Connection: 'close' } as const;

async function post(target: RpcTarget, body: string, signal?: AbortSignal): Promise<unknown> {
  const headers: Record<string, string> = { ...ONE_CALL, 'Content-Type': 'application/json' };
  if (target.token !== undefined) headers['Authorization'] = `Bearer ${target.token}`;
  const response = await reach(target, '/', { method: 'POST', headers, body, signal: signal ?? null });
  return response.json().catch(() => undefined);
}

async function reach(target: RpcTarget, path: string, init: RequestInit): Promise<Response> {
  try {
    const bounded = AbortSignal.timeout(CALL_TIMEOUT);
    const { signal = null } = init;
    return await fetch(`${target.url}${path}`, {
      ...init,
      signal: signal === null ? bounded : AbortSignal.any([bounded, signal]),
    });
  } catch (cause) {
    const reason =
      cause instanceof Error && cause.cause !== undefined ? messageOf(cause.cause) : messageOf(cause);
    throw runtimeFailure(
      `no node answers at ${target.url} (${reason}); start one with \`althing\` or \`althing start --home DIR\`, or name it with --rpc`,
    );
  }
}

function urlOf(address: string): string {
  const url = URL.parse(/^https?:\/\//.test(address) ? address : `http://${address}`);
  if (url === null || url.hostname === '') throw usageFailure(`--rpc ${address}: give host:port or a URL`);
  return url.origin;
}

function tokenOf(home: string | undefined): string | undefined {
  if (home === undefined) return undefined;
  try {
    return readFileSync(homePaths(home).adminTokenFile, 'utf8').trim();
  } catch {
    return undefined;
  }
}
