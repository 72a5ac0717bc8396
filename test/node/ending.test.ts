import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wallTime } from '../../src/base/units.ts';
import { Ending } from '../../src/node/ending.ts';
import type { EvidencePlaces } from '../../src/storage/fork-evidence.ts';

let places: EvidencePlaces;
let ending: Ending;
beforeEach(() => {
  const home = mkdtempSync(join(tmpdir(), 'althing-ending-'));
  places = { home, keys: join(home, 'keys') };
  mkdirSync(places.keys);
  const log = { error: () => undefined };
  ending = new Ending({ places, found: undefined, wall: () => wallTime(1_700_000_000_000), log });
});
afterEach(() => {
  ending.fork.close();
  rmSync(places.home, { recursive: true });
});

const blocks = () => [places.home, places.keys].map((dir) => join(dir, 'fork-evidence.json.new'));
const FORK = { type: 'safety.violated', detail: 'height 7: two proofs' } as const;
const VIOLATION = { kind: 'safety-violation', detail: FORK.detail } as const;
const FAILED = { kind: 'failed', detail: 'the disk is full' } as const;
/** What it ends with, as things stand. */
const soFar = () => Promise.race([ending.asked, Promise.resolve('nothing')]);

describe('the end of a node (SY-5, SY-9)', () => {
  it('is the first reason that is given', async () => {
    ending.ask(FAILED);
    ending.stop();
    expect(await ending.asked).toEqual(FAILED);
    expect(ending.reasonAfter(FAILED)).toEqual(FAILED);
  });

  it('is a proved fork as soon as that is on the disk', async () => {
    ending.fork.violated(FORK);
    ending.ask(FAILED);
    expect(await ending.asked).toEqual(VIOLATION);
  });

  it('waits, whatever fails, where nothing is kept of a fork: the next start would sign', async () => {
    for (const path of blocks()) mkdirSync(path);
    ending.fork.violated(FORK);
    ending.ask(FAILED);
    expect(await soFar()).toBe('nothing');
    for (const path of blocks()) rmdirSync(path);
    ending.fork.close();
    expect(await ending.asked).toEqual(VIOLATION);
  });

  it('is told as the fork that was proved while it ended for something else, or was told to stop', async () => {
    ending.ask(FAILED);
    for (const path of blocks()) mkdirSync(path);
    ending.fork.violated(FORK);
    expect(ending.reasonAfter(await ending.asked)).toEqual({
      kind: 'safety-violation',
      detail: expect.stringContaining('do not start this validator again'),
    });
    for (const path of blocks()) rmdirSync(path);
    ending.fork.close();
    expect(ending.reasonAfter(FAILED)).toEqual(VIOLATION);
  });

  it('comes at once by its operator, also where nothing is kept', async () => {
    for (const path of blocks()) mkdirSync(path);
    ending.fork.violated(FORK);
    ending.stop();
    expect(await ending.asked).toEqual({ kind: 'stopped' });
  });
});
