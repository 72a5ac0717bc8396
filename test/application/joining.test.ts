/** The parts of a join by snapshot together, on real disks: what is not here is the chart that conducts them. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import {
  type CellSpec,
  child,
  createSystem,
  handler,
  type Message,
  realClock,
  supervisor,
} from '../../src/actors/runtime/index.ts';
import { EXECUTOR_EVENTS, executorLogic } from '../../src/application/executor.ts';
import { kv } from '../../src/application/kv/rules.ts';
import { SNAPSHOT_KEEPER_EVENTS, snapshotKeeperLogic } from '../../src/application/snapshot-keeper.ts';
import { SNAPSHOT_RESTORER_EVENTS, snapshotRestorerLogic } from '../../src/application/snapshot-restorer.ts';
import { seededRandom } from '../../src/base/random.ts';
import { millis, wallTime } from '../../src/base/units.ts';
import type { Application } from '../../src/protocol/ports/application.ts';
import type { BlockResults, ExecutionReply } from '../../src/protocol/ports/execution.ts';
import type { SnapshotKeeperReply } from '../../src/protocol/ports/snapshots.ts';
import type { SideStoreRequest } from '../../src/protocol/ports/sync.ts';
import {
  askForChunks,
  beginSnapshotDownload,
  certificationOf,
  downloadStatus,
  firstBlockNeeded,
  isRestored,
  noteWritten,
  snapshotCandidates,
  takeChunk,
} from '../../src/protocol/sync/snapshot.ts';
import { completeSwap } from '../../src/storage/chain-swap.ts';
import { openStore } from '../../src/storage/open.ts';
import { sideFolder } from '../../src/storage/side-disk.ts';
import { SIDE_STORE_EVENTS, sideStoreLogic } from '../../src/storage/side-store.ts';
import { STORAGE_EVENTS, storageLogic } from '../../src/storage/storage-actor.ts';
import type { Store } from '../../src/storage/store.ts';
import { present, world } from '../protocol/consensus/fixture.ts';
import { committed, found, height, IDENTITY, write } from '../storage/fixtures.ts';
import { chainTo, GENESIS, type Made } from './chain-of-kv.ts';
import { LIMITS } from './lives.ts';

const WINDOW = 3;
const homes: string[] = [];
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  for (const dir of homes.splice(0)) rmSync(dir, { recursive: true });
});

function newHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'althing-join-'));
  homes.push(home);
  mkdirSync(join(home, 'keys'));
  return home;
}

/** Cells under one node, and a way to ask them. */
async function running(...cells: readonly CellSpec[]) {
  const replies: Message[] = [];
  const client = handler<undefined, Message>({
    init: () => undefined,
    receive: (message) => void replies.push(message),
  });
  const system = createSystem({ name: 'node', clock: realClock(), random: seededRandom('node') });
  const root = system.start(child('node', supervisor({ children: [child('client', client), ...cells] })));
  stops.push(() => system.stop());
  await root.started();
  let tag = 0;
  const ask = async (to: string, message: Message): Promise<Message> => {
    tag += 1;
    const mine = tag;
    system.ref(to).tell({ ...message, replyTo: 'node/client', tag: mine });
    return vi.waitFor(() =>
      present(
        replies.find((reply) => 'tag' in reply && reply['tag'] === mine),
        'reply',
      ),
    );
  };
  return {
    replies,
    tell: (to: string, message: Message) => system.ref(to).tell(message),
    ask,
    keeper: async (message: Message): Promise<SnapshotKeeperReply> => {
      const isReply = (reply: Message): reply is Message & SnapshotKeeperReply =>
        reply.type === 'manifest.found' || reply.type === 'chunk.found';
      const reply = await ask('node/keeper', message);
      if (!isReply(reply)) throw new Error(reply.type);
      return reply;
    },
    executed: () =>
      replies.filter((reply): reply is Message & BlockResults => reply.type === 'results.persisted'),
    failures: () =>
      replies.filter(
        (reply): reply is Message & Extract<ExecutionReply, { type: 'execution.failed' }> =>
          reply.type === 'execution.failed',
      ),
  };
}

function nodeOn(store: Store, snapshots: string, openApplication: () => Application) {
  const options = {
    openApplication,
    genesis: GENESIS,
    limits: LIMITS,
    deduplicationHeights: WINDOW,
    setFor: () => undefined,
    storage: 'node/storage',
    mempool: 'node/mempool',
    listeners: ['node/client'],
    servers: ['node/client'],
    snapshots: { keeper: 'node/keeper', intervalHeights: 10 },
  };
  const keeper = {
    dir: snapshots,
    executor: 'node/executor',
    storage: 'node/storage',
    lookEvery: millis(15),
  };
  const storage = storageLogic({ store, routerAddress: 'node/nobody' });
  return running(
    child('storage', storage, { publicEvents: STORAGE_EVENTS }),
    child('mempool', handler<undefined, Message>({ init: () => undefined, receive: () => {} })),
    child('executor', executorLogic(options), { publicEvents: EXECUTOR_EVENTS }),
    child('keeper', snapshotKeeperLogic(keeper), { publicEvents: SNAPSHOT_KEEPER_EVENTS }),
  );
}

function storeIn(dir: string): Store {
  const store = openStore(dir, IDENTITY, { segmentBytes: 65_536 });
  if ('status' in store) throw new Error(store.detail);
  return store;
}

function put(store: Store, blocks: readonly Made[]): void {
  write(store, { kind: 'batches', batches: blocks.map(({ batch }) => batch) });
  write(store, { kind: 'commit', blocks: blocks.map(({ made }) => committed(made)) });
}

const newsOf = (blocks: readonly Made[]): Message => ({
  type: 'blocks.committed',
  blocks: blocks.map(({ made }) => committed(made)),
});

it('a node joins by a snapshot: chunks, certified hash, planted chain, swap; and executes on as the others do (SY-10)', {
  timeout: 60_000,
}, async () => {
  // The text of height 29 comes again at 32: only who knows the blocks below the snapshot can tell (EX-2).
  const chain = await chainTo(40, (at) => (at === 32 ? ['b29=29'] : []));
  const first = newHome();
  const store = storeIn(join(first, 'data'));
  const server = await nodeOn(store, join(first, 'data', 'snapshots'), () => kv());
  put(store, chain.slice(0, 33));
  server.tell('node/executor', newsOf(chain.slice(0, 33)));
  const manifest = await vi.waitFor(
    async () => {
      const reply = await server.keeper({ type: 'manifest.requested' });
      return present(reply.type === 'manifest.found' ? reply.manifest : undefined, 'manifest');
    },
    { timeout: 5_000 },
  );
  put(store, chain.slice(33));
  server.tell('node/executor', newsOf(chain.slice(33)));
  await vi.waitFor(() => expect(server.executed()).toHaveLength(40));

  const home = newHome();
  const [data, resyncData] = [join(home, 'data'), join(home, 'data-resync')];
  storeIn(data).close();
  const place = world();
  const openApplication = () => kv({ dir: join(resyncData, 'application') });
  const disk = sideFolder({ identity: IDENTITY, dir: resyncData, data, segmentBytes: 65_536 });
  const joiner = await running(
    child('side', sideStoreLogic({ disk, epoch: place.epoch }), { publicEvents: SIDE_STORE_EVENTS }),
    child('restorer', snapshotRestorerLogic({ openApplication }), { publicEvents: SNAPSHOT_RESTORER_EVENTS }),
  );
  const side = (message: Message) => joiner.ask('node/side', message);
  expect(await side({ type: 'side.openRequested' })).toMatchObject({ type: 'side.opened' });

  const offers = [0, 1].map((index) => ({ peer: place.addressAt(index), manifest }));
  const facts = { validators: place.epoch.set, bytesMax: 1e9, refused: new Set<string>(), above: height(0) };
  const candidate = present(snapshotCandidates(offers, facts)[0], 'candidate');
  expect(candidate).toMatchObject({ vouched: true, manifest: { height: 30 } });
  const { height: at, format } = candidate.manifest;
  await joiner.ask('node/restorer', { type: 'restore.beginRequested', height: at, format });
  let download = beginSnapshotDownload(candidate);
  while (downloadStatus(download) === 'downloading') {
    const { download: asking, asks } = askForChunks(download);
    download = asking;
    for (const ask of asks) {
      const question = { type: 'chunk.requested', height: at, format, chunk: ask.chunk };
      const reply = await server.keeper(question);
      const bytes = present(reply.type === 'chunk.found' ? reply.bytes : undefined, 'bytes');
      const taken = takeChunk(download, ask, bytes);
      expect(taken.verdict).toEqual({ status: 'good' });
      download = taken.download;
      for (const chunk of taken.ready) {
        const took = await joiner.ask('node/restorer', { type: 'restore.chunkRequested', bytes: chunk });
        expect(took).toMatchObject({ type: 'restore.took' });
        download = noteWritten(download, 1);
      }
    }
  }
  expect(downloadStatus(download)).toBe('complete');
  const restored = await joiner.ask('node/restorer', { type: 'restore.endRequested' });

  const certification = certificationOf(
    at,
    chain.slice(at).map(({ made: { block, qc } }) => ({ block, qc })),
  );
  if (certification.status !== 'certified') throw new Error(certification.status);
  const executed = { height: at, appHash: certification.appHash };
  expect(restored).toMatchObject({ type: 'restore.ended', executed });
  expect(isRestored(executed, present(server.executed()[at - 1], 'block').executed)).toBe(true);

  const base = firstBlockNeeded(at, WINDOW);
  const root = present(chain[base - 2], 'root').made;
  const missing = chain.slice(base - 1);
  const append: Omit<Extract<SideStoreRequest, { type: 'side.appendRequested' }>, 'replyTo' | 'tag'> = {
    type: 'side.appendRequested',
    blocks: missing.map(({ made: { id, block, qc } }) => {
      const { commitProof } = committed({ id, block, qc });
      return { id, certified: { block, qc }, commitProof };
    }),
    batches: missing.map(({ batch }) => batch),
  };
  const tip = present(chain.at(-1), 'tip').made;
  const blockId = present(chain[at - 1], 'block').made.id;
  for (const message of [
    { type: 'side.plantRequested', height: height(base - 1), id: root.id },
    append,
    { type: 'side.restoredRequested', blockId, executed },
    { type: 'side.sealRequested', height: height(40), id: tip.id },
  ]) {
    expect((await side(message)).type).not.toBe('side.failed');
  }
  await stops.pop()?.();

  const paths = { home, data, resyncData, keys: join(home, 'keys') };
  const now = wallTime(1_700_000_000_000);
  const swap = completeSwap(paths, { chain: IDENTITY, now, backupRetention: millis(1_000) });
  expect(swap).toMatchObject({ status: 'done', what: { did: 'swapped', height: 40 } });
  const joined = storeIn(data);
  expect(found(joined.tip())).toMatchObject({ base, height: 40, id: tip.id, executed });
  const node = await nodeOn(joined, join(data, 'snapshots'), () => kv({ dir: join(data, 'application') }));
  await vi.waitFor(() => expect(node.executed()).toHaveLength(10), { timeout: 5_000 });
  const outcomes = (blocks: readonly BlockResults[]) =>
    blocks.map(({ executed: after, transactions }) => [after, transactions.map(({ result }) => result.code)]);
  expect(outcomes(node.executed())).toEqual(outcomes(server.executed().slice(30)));
  expect(node.executed()[1]?.transactions.map(({ result }) => result.code)).toEqual([0, 0, 30]);
  expect(node.failures()).toEqual([]);
  await stops.pop()?.();
  joined.close();
  await stops.pop()?.();
  store.close();
});
