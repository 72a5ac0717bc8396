import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DATABASE_FILE, openStore } from '../../src/storage/open.ts';
import { resetChainData } from '../../src/storage/reset.ts';
import {
  batch,
  chain,
  codes,
  committed,
  digest,
  found,
  GENESIS_QC,
  IDENTITY,
  opened,
  record,
  votedFor,
  write,
} from './fixtures.ts';

let root = '';
let dir = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'althing-reset-'));
  dir = join(root, 'data');
});
afterEach(() => rmSync(root, { recursive: true }));

const blocks = chain(5);
const last = blocks[4];
if (last === undefined) throw new Error('five blocks');

/** Five committed blocks and a record of number 5 that voted for the last. */
function fill(): void {
  const store = opened(dir);
  write(store, { kind: 'batches', batches: [batch('a')] }, { kind: 'commit', blocks: blocks.map(committed) });
  for (const [version, made] of blocks.entries()) write(store, record(votedFor(made), version));
  store.close();
}

function expectKept(): void {
  const store = opened(dir);
  const recovered = found(store.recover());
  expect(recovered).toEqual({
    record: votedFor(last ?? raise()),
    recordVersion: 5,
    blocks: [],
    updates: [],
    executed: { height: 0, appHash: expect.any(String) },
  });
  expect(found(store.batches([batch('a').digest])).missing).toHaveLength(1);
  store.close();
}

function raise(): never {
  throw new Error('a block');
}

describe('resetting a chain (ST-9)', () => {
  it('deletes blocks, batches and executions, and keeps the record and its number', () => {
    fill();
    writeFileSync(join(dir, 'notes.txt'), 'mine');
    expect(resetChainData(dir, { keepSafetyRecord: true })).toEqual({ status: 'reset', recordVersion: 5 });
    expect(readdirSync(join(dir, 'segments'))).toEqual([]);
    expect(readFileSync(join(dir, 'notes.txt'), 'utf8'), 'files of others stay').toBe('mine');
    expectKept();
    expectKept();
  });

  it('still refuses to sign twice after it, with a high QC of a block that is gone', () => {
    fill();
    resetChainData(dir, { keepSafetyRecord: true });
    const store = opened(dir);
    const { record: kept } = found(store.recover());
    expect(kept.highQC).toEqual(last.block.qc);
    expect(found(store.blockWithAncestors(kept.highQC.blockId, 1))).toEqual([]);
    const nothingSigned = {
      epoch: kept.epoch,
      lastVotedRound: GENESIS_QC.round,
      lockedRound: GENESIS_QC.round,
      highQC: GENESIS_QC,
    };
    expect(codes(write(store, record(nothingSigned, 5)))).toEqual(['VERSION_CONFLICT']);
    expect(codes(write(store, { kind: 'commit', blocks: blocks.map(committed) }))).toEqual(['staged']);
    store.close();
  });

  it('is safe to repeat, also when it was cut off at any point', () => {
    fill();
    const before = join(root, 'before');
    cpSync(dir, before, { recursive: true });
    resetChainData(dir, { keepSafetyRecord: true });
    const kept = join(dir, 'safety-record.kept');
    const bytes = readFileSync(kept);
    // Cut off after the record was kept and before the database was deleted.
    rmSync(dir, { recursive: true });
    cpSync(before, dir, { recursive: true });
    writeFileSync(kept, bytes);
    expect(found(openedAndClosed().recover()).recordVersion).toBe(5);
    resetChainData(dir, { keepSafetyRecord: true });
    // Cut off after the database was deleted.
    expect(resetChainData(dir, { keepSafetyRecord: true })).toEqual({ status: 'reset', recordVersion: 5 });
    expectKept();
  });

  it('takes the kept record over an older one in a database that was left behind', () => {
    const store = opened(dir);
    const [first] = blocks;
    write(store, record(votedFor(first ?? raise()), 0));
    store.close();
    const older = readFileSync(join(dir, DATABASE_FILE));
    const again = opened(dir);
    for (const [at, made] of blocks.slice(1).entries()) write(again, record(votedFor(made), at + 1));
    again.close();
    resetChainData(dir, { keepSafetyRecord: true });
    writeFileSync(join(dir, DATABASE_FILE), older);
    expectKept();
  });

  it('reads the record out of a database whose chain is damaged', () => {
    fill();
    const db = new DatabaseSync(join(dir, DATABASE_FILE));
    db.exec("UPDATE committed_blocks SET body = x'00'");
    db.close();
    expect(openStore(dir, IDENTITY)).toMatchObject({ code: 'CORRUPT' });
    expect(resetChainData(dir, { keepSafetyRecord: true })).toMatchObject({ recordVersion: 5 });
    expectKept();
  });

  it('deletes nothing when the record itself cannot be read, and says so', () => {
    fill();
    const db = new DatabaseSync(join(dir, DATABASE_FILE));
    db.exec("UPDATE safety_record SET body = x'00'");
    db.close();
    expect(resetChainData(dir, { keepSafetyRecord: true })).toMatchObject({
      code: 'CORRUPT',
      detail: expect.stringContaining('nothing was deleted'),
    });
    writeFileSync(join(dir, DATABASE_FILE), 'no database any more');
    expect(resetChainData(dir, { keepSafetyRecord: true })).toMatchObject({ code: 'NOT_A_DATABASE' });
    expect(existsSync(join(dir, DATABASE_FILE))).toBe(true);
  });

  it('deletes nothing when the record found is older than what was acknowledged (ST-7)', () => {
    fill();
    const db = new DatabaseSync(join(dir, DATABASE_FILE));
    db.exec('DELETE FROM safety_record');
    db.close();
    expect(resetChainData(dir, { keepSafetyRecord: true })).toMatchObject({ code: 'RECORD_LOST' });
    expect(existsSync(join(dir, DATABASE_FILE))).toBe(true);
  });

  it('forgets everything when told so, whatever state it is in', () => {
    fill();
    writeFileSync(join(dir, DATABASE_FILE), 'no database any more');
    expect(resetChainData(dir, { keepSafetyRecord: false })).toEqual({ status: 'reset', recordVersion: 0 });
    expect(found(openedAndClosed().recover()).recordVersion).toBe(0);
  });

  it("does not touch a running node's store, nor another program's database", () => {
    fill();
    const store = opened(dir);
    for (const keepSafetyRecord of [true, false]) {
      expect(resetChainData(dir, { keepSafetyRecord })).toMatchObject({ code: 'LOCKED' });
    }
    expect(found(store.latest()).committed).toBe(5);
    store.close();
    const foreign = join(root, 'foreign');
    mkdirSync(foreign);
    const db = new DatabaseSync(join(foreign, DATABASE_FILE));
    db.exec('CREATE TABLE recipes (name TEXT)');
    db.close();
    for (const keepSafetyRecord of [true, false]) {
      expect(resetChainData(foreign, { keepSafetyRecord })).toMatchObject({ code: 'FOREIGN_DATABASE' });
    }
    expect(existsSync(join(foreign, DATABASE_FILE))).toBe(true);
  });

  it('is nothing in a home that has no chain', () => {
    expect(resetChainData(dir, { keepSafetyRecord: true })).toEqual({ status: 'reset', recordVersion: 0 });
    opened(dir).close();
    expect(resetChainData(dir, { keepSafetyRecord: true })).toEqual({ status: 'reset', recordVersion: 0 });
  });

  it("does not give a kept record to another chain's store", () => {
    fill();
    resetChainData(dir, { keepSafetyRecord: true });
    const other = openStore(dir, { ...IDENTITY, genesisHash: digest('other') });
    expect(other).toMatchObject({ code: 'WRONG_CHAIN' });
    expectKept();
  });
});

function openedAndClosed() {
  const store = opened(dir);
  const recovered = store.recover();
  store.close();
  return { recover: () => recovered };
}
