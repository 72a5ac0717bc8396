/** Validators as processes of their own, started and killed one by one: `althing testnet`, `althing start --home`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { althing, LocalNetwork, MAIN } from './local-network.ts';

export class Validators {
  readonly network: LocalNetwork;
  readonly #processes = new Map<number, ChildProcess>();
  stderr = '';

  private constructor(network: LocalNetwork) {
    this.network = network;
  }

  static async create(count = 4): Promise<Validators> {
    const network = await LocalNetwork.create();
    const { code, stderr } = althing(
      'testnet',
      '--validators',
      String(count),
      '--output',
      network.directory,
      '--base-port',
      String(network.basePort),
    );
    if (code !== 0) throw new Error(`testnet: ${stderr}`);
    return new Validators(network);
  }

  start(index: number): void {
    const child = spawn(process.execPath, [MAIN, 'start', '--home', this.network.homeOf(index)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.stderr = `${this.stderr}${index}: ${chunk.toString()}`.slice(-10_000);
    });
    this.#processes.set(index, child);
  }

  /** kill -9; resolves when the process is gone. */
  async kill(index: number): Promise<void> {
    const child = this.#processes.get(index);
    this.#processes.delete(index);
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  pid(index: number): number | undefined {
    return this.#processes.get(index)?.pid;
  }

  runs(index: number): boolean {
    return this.#processes.get(index)?.exitCode === null;
  }

  async remove(): Promise<void> {
    for (const index of [...this.#processes.keys()]) await this.kill(index);
    await this.network.remove();
  }
}
