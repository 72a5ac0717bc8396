/** A local network of real processes, as a user starts it: `althing --json`. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const MAIN = join(import.meta.dirname, '../../../src/cli/main.ts');

export interface NetworkEvent {
  readonly type: string;
  /** Of `ready`. */
  readonly nodes?: readonly { readonly node: number; readonly pid: number }[];
  readonly [field: string]: unknown;
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs one command to its end, and does not stand still meanwhile: who does hears seconds later that a node has closed an idle
 * connection, and asks over it.
 */
export const althing = (...words: readonly string[]): Promise<CommandResult> =>
  althingUntil(new AbortController().signal, ...words);

/** The same; it ends when `signal` is aborted, if not before. */
export function althingUntil(signal: AbortSignal, ...words: readonly string[]): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...words], { signal }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

/** Waits until `probe` gives a value; throws after `withinMs`. */
export async function eventually<Value>(
  claim: string,
  withinMs: number,
  probe: () => Promise<Value | undefined> | Value | undefined,
): Promise<Value> {
  const until = Date.now() + withinMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > until) throw new Error(`${claim}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Below those that the system gives to outgoing connections. */
const FIRST_PORT = 20_000;
/** Of one network: ten for each validator, ten validators at most. The last one is the guard's. */
const BLOCK_PORTS = 100;
const BLOCKS = 120;

/**
 * The first of a block of free ports, two of ten for each validator. The block is this process's until it ends: a guard listens
 * in it, so that neither a test file that runs beside, nor another run on this machine, is given the ports of a validator that is down.
 */
export async function freeBasePort(validators = 6): Promise<number> {
  const first = Math.floor(Math.random() * BLOCKS);
  for (let step = 0; step < BLOCKS; step += 1) {
    const base = FIRST_PORT + ((first + step) % BLOCKS) * BLOCK_PORTS;
    const guard = await listenOn(base + BLOCK_PORTS - 1);
    if (guard === undefined) continue;
    const ports = Array.from({ length: validators }, (_, index) => base + 10 * index).flatMap((port) => [
      port,
      port + 1,
    ]);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return base;
    guard.close();
  }
  throw new Error(`no free ports from ${FIRST_PORT} to ${FIRST_PORT + BLOCKS * BLOCK_PORTS}`);
}

/** It keeps no process running. Undefined where another listens. */
const listenOn = (port: number): Promise<Server | undefined> =>
  new Promise((resolve) => {
    const server = createServer().unref();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });

async function isFree(port: number): Promise<boolean> {
  const server = await listenOn(port);
  await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
  return server !== undefined;
}

export class LocalNetwork {
  readonly directory: string;
  readonly basePort: number;
  /** Homes with a greater index are those of full nodes. */
  readonly #validators: number;
  readonly events: NetworkEvent[] = [];
  stderr = '';
  #process: ChildProcess | undefined;

  private constructor(directory: string, basePort: number, validators: number) {
    this.directory = directory;
    this.basePort = basePort;
    this.#validators = validators;
  }

  static async create(validators = Number.POSITIVE_INFINITY): Promise<LocalNetwork> {
    const directory = mkdtempSync(join(tmpdir(), 'althing-cluster-'));
    return new LocalNetwork(directory, await freeBasePort(), validators);
  }

  rpcOf(index: number): string {
    return `127.0.0.1:${this.basePort + 10 * index + 1}`;
  }

  homeOf(index: number): string {
    const full = index - this.#validators;
    return join(this.directory, full < 0 ? `node${index}` : `full${full}`);
  }

  start(environment: NodeJS.ProcessEnv = {}): void {
    const words = [MAIN, '--json', '--data', this.directory, '--base-port', String(this.basePort)];
    const env = { ...process.env, ...environment };
    const child = spawn(process.execPath, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    this.events.length = 0;
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.events.push(JSON.parse(line) as NetworkEvent);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
  }

  /** Ctrl-C; the exit code and how long it took. */
  async interrupt(): Promise<{ readonly code: number | null; readonly ms: number }> {
    const child = this.#process;
    if (child === undefined) throw new Error('the network does not run');
    const started = Date.now();
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill('SIGINT');
    const code = await exited;
    this.#process = undefined;
    return { code, ms: Date.now() - started };
  }

  async remove(): Promise<void> {
    if (this.#process !== undefined) await this.interrupt();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The answer of one RPC method, or undefined while the validator does not answer. */
  async call(
    index: number,
    method: string,
    params: Record<string, unknown> = {},
  ): Promise<Answer | undefined> {
    try {
      const response = await fetch(`http://${this.rpcOf(index)}/`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
        signal: AbortSignal.timeout(15_000),
      });
      const { result } = (await response.json()) as { readonly result?: Answer };
      return result;
    } catch {
      return undefined;
    }
  }

  /** The values of keys, in one batch; undefined where there is none, or no answer. */
  async values(index: number, keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    const calls = keys.map((key, id) => ({
      jsonrpc: '2.0',
      id,
      method: 'abci_query',
      params: { path: '', data: Buffer.from(key).toString('hex') },
    }));
    const response = await fetch(`http://${this.rpcOf(index)}/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(calls),
      signal: AbortSignal.timeout(15_000),
    });
    const answers = (await response.json()) as readonly { readonly id: number; readonly result?: Answer }[];
    const values = new Map(answers.map(({ id, result }) => [id, result?.response?.value]));
    return keys.map((_, id) => {
      const value = values.get(id);
      return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : undefined;
    });
  }

  async height(index: number): Promise<number | undefined> {
    const status = await this.call(index, 'status');
    return status === undefined ? undefined : Number(status.sync_info?.latest_block_height);
  }
}

/** The parts of answers that these tests read. */
export interface Answer {
  readonly sync_info?: { readonly latest_block_height: string; readonly earliest_block_height: string };
  readonly response?: {
    readonly value: string | null;
    /** Of abci_info. */
    readonly last_block_height?: string;
    readonly last_block_app_hash?: string;
  };
  readonly height?: string;
  readonly hash?: string;
  readonly app_hash?: string;
  readonly block_id?: { readonly hash: string };
  readonly tx_result?: { readonly code: number };
  readonly check_tx?: { readonly code: number };
  /** Of broadcast_tx_sync. */
  readonly code?: number;
  readonly log?: string;
}
