import { describe, expect, it } from 'vitest';
import { memoryDisk, type SyncFault } from '../../src/storage/memory-store.ts';
import { describeStore } from './contract.ts';
import { chain, codes, found, IDENTITY, record, votedFor, write } from './fixtures.ts';

describeStore(
  'memory store',
  () => {
    const disk = memoryDisk(IDENTITY);
    return { ...disk, remove: () => disk.crash() };
  },
  100,
);

describe('memory store: faults', () => {
  const [first] = chain(1);
  if (first === undefined) throw new Error('a block');
  const vote = record(votedFor(first), 0, first.block);

  it('undoes the whole group at a failed sync and stays usable', () => {
    const faults: SyncFault[] = ['IO', 'FULL', 'ok'];
    const store = memoryDisk(IDENTITY, { onSync: () => faults.shift() ?? 'ok' }).open();
    for (const code of ['IO', 'FULL']) {
      expect(store.stage([vote]).status).toBe('staged');
      expect(store.sync()).toMatchObject({ status: 'failed', code });
      expect(found(store.recover()).recordVersion).toBe(0);
    }
    expect(codes(write(store, vote))).toEqual(['staged']);
  });

  it('may have written a group whose sync it reports as failed', () => {
    const store = memoryDisk(IDENTITY, { onSync: () => 'IO_AFTER_WRITE' }).open();
    store.stage([vote]);
    expect(store.sync()).toMatchObject({ status: 'failed', code: 'IO' });
    expect(found(store.recover()).recordVersion).toBe(1);
  });

  it('answers nothing after a crash, and damage as CORRUPT', () => {
    let damaged = false;
    const disk = memoryDisk(IDENTITY, { onRead: () => damaged });
    const store = disk.open();
    damaged = true;
    expect(store.recover()).toMatchObject({ status: 'failed', code: 'CORRUPT' });
    disk.crash();
    expect(store.recover()).toMatchObject({ status: 'failed', code: 'IO' });
    expect(store.stage([vote])).toMatchObject({ status: 'failed', code: 'IO' });
  });

  it('lets one store at a time have the disk open', () => {
    const disk = memoryDisk(IDENTITY);
    const store = disk.open();
    expect(() => disk.open()).toThrow('one store at a time');
    store.close();
    expect(found(disk.open().recover()).recordVersion).toBe(0);
  });
});
