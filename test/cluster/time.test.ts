/** What people see of time on four real validators: the command, the metrics and the readiness of each. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TIME } from '../../src/cli/shapes.ts';
import { althing, eventually, LocalNetwork } from './support/local-network.ts';

const VALIDATORS = [0, 1, 2, 3];

describe('time on a local network', () => {
  let network: LocalNetwork;
  beforeAll(async () => {
    network = await LocalNetwork.create();
    network.start();
  });
  afterAll(() => network.remove());

  it('is acquired from the peers by every validator, which hears each other one (TM-4)', async () => {
    for (const index of VALIDATORS) {
      const report = await eventually(`validator ${index} has heard all others`, 30_000, async () => {
        const { code, stdout } = await althing('time', '--json', '--rpc', network.rpcOf(index));
        const read = code === 0 ? TIME.parse(JSON.parse(stdout)) : undefined;
        return read?.peers.every(({ is_synchronised: synchronised }) => synchronised) ? read : undefined;
      });
      expect(report).toMatchObject({
        state: 'synchronised',
        led_by: 'peers',
        may_propose: true,
        servers: [],
      });
      expect(report.peers.map(({ name }) => name).sort()).toEqual(
        VALIDATORS.filter((other) => other !== index).map((other) => `node${other}`),
      );
      for (const { offset_ms: offset } of report.peers) {
        expect(Math.abs(offset ?? Number.NaN)).toBeLessThan(100);
      }
      expect(report.history.length).toBeGreaterThan(0);
      // One clock for all of them: adjusted time is near it.
      expect(Math.abs(report.system_offset_ms)).toBeLessThan(100);
      expect(Math.abs(Date.parse(report.adjusted_time) - Date.now())).toBeLessThan(10_000);
    }
  });

  it('is in the table, the plot, the status and the metrics of a node', async () => {
    const rpc = ['--rpc', network.rpcOf(0)];
    expect((await althing('time', ...rpc)).stdout).toMatch(/^state +synchronised by peers$/m);
    expect((await althing('time', '--plot', ...rpc)).stdout).toMatch(/^a {2}node\d [0-9A-F]{8} /m);
    expect((await althing('status', ...rpc)).stdout).toMatch(/^time +synchronised by peers, ±\d/m);
    const metrics = await (await fetch(`http://${network.rpcOf(0)}/metrics`)).text();
    expect(metrics).toMatch(/^althing_time_state\{state="synchronised"\} 1$/m);
    expect(metrics).toMatch(/^althing_time_updates_total\{source="peers"\} [1-9]/m);
    const ready = await fetch(`http://${network.rpcOf(0)}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready', reasons: [] }]);
  });
});
