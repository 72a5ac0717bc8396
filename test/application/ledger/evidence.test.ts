import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeEvidence, parseEvidence } from '../../../src/application/ledger/evidence.ts';
import type { Payload } from '../../../src/application/ledger/transaction.ts';
import { fromHex } from '../../../src/base/bytes.ts';
import type { Evidence } from '../../../src/protocol/consensus/evidence.ts';
import { present } from '../../protocol/consensus/fixture.ts';
import { keyOf, LedgerChain, OPERATORS } from './chain-of-ledger.ts';
import { forged, hiddenQc, twoVotes } from './offences.ts';

const ada = keyOf('ada');
const op0 = present(OPERATORS[0], 'an operator');

const report = (evidence: Evidence): Payload => ({ kind: 'evidence', evidence: encodeEvidence(evidence) });
const addressAt = (chain: LedgerChain, index: number) =>
  present(fromHex(chain.place.addressAt(index)), 'an address');

describe('evidence in a transaction (LG-11)', () => {
  it('comes back from its bytes, both kinds', () => {
    const { place } = new LedgerChain();
    for (const evidence of [twoVotes(place, 0), hiddenQc(place, 0)]) {
      expect(parseEvidence(encodeEvidence(evidence))).toEqual(evidence);
    }
  });

  it('has one encoding: bytes that are accepted are written the same', () => {
    const encoded = encodeEvidence(twoVotes(new LedgerChain().place, 0));
    fc.assert(
      fc.property(fc.nat(encoded.length - 1), fc.nat(255), (place, value) => {
        const changed = encoded.map((byte, index) => (index === place ? value : byte));
        const parsed = parseEvidence(changed);
        if (!('problem' in parsed)) expect(encodeEvidence(parsed)).toEqual(changed);
      }),
      { numRuns: 2_000 },
    );
  });

  it('with the votes in the other order is not that evidence', () => {
    const evidence = twoVotes(new LedgerChain().place, 0);
    const swapped = encodeEvidence({ ...evidence, first: evidence.second, second: evidence.first });
    expect(parseEvidence(swapped)).toEqual({ problem: 'the votes stand in the other order' });
  });
});

describe('an offence (LG-12)', () => {
  it.each([
    ['two votes', twoVotes],
    ['a hidden QC', hiddenQc],
  ])('of %s burns a share of the stake and of what is unbonding, and ends the validator', (_, offence) => {
    const chain = new LedgerChain();
    const validator = addressAt(chain, 0);
    chain.run(op0, { kind: 'unstake', validator, amount: 1_005n });
    expect(chain.run(ada, report(offence(chain.place, 0)))).toMatchObject({ code: 0, log: '' });
    expect(chain.ask('/validator', chain.place.addressAt(0))).toMatchObject({
      power: '0',
      stake: '3595',
      jailed_at: '2',
      unbondings: [{ amount: '904', release_height: '21' }],
    });
    // 10 % of 3,995 and of 1,005, both rounded up, and the fees of an unstake and an evidence.
    expect(chain.ask('/supply')).toMatchObject({ burned: String(400 + 101 + 20 + 300) });
    expect(chain.state.validators.size).toBe(3);
  });

  it('counts once, however often and in whatever form it is reported', () => {
    const chain = new LedgerChain();
    expect(chain.run(ada, report(twoVotes(chain.place, 0))).code).toBe(0);
    expect(chain.run(ada, report(twoVotes(chain.place, 0))).code).toBe(16);
    expect(chain.run(op0, report(hiddenQc(chain.place, 0)))).toMatchObject({
      code: 16,
      log: expect.stringContaining('punished at height 1 already'),
    });
  });

  it('lets the rest of the stake go, and no more come', () => {
    const chain = new LedgerChain();
    const validator = addressAt(chain, 0);
    chain.run(ada, report(twoVotes(chain.place, 0)));
    expect(chain.run(op0, { kind: 'stake', validator, amount: 1_000n }).code).toBe(16);
    expect(chain.run(op0, { kind: 'unstake', validator, amount: 4_500n }).code).toBe(0);
    chain.idle(20);
    expect(chain.run(op0, { kind: 'withdraw', validator }).code).toBe(0);
  });

  it('is punished up to its window and not beyond, though the whole stake was on its way out', () => {
    const reported = (at: number) => {
      const chain = new LedgerChain();
      chain.run(op0, { kind: 'unstake', validator: addressAt(chain, 0), amount: 5_000n });
      chain.idle(at - 2);
      return chain.run(ada, report(twoVotes(chain.place, 0)));
    };
    // Both votes are of height 2, and the window has 20 heights.
    expect(reported(22).code).toBe(0);
    expect(reported(23)).toMatchObject({
      code: 15,
      log: 'the offence is 21 heights old; up to 20 it is punished',
    });
  });

  it('that is none harms nobody but its reporter', () => {
    const chain = new LedgerChain();
    const honest = twoVotes(chain.place, 0);
    const { epoch } = chain.place;
    const domain = { ...epoch.domain, chainId: 'elsewhere' };
    const elsewhere = twoVotes({ ...chain.place, epoch: { ...epoch, domain } }, 0);
    expect(chain.run(ada, report(forged(honest)))).toMatchObject({
      code: 14,
      log: 'the evidence proves nothing: SIGNATURE_INVALID',
    });
    expect(chain.run(ada, report(elsewhere)).code).toBe(14);
    expect(
      chain.run(ada, { kind: 'evidence', evidence: Uint8Array.of(1, ...new Uint8Array(396)) }),
    ).toMatchObject({
      code: 14,
      log: expect.stringContaining('cannot be read'),
    });
    expect(chain.ask('/supply')).toMatchObject({ staked: '20000', burned: String(30 * (10 + 11 + 12)) });
  });

  it('that the state alone refuses does not come into the mempool, whoever signs it', () => {
    const chain = new LedgerChain();
    const check = (evidence: Payload) => chain.check(chain.sign(ada, evidence)).code;
    const [known, unknown] = [twoVotes(chain.place, 0), encodeEvidence(twoVotes(chain.place, 0))];
    unknown.fill(7, 9, 29);
    expect(check({ kind: 'evidence', evidence: Uint8Array.of(1, ...new Uint8Array(396)) })).toBe(14);
    expect(check({ kind: 'evidence', evidence: unknown })).toBe(8);
    expect(check(report(known))).toBe(0);
    // Before the signature is looked at.
    const stranger = chain.sign(
      { ...ada, secret: keyOf('eve').secret },
      { kind: 'evidence', evidence: unknown },
    );
    expect(chain.check(stranger).code).toBe(8);
    chain.idle(21);
    expect(check(report(known))).toBe(0);
    chain.idle(1);
    expect(check(report(known))).toBe(15);
  });

  it('whose signatures are wrong costs its sender thirty times a transfer, and no pairing before that', () => {
    const chain = new LedgerChain();
    const honest = twoVotes(chain.place, 0);
    const worthless = report(forged(honest));
    expect(chain.check(chain.sign(ada, worthless)).code).toBe(0);
    expect(chain.run(ada, worthless).code).toBe(14);
    expect(chain.balance(ada)).toBe(1_000_000n - 300n);
    expect(chain.run(ada, report(honest)).code).toBe(0);
    expect(chain.check(chain.sign(ada, report(honest))).code).toBe(16);
  });

  it('of the last validator is refused: nobody would be left (CS-16)', () => {
    const chain = new LedgerChain({ powers: [5n] });
    expect(chain.run(ada, report(twoVotes(chain.place, 0)))).toMatchObject({ code: 11 });
    expect(chain.ask('/supply')).toMatchObject({ staked: '5000' });
  });
});
