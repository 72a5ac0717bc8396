import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { wallTime } from '../../src/base/units.ts';
import { ForkKeeper, KEEP_RETRY_MS } from '../../src/node/fork-keeper.ts';
import { type EvidencePlaces, readForkEvidence } from '../../src/storage/fork-evidence.ts';

let places: EvidencePlaces;
let kept: string[] = [];
let logged: string[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  const home = mkdtempSync(join(tmpdir(), 'althing-keeper-'));
  places = { home, keys: join(home, 'keys') };
  mkdirSync(places.keys);
  [kept, logged] = [[], []];
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(places.home, { recursive: true });
});

const VIOLATED = { type: 'safety.violated', detail: 'height 7: two proofs' } as const;
/** What no file can be written over. */
const blocks = (): readonly string[] =>
  [places.home, places.keys].map((dir) => join(dir, 'fork-evidence.json.new'));

const keeper = (found?: { readonly detail: string }): ForkKeeper =>
  new ForkKeeper({
    places,
    found,
    wall: () => wallTime(1_700_000_000_000),
    log: { error: (...words: readonly unknown[]) => void logged.push(String(words.at(-1))) },
    kept: (detail) => kept.push(detail),
  });

describe('a fork that is proved (SY-5)', () => {
  it('is on the disk before the node ends for it; the first proof counts', () => {
    const fork = keeper();
    expect([fork.proved, fork.violation]).toEqual([undefined, undefined]);
    fork.violated(VIOLATED);
    expect(readForkEvidence(places)).toMatchObject({ status: 'kept', detail: VIOLATED.detail });
    fork.violated({ ...VIOLATED, detail: 'another' });
    expect([kept, fork.isUnkept, fork.violation]).toEqual([[VIOLATED.detail], false, VIOLATED.detail]);
    expect(fork.proved).toEqual({ detail: VIOLATED.detail });
  });

  it('that no disk takes keeps the node up, halted, and says so, until there is room; then it ends', () => {
    for (const path of blocks()) mkdirSync(path);
    const fork = keeper();
    fork.violated(VIOLATED);
    expect([kept, fork.isUnkept, readForkEvidence(places)]).toEqual([[], true, undefined]);
    expect(fork.proved, 'a cell that starts anew signs nothing').toEqual({ detail: VIOLATED.detail });
    vi.advanceTimersByTime(2 * KEEP_RETRY_MS);
    expect(logged).toHaveLength(3);
    expect(logged[2]).toMatch(/could not be kept in .*EISDIR.*signs nothing and stays up.*make room/);
    for (const path of blocks()) rmdirSync(path);
    vi.advanceTimersByTime(KEEP_RETRY_MS);
    expect([kept, fork.isUnkept]).toEqual([[VIOLATED.detail], false]);
    expect(readForkEvidence(places)).toMatchObject({ status: 'kept', detail: VIOLATED.detail });
    vi.advanceTimersByTime(2 * KEEP_RETRY_MS);
    expect(kept).toHaveLength(1);
  });

  it('and is not kept when the operator stops the node: one last attempt, and the words say what must not be done', () => {
    for (const path of blocks()) mkdirSync(path);
    const fork = keeper();
    fork.violated(VIOLATED);
    fork.close();
    expect(fork.violation).toMatch(
      /two proofs; no disk takes the evidence .*do not start this validator again/,
    );
    expect(vi.getTimerCount()).toBe(0);
    for (const path of blocks()) rmdirSync(path);
    fork.close();
    expect([fork.violation, kept]).toEqual([VIOLATED.detail, [VIOLATED.detail]]);
  });

  it('in an earlier life already ends this one for nothing', () => {
    const fork = keeper({ detail: 'long ago' });
    fork.violated(VIOLATED);
    fork.close();
    expect([kept, fork.violation, fork.proved]).toEqual([[], undefined, { detail: 'long ago' }]);
    expect(readForkEvidence(places)).toBeUndefined();
  });
});
