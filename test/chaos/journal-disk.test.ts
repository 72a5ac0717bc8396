/** A journal on a disk that becomes full, a file system of its own: the system goes on, what was written stays whole, and a later run is recorded. Rule RP-2. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { checkRun } from '../../src/record/check-run.ts';
import { SMALL_CHARTS, SmallRun, testFolder, until, verifyRun } from '../record/support/small-run.ts';
import { SmallDisk } from './support/small-disk.ts';

const { dir, remove } = testFolder();
let disk: SmallDisk | undefined;
afterAll(() => {
  disk?.unmount();
  remove();
});

/** @unit bytes */
const DISK_BYTES = 256 * 1_024;
const BY = { charts: SMALL_CHARTS, pure: {} };

it('is full in the middle of a block: the recording says so once and ends, the system does not (RP-2)', async () => {
  const mountPoint = join(dir, 'disk');
  mkdirSync(mountPoint);
  const small = await SmallDisk.mount(mountPoint, DISK_BYTES);
  disk = small;
  const journal = small.seen(mountPoint);

  const full = new SmallRun({ dir: journal, run: 'full', limits: { segmentBytes: 60_000 } });
  await until(() => {
    full.feed(5, 1_000);
    return full.kinds.includes('failed');
  }, 'end of the disk');
  const { turns } = full.system.counters();
  full.feed(5);
  expect(full.system.counters().turns).toBeGreaterThan(turns);
  await full.close();
  expect(full.status.state).toBe('failed');
  expect(full.events.filter(({ kind }) => kind === 'failed')).toMatchObject([
    { detail: expect.stringContaining('ENOSPC') },
  ]);

  const kinds = checkRun(full.runDir).flaws.map(({ kind }) => kind);
  expect(['torn', 'unfinished', 'missing']).toEqual(expect.arrayContaining(kinds));
  const verified = verifyRun(full.runDir, BY);
  expect(verified.divergence).toBeUndefined();
  expect(verified.turns).toBeGreaterThan(20);

  // The disk is full when the next life begins: it deletes what is too much, and the one after that has room.
  const limits = { segmentBytes: 20_000, bytesMax: 100_000 };
  const next = new SmallRun({ dir: journal, run: 'next', limits });
  await until(() => next.kinds.includes('deleted'), 'room');
  await next.close();
  const later = new SmallRun({ dir: journal, run: 'later', limits });
  later.feed(10);
  await later.close();
  expect(later.kinds).not.toContain('failed');
  const { divergence, flaws } = verifyRun(later.runDir, BY);
  expect({ divergence, flaws }).toEqual({ divergence: undefined, flaws: [] });
});
