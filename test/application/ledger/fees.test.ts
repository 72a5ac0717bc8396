import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { feeOf, nextPrice, WORK } from '../../../src/application/ledger/fees.ts';
import { DEFAULT_LEDGER_PARAMETERS } from '../../../src/application/ledger/genesis.ts';

const parameters = {
  ...DEFAULT_LEDGER_PARAMETERS,
  feePriceMin: 10n,
  feePriceMax: 1_000n,
  blockWorkTarget: 100,
};
const price = (now: bigint, work: bigint): bigint => nextPrice({ price: now, work }, parameters);

describe('the base fee (LG-8)', () => {
  it('stays at the target, rises by an eighth in a block twice as full, falls by one in an empty block', () => {
    expect(price(800n, 100n)).toBe(800n);
    expect(price(800n, 200n)).toBe(900n);
    expect(price(800n, 0n)).toBe(700n);
    expect(price(800n, 150n)).toBe(850n);
  });

  it('rises by one where an eighth is less, so that it never sticks at the bottom', () => {
    expect(price(10n, 101n)).toBe(11n);
  });

  it('moves by an eighth at most and stays within its bounds, whatever a block holds', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 10n, max: 1_000n }),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        (now, work) => {
          const next = price(now, work);
          expect(next >= 10n && next <= 1_000n).toBe(true);
          const change = next > now ? next - now : now - next;
          expect(change <= (now / 8n > 1n ? now / 8n : 1n)).toBe(true);
          if (work > 100n) expect(next > now || next === 1_000n).toBe(true);
          if (work < 100n) expect(next <= now).toBe(true);
        },
      ),
    );
  });
});

describe('what a transaction pays (LG-7)', () => {
  const payload = { kind: 'withdraw', validator: new Uint8Array(20) } as const;

  it('is the base fee of its work, and a tip that gives way to it', () => {
    expect(WORK.withdraw).toBe(2n);
    expect(feeOf(10n, { feeMax: 100n, tip: 5n, payload })).toEqual({ base: 20n, tip: 5n });
    expect(feeOf(10n, { feeMax: 22n, tip: 5n, payload })).toEqual({ base: 20n, tip: 2n });
    expect(feeOf(10n, { feeMax: 20n, tip: 5n, payload })).toEqual({ base: 20n, tip: 0n });
    expect(feeOf(10n, { feeMax: 19n, tip: 0n, payload })).toEqual({
      code: 5,
      log: 'the base fee of a withdraw is 20 units now, offered 19',
    });
  });

  it('is never above what its owner allowed', () => {
    const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(u64, u64, u64, (now, feeMax, tip) => {
        const fee = feeOf(now, { feeMax, tip, payload });
        if ('base' in fee) expect(fee.base + fee.tip <= feeMax && fee.tip <= tip).toBe(true);
        else expect(now * 2n > feeMax).toBe(true);
      }),
    );
  });
});
