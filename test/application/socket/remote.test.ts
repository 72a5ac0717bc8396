/** Applications across a real socket: what goes in comes out, and what ends is told in words. Rules AP-1 to AP-8. */
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { transactionResult } from '../../../src/application/answers.ts';
import { kv } from '../../../src/application/kv/rules.ts';
import { rehearse } from '../../../src/application/rehearsal.ts';
import { remoteApplication } from '../../../src/application/socket/remote.ts';
import { serveApplication } from '../../../src/application/socket/serve.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import type {
  Application,
  BlockResult,
  FinalizeRequest,
  InitChainRequest,
} from '../../../src/protocol/ports/application.ts';
import { height } from '../../storage/fixtures.ts';
import { blockOf, CHAIN, GENESIS, Ground } from './rig.ts';

const ground = new Ground();
afterEach(() => ground.settle());
afterAll(() => ground.remove());

const HASH = digestOf(utf8('state'));
const SENDER = { id: 'æ'.repeat(64), sequence: 2n ** 64n - 1n, next: 0n, cost: 7n, funds: 2n ** 40n };

/** All that it was given, and answers with every field set. */
function full(given: unknown[] = []): Application {
  const results = (count: number) =>
    Array.from({ length: count }, (_, index) =>
      transactionResult({
        code: index,
        data: utf8(`data ${index}`),
        log: `læs ${'x'.repeat(index * 20)}`,
        codespace: 'own',
        gasWanted: 2n ** 63n - 1n,
        gasUsed: -1n,
        events: [{ type: 'did', attributes: [{ key: 'k', value: '…', index: true }] }],
      }),
    );
  return {
    info: () => ({
      name: 'full',
      version: '7',
      executed: { height: height(3), appHash: HASH },
      runsAhead: true,
    }),
    initChain(request: InitChainRequest) {
      given.push(request);
      return { appHash: HASH };
    },
    checkTx: (transaction) => ({
      code: transaction.length,
      log: 'l',
      codespace: 'c',
      priority: -(2n ** 40n),
      // Both forms: who is named, and nobody.
      ...(transaction.length % 2 === 0 ? { sender: SENDER } : {}),
    }),
    finalizeBlock(request: FinalizeRequest): BlockResult {
      given.push(request);
      const update = { consensusKey: utf8('c'), nodeKey: utf8('n'), possessionProof: utf8('p'), power: 5n };
      return {
        results: results(request.transactions.length),
        events: [{ type: 'block', attributes: [] }],
        validatorUpdates: [update],
        appHash: HASH,
      };
    },
    query: (path, data, at) => ({
      code: 0,
      log: path,
      codespace: '',
      key: data,
      value: utf8(String(at)),
      height: height(9),
    }),
  };
}

async function served(
  open: () => Application | Promise<Application>,
  options: Partial<Parameters<typeof serveApplication>[1]> = {},
) {
  const host = await serveApplication(open, { listen: `unix:${ground.path()}`, ...options });
  ground.finally(() => host.close());
  return host;
}

async function remote(
  address: string,
  options: Partial<Parameters<typeof remoteApplication>[0]> = {},
): Promise<Application> {
  const application = await remoteApplication({ address, chainId: CHAIN, ...options });
  ground.finally(() => application.close?.());
  return application;
}

describe('an application across a socket', () => {
  it.each(['unix', 'tcp'])('is asked and answers as in one process, every field: %s', async (kind) => {
    const [there, here]: [unknown[], unknown[]] = [[], []];
    const host = await served(() => full(there), kind === 'tcp' ? { listen: 'tcp:127.0.0.1:0' } : {});
    const far = await remote(host.address, { name: 'full' });
    const near = full(here);
    const validators = [
      { consensusKey: utf8('c'), nodeKey: utf8('n'), possessionProof: utf8('p'), power: 2n ** 60n },
    ];
    const block = { ...blockOf(5, [utf8('a'), utf8('b'.repeat(300)), utf8('c')]), storedHeight: height(4) };
    expect(await far.info()).toEqual(await near.info());
    expect(await far.initChain({ ...GENESIS, validators })).toEqual(
      await near.initChain({ ...GENESIS, validators }),
    );
    for (const text of ['four', 'three']) {
      expect(await far.checkTx(utf8(text))).toEqual(await near.checkTx(utf8(text)));
    }
    expect(await far.finalizeBlock(block)).toEqual(await near.finalizeBlock(block));
    expect(await far.finalizeBlock(blockOf(6, []))).toEqual(await near.finalizeBlock(blockOf(6, [])));
    expect(await far.query('/p', utf8('key'), height(8))).toEqual(
      await near.query('/p', utf8('key'), height(8)),
    );
    expect(await far.query('', utf8(''))).toEqual(await near.query('', utf8('')));
    expect(there).toEqual(here);
    expect([far.takeSnapshot, far.restoreSnapshot]).toEqual([undefined, undefined]);
  });

  it('proves what it has where the application proves, and has no proofs where it does not (AP-5)', async () => {
    const far = await remote((await served(() => kv())).address);
    const near = kv();
    await Promise.all([far.initChain(GENESIS), near.initChain(GENESIS)]);
    const block = blockOf(1, [utf8('a=1')]);
    await Promise.all([far.finalizeBlock(block), near.finalizeBlock(block)]);
    for (const key of ['a', 'b']) expect(await far.prove?.(utf8(key))).toEqual(await near.prove?.(utf8(key)));
    const without = await remote((await served(() => full([]))).address, { name: 'full' });
    expect(without.prove).toBeUndefined();
  });

  it('takes blocks and results larger than a part, in order (AP-2)', async () => {
    const transactions = Array.from({ length: 3_000 }, (_, index) => utf8(`${index}=`.padEnd(1_000, 'v')));
    const host = await served(() => kv());
    const far = await remote(host.address);
    const near = kv();
    await Promise.all([far.initChain(GENESIS), near.initChain(GENESIS)]);
    expect(await far.finalizeBlock(blockOf(1, transactions))).toEqual(
      await near.finalizeBlock(blockOf(1, transactions)),
    );
  });

  it('is fit for a chain when it is in process: each connection is a life', async () => {
    const host = await served(() => kv());
    const open = () => remoteApplication({ address: host.address, chainId: CHAIN });
    const blocks = [['a=1', 'b=2'], [], ['a=3', 'no']].map((block) => block.map(utf8));
    expect((await rehearse({ fresh: open, reopen: open, blocks })).problems).toEqual([]);
  });

  it('answers checks and queries while a block is executed', async () => {
    const block = Promise.withResolvers<BlockResult>();
    const host = await served(() => ({ ...full(), finalizeBlock: () => block.promise }));
    const far = await remote(host.address);
    const executing = far.finalizeBlock(blockOf(1, []));
    expect((await far.checkTx(utf8('abc'))).code).toBe(3);
    expect((await far.query('/x', utf8(''))).log).toBe('/x');
    block.resolve({ results: [], events: [], validatorUpdates: [], appHash: HASH });
    expect((await executing).appHash).toBe(HASH);
  });

  it('fails with the words of what it threw, and goes on', async () => {
    const host = await served(() => ({
      ...full(),
      checkTx: () => {
        throw new Error('no more paper');
      },
      query: () => Promise.reject(new Error('not today')),
    }));
    const far = await remote(host.address);
    await expect(far.checkTx(utf8('a'))).rejects.toThrow(/^no more paper$/);
    await expect(far.query('', utf8('a'))).rejects.toThrow(/^not today$/);
    expect((await far.info()).name).toBe('full');
  });

  it('tells too few results from none: the executor counts them', async () => {
    const host = await served(() => ({
      ...full(),
      finalizeBlock: () => ({ results: [], events: [], validatorUpdates: [], appHash: HASH }),
    }));
    expect((await (await remote(host.address)).finalizeBlock(blockOf(1, [utf8('a')]))).results).toEqual([]);
  });
});

describe('snapshots across a socket (AP-7)', () => {
  const chunks = ['one', 'two', 'three'].map(utf8);
  const snapshot = { executed: { height: height(3), appHash: HASH }, format: 2 };

  it('are read a chunk at a time, at the pace of the reader', async () => {
    let given = 0;
    const host = await served(() => ({
      ...full(),
      takeSnapshot: () => ({
        ...snapshot,
        chunks: (function* () {
          for (const chunk of chunks) {
            given += 1;
            yield chunk;
          }
        })(),
      }),
    }));
    const taken = await (await remote(host.address)).takeSnapshot?.();
    expect(taken).toMatchObject(snapshot);
    const seen: number[] = [];
    for await (const chunk of taken?.chunks ?? []) {
      seen.push(given, chunk.length);
    }
    expect(seen).toEqual([1, 3, 2, 3, 3, 5]);
  });

  it('are let go of where the reader leaves, and with the connection', async () => {
    const left: string[] = [];
    const endless = (name: string) =>
      (async function* () {
        try {
          for (;;) yield utf8(name);
        } finally {
          left.push(name);
        }
      })();
    let count = 0;
    const host = await served(() => ({
      ...full(),
      takeSnapshot: () => ({ ...snapshot, chunks: endless(String(++count)) }),
    }));
    const far = await remote(host.address);
    for await (const _ of (await far.takeSnapshot?.())?.chunks ?? []) break;
    expect(left).toEqual(['1']);
    const second = await far.takeSnapshot?.();
    if (second === undefined || !(Symbol.asyncIterator in second.chunks)) throw new Error('no chunks');
    await second.chunks[Symbol.asyncIterator]().next();
    await far.close?.();
    await host.close();
    expect(left).toEqual(['1', '2']);
  });

  it('are refused beyond four at a time; undefined is "not now"', async () => {
    let isNow = true;
    const host = await served(() => ({
      ...full(),
      takeSnapshot: () => (isNow ? { ...snapshot, chunks } : undefined),
    }));
    const far = await remote(host.address);
    for (let index = 0; index < 4; index += 1) await far.takeSnapshot?.();
    await expect(far.takeSnapshot?.()).rejects.toThrow('4 snapshots are being read: leave one');
    const again = await remoteAfterClose(far, host.address);
    isNow = false;
    expect(await again.takeSnapshot?.()).toBeUndefined();
  });

  const remoteAfterClose = async (far: Application, address: string) => {
    await far.close?.();
    return remote(address);
  };

  const restoring = (read: (chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) => Promise<void>) =>
    served(() => ({ ...full(), restoreSnapshot: (_offer, given) => read(given) }));

  it('are restored from chunks that the application asks for, one at a time', async () => {
    const got: string[] = [];
    let given = 0;
    const host = await restoring(async (all) => {
      for await (const chunk of all) {
        got.push(`${Buffer.from(chunk)} of ${given}`);
      }
    });
    const far = await remote(host.address);
    await far.restoreSnapshot?.(
      { height: height(3), format: 2 },
      (async function* () {
        for (const chunk of chunks) {
          given += 1;
          yield chunk;
        }
      })(),
    );
    expect(got).toEqual(['one of 1', 'two of 2', 'three of 3']);
  });

  it('end for both when one of them leaves or throws', async () => {
    let isLeft = false;
    const endless = async function* () {
      try {
        for (;;) yield utf8('x');
      } finally {
        isLeft = true;
      }
    };
    const leaving = await restoring(async (all) => {
      for await (const _ of all) break;
    });
    await (await remote(leaving.address)).restoreSnapshot?.({ height: height(3), format: 2 }, endless());
    expect(isLeft).toBe(true);
    isLeft = false;
    const throwing = await restoring(async (all) => {
      for await (const _ of all) throw new Error('cannot be read');
    });
    const far = await remote(throwing.address);
    await expect(far.restoreSnapshot?.({ height: height(3), format: 2 }, endless())).rejects.toThrow(
      'cannot be read',
    );
    expect(isLeft).toBe(true);
    const reading = await restoring(async (all) => {
      for await (const _ of all);
    });
    const broken = async function* () {
      yield utf8('x');
      throw new Error('the peer is gone');
    };
    await expect(
      (await remote(reading.address)).restoreSnapshot?.({ height: height(3), format: 2 }, broken()),
    ).rejects.toThrow('the peer is gone');
  });
});

describe('the opening (AP-1, AP-5)', () => {
  const opening = (options: Partial<Parameters<typeof remoteApplication>[0]>) =>
    remoteApplication({ address: `unix:${ground.path()}`, chainId: CHAIN, ...options });

  it('says where nobody listens', async () => {
    await expect(opening({})).rejects.toThrow(
      /^unix:.*app\d+\.sock: nobody listens there \(ENOENT\): start the application/,
    );
    await expect(opening({ address: 'tcp:127.0.0.1:1' })).rejects.toThrow(
      'tcp:127.0.0.1:1: nobody listens there (ECONNREFUSED)',
    );
  });

  it.each([
    'tcp:10.0.0.1:5',
    'tcp:localhost:5',
    'tcp:127.0.0.1:70000',
    'tcp:127.0.0.256:5',
    'unix:app.sock',
    'app.sock',
    `unix:/${'x'.repeat(103)}`,
    '',
  ])('refuses an address that is not of this machine alone: %s', async (address) => {
    await expect(opening({ address })).rejects.toThrow(`"${address}" is no address of an application: give`);
  });

  it('refuses an application of another name', async () => {
    const host = await served(() => full());
    await expect(opening({ address: host.address, name: 'kv' })).rejects.toThrow(
      /"full" listens there, and the genesis \(app.name\) names "kv"/,
    );
    await expect(remote(host.address)).resolves.toBeDefined();
  });

  it('ends with its signal, whatever the application does', async () => {
    const controller = new AbortController();
    const opened = Promise.withResolvers<Application>();
    const host = await served(() => opened.promise);
    ground.finally(() => opened.resolve(full()));
    const pending = opening({ address: host.address, signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(pending).rejects.toThrow('the node has given it up');
  });
});
