/** `althing application serve NAME` as a process of its own, which a test stops, kills and starts again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { BuiltInName } from '../../../src/application/built-in-names.ts';

const MAIN = join(import.meta.dirname, '../../../src/cli/main.ts');

export class ApplicationProcess {
  readonly address: string;
  readonly lines: string[] = [];
  readonly #name: BuiltInName;
  readonly #words: readonly string[];
  #child: ChildProcess | undefined;

  /** @param words more of the command line, as `--dir` */
  constructor(address: string, name: BuiltInName, ...words: readonly string[]) {
    this.address = address;
    this.#name = name;
    this.#words = words;
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const words = [MAIN, 'application', 'serve', this.#name, '--listen', this.address, ...this.#words];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.lines.push(line);
        if (line.startsWith(`${this.#name} listens at`)) resolve();
      });
      child.once('exit', (code) => reject(new Error(`it ended with ${code}: ${errors}`)));
    });
  }

  /** SIGSTOP, SIGCONT. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(name);
  }

  /** Its exit code; null after a kill. */
  async end(name: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<number | null | undefined> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return undefined;
    const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(name);
    if (name === 'SIGKILL') child.kill('SIGCONT');
    return gone;
  }
}
