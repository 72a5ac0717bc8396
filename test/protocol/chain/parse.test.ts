import { describe, expect, it } from 'vitest';
import { ORDINAL_MAX } from '../../../src/protocol/chain/ordinals.ts';
import {
  digestBytes,
  digestFromBytes,
  parseAddress,
  parseBatchDigest,
  parseBlockId,
  parseBlockTime,
  parseCount,
  parseDigest,
  parseEpoch,
  parseHeight,
  parsePower,
  parseRound,
} from '../../../src/protocol/chain/parse.ts';

const numbers = { parseHeight, parseRound, parseEpoch, parseCount, parseBlockTime };
const digests = { parseDigest, parseBlockId, parseBatchDigest };

describe.each(Object.entries(numbers))('%s', (_, parse) => {
  it.each([0, 1, ORDINAL_MAX])('takes %s', (value) => expect(parse(value)).toBe(value));
  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, ORDINAL_MAX + 1, '1', 1n, null, undefined, {}])(
    'finds %s malformed',
    (value) => expect(parse(value)).toBe('malformed'),
  );
});

describe.each(Object.entries(digests))('%s', (_, parse) => {
  const sound = '0123456789abcdef'.repeat(4);
  it('takes 64 lower-case hex letters', () => expect(parse(sound)).toBe(sound));
  it.each([sound.slice(1), `${sound}0`, sound.toUpperCase(), `${sound}\n`, 'z'.repeat(64), 7, null])(
    'finds %j malformed',
    (value) => expect(parse(value)).toBe('malformed'),
  );
});

describe('other brands', () => {
  it('take an address of 40 lower-case hex letters only', () => {
    expect(parseAddress('ab'.repeat(20))).toBe('ab'.repeat(20));
    for (const raw of ['ab'.repeat(19), 'AB'.repeat(20), 5]) expect(parseAddress(raw)).toBe('malformed');
  });

  it('take a power in 1..2^60-1 only', () => {
    expect(parsePower(1n)).toBe(1n);
    for (const raw of [0n, -1n, 2n ** 60n, 1]) expect(parsePower(raw)).toBe('malformed');
  });

  it('turn 32 bytes into a digest and back', () => {
    const bytes = new Uint8Array(32).map((_, index) => index);
    const digest = digestFromBytes(bytes);
    expect(digest).not.toBe('malformed');
    if (digest !== 'malformed') expect(digestBytes(digest)).toEqual(bytes);
    expect(digestFromBytes(new Uint8Array(31))).toBe('malformed');
  });
});
