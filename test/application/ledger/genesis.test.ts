import { describe, expect, it } from 'vitest';
import { firstPairs } from '../../../src/application/ledger/genesis.ts';
import { world } from '../../protocol/consensus/fixture.ts';
import { genesisRequest, keyOf, LedgerChain, OPERATORS } from './chain-of-ledger.ts';

const { bls } = world([5n, 5n]);
const request = genesisRequest(world([5n, 5n]));
const { validators } = request;
const operators = validators.map((_, index) => ({
  validator: world([5n, 5n]).addressAt(index),
  operator: OPERATORS[index]?.text,
}));
const begin = (appState: unknown) => () => firstPairs({ ...request, appState }, bls);

describe("the ledger's genesis (LG-13)", () => {
  it('needs no more than accounts and operators: the rest has its defaults', () => {
    expect(begin({ accounts: [], operators })).not.toThrow();
  });

  it('counts the stakes of its validators, power by power, and the balances', () => {
    const chain = new LedgerChain({ balances: { ada: 7n } });
    expect(chain.ask('/supply')).toEqual({
      genesis: '20007',
      burned: '0',
      staked: '20000',
      unbonding: '0',
      deposits: '0',
      circulating: '7',
    });
  });

  it('is of the chain that the node runs', () => {
    const { rules, place } = new LedgerChain();
    expect(() => rules.begin({ ...genesisRequest(place), chainId: 'other' })).toThrow(
      'the ledger was made for chain "test", the genesis is of "other"',
    );
  });

  const ada = { address: keyOf('ada').text, balance: '1' };
  it.each([
    ['nothing at all', undefined, 'genesis app.state: '],
    ['an empty object', {}, 'genesis app.state.accounts: '],
    ['an unknown member', { accounts: [], operators, coins: 1 }, 'coins'],
    ['an unknown parameter', { accounts: [], operators, parameters: { fee: 1 } }, 'app.state.parameters: '],
    [
      'a mistyped address',
      { accounts: [{ ...ada, address: `${ada.address}q` }], operators },
      'copy it again',
    ],
    ['a balance that is no text', { accounts: [{ ...ada, balance: 5 }], operators }, 'accounts.0.balance'],
    ['a balance with a sign', { accounts: [{ ...ada, balance: '-5' }], operators }, 'in quotes'],
    ['an empty account', { accounts: [{ ...ada, balance: '0' }], operators }, 'expected 1 to'],
    ['an account twice', { accounts: [ada, ada], operators }, `accounts: ${ada.address} is there twice`],
    ['a validator without operator', { accounts: [], operators: operators.slice(1) }, 'has no operator'],
    [
      'an operator of nobody',
      { accounts: [], operators: [...operators, { validator: '0'.repeat(40), operator: ada.address }] },
      `${'0'.repeat(40)} is no validator of this genesis`,
    ],
    [
      'more coins than there can be',
      { accounts: [{ ...ada, balance: '18446744073709551615' }], operators },
      'all coins together are 18446744073719551615 units',
    ],
    [
      'a least stake below one power',
      { accounts: [], operators, parameters: { stake_min: '999', stake_unit: '1000' } },
      'would give no power',
    ],
    [
      'a validator below the least stake',
      { accounts: [], operators, parameters: { stake_min: '6000', stake_unit: '1000' } },
      'has power 5, a stake of 5000 units',
    ],
    [
      'evidence that outlives the stake',
      { accounts: [], operators, parameters: { evidence_heights: 11, unbonding_heights: 10 } },
      'stake would be gone before its punishment',
    ],
    [
      'prices the wrong way round',
      { accounts: [], operators, parameters: { fee_price_min: '2', fee_price_max: '1' } },
      '2 is above fee_price_max, 1',
    ],
    [
      'room for fewer validators',
      { accounts: [], operators, parameters: { validators_max: 1 } },
      '1, and the genesis has 2',
    ],
  ])('with %s is refused with words', (_, appState, words) => {
    expect(begin(appState)).toThrow(words);
  });
});
