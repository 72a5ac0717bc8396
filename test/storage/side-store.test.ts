import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import { child, createSystem, handler, supervisor, virtualClock } from '../../src/actors/runtime/index.ts';
import { seededRandom } from '../../src/base/random.ts';
import { firstEpoch } from '../../src/protocol/consensus/epoch.ts';
import { standingWith } from '../../src/protocol/consensus/epoch-end.ts';
import { rootStanding } from '../../src/protocol/consensus/standing.ts';
import type { SideStoreReply, SideStoreRequest } from '../../src/protocol/ports/sync.ts';
import type { Message } from '../../src/protocol/supervision/effect.ts';
import { rowChecksum } from '../../src/storage/checksum.ts';
import type { MemoryFaults, SyncFault } from '../../src/storage/memory-store.ts';
import { DATABASE_FILE, storeHolder } from '../../src/storage/open.ts';
import { readSeal } from '../../src/storage/resync-seal.ts';
import {
  FREE_BYTES_LEFT,
  memorySide,
  type SideDisk,
  type SideFolderOptions,
  sideFolder,
} from '../../src/storage/side-disk.ts';
import { SIDE_STORE_EVENTS, sideStoreLogic } from '../../src/storage/side-store.ts';
import { world } from '../protocol/consensus/fixture.ts';
import {
  batch,
  chain,
  child as childBlock,
  committed,
  digest,
  found,
  height,
  IDENTITY,
  type MadeBlock,
  opened,
  write,
} from './fixtures.ts';

const CLIENT = 'node/client';
/** Whose leaders are judged by their rounds: its blocks count. */
const EPOCH = firstEpoch(IDENTITY, world().epoch.set, {
  ...{ leaderSchedule: 'round_robin', leaderReputation: true, vrf: false },
});
const LENGTH = 150;
const blocks = chain(LENGTH, (at) => (at % 3 === 0 ? [batch(`batch ${at}`, 10_000)] : []));
const tip = blocks.at(-1) ?? raise();
const bytesOfBlocks = (made: readonly MadeBlock[]) =>
  made.flatMap(({ block }) => block.header.batches.map(() => batch(`batch ${block.header.height}`, 10_000)));

function raise(): never {
  throw new Error('a block');
}

function harness(disk: SideDisk) {
  const clock = virtualClock();
  const heard: Message[] = [];
  const failures: string[] = [];
  const system = createSystem({ name: 'test', clock, random: seededRandom('side') });
  const client = handler<undefined, Message>({
    init: () => undefined,
    receive: (message) => {
      heard.push(message);
    },
  });
  const logic = sideStoreLogic({ disk, epoch: EPOCH, onFailure: ({ detail }) => failures.push(detail) });
  system.start(
    child(
      'node',
      supervisor({
        strategy: 'one_for_one',
        intensity: 1,
        children: [
          child('side', logic, { restart: 'permanent', publicEvents: SIDE_STORE_EVENTS }),
          child('client', client, { restart: 'permanent' }),
        ],
      }),
    ),
  );
  clock.settle();
  const ask = (...requests: readonly SideStoreRequest[]): readonly Message[] => {
    for (const request of requests) system.ref('node/side').tell(request);
    clock.settle();
    return heard.splice(0);
  };
  return { system, clock, ask, failures };
}

const to = { replyTo: CLIENT, tag: 7 };
const openIt: SideStoreRequest = { type: 'side.openRequested', ...to };
const discardIt: SideStoreRequest = { type: 'side.discardRequested', ...to };
const sealIt: SideStoreRequest = { type: 'side.sealRequested', ...to, height: height(LENGTH), id: tip.id };
const append = (made: readonly MadeBlock[]): SideStoreRequest => ({
  type: 'side.appendRequested',
  ...to,
  blocks: made.map((one) => {
    const { id, block, qc, commitProof } = committed(one);
    return { id, certified: { block, qc }, commitProof };
  }),
  batches: bytesOfBlocks(made),
});
const whole = [append(blocks.slice(0, 70)), append(blocks.slice(70))];

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});
function folder(options: Partial<SideFolderOptions> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'althing-side-'));
  roots.push(root);
  const [dir, data] = [join(root, 'data-resync'), join(root, 'data')];
  const disk = sideFolder({ identity: IDENTITY, dir, data, segmentBytes: 65_536, ...options });
  return { root, dir, data, disk };
}

const failed = (code: Extract<SideStoreReply, { type: 'side.failed' }>['code'], detail: RegExp) => ({
  type: 'side.failed',
  tag: 7,
  code,
  detail: expect.stringMatching(detail),
});

describe.each([
  ['memory', () => memorySide(IDENTITY)],
  ['folder', () => folder().disk],
])('the side store in a %s (SY-9)', (_, makeDisk) => {
  it('opens empty, appends blocks with their batches, checks them from the disk, and is sealed', () => {
    const disk = makeDisk();
    const { ask } = harness(disk);
    expect(ask(openIt, ...whole)).toEqual([
      { type: 'side.opened', tag: 7 },
      { type: 'side.appended', tag: 7, height: 70 },
      { type: 'side.appended', tag: 7, height: LENGTH },
    ]);
    expect(ask(sealIt)).toEqual([{ type: 'side.sealed', tag: 7, height: LENGTH }]);
    const store = disk.reopen();
    if ('status' in store) throw new Error(store.detail);
    expect(found(store.tip())).toMatchObject({ base: 1, height: LENGTH, id: tip.id });
    const digests = bytesOfBlocks(blocks).map(({ digest }) => digest);
    expect(found(store.batches(digests)).missing).toEqual([]);
    store.close();
  });

  it('is planted above genesis, with the state that a snapshot gave, and checked from there (SY-10)', () => {
    const disk = makeDisk();
    const { ask } = harness(disk);
    const [root, base] = [blocks[69] ?? raise(), blocks[70] ?? raise()];
    const plantAt = (made: MadeBlock): SideStoreRequest => ({
      ...{ type: 'side.plantRequested', ...to, height: made.block.header.height, id: made.id },
    });
    const executed = { height: height(100), appHash: digest('state') };
    const restored = (made: MadeBlock): SideStoreRequest => ({
      ...{ type: 'side.restoredRequested', ...to, blockId: made.id, executed },
    });
    expect(ask(plantAt(root))).toEqual([failed('IO', /no side store is open/)]);
    const block100 = blocks[99] ?? raise();
    expect(ask(openIt, plantAt(root), restored(block100), append(blocks.slice(70)), plantAt(root))).toEqual([
      { type: 'side.opened', tag: 7 },
      { type: 'side.planted', tag: 7 },
      failed('CORRUPT', /committed there is nothing/),
      { type: 'side.appended', tag: 7, height: LENGTH },
      failed('CORRUPT', /planted in an empty store/),
    ]);
    expect(ask(restored(base))).toEqual([failed('CORRUPT', /committed there is/)]);
    expect(ask(restored(block100), sealIt)).toEqual([
      { type: 'side.restored', tag: 7 },
      { type: 'side.sealed', tag: 7, height: LENGTH },
    ]);
    const store = disk.reopen();
    if ('status' in store) throw new Error(store.detail);
    expect(found(store.tip())).toMatchObject({ base: 71, height: LENGTH, id: tip.id, executed });
    // Of the blocks below nothing is known.
    expect(found(store.recover()).standing).toBeUndefined();
    store.close();
  });

  it('counts all blocks from genesis on, each once, so that its validator can judge the end of the epoch (CS-15, CS-16)', () => {
    const disk = makeDisk();
    const { ask } = harness(disk);
    ask(openIt, append(blocks.slice(0, 70)), append(blocks.slice(60, 70)), append(blocks.slice(70)), sealIt);
    const store = disk.reopen();
    if ('status' in store) throw new Error(store.detail);
    const all = blocks.map(({ block }) => block);
    expect(found(store.recover()).standing).toEqual(standingWith(EPOCH, rootStanding(EPOCH), all));
    store.close();
  });

  it('deletes what an earlier attempt left', () => {
    const { ask } = harness(makeDisk());
    ask(openIt, ...whole);
    const rival = childBlock(undefined, { salt: 'rival' });
    expect(ask(openIt, append([rival]))).toEqual([
      { type: 'side.opened', tag: 7 },
      { type: 'side.appended', tag: 7, height: 1 },
    ]);
  });

  it('is not sealed where the disk ends elsewhere, and says where', () => {
    const { ask } = harness(makeDisk());
    ask(openIt, append(blocks.slice(0, 149)));
    expect(ask(sealIt)).toEqual([failed('CORRUPT', /at height 149; block .* at height 150/)]);
    ask(openIt, ...whole);
    expect(ask({ ...sealIt, id: blocks[0]?.id ?? raise() })).toEqual([failed('CORRUPT', /should be/)]);
  });

  it('is not sealed over a gap in its own rules: a proof that does not commit, another id, wrong bytes', () => {
    const { ask } = harness(makeDisk());
    const [first] = blocks;
    if (first === undefined) raise();
    const one = append([first]);
    if (one.type !== 'side.appendRequested') raise();
    const sealOne: SideStoreRequest = { ...sealIt, height: height(1), id: first.id };
    const skipped = childBlock(first, { round: 5 }).qc;
    ask(openIt, { ...one, blocks: one.blocks.map((block) => ({ ...block, commitProof: skipped })) });
    expect(ask(sealOne)).toEqual([failed('CORRUPT', /no proof of its commit/)]);
    const lower = { ...one, blocks: one.blocks.map((block) => ({ ...block, commitProof: first.qc })) };
    ask(openIt, lower);
    expect(ask(sealOne)).toEqual([failed('CORRUPT', /no proof of its commit/)]);

    const other = childBlock(undefined, { salt: 'other' });
    const certified = { block: other.block, qc: first.qc };
    ask(openIt, { ...one, blocks: one.blocks.map((block) => ({ ...block, certified })) });
    expect(ask(sealOne)).toEqual([failed('CORRUPT', /another id/)]);

    const named = childBlock(undefined, { batches: [batch('right')] });
    const false_ = { digest: batch('right').digest, bytes: batch('wrong').bytes };
    ask(openIt, { ...append([named]), batches: [false_] } as SideStoreRequest);
    expect(ask({ ...sealOne, id: named.id })).toEqual([failed('CORRUPT', /batch .* has other bytes/)]);
  });

  it('refuses blocks that leave a gap, and nothing of their group counts', () => {
    const { ask } = harness(makeDisk());
    expect(ask(openIt, append(blocks.slice(0, 2)), append(blocks.slice(3, 5)))).toEqual([
      { type: 'side.opened', tag: 7 },
      { type: 'side.appended', tag: 7, height: 2 },
      failed('CORRUPT', /would leave a gap/),
    ]);
    expect(ask(append(blocks.slice(2, 3)))).toEqual([{ type: 'side.appended', tag: 7, height: 3 }]);
  });

  it('answers who asks without an open store, and a discard at any time', () => {
    const { ask, failures } = harness(makeDisk());
    const none = failed('IO', /no side store is open/);
    expect(ask(append([]), sealIt)).toEqual([none, none]);
    expect(failures).toHaveLength(2);
    expect(ask(discardIt)).toEqual([{ type: 'side.discarded', tag: 7 }]);
    expect(ask(openIt, ...whole, sealIt, discardIt).at(-1)).toEqual({ type: 'side.discarded', tag: 7 });
    expect(ask(append([]))).toEqual([none]);
  });

  it('gives up a check that a discard overtakes: nothing is sealed', () => {
    const { ask } = harness(makeDisk());
    const all = ask(openIt, ...whole, sealIt, discardIt);
    expect(all.map(({ type }) => type)).not.toContain('side.sealed');
    const again = ask(sealIt);
    expect(again).toEqual([failed('IO', /no side store is open/)]);
  });
});

describe('the side store and a device that refuses', () => {
  it('says FULL when the disk fills, discards then, and can begin again', () => {
    const faults: SyncFault[] = ['ok', 'FULL'];
    const memory: MemoryFaults = { onSync: () => faults.shift() ?? 'ok' };
    const { ask } = harness(memorySide(IDENTITY, memory));
    expect(ask(openIt, ...whole).map(({ type }) => type)).toEqual([
      'side.opened',
      'side.appended',
      'side.failed',
    ]);
    expect(ask(discardIt, openIt, ...whole, sealIt).at(-1)?.type).toBe('side.sealed');
  });

  it('says FULL on a real database that may not grow, and leaves the running chain alone', () => {
    const { root, dir, data, disk } = folder({ databasePagesMax: 34 });
    const running = opened(data);
    write(running, { kind: 'commit', blocks: blocks.slice(0, 3).map(committed) });
    const { ask } = harness(disk);
    expect(ask(openIt, append(blocks)).at(-1)).toEqual(
      failed('FULL', /chain\.db: .*full.*: make room on that disk, then ask again$/),
    );
    expect(ask(discardIt)).toEqual([{ type: 'side.discarded', tag: 7 }]);
    expect(existsSync(dir)).toBe(false);
    expect(readdirSync(root)).toEqual(['data']);
    expect(found(running.latest()).committed).toBe(3);
    running.close();
  });

  it('refuses to begin where less room is free than the running chain takes, and says how much', () => {
    let free = FREE_BYTES_LEFT;
    const { data, dir, disk } = folder({ freeBytes: () => free });
    const running = opened(data, { segmentBytes: 4_194_304 });
    write(running, { kind: 'batches', batches: [batch('big', 3 * 1_048_576)] });
    const { ask } = harness(disk);
    expect(ask(openIt)).toEqual([failed('FULL', /64 MiB are free.* about 6[78] MiB: make room/)]);
    expect(existsSync(dir)).toBe(false);
    free += 5 * 1_048_576;
    expect(ask(openIt)).toEqual([{ type: 'side.opened', tag: 7 }]);
    const withSnapshot = { ...openIt, snapshotBytes: 100 * 1_048_576 };
    expect(ask(withSnapshot), 'SY-10').toEqual([failed('FULL', /about 26[78] MiB: make room/)]);
    running.close();
  });

  it('closes what is open when its actor crashes, and the next one begins anew', () => {
    const { dir, disk } = folder();
    let isBroken = true;
    const breaking: SideDisk = {
      ...disk,
      create() {
        const store = disk.create();
        if ('status' in store || !isBroken) return store;
        store.stage = () => {
          throw new Error('a bug');
        };
        return store;
      },
    };
    const { ask, clock } = harness(breaking);
    expect(ask(openIt, append(blocks.slice(0, 2)))).toEqual([{ type: 'side.opened', tag: 7 }]);
    clock.advance(60_000);
    isBroken = false;
    expect(storeHolder(dir), 'nobody has it open').toBeUndefined();
    expect(ask(openIt, ...whole, sealIt).at(-1)?.type).toBe('side.sealed');
  });

  it('finds damage between writing and sealing', () => {
    const { dir, disk } = folder();
    const { ask } = harness(disk);
    const { reopen } = disk;
    const damaged: SideDisk = {
      ...disk,
      reopen() {
        const db = new DatabaseSync(join(dir, DATABASE_FILE));
        const body = new Uint8Array([1]);
        const crc = rowChecksum(`committed/20/${blocks[19]?.id}`, new Uint8Array([2]));
        db.prepare('UPDATE committed_blocks SET body = ?, crc = ? WHERE height = 20').run(body, crc);
        db.close();
        return reopen();
      },
    };
    const second = harness(damaged);
    expect(second.ask(openIt, ...whole, sealIt).at(-1)).toEqual(failed('CORRUPT', /height 20/));
    expect(readSeal(dir)).toBeUndefined();
    expect(ask(openIt)[0]?.type).toBe('side.opened');
  });

  it('seals for its own chain, with height and id; a seal that is damaged is none', () => {
    const { dir, disk } = folder();
    harness(disk).ask(openIt, ...whole, sealIt);
    expect(readSeal(dir)).toEqual({ ...IDENTITY, height: LENGTH, id: tip.id });
    const path = join(dir, 'sealed.json');
    const other = readFileSync(path, 'utf8').replace(`"height":${LENGTH}`, `"height":${LENGTH + 1}`);
    for (const text of [other, '', '{}\n', 'x\nffffffff\n', '{"height":1}\n00000000\n']) {
      writeFileSync(join(dir, 'sealed.json'), text);
      expect(readSeal(dir), text).toBeUndefined();
    }
  });
});

describe('the side store in memory', () => {
  it('loses at a crash what is not sealed, and gives what is', () => {
    const disk = memorySide(IDENTITY);
    const { ask } = harness(disk);
    ask(openIt, ...whole);
    disk.crash();
    expect(disk.sealed()).toBeUndefined();
    expect(disk.reopen()).toMatchObject({ status: 'failed' });
    ask(openIt, ...whole, sealIt);
    disk.crash();
    expect(disk.sealed()).toMatchObject({ height: LENGTH, id: tip.id });
    expect(disk.sealed()?.disk.durable().tip.height).toBe(LENGTH);
  });
});
