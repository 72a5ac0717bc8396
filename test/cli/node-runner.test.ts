import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RUNNER_EVENT, type RunnerEvent } from '../../src/cli/node-events.ts';
import { runNode, type StartNode } from '../../src/cli/node-runner.ts';
import { StartRefused } from '../../src/node/config/start-refused.ts';
import type { NodeEnd } from '../../src/node/start.ts';
import { MemoryNode } from '../rpc/memory-node.ts';
import { heightOf, progressOf } from '../rpc/sync-report.ts';

let home = '';
beforeAll(() => {
  home = mkdtempSync(`${tmpdir()}/althing-runner-`);
});
afterAll(() => rmSync(home, { recursive: true }));

/** A node that runs until it is stopped or ended. */
function runningNode() {
  const { promise, resolve } = Promise.withResolvers<NodeEnd>();
  const node = {
    port: new MemoryNode(),
    ended: promise,
    end: resolve,
    inspectorUrl: () => undefined,
    disturb: () => undefined,
    stops: 0,
    stop: async () => {
      node.stops += 1;
      resolve({ kind: 'stopped' });
    },
  };
  return node;
}

function run(startNode: StartNode, overrides = [{ path: 'log.level', text: 'silent', flag: '--set' }]) {
  const events: RunnerEvent[] = [];
  const controller = new AbortController();
  const exit = runNode(
    { home, overrides, signal: controller.signal, emit: (event) => events.push(event) },
    startNode,
  );
  return { events, controller, exit };
}

describe('a node in this process', () => {
  it('is started with the resolved configuration, tells its events, and ends with 0 when stopped', async () => {
    const node = runningNode();
    const { events, controller, exit } = run(async (at, config) => {
      expect([at, config.log.level]).toEqual([home, 'silent']);
      return node;
    });
    await expect.poll(() => events.length).toBeGreaterThan(0);
    await node.port.submit([Buffer.from('a=1')]);
    node.port.emitViewChange();
    await expect.poll(() => events.map(({ type }) => type)).toContain('progress');
    controller.abort('SIGTERM');
    expect(await exit).toBe(0);
    expect(node.stops).toBe(1);
    expect(events.map((event) => RUNNER_EVENT.parse(JSON.parse(JSON.stringify(event))))).toEqual(events);
    expect(events.filter(({ type }) => type !== 'progress')).toEqual([
      expect.objectContaining({ type: 'ready', rpc_address: '127.0.0.1:26657', pid: process.pid }),
      expect.objectContaining({ type: 'block', height: 1, transactions: 1 }),
      expect.objectContaining({ type: 'view-change', epoch: 0, reason: 'LeaderTimeout', duration_ms: 412 }),
      { type: 'stopped', reason: 'stopped' },
    ]);
  });

  it('starts again, on its new chain, when that has become whole (SY-9); the second start is told as the first', async () => {
    const nodes = [runningNode(), runningNode()];
    const [first, second] = nodes;
    let starts = 0;
    const { events, exit, controller } = run(async () => {
      const node = nodes[starts];
      starts += 1;
      if (node === undefined) throw new Error('a third start');
      return node;
    });
    first?.end({ kind: 'resynced', height: heightOf(9) });
    await expect.poll(() => events.filter(({ type }) => type === 'ready')).toHaveLength(2);
    expect(events).toContainEqual({
      type: 'stopped',
      reason: expect.stringContaining('new chain of 9 blocks'),
    });
    controller.abort('SIGINT');
    expect([await exit, starts, first?.stops, second?.stops]).toEqual([0, 2, 0, 1]);
  });

  it('tells its progress with what makes a bar, while there is any (SY-11)', async () => {
    const node = runningNode();
    node.port.syncFacts = { progress: progressOf({ remaining: undefined }) };
    const { events, exit } = run(async () => node);
    const progress = () => events.findLast((event) => event.type === 'progress');
    await expect.poll(progress).toMatchObject({
      catching_up: { tier: 2, from: '2345', at: '8645', to: '12345', remaining_ms: null },
    });
    node.port.syncFacts = {};
    await expect.poll(() => Object.hasOwn(progress() ?? {}, 'catching_up')).toBe(false);
    await node.stop();
    expect(await exit).toBe(0);
  });

  it('is stopped at once when the signal came while it was starting', async () => {
    const node = runningNode();
    const started = Promise.withResolvers<typeof node>();
    const { controller, exit } = run(() => started.promise);
    controller.abort('SIGINT');
    started.resolve(node);
    expect([await exit, node.stops]).toEqual([0, 1]);
  });

  it.each([
    [{ kind: 'failed', detail: 'disk full' }, 1],
    [{ kind: 'store-corrupt', detail: 'row 7' }, 4],
    [{ kind: 'safety-violation', detail: 'two commit proofs at height 9' }, 5],
  ] as const)('that ends by itself with %j has its own exit code', async (end, exitCode) => {
    const node = runningNode();
    const { exit } = run(async () => node);
    node.end(end);
    await expect(exit).rejects.toMatchObject({ exitCode, message: expect.stringContaining(end.detail) });
  });

  it.each([
    ['config', 3],
    ['store', 4],
    ['safety', 5],
  ] as const)('that refuses to start for its %s has exit code %i', async (kind, exitCode) => {
    const { exit } = run(async () => {
      throw new StartRefused(kind, [
        { where: 'genesis.json', message: 'validators = missing: must be a list' },
      ]);
    });
    await expect(exit).rejects.toMatchObject({
      exitCode,
      message: 'genesis.json: validators = missing: must be a list',
    });
  });

  it('whose port is taken is exit code 2, naming the address', async () => {
    const holder = createServer();
    const port = await new Promise<number>((resolve) => {
      holder.listen(0, '127.0.0.1', () => {
        const address = holder.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    const { exit } = run(
      () =>
        new Promise((_, reject) => {
          createServer().once('error', reject).listen(port, '127.0.0.1');
        }),
    );
    await expect(exit).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining(`127.0.0.1:${port} is in use`),
    });
    holder.close();
  });

  it('whose host nobody knows is exit code 2, naming it', async () => {
    const error = new Error('getaddrinfo ENOTFOUND nobody.invalid');
    const { exit } = run(() =>
      Promise.reject(Object.assign(error, { code: 'ENOTFOUND', hostname: 'nobody.invalid' })),
    );
    await expect(exit).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('cannot listen on nobody.invalid (ENOTFOUND)'),
    });
  });

  it('is not started with a wrong configuration', async () => {
    const { exit } = run(
      async () => runningNode(),
      [{ path: 'log.level', text: 'loud', flag: '--log-level' }],
    );
    await expect(exit).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(/^--log-level: log\.level = "loud"/),
    });
  });
});
