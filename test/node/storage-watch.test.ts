/** What a failure of the store does to the node: the device's ends it, a refused request is only told. */
import { describe, expect, it } from 'vitest';
import { StorageWatch } from '../../src/node/storage-watch.ts';
import type { StorageFailure } from '../../src/storage/storage-actor.ts';

function watched() {
  const lines: { readonly level: string; readonly words: string }[] = [];
  const ends: string[] = [];
  let at = 0;
  const line = (level: string) => (_: unknown, words?: string) => {
    lines.push({ level, words: words ?? '' });
  };
  const watch = new StorageWatch(
    { warn: line('warn'), error: line('error') },
    () => at,
    (detail) => ends.push(detail),
  );
  const report = (code: StorageFailure['code']) =>
    watch.report({
      type: 'storage.failed',
      tag: 0,
      request: 'blocks.requested',
      code,
      detail: 'chain.db: why',
    });
  const wait = (ms: number): void => {
    at += ms;
  };
  return { report, wait, lines, ends };
}

describe('a store that fails', () => {
  it('by its device ends the node, and the words say what to do', () => {
    const { report, lines, ends } = watched();
    report('FULL');
    report('IO');
    expect(ends).toEqual([
      expect.stringMatching(/^chain.db: why: make room on that disk, then start the node again/),
      expect.stringMatching(/^chain.db: why: check that disk, then start the node again/),
    ]);
    expect(lines.map(({ level }) => level)).toEqual(['error', 'error']);
  });

  it('by refusing or by a damaged row goes on, with a line in the log at most once a second', () => {
    const { report, wait, lines, ends } = watched();
    report('CORRUPT');
    report('VERSION_CONFLICT');
    report('BUSY');
    wait(1_000);
    report('CORRUPT');
    expect(ends).toEqual([]);
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'warn']);
  });
});
