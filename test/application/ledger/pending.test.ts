import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { DEFAULT_MEMPOOL_CONFIG } from '../../../src/protocol/mempool/config.ts';
import { claimed, NO_SENDERS } from '../../../src/protocol/mempool/senders.ts';
import { present } from '../../protocol/consensus/fixture.ts';
import { ada, bob, LedgerChain } from './chain-of-ledger.ts';

/** What the mempool makes of these, one after the other: the reason, or whether it can execute. */
function admitted(chain: LedgerChain, transactions: readonly Uint8Array[]): readonly (string | boolean)[] {
  let senders = NO_SENDERS;
  return transactions.map((transaction) => {
    const place = present(chain.check(transaction).sender, 'a sender');
    const ruling = claimed(senders, digestOf(transaction), place, DEFAULT_MEMPOOL_CONFIG);
    if (ruling.status === 'refused') return ruling.log;
    senders = ruling.senders;
    return ruling.isNext;
  });
}

describe('what is pending of an account (LG-5, MP-13)', () => {
  const pay = (chain: LedgerChain, nonce: bigint, amount: bigint) =>
    chain.sign(ada, { kind: 'transfer', to: bob.address, amount }, { nonce, tip: 5n });

  it('is covered by its balance all together, fees, tips and amounts', () => {
    const chain = new LedgerChain();
    const exactly = [pay(chain, 0n, 600_000n - 15n), pay(chain, 1n, 400_000n - 15n)];
    expect(admitted(chain, exactly)).toEqual([true, true]);
    expect(admitted(chain, [...exactly, pay(chain, 2n, 1n)])[2]).toContain(
      'takes 1000000 of 1000000, and this one 16',
    );
    expect(chain.block(exactly).map(({ code }) => code)).toEqual([0, 0]);
    expect(chain.balance(ada)).toBe(0n);
  });

  it('has no priority behind a missing nonce, and sixteen such at the most', () => {
    const chain = new LedgerChain();
    const behind = Array.from({ length: 17 }, (_, index) => pay(chain, BigInt(index + 2), 1n));
    const rulings = admitted(chain, behind);
    expect(rulings.slice(0, 16)).toEqual(new Array(16).fill(false));
    expect(rulings[16]).toContain('wait for sequence 0, at most 16: send that first');
    const filled = admitted(chain, [pay(chain, 0n, 1n), pay(chain, 1n, 1n), ...behind]);
    expect(filled).toEqual(new Array(19).fill(true));
  });

  it('has one transaction a nonce: a second is not admitted beside it, whatever it tips', () => {
    const chain = new LedgerChain();
    expect(admitted(chain, [pay(chain, 0n, 1n), pay(chain, 0n, 2n)])[1]).toContain('is pending already');
  });
});
