/** Each attack on the order tried for real, by somebody with every advantage that the protocol leaves them. Results: docs/ordering.md. */
import { describe, expect, it } from 'vitest';
import { addressText } from '../../../../src/application/ledger/address.ts';
import { encodeContent } from '../../../../src/application/ledger/sealed/content.ts';
import { encodeReveal } from '../../../../src/application/ledger/sealed/reveal.ts';
import { toHex, utf8 } from '../../../../src/base/bytes.ts';
import { sha256 } from '../../../../src/crypto/hash.ts';
import { digestOf } from '../../../../src/protocol/chain/canonical.ts';
import { commitIdOf } from '../../../../src/protocol/ordering/commitment.ts';
import { ACCUMULATOR_START, accumulated, inOrder, seedOf } from '../../../../src/protocol/ordering/order.ts';
import type { ApplicationEvent } from '../../../../src/protocol/ports/storage.ts';
import { present } from '../../../protocol/consensus/fixture.ts';
import { type Key, keyOf, LedgerChain } from '../chain-of-ledger.ts';
import { DEPOSIT, R, SEAL_FEE, SealedChain } from './chain-of-seals.ts';

const [victim, eve, market] = [keyOf('victim'), keyOf('eve'), keyOf('market')];
const balances = { victim: 1_000_000n, eve: 1_000_000n };
const pay = (to: Key, amount: bigint) => [{ to: to.address, amount }];

/**
 * A market beside the chain: what is paid to it buys goods at a price that rises with each purchase (x·y = k); whoever has goods
 * may sell them at the end. It looks at nothing but the order of payments in the chain's events.
 */
function goodsOf(payments: readonly { readonly sender: string; readonly amount: bigint }[]) {
  let [coins, goods] = [1_000_000, 1_000_000];
  const bought = new Map<string, { spent: number; goods: number }>();
  for (const { sender, amount } of payments) {
    const got = goods - (coins * goods) / (coins + Number(amount));
    [coins, goods] = [coins + Number(amount), goods - got];
    const before = bought.get(sender) ?? { spent: 0, goods: 0 };
    bought.set(sender, { spent: before.spent + Number(amount), goods: before.goods + got });
  }
  /** Sells it all after everybody has bought. */
  const gainOf = (who: Key): number => {
    const held = bought.get(who.text);
    if (held === undefined) return 0;
    return coins - (coins * goods) / (goods + held.goods) - held.spent;
  };
  return { gainOf };
}

/** Payments to the market in the order of the chain's events. */
function paymentsIn(events: readonly ApplicationEvent[]) {
  return events.flatMap(({ type, attributes }) => {
    const of = (name: string) => attributes.find(({ key }) => key === name)?.value ?? '';
    const isPaid = type === 'ledger.transfer' || (type === 'ledger.sealed' && of('outcome') === 'done');
    if (!isPaid || of('recipient') !== addressText(market.address)) return [];
    return [{ sender: of('sender'), amount: BigInt(of('amount')) }];
  });
}

/** Another chain of outputs, which nobody chooses. */
const drawn = (chain: SealedChain, run: number): SealedChain => {
  chain.randomnessOf = (height) => digestOf(utf8(`run ${run}, output of ${height}`));
  return chain;
};

describe('front-running: a leader buys before a victim whose purchase it sees', () => {
  it('earns on a plain chain, every time', () => {
    const chain = new LedgerChain({ balances });
    const buy = (key: Key, amount: bigint) =>
      chain.sign(key, { kind: 'transfer', to: market.address, amount });
    const results = chain.block([buy(eve, 100_000n), buy(victim, 200_000n)]);
    expect(goodsOf(paymentsIn(results.flatMap(({ events }) => events))).gainOf(eve)).toBeGreaterThan(30_000);
  });

  it('of a sealed purchase sees nothing while it can seal, and whoever waits for the reveal is in a later set: loses every time', () => {
    const chain = new SealedChain({ balances });
    const bought = chain.sealed(victim, pay(market, 200_000n));
    chain.block([bought.seal]);
    // The leader of the next block puts its own seal beside the victim's reveal, which it reads.
    const late = chain.sealed(eve, pay(market, 100_000n));
    chain.block([late.seal, bought.reveal]);
    chain.block([late.reveal]);
    const told: ApplicationEvent[] = [];
    while (chain.height < 2 * R) {
      chain.block([]);
      told.push(...chain.events);
    }
    const payments = paymentsIn(told);
    expect(payments.map(({ sender }) => sender)).toEqual([victim.text, eve.text]);
    expect(goodsOf(payments).gainOf(eve)).toBeLessThan(1);
  });

  it('who seals blindly beside it is first in half of the sets, not by tip, not by the place in the block, not by the order of reveals', () => {
    const runs = 200;
    let first = 0;
    for (let run = 0; run < runs; run += 1) {
      const chain = drawn(new SealedChain({ balances }), run);
      const bought = chain.sealed(victim, pay(market, 200_000n));
      const blind = chain.sealed(eve, pay(market, 100_000n), { tip: 5_000n });
      chain.block([blind.seal, bought.seal]);
      chain.block([blind.reveal, bought.reveal]);
      chain.idle(R - 1);
      if (paymentsIn(chain.events)[0]?.sender === eve.text) first += 1;
    }
    // Binomial, 200 times 1/2: within 4.4 standard deviations.
    expect(Math.abs(first - runs / 2)).toBeLessThan(31);
  });
});

describe("copying: a stranger seals another's commitment", () => {
  it('cannot open it, even with all that the owner reveals, and loses the deposit; the owner loses nothing', () => {
    const chain = new SealedChain({ balances });
    const own = chain.sealed(victim, pay(market, 5_000n));
    const copy = chain.sealed(eve, pay(market, 5_000n), { commitment: own.commitment });
    expect(copy.id).not.toBe(own.id);
    // The copy even comes first.
    expect(chain.block([copy.seal, own.seal]).map(({ code }) => code)).toEqual([0, 0]);
    const content = encodeContent(pay(market, 5_000n));
    const salt = sha256(utf8(`salt of ${victim.text} 0`));
    const id = commitIdOf({ sender: eve.address, nonce: 0n }, own.commitment);
    const stolen = encodeReveal({ id, salt, content });
    expect(chain.block([stolen, own.reveal]).map(({ code }) => code)).toEqual([23, 0]);
    chain.idle(R);
    expect([chain.statusOf(own.id), chain.statusOf(copy.id)]).toEqual(['done', 'withheld']);
    expect([chain.balance(eve), chain.balance(market)]).toEqual([1_000_000n - SEAL_FEE - DEPOSIT, 5_000n]);
  });
});

describe('withholding: several are sealed, and only what suits is revealed', () => {
  it('costs a deposit and a fee for each that is not, and gains no knowledge of the order: that comes after the last reveal', () => {
    const chain = new SealedChain({ balances });
    const options = [1n, 2n, 3n].map((amount, nonce) =>
      chain.sealed(eve, pay(market, amount), { nonce: BigInt(nonce) }),
    );
    chain.block(options.map(({ seal }) => seal));
    chain.block([present(options[1], 'an option').reveal]);
    chain.idle(R);
    expect(options.map(({ id }) => chain.statusOf(id))).toEqual(['withheld', 'done', 'withheld']);
    expect(chain.balance(eve)).toBe(1_000_000n - 3n * SEAL_FEE - 2n * DEPOSIT - 2n);
    expect(BigInt(String(chain.ask('/supply')['burned']))).toBe(3n * SEAL_FEE + 2n * DEPOSIT);
  });

  it('the block that completes the seed takes no reveal more: not even its proposer can decide with the order before its eyes', () => {
    const chain = new SealedChain({ balances });
    const { id, seal, reveal } = chain.sealed(eve, pay(market, 5_000n));
    chain.block([seal]);
    chain.idleTo(1 + R);
    expect(chain.block([reveal])[0]).toMatchObject({ code: 25 });
    expect(chain.statusOf(id)).toBe('withheld');
  });
});

describe('spam for a good slot: an attacker seals many to be first', () => {
  it('is first as often as it has seals among all, pays for each, and holds no more than the bound of each account', () => {
    const [runs, accounts] = [150, 3];
    const spammers = Array.from({ length: accounts }, (_, index) => keyOf(`spammer ${index}`));
    let first = 0;
    let spent = 0n;
    for (let run = 0; run < runs; run += 1) {
      const rich = Object.fromEntries(spammers.map((_, index) => [`spammer ${index}`, 10_000n]));
      const chain = drawn(new SealedChain({ balances: { ...balances, ...rich } }), run);
      const own = chain.sealed(victim, pay(market, 1n));
      const spam = spammers.flatMap((key) =>
        [0n, 1n, 2n, 3n].map((nonce) => chain.sealed(key, pay(market, 1n), { nonce, tip: 50n })),
      );
      const codes = chain.block([...spam.map(({ seal }) => seal), own.seal]).map(({ code }) => code);
      // Three open seals an account; the fourth costs its fee.
      expect(codes.filter((code) => code === 21)).toHaveLength(accounts);
      chain.block([...spam, own].map(({ reveal }) => reveal));
      chain.idle(R - 1);
      const [winner] = chain.told().keys();
      if (winner !== own.id) first += 1;
      spent = spammers.reduce((sum, key) => sum + 10_000n - chain.balance(key), 0n);
    }
    // Nine of ten seals: 135 expected, 3.7 a standard deviation.
    expect(first).toBeGreaterThan(135 - 17);
    expect(first).toBeLessThan(150);
    expect(spent).toBe(12n * (SEAL_FEE + 50n) + 9n);
  });

  it('grinds salts for nothing: before the outputs of the window every salt is as good as another', () => {
    const runs = 200;
    let first = 0;
    const ids = Array.from({ length: 4 }, (_, index) => sha256(utf8(`other ${index}`)));
    // The best of 200 salts under the seed as it would be now.
    const guess = seedOf(ACCUMULATOR_START, 1);
    const placeOf = (id: Uint8Array) => toHex(sha256(guess, id));
    const ground = Array.from({ length: 200 }, (_, salt) => sha256(utf8(`salt ${salt}`))).reduce(
      (best, id) => (placeOf(id) < placeOf(best) ? id : best),
    );
    for (let run = 0; run < runs; run += 1) {
      const seed = seedOf(accumulated(ACCUMULATOR_START, sha256(utf8(`output ${run}`))), 1);
      if (inOrder([...ids, ground], seed, (id) => id)[0] === ground) first += 1;
    }
    // A fifth: 40 expected, 5.7 a standard deviation.
    expect(Math.abs(first - 40)).toBeLessThan(25);
  });
});

describe('grinding of the seed by those who propose last', () => {
  /** How often the attacker is first among `others` and itself, of so many seeds that it may choose from. */
  const shareWith = (choices: number): number => {
    const runs = 2_000;
    let first = 0;
    const ids = Array.from({ length: 9 }, (_, index) => sha256(utf8(`other ${index}`)));
    const own = sha256(utf8('own'));
    for (let run = 0; run < runs; run += 1) {
      const before = accumulated(ACCUMULATOR_START, sha256(utf8(`honest ${run}`)));
      const wins = Array.from({ length: choices }, (_, choice) => {
        const output = sha256(utf8(`output ${run} ${choice}`));
        return inOrder([...ids, own], seedOf(accumulated(before, output), 7), (id) => id)[0] === own;
      });
      if (wins.includes(true)) first += 1;
    }
    return first / runs;
  };

  it('its output is one that it cannot change: with it alone it is first in a tenth of the sets, as chance has it', () => {
    expect(Math.abs(shareWith(1) - 0.1)).toBeLessThan(0.03);
  });

  it('by not proposing it chooses between two seeds, its own and that of the next leader: first in 19 %, one bit; and two such leaders in 34 % at most', () => {
    expect(Math.abs(shareWith(2) - (1 - 0.9 ** 2))).toBeLessThan(0.04);
    expect(Math.abs(shareWith(4) - (1 - 0.9 ** 4))).toBeLessThan(0.05);
  });
});

describe('early reveal and a fork', () => {
  it('a reveal in a block before its seal, or in the same, is refused: whoever has not seen the commit leaves it out', () => {
    const chain = new SealedChain({ balances });
    const { seal, reveal } = chain.sealed(victim, pay(market, 5_000n));
    expect(chain.check(reveal)).toMatchObject({ code: 22, log: expect.stringContaining('commit it first') });
    expect(chain.block([reveal])[0]?.code).toBe(22);
    expect(chain.block([reveal, seal, reveal]).map(({ code }) => code)).toEqual([22, 0, 23]);
    expect(chain.block([reveal])[0]?.code).toBe(0);
  });

  it('who revealed on a branch that was given up is copied on the other at once: the reason for waiting for the commit', () => {
    // The branch: seal and reveal were proposed, read by everybody, and not committed.
    const branch = new SealedChain({ balances });
    const early = branch.sealed(victim, pay(market, 200_000n));
    branch.block([early.seal]);
    branch.block([early.reveal]);
    // The chain: its leader has read the purchase, and seals its own beside the victim's seal, knowing what is in it.
    const chain = new SealedChain({ balances, place: branch.place });
    const knowing = chain.sealed(eve, pay(market, 100_000n));
    expect(chain.block([knowing.seal, early.seal]).map(({ code }) => code)).toEqual([0, 0]);
    expect(chain.statusOf(early.id)).toBe('sealed');
    // So the client waits for the execution of a committed block, which no branch takes back (CS-5): test/cli/ledger-sealed.test.ts.
  });
});
