/**
 * The validators of a local network as processes: all are started, each may be stopped, killed and started again. Boundary: processes.
 * docs/operator-guide.md, "Starting and stopping".
 */
import type { RunnerEvent } from '../node-events.ts';
import { type ProcessEnd, startValidatorProcess, type ValidatorProcess } from './validator-process.ts';

export interface ValidatorsParts {
  readonly homes: readonly string[];
  /** `section.key=value`, above the configuration file. */
  readonly settings: readonly string[];
  readonly event: (index: number, event: RunnerEvent) => void;
  /** @param isOrdered somebody asked for it */
  readonly ended: (index: number, end: ProcessEnd, logFile: string, isOrdered: boolean) => void;
}

/** What a validator gets to end by itself before it is killed; all together end within 5 s. @unit ms */
const STOP_GRACE = 4_500;

export class Validators {
  readonly #parts: ValidatorsParts;
  readonly #running = new Map<number, ValidatorProcess>();
  /** Of each that has run, its newest. */
  readonly #ends = new Map<number, ProcessEnd>();
  readonly #ordered = new Set<number>();
  readonly #allEnded = Promise.withResolvers<void>();
  #isStopping = false;

  constructor(parts: ValidatorsParts) {
    this.#parts = parts;
  }

  /** Resolves when none runs, and nobody can be waiting to start one again: the last did not end by an order. */
  get allEnded(): Promise<void> {
    return this.#allEnded.promise;
  }

  /** How each ended last. */
  get ends(): readonly ProcessEnd[] {
    return [...this.#ends.values()];
  }

  isRunning(index: number): boolean {
    return this.#running.has(index);
  }

  startAll(): void {
    for (const index of this.#parts.homes.keys()) this.start(index);
  }

  /** False when it runs already, or there is none. */
  start(index: number): boolean {
    const home = this.#parts.homes[index];
    if (home === undefined || this.#isStopping || this.#running.has(index)) return false;
    const { settings } = this.#parts;
    const hear = (event: RunnerEvent): void => this.#parts.event(index, event);
    const validator = startValidatorProcess(index, home, hear, { nodeFlags: [], settings });
    this.#running.set(index, validator);
    void validator.ended.then((end) => this.#note(validator, end));
    return true;
  }

  /** False when it does not run. */
  async stop(index: number): Promise<boolean> {
    const validator = this.#running.get(index);
    if (validator === undefined) return false;
    this.#ordered.add(index);
    await validator.stop(STOP_GRACE);
    return true;
  }

  /** As kill -9. False when it does not run. */
  async kill(index: number): Promise<boolean> {
    const validator = this.#running.get(index);
    if (validator === undefined) return false;
    this.#ordered.add(index);
    validator.kill();
    await validator.ended;
    return true;
  }

  /** For good. */
  async stopAll(): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#running.keys()].map((index) => this.stop(index)));
  }

  /** Over the channel between the processes; false when it does not run. */
  tell(index: number, message: object): boolean {
    return this.#running.get(index)?.tell(message) ?? false;
  }

  #note(validator: ValidatorProcess, end: ProcessEnd): void {
    const { index, logFile } = validator;
    const isOrdered = this.#ordered.delete(index);
    this.#running.delete(index);
    this.#ends.set(index, end);
    this.#parts.ended(index, end, logFile, isOrdered);
    if (this.#running.size === 0 && (!isOrdered || this.#isStopping)) this.#allEnded.resolve();
  }
}
