import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SYNC } from '../../src/cli/shapes.ts';
import {
  progressLine,
  type Sync,
  shareOf,
  syncLines,
  syncSentences,
  timeLeft,
} from '../../src/cli/sync-lines.ts';
import { syncJson } from '../../src/rpc/sync-shape.ts';
import { MemoryNode } from '../rpc/memory-node.ts';
import { progressOf } from '../rpc/sync-report.ts';

const node = new MemoryNode();
const REPORT = SYNC.parse(syncJson(node.sync()));
const BUSY = SYNC.parse(syncJson({ ...node.sync(), activity: 'catchingUp', progress: progressOf() }));
const given = (changes: Partial<Sync>): Sync => ({ ...REPORT, ...changes });
const progressIn = ({ progress }: Sync) => {
  if (progress === null) throw new Error('the report has it');
  return progress;
};
const PROGRESS = progressIn(BUSY);

describe('the progress bar (SY-11)', () => {
  it('shows tier, share, heights, speed and what is left', () => {
    expect(progressLine(PROGRESS, 80)).toBe(
      'tier 2 [###########········] 63 %, 8645 of 12345, 5,120 blocks/s, under 1 s left',
    );
    expect(progressLine({ ...PROGRESS, remaining_ms: null }, 80)).toBe(
      'tier 2 [######################·············] 63 %, 8645 of 12345, 5,120 blocks/s',
    );
  });

  it('shows the chunks of a snapshot while it is restored, before any block (SY-10)', () => {
    const snapshot = { height: '12000', written: 3, chunks: 12 };
    const restoring = { ...PROGRESS, tier: 3, at: '0', from: '0', snapshot };
    expect(progressLine(restoring, 80)).toBe(
      'tier 3 [######··················] 25 %, snapshot of height 12000: 3 of 12 chunks',
    );
    for (let columns = 1; columns < 200; columns += 1)
      expect(progressLine(restoring, columns).length).toBeLessThanOrEqual(columns);
    expect(progressLine({ ...restoring, snapshot: { ...snapshot, written: 0, chunks: 0 } }, 80)).toContain(
      '100 %',
    );
  });

  it('is no wider than the terminal, and goes without the bar where there is no room', () => {
    expect(progressLine(PROGRESS, 60)).toBe('tier 2 63 %, 8645 of 12345, 5,120 blocks/s, under 1 s left');
    for (let columns = 1; columns < 200; columns += 1)
      expect(progressLine(PROGRESS, columns).length).toBeLessThanOrEqual(columns);
  });

  it('is never negative, never above its end, and at 100 % only with nothing left', () => {
    const heights = fc.integer({ min: -5, max: 2 ** 52 }).map(String);
    fc.assert(
      fc.property(heights, heights, heights, fc.integer({ min: 20, max: 300 }), (from, at, to, columns) => {
        const share = shareOf({ from, at, to });
        expect(share).toBeGreaterThanOrEqual(0);
        expect(share).toBeLessThanOrEqual(1);
        const line = progressLine({ ...PROGRESS, from, at, to }, columns);
        expect(line.length).toBeLessThanOrEqual(columns);
        if (Number(at) < Number(to) && Number(from) <= Number(at)) expect(line).not.toContain(' 100 %');
      }),
    );
    expect(shareOf({ from: 'x', at: 'y', to: 'z' })).toBe(1);
    expect(progressLine({ ...PROGRESS, at: '12344', from: '0', to: '12345' }, 80)).toContain(' 99 %');
    expect(progressLine({ ...PROGRESS, at: '12345' }, 80)).toContain('#] 100 %');
  });

  it.each([
    [0, 'under 1 s'],
    [999, 'under 1 s'],
    [1_001, '2 s'],
    [59_001, '1 min 0 s'],
    [200_000, '3 min 20 s'],
    [3_600_000, '1 h 0 min'],
    [7_500_000, '2 h 5 min'],
  ])('%d ms are %s', (ms, text) => {
    expect(timeLeft(ms)).toBe(text);
  });
});

describe('the report on sync as text', () => {
  const textOf = (sync: Sync, columns = 80): string => syncLines(sync, columns).join('\n');

  it('begins with the health line, and says what is known and what each peer claims', () => {
    const lines = syncLines(REPORT, 80);
    expect(lines[0]).toBe('✅ In Sync: Height 12345 (consensus: 12345)');
    const text = lines.join('\n');
    expect(text).toMatch(/^doing +nothing until the next check$/m);
    expect(text).toMatch(/^consensus +12345, proved by a commit$/m);
    expect(text).toMatch(/^last check +3\.20 s ago, took 12\.5 ms, number 9$/m);
    expect(text).toMatch(/^blocks +1,000 fetched \(2\.0 MiB\), 128 refused, 3 batches asked for again/m);
    expect(text).toMatch(/^tier 2 +last run 820\.0 ms, last batch validated and stored in 7\.250 ms$/m);
    expect(text).toMatch(/^alerts +none$/m);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(text).toMatch(/validator \d +10 +1-12345 +proved +1\.500 ms +0\.88 +6\.0 h trusted$/m);
    expect(text).toMatch(/validator \d +10 +1-12346 +unproved +1\.500 ms +0\.88 +1\.5 min$/m);
    expect(text).toMatch(/validator \d +10 +- +no answer +- +0\.20 +1\.5 min$/m);
    expect(text).toMatch(/^- [0-9A-F]{8}: 3 unanswered in a row, not asked for 20\.00 s$/m);
  });

  it('shows the bar while it catches up', () => {
    expect(textOf(BUSY)).toContain('\ntier 2 [###');
    expect(textOf(BUSY)).toMatch(/^doing +fetching blocks \(tier 2\)$/m);
    expect(textOf(REPORT)).not.toContain('tier 2 [');
  });

  it('says that a height is not proved, and that nobody has answered (SY-2, SY-3)', () => {
    const unproved = given({ consensus_height: '12350', supported_height: '12350' });
    expect(textOf(unproved)).toMatch(/^consensus +12350, reported by 67 % and not proved$/m);
    const silent = given({
      consensus_height: null,
      proved_height: null,
      supported_height: null,
      last_check_age_ms: null,
      peers: [],
    });
    expect(textOf(silent)).toMatch(/^consensus +unknown: no peer has answered$/m);
    expect(textOf(silent)).toMatch(/^last check +none yet$/m);
    expect(textOf(silent)).toContain('no peers are connected');
  });

  it('has each alert with what to do, and the last error', () => {
    const text = textOf(
      given({
        alerts: [
          { alert: 'GapNotClosed', detail: '7 blocks behind', remedy: 'look at the peers', age_ms: 61_000 },
        ],
        last_error: { code: 'Timeout', detail: 'no answer' },
      }),
    );
    expect(text).toContain('\nGapNotClosed: 7 blocks behind, for 1.0 min\ndo: look at the peers\n');
    expect(text).toMatch(/^last error +Timeout: no answer$/m);
    expect(text).not.toMatch(/^alerts +none$/m);
  });

  it('says how a download of the whole chain ended', () => {
    expect(textOf(given({ resync: { status: 'ready', height: '9' } }))).toMatch(
      /^resync +ready at height 9: /m,
    );
    const error = { code: 'NoPeersAvailable', detail: 'none' };
    expect(textOf(given({ resync: { status: 'failed', error } }))).toMatch(
      /^resync +failed: NoPeersAvailable: none$/m,
    );
  });

  it('lets no control character of a peer, a genesis or a reason reach the terminal', () => {
    const evil = '\u001b[31mwicked\u0007';
    const [peer] = REPORT.peers;
    if (peer === undefined) throw new Error('the report has peers');
    const text = textOf(
      given({
        health: `🚨 Critical: ${evil}`,
        activity: evil,
        peers: [{ ...peer, name: evil }],
        alerts: [{ alert: 'ForkDetected', detail: evil, remedy: evil, age_ms: 1 }],
        last_error: { code: 'Timeout', detail: evil },
        resync: { status: 'failed', error: { code: 'Timeout', detail: evil } },
      }),
      200,
    );
    expect(text).not.toContain('\u001b');
    expect(text).not.toContain('\u0007');
    expect(text.match(/wicked/g)?.length).toBe(7);
  });

  it('is for `althing status` the health line with the alerts, and the bar', () => {
    expect(syncSentences(REPORT, 80)).toEqual(['✅ In Sync: Height 12345 (consensus: 12345)']);
    const alerts = [{ alert: 'SyncStalled', detail: 'x', remedy: 'y', age_ms: 1 }];
    expect(syncSentences({ ...BUSY, alerts, health: '🔴 Large Gap' }, 80)).toEqual([
      '🔴 Large Gap, SyncStalled',
      expect.stringMatching(/^tier 2 \[#+·+\] 63 %/),
    ]);
  });
});
