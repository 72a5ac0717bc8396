import { afterEach, describe, expect, it } from 'vitest';
import { child, createSystem, handler, supervisor, virtualClock } from '../../src/actors/runtime/index.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { Outgoing } from '../../src/protocol/consensus/types.ts';
import type { StorageRequest } from '../../src/protocol/ports/storage.ts';
import type { Message } from '../../src/protocol/supervision/effect.ts';
import { type MemoryDisk, type MemoryFaults, memoryDisk } from '../../src/storage/memory-store.ts';
import {
  type DeviceDelay,
  STORAGE_EVENTS,
  type StorageFailure,
  storageLogic,
} from '../../src/storage/storage-actor.ts';
import { NO_APP_HASH, type Store } from '../../src/storage/store.ts';
import {
  batch,
  chain,
  child as childBlock,
  committed,
  digest,
  execution,
  folderDisk,
  found,
  height,
  IDENTITY,
  type MadeBlock,
  reputation,
  type TestDisk,
  vote,
  votedFor,
} from './fixtures.ts';

const CLIENT = 'node/client';
const ROUTER = 'node/router';
const blocks = chain(6);
const [first, second] = blocks;
if (first === undefined || second === undefined) throw new Error('two blocks');

/** What happened, in order: `sync`, and what the client and the router were told. */
interface Heard {
  readonly at: string;
  readonly message: Message;
}

function harness(store: Store, options: { readonly device?: () => DeviceDelay } = {}) {
  const clock = virtualClock();
  const heard: Heard[] = [];
  const failures: StorageFailure[] = [];
  const groups: number[] = [];
  const watched: Store = {
    identity: store.identity,
    recover: () => store.recover(),
    latest: () => store.latest(),
    chainEvidence: (heights, stride) => store.chainEvidence(heights, stride),
    blockAt: (at) => store.blockAt(at),
    committedBlock: (id) => store.committedBlock(id),
    blocksFrom: (from, limit, bytesMax) => store.blocksFrom(from, limit, bytesMax),
    blockWithAncestors: (id, ancestors) => store.blockWithAncestors(id, ancestors),
    batches: (digests) => store.batches(digests),
    uncommittedBatches: (bytesMax, after) => store.uncommittedBatches(bytesMax, after),
    execution: (at) => store.execution(at),
    transaction: (hash) => store.transaction(hash),
    tip: () => store.tip(),
    blockIds: (heights) => store.blockIds(heights),
    reputations: () => store.reputations(),
    changes: (from, limit) => store.changes(from, limit),
    close: () => store.close(),
    stage(writes) {
      groups.push(writes.length);
      return store.stage(writes);
    },
    sync() {
      const result = store.sync();
      heard.push({ at: 'disk', message: { type: result.status } });
      return result;
    },
  };
  const listener = (at: string) =>
    handler<undefined, Message>({
      init: () => undefined,
      receive: (message) => {
        heard.push({ at, message });
      },
    });
  const system = createSystem({ name: 'test', clock, random: seededRandom('storage') });
  const logic = storageLogic({
    store: watched,
    routerAddress: ROUTER,
    onFailure: (failure) => failures.push(failure),
    ...options,
  });
  system.start(
    child(
      'node',
      supervisor({
        strategy: 'one_for_one',
        intensity: 0,
        children: [
          child('storage', logic, { restart: 'permanent', publicEvents: STORAGE_EVENTS }),
          child('client', listener('client'), { restart: 'permanent' }),
          child('router', listener('router'), { restart: 'permanent' }),
        ],
      }),
    ),
  );
  clock.settle();
  const ask = (...requests: readonly StorageRequest[]): readonly Heard[] => {
    for (const request of requests) system.ref('node/storage').tell(request);
    clock.settle();
    return heard.splice(0);
  };
  return { system, clock, ask, heard, failures, groups };
}

const sending = (made: MadeBlock): readonly Outgoing[] => [
  { to: 'all', message: { kind: 'Vote', vote: vote(made) } },
];
const persist = (made: MadeBlock, expectedVersion: number, tag = 1): StorageRequest => ({
  type: 'record.persistRequested',
  replyTo: CLIENT,
  tag,
  record: votedFor(made),
  expectedVersion,
  block: made.block,
  thenSend: sending(made),
});
const commit = (made: readonly MadeBlock[], tag = 2): StorageRequest => ({
  type: 'blocks.commitRequested',
  replyTo: CLIENT,
  tag,
  blocks: made.map(committed),
});
const recovery: StorageRequest = { type: 'recovery.requested', replyTo: CLIENT, tag: 9 };
const types = (all: readonly Heard[]) => all.map(({ at, message }) => `${at} ${message.type}`);

const disks: TestDisk[] = [];
afterEach(() => {
  for (const disk of disks.splice(0)) disk.remove();
});
function memory(faults?: MemoryFaults): { readonly disk: MemoryDisk; readonly store: Store } {
  const disk = memoryDisk(IDENTITY, faults);
  return { disk, store: disk.open() };
}
function sqlite(): Store {
  const disk = folderDisk();
  disks.push(disk);
  return disk.open();
}

describe.each([
  ['memory', () => memory().store],
  ['SQLite', sqlite],
])('the storage actor on a %s store', (_, makeStore) => {
  it('sends a vote only after its record is durable, and then answers (ST-3)', () => {
    const { ask } = harness(makeStore());
    const all = ask(persist(first, 0));
    expect(types(all)).toEqual(['disk durable', 'router network.sendRequested', 'client record.persisted']);
    expect(all[1]?.message).toEqual({ type: 'network.sendRequested', outgoing: sending(first) });
    expect(all[2]?.message).toEqual({ type: 'record.persisted', tag: 1, version: 1 });
  });

  it('writes what waits together as one group, in order, and answers in order (ST-8)', () => {
    const { ask, groups } = harness(makeStore());
    const bytes = batch('a');
    const all = ask(
      { type: 'batches.persistRequested', replyTo: CLIENT, tag: 3, batches: [bytes] },
      persist(first, 0),
      { type: 'blocks.certified', blocks: [{ block: second.block, qc: second.qc }] },
      commit([first]),
      recovery,
      {
        type: 'execution.persistRequested',
        replyTo: CLIENT,
        tag: 4,
        blockId: first.id,
        executed: { height: height(1), appHash: digest('app 1') },
        transactions: [],
        events: [],
        validatorUpdates: [],
      },
    );
    expect(groups).toEqual([5]);
    expect(types(all)).toEqual([
      'disk durable',
      'client batches.persisted',
      'router network.sendRequested',
      'client record.persisted',
      'client blocks.committed',
      'client execution.persisted',
      'client recovery.found',
    ]);
    expect(all.at(-1)?.message).toMatchObject({
      recovered: {
        recordVersion: 1,
        committed: { id: first.id },
        blocks: [second.block],
        executed: { height: 1 },
      },
    });
  });

  it('sends nothing of a refused record, and everything else of its group (ST-2)', () => {
    const { ask, failures } = harness(makeStore());
    const all = ask(persist(first, 7, 5), commit([first]), persist(second, 0, 6));
    const client = all.filter(({ at }) => at === 'client');
    expect(types(client)).toEqual([
      'client storage.failed',
      'client blocks.committed',
      'client record.persisted',
    ]);
    expect(all.filter(({ at }) => at === 'router').map(({ message }) => message)).toEqual([
      { type: 'network.sendRequested', outgoing: sending(second) },
    ]);
    expect(client[0]?.message).toMatchObject({
      tag: 5,
      request: 'record.persistRequested',
      code: 'VERSION_CONFLICT',
    });
    expect(failures).toHaveLength(1);
  });

  it('answers every read of the port', () => {
    const { ask } = harness(makeStore());
    const [held, named] = [batch('held'), batch('named')];
    const block = childBlock(undefined, { batches: [named] });
    ask(commit([block]), {
      type: 'batches.persistRequested',
      replyTo: CLIENT,
      tag: 1,
      batches: [held, named],
    });
    const read = (request: StorageRequest): Message | undefined => ask(request)[0]?.message;
    const base = { replyTo: CLIENT, tag: 8 };
    const never = batch('never').digest;
    expect(read({ type: 'batches.requested', ...base, digests: [held.digest, never] })).toEqual({
      type: 'batches.found',
      tag: 8,
      batches: [held],
      missing: [never],
    });
    expect(read({ type: 'batches.uncommittedRequested', ...base, bytesMax: 1e9 })).toEqual({
      type: 'batches.uncommittedFound',
      tag: 8,
      batches: [held],
      more: false,
      height: 1,
    });
    const certified = { block: block.block, qc: block.qc };
    expect(read({ type: 'blocks.requested', ...base, from: height(1), limit: 9, bytesMax: 1e9 })).toEqual({
      type: 'blocks.found',
      tag: 8,
      blocks: [certified],
      height: 1,
      commitProof: committed(block).commitProof,
      commitProofs: [committed(block).commitProof],
    });
    expect(read({ type: 'blocks.requested', ...base, from: height(2), limit: 9, bytesMax: 1e9 })).toEqual({
      type: 'blocks.found',
      tag: 8,
      blocks: [],
      height: 1,
    });
    expect(read({ type: 'block.requested', ...base, id: block.id, ancestors: 5 })).toEqual({
      type: 'blocks.found',
      tag: 8,
      blocks: [certified],
      height: 1,
    });
    ask({ type: 'batches.released', digests: [held.digest, named.digest] });
    expect(read({ type: 'batches.requested', ...base, digests: [held.digest, named.digest] })).toMatchObject({
      batches: [named],
      missing: [held.digest],
    });
  });

  it('answers what sync asks: the tip with its proof, at most 256 ids, what is known of peers (SY-3, SY-6)', () => {
    const { ask } = harness(makeStore());
    const known = [reputation(1), reputation(2)];
    const written = ask(commit([first, second]), {
      type: 'reputations.persistRequested',
      reputations: known,
    });
    expect(types(written), 'nobody waits for reputations').toEqual([
      'disk durable',
      'client blocks.committed',
    ]);
    const base = { replyTo: CLIENT, tag: 8 };
    const all = ask(
      { type: 'tip.requested', ...base },
      {
        type: 'blockIds.requested',
        ...base,
        heights: [...Array.from({ length: 255 }, () => height(2)), height(9), height(1)],
      },
      { type: 'reputations.requested', ...base },
    );
    expect(all.map(({ message }) => message)).toEqual([
      {
        type: 'tip.found',
        tag: 8,
        base: 1,
        height: 2,
        id: second.id,
        proof: committed(second).commitProof,
        executed: { height: 0, appHash: NO_APP_HASH },
      },
      { type: 'blockIds.found', tag: 8, ids: [{ height: 2, id: second.id }] },
      { type: 'reputations.found', tag: 8, reputations: known },
    ]);
  });

  it('answers a fork and then crashes: it is a broken invariant, not a refusal (ST-4)', () => {
    const { ask, system, clock } = harness(makeStore());
    ask(commit([first]));
    const rival = childBlock(undefined, { salt: 'rival' });
    const all = ask(commit([rival], 3), persist(first, 0));
    expect(types(all)).toEqual([
      'disk durable',
      'client storage.failed',
      'router network.sendRequested',
      'client record.persisted',
    ]);
    clock.advance(1);
    expect(system.cells().some(({ address }) => address === 'node/storage')).toBe(false);
  });
});

describe('the storage actor and its device', () => {
  it.each(['IO', 'FULL'] as const)(
    'sends nothing when the device says %s, tells why, and goes on',
    (code) => {
      // A full disk is tried again for each request of the group.
      const faults = code === 'IO' ? [code] : [code, code, code];
      const { store } = memory({ onSync: () => faults.shift() ?? 'ok' });
      const { ask, failures } = harness(store);
      const all = ask(persist(first, 0), { type: 'blocks.certified', blocks: [] });
      expect(all.filter(({ at }) => at === 'router')).toHaveLength(0);
      expect(all.find(({ at }) => at === 'client')?.message).toMatchObject({
        type: 'storage.failed',
        code,
        tag: 1,
      });
      expect(failures.length, 'also of the request that nobody waits for').toBeGreaterThan(0);
      expect(types(ask(persist(first, 0)))).toContain('client record.persisted');
    },
  );

  it('gives each request of a group its own transaction when the disk is full for one of them', () => {
    const faults = ['FULL', 'ok', 'FULL', 'ok'] as const;
    let syncs = 0;
    const { store } = memory({ onSync: () => faults[syncs++] ?? 'ok' });
    const { ask, groups } = harness(store);
    const all = ask(
      persist(first, 0),
      { type: 'batches.persistRequested', replyTo: CLIENT, tag: 3, batches: [batch('huge')] },
      commit([first]),
    );
    expect(groups).toEqual([3, 1, 1, 1]);
    expect(all.filter(({ at }) => at !== 'disk').map(({ message }) => message.type)).toEqual([
      'network.sendRequested',
      'record.persisted',
      'storage.failed',
      'blocks.committed',
    ]);
  });

  it('tells of damage in what is read', () => {
    const { store } = memory({ onRead: () => true });
    const all = harness(store).ask(recovery);
    expect(all[0]?.message).toMatchObject({
      type: 'storage.failed',
      code: 'CORRUPT',
      request: 'recovery.requested',
      tag: 9,
    });
  });

  it('takes its time on a slow device, keeps the order, and lets reads wait for writes', () => {
    const { store } = memory();
    const { ask, clock, heard } = harness(store, { device: () => ({ beforeSyncMs: 5, afterSyncMs: 3 }) });
    expect(types(ask(persist(first, 0), recovery))).toEqual([]);
    expect(types(ask(persist(second, 1, 2))), 'it waits for the device').toEqual([]);
    clock.advance(5);
    expect(types(heard.splice(0)), 'durable, and nobody knows').toEqual(['disk durable']);
    clock.advance(3);
    expect(types(heard.splice(0))).toEqual([
      'router network.sendRequested',
      'client record.persisted',
      'client recovery.found',
    ]);
    clock.advance(8);
    expect(types(heard.splice(0))).toEqual([
      'disk durable',
      'router network.sendRequested',
      'client record.persisted',
    ]);
  });

  it.each([
    [4, 0],
    [6, 1],
  ])('after a crash %i ms into a slow write, record %i is durable and nothing was sent', (ms, version) => {
    const { store, disk } = memory();
    const { ask, clock, heard } = harness(store, { device: () => ({ beforeSyncMs: 5, afterSyncMs: 3 }) });
    ask(persist(first, 0));
    clock.advance(ms);
    disk.crash();
    expect(types(heard)).not.toContain('router network.sendRequested');
    expect(found(disk.open().recover()).recordVersion).toBe(version);
  });

  it('bounds a group, and answers what is too much for a slow device (WAITING_MAX)', () => {
    const { store } = memory();
    const { ask, groups } = harness(store);
    const many = Array.from({ length: 600 }, (_, tag) => commit([first], tag));
    expect(ask(...many).filter(({ at }) => at === 'client')).toHaveLength(600);
    expect(groups).toEqual([256, 256, 88]);
    const slow = harness(memory().store, { device: () => ({ beforeSyncMs: 1e6, afterSyncMs: 0 }) });
    for (let sent = 0; sent < 10; sent += 1) {
      slow.ask(...Array.from({ length: 600 }, (_, tag) => commit([first], tag)));
    }
    expect(slow.failures.length).toBeGreaterThan(1_000);
    expect(slow.failures[0]).toMatchObject({ code: 'BUSY', detail: expect.stringContaining('4096') });
  });

  it('writes what waits when it is stopped in order', async () => {
    const { store } = memory();
    const { system, clock, ask } = harness(store, { device: () => ({ beforeSyncMs: 1e6, afterSyncMs: 0 }) });
    ask(persist(first, 0));
    const stopped = system.stop();
    await clock.advanceAsync(1);
    await stopped;
    expect(found(store.recover()).recordVersion).toBe(1);
  });
});

it('executions reach the store whole', () => {
  const { store } = memory();
  const { ask } = harness(store);
  const written = execution(first, ['a', 'b']);
  if (written.kind !== 'execution') throw new Error('an execution');
  const { blockId, executed, transactions, events, validatorUpdates } = written;
  ask(commit([first]), {
    type: 'execution.persistRequested',
    replyTo: CLIENT,
    tag: 1,
    blockId,
    executed,
    transactions,
    events,
    validatorUpdates,
  });
  expect(found(store.execution(height(1)))).toEqual({ executed, transactions, events });
});
