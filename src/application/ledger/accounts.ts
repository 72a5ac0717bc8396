/**
 * Accounts, and the sums that say where all coins are. Every movement of coins goes through here, from one place to another:
 * balances + stakes + unbonding + burned = the genesis supply, and what came from other chains less what went there (LG-6). Pure.
 * docs/ledger.md.
 */
import { invariant } from '../../base/invariant.ts';
import type { StateReader, StateWriter } from '../state/rules.ts';
import { addressText } from './address.ts';
import { bothText } from './amount.ts';
import { netReceivedOf } from './chains.ts';
import { CODES, type Refusal, refused } from './codes.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { bytesOf, textOf } from './pairs.ts';
import { parametersOf } from './parameters.ts';

export interface Account {
  /** Of the next transaction. */
  readonly nonce: bigint;
  /** @unit units */
  readonly balance: bigint;
}

/** @unit units; circulating is the rest: the sum of the balances. */
export interface Totals {
  readonly genesis: bigint;
  readonly burned: bigint;
  readonly staked: bigint;
  readonly unbonding: bigint;
}

const ACCOUNT = 'a';
const TOTALS = 't';
const NONE: Account = { nonce: 0n, balance: 0n };

/** Of an address nobody has paid yet: nothing, and nonce 0. */
export function accountOf(state: StateReader, address: Uint8Array): Account {
  const text = state.get(ACCOUNT + textOf(address));
  if (text === undefined) return NONE;
  const reader = new FieldReader(bytesOf(text));
  return { nonce: reader.u64(), balance: reader.u64() };
}

export const accountPair = (address: Uint8Array, { nonce, balance }: Account): readonly [string, string] => [
  ACCOUNT + textOf(address),
  textOf(new FieldWriter(16).u64(nonce).u64(balance).finish()),
];

export function setAccount(state: StateWriter, address: Uint8Array, account: Account): void {
  state.set(...accountPair(address, account));
}

/** Cannot overflow: no balance is above the supply and what may come from other chains (LG-6, LG-35). */
export function credit(state: StateWriter, address: Uint8Array, amount: bigint): void {
  const account = accountOf(state, address);
  setAccount(state, address, { ...account, balance: account.balance + amount });
}

export function debit(state: StateWriter, address: Uint8Array, amount: bigint): Refusal | undefined {
  const account = accountOf(state, address);
  if (account.balance < amount) return shortOf(state, address, account.balance, amount);
  setAccount(state, address, { ...account, balance: account.balance - amount });
  return undefined;
}

export function shortOf(state: StateReader, address: Uint8Array, balance: bigint, needed: bigint): Refusal {
  const coin = parametersOf(state);
  return refused(
    CODES.balanceTooLow,
    `${addressText(address)} has ${bothText(balance, coin)}, and ${bothText(needed, coin)} are needed: send less, or pay it first`,
  );
}

export function totalsOf(state: StateReader): Totals {
  const text = state.get(TOTALS);
  invariant(text !== undefined, 'the genesis wrote the sums');
  const reader = new FieldReader(bytesOf(text));
  return { genesis: reader.u64(), burned: reader.u64(), staked: reader.u64(), unbonding: reader.u64() };
}

export const totalsPair = ({ genesis, burned, staked, unbonding }: Totals): readonly [string, string] => [
  TOTALS,
  textOf(new FieldWriter(32).u64(genesis).u64(burned).u64(staked).u64(unbonding).finish()),
];

/** Adds to the sums; what is added in one place is taken from another by the same transaction. */
export function moveTotals(state: StateWriter, change: Partial<Omit<Totals, 'genesis'>>): void {
  const totals = totalsOf(state);
  const { burned = 0n, staked = 0n, unbonding = 0n } = change;
  const next = {
    genesis: totals.genesis,
    burned: totals.burned + burned,
    staked: totals.staked + staked,
    unbonding: totals.unbonding + unbonding,
  };
  invariant(
    next.burned + next.staked + next.unbonding <= next.genesis + netReceivedOf(state),
    'no more coins are held than there are (LG-6)',
  );
  state.set(...totalsPair(next));
}
