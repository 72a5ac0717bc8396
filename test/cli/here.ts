/** The command line in the test's own process: what it prints and its exit code, without the second that a process needs to start. For tests. */
import { vi } from 'vitest';
import type { Run } from './run.ts';

// It tells command lines as whoever has not started it by npm types them.
Reflect.deleteProperty(process.env, 'npm_lifecycle_event');
const { runProgram } = await import('../../src/cli/program.ts');

/** One at a time: it is the process' own output that is read. */
export async function althingHere(args: readonly string[]): Promise<Run> {
  const told = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      told[name] += String(text);
      return true;
    }),
  );
  try {
    return { code: await runProgram(args), ...told };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
