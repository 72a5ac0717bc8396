import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressText, parseAddressText } from '../../../src/application/ledger/address.ts';
import { amountText, coinsText, parseAmount } from '../../../src/application/ledger/amount.ts';
import { U64_MAX } from '../../../src/application/ledger/fields.ts';
import { toHex } from '../../../src/base/bytes.ts';
import { addressOf } from '../../../src/protocol/chain/validator-set.ts';
import { keyOf } from './chain-of-ledger.ts';

const coin = { symbol: 'ALT', decimals: 6 };

describe('amounts as people write them', () => {
  it('come back exactly, whatever the decimals (LG-1)', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: U64_MAX }), fc.nat(18), (units, decimals) => {
        expect(parseAmount(amountText(units, { decimals }), { symbol: 'X', decimals })).toBe(units);
      }),
    );
  });

  it('are exact where a floating-point number is not', () => {
    expect(parseAmount('0.1', coin)).toBe(100_000n);
    expect(parseAmount('9007199254740.993', coin)).toBe(9_007_199_254_740_993_000n);
    expect(parseAmount('18446744073709.551615', coin)).toBe(U64_MAX);
    expect(parseAmount('7', { symbol: 'X', decimals: 0 })).toBe(7n);
    expect(coinsText(12_500_000n, coin)).toBe('12.5 ALT');
    expect(amountText(1n, coin)).toBe('0.000001');
  });

  it.each([
    ['1,5', 'is no amount'],
    ['', 'is no amount'],
    ['-1', 'is no amount'],
    ['1e6', 'is no amount'],
    ['.5', 'is no amount'],
    ['5.', 'is no amount'],
    ['0x10', 'is no amount'],
    ['0.0000001', 'has 7 decimals; the coin has 6'],
    ['18446744073709.551616', 'is more than there can be: 18446744073709.551615'],
  ])('refuse %j with words', (text, words) => {
    expect(parseAmount(text, coin)).toEqual({ problem: expect.stringContaining(words) });
  });
});

describe('addresses', () => {
  it('come back from their text (LG-3)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), (address) => {
        const text = addressText(address);
        expect(text).toMatch(/^al1[02-9ac-hj-np-z]{38}$/);
        expect(parseAddressText(text)).toEqual(address);
      }),
    );
  });

  it('with one wrong letter are no addresses (LG-3)', () => {
    const { text } = keyOf('ada');
    const letters = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: text.length - 1 }),
        fc.constantFrom(...letters),
        (place, letter) => {
          fc.pre(text[place] !== letter);
          expect(parseAddressText(text.slice(0, place) + letter + text.slice(place + 1))).toHaveProperty(
            'problem',
          );
        },
      ),
    );
  });

  it('in capitals, of another chain, cut or longer are refused with words', () => {
    const { text } = keyOf('ada');
    expect(parseAddressText(text.toUpperCase())).toEqual({ problem: expect.stringContaining('lower case') });
    expect(parseAddressText(text.slice(0, -1))).toEqual({
      problem: expect.stringContaining('copy it again'),
    });
    expect(parseAddressText('bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0')).toEqual({
      problem: expect.stringContaining('begins with al1'),
    });
    expect(parseAddressText(addressText(new Uint8Array(19)))).toEqual({
      problem: expect.stringContaining('19 bytes, expected 20'),
    });
    expect(parseAddressText('x'.repeat(1_000))).toEqual({ problem: expect.stringMatching(/^.{0,130}$/) });
  });

  it('of an account and of a validator with the same key differ (LG-3)', () => {
    const { address, publicKey } = keyOf('ada');
    expect(toHex(address)).not.toBe(addressOf(publicKey));
  });
});
