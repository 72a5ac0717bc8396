import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  child,
  createSystem,
  handler,
  type Message,
  realClock,
  supervisor,
} from '../../src/actors/runtime/index.ts';
import { appHashOf } from '../../src/application/answers.ts';
import { Calls } from '../../src/application/calls.ts';
import { beginDraft, chunkProblem, type OpenFile } from '../../src/application/snapshot-folder.ts';
import {
  SNAPSHOT_KEEPER_EVENTS,
  type SnapshotReport,
  snapshotKeeperLogic,
} from '../../src/application/snapshot-keeper.ts';
import { SnapshotTaking } from '../../src/application/snapshot-taking.ts';
import { seededRandom } from '../../src/base/random.ts';
import { millis } from '../../src/base/units.ts';
import { sha256Hex } from '../../src/crypto/hash.ts';
import { blockIdOf } from '../../src/protocol/chain/canonical.ts';
import type { ExecutedState } from '../../src/protocol/chain/types.ts';
import type {
  Application,
  ApplicationSnapshot,
  SnapshotChunks,
} from '../../src/protocol/ports/application.ts';
import type { SnapshotKeeperReply, SnapshotNews, SnapshotOrder } from '../../src/protocol/ports/snapshots.ts';
import { SNAPSHOT_CHUNK_BYTES_MAX, SNAPSHOT_CHUNKS_MAX } from '../../src/protocol/sync/messages.ts';
import { memoryDisk } from '../../src/storage/memory-store.ts';
import { STORAGE_EVENTS, storageLogic } from '../../src/storage/storage-actor.ts';
import {
  bytesOf,
  certificate,
  committed,
  height,
  IDENTITY,
  type MadeBlock,
  child as plainBlock,
  write,
} from '../storage/fixtures.ts';

const KEEPER = 'node/snapshot-keeper';
const EXECUTOR = 'node/executor';

const folders: string[] = [];
const stops: (() => Promise<void>)[] = [];
const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'althing-snapshots-'));
  folders.push(dir);
  return join(dir, 'snapshots');
};
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true });
});

const stateAfter = (at: number): ExecutedState => ({ height: height(at), appHash: appHashOf(`state ${at}`) });

/** A block whose header states what was executed. */
function stating(parent: MadeBlock | undefined, executed: number): MadeBlock {
  const plain = plainBlock(parent);
  const block = { ...plain.block, header: { ...plain.block.header, executed: stateAfter(executed) } };
  const id = blockIdOf(IDENTITY, block);
  return { id, block, qc: certificate(block, id) };
}

/** Blocks from 1; each states the height two below it, but as `states` says. */
function chainTo(
  tip: number,
  states: (at: number) => number = (at) => Math.max(0, at - 2),
): readonly MadeBlock[] {
  const blocks: MadeBlock[] = [];
  for (let at = 1; at <= tip; at += 1) blocks.push(stating(blocks.at(-1), states(at)));
  return blocks;
}

const contentOf = (at: number, chunks = 3): readonly Uint8Array[] =>
  Array.from({ length: chunks }, (_, index) => bytesOf(`${at}/${index}`, 70_000 + index));

/** An application that has nothing but snapshots. */
function application(snapshotOf: (at: ExecutedState) => ApplicationSnapshot | undefined): Application {
  const unused = (): never => expect.fail('not a part of snapshots');
  let at = stateAfter(0);
  return {
    info: () => ({ name: 'test', version: '1', executed: at }),
    initChain: unused,
    checkTx: unused,
    query: unused,
    finalizeBlock: (request) => {
      at = stateAfter(request.height);
      return { results: [], events: [], validatorUpdates: [], appHash: at.appHash };
    },
    takeSnapshot: () => snapshotOf(at),
  };
}

const snapshots = (chunksOf: (at: number) => SnapshotChunks = contentOf): Application =>
  application((executed) => ({ executed, format: 7, chunks: chunksOf(executed.height) }));

interface Options {
  readonly dir?: string;
  readonly app?: Application;
  readonly openFile?: OpenFile;
  readonly blocks?: readonly MadeBlock[];
}

/** A keeper on a real disk, a real store in memory, and an executor of which only the snapshots are there. */
async function started(options: Options = {}) {
  const dir = options.dir ?? folder();
  const app = options.app ?? snapshots();
  const reports: SnapshotReport[] = [];
  const replies: SnapshotKeeperReply[] = [];
  const store = memoryDisk(IDENTITY).open();
  let height_ = 0;
  const commit = (blocks: readonly MadeBlock[]) => {
    write(store, { kind: 'commit', blocks: blocks.slice(height_).map(committed) });
    height_ = blocks.length;
  };
  commit(options.blocks ?? chainTo(40));
  let began = false;
  const taking: { current?: SnapshotTaking } = {};
  const executor = handler<undefined, SnapshotOrder | { readonly type: 'finalized'; readonly at: number }>({
    init: (context) => {
      taking.current = new SnapshotTaking({
        intervalHeights: 10,
        stepMax: millis(1_000),
        calls: new Calls({ start: () => {}, cancel: () => {} }),
        tell: (news: SnapshotNews) => context.tell(KEEPER, news),
      });
      return undefined;
    },
    receive: (message) => {
      if (message.type !== 'finalized') {
        began = true;
        return taking.current?.receive(message);
      }
      const executed = stateAfter(message.at);
      app.finalizeBlock({
        ...executed,
        transactions: [],
        ...plainBlock(undefined).block.header,
        height: executed.height,
        blockId: executed.appHash,
        randomness: executed.appHash,
      });
      taking.current?.take(app, executed, () => {});
    },
  });
  const client = handler<undefined, SnapshotKeeperReply>({
    init: () => undefined,
    receive: (message) => void replies.push(message),
  });
  const keeper = snapshotKeeperLogic({
    dir,
    executor: EXECUTOR,
    storage: 'node/storage',
    lookEvery: millis(15),
    report: (report) => reports.push(report),
    ...(options.openFile === undefined ? {} : { openFile: options.openFile }),
  });
  const system = createSystem({ name: 'keeper', clock: realClock(), random: seededRandom('keeper') });
  system.start(
    child(
      'node',
      supervisor({
        children: [
          child('storage', storageLogic({ store, routerAddress: 'node/nobody' }), {
            publicEvents: STORAGE_EVENTS,
          }),
          child('client', client),
          child('executor', executor),
          child('snapshot-keeper', keeper, { publicEvents: SNAPSHOT_KEEPER_EVENTS }),
        ],
      }),
    ),
  );
  stops.push(() => system.stop());
  // It tells the executor, when it has begun, that it wants nothing of before.
  await vi.waitFor(() => expect(began).toBe(true));
  const tell = (to: string, message: Message) => system.ref(to).tell(message);
  let tag = 0;
  const ask = async (message: Message): Promise<SnapshotKeeperReply> => {
    tag += 1;
    const mine = tag;
    tell(KEEPER, { ...message, replyTo: 'node/client', tag: mine });
    return vi.waitFor(() => {
      const reply = replies.find((each) => each.tag === mine);
      if (reply === undefined) throw new Error('no reply yet');
      return reply;
    });
  };
  return {
    dir,
    reports,
    commit,
    taking,
    tellKeeper: (message: Message) => tell(KEEPER, message),
    finalize: (at: number) => tell(EXECUTOR, { type: 'finalized', at }),
    reported: (status: SnapshotReport['status'], count = 1) =>
      vi.waitFor(() => expect(reports.filter((each) => each.status === status)).toHaveLength(count)),
    manifest: async () => {
      const reply = await ask({ type: 'manifest.requested' });
      return reply.type === 'manifest.found' ? reply.manifest : expect.fail('another reply');
    },
    chunk: async (at: number, chunk: number, format = 7) => {
      const reply = await ask({ type: 'chunk.requested', height: height(at), format, chunk });
      return reply.type === 'chunk.found' ? reply.bytes : expect.fail('another reply');
    },
  };
}

const names = (dir: string): readonly string[] => readdirSync(dir).sort();

describe('the snapshot-keeper (SY-10)', () => {
  it('keeps a snapshot on disk and gives its manifest and its chunks', async () => {
    const keeper = await started();
    expect(await keeper.manifest()).toBeUndefined();
    keeper.finalize(10);
    await keeper.reported('kept');
    const content = contentOf(10);
    expect(await keeper.manifest()).toEqual({
      height: 10,
      format: 7,
      bytes: 210_003,
      chunks: content.map(sha256Hex),
    });
    for (const [index, bytes] of content.entries()) {
      expect(Buffer.from((await keeper.chunk(10, index)) ?? [])).toEqual(Buffer.from(bytes));
    }
    expect(keeper.reports).toEqual([{ status: 'kept', height: 10, bytes: 210_003, chunks: 3 }]);
  });

  it('gives nothing for another height, format or chunk', async () => {
    const keeper = await started();
    keeper.finalize(10);
    await keeper.reported('kept');
    expect(await keeper.chunk(20, 0)).toBeUndefined();
    expect(await keeper.chunk(10, 0, 8)).toBeUndefined();
    expect(await keeper.chunk(10, 3)).toBeUndefined();
  });

  it('keeps the newest two, and finds them again at the next start', async () => {
    const first = await started();
    for (const [index, at] of [10, 20, 30].entries()) {
      first.finalize(at);
      await first.reported('kept', index + 1);
    }
    expect(names(first.dir)).toEqual(['20', '30']);
    await stops.pop()?.();
    const second = await started({ dir: first.dir });
    expect(await second.manifest()).toMatchObject({ height: 30 });
    expect(await second.chunk(20, 2)).toHaveLength(70_002);
    expect(second.reports).toEqual([]);
  });

  it('gives nothing out before a header certifies the hash', async () => {
    const keeper = await started({ blocks: chainTo(11) });
    keeper.finalize(10);
    await vi.waitFor(() => expect(names(keeper.dir)).toEqual(['10.partial']));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(await keeper.manifest()).toBeUndefined();
    keeper.commit(chainTo(12));
    await keeper.reported('kept');
    expect(await keeper.manifest()).toMatchObject({ height: 10 });
  });

  it('gives up a snapshot whose height no header states, and says so', async () => {
    const keeper = await started({ blocks: chainTo(20, (at) => (at < 12 ? 9 : 11)) });
    keeper.finalize(10);
    await keeper.reported('given up');
    expect(keeper.reports).toEqual([
      {
        status: 'given up',
        height: 10,
        detail: 'no header states the hash of this height: block 12 is beyond it',
      },
    ]);
    expect(names(keeper.dir)).toEqual([]);
  });

  it('gives up a snapshot whose hash is not the certified one', async () => {
    const keeper = await started({
      app: application((executed) => ({
        executed: { ...executed, appHash: appHashOf('mine alone') },
        format: 7,
        chunks: contentOf(10),
      })),
    });
    keeper.finalize(10);
    await keeper.reported('given up');
    expect(keeper.reports[0]).toMatchObject({ detail: expect.stringMatching(/certified by block 12 is/) });
    expect(await keeper.manifest()).toBeUndefined();
  });

  it('deletes at the start what is half done or damaged, and says so', async () => {
    const first = await started();
    first.finalize(10);
    await first.reported('kept');
    first.finalize(20);
    await first.reported('kept', 2);
    await stops.pop()?.();
    mkdirSync(join(first.dir, '30.partial'));
    writeFileSync(join(first.dir, '30.partial', '000000'), 'half');
    mkdirSync(join(first.dir, 'notes'));
    const manifest = join(first.dir, '20', 'manifest');
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"format":7', '"format":8'));
    const second = await started({ dir: first.dir });
    expect(await second.manifest()).toMatchObject({ height: 10 });
    expect(second.reports).toEqual([
      { status: 'deleted', name: '20', detail: 'its manifest is damaged' },
      { status: 'deleted', name: '30.partial', detail: 'it was not finished' },
      { status: 'deleted', name: 'notes', detail: 'it has no manifest' },
    ]);
    expect(names(first.dir)).toEqual(['10']);
  });

  it('never gives out a chunk that is not what was written: the snapshot is deleted', async () => {
    const keeper = await started();
    keeper.finalize(10);
    await keeper.reported('kept');
    keeper.finalize(20);
    await keeper.reported('kept', 2);
    const path = join(keeper.dir, '20', '000001');
    const bytes = readFileSync(path);
    bytes[5] = (bytes[5] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    expect(await keeper.chunk(20, 0)).toHaveLength(70_000);
    expect(await keeper.chunk(20, 1)).toBeUndefined();
    expect(await keeper.chunk(20, 0)).toBeUndefined();
    expect(await keeper.manifest()).toMatchObject({ height: 10 });
    expect(keeper.reports.at(-1)).toEqual({
      status: 'deleted',
      name: '20',
      detail: 'chunk 1 is not what was written',
    });
    expect(names(keeper.dir)).toEqual(['10']);
  });

  it('a disk that is full costs the snapshot and nothing else; the next one is kept', async () => {
    let files = 0;
    let left = 0;
    const chunks = function* (at: number): Generator<Uint8Array> {
      try {
        yield* contentOf(at);
      } finally {
        left += 1;
      }
    };
    const keeper = await started({
      app: snapshots(chunks),
      openFile: (path) => {
        files += 1;
        return open(files === 3 ? '/dev/full' : path, 'w');
      },
    });
    keeper.finalize(10);
    await keeper.reported('given up');
    expect(keeper.reports[0]).toMatchObject({ height: 10, detail: expect.stringMatching('ENOSPC') });
    expect(names(keeper.dir)).toEqual([]);
    // The application may let go of the state that it kept apart.
    await vi.waitFor(() => expect(left).toBe(1));
    expect(keeper.taking.current?.isDue(height(20), height(20), true)).toBe(true);
    keeper.finalize(20);
    await keeper.reported('kept');
    expect(await keeper.manifest()).toMatchObject({ height: 20 });
  });

  it.each<[string, () => SnapshotChunks, RegExp]>([
    ['no chunk', () => [], /gave no chunk/],
    ['an empty chunk', () => [new Uint8Array(0)], /a chunk of 0 bytes/],
    [
      'a chunk too long',
      () => [new Uint8Array(SNAPSHOT_CHUNK_BYTES_MAX + 1)],
      /1048577 bytes, allowed are 1 to 1048576/,
    ],
    [
      'a chunk and a throw',
      function* () {
        yield new Uint8Array(3);
        throw new Error('out of order');
      },
      /reading the snapshot threw: out of order/,
    ],
    [
      'a rejection',
      async function* () {
        yield new Uint8Array(3);
        throw new Error('out of order');
      },
      /reading the snapshot failed: out of order/,
    ],
  ])('gives up when the application gives %s', async (_, chunks, detail) => {
    const keeper = await started({ app: snapshots(chunks) });
    keeper.finalize(10);
    await keeper.reported('given up');
    expect(keeper.reports[0]).toMatchObject({ height: 10, detail: expect.stringMatching(detail) });
    await vi.waitFor(() => expect(names(keeper.dir)).toEqual([]));
    expect(keeper.taking.current?.isDue(height(20), height(20), true)).toBe(true);
  });

  it('takes no more chunks than can be sent', () => {
    const chunk = new Uint8Array(1);
    const draft = beginDraft(stateAfter(10), 7);
    const full = { ...draft, chunks: new Array(SNAPSHOT_CHUNKS_MAX).fill(stateAfter(1).appHash) };
    expect(chunkProblem({ ...full, chunks: full.chunks.slice(1) }, chunk)).toBeUndefined();
    expect(chunkProblem(full, chunk)).toMatch('the state is larger than 4096 chunks');
  });

  it('starts, and keeps nothing, where its folder cannot be', async () => {
    const dir = folder();
    mkdirSync(join(dir, '..'), { recursive: true });
    writeFileSync(dir, 'a file');
    const keeper = await started({ dir });
    expect(await keeper.manifest()).toBeUndefined();
    expect(keeper.reports).toMatchObject([{ status: 'unusable' }]);
    keeper.finalize(10);
    await keeper.reported('given up');
  });

  it('begins the newer one when the executor has begun anew, and passes over what is late', async () => {
    const keeper = await started();
    const taken = (at: number) => ({ type: 'snapshot.taken', executed: stateAfter(at), format: 7 });
    keeper.tellKeeper(taken(10));
    await keeper.reported('given up');
    expect(keeper.reports[0]).toMatchObject({ detail: 'the executor began anew' });
    keeper.tellKeeper({ type: 'snapshotChunk.read', height: height(10), bytes: new Uint8Array(5) });
    keeper.tellKeeper({ type: 'snapshot.read', height: height(10) });
    keeper.finalize(20);
    await keeper.reported('kept');
    expect(names(keeper.dir)).toEqual(['20']);
  });

  it('does not write again what it keeps already', async () => {
    const keeper = await started();
    keeper.finalize(20);
    await keeper.reported('kept');
    keeper.finalize(20);
    keeper.finalize(10);
    await vi.waitFor(() => expect(keeper.taking.current?.isDue(height(30), height(30), true)).toBe(true));
    expect(keeper.reports).toHaveLength(1);
    expect(names(keeper.dir)).toEqual(['20']);
  });
});

describe('when a snapshot is taken', () => {
  const takingEvery = (intervalHeights: number) =>
    new SnapshotTaking({
      intervalHeights,
      stepMax: millis(1_000),
      calls: new Calls({ start: () => {}, cancel: () => {} }),
      tell: () => {},
    });

  it('is at multiples of the interval, never at genesis, and never at all with 0', () => {
    const taking = takingEvery(10);
    const due = Array.from({ length: 41 }, (_, at) => at).filter((at) =>
      taking.isDue(height(at), height(at), true),
    );
    expect(due).toEqual([10, 20, 30, 40]);
    expect(takingEvery(0).isDue(height(10), height(10), true)).toBe(false);
  });

  it('passes over a block that was committed together with one above it, for the next: no header states it', () => {
    const taking = takingEvery(4);
    // With one validator of five down the last block of each turn of the leaders is committed by the next turn.
    const due = Array.from({ length: 21 }, (_, at) => at).filter((at) =>
      taking.isDue(height(at), height(at), at % 4 !== 0),
    );
    expect(due).toEqual([5, 9, 13, 17]);
  });

  it('owes none any more when the node is far behind', () => {
    const taking = takingEvery(10);
    expect(taking.isDue(height(10), height(10), false)).toBe(false);
    const due = Array.from({ length: 35 }, (_, at) => at + 11).filter((at) =>
      taking.isDue(height(at), height(45), true),
    );
    expect(due).toEqual([40]);
  });

  it('is only at the last multiple while the node catches up', () => {
    const taking = takingEvery(10);
    expect(taking.isDue(height(10), height(19), true)).toBe(true);
    expect(taking.isDue(height(10), height(20), true)).toBe(false);
  });

  it('is not while another is being read, and then again', () => {
    const taking = takingEvery(10);
    taking.take(snapshots(), stateAfter(0), () => {});
    expect(taking.isDue(height(20), height(20), true)).toBe(false);
    taking.receive({ type: 'snapshot.released', height: height(9) });
    expect(taking.isDue(height(20), height(20), true)).toBe(false);
    taking.receive({ type: 'snapshot.released' });
    expect(taking.isDue(height(20), height(20), true)).toBe(true);
  });

  it('is no obstacle to blocks: an application that throws, says no, or gives another height is passed over', () => {
    const apps = [
      application(() => {
        throw new Error('no room');
      }),
      application(() => undefined),
      application(() => ({ executed: stateAfter(9), format: 7, chunks: [] })),
    ];
    for (const app of apps) {
      const taking = takingEvery(10);
      let done = 0;
      taking.take(app, stateAfter(0), () => {
        done += 1;
      });
      expect(done).toBe(1);
      expect(taking.isDue(height(20), height(20), true)).toBe(true);
    }
  });
});
