/** Bounds of what goes between two ledgers, the sums of both, and what a genesis may say of other chains. LG-6, LG-30, LG-35. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { setAccount } from '../../../src/application/ledger/accounts.ts';
import { setChain } from '../../../src/application/ledger/chains.ts';
import { CODES } from '../../../src/application/ledger/codes.ts';
import { OUTBOX_MAX } from '../../../src/application/ledger/sending.ts';
import { ada, bob, LedgerChain } from './chain-of-ledger.ts';
import { DEPOSIT, R, SealedChain } from './sealed/chain-of-seals.ts';
import {
  acknowledgePayload,
  chainOn,
  hashOf,
  inFlight,
  namedChain,
  openPayload,
  outboxFor,
  receivePayload,
  relay,
  sendPayload,
  TwoChains,
  worldOf,
} from './two-chains.ts';

describe('bounds (LG-35)', () => {
  it('no more comes from a chain than its credit: the rest stays in its outbox, and comes when there is room', () => {
    const both = new TwoChains({}, { credit_max: '1000' }).open();
    const { one, two } = both;
    const total = both.total();
    for (const amount of [900n, 101n]) one.run(ada, sendPayload(two, bob, amount));
    expect(relay(two, receivePayload(one, two)).code).toBe(CODES.creditExceeded);
    expect(relay(two, receivePayload(one, two, outboxFor(one, two, 1n, 1))).code).toBe(0);
    expect(relay(two, receivePayload(one, two)).code).toBe(CODES.creditExceeded);
    expect(two.run(bob, sendPayload(one, ada, 1n)).code).toBe(0);
    expect(relay(two, receivePayload(one, two)).code).toBe(0);
    expect(both.total()).toBe(total);
  });

  it('one transfer that the other chain will never take is not sent, where the genesis says what it takes: it would hold up all behind it', () => {
    const jammed = new TwoChains({}, { credit_max: '1000' }).open();
    for (const amount of [1_001n, 1n])
      expect(jammed.one.run(ada, sendPayload(jammed.two, bob, amount)).code).toBe(0);
    expect(
      relay(jammed.two, receivePayload(jammed.one, jammed.two, outboxFor(jammed.one, jammed.two, 1n, 1)))
        .code,
    ).toBe(CODES.creditExceeded);

    const both = new TwoChains({}, { credit_max: '1000', send_max: '1000' }).open();
    const { one, two } = both;
    const send = one.sign(ada, sendPayload(two, bob, 1_001n));
    expect(one.check(send)).toMatchObject({
      code: CODES.creditExceeded,
      log: expect.stringContaining('send less'),
    });
    expect(one.block([send])[0]?.code).toBe(CODES.creditExceeded);
    expect(one.run(ada, sendPayload(two, bob, 1_000n)).code).toBe(0);
    expect(relay(two, receivePayload(one, two)).code).toBe(0);
    expect(one.run(ada, sendPayload(two, bob, 1n)).code).toBe(CODES.creditExceeded);
    // What comes back makes room.
    expect(two.run(bob, sendPayload(one, ada, 10n)).code).toBe(0);
    expect(one.run(ada, sendPayload(two, bob, 1n)).code).toBe(CODES.creditExceeded);
    expect(relay(one, receivePayload(two, one)).code).toBe(0);
    expect(one.run(ada, sendPayload(two, bob, 10n)).code).toBe(0);
    expect(relay(two, receivePayload(one, two)).code).toBe(0);
  });

  it('an outbox that nobody carries away takes no more, and takes again when it was acknowledged', () => {
    const { one, two } = new TwoChains().open();
    const before = chainOn(one, two);
    // As if all but one place were taken.
    setChain(one.state, 0, { ...before, nextSequence: before.firstSequence + OUTBOX_MAX - 1n });
    const send = (): number => one.run(ada, sendPayload(two, bob, 1n)).code;
    expect([send(), send(), inFlight(one, two)]).toEqual([0, CODES.outboxFull, 1n]);
    setChain(one.state, 0, { ...chainOn(one, two), firstSequence: before.firstSequence + 1n });
    expect([send(), send(), inFlight(one, two)]).toEqual([0, CODES.outboxFull, 2n]);
  });

  it('any order of sends, receipts, acknowledgements and replays conserves the sum, on both chains and between', () => {
    const both = new TwoChains().open();
    const total = both.total();
    const sides = [
      [both.one, both.two],
      [both.two, both.one],
    ] as const;
    const step = fc.record({
      side: fc.constantFrom(...sides),
      what: fc.constantFrom('send', 'receive', 'part', 'replay', 'acknowledge'),
      amount: fc.bigInt({ min: 1n, max: 2_000n }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        for (const { side, what, amount } of steps) {
          const [here, there] = side;
          if (what === 'send') here.run(ada, sendPayload(there, bob, amount));
          if (what === 'receive' && outboxFor(here, there).transfers.length > 0)
            expect(relay(there, receivePayload(here, there)).code).toBe(0);
          if (what === 'part' && outboxFor(here, there).transfers.length > 0)
            expect(relay(there, receivePayload(here, there, outboxFor(here, there, undefined, 1))).code).toBe(
              0,
            );
          if (what === 'replay' && outboxFor(here, there, 1n).transfers.length > 0)
            relay(there, receivePayload(here, there, outboxFor(here, there, 1n)));
          if (what === 'acknowledge') relay(here, acknowledgePayload(here, there));
          expect(both.total()).toBe(total);
          expect(inFlight(here, there) >= 0n).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('a chain that seals transfers (LG-20)', () => {
  const sealing = (named: Readonly<Record<string, unknown>> = {}) => {
    const [left, right] = [worldOf('one'), worldOf('two')];
    const balances = { ada: 1_000_000n, relayer: 10_000_000n };
    const common = { balances, parameters: { block_work_target: 1_000 } };
    const one = new LedgerChain({ ...common, place: left, chains: [namedChain(right)] });
    const two = new SealedChain({ ...common, place: right, chains: [namedChain(left, named)] });
    for (const [here, there] of [
      [one, two],
      [two, one],
    ] as const)
      expect(relay(here, openPayload(there)).code).toBe(0);
    return { one, two };
  };
  /** Up to the block that closes the set of this one. */
  const sealedSend = (one: LedgerChain, two: SealedChain, amounts: readonly bigint[]) => {
    const transfers = amounts.map((amount) => ({ to: bob.address, amount }));
    const sealed = two.sealed(ada, transfers, { chain: hashOf(one) });
    expect(two.block([sealed.seal])[0]?.code).toBe(0);
    const at = two.height;
    expect(two.block([sealed.reveal])[0]?.code).toBe(0);
    return {
      sealed,
      close: () => two.idleTo(at + R + 1),
      ended: () => two.ask('/seal', sealed.id)['status'],
    };
  };

  it('receives coins of another one beside open seals, and refuses for free to send any in the open', () => {
    const { one, two } = sealing();
    const { seal } = two.sealed(ada, [{ to: bob.address, amount: 5n }]);
    expect(two.block([seal])[0]?.code).toBe(0);
    expect(one.run(ada, sendPayload(two, bob, 700n)).code).toBe(0);
    expect(relay(two, receivePayload(one, two)).code).toBe(0);
    expect(relay(one, acknowledgePayload(one, two)).code).toBe(0);
    expect(two.balance(bob)).toBe(700n);
    expect(two.ask('/supply')).toMatchObject({ net_received: '700', deposits: DEPOSIT.toString() });

    const send = two.sign(bob, sendPayload(one, ada, 10n), { feeMax: 100n });
    expect(two.check(send)).toMatchObject({
      code: CODES.sealingWanted,
      log: expect.stringContaining('also those to other chains'),
    });
    expect(two.block([send])[0]?.code).toBe(CODES.sealingWanted);
    expect([two.balance(bob), two.nonce(bob), inFlight(two, one)]).toEqual([700n, 0n, 0n]);
  });

  it('sends coins to another one sealed: they leave at the close, in the order of the set, and come there by proof (LG-21)', () => {
    const { one, two } = sealing();
    const before = two.balance(ada);
    const { sealed, close, ended } = sealedSend(one, two, [300n, 40n]);
    expect(inFlight(two, one)).toBe(0n);
    close();
    // Two do not fit into a small seal beside a genesis hash.
    const fee = 11n * 10n + 9n * 5n;
    expect([ended(), two.balance(ada), inFlight(two, one)]).toEqual(['done', before - 340n - fee, 340n]);
    const told = two.events.map(({ type, attributes }) => [type, attributes[1]?.key]);
    expect(told).toEqual([
      ['ledger.sealed', 'sender'],
      ['ledger.outbox', 'sequence'],
      ['ledger.outbox', 'sequence'],
    ]);
    expect(relay(one, receivePayload(two, one)).code).toBe(0);
    expect(one.balance(bob)).toBe(340n);
    expect(two.block([sealed.reveal])[0]?.code).toBe(CODES.sealClosed);
  });

  it('gives the deposit back where the other chain takes no more, and keeps it where the balance is too low: that is the sender’s doing', () => {
    const { one, two } = sealing({ send_max: '100' });
    const fee = 4n * 10n + 2n * 5n;
    const start = two.balance(ada);
    const tooMuch = sealedSend(one, two, [101n]);
    tooMuch.close();
    expect([tooMuch.ended(), two.balance(ada), inFlight(two, one)]).toEqual(['refused', start - fee, 0n]);
    const poor = sealedSend(one, two, [100n]);
    // As if all had been spent meanwhile.
    setAccount(two.state, bob.address, { nonce: 0n, balance: two.balance(ada) });
    setAccount(two.state, ada.address, { nonce: two.nonce(ada), balance: 0n });
    poor.close();
    expect([poor.ended(), two.balance(ada), inFlight(two, one)]).toEqual(['failed', 0n, 0n]);
  });
});

describe('the genesis names other chains (LG-35)', () => {
  const place = worldOf('one');
  const other = worldOf('two', [5n, 5n]);
  const [key] = other.validators;
  const begin = (chains: readonly object[]) => () => new LedgerChain({ place, chains });
  it.each([
    ['itself', [namedChain(place)], 'name each once'],
    ['one twice', [namedChain(other), namedChain(other)], 'name each once'],
    ['nobody', [namedChain(other, { validators: [] })], 'chains.0.validators'],
    ['an amount that is no text', [namedChain(other, { credit_max: 5 })], 'chains.0.credit_max'],
    [
      'more coins than there can be',
      [namedChain(other, { credit_max: '18446744073709551615' })],
      'credit_max',
    ],
    [
      'a later epoch of a chain that is not known yet',
      [namedChain(other, { epoch: { number: 1, seed: '0'.repeat(64), passed_over: [] } })],
      'chains.0.epoch',
    ],
    [
      'a key that nobody has proven',
      [
        namedChain(other, {
          validators: [
            {
              node_key: Buffer.from(key?.nodeKey ?? []).toString('hex'),
              consensus_key: Buffer.from(key?.consensusKey ?? []).toString('hex'),
              ...{ possession_proof: '0'.repeat(192), power: '1' },
            },
          ],
        }),
      ],
      'does not prove possession',
    ],
    ['an unknown member', [namedChain(other, { relayer: 'x' })], 'relayer'],
  ])('%s: refused', (_, chains, words) => {
    expect(begin(chains)).toThrow(words);
  });
});
