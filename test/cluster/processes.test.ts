/** The processes of a local network: one that dies is reported and can be brought back, none is left behind. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, LocalNetwork, type NetworkEvent } from './support/local-network.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

let network: LocalNetwork;
/** Process ids out of the one `ready` line. */
const pidsOf = (events: readonly NetworkEvent[]): readonly number[] => {
  const ready = events.find(({ type }) => type === 'ready');
  const nodes: readonly { readonly pid: number }[] = Object(ready?.['nodes'] ?? []);
  return nodes.map(({ pid }) => pid);
};

const readyPids = (): Promise<readonly number[]> =>
  eventually('all validators are up', 30_000, () => {
    const pids = pidsOf(network.events);
    return pids.length === 4 ? pids : undefined;
  });

const heightsOf = (node: number): readonly number[] =>
  network.events.flatMap((event) =>
    event.type === 'block' && event['node'] === node ? [Number(event['height'])] : [],
  );

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('a validator that is killed', () => {
  beforeEach(async () => {
    network = await LocalNetwork.create();
    network.start();
  });
  afterEach(() => network.remove());

  it('is reported, the others go on, and `start --home` brings it back', async () => {
    const pids = await readyPids();
    expect(network.events[0]?.type).toBe('ready');
    process.kill(pids[1] ?? 0, 'SIGKILL');
    const report = await eventually('its end is reported', 5_000, () =>
      network.events.find(({ type }) => type === 'stopped'),
    );
    expect(report).toEqual({
      type: 'stopped',
      node: 1,
      code: null,
      signal: 'SIGKILL',
      reason: 'killed by SIGKILL',
    });
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
  it('leaves no validator behind when it is killed itself', async () => {
    const own = await LocalNetwork.create();
    const words = [MAIN, '--json', '--data', own.directory, '--base-port', String(own.basePort)];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    const events: NetworkEvent[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => events.push(JSON.parse(line)));
    await eventually('all validators are up', 30_000, () => pidsOf(events).length === 4 || undefined);
    const pids = pidsOf(events);
    child.kill('SIGKILL');
    await eventually('all have ended', 10_000, () => !pids.some(isAlive) || undefined);
    await own.remove();
  });
});
