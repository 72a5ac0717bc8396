import { describe, expect, it } from 'vitest';
import { SyncWatch } from '../../src/node/sync-watch.ts';
import type { SyncReport } from '../../src/rpc/sync-port.ts';
import { MemoryNode } from '../rpc/memory-node.ts';
import { heightOf, progressOf } from '../rpc/sync-report.ts';

function watched() {
  const lines: [level: string, fields: unknown, words?: string][] = [];
  let at = 0;
  const line = (level: string) => (fields: unknown, words?: string) => {
    lines.push(words === undefined ? [level, fields] : [level, fields, words]);
  };
  const watch = new SyncWatch({ info: line('info') }, () => at);
  const look = (ms: number, facts: Partial<SyncReport>): void => {
    at = ms;
    watch.look({ ...new MemoryNode().sync(), ...facts });
  };
  return { lines, watch, look };
}

describe('the log of sync', () => {
  it('says nothing of what is over within a second', () => {
    const { lines, look } = watched();
    look(0, { progress: progressOf() });
    look(1_000, {});
    look(2_000, { progress: progressOf() });
    look(3_000, {});
    expect(lines).toEqual([]);
  });

  it('has the progress of a long one every ten seconds, and its end', () => {
    const { lines, look } = watched();
    for (let second = 0; second <= 22; second += 1)
      look(second * 1_000, { progress: progressOf({ at: heightOf(8_000 + second) }) });
    look(23_000, { height: heightOf(12_345), health: '✅ In Sync' });
    look(24_000, {});
    const [first, second, third, end, ...others] = lines;
    expect(first).toEqual([
      'info',
      { tier: 2, height: 8_001, to: 12_345, blocks_per_second: 5_120, seconds_left: 1, peers: 0 },
      'catching up',
    ]);
    expect([second, third].map((line) => Object(line?.[1]).height)).toEqual([8_011, 8_021]);
    expect(end).toEqual(['info', { tier: 2, height: 12_345 }, 'ended: ✅ In Sync']);
    expect(others).toEqual([]);
  });

  it('tells how far a snapshot is restored (SY-10)', () => {
    const { lines, look } = watched();
    const snapshot = { height: heightOf(12_000), written: 3, chunks: 12 };
    const progress = progressOf({ tier: 3, snapshot });
    look(0, { progress });
    look(1_000, { progress });
    expect(lines).toEqual([
      ['info', { tier: 3, ...snapshot, peers: 0 }, 'restoring a snapshot of the application'],
    ]);
  });

  it('tells a download of the whole chain apart, and leaves out a time that nobody knows', () => {
    const { lines, look } = watched();
    const progress = progressOf({ tier: 3, remaining: undefined });
    look(0, { progress: progressOf() });
    look(1_000, { progress });
    look(2_000, { progress });
    expect(lines).toEqual([
      [
        'info',
        { tier: 3, height: 8_645, to: 12_345, blocks_per_second: 5_120, peers: 0 },
        'downloading the whole chain',
      ],
    ]);
  });
});
