/** The processes of a local network: one that dies is reported and can be brought back, none is left behind. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, LocalNetwork } from './support/local-network.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

let network: LocalNetwork;
beforeEach(async () => {
  network = await LocalNetwork.create();
  network.start();
});
afterEach(() => network.remove());

const readyPids = (): Promise<readonly number[]> =>
  eventually('all validators are up', 30_000, () => {
    const pids = network.events.filter(({ type }) => type === 'ready').map(({ pid }) => Number(pid));
    return pids.length === 4 ? pids : undefined;
  });

const heightsOf = (node: number): readonly number[] =>
  network.events.flatMap((event) =>
    event.type === 'block' && event.node === node ? [Number(event['height'])] : [],
  );

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('a validator that is killed', () => {
  it('is reported, the others go on, and `start --home` brings it back', async () => {
    const pids = await readyPids();
    process.kill(pids[1] ?? 0, 'SIGKILL');
    const report = await eventually('its end is reported', 5_000, () =>
      network.events.find(({ type }) => type === 'stopped'),
    );
    expect(report).toEqual({ type: 'stopped', node: 1, code: null, signal: 'SIGKILL' });
    const before = Math.max(0, ...heightsOf(0));
    await eventually('the others commit', 30_000, () =>
      Math.max(...heightsOf(0)) > before + 1 ? true : undefined,
    );

    const back = spawn(process.execPath, [MAIN, 'start', '--home', network.homeOf(1)], { stdio: 'ignore' });
    const goal = Math.max(...heightsOf(0));
    await eventually(
      'it has caught up',
      30_000,
      async () => ((await network.height(1)) ?? 0) >= goal || undefined,
    );
    const ended = new Promise((resolve) => back.once('exit', resolve));
    back.kill('SIGTERM');
    expect(await ended).toBe(0);
  });
});

describe('the network', () => {
  it('shows `ready` of all four before anything else', async () => {
    await readyPids();
    expect(network.events.slice(0, 4).map(({ type, node }) => [type, node])).toEqual(
      [0, 1, 2, 3].map((node) => ['ready', node]),
    );
  });

  it('leaves no validator behind when it is killed itself', async () => {
    const pids = await readyPids();
    network.kill();
    await eventually('all have ended', 10_000, () => (pids.some(isAlive) ? undefined : true));
  });
});
