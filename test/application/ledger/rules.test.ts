import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { accountAddressOf } from '../../../src/application/ledger/address.ts';
import { U64_MAX } from '../../../src/application/ledger/fields.ts';
import { NONCE_GAP_MAX } from '../../../src/application/ledger/rules.ts';
import { fromHex, toHex } from '../../../src/base/bytes.ts';
import { parseAddress } from '../../../src/protocol/chain/parse.ts';
import { height, present } from '../../protocol/consensus/fixture.ts';
import { keyOf, LedgerChain, OPERATORS } from './chain-of-ledger.ts';

const [ada, bob, eve, op0] = [keyOf('ada'), keyOf('bob'), keyOf('eve'), present(OPERATORS[0], 'an operator')];
const pay = (to: Uint8Array, amount: bigint) => ({ kind: 'transfer', to, amount }) as const;

describe('a transfer', () => {
  it('moves the amount, burns the base fee, tips the operator of the proposer, and raises the nonce (LG-7)', () => {
    const chain = new LedgerChain();
    const result = chain.run(ada, pay(bob.address, 1_000n), { tip: 7n });
    expect(result.code).toBe(0);
    expect([chain.balance(ada), chain.balance(bob), chain.balance(op0)]).toEqual([
      1_000_000n - 1_000n - 10n - 7n,
      501_000n,
      100_007n,
    ]);
    expect(chain.nonce(ada)).toBe(1n);
    expect(chain.ask('/supply')).toMatchObject({ burned: '10' });
    expect(result.events).toEqual([
      {
        type: 'ledger.transfer',
        attributes: [
          { key: 'sender', value: ada.text, index: true },
          { key: 'recipient', value: bob.text, index: true },
          { key: 'amount', value: '1000', index: false },
          { key: 'fee', value: '17', index: false },
        ],
      },
    ]);
  });

  it('to oneself costs the fee and nothing else', () => {
    const chain = new LedgerChain();
    expect(chain.run(ada, pay(ada.address, 1_000n)).code).toBe(0);
    expect(chain.balance(ada)).toBe(1_000_000n - 10n);
  });

  it('can empty an account to the last unit', () => {
    const chain = new LedgerChain();
    expect(chain.run(ada, pay(bob.address, 1_000_000n - 10n)).code).toBe(0);
    expect(chain.balance(ada)).toBe(0n);
  });

  it('of more than there is fails, and still pays its fee (LG-7)', () => {
    const chain = new LedgerChain();
    const refusal = chain.run(ada, pay(bob.address, U64_MAX));
    expect(refusal).toMatchObject({
      code: 6,
      codespace: 'ledger',
      log: expect.stringContaining('send less'),
      events: [],
    });
    expect([chain.balance(ada), chain.balance(bob), chain.nonce(ada)]).toEqual([999_990n, 500_000n, 1n]);
  });

  it('burns the tip where nobody owns the proposer', () => {
    const chain = new LedgerChain();
    const stranger = parseAddress('f'.repeat(40));
    if (stranger === 'malformed') throw new Error('no address');
    chain.block([chain.sign(ada, pay(bob.address, 1n), { tip: 7n })], stranger);
    expect(chain.ask('/supply')).toMatchObject({ burned: '17' });
  });
});

describe('who does not sign rightly moves nothing, and pays nothing', () => {
  const cases: readonly (readonly [string, (chain: LedgerChain) => Uint8Array, number])[] = [
    ['another key', (chain) => chain.sign({ ...ada, secret: eve.secret }, pay(eve.address, 5n)), 3],
    [
      'another chain id',
      (chain) => chain.sign(ada, pay(eve.address, 5n), {}, { ...chain.domain, chainId: 'tes' }),
      3,
    ],
    [
      'another genesis',
      (chain) =>
        chain.sign(ada, pay(eve.address, 5n), {}, { ...chain.domain, genesisHash: new Uint8Array(32) }),
      3,
    ],
    ['a nonce ahead', (chain) => chain.sign(ada, pay(eve.address, 5n), { nonce: 1n }), 4],
    ['the greatest nonce', (chain) => chain.sign(ada, pay(eve.address, 5n), { nonce: U64_MAX - 1n }), 4],
    ['too small a fee', (chain) => chain.sign(ada, pay(eve.address, 5n), { feeMax: 9n }), 5],
    ['no coins', (chain) => chain.sign(eve, pay(ada.address, 5n)), 6],
    [
      'a fee beyond its balance',
      (chain) => chain.sign(ada, pay(eve.address, 5n), { feeMax: U64_MAX, tip: U64_MAX }),
      6,
    ],
  ];

  it.each(cases)('%s (LG-4 to LG-7)', (_, make, code) => {
    const chain = new LedgerChain();
    const transaction = make(chain);
    const before = new Map(chain.state.pairs);
    expect(chain.block([transaction])[0]).toMatchObject({ code, gasUsed: 0n });
    expect(chain.state.pairs).toEqual(before);
    // The mempool says the same, but where a nonce a little ahead may yet come true.
    const isAhead = code === 4 && chain.check(transaction).code === 0;
    expect(isAhead || chain.check(transaction).code === code).toBe(true);
  });

  it('a second time (LG-5)', () => {
    const chain = new LedgerChain();
    const transaction = chain.sign(ada, pay(bob.address, 1_000n));
    const [first, second] = chain.block([transaction, transaction]);
    expect([first?.code, second?.code]).toEqual([0, 4]);
    expect(second?.log).toBe('nonce 0, and the next of this account is 1: it was done already');
    expect(chain.balance(bob)).toBe(501_000n);
  });

  it('one bit flipped anywhere (LG-4)', () => {
    const chain = new LedgerChain();
    const transaction = chain.sign(ada, pay(bob.address, 1_000n));
    const before = new Map(chain.state.pairs);
    for (let bit = 0; bit < transaction.length * 8; bit += 1) {
      const flipped = transaction.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      const code = chain.check(flipped).code;
      // Nonces a little ahead reach the signature too.
      expect(code, `bit ${bit}`).toBeGreaterThan(0);
      expect(chain.block([flipped])[0]?.code, `bit ${bit}`).toBeGreaterThan(0);
    }
    expect(chain.state.pairs).toEqual(before);
  });

  it('a signature with S above the order of the group, which other verifiers take for the same (LG-4)', () => {
    const chain = new LedgerChain();
    const transaction = chain.sign(ada, pay(bob.address, 1_000n));
    const s = transaction.slice(-32).reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
    const high = s + ed25519.Point.Fn.ORDER;
    const bytes = Array.from({ length: 32 }, (_, index) => Number((high >> BigInt(8 * index)) & 255n));
    expect(chain.block([Uint8Array.of(...transaction.subarray(0, -32), ...bytes)])[0]?.code).toBe(3);
  });

  it.each([
    ['the identity', `01${'00'.repeat(31)}`],
    ['a point of order 2', `ec${'ff'.repeat(30)}7f`],
    ['a point of order 4', '00'.repeat(32)],
    ['a point of order 8', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
    ['an encoding that is not canonical', `ee${'ff'.repeat(30)}7f`],
  ])('a key that everybody can sign for: %s (LG-4)', (_, hex) => {
    const publicKey = present(fromHex(hex), 'a key');
    const chain = new LedgerChain();
    expect(chain.run(ada, pay(accountAddressOf(publicKey), 10_000n)).code).toBe(0);
    // R = identity and S = 0 is right for every message under such keys, in lax verifiers.
    const unsigned = chain.sign(
      { ...eve, publicKey, address: accountAddressOf(publicKey) },
      pay(eve.address, 5n),
      {
        nonce: 0n,
      },
    );
    const signature = Uint8Array.of(1, ...new Uint8Array(63));
    const forged = Uint8Array.of(...unsigned.subarray(0, -64), ...signature);
    expect(chain.block([forged])[0]?.code).toBe(3);
    expect(chain.balance(eve)).toBe(0n);
  });
});

describe("the mempool's check", () => {
  it('admits nonces a little ahead, not behind or far ahead, and ranks by the tip (LG-5)', () => {
    const chain = new LedgerChain();
    chain.run(ada, pay(bob.address, 1n));
    const check = (nonce: bigint) => chain.check(chain.sign(ada, pay(bob.address, 1n), { nonce, tip: 33n }));
    expect(check(0n)).toMatchObject({ code: 4, priority: 0n });
    expect(check(1n)).toEqual({
      code: 0,
      log: '',
      codespace: 'ledger',
      priority: 33n,
      sender: { id: toHex(ada.address), sequence: 1n, next: 1n, cost: 1n + 10n + 33n, funds: 999_989n },
    });
    expect(check(1n + NONCE_GAP_MAX).code).toBe(0);
    expect(check(2n + NONCE_GAP_MAX).code).toBe(4);
  });

  it('ranks by the tip that is paid, not by one that the greatest fee leaves no room for', () => {
    const chain = new LedgerChain();
    const transaction = chain.sign(ada, pay(bob.address, 1n), { feeMax: 12n, tip: 12n });
    expect(chain.check(transaction)).toMatchObject({ code: 0, priority: 2n });
  });

  it('refuses what the balance does not cover, amount and fee together', () => {
    const chain = new LedgerChain();
    const check = (amount: bigint) => chain.check(chain.sign(ada, pay(bob.address, amount))).code;
    expect([check(999_990n), check(999_991n)]).toEqual([0, 6]);
  });

  it('writes nothing: it gets a state that cannot be written, and one that throws when asked to', () => {
    const chain = new LedgerChain();
    const reader = {
      get: (key: string) => chain.state.get(key),
      validators: chain.state.validators,
      set: () => {
        throw new Error('a check writes');
      },
    };
    expect(chain.rules.check(chain.sign(ada, pay(bob.address, 1n)), reader, height(chain.height)).code).toBe(
      0,
    );
  });
});

describe('the price of work', () => {
  it('follows how full blocks are, and what is refused for nothing does not count (LG-8)', () => {
    const chain = new LedgerChain();
    const many = (count: number) => {
      const first = chain.nonce(ada);
      return Array.from({ length: count }, (_, index) =>
        chain.sign(ada, pay(bob.address, 1n), { nonce: first + BigInt(index) }),
      );
    };
    chain.block(many(8));
    expect(chain.ask('/fee')).toMatchObject({ price: '11', block_work: '0' });
    chain.block(many(4));
    expect(chain.ask('/fee')).toMatchObject({ price: '11' });
    chain.block([]);
    expect(chain.ask('/fee')).toMatchObject({ price: '10' });
    const stale = chain.sign(ada, pay(bob.address, 1n), { nonce: 0n });
    chain.block(Array.from({ length: 20 }, () => stale));
    expect(chain.ask('/fee')).toMatchObject({ price: '10' });
  });

  it('in empty blocks at the bottom changes nothing in the state', () => {
    const chain = new LedgerChain();
    const before = new Map(chain.state.pairs);
    chain.idle(3);
    expect(chain.state.pairs).toEqual(before);
  });
});

describe('questions', () => {
  const chain = new LedgerChain();

  it('about an account nobody has paid are answered with nothing, not with an error', () => {
    expect(chain.ask('/account', eve.text)).toEqual({ address: eve.text, nonce: '0', balance: '0' });
  });

  it('about validators say who owns them', () => {
    const address = chain.place.addressAt(0);
    const shown = { address, operator: op0.text, power: '5', stake: '5000', jailed_at: null, unbondings: [] };
    expect(chain.ask('/validator', address)).toMatchObject(shown);
    expect(chain.ask('/validators')).toMatchObject([shown, {}, {}, {}]);
  });

  it('about parameters say what a signature is bound to', () => {
    expect(chain.ask('/parameters')).toMatchObject({
      chain_id: 'test',
      genesis_hash: chain.place.epoch.domain.genesisHash,
      decimals: 3,
      symbol: 'ALT',
      stake_min: '2000',
    });
  });

  it.each([
    ['/store', '', "unknown path '/store': there are /account"],
    ['/account', 'ada', '"ada" is no address'],
    ['/validator', 'ada', 'give the 40 letters'],
    ['/validator', 'f'.repeat(40), 'has ever been registered'],
  ])('that make no sense are refused with words: %s %s', (path, data, words) => {
    expect(chain.ask(path, data)).toEqual({ code: 1, log: expect.stringContaining(words) });
  });
});

describe('the work of a block (LG-8)', () => {
  it('ends at twice the target: the rest is refused for free, and goes into a later block signed anew', () => {
    // The target of these chains is four transfers.
    const chain = new LedgerChain();
    const many = Array.from({ length: 12 }, (_, index) =>
      chain.sign(ada, pay(bob.address, 1n), { nonce: BigInt(index) }),
    );
    const codes = chain.block(many).map(({ code }) => code);
    expect(codes).toEqual(
      [...new Array(8).fill(0), 4, 4, 4, 4].map((code, index) => (index === 8 ? 17 : code)),
    );
    expect(chain.nonce(ada)).toBe(8n);
    expect(chain.run(ada, pay(bob.address, 1n)).code).toBe(0);
  });
});
