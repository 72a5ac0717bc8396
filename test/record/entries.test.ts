/** Rows that no journal of this version holds. Rule RP-2. */
import { expect, it } from 'vitest';
import { unpackEntries } from '../../src/record/entries.ts';
import { ValuePacker } from '../../src/record/values.ts';

it.each([
  ['of an unknown kind', [99, 1], 'no entry of kind 99'],
  ['that is no row', 7, 'no entry of kind undefined'],
  ['with a field too few', [9, 1], "an entry 'draw' has 2 fields, not 1"],
  ['that repeats a message that is not there', [12, 1, 1, 1, 1, 'a', 'b', 'normal', 3], 'repeats a message'],
])('an entry %s is refused, in words', (_, row, words) => {
  const packer = new ValuePacker(() => undefined);
  expect(() => unpackEntries(packer.pack([row]))).toThrow(words);
});
