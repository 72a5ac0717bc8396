import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REFUSALS } from '../../src/rpc/refusals.ts';

const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/client.md'), 'utf8');
const yesOrNo = (word: boolean): string => (word ? 'yes' : 'no');

describe('what refusals mean (BR-1)', () => {
  it('stands in the guide to the client, code by code', () => {
    const rows = [...GUIDE.matchAll(/^\| `([A-Z_]+)` \| .* \| (yes|no) \| (yes|no) \|$/gm)];
    const told = Object.entries(REFUSALS).map(([code, { isFinal, mayBeHeld }]) => [
      ...[code, yesOrNo(!isFinal), yesOrNo(mayBeHeld)],
    ]);
    expect(rows.map(([, ...cells]) => cells)).toEqual(told);
  });

  it('is told of every code that the guide names, and of no other', () => {
    const named = [...GUIDE.matchAll(/`([A-Z]+(?:_[A-Z]+)*)`/g)].map(([, name]) => name);
    expect(new Set(named)).toEqual(new Set([...Object.keys(REFUSALS), 'ALREADY_KNOWN']));
  });

  it('is for good and no end where the height is past: nobody looked whether the operation is known', () => {
    const past = Object.entries(REFUSALS).filter(([, { isFinal, mayBeHeld }]) => isFinal && mayBeHeld);
    expect(past.map(([code]) => code)).toEqual(['EXPIRES_TOO_SOON']);
  });
});
