import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wallTime } from '../../src/base/units.ts';
import {
  completeSwap,
  forgetReplaced,
  rollbackSwap,
  type SwapPaths,
  type SwapSteps,
} from '../../src/storage/chain-swap.ts';
import { lockFolder } from '../../src/storage/folder-lock.ts';
import { DATABASE_FILE } from '../../src/storage/open.ts';
import { resetChainData } from '../../src/storage/reset.ts';
import { sideFolder } from '../../src/storage/side-disk.ts';
import { REAL_STEPS } from '../../src/storage/swap-folders.ts';
import { child, committed, digest, found, IDENTITY, reputation, votedFor, write } from './fixtures.ts';
import {
  NEW_CHAIN,
  NOW,
  newHome,
  nodeStore,
  OLD_CHAIN,
  openedNode,
  RECORD_VERSION,
  RETENTION,
  sealSide,
  sign,
  swapOptions,
  swapPaths,
} from './swap-fixture.ts';

let paths: SwapPaths;
let template = '';
beforeEach(() => {
  paths = newHome();
  template = '';
});
afterEach(() => {
  rmSync(dirname(paths.home), { recursive: true });
  if (template !== '') rmSync(template, { recursive: true });
});

const last = OLD_CHAIN.at(-1) ?? raise();
const newTip = NEW_CHAIN.at(-1) ?? raise();

function raise(): never {
  throw new Error('a block');
}

/** What a node finds when it starts. */
function standing() {
  const store = openedNode(paths);
  const { record, recordVersion } = found(store.recover());
  const tip = found(store.tip());
  const reputations = found(store.reputations());
  store.close();
  return {
    id: tip.id,
    height: tip.height,
    executed: tip.executed.height,
    record,
    recordVersion,
    reputations,
  };
}

const signed = { record: votedFor(last), recordVersion: RECORD_VERSION };
const OLD = { id: last.id, height: 5, executed: 5, ...signed };
const NEW = { id: newTip.id, height: 7, executed: 0, ...signed };
function changeData(sql: string): void {
  const db = new DatabaseSync(join(paths.data, DATABASE_FILE));
  db.exec(sql);
  db.close();
}
const folders = () =>
  readdirSync(paths.home)
    .filter((name) => name.startsWith('data'))
    .sort();

describe('a swap of the chain at a start (SY-9)', () => {
  it('does nothing where there is nothing to do, and makes no file', () => {
    const before = readdirSync(paths.home);
    expect(completeSwap(paths, swapOptions())).toEqual({ status: 'done', what: 'nothing', deleted: [] });
    expect(completeSwap(swapPaths(join(paths.home, 'nowhere')), swapOptions())).toMatchObject({
      what: 'nothing',
    });
    expect(readdirSync(paths.home)).toEqual(before);
  });

  it('puts the sealed chain in place, keeps the old one with its application, and carries record and trust over', () => {
    sealSide(paths);
    writeFileSync(join(paths.data, 'application', 'state'), 'of the old chain');
    const outcome = completeSwap(paths, swapOptions());
    const backup = join(paths.home, 'data-backup-2023-11-14T22-13-20.000Z');
    expect(outcome).toEqual({
      status: 'done',
      what: { did: 'swapped', height: 7, backup },
      deleted: [],
    });
    expect(folders()).toEqual(['data', 'data-backup-2023-11-14T22-13-20.000Z']);
    expect(existsSync(join(backup, 'application', 'state'))).toBe(true);
    expect(existsSync(join(paths.data, 'application')), 'it is replayed from the new chain').toBe(false);
    expect(standing()).toEqual({ ...NEW, reputations: [reputation(2), reputation(3)] });
    expect(completeSwap(paths, swapOptions())).toMatchObject({ what: 'nothing' });
  });

  it('never lets the record fall: the newest of all copies wins, and a vote of before is refused after it (ST-2)', () => {
    sealSide(paths);
    // A copy in the side store that is older, as of a swap that was cut off before the node signed on.
    const first = OLD_CHAIN[0] ?? raise();
    const other = newHome();
    rmSync(other.data, { recursive: true });
    rmSync(join(other.keys, 'record.witness'));
    const store = openedNode(other);
    sign(store, first, 0);
    store.close();
    sealSide(other);
    expect(completeSwap(other, swapOptions())).toMatchObject({ what: { did: 'swapped' } });
    cpSync(join(other.data, 'safety-record.kept'), join(paths.resyncData, 'safety-record.kept'));
    rmSync(dirname(other.home), { recursive: true });
    completeSwap(paths, swapOptions());
    const after = openedNode(paths);
    expect(found(after.recover()).recordVersion).toBe(RECORD_VERSION);
    const rival = child(OLD_CHAIN[3], { salt: 'rival', round: 5 });
    const staged = after.stage([
      { kind: 'record', record: votedFor(rival), expectedVersion: RECORD_VERSION, block: rival.block },
    ]);
    expect(staged).toMatchObject({ outcomes: [{ status: 'refused', code: 'VERSION_CONFLICT' }] });
    after.close();
  });

  it('deletes a side store that is not whole, and says so', () => {
    const disk = sideFolder({ identity: IDENTITY, dir: paths.resyncData, data: paths.data });
    const store = disk.create();
    if ('status' in store) throw new Error(store.detail);
    write(store, { kind: 'commit', blocks: NEW_CHAIN.map(committed) });
    store.close();
    expect(completeSwap(paths, swapOptions())).toMatchObject({ what: 'nothing', deleted: ['data-resync'] });
    expect(folders()).toEqual(['data']);
    expect(standing()).toMatchObject(OLD);
  });

  it('keeps a backup for as long as it is told, and no longer', () => {
    sealSide(paths);
    completeSwap(paths, swapOptions());
    const name = 'data-backup-2023-11-14T22-13-20.000Z';
    expect(completeSwap(paths, swapOptions(wallTime(NOW + RETENTION)))).toMatchObject({ deleted: [] });
    expect(folders()).toEqual(['data', name]);
    expect(completeSwap(paths, swapOptions(wallTime(NOW + RETENTION + 1)))).toMatchObject({
      deleted: [name],
    });
    expect(folders()).toEqual(['data']);
    expect(standing()).toMatchObject(NEW);
  });

  it('gives two backups of one millisecond two names', () => {
    sealSide(paths);
    completeSwap(paths, swapOptions());
    openedNode(paths).close();
    sealSide(paths);
    completeSwap(paths, swapOptions());
    expect(folders()).toEqual([
      'data',
      'data-backup-2023-11-14T22-13-20.000Z',
      'data-backup-2023-11-14T22-13-20.001Z',
    ]);
  });

  it("moves nothing while a node runs, nor while another start is at it; a running node's side store stays", () => {
    sealSide(paths);
    const running = openedNode(paths);
    expect(completeSwap(paths, swapOptions())).toMatchObject({ status: 'problem', code: 'LOCKED' });
    expect(rollbackSwap(paths, { chain: IDENTITY })).toMatchObject({ status: 'problem', code: 'LOCKED' });
    running.close();
    const lock = lockFolder(paths.home, 'swap');
    expect(completeSwap(paths, swapOptions())).toMatchObject({
      code: 'LOCKED',
      detail: expect.stringContaining(`process ${process.pid} is changing its chain`),
    });
    if (lock.status === 'held') lock.release();
    expect(folders()).toEqual(['data', 'data-resync']);
    expect(completeSwap(paths, swapOptions())).toMatchObject({ what: { did: 'swapped' } });
  });

  it('refuses a chain of another genesis, a record that is lost, and one that cannot be read: nothing is moved', () => {
    sealSide(paths, { ...IDENTITY, genesisHash: digest('other') });
    expect(completeSwap(paths, swapOptions())).toMatchObject({ code: 'WRONG_CHAIN', path: paths.resyncData });
    sealSide(paths);
    changeData('DELETE FROM safety_record');
    expect(completeSwap(paths, swapOptions())).toMatchObject({
      code: 'RECORD_LOST',
      detail: expect.stringContaining('number 5 was acknowledged; nothing was changed'),
    });
    changeData("INSERT INTO safety_record (id, version, body, crc) VALUES (1, 5, x'00', 0)");
    expect(completeSwap(paths, swapOptions())).toMatchObject({
      code: 'CORRUPT',
      detail: expect.stringContaining('no chain was moved'),
    });
    writeFileSync(join(paths.data, DATABASE_FILE), 'no database');
    expect(completeSwap(paths, swapOptions())).toMatchObject({ code: 'NOT_A_DATABASE' });
    expect(folders()).toEqual(['data', 'data-resync']);
  });

  it('takes a home whose chain was reset meanwhile: the kept record is carried over', () => {
    sealSide(paths);
    expect(resetChainData(paths.data, { keepSafetyRecord: true, witnessDir: paths.keys })).toMatchObject({
      recordVersion: RECORD_VERSION,
    });
    expect(completeSwap(paths, swapOptions())).toMatchObject({ what: { did: 'swapped' } });
    expect(standing()).toMatchObject(NEW);
  });
});

describe('a rollback (SY-9)', () => {
  const rollback = () => rollbackSwap(paths, { chain: IDENTITY });

  it('restores the old chain with its application, and carries over what was signed since', () => {
    writeFileSync(join(paths.data, 'application', 'state'), 'of the old chain');
    sealSide(paths);
    completeSwap(paths, swapOptions());
    const store = openedNode(paths);
    const voted = child(newTip, { round: 20 });
    sign(store, voted, RECORD_VERSION);
    store.close();
    expect(rollback()).toEqual({
      status: 'rolledBack',
      what: 'swap',
      from: join(paths.home, 'data-backup-2023-11-14T22-13-20.000Z'),
    });
    expect(folders()).toEqual(['data', 'data-replaced']);
    expect(existsSync(join(paths.data, 'application', 'state'))).toBe(true);
    const after = { ...OLD, record: votedFor(voted), recordVersion: RECORD_VERSION + 1 };
    expect(standing()).toMatchObject(after);
    expect(completeSwap(paths, swapOptions()), 'the replaced chain stays').toMatchObject({ what: 'nothing' });
    expect(folders()).toEqual(['data', 'data-replaced']);
    forgetReplaced(paths);
    expect(folders()).toEqual(['data']);
    expect(standing()).toMatchObject(after);
  });

  it('before the next start only drops the new chain', () => {
    sealSide(paths);
    expect(rollback()).toMatchObject({ status: 'rolledBack', what: 'resync' });
    expect(folders()).toEqual(['data']);
    expect(standing()).toMatchObject(OLD);
  });

  it('says where there is no backup, half of one, or one of another chain, and changes nothing', () => {
    expect(rollback()).toMatchObject({ status: 'problem', code: 'NO_BACKUP' });
    const backup = join(paths.home, 'data-backup-2023-11-14T22-13-20.000Z');
    mkdirSync(backup);
    expect(rollback()).toMatchObject({ code: 'HALF_BACKUP', path: backup });
    writeFileSync(join(backup, DATABASE_FILE), 'no database');
    expect(rollback()).toMatchObject({ code: 'HALF_BACKUP' });
    rmSync(backup, { recursive: true });
    cpSync(paths.data, backup, { recursive: true });
    const db = new DatabaseSync(join(backup, DATABASE_FILE));
    db.exec("UPDATE meta SET value = 'elsewhere' WHERE key = 'chain_id'");
    db.close();
    expect(rollback()).toMatchObject({ code: 'WRONG_CHAIN', detail: expect.stringContaining('elsewhere') });
    const cut = new DatabaseSync(join(backup, DATABASE_FILE));
    cut.exec('DROP TABLE meta');
    cut.close();
    expect(rollback()).toMatchObject({ code: 'HALF_BACKUP' });
    expect(folders()).toEqual(['data', 'data-backup-2023-11-14T22-13-20.000Z']);
    expect(standing()).toMatchObject(OLD);
  });

  it('passes over half a backup for a whole one that is older', () => {
    sealSide(paths);
    completeSwap(paths, swapOptions());
    mkdirSync(join(paths.home, 'data-backup-2024-11-14T22-13-20.000Z'));
    expect(rollback()).toMatchObject({ status: 'rolledBack', what: 'swap' });
    expect(standing()).toMatchObject(OLD);
  });
});

class PowerCut extends Error {}

/** The power fails before step `at`: everything before it has taken place. */
function cutAt(at: number): { readonly steps: SwapSteps; readonly count: () => number } {
  let count = 0;
  const step = <Arguments extends readonly unknown[]>(run: (...given: Arguments) => void) => {
    return (...given: Arguments): void => {
      if (count === at) throw new PowerCut();
      count += 1;
      run(...given);
    };
  };
  return {
    count: () => count,
    steps: {
      rename: step(REAL_STEPS.rename),
      syncDirectory: step(REAL_STEPS.syncDirectory),
      remove: step(REAL_STEPS.remove),
      keepRecord: step(REAL_STEPS.keepRecord),
      copyReputations: step(REAL_STEPS.copyReputations),
    },
  };
}

/** Runs `act` on copies of this home, cut off before each of its steps; `check` sees what is left. @returns how many steps */
function atEveryCut(act: (steps: SwapSteps) => void, check: (where: string) => void): number {
  template = mkdtempSync(join(tmpdir(), 'althing-swap-template-'));
  cpSync(paths.home, template, { recursive: true });
  for (let at = 0; ; at += 1) {
    rmSync(paths.home, { recursive: true });
    cpSync(template, paths.home, { recursive: true });
    const { steps, count } = cutAt(at);
    let cut = false;
    try {
      act(steps);
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      cut = true;
    }
    check(`cut before step ${at}`);
    if (!cut) return count();
  }
}

describe('a power cut between any two steps', () => {
  it('of a swap leaves the old chain or the new one after the next start, whole, and the record never falls', () => {
    sealSide(paths);
    const seen = new Set<string>();
    const steps = atEveryCut(
      (given) => completeSwap(paths, { ...swapOptions(), steps: given }),
      (where) => {
        seen.add(folders().join(' '));
        expect(completeSwap(paths, swapOptions()), where).toMatchObject({ status: 'done' });
        expect(standing(), where).toEqual({ ...NEW, reputations: [reputation(2), reputation(3)] });
        expect(rollbackSwap(paths, { chain: IDENTITY }), where).toMatchObject({ what: 'swap' });
        expect(standing(), where).toMatchObject(OLD);
      },
    );
    expect(steps).toBe(6);
    expect([...seen], 'between the two renames too').toContain(
      'data-backup-2023-11-14T22-13-20.000Z data-resync',
    );
  }, 60_000);

  it('of a rollback leaves the old chain or the new one after the next start, and a second rollback succeeds', () => {
    sealSide(paths);
    completeSwap(paths, swapOptions());
    const store = openedNode(paths);
    const voted = child(newTip, { round: 20 });
    sign(store, voted, RECORD_VERSION);
    store.close();
    const heights = new Set<number>();
    const steps = atEveryCut(
      (given) => rollbackSwap(paths, { chain: IDENTITY, steps: given }),
      (where) => {
        expect(completeSwap(paths, swapOptions()), where).toMatchObject({ status: 'done' });
        const { height, record, recordVersion } = standing();
        heights.add(height);
        expect([recordVersion, record], where).toEqual([RECORD_VERSION + 1, votedFor(voted)]);
        if (height === 7) {
          expect(rollbackSwap(paths, { chain: IDENTITY }), where).toMatchObject({ what: 'swap' });
        }
        expect(standing(), where).toMatchObject({ height: 5, id: last.id, executed: 5 });
      },
    );
    expect(steps).toBe(5);
    expect([...heights].sort()).toEqual([5, 7]);
  }, 60_000);

  it('of a rollback while a swap was cut off goes back to the old chain', () => {
    sealSide(paths);
    const { steps } = cutAt(4);
    expect(() => completeSwap(paths, { ...swapOptions(), steps })).toThrow(PowerCut);
    expect(folders()).toEqual(['data-backup-2023-11-14T22-13-20.000Z', 'data-resync']);
    atEveryCut(
      (given) => rollbackSwap(paths, { chain: IDENTITY, steps: given }),
      (where) => {
        expect(rollbackSwap(paths, { chain: IDENTITY }), where).toMatchObject({});
        expect(completeSwap(paths, swapOptions()), where).toMatchObject({ status: 'done' });
        expect(standing(), where).toMatchObject(OLD);
      },
    );
  }, 60_000);

  it('with the new chain alone left of a rollback goes on with that', () => {
    sealSide(paths);
    completeSwap(paths, swapOptions());
    const { steps } = cutAt(3);
    expect(() => rollbackSwap(paths, { chain: IDENTITY, steps })).toThrow(PowerCut);
    expect(folders()).toEqual(['data-backup-2023-11-14T22-13-20.000Z', 'data-replaced']);
    rmSync(join(paths.home, 'data-backup-2023-11-14T22-13-20.000Z'), { recursive: true });
    expect(completeSwap(paths, swapOptions())).toMatchObject({
      what: { did: 'recovered', from: join(paths.home, 'data-replaced') },
    });
    expect(standing()).toMatchObject(NEW);
  });

  it('of a deletion leaves no folder that is taken for a chain', () => {
    sealSide(paths);
    completeSwap(paths, swapOptions());
    openedNode(paths).close();
    mkdirSync(paths.resyncData);
    const late = swapOptions(wallTime(NOW + RETENTION + 1));
    const steps = atEveryCut(
      (given) => completeSwap(paths, { ...late, steps: given }),
      (where) => {
        expect(completeSwap(paths, late), where).toMatchObject({ status: 'done' });
        expect(folders(), where).toEqual(['data']);
        expect(standing(), where).toMatchObject(NEW);
      },
    );
    expect(steps).toBe(6);
  }, 60_000);

  it('and a seal that was lost with it goes back to the backup', () => {
    sealSide(paths);
    const { steps } = cutAt(4);
    expect(() => completeSwap(paths, { ...swapOptions(), steps })).toThrow(PowerCut);
    rmSync(join(paths.resyncData, 'sealed.json'));
    expect(completeSwap(paths, swapOptions())).toMatchObject({ what: { did: 'recovered' } });
    expect(standing()).toMatchObject(OLD);
  });

  it('with everything gone but the witness is said, not papered over (ST-7)', () => {
    rmSync(paths.data, { recursive: true });
    sealSide(paths);
    expect(completeSwap(paths, swapOptions())).toMatchObject({ code: 'RECORD_LOST' });
    expect(nodeStore(paths)).toMatchObject({ code: 'RECORD_LOST' });
  });
});
