/** Coins between two ledgers, with every proof that a stranger could forge. LG-6, LG-30 to LG-36; BR-12. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outboxKey } from '../../../src/application/ledger/chains.ts';
import { CODES } from '../../../src/application/ledger/codes.ts';
import { encodeReceiveProof } from '../../../src/application/ledger/proofs-between-chains.ts';
import type { Payload } from '../../../src/application/ledger/transaction.ts';
import { encodeEpochProof } from '../../../src/protocol/light/encoding.ts';
import { chainOf } from '../../protocol/consensus/fixture.ts';
import { epochProofOf, nextOf as nextEpochOf, proofOf, worldAfter } from '../../protocol/light/fixture.ts';
import { ada, bob, keyOf, LedgerChain } from './chain-of-ledger.ts';
import {
  acknowledgePayload,
  chainOn,
  hashOf,
  inFlight,
  namedChain,
  openPayload,
  outboxFor,
  RELAYER,
  receivePayload,
  relay,
  sendPayload,
  shownBy,
  TwoChains,
  worldOf,
} from './two-chains.ts';

describe('coins that go to another chain (LG-30, LG-33)', () => {
  it('leave here at once, are credited there by proof, and are neither more nor less', () => {
    const both = new TwoChains().open();
    const { one, two } = both;
    const total = both.total();
    expect(one.run(ada, sendPayload(two, bob, 700n)).code).toBe(0);
    expect([one.balance(ada), inFlight(one, two), two.balance(bob)]).toEqual([1_000_000n - 730n, 700n, 0n]);
    expect(relay(two, receivePayload(one, two)).code).toBe(0);
    expect([inFlight(one, two), two.balance(bob), both.total()]).toEqual([0n, 700n, total]);
    expect(two.run(bob, sendPayload(one, ada, 100n)).code).toBe(0);
    expect(relay(one, receivePayload(two, one)).code).toBe(0);
    expect([one.balance(ada), both.total()]).toEqual([1_000_000n - 630n, total]);
  });

  it('come many at once, in one transaction, in the order in which they left', () => {
    const { one, two } = new TwoChains().open();
    const names = Array.from({ length: 128 }, (_, index) => keyOf(`r${index}`));
    one.block(
      names.map((key, index) =>
        one.sign(ada, sendPayload(two, key, BigInt(index + 1)), { nonce: BigInt(index), feeMax: 100n }),
      ),
    );
    const result = relay(two, receivePayload(one, two));
    expect([result.code, result.gasUsed]).toEqual([0, 60n]);
    expect(names.map((key) => two.balance(key))).toEqual(names.map((_, index) => BigInt(index + 1)));
  });

  it('cost their sender the fee alone where they cannot leave', () => {
    const { one, two } = new TwoChains();
    const early = one.run(ada, sendPayload(two, bob, 700n));
    expect([early.code, one.balance(ada)]).toEqual([CODES.unknownChain, 1_000_000n - 30n]);
    const { one: rich, two: other } = new TwoChains().open();
    expect(rich.run(ada, sendPayload(other, bob, 1_000_000n)).code).toBe(CODES.balanceTooLow);
    expect(inFlight(rich, other)).toBe(0n);
  });

  it('are told: events name the chain and the recipients, the query /chains has the sums', () => {
    const { one, two } = new TwoChains().open();
    const sent = one.run(ada, sendPayload(two, bob, 700n));
    expect(sent.events[0]?.type).toBe('ledger.send');
    expect(one.ask('/chains')).toMatchObject([
      { chain_id: 'two', sent: '700', received: '0', next_to_send: '2', first_unacknowledged: '1' },
    ]);
    expect(one.ask('/outbox', `${Buffer.from(hashOf(two)).toString('hex')}/1`)).toMatchObject([
      { sequence: '1', from: ada.text, to: bob.text, amount: '700' },
    ]);
    const got = relay(two, receivePayload(one, two));
    const recipients = got.events.flatMap(({ type, attributes }) =>
      type === 'ledger.credit' ? attributes.filter(({ key }) => key === 'recipient') : [],
    );
    expect(recipients).toEqual([{ key: 'recipient', value: bob.text, index: true }]);
  });
});

describe('each transfer is credited once (BR-12, LG-33)', () => {
  const sentOnce = () => {
    const both = new TwoChains().open();
    both.one.run(ada, sendPayload(both.two, bob, 700n));
    return both;
  };

  it('a replay is refused, for the mempool already, with the same proof and with a new one', () => {
    const { one, two } = sentOnce();
    const payload = receivePayload(one, two);
    expect(relay(two, payload).code).toBe(0);
    const again = receivePayload(one, two, outboxFor(one, two, 1n));
    for (const replayed of [payload, again]) {
      expect(two.check(two.sign(RELAYER, replayed, { feeMax: 2_000_000n })).code).toBe(CODES.sequenceWrong);
      expect(relay(two, replayed).code).toBe(CODES.sequenceWrong);
    }
    expect(two.balance(bob)).toBe(700n);
  });

  it('one that is left out is refused: the next has to come first', () => {
    const { one, two } = sentOnce();
    one.run(ada, sendPayload(two, bob, 5n));
    expect(relay(two, receivePayload(one, two, outboxFor(one, two, 2n))).code).toBe(CODES.sequenceWrong);
    expect(relay(two, receivePayload(one, two, outboxFor(one, two, 1n, 1))).code).toBe(0);
    expect(relay(two, receivePayload(one, two)).code).toBe(0);
    expect(two.balance(bob)).toBe(705n);
  });

  it('of two relayers with the same transfers in one block one pays for nothing, and nothing comes twice', () => {
    const { one, two } = sentOnce();
    const payload = receivePayload(one, two);
    const given = { feeMax: 2_000_000n };
    const results = two.block([two.sign(RELAYER, payload, given), two.sign(ada, payload, given)]);
    expect(results.map(({ code }) => code)).toEqual([0, CODES.sequenceWrong]);
    expect(two.balance(bob)).toBe(700n);
  });

  it('the state of an older height proves what was so, and what was so is so for ever', () => {
    const { one, two } = sentOnce();
    const old = shownBy(one);
    one.run(ada, sendPayload(two, bob, 5n));
    expect(relay(two, receivePayload(one, two, outboxFor(one, two, 1n, 1), old)).code).toBe(0);
    // Of what was not there yet it proves nothing.
    expect(relay(two, receivePayload(one, two, outboxFor(one, two), old)).code).toBe(CODES.proofWrong);
    expect(two.balance(bob)).toBe(700n);
  });
});

describe('what a forger could try (LG-33)', () => {
  const both = new TwoChains().open();
  const { one, two } = both;
  one.run(ada, sendPayload(two, bob, 700n));
  const honest = outboxFor(one, two);
  const shown = shownBy(one);
  const forged = (payload: Payload): number => {
    const result = relay(two, payload);
    expect(two.balance(bob)).toBe(0n);
    return result.code;
  };
  const withTransfer = (change: object): Payload =>
    receivePayload(one, two, {
      ...honest,
      transfers: honest.transfers.map((one) => ({ ...one, ...change })),
    });

  it('another amount, recipient or sender', () => {
    expect(forged(withTransfer({ amount: 701n }))).toBe(CODES.proofWrong);
    expect(forged(withTransfer({ to: ada.address }))).toBe(CODES.proofWrong);
    expect(forged(withTransfer({ from: bob.address }))).toBe(CODES.proofWrong);
  });

  it('one transfer more than there were, before the last or after it', () => {
    const [first] = honest.transfers;
    if (first === undefined) throw new Error('no transfer');
    expect(forged(receivePayload(one, two, { first: 1n, transfers: [first, first] }))).toBe(CODES.proofWrong);
    const state = shown.prove(outboxKey(hashOf(two), 1n));
    const proof = encodeReceiveProof({
      ...{ firstSequence: 1n, transfers: [first, first], header: shown.header, state },
    });
    expect(forged({ kind: 'receive', chain: hashOf(one), proof })).toBe(CODES.proofWrong);
  });

  it('a header that too few signed, or nobody', () => {
    const { header } = shown;
    const signers = Uint8Array.of(0b1100_0000);
    const few = { ...header, certificate: { ...header.certificate, signers } };
    expect(forged(receivePayload(one, two, honest, { ...shown, header: few }))).toBe(CODES.proofWrong);
    const signature = new Uint8Array(96);
    const none = { ...header, certificate: { ...header.certificate, signature } };
    expect(forged(receivePayload(one, two, honest, { ...shown, header: none }))).toBe(CODES.proofWrong);
  });

  it('a state of its own making, under validators of its own', () => {
    const robber = worldOf('robbers');
    const own = { ...robber, epoch: { ...robber.epoch, domain: one.place.epoch.domain } };
    expect(forged(receivePayload(one, two, honest, shownBy(one, own)))).toBe(CODES.proofWrong);
  });

  it('the same validators on a chain of another genesis: a fork is another chain', () => {
    const { epoch } = one.place;
    const domain = { ...epoch.domain, genesisHash: worldOf('fork', [1n]).epoch.domain.genesisHash };
    const fork = { ...one.place, epoch: { ...epoch, domain } };
    expect(forged(receivePayload(one, two, honest, shownBy(one, fork)))).toBe(CODES.proofWrong);
  });

  it('a header whose child was certified later, but not in the next round: that commits nothing (CS-5)', () => {
    const executed = shown.header.path[0].header.executed;
    const gap = proofOf(
      chainOf(one.place, [1, 3], () => ({ executed })),
      0,
      1,
    );
    expect(forged(receivePayload(one, two, honest, { ...shown, header: gap }))).toBe(CODES.proofWrong);
  });

  it('a transfer to a third chain, presented here', () => {
    const third = worldOf('three');
    const named = [namedChain(two.place), namedChain(third)];
    const source = new LedgerChain({ place: one.place, chains: named, balances: { ada: 9_999_999n } });
    const thirdChain = new LedgerChain({ place: third });
    expect(relay(source, openPayload(thirdChain, shownBy(thirdChain), 1), ada).code).toBe(0);
    expect(source.run(ada, sendPayload(thirdChain, bob, 700n)).code).toBe(0);
    const elsewhere = shownBy(source);
    const transfers = outboxFor(source, thirdChain, 1n);
    const proof = encodeReceiveProof({
      ...{ firstSequence: 1n, transfers: transfers.transfers, header: elsewhere.header },
      state: elsewhere.prove(outboxKey(hashOf(thirdChain), 1n)),
    });
    expect(forged({ kind: 'receive', chain: hashOf(one), proof })).toBe(CODES.proofWrong);
  });

  it('any byte of a true proof changed, cut or added: each costs the fee and gives nothing', () => {
    const { proof } = receivePayload(one, two) as Extract<Payload, { proof: Uint8Array }>;
    fc.assert(
      fc.property(fc.nat(proof.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const wrong = Uint8Array.from(proof);
        wrong[at] = (wrong[at] ?? 0) ^ change;
        for (const bytes of [
          wrong,
          proof.slice(0, at + 1 === proof.length ? at : at + 1),
          Buffer.concat([proof, wrong]),
        ])
          expect(forged({ kind: 'receive', chain: hashOf(one), proof: bytes })).not.toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a chain whose genesis hash is learned (LG-31)', () => {
  it('is opened once, by a header of its own that its validators committed', () => {
    const { one, two } = new TwoChains();
    expect(one.ask('/chains')).toMatchObject([{ chain_id: 'two', genesis_hash: null }]);
    const stranger = new LedgerChain({ place: worldOf('robbers') });
    expect(relay(one, openPayload(stranger)).code).toBe(CODES.proofWrong);
    expect(relay(one, openPayload(two, shownBy(two), 1)).code).toBe(CODES.unknownChain);
    expect(relay(one, openPayload(two)).code).toBe(0);
    expect(relay(one, openPayload(two)).code).toBe(CODES.chainOpen);
    expect(one.ask('/chains')).toMatchObject([{ genesis_hash: Buffer.from(hashOf(two)).toString('hex') }]);
  });

  it('or named from the beginning, where the other genesis was there first', () => {
    const place = worldOf('two');
    const named = namedChain(place, { genesis_hash: place.epoch.domain.genesisHash });
    const one = new LedgerChain({ place: worldOf('one'), chains: [named] });
    const two = new LedgerChain({ place });
    expect(one.run(ada, sendPayload(two, bob, 5n)).code).toBe(0);
  });
});

describe('acknowledgements (LG-34)', () => {
  it('make the outbox forget what the other chain has, and nothing more', () => {
    const { one, two } = new TwoChains().open();
    for (const amount of [1n, 2n, 3n]) one.run(ada, sendPayload(two, bob, amount));
    expect(relay(one, acknowledgePayload(one, two)).code).toBe(CODES.sequenceWrong);
    relay(two, receivePayload(one, two, outboxFor(one, two, 1n, 2)));
    expect(relay(one, acknowledgePayload(one, two)).code).toBe(0);
    expect(outboxFor(one, two, 1n).transfers).toEqual([]);
    expect(outboxFor(one, two, 3n).transfers.map(({ amount }) => amount)).toEqual([3n]);
    expect(relay(two, receivePayload(one, two)).code).toBe(0);
    expect(two.balance(bob)).toBe(6n);
  });

  it('of a chain that credited what was never sent are refused', () => {
    const { one, two } = new TwoChains().open();
    const { one: other } = new TwoChains().open();
    one.run(ada, sendPayload(two, bob, 1n));
    other.run(ada, sendPayload(two, bob, 1_000n));
    expect(relay(two, receivePayload(other, two)).code).toBe(0);
    expect(relay(one, acknowledgePayload(one, two)).code).toBe(CODES.proofWrong);
    expect(chainOn(one, two).firstSequence).toBe(1n);
  });
});

describe('epochs of the other chain (LG-32)', () => {
  const followPayload = (there: LedgerChain, proof: Uint8Array): Payload => ({
    ...{ kind: 'follow', chain: hashOf(there), proof },
  });

  it('are followed one by one; from then on the new validators alone are believed', () => {
    const { one, two } = new TwoChains().open();
    const changed = worldOf('newcomers', [6n, 5n, 5n]);
    const proof = epochProofOf(one.place, nextEpochOf(one.place, changed));
    const later = worldAfter(changed, one.place, proof);
    one.run(ada, sendPayload(two, bob, 700n));
    const early = shownBy(one);
    expect(relay(two, receivePayload(one, two, outboxFor(one, two), shownBy(one, later))).code).toBe(
      CODES.proofWrong,
    );
    expect(relay(two, followPayload(one, encodeEpochProof(proof))).code).toBe(0);
    expect(relay(two, followPayload(one, encodeEpochProof(proof))).code).toBe(CODES.sequenceWrong);
    expect(relay(two, receivePayload(one, two, outboxFor(one, two), early)).code).toBe(CODES.proofWrong);
    expect(relay(two, receivePayload(one, two, outboxFor(one, two), shownBy(one, later))).code).toBe(0);
    expect(two.ask('/chains')).toMatchObject([{ trusted_epoch: '1' }]);
  });

  it('that nobody ended, or others ended, are not followed', () => {
    const { one, two } = new TwoChains().open();
    const robbers = worldOf('robbers');
    const own = { ...robbers, epoch: { ...robbers.epoch, domain: one.place.epoch.domain } };
    const false1 = epochProofOf(own, nextEpochOf(own, robbers));
    expect(relay(two, followPayload(one, encodeEpochProof(false1))).code).toBe(CODES.proofWrong);
    const [next, other] = [nextEpochOf(one.place, robbers), nextEpochOf(one.place, worldOf('x', [9n]))];
    const swapped = { ...epochProofOf(one.place, next), next: other };
    expect(relay(two, followPayload(one, encodeEpochProof(swapped))).code).toBe(CODES.proofWrong);
  });
});
