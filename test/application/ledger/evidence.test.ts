import { describe, expect, it } from 'vitest';
import { fromHex } from '../../../src/base/bytes.ts';
import { present } from '../../protocol/consensus/fixture.ts';
import { LedgerChain, OPERATORS } from './chain-of-ledger.ts';

const op0 = present(OPERATORS[0], 'an operator');
const addressAt = (chain: LedgerChain, index: number) =>
  present(fromHex(chain.place.addressAt(index)), 'an address');

describe('an offence that a block proves (LG-11, LG-12)', () => {
  it.each(['DUPLICATE_VOTE', 'HIDDEN_QC'] as const)(
    'of %s burns a share of the stake and of what is unbonding, and ends the validator',
    (type) => {
      const chain = new LedgerChain();
      const validator = addressAt(chain, 0);
      chain.run(op0, { kind: 'unstake', validator, amount: 1_005n });
      expect(chain.accuse(0, { type })).toEqual([
        {
          type: 'ledger.punishment',
          attributes: [
            { key: 'validator', value: chain.place.addressAt(0), index: true },
            { key: 'offence', value: type, index: false },
            { key: 'amount', value: '501', index: false },
          ],
        },
      ]);
      expect(chain.ask('/validator', chain.place.addressAt(0))).toMatchObject({
        power: '0',
        stake: '3595',
        jailed_at: '2',
        unbondings: [{ amount: '904', release_height: '21' }],
      });
      // 10 % of 3,995 and of 1,005, both rounded up, and the fee of an unstake.
      expect(chain.ask('/supply')).toMatchObject({ burned: String(400 + 101 + 20) });
      expect(chain.state.validators.size).toBe(3);
    },
  );

  it('counts once, in one block and in many, of whatever kind', () => {
    const chain = new LedgerChain();
    expect(chain.accuse(0)).toHaveLength(1);
    expect(chain.accuse(0)).toEqual([]);
    expect(chain.accuse(0, { type: 'HIDDEN_QC' })).toEqual([]);
    const { burned } = chain.ask('/supply');
    expect(chain.accuseBoth(1)).toHaveLength(1);
    expect(chain.ask('/supply')).toMatchObject({ burned: String(2 * Number(burned)) });
  });

  it('is punished before the transactions of its block: no stake gets away in them', () => {
    const chain = new LedgerChain();
    const validator = addressAt(chain, 0);
    const leaving = chain.sign(op0, { kind: 'unstake', validator, amount: 5_000n });
    const [result] = chain.block([leaving], chain.place.addressAt(1), [chain.offence(0)]);
    expect(result?.code).toBe(10);
    expect(chain.ask('/validator', chain.place.addressAt(0))).toMatchObject({ stake: '4500', power: '0' });
  });

  it('lets the rest of the stake go, and no more come', () => {
    const chain = new LedgerChain();
    const validator = addressAt(chain, 0);
    chain.accuse(0);
    expect(chain.run(op0, { kind: 'stake', validator, amount: 1_000n }).code).toBe(16);
    expect(chain.run(op0, { kind: 'unstake', validator, amount: 4_500n }).code).toBe(0);
    chain.idle(20);
    expect(chain.run(op0, { kind: 'withdraw', validator }).code).toBe(0);
  });

  it('is punished up to its window and not beyond, though the whole stake was on its way out', () => {
    const accusedAt = (at: number) => {
      const chain = new LedgerChain();
      chain.run(op0, { kind: 'unstake', validator: addressAt(chain, 0), amount: 5_000n });
      chain.idle(at - 2);
      return chain.accuse(0, { height: 2 });
    };
    expect(accusedAt(22)).toHaveLength(1);
    expect(accusedAt(23)).toEqual([]);
  });

  it('of a validator that the ledger never had changes nothing', () => {
    const chain = new LedgerChain();
    const before = chain.ask('/supply');
    const stranger = { ...chain.offence(0), validator: { address: chain.strangerAddress, power: 5n } };
    chain.block([], chain.place.addressAt(0), [stranger]);
    expect(chain.ask('/supply')).toEqual(before);
  });

  it('of the last validator is passed over: nobody would be left (CS-16)', () => {
    const chain = new LedgerChain({ powers: [5n] });
    expect(chain.accuse(0)).toEqual([]);
    expect(chain.ask('/supply')).toMatchObject({ staked: '5000' });
  });
});
