/** Instants as users of `althing replay` write them. Rule RP-4. */
import { describe, expect, it } from 'vitest';
import { instantOf, instantText } from '../../src/cli/replay/times.ts';

const FROM = Date.parse('2026-11-23T10:00:00Z');

describe('an instant', () => {
  it.each([
    ['+1500ms', FROM + 1_500],
    ['+2.5m', FROM + 150_000],
    ['2026-11-23T10:00:01Z', FROM + 1_000],
    ['2026-11-23T11:00:01+01:00', FROM + 1_000],
    // As it is printed, in whatever zone the user sits.
    ['2026-11-23T10:00:01', FROM + 1_000],
    ['2026-11-23T10:00:01.250', FROM + 1_250],
  ])('%s is understood', (text, at) => {
    expect(instantOf(text, FROM)).toBe(at);
  });

  it.each(['', '5', '+5', '-5s', 'banana', '2026-13-45T99:99:99Z', '+999999999999h'])(
    '%j is none: no calendar has it',
    (text) => {
      expect(instantOf(text, FROM)).toBeUndefined();
    },
  );

  it('that is understood can be shown', () => {
    expect(instantText(instantOf('+2m', FROM) ?? 0, FROM)).toBe('2026-11-23T10:02:00.000Z (+120.000 s)');
  });
});
