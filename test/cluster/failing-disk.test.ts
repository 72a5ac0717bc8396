/**
 * A validator whose disk takes no more (here: files that may not grow): it says so, ends, and starts again where it was.
 * Without any package; ENOSPC, EIO and full file systems are in test/chaos/disk.test.ts. Rules ST-2, ST-3, docs/storage.md.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Load } from './support/load.ts';
import { eventually } from './support/local-network.ts';
import { type SeenEnd, Validators } from './support/validators.ts';

/** Above a segment, below the greatest write-ahead log. @unit blocks of 512 bytes, or of 1,024 */
const FILE_BLOCKS_MAX = 3_000;

let validators: Validators;
let load: Load | undefined;
let end: SeenEnd | undefined;
let isLimited = true;

beforeAll(async () => {
  validators = await Validators.create({
    count: 1,
    onEnd: (seen) => {
      end ??= seen;
    },
    launch: () =>
      isLimited
        ? { wrapper: ['sh', '-c', `ulimit -f ${FILE_BLOCKS_MAX}; exec "$0" "$@"`], words: SMALL_SEGMENTS }
        : {},
  });
  validators.start(0);
  load = new Load(validators.network, [0], 5_000);
});
afterAll(async () => {
  await load?.stop();
  await validators.remove();
});

/** The least; one of the default size would be above the limit. */
const SMALL_SEGMENTS = ['--set', 'storage.segment_bytes=1048576'];

describe('a validator whose disk refuses to write', () => {
  it('ends with exit code 1 and a sentence that names the file and what to do', async () => {
    const seen = await eventually('it ends', 60_000, () => end);
    expect([seen.code, seen.stderr]).toEqual([1, expect.stringContaining('"msg":"the device failed"')]);
    const last = seen.stderr.trim().split('\n').at(-1);
    expect(last).toMatch(/^althing: the node failed: .*data.*: check that disk, then start the node again; /);
    expect(seen.stderr).not.toMatch(/\n {4}at /);
  }, 90_000);

  it('starts again when the disk takes more, with everything that it acknowledged', async () => {
    await load?.stop();
    isLimited = false;
    validators.start(0);
    const keys = load?.acknowledged ?? [];
    expect(keys.length).toBeGreaterThan(3);
    const asked = keys.slice(-50);
    await eventually('it has what it acknowledged', 30_000, async () => {
      const values = await validators.network.values(0, asked).catch(() => []);
      if (asked.every((key, at) => values[at] === load?.valueOf(key))) return true;
      await sleep(100);
      return undefined;
    });
  }, 60_000);
});
