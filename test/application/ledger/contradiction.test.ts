/** A source that has committed two blocks of one height: its channel halts, and whatever else is shown does not. LG-37. */
import { describe, expect, it } from 'vitest';
import { CODES } from '../../../src/application/ledger/codes.ts';
import type { Payload } from '../../../src/application/ledger/transaction.ts';
import type { ProvenHeader } from '../../../src/protocol/chain/types.ts';
import { encodeEpochProof } from '../../../src/protocol/light/encoding.ts';
import { chainOf, height, type World } from '../../protocol/consensus/fixture.ts';
import { endingChain, epochProofOf, nextOf, proofOf, worldAfter } from '../../protocol/light/fixture.ts';
import { ada, bob, type LedgerChain } from './chain-of-ledger.ts';
import {
  acknowledgePayload,
  contradictPayload,
  inFlight,
  outboxFor,
  receivePayload,
  relay,
  sendPayload,
  TwoChains,
  worldOf,
} from './two-chains.ts';

/** The `at`-th block of a chain of this world in these rounds: other rounds, other blocks. */
function headerOf(place: World, at: number, rounds: readonly number[] = [1, 2, 3, 4]): ProvenHeader {
  return proofOf(chainOf(place, rounds), at, at + 1);
}

/** Two blocks of one height, both committed: a third of the power has signed both. */
const fork = (place: World): readonly [ProvenHeader, ProvenHeader] => [
  headerOf(place, 1),
  headerOf(place, 1, [1, 7, 8]),
];

function sentBothWays() {
  const both = new TwoChains().open();
  both.one.run(ada, sendPayload(both.two, bob, 700n));
  both.one.run(ada, sendPayload(both.two, bob, 30n));
  both.two.run(ada, sendPayload(both.one, bob, 5n));
  relay(both.two, receivePayload(both.one, both.two, outboxFor(both.one, both.two, 1n, 1)));
  return both;
}

const followPayload = (there: LedgerChain, proof: Uint8Array): Payload => ({
  ...{ kind: 'follow', chain: there.domain.genesisHash, proof },
});

describe('a chain that has committed two blocks of one height (LG-37)', () => {
  it('gives and gets nothing more, whoever shows it, and what was held stays held', () => {
    const both = sentBothWays();
    const { one, two } = both;
    const total = both.total();
    const honest = receivePayload(one, two);
    const next = encodeEpochProof(epochProofOf(one.place, nextOf(one.place, worldOf('next', [9n]))));
    const shown = relay(two, contradictPayload(one, ...fork(one.place)), ada);
    expect([shown.code, shown.log, shown.events[0]?.type]).toEqual([0, '', 'ledger.contradict']);
    const refused = [
      honest,
      sendPayload(one, bob, 1n),
      followPayload(one, next),
      acknowledgePayload(two, one),
      contradictPayload(one, ...fork(one.place)),
    ];
    for (const payload of refused) {
      const signed = two.sign(ada, payload, { feeMax: 2_000_000n });
      expect(two.check(signed).code).toBe(CODES.chainHalted);
      expect(two.block([signed])[0]).toMatchObject({
        code: CODES.chainHalted,
        log: expect.stringContaining('have committed two blocks of height 2'),
      });
    }
    expect(two.ask('/chains')).toMatchObject([{ halted_at: '2', sent: '5', received: '700' }]);
    expect([two.balance(bob), inFlight(one, two), inFlight(two, one)]).toEqual([700n, 30n, 5n]);
    expect(both.total()).toBe(total);
  });

  it('halts for that chain alone: the other one goes on, and knows of nothing', () => {
    const { one, two } = sentBothWays();
    relay(two, contradictPayload(one, ...fork(one.place)));
    expect(one.ask('/chains')).toMatchObject([{ halted_at: null }]);
    expect(relay(one, receivePayload(two, one)).code).toBe(0);
    expect(two.run(ada, { kind: 'transfer', to: bob.address, amount: 1n }).code).toBe(0);
  });

  it('is found out also of the epoch before the trusted one, and of a height that two epochs claim', () => {
    const newcomers = worldOf('newcomers', [6n, 5n, 5n]);
    for (const kind of ['before', 'both'] as const) {
      const { one, two } = new TwoChains().open();
      const proof = epochProofOf(one.place, nextOf(one.place, newcomers));
      expect(relay(two, followPayload(one, encodeEpochProof(proof))).code).toBe(0);
      // The new epoch begins at the height behind that of the last block; the old one has a block there too.
      const inNext = headerOf(worldAfter(newcomers, one.place, proof), 0);
      const at = inNext.path[0].header.height;
      const inOld = headerOf(one.place, at - 1);
      const pair = kind === 'before' ? fork(one.place) : ([inNext, inOld] as const);
      expect(relay(two, contradictPayload(one, ...pair))).toMatchObject({ code: 0, log: '' });
    }
  });
});

describe('what contradicts nothing (LG-37)', () => {
  const { one, two } = new TwoChains().open();
  const [left, right] = fork(one.place);
  const halts = (pair: readonly [ProvenHeader, ProvenHeader]): number => {
    const { code } = relay(two, contradictPayload(one, ...pair));
    expect(two.ask('/chains')).toMatchObject([{ halted_at: null }]);
    return code;
  };

  it('two blocks of one chain, one block twice, or one block with two certificates', () => {
    expect(halts([headerOf(one.place, 0), left])).toBe(CODES.proofWrong);
    expect(halts([left, left])).toBe(CODES.proofWrong);
    const far = proofOf(chainOf(one.place, [1, 2, 3, 4]), 1, 3);
    expect(halts([left, far])).toBe(CODES.proofWrong);
  });

  it('a block that too few have signed, or that is not committed, beside one that is', () => {
    const few = { ...right.certificate, signers: Uint8Array.of(0b1100_0000) };
    expect(halts([left, { ...right, certificate: few }])).toBe(CODES.proofWrong);
    expect(halts([left, headerOf(one.place, 1, [1, 7, 9])])).toBe(CODES.proofWrong);
    expect(halts([{ ...left, certificate: few }, right])).toBe(CODES.proofWrong);
  });

  it('blocks of other validators, of another chain of the same validators, or of an epoch that is not followed', () => {
    const robbers = worldOf('robbers');
    const own = { ...robbers, epoch: { ...robbers.epoch, domain: one.place.epoch.domain } };
    expect(halts([left, headerOf(own, 1)])).toBe(CODES.proofWrong);
    const { epoch } = one.place;
    const domain = { ...epoch.domain, genesisHash: worldOf('rehearsal').epoch.domain.genesisHash };
    expect(halts([left, headerOf({ ...one.place, epoch: { ...epoch, domain } }, 1)])).toBe(CODES.proofWrong);
    const proof = epochProofOf(one.place, nextOf(one.place, robbers));
    const later = headerOf(worldAfter(robbers, one.place, proof), 0);
    expect(halts([headerOf(one.place, Number(later.path[0].header.height) - 1), later])).toBe(
      CODES.proofWrong,
    );
  });

  it('a block above the end of its epoch, which is in no chain: another stands at its height', () => {
    const ending = endingChain(one.place, [1, 2, 3, 4], 1, nextOf(one.place, worldOf('next')));
    const above = proofOf(ending, 2, 3);
    const plain = headerOf(one.place, 2);
    expect([above, plain].map(({ path: [{ header }] }) => header.height)).toEqual([height(3), height(3)]);
    expect(halts([above, plain])).toBe(CODES.proofWrong);
    expect(halts([plain, above])).toBe(CODES.proofWrong);
  });
});
