/**
 * Fees: a base fee, which is burned and follows how full blocks are, and a tip for the proposer. Pure.
 * Source: EIP-1559, in whole numbers; LG-7 and LG-8, docs/ledger.md.
 */
import { invariant } from '../../base/invariant.ts';
import type { StateReader, StateWriter } from '../state/rules.ts';
import { CODES, type Refusal, refused } from './codes.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { bytesOf, textOf } from './pairs.ts';
import type { LedgerParameters } from './parameters.ts';
import { placesOf } from './sealed/content.ts';
import { sealWorkOf } from './sealed/seal.ts';
import type { Payload, TransactionKind, UnsignedTransaction } from './transaction.ts';

/**
 * Work of a transaction, by what it costs a validator. @unit work: one Ed25519 verification and two writes
 * @source measured: an Ed25519 verification takes about 0.06 ms, a BLS one about 1 ms, and these need one or two
 */
export const WORK: Readonly<Record<Exclude<TransactionKind, 'seal'>, bigint>> = {
  transfer: 1n,
  stake: 2n,
  unstake: 2n,
  withdraw: 2n,
  register: 30n,
  rotate: 30n,
  send: 3n,
  open: 30n,
  // The keys of a new epoch are read when they are first used, but only those of a true proof are.
  follow: 60n,
  // Two pairings, and up to 128 transfers of two hashes and a write each.
  receive: 60n,
  // Two pairings, and up to 128 transfers forgotten.
  acknowledge: 60n,
  // Four pairings.
  contradict: 60n,
};

/** The price moves by at most an eighth a block. @source EIP-1559, BASE_FEE_MAX_CHANGE_DENOMINATOR */
const PRICE_CHANGE_DIVISOR = 8n;

export interface FeeState {
  /** Base fee of one unit of work in this block. @unit units */
  readonly price: bigint;
  /** Done in this block so far. @unit work */
  readonly work: bigint;
}

export interface Fee {
  /** Burned. @unit units */
  readonly base: bigint;
  /** To the proposer's operator. @unit units */
  readonly tip: bigint;
}

const FEE = 'f';

export function feeStateOf(state: StateReader): FeeState {
  const text = state.get(FEE);
  invariant(text !== undefined, 'the genesis wrote the first price');
  const reader = new FieldReader(bytesOf(text));
  return { price: reader.u64(), work: reader.u64() };
}

export const feePair = ({ price, work }: FeeState): readonly [string, string] => [
  FEE,
  textOf(new FieldWriter(16).u64(price).u64(work).finish()),
];

/** Of a seal: by its class, since what it hides is not seen. */
export const workOf = (payload: Payload): bigint =>
  payload.kind === 'seal' ? sealWorkOf(payload.sizeClass) : WORK[payload.kind];

/**
 * What the transaction pays at this price: the tip gives way where the greatest fee does not cover both (LG-7).
 * @param sealFee for each place of a seal (LG-22)
 */
export function feeOf(
  price: bigint,
  { feeMax, tip, payload }: Pick<UnsignedTransaction, 'feeMax' | 'tip' | 'payload'>,
  sealFee = 0n,
): Fee | Refusal {
  const places = payload.kind === 'seal' ? BigInt(placesOf(payload.sizeClass)) : 0n;
  const base = price * workOf(payload) + sealFee * places;
  if (feeMax < base) {
    return refused(
      CODES.feeTooLow,
      `the base fee of a ${payload.kind} is ${base} units now, offered ${feeMax}`,
    );
  }
  return { base, tip: tip < feeMax - base ? tip : feeMax - base };
}

/** LG-8: when a block has done twice its target of work it does no more, whatever is paid: the rest is refused unread. */
export function refusalOfWork(
  { work }: FeeState,
  { blockWorkTarget }: Pick<LedgerParameters, 'blockWorkTarget'>,
): Refusal | undefined {
  const most = 2n * BigInt(blockWorkTarget);
  if (work < most) return undefined;
  return refused(CODES.blockFull, `the block has done ${work} of at most ${most} work: sign it anew`);
}

/** LG-8: the price of the next block. Work beyond twice the target counts as twice. */
export function nextPrice(
  { price, work }: FeeState,
  { blockWorkTarget, feePriceMin, feePriceMax }: LedgerParameters,
): bigint {
  const target = BigInt(blockWorkTarget);
  const counted = work < 2n * target ? work : 2n * target;
  if (counted > target) {
    const rise = (price * (counted - target)) / target / PRICE_CHANGE_DIVISOR;
    const raised = price + (rise > 0n ? rise : 1n);
    return raised < feePriceMax ? raised : feePriceMax;
  }
  const lowered = price - (price * (target - counted)) / target / PRICE_CHANGE_DIVISOR;
  return lowered > feePriceMin ? lowered : feePriceMin;
}

export function countWork(state: StateWriter, payload: Payload): void {
  const { price, work } = feeStateOf(state);
  state.set(...feePair({ price, work: work + workOf(payload) }));
}

/** At a block's end. Writes nothing where nothing changes: empty blocks at the least price leave the state alone. */
export function closeBlock(state: StateWriter, parameters: LedgerParameters): void {
  const fee = feeStateOf(state);
  const price = nextPrice(fee, parameters);
  if (price !== fee.price || fee.work !== 0n) state.set(...feePair({ price, work: 0n }));
}
