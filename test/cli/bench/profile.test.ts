/** The analyser of CPU profiles: time of its own, and to which part of the program it belongs. */
import { describe, expect, it } from 'vitest';
import { type CpuProfile, inWords, whereTimeGoes } from '../../../src/cli/bench/profile.ts';

const frame = (functionName: string, url = '', lineNumber = -1) => ({ functionName, url, lineNumber });
const SOURCE = 'file:///home/ada/althing/src';

const profile: CpuProfile = {
  startTime: 1_000,
  endTime: 11_000,
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 6] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('stage', `${SOURCE}/storage/sqlite-store.ts`, 88), children: [4, 5] },
    { id: 4, callFrame: frame('fdatasync') },
    { id: 5, callFrame: frame('sign', `${SOURCE}/crypto/bls/blst.ts`, 15) },
    { id: 6, callFrame: frame('(garbage collector)') },
  ],
  samples: [2, 3, 4, 4, 5, 6],
  timeDeltas: [5_000, 1_000, 1_000, 1_000, 1_000, 1_000],
};

describe('where the time goes', () => {
  it('counts a native to itself and to the part that called it, and idle time to nobody', () => {
    const { busyMs, idleMs, functions, parts } = whereTimeGoes([profile]);
    expect([busyMs, idleMs]).toEqual([5, 5]);
    expect(functions[0]).toEqual({ name: 'fdatasync (native)', share: 0.4, milliseconds: 2 });
    expect(parts[0]).toMatchObject({ name: 'storage', milliseconds: 3 });
    expect(parts.map(({ name }) => name)).toContain('crypto');
    expect(parts.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
  });

  it('says it in words, most first', () => {
    const [first, second] = inWords(whereTimeGoes([profile]), 2);
    expect(first).toMatch(/1\. +40\.0 % of the busy time \(2 ms\) in fdatasync \(native\)/);
    expect(second).toContain('stage (src/storage/sqlite-store.ts:89)');
  });

  it('keeps to the measured time, and adds up several threads', () => {
    const late = whereTimeGoes([profile, profile], { from: 8_500, to: 20_000 });
    expect(late.busyMs).toBe(6);
    expect(late.functions.map(({ name }) => name)).not.toContain('stage (src/storage/sqlite-store.ts:89)');
  });

  it('passes over a window of another clock', () => {
    expect(whereTimeGoes([profile], { from: 1e12, to: 2e12 }).busyMs).toBe(5);
  });
});
