/** Validators as processes of their own, started and killed one by one: `althing testnet`, `althing start --home`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { RUNNER_EVENT, type RunnerEvent } from '../../../src/cli/node-events.ts';
import { althing, LocalNetwork, MAIN } from './local-network.ts';

export interface ValidatorsOptions {
  readonly count?: number;
  /** Nodes without a vote; their indices follow. Default: none. */
  readonly full?: number;
  /** Default: kv. */
  readonly application?: string;
  /** Each process writes every frame that it sends to the file `tapOf`. */
  readonly tap?: boolean;
  /** Told each line of `start --json` when it is read. */
  readonly onEvent?: (event: SeenEvent) => void;
  /** How a process is started, where not as a user does it. */
  readonly launch?: (index: number, network: LocalNetwork) => Launch;
  /** Told how each process ended, a kill too. */
  readonly onEnd?: (end: SeenEnd) => void;
}

export interface Launch {
  /** A program and its words, which ends by executing what follows: the process stays the same. */
  readonly wrapper?: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
  /** More words of `althing start`. */
  readonly words?: readonly string[];
}

export interface SeenEnd {
  readonly validator: number;
  /** From 0 on. */
  readonly life: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what it wrote. */
  readonly stderr: string;
}

export interface SeenEvent {
  readonly validator: number;
  readonly event: RunnerEvent;
  /** @unit ms since 1970 */
  readonly at: number;
}

const TAP = new URL('./wire-tap.ts', import.meta.url).href;

export class Validators {
  readonly network: LocalNetwork;
  readonly #options: ValidatorsOptions;
  readonly #processes = new Map<number, ChildProcess>();
  readonly #lives = new Map<number, number>();
  readonly #words = new Map<number, string>();
  stderr = '';

  private constructor(network: LocalNetwork, options: ValidatorsOptions) {
    this.network = network;
    this.#options = options;
  }

  static async create(options: ValidatorsOptions = {}): Promise<Validators> {
    const { count = 4, full = 0 } = options;
    const network = await LocalNetwork.create(count);
    const { code, stderr } = await althing(
      'testnet',
      '--validators',
      String(count),
      '--full',
      String(full),
      '--output',
      network.directory,
      '--base-port',
      String(network.basePort),
      '--application',
      options.application ?? 'kv',
    );
    if (code !== 0) throw new Error(`testnet: ${stderr}`);
    return new Validators(network, options);
  }

  start(index: number): void {
    const { tap = false, onEvent, onEnd, launch } = this.#options;
    const life = this.lives(index);
    this.#lives.set(index, life + 1);
    const { wrapper = [], env = {}, words = [] } = launch?.(index, this.network) ?? {};
    const [program, ...rest] = [
      ...wrapper,
      process.execPath,
      ...(tap ? ['--import', TAP] : []),
      ...[MAIN, 'start', '--home', this.network.homeOf(index)],
      ...(onEvent === undefined ? [] : ['--json']),
      ...words,
    ];
    const child = spawn(program, rest, {
      stdio: ['ignore', onEvent === undefined ? 'ignore' : 'pipe', 'pipe'],
      env: { ...process.env, ...(tap ? { ALTHING_WIRE_TAP: this.tapOf(index, life) } : {}), ...env },
    });
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const event = RUNNER_EVENT.safeParse(JSON.parse(line));
        const at = performance.timeOrigin + performance.now();
        if (event.success) onEvent?.({ validator: index, event: event.data, at });
      });
    }
    this.#words.set(index, '');
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#words.set(index, `${this.wordsOf(index)}${chunk.toString()}`.slice(-10_000));
      this.stderr = `${this.stderr}${index}: ${chunk.toString()}`.slice(-10_000);
    });
    child.once('close', (code, signal) =>
      onEnd?.({ validator: index, life, code, signal, stderr: this.wordsOf(index) }),
    );
    this.#processes.set(index, child);
  }

  /** Processes of a validator so far. */
  lives(index: number): number {
    return this.#lives.get(index) ?? 0;
  }

  /** The end of what its newest process wrote to stderr. */
  wordsOf(index: number): string {
    return this.#words.get(index) ?? '';
  }

  /** What wire-frames.ts reads. */
  tapOf(index: number, life: number): string {
    return join(this.network.directory, `wire-${index}-${life}.tap`);
  }

  /** kill -9; resolves when the process is gone. */
  async kill(index: number): Promise<void> {
    const child = this.#processes.get(index);
    this.#processes.delete(index);
    if (child === undefined || hasEnded(child)) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  pid(index: number): number | undefined {
    return this.#processes.get(index)?.pid;
  }

  runs(index: number): boolean {
    const child = this.#processes.get(index);
    return child !== undefined && !hasEnded(child);
  }

  async remove(): Promise<void> {
    for (const index of [...this.#processes.keys()]) await this.kill(index);
    await this.network.remove();
  }
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null;
