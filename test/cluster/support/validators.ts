/** Validators as processes of their own, started and killed one by one: `althing testnet`, `althing start --home`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { RUNNER_EVENT, type RunnerEvent } from '../../../src/cli/node-events.ts';
import { althing, LocalNetwork, MAIN } from './local-network.ts';

export interface ValidatorsOptions {
  readonly count?: number;
  /** Each process writes every frame that it sends to the file `tapOf`. */
  readonly tap?: boolean;
  /** Told each line of `start --json` when it is read. */
  readonly onEvent?: (event: SeenEvent) => void;
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
  stderr = '';

  private constructor(network: LocalNetwork, options: ValidatorsOptions) {
    this.network = network;
    this.#options = options;
  }

  static async create(options: ValidatorsOptions = {}): Promise<Validators> {
    const network = await LocalNetwork.create();
    const { code, stderr } = althing(
      'testnet',
      '--validators',
      String(options.count ?? 4),
      '--output',
      network.directory,
      '--base-port',
      String(network.basePort),
    );
    if (code !== 0) throw new Error(`testnet: ${stderr}`);
    return new Validators(network, options);
  }

  start(index: number): void {
    const { tap = false, onEvent } = this.#options;
    const life = this.lives(index);
    this.#lives.set(index, life + 1);
    const words = [MAIN, 'start', '--home', this.network.homeOf(index)];
    const child = spawn(
      process.execPath,
      [...(tap ? ['--import', TAP] : []), ...words, ...(onEvent === undefined ? [] : ['--json'])],
      {
        stdio: ['ignore', onEvent === undefined ? 'ignore' : 'pipe', 'pipe'],
        env: { ...process.env, ...(tap ? { ALTHING_WIRE_TAP: this.tapOf(index, life) } : {}) },
      },
    );
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const event = RUNNER_EVENT.safeParse(JSON.parse(line));
        const at = performance.timeOrigin + performance.now();
        if (event.success) onEvent?.({ validator: index, event: event.data, at });
      });
    }
    child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr = `${this.stderr}${index}: ${chunk.toString()}`.slice(-10_000);
    });
    this.#processes.set(index, child);
  }

  /** Processes of a validator so far. */
  lives(index: number): number {
    return this.#lives.get(index) ?? 0;
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
