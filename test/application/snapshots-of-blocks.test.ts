import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import {
  child,
  createSystem,
  handler,
  type Message,
  realClock,
  supervisor,
} from '../../src/actors/runtime/index.ts';
import { EXECUTOR_EVENTS, executorLogic } from '../../src/application/executor.ts';
import { kv } from '../../src/application/kv/rules.ts';
import { SnapshotFolder } from '../../src/application/snapshot-folder.ts';
import {
  SNAPSHOT_KEEPER_EVENTS,
  type SnapshotReport,
  snapshotKeeperLogic,
} from '../../src/application/snapshot-keeper.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { seededRandom } from '../../src/base/random.ts';
import { millis } from '../../src/base/units.ts';
import type { Application } from '../../src/protocol/ports/application.ts';
import type { BlockResults, ExecutionReply } from '../../src/protocol/ports/execution.ts';
import { memoryDisk } from '../../src/storage/memory-store.ts';
import { STORAGE_EVENTS, storageLogic } from '../../src/storage/storage-actor.ts';
import { committed, IDENTITY, write } from '../storage/fixtures.ts';
import { chainTo, GENESIS, type Made } from './chain-of-kv.ts';
import { LIMITS } from './lives.ts';

const folders: string[] = [];
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true });
});

async function started(openApplication: () => Application, intervalHeights: number) {
  const home = mkdtempSync(join(tmpdir(), 'althing-snapshots-'));
  folders.push(home);
  const dir = join(home, 'snapshots');
  const store = memoryDisk(IDENTITY).open();
  const executed: BlockResults[] = [];
  const failures: ExecutionReply[] = [];
  const reports: SnapshotReport[] = [];
  const listener = handler<undefined, ExecutionReply>({
    init: () => undefined,
    receive: (message) => {
      if (message.type === 'results.persisted') executed.push(message);
      if (message.type === 'execution.failed') failures.push(message);
    },
  });
  const executor = executorLogic({
    openApplication,
    genesis: GENESIS,
    limits: LIMITS,
    deduplicationHeights: 3,
    setFor: () => undefined,
    storage: 'node/storage',
    mempool: 'node/mempool',
    listeners: ['node/listener'],
    servers: ['node/listener'],
    times: { retryMin: millis(10) },
    snapshots: { keeper: 'node/snapshot-keeper', intervalHeights },
  });
  const keeper = snapshotKeeperLogic({
    dir,
    executor: 'node/executor',
    storage: 'node/storage',
    lookEvery: millis(15),
    report: (report) => reports.push(report),
  });
  const system = createSystem({ name: 'node', clock: realClock(), random: seededRandom('node') });
  const root = system.start(
    child(
      'node',
      supervisor({
        children: [
          child('storage', storageLogic({ store, routerAddress: 'node/nobody' }), {
            publicEvents: STORAGE_EVENTS,
          }),
          child('mempool', handler<undefined, Message>({ init: () => undefined, receive: () => {} })),
          child('listener', listener),
          child('snapshot-keeper', keeper, { publicEvents: SNAPSHOT_KEEPER_EVENTS }),
          child('executor', executor, { publicEvents: EXECUTOR_EVENTS }),
        ],
      }),
    ),
  );
  stops.push(() => system.stop());
  await root.started();
  return {
    dir,
    executed,
    failures,
    reports,
    commit(blocks: readonly Made[]): void {
      write(store, { kind: 'batches', batches: blocks.map(({ batch }) => batch) });
      const made = blocks.map(({ made: block }) => committed(block));
      write(store, { kind: 'commit', blocks: made });
      system.ref('node/executor').tell({ type: 'blocks.committed', blocks: made });
    },
    reported: (status: SnapshotReport['status']) =>
      vi.waitFor(() => expect(reports.map((report) => report.status)).toContain(status)),
  };
}

/** All chunks of the newest snapshot on the disk. */
async function newestOf(dir: string) {
  const folder = new SnapshotFolder(dir);
  await folder.open();
  const manifest = folder.newest;
  if (manifest === undefined) throw new Error('none is kept');
  const chunks: Uint8Array[] = [];
  for (let chunk = 0; chunk < manifest.chunks.length; chunk += 1) {
    const bytes = await folder.read(manifest.height, manifest.format, chunk);
    if (typeof bytes === 'string') throw new Error(bytes);
    chunks.push(bytes);
  }
  return { manifest, chunks };
}

it('the executor takes a snapshot of kv at its height, and a new kv goes on from it (SY-10)', async () => {
  const chain = await chainTo(25);
  const node = await started(() => kv(), 10);
  node.commit(chain.slice(0, 12));
  await node.reported('kept');
  node.commit(chain.slice(12));
  await vi.waitFor(() => expect(node.executed).toHaveLength(25));
  await vi.waitFor(() => expect(node.reports).toHaveLength(2));
  const { manifest, chunks } = await newestOf(node.dir);
  expect(manifest.height).toBe(20);
  const joined = kv();
  await joined.restoreSnapshot?.(manifest, chunks);
  expect((await joined.info()).executed).toEqual(node.executed[19]?.executed);
  for (const { made, texts } of chain.slice(20)) {
    const { header } = made.block;
    const { height: at, time, proposer } = header;
    const transactions = texts.map(utf8);
    const { appHash } = await joined.finalizeBlock({
      height: at,
      blockId: made.id,
      time,
      proposer,
      randomness: made.id,
      transactions,
    });
    expect({ height: at, appHash }).toEqual(node.executed[at - 1]?.executed);
  }
});

it('a node that catches up takes the last snapshot below the tip only', async () => {
  const chain = await chainTo(65);
  const node = await started(() => kv(), 10);
  node.commit(chain);
  await node.reported('kept');
  await vi.waitFor(() => expect(node.executed).toHaveLength(65));
  expect(node.reports.map((report) => 'height' in report && report.height)).not.toContain(50);
  expect(node.executed.map(({ executed }) => executed.height)).toEqual(chain.map((_, index) => index + 1));
});

it('the next block waits until an application that takes its time has answered', async () => {
  const chain = await chainTo(14);
  const calls: string[] = [];
  const answer = Promise.withResolvers<undefined>();
  const slow = (): Application => {
    const inner = kv();
    return {
      info: () => inner.info(),
      initChain: (request) => inner.initChain(request),
      checkTx: (transaction) => inner.checkTx(transaction),
      query: (path, data) => inner.query(path, data),
      finalizeBlock: (request) => {
        calls.push(`block ${request.height}`);
        return inner.finalizeBlock(request);
      },
      takeSnapshot: () => {
        calls.push('snapshot');
        return answer.promise;
      },
    };
  };
  const node = await started(slow, 10);
  node.commit(chain);
  await vi.waitFor(() => expect(calls).toContain('snapshot'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(calls.at(-1)).toBe('snapshot');
  answer.resolve(undefined);
  await vi.waitFor(() => expect(node.executed).toHaveLength(14));
  expect(calls.slice(9, 12)).toEqual(['block 10', 'snapshot', 'block 11']);
});

/** What a program without types would give. */
const untyped = (value: unknown) => value as never;
const snapshotOf = (chunks: unknown) =>
  untyped({ executed: { height: 10, appHash: 'ab'.repeat(32) }, format: 1, chunks });

it.each<[string, Partial<Application>]>([
  ['has no snapshots', {}],
  [
    'throws',
    {
      takeSnapshot: () => {
        throw new Error('not today');
      },
    },
  ],
  ['rejects', { takeSnapshot: () => Promise.reject(new Error('not today')) }],
  ['gives a number', { takeSnapshot: () => untyped(7) }],
  [
    'gives a snapshot of nothing',
    { takeSnapshot: () => Promise.resolve(untyped({ format: 1, chunks: [] })) },
  ],
  ['gives no chunks', { takeSnapshot: () => snapshotOf(undefined) }],
  [
    'gives chunks that cannot be read',
    {
      takeSnapshot: () =>
        snapshotOf({
          [Symbol.iterator]() {
            throw new Error('not today');
          },
        }),
    },
  ],
])('an application that %s executes its blocks as before', async (_, part) => {
  const chain = await chainTo(25);
  const open = (): Application => {
    const inner = kv();
    return {
      info: () => inner.info(),
      initChain: (request) => inner.initChain(request),
      checkTx: (transaction) => inner.checkTx(transaction),
      query: (path, data) => inner.query(path, data),
      finalizeBlock: (request) => inner.finalizeBlock(request),
      ...part,
    };
  };
  const node = await started(open, 10);
  node.commit(chain);
  await vi.waitFor(() => expect(node.executed).toHaveLength(25));
  expect(node.failures).toEqual([]);
  expect(node.reports).toEqual([]);
});

it.each<[string, unknown, string]>([
  ['a number', { next: () => 7 }, 'an object is needed, not 7'],
  ['letters', { next: () => ({ done: false, value: 'abc' }) }, 'value: a Uint8Array is needed, not "abc"'],
  ['no iterator', undefined, 'threw: '],
])('a chunk that is %s costs the snapshot, and no block', async (_, iterator, words) => {
  const chain = await chainTo(25);
  const inner = kv();
  const open = (): Application => ({
    info: () => inner.info(),
    initChain: (request) => inner.initChain(request),
    checkTx: (transaction) => inner.checkTx(transaction),
    query: (path, data) => inner.query(path, data),
    finalizeBlock: (request) => inner.finalizeBlock(request),
    takeSnapshot: async () => {
      const { executed } = await inner.info();
      return untyped({ executed, format: 1, chunks: { [Symbol.iterator]: () => iterator } });
    },
  });
  const node = await started(open, 10);
  node.commit(chain);
  await vi.waitFor(() => expect(node.executed).toHaveLength(25));
  await vi.waitFor(() =>
    expect(node.reports[0]).toMatchObject({ status: 'given up', detail: expect.stringContaining(words) }),
  );
  expect(node.failures).toEqual([]);
});

it('a snapshot whose application failed is given up; the application that is opened anew gives the next', async () => {
  const chain = await chainTo(34);
  let opened = 0;
  const open = (): Application => {
    opened += 1;
    const isFirst = opened === 1;
    const inner = kv();
    return {
      info: () => inner.info(),
      initChain: (request) => inner.initChain(request),
      checkTx: (transaction) => inner.checkTx(transaction),
      query: (path, data) => inner.query(path, data),
      finalizeBlock: (request) => {
        if (isFirst && request.height === 21) throw new Error('broken');
        return inner.finalizeBlock(request);
      },
      // Of the first life: a chunk that never comes.
      takeSnapshot: () => {
        const snapshot = inner.takeSnapshot?.();
        if (!isFirst || snapshot === undefined || snapshot instanceof Promise) return snapshot;
        const never: AsyncIterable<Uint8Array> = {
          [Symbol.asyncIterator]: () => ({
            next: () => new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 200)),
          }),
        };
        return { ...snapshot, chunks: never };
      },
    };
  };
  const node = await started(open, 10);
  node.commit(chain.slice(0, 22));
  await node.reported('given up');
  expect(node.reports[0]).toMatchObject({ height: 20, detail: expect.stringMatching('broken') });
  await vi.waitFor(() => expect(node.executed).toHaveLength(22));
  node.commit(chain.slice(22));
  await node.reported('kept');
  expect((await newestOf(node.dir)).manifest.height).toBe(30);
  expect(opened).toBe(2);
});
