/** A payment that its owner was told never to come does not come, however a stranger sends its bytes on. LG-18, EX-7. */
import { describe, expect, it } from 'vitest';
import { U64_MAX } from '../../../src/application/ledger/fields.ts';
import { LIFETIME_HEIGHTS_MAX } from '../../../src/application/ledger/lifetime.ts';
import { ada, bob, LedgerChain } from './chain-of-ledger.ts';

const payment = { kind: 'transfer', to: bob.address, amount: 1_000n } as const;
const MOST = BigInt(LIFETIME_HEIGHTS_MAX);

/** Whose next block has the height 51. */
function chainAtHeight50(): LedgerChain {
  const chain = new LedgerChain();
  chain.idle(50);
  return chain;
}

describe('the last height of a transaction (LG-18)', () => {
  const bounds: readonly (readonly [string, bigint, number])[] = [
    ['the block below', 50n, 18],
    ['long ago', 0n, 18],
    ['this block', 51n, 0],
    ['the most ahead', 51n + MOST, 0],
    ['one more', 52n + MOST, 19],
    ['the greatest number', U64_MAX, 19],
  ];

  it.each(bounds)('is held in the check and in the block alike: %s', (_, lastHeight, code) => {
    const chain = chainAtHeight50();
    const transaction = chain.sign(ada, payment, { lastHeight });
    expect(chain.check(transaction).code).toBe(code);
    expect(chain.block([transaction])[0]?.code).toBe(code);
  });

  it('passes: afterwards the payload alone moves nothing, takes no fee and no nonce, and the account goes on', () => {
    const chain = chainAtHeight50();
    const lapsed = chain.sign(ada, payment, { lastHeight: 52n });
    chain.idle(2);
    const before = new Map(chain.state.pairs);
    expect(chain.block([lapsed])[0]).toMatchObject({
      code: 18,
      codespace: 'ledger',
      gasUsed: 0n,
      events: [],
      log: 'this was signed for heights up to 52, and it is 53: no block does it any more; sign it anew',
    });
    expect(chain.state.pairs).toEqual(before);
    expect(chain.run(ada, payment).code).toBe(0);
    expect([chain.balance(bob), chain.nonce(ada)]).toEqual([501_000n, 1n]);
  });

  it('is signed: nobody else can make it a later one', () => {
    const chain = chainAtHeight50();
    const signed = chain.sign(ada, payment, { lastHeight: 52n });
    const later = chain.sign(ada, payment, { lastHeight: 152n });
    // All that differs but the signature: the last height.
    const stretched = Uint8Array.of(...later.subarray(0, -64), ...signed.subarray(-64));
    expect(chain.check(stretched).code).toBe(3);
    expect(chain.block([stretched])[0]?.code).toBe(3);
    chain.idle(10);
    expect(chain.block([signed, stretched]).map(({ code }) => code)).toEqual([18, 3]);
    expect(chain.balance(bob)).toBe(500_000n);
  });

  it('comes before the nonce, the fee and the signature: what has run out is refused by nothing else', () => {
    const chain = chainAtHeight50();
    const forged = chain.sign({ ...ada, secret: bob.secret }, payment, {
      nonce: 9n,
      lastHeight: 50n,
      feeMax: 0n,
    });
    expect([chain.check(forged).code, chain.block([forged])[0]?.code]).toEqual([18, 18]);
  });
});
