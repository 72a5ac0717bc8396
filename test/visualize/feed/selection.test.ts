import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fragmentOf,
  NOTHING_SELECTED,
  type Place,
  placeOfFragment,
  VIEWS,
} from '../../../visualize/src/feed/selection.ts';

const text = fc.option(fc.string({ minLength: 1, maxLength: 60 }), { nil: undefined });
const place: fc.Arbitrary<Place> = fc.record({
  selection: fc.record({
    view: fc.constantFrom(...VIEWS),
    node: fc.option(fc.nat(99), { nil: undefined }),
    cell: text,
    message: text,
    block: text,
  }),
  at: fc.option(fc.nat(2_000_000_000_000), { nil: undefined }),
});

describe('the address of what is selected', () => {
  it('leads back to the same', () => {
    fc.assert(
      fc.property(place, (one) => {
        expect(placeOfFragment(fragmentOf(one))).toEqual(one);
      }),
    );
  });

  it('is readable, and empty when nothing is', () => {
    const selection = { ...NOTHING_SELECTED, view: 'chart', node: 0, cell: 'node/consensus/safety' } as const;
    expect(fragmentOf({ selection, at: undefined })).toBe('#view=chart&node=0&cell=node/consensus/safety');
    expect(fragmentOf({ selection: NOTHING_SELECTED, at: undefined })).toBe('');
  });

  it('takes anything, and leaves out what it does not understand', () => {
    fc.assert(
      fc.property(fc.string(), (fragment) => {
        expect(VIEWS).toContain(placeOfFragment(fragment).selection.view);
      }),
    );
    expect(placeOfFragment('#view=../x&node=-1&at=1e9')).toEqual({
      selection: NOTHING_SELECTED,
      at: undefined,
    });
  });
});
