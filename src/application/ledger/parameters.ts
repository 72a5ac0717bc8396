/**
 * What the genesis fixes for a ledger: its coin, fees, stakes and penalties; and how they stand in the state. Pure.
 * docs/ledger.md, LG-13.
 */
import type { StateReader } from '../state/rules.ts';
import type { Denomination } from './amount.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { bytesOf, textOf } from './pairs.ts';

export interface LedgerParameters extends Denomination {
  /** Of stake, for one power. @unit units */
  readonly stakeUnit: bigint;
  /** A validator has at least so much. @unit units */
  readonly stakeMin: bigint;
  /** From the unstaking to the withdrawal. @unit heights */
  readonly unbondingHeights: number;
  /** Evidence older than this is refused; <= unbondingHeights, so that stake cannot leave before it. @unit heights */
  readonly evidenceHeights: number;
  /** What an offence costs. @unit 1/10,000 of all that the validator holds */
  readonly slashBasisPoints: number;
  /** Base fee of one unit of work. @unit units */
  readonly feePriceMin: bigint;
  readonly feePriceMax: bigint;
  /** A block with more work raises the price, one with less lowers it. @unit units of work */
  readonly blockWorkTarget: number;
  readonly validatorsMax: number;
}

const PARAMETERS = 'p';
/** Numbers before the symbol: ten of eight bytes. @unit bytes */
const NUMBERS_BYTES = 10 * 8;

export function parametersPair(parameters: LedgerParameters): readonly [string, string] {
  const symbol = new TextEncoder().encode(parameters.symbol);
  const bytes = new FieldWriter(NUMBERS_BYTES + symbol.byteLength)
    .u64(BigInt(parameters.decimals))
    .u64(parameters.stakeUnit)
    .u64(parameters.stakeMin)
    .u64(BigInt(parameters.unbondingHeights))
    .u64(BigInt(parameters.evidenceHeights))
    .u64(BigInt(parameters.slashBasisPoints))
    .u64(parameters.feePriceMin)
    .u64(parameters.feePriceMax)
    .u64(BigInt(parameters.blockWorkTarget))
    .u64(BigInt(parameters.validatorsMax))
    .fixed(symbol, symbol.byteLength)
    .finish();
  return [PARAMETERS, textOf(bytes)];
}

/** @throws before `begin`: there is no ledger yet */
export function parametersOf(state: StateReader): LedgerParameters {
  const text = state.get(PARAMETERS);
  if (text === undefined) throw new Error('this state is no ledger: it has no parameters');
  const bytes = bytesOf(text);
  const reader = new FieldReader(bytes);
  return {
    decimals: Number(reader.u64()),
    stakeUnit: reader.u64(),
    stakeMin: reader.u64(),
    unbondingHeights: Number(reader.u64()),
    evidenceHeights: Number(reader.u64()),
    slashBasisPoints: Number(reader.u64()),
    feePriceMin: reader.u64(),
    feePriceMax: reader.u64(),
    blockWorkTarget: Number(reader.u64()),
    validatorsMax: Number(reader.u64()),
    symbol: new TextDecoder().decode(bytes.subarray(NUMBERS_BYTES)),
  };
}
