import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toView } from '../../../src/observe/feed/view.ts';
import { Waits } from '../../../src/observe/feed/waits.ts';

describe('what a viewer is shown of a context', () => {
  it('has bytes in hexadecimal, bigints as text, maps and sets as lists, and no functions (IN-1)', () => {
    const view = toView({
      bytes: Uint8Array.of(0, 255),
      power: 12n,
      map: new Map([['a', { n: 1 }]]),
      set: new Set([1]),
      sign: () => 1,
      missing: undefined,
      never: Number.POSITIVE_INFINITY,
    });
    expect(view).toEqual({
      bytes: '00ff',
      power: '12',
      map: [['a', { n: 1 }]],
      set: [1],
      never: 'Infinity',
    });
  });

  it('marks what it cuts: long bytes, texts, lists and depths (IN-1)', () => {
    let deep: unknown = 'bottom';
    for (let level = 0; level < 20; level += 1) deep = { deep };
    const text = JSON.stringify(
      toView({ bytes: new Uint8Array(96), text: 'x'.repeat(999), list: Array(99).fill(0), deep }),
    );
    for (const mark of ['… 96 bytes', 'xxx…', '… 67 more', '"deep":"…"']) expect(text).toContain(mark);
    expect(text).not.toContain('bottom');
  });

  it('is bounded whatever a cell holds, cycles too (IN-1)', () => {
    const cycle: { self?: unknown; many: unknown[] } = { many: [] };
    cycle.self = cycle;
    cycle.many = Array.from({ length: 1_000 }, () => cycle);
    expect(JSON.stringify(toView(cycle)).length).toBeLessThan(100_000);
  });

  it('calls no getter, which may throw, cost, or ask the world (IN-1, IN-4)', () => {
    let calls = 0;
    const holder = {
      a: 1,
      get dear() {
        calls += 1;
        throw new Error('not now');
      },
    };
    expect([toView({ holder }), calls]).toEqual([{ holder: { a: 1, dear: '…' } }, 0]);
  });

  it('is bounded in names, messages and numbers too (IN-1)', () => {
    const view = toView({
      ['n'.repeat(100_000)]: 1,
      error: new Error('e'.repeat(100_000)),
      symbol: Symbol('s'.repeat(100_000)),
      floats: new Float64Array(100_000),
      buffer: new DataView(new ArrayBuffer(9)),
    });
    expect(view).toMatchObject({ floats: 'Float64Array 800000 bytes', buffer: 'DataView 9 bytes' });
    expect(JSON.stringify(view).length).toBeLessThan(1_000);
  });

  it('is JSON, for any value', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withMap: true, withSet: true }), (value) => {
        const view = toView({ value });
        expect(JSON.parse(JSON.stringify(view))).toEqual(view);
      }),
    );
  });
});

describe('the waits of a mailbox', () => {
  it('give a 99th percentile that is at most a fifth too high, and forget what was told (IN-1)', () => {
    const waits = new Waits();
    expect(waits.takeP99()).toBeUndefined();
    for (let ms = 1; ms <= 100; ms += 1) waits.add(ms);
    const p99 = waits.takeP99() ?? 0;
    expect(p99).toBeGreaterThanOrEqual(99);
    expect(p99).toBeLessThan(99 * 1.2);
    expect(waits.takeP99()).toBeUndefined();
    waits.add(1e12);
    expect(waits.takeP99()).toBeGreaterThan(100_000);
  });
});
