/** The bridge on four real validators: the command, readiness and refusals, while validators die and return. BR-9, BR-10. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BRIDGE } from '../../src/cli/shapes.ts';
import { althing, eventually } from './support/local-network.ts';
import { Validators } from './support/validators.ts';

describe('the bridge of a validator', () => {
  let validators: Validators;
  beforeAll(async () => {
    validators = await Validators.create();
    for (const index of [0, 1, 2, 3]) validators.start(index);
  });
  afterAll(() => validators.remove());

  const rpcOf = (index: number): string => validators.network.rpcOf(index);
  const bridge = async (index = 0) => {
    const { code, stdout } = await althing('bridge', '--json', '--rpc', rpcOf(index));
    return code === 0 ? BRIDGE.parse(JSON.parse(stdout)) : undefined;
  };
  const reaches = (power: string) =>
    eventually(`validators of power ${power} can be reached`, 30_000, async () => {
      const report = await bridge();
      return report?.reachable_power === power ? report : undefined;
    });
  const ready = async () => (await fetch(`http://${rpcOf(0)}/readyz`)).json();
  const submit = async (text: string): Promise<unknown> => {
    const params = { tx: Buffer.from(text).toString('base64') };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'broadcast_tx_sync', params });
    const headers = { 'content-type': 'application/json' };
    return (await fetch(`http://${rpcOf(0)}/`, { method: 'POST', headers, body })).json();
  };

  it('is connected, and counts what is committed', async () => {
    const total = BigInt((await reaches('4')).reachable_power);
    expect(total).toBe(4n);
    const { code, stdout } = await althing('tx', 'name=ada', '--rpc', rpcOf(0));
    expect([code, stdout]).toEqual([0, expect.stringContaining('height')]);
    const report = await eventually('the operation has ended', 10_000, async () => {
      const read = await bridge();
      return read?.counts.committed === 1 ? read : undefined;
    });
    expect(report).toMatchObject({
      reach: 'connected',
      healthy: true,
      required_votes: '3',
      pending_operations: 0,
      counts: { submitted: 1, expired: 0, rejected: 0 },
      divergences: [],
    });
    expect(report.breakers.map(({ state }) => state)).toEqual(['closed', 'closed', 'closed']);
    const shown = await althing('bridge', '--rpc', rpcOf(0));
    expect(shown.stdout).toMatch(/^reach +connected$/m);
    expect(shown.stdout).toMatch(/^operations +0 pending of at most 10000$/m);
  });

  it('is in words and an exit code where it is used wrongly', async () => {
    const wrong = await althing('bridge', 'everything', '--rpc', rpcOf(0));
    expect([wrong.code !== 0, wrong.stderr]).toEqual([true, expect.stringContaining('too many arguments')]);
    const nobody = await althing('bridge', '--rpc', '127.0.0.1:1');
    expect([nobody.code !== 0, nobody.stdout]).toEqual([true, '']);
    expect(nobody.stderr).not.toMatch(/\n\s+at /);
  });

  it('with one validator dead goes on; with two refuses operations and says why; with one back takes them again', async () => {
    await validators.kill(3);
    expect(await reaches('3')).toMatchObject({ reach: 'connected', healthy: true });
    await validators.kill(2);
    const report = await reaches('2');
    expect(report).toMatchObject({
      reach: 'partitioned',
      partition: 'unreachable: validators with power 2 of 4 can be reached, 3 are needed',
      healthy: false,
    });
    expect(JSON.stringify(await submit('cut=off'))).toContain('PARTITIONED');
    expect(JSON.stringify(await ready())).toContain('reachable validators have power 2, a quorum needs 3');
    validators.start(2);
    await reaches('3');
    await eventually('an operation is taken again', 30_000, async () =>
      JSON.stringify(await submit(`back=${Math.random()}`)).includes('PARTITIONED') ? undefined : true,
    );
    expect((await bridge())?.healed_after_ms).toBeGreaterThan(0);
  });
});
