/** A height out of a number, for tests. */
import { parseHeight } from '../../../src/protocol/chain/parse.ts';
import type { Height } from '../../../src/protocol/chain/types.ts';

export function heightOf(value: number): Height {
  const height = parseHeight(value);
  if (height === 'malformed') throw new Error(`no height ${value}`);
  return height;
}
