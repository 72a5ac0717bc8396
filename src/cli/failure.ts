/** How a command ends when it cannot do its work: a sentence for the reader and an exit code. No stack traces. */
import type { ConfigProblem } from '../node/config/load.ts';
import { inTypedWords } from './called.ts';
import { EXIT_CODES } from './exit-codes.ts';

/** Thrown by commands, caught once by `program.ts`. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(inTypedWords(message));
    this.exitCode = exitCode;
  }
}

export const usageFailure = (message: string): CommandFailure =>
  new CommandFailure(message, EXIT_CODES.usage);
export const runtimeFailure = (message: string): CommandFailure =>
  new CommandFailure(message, EXIT_CODES.runtime);

/** A refused configuration or genesis: one line for each problem. */
export function configFailure(problems: readonly ConfigProblem[]): CommandFailure {
  const lines = problems.map(({ where, message }) => `${where}: ${message}`);
  return new CommandFailure(lines.join('\n'), EXIT_CODES.badConfig);
}

/** A failure's words, whatever was thrown. */
export const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
