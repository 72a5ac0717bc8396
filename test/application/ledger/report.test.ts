import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CODES } from '../../../src/application/ledger/codes.ts';
import { encodeEvidence } from '../../../src/application/ledger/evidence.ts';
import {
  BLOCK_REPORTS_MAX,
  CHECKED_REPORTS_MAX,
  encodeReport,
  LEDGER_EVIDENCE,
} from '../../../src/application/ledger/report.ts';
import { ledgerRules } from '../../../src/application/ledger/rules.ts';
import { TRANSACTION_VERSION } from '../../../src/application/ledger/transaction.ts';
import { stateApplication } from '../../../src/application/state/application.ts';
import { wallTime } from '../../../src/base/units.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { DEFAULT_MEMPOOL_CONFIG } from '../../../src/protocol/mempool/config.ts';
import { claimed, NO_SENDERS } from '../../../src/protocol/mempool/senders.ts';
import { height, present, type World, world } from '../../protocol/consensus/fixture.ts';
import { genesisRequest, keyOf, LedgerChain } from './chain-of-ledger.ts';
import { forged, hiddenQc, twoVotes } from './offences.ts';

const [ada, bob] = [keyOf('ada'), keyOf('bob')];
const codesOf = (results: readonly { readonly code: number }[]) => results.map(({ code }) => code);
const forgeries = (place: World, count: number): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, variant) => encodeReport(forged(twoVotes(place, 0, variant))));

/** A ledger, and how many signatures it has verified. */
function counted() {
  const chain = new LedgerChain();
  const { calls } = chain.place.bls;
  const before = calls.verify;
  return { chain, place: chain.place, verified: () => calls.verify - before };
}

describe('a report (LG-16)', () => {
  it.each([
    ['two votes', twoVotes],
    ['a hidden QC', hiddenQc],
  ])('of %s punishes as a paid evidence does, and nobody pays for it', (_, offence) => {
    const [paid, free] = [new LedgerChain(), new LedgerChain()];
    const evidence = offence(free.place, 0);
    expect(paid.run(ada, { kind: 'evidence', evidence: encodeEvidence(evidence) }).code).toBe(0);
    const [result] = free.block([encodeReport(evidence)]);
    expect(result).toMatchObject({ code: 0, gasUsed: 30n });
    expect(result?.events).toEqual([
      {
        type: 'ledger.report',
        attributes: [{ key: 'validator', value: free.place.addressAt(0), index: true }],
      },
    ]);
    const record = (chain: LedgerChain) => chain.ask('/validator', chain.place.addressAt(0));
    expect(record(free)).toEqual(record(paid));
    expect(record(free)).toMatchObject({ power: '0', stake: '4500', jailed_at: '1' });
    expect(free.ask('/supply')).toMatchObject({ burned: '500' });
    expect(free.balance(ada)).toBe(1_000_000n);
  });

  it('counts once, whoever reports it and in whatever bytes; the rest does no work', () => {
    const { chain, place, verified } = counted();
    const same = [0, 0, 1, 2].map((variant) => encodeReport(twoVotes(place, 0, variant)));
    const results = chain.block([...same, encodeReport(hiddenQc(place, 0))]);
    expect(codesOf(results)).toEqual([0, 16, 16, 16, 16]);
    expect(results.map(({ gasUsed }) => gasUsed)).toEqual([30n, 0n, 0n, 0n, 0n]);
    expect(verified()).toBe(2);
    const [later] = chain.block([encodeReport(twoVotes(place, 0, 3))]);
    expect(later).toMatchObject({ code: 16, log: expect.stringContaining('punished at height 1 already') });
    expect(chain.ask('/supply')).toMatchObject({ burned: '500' });
  });

  it('that cannot be read, is of nobody or too old is refused before any signature', () => {
    const { chain, place, verified } = counted();
    const unknown = encodeReport(twoVotes(place, 0));
    unknown.fill(7, 2 + 9, 2 + 29);
    const unreadable = [
      Uint8Array.of(TRANSACTION_VERSION, 7),
      Uint8Array.of(TRANSACTION_VERSION, 7, 1, ...new Uint8Array(396)),
    ];
    const shorter = encodeReport(twoVotes(place, 0)).subarray(0, -1);
    expect(codesOf(chain.block([unknown, ...unreadable, shorter]))).toEqual([8, 14, 14, 14]);
    chain.idle(22);
    expect(codesOf(chain.block([encodeReport(twoVotes(place, 0))]))).toEqual([15]);
    expect(verified()).toBe(0);
  });
});

describe('bytes that look like a report (LG-16)', () => {
  it('are refused or are a true one, whatever they are, and never stop the application', () => {
    const { chain, place } = counted();
    const honest = encodeReport(twoVotes(place, 0));
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 500 }).map((rest) => Uint8Array.of(TRANSACTION_VERSION, 7, ...rest)),
      fc
        .tuple(fc.nat(honest.length - 1), fc.integer({ min: 1, max: 255 }))
        .map(([at, change]) => honest.map((byte, index) => (index === at ? byte ^ change : byte))),
    );
    fc.assert(
      fc.property(bytes, (report) => {
        expect(chain.check(report).code).toBeGreaterThan(0);
        expect(chain.block([report])[0]?.code).toBeGreaterThan(0);
        chain.height = 0;
      }),
      { numRuns: 2_000 },
    );
    expect(codesOf(chain.block([honest]))).toEqual([0]);
  });
});

describe('false reports (LG-16)', () => {
  it('cost a block the signatures of four, whatever their number, and the next block again four', () => {
    const { chain, place, verified } = counted();
    for (const times of [1, 2]) {
      const codes = codesOf(chain.block(forgeries(place, 40).slice((times - 1) * 20, times * 20)));
      expect(codes.slice(0, BLOCK_REPORTS_MAX)).toEqual([14, 14, 14, 14]);
      expect(new Set(codes.slice(BLOCK_REPORTS_MAX))).toEqual(new Set([CODES.blockFull]));
      // A forgery's first vote is true: both of its signatures are looked at.
      expect(verified()).toBe(times * BLOCK_REPORTS_MAX * 2);
    }
  });

  it('take no room of what is paid for, and do not raise its price', () => {
    const chain = new LedgerChain({ parameters: { block_work_target: 1 } });
    const pay = chain.sign(ada, { kind: 'transfer', to: bob.address, amount: 7n });
    expect(codesOf(chain.block([...forgeries(chain.place, 5), pay]))).toEqual([14, 14, 14, 14, 17, 0]);
    expect(chain.ask('/fee')).toMatchObject({ price: '10' });
    const evidence = encodeEvidence(twoVotes(chain.place, 0));
    const paid = chain.sign(ada, { kind: 'evidence', evidence });
    expect(codesOf(chain.block([...forgeries(chain.place, 5), paid]))).toEqual([14, 14, 14, 14, 17, 0]);
  });

  it('and a full block keep out no true one that has a place', () => {
    const chain = new LedgerChain({ parameters: { block_work_target: 1 } });
    const pays = [0n, 1n, 2n].map((nonce) =>
      chain.sign(ada, { kind: 'transfer', to: bob.address, amount: 7n }, { nonce }),
    );
    const results = chain.block([
      ...forgeries(chain.place, 3),
      ...pays,
      encodeReport(twoVotes(chain.place, 0)),
    ]);
    expect(codesOf(results)).toEqual([14, 14, 14, 0, 0, 17, 0]);
  });

  it('leave nothing in the state: it is as after an empty block', () => {
    const [attacked, quiet] = [new LedgerChain(), new LedgerChain()];
    attacked.block(forgeries(attacked.place, 6));
    quiet.block([]);
    expect(attacked.state.pairs).toEqual(quiet.state.pairs);
  });

  it('against the last validator take a place like any other (CS-16)', () => {
    const chain = new LedgerChain({ powers: [5n] });
    const reports = Array.from({ length: 5 }, (_, variant) =>
      encodeReport(twoVotes(chain.place, 0, variant)),
    );
    expect(codesOf(chain.block(reports))).toEqual([11, 11, 11, 11, 17]);
    expect(chain.ask('/supply')).toMatchObject({ staked: '5000', burned: '0' });
  });
});

describe('the check of a report (LG-16, MP-13)', () => {
  it('admits what proves itself before all that pays, and one of each accused', () => {
    const chain = new LedgerChain();
    const reports = [twoVotes(chain.place, 0), twoVotes(chain.place, 0, 1), twoVotes(chain.place, 1)].map(
      encodeReport,
    );
    const paying = chain.check(
      chain.sign(ada, { kind: 'transfer', to: bob.address, amount: 1n }, { tip: 900n }),
    );
    let senders = NO_SENDERS;
    const rulings = reports.map((report) => {
      const { code, priority, sender } = chain.check(report);
      expect(code).toBe(0);
      expect(priority).toBeGreaterThan(paying.priority);
      const place = present(sender, 'a sender');
      const ruling = claimed(senders, digestOf(report), place, DEFAULT_MEMPOOL_CONFIG);
      if (ruling.status === 'claimed') ({ senders } = ruling);
      return ruling.status === 'claimed' ? ruling.isNext : ruling.code;
    });
    expect(rulings).toEqual([true, 'SENDER_BUSY', true]);
  });

  it('refuses what proves nothing, and what is punished already', () => {
    const chain = new LedgerChain();
    const report = encodeReport(twoVotes(chain.place, 0));
    expect(chain.check(encodeReport(forged(twoVotes(chain.place, 0)))).code).toBe(14);
    chain.block([report]);
    expect(chain.check(report).code).toBe(16);
  });

  it('verifies sixteen at a height and refuses the others, true ones too; what it knows costs nothing', () => {
    const { chain, place, verified } = counted();
    const known = encodeReport(twoVotes(place, 1));
    for (let time = 0; time < 5; time += 1) expect(chain.check(known).code).toBe(0);
    const codes = forgeries(place, 30).map((report) => chain.check(report).code);
    expect(codes.filter((code) => code === 14)).toHaveLength(CHECKED_REPORTS_MAX - 1);
    expect(verified()).toBe(CHECKED_REPORTS_MAX * 2);
    const honest = encodeReport(twoVotes(place, 2));
    expect(chain.check(honest)).toMatchObject({ code: 17, log: expect.stringContaining('16 reports') });
    chain.idle(1);
    expect(chain.check(honest).code).toBe(0);
  });

  it('and the block after it verify a report once', () => {
    const { chain, place, verified } = counted();
    const report = encodeReport(twoVotes(place, 0));
    expect(chain.check(report).code).toBe(0);
    expect(codesOf(chain.block([report]))).toEqual([0]);
    expect(verified()).toBe(2);
  });
});

describe('nodes that execute reports', () => {
  it('have one hash, whatever one of them had checked before', () => {
    const place = world([5n, 5n, 5n, 5n]);
    const [one, other] = [0, 1].map(() => {
      const { domain } = place.epoch;
      const application = stateApplication(ledgerRules({ domain, bls: place.bls }));
      void application.initChain(genesisRequest(place));
      return application;
    });
    const transactions = [...forgeries(place, 6), encodeReport(twoVotes(place, 3))];
    const block = (at: number, carried: readonly Uint8Array[]) => ({
      ...{ height: height(at), blockId: digestOf(Uint8Array.of(at)), time: wallTime(at) },
      ...{ proposer: place.addressAt(0), transactions: carried },
    });
    for (const transaction of transactions) void one?.checkTx(transaction);
    const blocks = [block(1, transactions), block(2, transactions.slice(3))];
    const results = blocks.map((each) => [one?.finalizeBlock(each), other?.finalizeBlock(each)]);
    for (const [left, right] of results) expect(left).toEqual(right);
    expect(results[1]?.[0]).toMatchObject({
      results: [{ code: 14 }, { code: 14 }, { code: 14 }, { code: 0 }],
      validatorUpdates: [{ power: 0n }],
    });
  });
});

describe('whoever reports by itself (LG-17)', () => {
  it('is told by the codes what is worth another attempt', () => {
    const fates = [0, 16, 2, 8, 14, 15, 11, 17, 6].map((code) => LEDGER_EVIDENCE.fateOf(code));
    const [punished, refused, again] = ['punished', 'refused', 'again'];
    expect(fates).toEqual([punished, punished, refused, refused, refused, refused, again, again, again]);
  });
});
