import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../rpc/server.ts';
import { althing, type Run } from './run.ts';

let rpc: TestServer;
beforeAll(async () => {
  rpc = await startTestServer();
});
beforeEach(() => {
  rpc.node.timeFacts = {};
  rpc.calls.length = 0;
});
afterAll(() => rpc.server.close());

const time = (...args: readonly string[]): Promise<Run> => althing(['time', '--rpc', rpc.url, ...args]);

/** Output of `--watch`, which is sent Ctrl-C when it has shown a report and `then` has been waited for. */
function watched(args: readonly string[], then: () => void, until: RegExp): Promise<Run> {
  return althing(['time', '--rpc', rpc.url, '--watch', ...args], {}, (child) => {
    let said = '';
    let changed = false;
    const hear = (chunk: Buffer): void => {
      said += chunk.toString();
      if (!changed) then();
      changed = true;
      if (until.test(said)) child.kill('SIGINT');
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
  });
}

describe('althing time', () => {
  it('shows state, bound, source, alerts, peers and servers at 80 columns', async () => {
    const { code, stdout, stderr } = await time();
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^state +synchronised by peers\nadjusted time +2026-01-31T12:00:13\.34Z\n/);
    expect(stdout).toMatch(/system clock +2026-01-31T12:00:23\.84Z, 10\.50 s ahead\n/);
    expect(stdout).toMatch(/source +hybrid; 4 updates, the last 3\.34 s ago\n/);
    expect(stdout).toContain("\nClockDriftCritical: this machine's clock is 10.5 s ahead\n");
    expect(stdout).toMatch(/^peer +name +offset/m);
    expect(stdout).toMatch(/^ntp\.example +falseticker/m);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('--json is the whole report, --plot the history as a picture', async () => {
    const report = JSON.parse((await time('--json')).stdout);
    expect(report).toMatchObject({ state: 'synchronised', history: [{ outcome: 'stepped' }, {}] });
    const plot = await time('--plot');
    expect(plot.code).toBe(0);
    expect(plot.stdout).toMatch(/^ +\+10 s ┤SS$/m);
    expect(plot.stdout).toMatch(/^S {2}this machine's clock/m);
  });

  it.each([[['--plot', '--json']], [['--json', '--watch', '--plot']]])(
    '%s is exit 2: a picture is no JSON',
    async (flags) => {
      const { code, stdout, stderr } = await time(...flags);
      expect([code, stdout]).toEqual([2, '']);
      expect(JSON.parse(stderr)).toMatchObject({
        error: "option '--plot' cannot be used with option '--json'",
        exit_code: 2,
      });
    },
  );

  it('a node that is not there is exit 1, an address that is none exit 2, also with --watch', async () => {
    for (const flags of [[], ['--watch'], ['--plot']]) {
      const down = await althing(['time', '--rpc', '127.0.0.1:9', ...flags]);
      expect([down.code, down.stdout]).toEqual([1, '']);
      expect(down.stderr).toContain('no node answers at http://127.0.0.1:9');
    }
    const wrong = await althing(['time', '--rpc', 'no such node']);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('give host:port or a URL')]);
  });

  it('--watch shows it again every second, and ends with 0 at Ctrl-C', async () => {
    const { code, stdout } = await watched(
      [],
      () => {
        rpc.node.timeFacts = { state: 'holdingOver', alerts: [] };
      },
      /holding over[\s\S]*reliable/,
    );
    expect(code).toBe(0);
    expect(stdout.match(/^state/gm)).toHaveLength(2);
    expect(stdout).toMatch(/^state +synchronised by peers$[\s\S]*^state +holding over$/m);
    // Nothing of a terminal in a pipe.
    expect(stdout).not.toContain('\u001b');
  });

  it('--watch --json is one report a line', async () => {
    const { code, stdout } = await watched(['--json'], () => undefined, /\n[\s\S]*\n/);
    const lines = stdout.trim().split('\n');
    expect([code, lines.length]).toEqual([0, 2]);
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ state: 'synchronised' });
  });

  it('--watch outlives a node that fails for a while, and says so', async () => {
    const { time: report } = rpc.node;
    const { code, stdout, stderr } = await watched(
      [],
      () => {
        rpc.node.time = () => {
          rpc.node.time = report;
          throw new Error('starting anew');
        };
      },
      /starting anew[\s\S]*reliable/,
    );
    expect(code).toBe(0);
    expect(stderr).toBe('althing_time: starting anew\n');
    expect(stdout.match(/^state/gm)).toHaveLength(2);
  });
});
