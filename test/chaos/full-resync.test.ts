/**
 * A disk that is full while a chain is replaced, or a fork is proved: a tmpfs of a few MiB, and nothing simulated. The old chain
 * stays whole, the words say what to do, and with room the next attempt succeeds. Rules SY-5, SY-9; ST-7, ST-10, docs/storage.md.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSeal } from '../../src/storage/resync-seal.ts';
import { NEW_CHAIN, OLD_CHAIN } from '../storage/swap-fixture.ts';
import { SmallDisk } from './support/small-disk.ts';

/** @unit bytes */
const DISK_BYTES = 8 * 1_048_576;
const STEPS = fileURLToPath(new URL('./support/swap-steps.ts', import.meta.url));

let folder: string;
let disk: SmallDisk;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'althing-full-'));
  disk = await SmallDisk.mount(folder, DISK_BYTES);
  step('home');
});
afterEach(() => {
  disk.unmount();
  rmSync(folder, { recursive: true });
});

/** By a process that sees the disk where its home is. */
function inside(...command: readonly string[]): string {
  const [program = '', ...words] = [...(disk.launch().wrapper ?? []), ...command];
  return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
const step = (name: string): unknown => JSON.parse(inside(process.execPath, STEPS, name, folder));
const home = () => disk.seen(join(folder, 'home'));
const folders = () =>
  readdirSync(home())
    .filter((name) => name.startsWith('data'))
    .sort();

const OLD = { height: 5, id: OLD_CHAIN.at(-1)?.id, version: 5 };
const NEW = { height: 7, id: NEW_CHAIN.at(-1)?.id, version: 5 };
const FULL = {
  status: 'problem',
  code: 'FULL',
  detail: expect.stringMatching(/(no space|full).*free space/),
};
const FAILED = {
  status: 'failed',
  code: 'FULL',
  detail: expect.stringMatching(/data-resync.*(no space|full)/),
};
const SWAPPED = { status: 'done', what: { did: 'swapped', height: 7 } };

describe('a disk that is full', () => {
  it('lets no full re-sync begin: the words name the folder, what is free and what is needed (SY-9)', () => {
    expect(step('begin')).toMatchObject({
      code: 'FULL',
      detail: expect.stringMatching(
        /home: \d MiB are free, and a second chain .* needs about \d+ MiB: make room/,
      ),
    });
    expect(folders()).toEqual(['data']);
  });

  it('in the middle of the download: FULL, the old chain is whole, and the next attempt succeeds', () => {
    expect(step('download')).toMatchObject(FAILED);
    expect(step('standing')).toEqual(OLD);
    expect(step('discard')).toBe('discarded');
    expect(folders()).toEqual(['data']);
    step('sealed');
    expect(step('swap')).toMatchObject(SWAPPED);
    expect(step('standing')).toEqual(NEW);
  });

  it('and a crash in the middle: the next start deletes what was half done, without room to write a letter', () => {
    expect(step('download')).toMatchObject(FAILED);
    disk.fill(0);
    expect(step('swap')).toEqual({ status: 'done', what: 'nothing', deleted: ['data-resync'] });
    expect(folders()).toEqual(['data']);
    expect(step('standing')).toEqual(OLD);
  });

  it('at the seal: nothing is sealed, and with room it is', () => {
    step('write');
    disk.fill(0);
    expect(step('seal')).toMatchObject(FAILED);
    expect(readSeal(join(home(), 'data-resync'))).toBeUndefined();
    disk.makeRoom();
    expect(step('seal')).toBe('sealed');
    expect(readSeal(join(home(), 'data-resync'))).toMatchObject({ height: 7 });
  });

  it('at the swap: the start is refused with FULL, nothing has moved; with room the new chain is in place', () => {
    step('sealed');
    disk.fill(0);
    expect(step('swap')).toMatchObject(FULL);
    expect(folders()).toEqual(['data', 'data-resync']);
    disk.makeRoom();
    expect(step('standing')).toEqual(OLD);
    expect(step('swap')).toMatchObject(SWAPPED);
    expect(step('standing')).toEqual(NEW);
  });

  it('at the rollback: it is refused with FULL, nothing has moved; with room the old chain is back', () => {
    step('sealed');
    step('swap');
    expect(step('standing')).toEqual(NEW);
    const before = folders();
    disk.fill(0);
    expect(step('rollback')).toMatchObject(FULL);
    expect(folders()).toEqual(before);
    disk.makeRoom();
    expect(step('rollback')).toMatchObject({ status: 'rolledBack', what: 'swap' });
    expect(step('standing')).toEqual(OLD);
  });

  it('takes a mark where it takes no proof of a fork: no start signs, with room or without (SY-5)', () => {
    disk.fill(0);
    expect(step('keep')).toBe('mark');
    expect(step('evidence')).toMatchObject({ status: 'unreadable' });
    disk.makeRoom();
    expect(step('evidence')).toMatchObject({ status: 'unreadable' });
    expect(step('keep')).toBe('before');
  });
});

describe('a data folder that is mounted by itself', () => {
  it('is told before a download, and at a swap nothing moves; a rollback drops the new chain (SY-9)', () => {
    const mounted = {
      code: 'IO',
      detail: expect.stringContaining('mount the home instead of its data folder'),
    };
    const data = join(folder, 'home', 'data');
    step('sealed');
    inside('mount', '--bind', data, data);
    expect(step('swap')).toMatchObject({ status: 'problem', ...mounted });
    expect(folders()).toEqual(['data', 'data-resync']);
    expect(step('rollback')).toMatchObject({ status: 'rolledBack', what: 'resync' });
    inside('umount', data);
    expect(step('standing')).toEqual(OLD);
    inside('mount', '-t', 'tmpfs', 'tmpfs', data);
    expect(step('refused')).toMatchObject({ status: 'failed', ...mounted });
    inside('umount', data);
  });
});

describe('a home that is mounted read-only', () => {
  it('gets words that say so, at a swap and at a rollback, and nothing moves', () => {
    const home = join(folder, 'home');
    step('sealed');
    inside('mount', '--bind', home, home);
    inside('mount', '-o', 'remount,ro,bind', home);
    const readOnly = { code: 'READ_ONLY', detail: expect.stringContaining('mount it for writing') };
    expect([step('swap'), step('rollback')]).toEqual([
      expect.objectContaining(readOnly),
      expect.objectContaining(readOnly),
    ]);
    inside('umount', home);
    expect(folders()).toEqual(['data', 'data-resync']);
    expect(step('swap')).toMatchObject(SWAPPED);
  });
});
