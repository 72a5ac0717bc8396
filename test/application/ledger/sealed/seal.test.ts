import { describe, expect, it } from 'vitest';
import { ledgerRules } from '../../../../src/application/ledger/rules.ts';
import { OUTCOME_HEIGHTS } from '../../../../src/application/ledger/sealed/close.ts';
import { encodeContent, parseContent, placesOf } from '../../../../src/application/ledger/sealed/content.ts';
import { parseTransaction } from '../../../../src/application/ledger/transaction.ts';
import { present, world } from '../../../protocol/consensus/fixture.ts';
import { genesisRequest, type Key, keyOf, LedgerChain } from '../chain-of-ledger.ts';
import { DEPOSIT, R, SEAL_FEE, SealedChain } from './chain-of-seals.ts';

const [ada, bob, eve] = [keyOf('ada'), keyOf('bob'), keyOf('eve')];
const pay = (to: Key, amount: bigint) => [{ to: to.address, amount }];
const codeOf = (chain: LedgerChain, transaction: Uint8Array): number | undefined =>
  chain.block([transaction])[0]?.code;

describe('a sealed transfer', () => {
  it('pays its fee and deposit at once, moves nothing until the close, and then gets the deposit back (LG-20 to LG-24)', () => {
    const chain = new SealedChain();
    const { id, seal, reveal } = chain.sealed(ada, pay(bob, 1_000n));
    const [taken] = chain.block([seal]);
    expect(taken).toMatchObject({ code: 0, gasUsed: 4n });
    expect(taken?.events[0]?.attributes).toContainEqual({ key: 'seal', value: id, index: true });
    expect(chain.balance(ada)).toBe(1_000_000n - SEAL_FEE - DEPOSIT);
    expect(chain.ask('/supply')).toMatchObject({ deposits: DEPOSIT.toString(), burned: SEAL_FEE.toString() });
    expect(chain.ask('/seal', id)).toMatchObject({ status: 'sealed', height: 1, closes: { height: 1 + R } });

    const [revealed] = chain.block([reveal]);
    expect(revealed).toMatchObject({ code: 0, events: [{ type: 'ledger.reveal' }] });
    expect([chain.statusOf(id), chain.balance(bob)]).toEqual(['revealed', 500_000n]);

    chain.idleTo(1 + R);
    expect([chain.statusOf(id), chain.balance(bob)]).toEqual(['revealed', 500_000n]);
    chain.block([]);
    expect([chain.balance(ada), chain.balance(bob)]).toEqual([1_000_000n - SEAL_FEE - 1_000n, 501_000n]);
    expect(chain.ask('/seal', id)).toMatchObject({ status: 'done', closed_at: 1 + R, place: 0 });
    expect(chain.events).toEqual([
      {
        type: 'ledger.sealed',
        attributes: [
          { key: 'seal', value: id, index: true },
          { key: 'sender', value: ada.text, index: true },
          { key: 'outcome', value: 'done', index: true },
          { key: 'place', value: '0', index: false },
          { key: 'deposit', value: '200', index: false },
          { key: 'recipient', value: bob.text, index: true },
          { key: 'amount', value: '1000', index: false },
        ],
      },
    ]);
    expect(chain.nonce(ada)).toBe(1n);
  });

  it('waits for the time of the window too, however many blocks come', () => {
    const chain = new SealedChain({ parameters: { reveal_ms: 100 } });
    const { id, seal, reveal } = chain.sealed(ada, pay(bob, 1n));
    chain.block([seal]);
    expect(codeOf(chain, reveal)).toBe(0);
    while (chain.time < 100) chain.block([]);
    expect([chain.height, chain.statusOf(id)]).toEqual([100, 'revealed']);
    chain.block([]);
    expect([chain.time, chain.statusOf(id)]).toEqual([101, 'done']);
  });

  it('that is never revealed does nothing, and has lost deposit, fee and nonce', () => {
    const chain = new SealedChain();
    const { id, seal, reveal } = chain.sealed(ada, pay(bob, 1_000n));
    chain.block([seal]);
    chain.idleTo(2 + R);
    expect([...chain.told()]).toEqual([[id, 'withheld']]);
    expect(chain.balance(ada)).toBe(1_000_000n - SEAL_FEE - DEPOSIT);
    expect(chain.nonce(ada)).toBe(1n);
    expect(chain.ask('/supply')).toMatchObject({ deposits: '0', burned: (SEAL_FEE + DEPOSIT).toString() });
    expect(codeOf(chain, reveal)).toBe(25);
  });

  it('that the balance does not cover at the close does nothing, and loses its deposit: to empty the account is no way out', () => {
    const chain = new SealedChain();
    const operator = keyOf('op0');
    const address = chain.place.addressAt(0);
    const { id, seal, reveal } = chain.sealed(operator, pay(bob, 99_000n));
    chain.block([seal]);
    chain.block([reveal]);
    const validator = present(parseHex(address), 'an address');
    expect(chain.run(operator, { kind: 'stake', validator, amount: 90_000n }).code).toBe(0);
    chain.idleTo(2 + R);
    expect([chain.statusOf(id), chain.balance(bob)]).toEqual(['failed', 500_000n]);
    expect(BigInt(String(chain.ask('/supply')['burned']))).toBe(SEAL_FEE + DEPOSIT + 20n);
  });

  it('may be several, done all or none, in the class that has room', () => {
    const chain = new SealedChain();
    const many = Array.from({ length: 9 }, (_, index) => ({ to: keyOf(`to ${index}`).address, amount: 10n }));
    const all = chain.sealed(ada, many);
    const none = chain.sealed(bob, [...many.slice(1), { to: eve.address, amount: 500_000n }]);
    expect(chain.block([all.seal, none.seal]).map(({ code }) => code)).toEqual([0, 0]);
    expect(chain.block([all.reveal, none.reveal]).map(({ code }) => code)).toEqual([0, 0]);
    chain.idleTo(2 + R);
    expect([chain.statusOf(all.id), chain.statusOf(none.id)]).toEqual(['done', 'failed']);
    expect([chain.balance(keyOf('to 0')), chain.balance(keyOf('to 1')), chain.balance(eve)]).toEqual([
      10n,
      10n,
      0n,
    ]);
  });

  it('is remembered for a while, and leaves nothing but accounts and sums', () => {
    const chain = new SealedChain();
    const { id, seal, reveal } = chain.sealed(ada, pay(bob, 1n));
    chain.block([seal]);
    chain.block([reveal]);
    chain.idleTo(1 + R + OUTCOME_HEIGHTS);
    expect(chain.statusOf(id)).toBe('done');
    chain.block([]);
    expect(chain.statusOf(id)).toBe('unknown');
    expect([...chain.state.pairs.keys()].filter((key) => key.startsWith('S'))).toEqual(['Sp']);
    // And the next one finds its place again.
    const next = chain.sealed(ada, pay(bob, 1n));
    chain.block([next.seal]);
    chain.block([next.reveal]);
    chain.idle(R);
    expect(chain.statusOf(next.id)).toBe('done');
  });

  it('leaves the state of an idle chain alone', () => {
    const chain = new SealedChain();
    const { seal } = chain.sealed(ada, pay(bob, 1n));
    chain.block([seal]);
    chain.idle(R + 5);
    const before = new Map(chain.state.pairs);
    chain.idle(5);
    expect(chain.state.pairs).toEqual(before);
  });
});

const parseHex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

describe('what a chain that seals refuses', () => {
  it('for free: a transfer in the open (LG-20)', () => {
    const chain = new SealedChain();
    const transfer = chain.sign(ada, { kind: 'transfer', to: bob.address, amount: 5n });
    expect(chain.check(transfer)).toMatchObject({ code: 20, log: expect.stringContaining('sealed only') });
    expect(codeOf(chain, transfer)).toBe(20);
    expect([chain.balance(ada), chain.nonce(ada)]).toEqual([1_000_000n, 0n]);
  });

  it('seals beyond the bound of an account, which then costs the fee; those of others are taken (LG-22)', () => {
    const chain = new SealedChain();
    for (let count = 0; count < 3; count += 1) {
      expect(codeOf(chain, chain.sealed(ada, pay(bob, 1n)).seal)).toBe(0);
    }
    const fourth = chain.sealed(ada, pay(bob, 1n)).seal;
    expect(chain.check(fourth)).toMatchObject({ code: 21 });
    expect(codeOf(chain, fourth)).toBe(21);
    expect(chain.balance(ada)).toBe(1_000_000n - 4n * SEAL_FEE - 3n * DEPOSIT);
    expect(codeOf(chain, chain.sealed(bob, pay(ada, 1n)).seal)).toBe(0);
    chain.idle(R);
    expect(codeOf(chain, chain.sealed(ada, pay(bob, 1n)).seal)).toBe(0);
  });

  it('for free: more seals than may be open', () => {
    const chain = new SealedChain({ parameters: { seals_open_max: 1 } });
    const [one, two] = [chain.sealed(ada, pay(bob, 1n)), chain.sealed(bob, pay(ada, 1n))];
    expect(chain.block([one.seal, two.seal]).map(({ code }) => code)).toEqual([0, 21]);
    expect(chain.balance(bob)).toBe(500_000n);
    expect(chain.check(two.seal)).toMatchObject({ code: 21 });
  });

  it('a seal whose deposit is not there: it costs the fee (LG-7)', () => {
    const chain = new SealedChain({ balances: { ada: SEAL_FEE + DEPOSIT - 1n } });
    const { seal } = chain.sealed(ada, pay(bob, 1n));
    expect(chain.check(seal).code).toBe(6);
    expect(codeOf(chain, seal)).toBe(6);
    expect([chain.balance(ada), chain.nonce(ada)]).toEqual([DEPOSIT - 1n, 1n]);
  });

  it('a seal of a class that is none, and where transfers are open any seal and reveal', () => {
    const chain = new SealedChain();
    const { seal } = chain.sealed(ada, pay(bob, 1n));
    const spoilt = seal.slice();
    // Version, kind, key and four numbers stand before the class.
    spoilt[66] = 3;
    expect(parseTransaction(spoilt)).toEqual({ problem: 'seal of kind 3 is not known' });
    expect(codeOf(chain, spoilt)).toBe(2);
    const plain = new LedgerChain();
    expect(plain.block([seal])[0]).toMatchObject({ code: 2, log: expect.stringContaining('plainly') });
  });

  it('a content that is none, and what does not fit its class', () => {
    const full = Array.from({ length: 3 }, () => ({ to: bob.address, amount: 1n }));
    expect(parseContent(encodeContent(full.slice(1)), 0)).toEqual({
      ...{ transfers: full.slice(1), chain: undefined },
    });
    expect(parseContent(encodeContent(full), 0)).toEqual({
      problem: '3 transfers; a small seal has at most 2',
    });
    expect(([0, 1, 2] as const).map(placesOf)).toEqual([2, 9, 36]);
    for (const bytes of [
      new Uint8Array(0),
      encodeContent([]),
      encodeContent(full).subarray(1),
      encodeContent([{ to: bob.address, amount: 0n }]),
      encodeContent(full.slice(1)).with(0, 2),
    ])
      expect(parseContent(bytes, 2)).toHaveProperty('problem');
  });
});

describe('a reveal (LG-23)', () => {
  it('is refused before its seal, in the block of its seal, twice, and after the close; none of it costs anything', () => {
    const chain = new SealedChain();
    const { seal, reveal } = chain.sealed(ada, pay(bob, 1n));
    expect(chain.check(reveal)).toMatchObject({ code: 22 });
    expect(chain.block([reveal, seal, reveal]).map(({ code }) => code)).toEqual([22, 0, 23]);
    expect(chain.check(reveal)).toMatchObject({ code: 0, priority: 2n ** 64n - 2n });
    expect(chain.block([reveal, reveal]).map(({ code }) => code)).toEqual([0, 24]);
    expect(chain.check(reveal)).toMatchObject({ code: 24 });
    chain.idleTo(1 + R);
    expect(codeOf(chain, reveal)).toBe(25);
    expect(chain.balance(ada)).toBe(1_000_000n - SEAL_FEE - 1n);
  });

  it('is of its content and salt alone: any byte that is changed is refused, and the true one is taken afterwards', () => {
    const chain = new SealedChain();
    const { seal, reveal } = chain.sealed(ada, pay(bob, 1n));
    chain.block([seal]);
    const spoilt = Array.from({ length: reveal.length - 2 }, (_, at) =>
      reveal.with(at + 2, (reveal[at + 2] ?? 0) ^ 1),
    );
    const codes = new Set(chain.block(spoilt).map(({ code }) => code));
    expect(codes).toEqual(new Set([22, 23]));
    for (const bytes of spoilt) expect(chain.check(bytes).code).not.toBe(0);
    expect(codeOf(chain, reveal.slice(0, 66))).toBe(23);
    expect(codeOf(chain, reveal)).toBe(0);
  });

  it('of a content that cannot be read leaves its sender with a burned deposit', () => {
    const chain = new SealedChain();
    const three = Array.from({ length: 3 }, () => ({ to: bob.address, amount: 1n }));
    const { id, seal, reveal } = chain.sealed(ada, three, { sizeClass: 0 });
    chain.block([seal]);
    expect(codeOf(chain, reveal)).toBe(23);
    chain.idle(R);
    expect(chain.statusOf(id)).toBe('withheld');
  });
});

describe('the close (LG-24)', () => {
  it('comes before the transactions of its block, whoever proposes them', () => {
    const chain = new SealedChain();
    const operator = keyOf('op0');
    const { id, seal, reveal } = chain.sealed(operator, pay(bob, 90_000n));
    chain.block([seal]);
    chain.block([reveal]);
    chain.idleTo(1 + R);
    const validator = parseHex(chain.place.addressAt(0));
    const [stake] = chain.block([chain.sign(operator, { kind: 'stake', validator, amount: 95_000n })]);
    expect([chain.statusOf(id), stake?.code]).toEqual(['done', 6]);
  });

  it('does no more in one block than twice the target of work, the oldest sets first; the others go on being open', () => {
    const chain = new SealedChain({ parameters: { block_work_target: 4, reveal_ms: 1_000 } });
    const ids: string[] = [];
    for (let height = 1; height <= 12; height += 1) {
      const [one, two] = [chain.sealed(ada, pay(bob, 1n)), chain.sealed(bob, pay(ada, 1n))];
      const results = chain.block([one.seal, two.seal]);
      // Work of 8 is twice the target: a third one would be refused.
      expect(results.map(({ code }) => code)).toEqual(height <= 3 ? [0, 0] : [21, 21]);
      if (height <= 3) ids.push(one.id, two.id);
    }
    chain.time = 5_000;
    const closed = [1, 2, 3].map(() => {
      chain.block([]);
      return chain.told().size;
    });
    // Sets of 4 places each: two of them at most have 8.
    expect(closed).toEqual([4, 2, 0]);
    expect(ids.map((id) => chain.statusOf(id))).toEqual(Array(6).fill('withheld'));
  });

  it('takes the sets of several heights each by its own seed', () => {
    const chain = new SealedChain();
    const sealed = Array.from({ length: 3 }, () => {
      const made = chain.sealed(ada, pay(bob, 1n));
      chain.block([made.seal]);
      return made;
    });
    chain.block(sealed.map(({ reveal }) => reveal));
    chain.idleTo(1 + R);
    const closing = sealed.map(() => {
      chain.block([]);
      return [...chain.told()];
    });
    expect(closing).toEqual(sealed.map(({ id }) => [[id, 'done']]));
  });
});

describe('a genesis that seals', () => {
  it('says what it chose, and has defaults for the rest', () => {
    const { reveal_heights: heights, ...rest } = new LedgerChain({
      parameters: { ordering: 'commit_reveal' },
    }).ask('/parameters');
    expect(heights).toBe(24);
    expect(rest).toMatchObject({
      ...{ ordering: 'commit_reveal', reveal_ms: 5_000, seal_deposit: '1000000', seal_fee: '100' },
      ...{ seals_per_sender_max: 16, seals_open_max: 65_536 },
    });
    expect(new LedgerChain().ask('/parameters')).toMatchObject({ ordering: 'plain' });
  });

  it.each([
    [
      { ordering: 'commit_reveal', reveal_heights: 9 },
      /parameters\.reveal_heights: 9 heights .* at least 10/,
    ],
    [{ reveal_ms: 5 }, /parameters\.reveal_ms: is about sealed transfers: set ordering/],
    [{ ordering: 'sealed' }, /parameters\.ordering/],
    [{ ordering: 'commit_reveal', seal_deposit: '0' }, /parameters\.seal_deposit: expected 1 to/],
  ])('is refused with %j', (parameters, words) => {
    expect(() => new LedgerChain({ parameters })).toThrow(words);
  });

  it('is refused where blocks carry no VRF outputs, once the node says so (OR-5)', () => {
    const place = world([5n, 5n, 5n, 5n]);
    const beginning = (vrf: boolean) => () =>
      ledgerRules({ domain: place.epoch.domain, bls: place.bls, vrf }).begin(
        genesisRequest(place, { parameters: { ordering: 'commit_reveal' } }),
      );
    expect(beginning(true)).not.toThrow();
    expect(beginning(false)).toThrow(/set params\.vrf to true/);
  });
});
