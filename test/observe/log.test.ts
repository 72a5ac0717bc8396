import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const LOG_MODULE = join(import.meta.dirname, '..', '..', 'src', 'observe', 'log.ts');

/** The real log in a process of its own: it writes to that process's stderr. */
function logged(
  options: object,
  script: string,
): { readonly stdout: string; readonly lines: readonly string[] } {
  const program = `
    const { openLog } = await import(${JSON.stringify(LOG_MODULE)});
    const log = openLog({ moniker: 'node0', level: 'info', format: 'json', components: [], ...${JSON.stringify(options)} });
    ${script}
    log.flush();`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  });
  return { stdout, lines: stderr.trim().split('\n') };
}

describe('the log', () => {
  it('is JSON lines on stderr that name node and component', () => {
    const { stdout, lines } = logged(
      {},
      "log.of('consensus').info({ height: 3 }, 'committed'); log.of('rpc').debug('hidden');",
    );
    expect(stdout).toBe('');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      node: 'node0',
      component: 'consensus',
      height: 3,
      msg: 'committed',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });

  it('has levels of its own for single components', () => {
    const script =
      "for (const name of ['p2p', 'rpc', 'sync']) { log.of(name).debug('detail'); log.of(name).warn('odd'); }";
    const { lines } = logged({ components: ['p2p:debug', 'rpc:silent'] }, script);
    const seen = lines.map((line) => JSON.parse(line)).map(({ component, msg }) => `${component} ${msg}`);
    expect(seen).toEqual(['p2p detail', 'p2p odd', 'sync odd']);
  });

  it('is one readable line each when pretty', () => {
    const { lines } = logged(
      { format: 'pretty' },
      "log.of('consensus').warn({ round: 7, reason: 'LeaderTimeout' }, 'view change');",
    );
    expect(lines).toEqual([
      expect.stringMatching(
        /^\d\d:\d\d:\d\d\.\d{3} warn {2}node0\/consensus view change round=7 reason=LeaderTimeout$/,
      ),
    ]);
  });
});
