/**
 * Four validators under load, the application of one of them in a process of its own: it is killed, stopped, and gives its place
 * to one that answers nonsense. The chain goes on meanwhile, the node catches up, and all have one state. Rules EX-4, EX-5, AP-8.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApplicationProcess } from '../application/socket/process.ts';
import { RawPeer } from '../application/socket/rig.ts';
import { Load } from './support/load.ts';
import { eventually } from './support/local-network.ts';
import { Validators } from './support/validators.ts';

const OWN = 1;
const OTHERS = [0, 2, 3];

let validators: Validators;
let application: ApplicationProcess;
let load: Load;

const heightOf = async (index: number): Promise<number> => (await validators.network.height(index)) ?? 0;

/** Where a node's application stands, as it says itself. */
async function standingOf(
  index: number,
): Promise<{ readonly height: number; readonly hash: string } | undefined> {
  const info = await validators.network.call(index, 'abci_info');
  const response = info?.response;
  if (response === undefined) return undefined;
  return { height: Number(response.last_block_height), hash: String(response.last_block_app_hash) };
}

/** The others commit so many blocks more. */
async function chainGoesOn(blocks: number): Promise<void> {
  const from = await heightOf(0);
  await eventually('the chain goes on', 60_000, async () =>
    (await heightOf(0)) >= from + blocks ? true : undefined,
  );
}

async function caughtUp(): Promise<void> {
  const target = (await standingOf(0))?.height ?? 0;
  expect(target).toBeGreaterThan(0);
  await eventually('its application has executed what the others have', 120_000, async () =>
    ((await standingOf(OWN))?.height ?? 0) >= target ? true : undefined,
  );
}

beforeAll(async () => {
  validators = await Validators.create({
    launch: (index, network) =>
      index === OWN
        ? { env: { ALTHING_APPLICATION__ADDRESS: `unix:${join(network.directory, 'app.sock')}` } }
        : {},
  });
  const { directory } = validators.network;
  application = new ApplicationProcess(
    `unix:${join(directory, 'app.sock')}`,
    'kv',
    '--dir',
    join(directory, 'app'),
  );
  await application.start();
  for (const index of [OWN, ...OTHERS]) validators.start(index);
  await eventually('all have executed a block', 60_000, async () =>
    (await Promise.all([OWN, ...OTHERS].map(standingOf))).every((one) => (one?.height ?? 0) > 0)
      ? true
      : undefined,
  );
  load = new Load(validators.network, [OWN, ...OTHERS]);
});
afterAll(async () => {
  await load?.stop();
  await validators?.remove();
  await application?.end();
});

describe('a validator whose application is in a process of its own', () => {
  it('executes the load; kill -9 in the middle of it stops neither the chain nor the node, which catches up', async () => {
    await chainGoesOn(20);
    await application.end('SIGKILL');
    await chainGoesOn(20);
    expect(validators.runs(OWN)).toBe(true);
    await application.start();
    await caughtUp();
    expect(validators.stderr).toContain('nobody listens there (ECONNREFUSED)');
  });

  it('waits while it is stopped, and goes on when it continues', async () => {
    application.signal('SIGSTOP');
    await chainGoesOn(20);
    await eventually('the node says so, long before it gives the call up (EX-5)', 20_000, async () => {
      const answer = await fetch(`http://${validators.network.rpcOf(OWN)}/readyz`);
      return /not answered for [0-9]+ s \(finalizeBlock/.test(await answer.text()) ? true : undefined;
    });
    application.signal('SIGCONT');
    await caughtUp();
  });

  it('survives the node: killed and started again, it is served from where the application stands', async () => {
    await validators.kill(OWN);
    await chainGoesOn(10);
    validators.start(OWN);
    await caughtUp();
    expect(application.lines.filter((line) => line.endsWith('is served')).length).toBeGreaterThan(1);
  });

  it('executes nothing of what answers nonsense, says so, and goes on with the right one', async () => {
    await application.end('SIGTERM');
    const liars = await lie(application.address);
    await chainGoesOn(20);
    await eventually('the node says so', 60_000, () =>
      validators.stderr.includes('nonsense for info') ? true : undefined,
    );
    expect(validators.runs(OWN)).toBe(true);
    await liars.close();
    await application.start();
    await caughtUp();
  });

  it('has the state of all others, and every acknowledged pair', async () => {
    await load.stop();
    expect(load.acknowledged.length).toBeGreaterThan(50);
    const keys = load.acknowledged.slice(-100);
    for (const index of [OWN, 0]) {
      await eventually(`validator ${index} has them`, 60_000, async () => {
        const values = await validators.network.values(index, keys);
        return values.every((value, at) => value === load.valueOf(keys[at] ?? '')) ? true : undefined;
      });
    }
    // Empty blocks leave the state as it is.
    await sleep(1_500);
    const hashes = new Set<string | undefined>();
    for (const index of [OWN, ...OTHERS]) hashes.add((await standingOf(index))?.hash);
    expect([...hashes]).toEqual([expect.stringMatching(/.{10}/)]);
  });
});

/** Greets as it should, and then answers everything with a number. */
async function lie(address: string): Promise<{ close(): Promise<void> }> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    const peer = new RawPeer(socket);
    peer.onFrame = ({ kind, id }) => {
      if (kind === 'greeting') peer.send('greeting', 0, ['althing-application', 2, []]);
      else peer.send('answer', id, 7);
    };
  });
  await new Promise<void>((resolve) => server.listen(address.slice('unix:'.length), resolve));
  return {
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
