import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const SIGNALS = join(import.meta.dirname, '../../src/cli/signals.ts');
const SCRIPT = `
  import { stopSignal } from ${JSON.stringify(SIGNALS)};
  const hold = setInterval(() => {}, 1000);
  stopSignal().addEventListener("abort", (event) => {
    clearInterval(hold);
    process.stdout.write(String(event.target.reason));
  });
  process.stdout.write("up ");
`;

/** What a process says that a shell started and that the shell's death leaves behind. */
async function orphaned(environment: NodeJS.ProcessEnv): Promise<string> {
  const command = `"${process.execPath}" --input-type=module -e '${SCRIPT}' & echo $! ; wait`;
  const shell = spawn('sh', ['-c', command], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  for await (const chunk of shell.stdout) {
    const before = said;
    said += String(chunk);
    if (!before.includes('up ') && said.includes('up ')) {
      shell.kill('SIGKILL');
      const pid = Number.parseInt(said, 10);
      // Without npm it stays: that is what is tested, and it must not stay for good.
      if (environment['npm_lifecycle_event'] === undefined)
        setTimeout(() => process.kill(pid, 'SIGTERM'), 1_500);
    }
  }
  return said.replace(/^\d+\n/, '');
}

describe('a process that is to stop by a signal', () => {
  const { npm_lifecycle_event: _, ...environment } = process.env;

  it('stops too when the npm that started it is gone', async () => {
    expect(await orphaned({ ...environment, npm_lifecycle_event: 'start' })).toBe('up npm ended');
  });

  it('outlives its parent otherwise, as a daemon does', async () => {
    expect(await orphaned(environment)).toBe('up SIGTERM');
  });
});
