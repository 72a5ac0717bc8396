/** The application's side: one node at a time, nonsense answered with words, a life for each connection. Rules AP-3 to AP-8. */
import { spawn } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { kv } from '../../../src/application/kv/rules.ts';
import { remoteApplication } from '../../../src/application/socket/remote.ts';
import { serveApplication } from '../../../src/application/socket/serve.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import type { Application } from '../../../src/protocol/ports/application.ts';
import { blockOf, CHAIN, GENESIS, Ground, rawClient, rawNode } from './rig.ts';

const ground = new Ground();
afterEach(() => ground.settle());
afterAll(() => ground.remove());

async function serving(open: () => Application | Promise<Application> = () => kv(), chainId?: string) {
  const path = ground.path();
  const words: string[] = [];
  const chain = chainId === undefined ? {} : { chainId };
  const host = await serveApplication(open, {
    listen: `unix:${path}`,
    report: (line) => words.push(line),
    ...chain,
  });
  ground.finally(() => host.close());
  return { path, host, words, address: host.address };
}

const opening = (address: string, chainId = CHAIN) => remoteApplication({ address, chainId });

describe('nodes that come (AP-5, AP-8)', () => {
  it('are served one at a time: a second is told so, and served when the first is gone', async () => {
    const { address, words } = await serving();
    const first = await opening(address);
    await expect(opening(address)).rejects.toThrow(
      /it refuses this node: another node is served: one application has one node/,
    );
    expect((await first.info()).name).toBe('kv');
    await first.close?.();
    const second = await opening(address);
    expect((await second.info()).executed.height).toBe(0);
    await second.close?.();
    expect(words).toContain('a node of "socket-chain" is served');
  });

  it('find the application opened anew, when the last life of it has ended: two never overlap', async () => {
    const lives: string[] = [];
    const block = Promise.withResolvers<void>();
    let count = 0;
    const { address } = await serving(() => {
      const life = ++count;
      lives.push(`open ${life}`);
      const application = kv();
      return {
        info: () => application.info(),
        initChain: (genesis) => application.initChain(genesis),
        checkTx: (transaction) => application.checkTx(transaction),
        query: (path, data) => application.query(path, data),
        async finalizeBlock(request) {
          await block.promise;
          lives.push(`executed in ${life}`);
          return application.finalizeBlock(request);
        },
        close: () => void lives.push(`close ${life}`),
      };
    });
    const first = await opening(address);
    await first.initChain(GENESIS);
    const executing = Promise.resolve(first.finalizeBlock(blockOf(1, []))).catch(() => 'lost');
    await first.info();
    await first.close?.();
    expect(await executing).toBe('lost');
    const second = opening(address);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(lives).toEqual(['open 1']);
    block.resolve();
    expect((await (await second).info()).executed.height).toBe(0);
    expect(lives).toEqual(['open 1', 'executed in 1', 'close 1', 'open 2']);
    await (await second).close?.();
  });

  it('of another chain are refused: of the first one served, or of the one given', async () => {
    const { address } = await serving();
    await (await opening(address)).close?.();
    await expect(opening(address, 'other')).rejects.toThrow(
      /serves the chain "socket-chain", and a node of "other" asks/,
    );
    const given = await serving(() => kv(), 'mine');
    await expect(opening(given.address)).rejects.toThrow(/serves the chain "mine"/);
  });

  it('are told when the application cannot be opened, and tried again', async () => {
    let isBroken = true;
    const { address } = await serving(() => {
      if (isBroken) throw new Error('kv.db is locked');
      return kv();
    });
    await expect(opening(address)).rejects.toThrow('the application cannot be opened: kv.db is locked');
    isBroken = false;
    await (await opening(address)).close?.();
  });
});

describe('an application that answers nonsense (AP-4, EX-5)', () => {
  it('fails that request with the field and the value, and no other', async () => {
    const near = kv();
    const untyped = (value: unknown) => value as never;
    const { address } = await serving(() => ({
      ...{ info: () => near.info(), initChain: () => untyped(undefined), query: () => untyped({ code: -1 }) },
      checkTx: () => untyped({ code: 0, log: '', codespace: '', priority: 7 }),
      finalizeBlock: () => Promise.resolve(untyped({ results: 'none' })),
      takeSnapshot: () => untyped({ executed: {} }),
    }));
    const far = await opening(address);
    await expect(far.initChain(GENESIS)).rejects.toThrow('nonsense: an object is needed, not undefined');
    await expect(far.checkTx(utf8('a'))).rejects.toThrow('nonsense: priority: a bigint is needed, not 7');
    await expect(far.query('', utf8('a'))).rejects.toThrow('nonsense: code: -1 is not a whole number');
    await expect(far.finalizeBlock(blockOf(1, []))).rejects.toThrow(
      'nonsense: results: a list is needed, not "none"',
    );
    await expect(far.takeSnapshot?.()).rejects.toThrow('nonsense: executed.height: a number is needed');
    expect((await far.info()).name).toBe('kv');
    await far.close?.();
  });
});

const HASH = new Uint8Array(32);

describe('nonsense from a node (AP-3)', () => {
  it.each<[string, (peer: Awaited<ReturnType<typeof rawNode>>) => void, RegExp]>([
    [
      'a second greeting',
      (peer) => peer.send('greeting', 0, ['althing-application', 2, CHAIN]),
      /a node sends no greeting/,
    ],
    ['an answer', (peer) => peer.send('answer', 1, null), /a node sends no answer/],
    [
      'transactions of no block',
      (peer) => peer.send('transactions', 5, []),
      /transactions of request 5, which is no block/,
    ],
    [
      'more transactions than were announced',
      (peer) => {
        peer.send('finalizeBlock', 1, [1, HASH, 0, new Uint8Array(20), HASH, null, null, 1]);
        peer.send('transactions', 1, [utf8('a'), utf8('b')]);
      },
      /transactions: 2 values are announced at byte \d+, where at most 1 may be/,
    ],
    [
      'a block within a block',
      (peer) => {
        for (const id of [1, 2])
          peer.send('finalizeBlock', id, [1, HASH, 0, new Uint8Array(20), HASH, null, null, 1]);
      },
      /a block begins before all transactions of the last have come/,
    ],
    [
      'a chunk of no snapshot',
      (peer) => peer.send('chunk', 3, utf8('x')),
      /a chunk for request 3, which restores no snapshot/,
    ],
    [
      'an appState that is not JSON',
      (peer) => peer.send('initChain', 1, [CHAIN, new Uint8Array(32), 0, [], '{']),
      /appState is not JSON/,
    ],
    [
      'a proposer of 19 bytes',
      (peer) => peer.send('finalizeBlock', 1, [1, HASH, 0, new Uint8Array(19), HASH, null, null, 0]),
      /proposer: 19 bytes at byte \d+, 20 are needed/,
    ],
  ])('is refused with words, and the next node is served: %s', async (_name, act, words) => {
    const { path, address } = await serving();
    const peer = await rawNode(ground, path);
    act(peer);
    expect(await peer.refusal()).toMatch(words);
    await (await opening(address)).close?.();
  });

  it('takes any bytes for what they are, and serves on (seeded)', async () => {
    const { path, address } = await serving();
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.boolean(),
        async (bytes, hasGreeted) => {
          const peer = await (hasGreeted ? rawNode(ground, path) : rawClient(ground, path));
          peer.write(Uint8Array.of(0, 0, 0, bytes.length), bytes);
          peer.socket.end();
          await peer.closed;
        },
      ),
      { numRuns: 150 },
    );
    const far = await opening(address);
    expect((await far.info()).name).toBe('kv');
    await far.close?.();
  });

  it('lets requests wait for a node that does not read, and answers them all when it does', async () => {
    const value = new Uint8Array(1_048_576);
    let asked = 0;
    const { path } = await serving(() => {
      const application = kv();
      return {
        ...{ info: () => application.info(), initChain: (genesis) => application.initChain(genesis) },
        ...{
          checkTx: (transaction) => application.checkTx(transaction),
          finalizeBlock: (request) => application.finalizeBlock(request),
        },
        query: () => {
          asked += 1;
          return { code: 0, log: '', codespace: '', key: utf8(''), value, height: blockOf(1, []).height };
        },
      };
    });
    const peer = await rawNode(ground, path);
    peer.socket.pause();
    const filler = new Uint8Array(65_536);
    for (let id = 1; id <= 100; id += 1) peer.send('query', id, ['', filler, null]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(asked).toBeLessThan(60);
    const all = new Promise<void>((resolve) => {
      let count = 0;
      peer.onFrame = () => (++count === 100 ? resolve() : undefined);
    });
    peer.socket.resume();
    await all;
    expect(asked).toBe(100);
  });
});

describe('the place where it listens (AP-1)', () => {
  it('is a file for this user alone, which goes with it', async () => {
    const { path, host } = await serving();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await host.close();
    expect(existsSync(path)).toBe(false);
  });

  it('is not taken from somebody who listens, nor is a file that is no socket', async () => {
    const { address } = await serving();
    await expect(serveApplication(() => kv(), { listen: address })).rejects.toThrow(
      `somebody listens at ${address} already`,
    );
    const path = ground.path();
    writeFileSync(path, 'precious');
    await expect(serveApplication(() => kv(), { listen: `unix:${path}` })).rejects.toThrow(
      'is a file and no socket: delete it',
    );
    expect(existsSync(path)).toBe(true);
    await expect(
      serveApplication(() => kv(), { listen: `unix:${ground.dir}/none/app.sock` }),
    ).rejects.toThrow(`app.sock: there is no folder ${ground.dir}/none; make it`);
  });

  it('is taken over from a process that was killed', async () => {
    const path = ground.path();
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    expect(existsSync(path)).toBe(true);
    const host = await serveApplication(() => kv(), { listen: `unix:${path}` });
    await (await opening(host.address)).close?.();
    await host.close();
  });

  it('says which TCP address is in use', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    await expect(serveApplication(() => kv(), { listen: `tcp:127.0.0.1:${port}` })).rejects.toThrow(
      `somebody listens at tcp:127.0.0.1:${port} already`,
    );
    await new Promise((resolve) => server.close(resolve));
  });
});
