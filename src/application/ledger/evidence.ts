/**
 * What an offence costs: consensus says who is proven guilty (CS-14), and the ledger takes stake from the offender and its
 * place in the set, once. Pure. LG-11 and LG-12, docs/ledger.md.
 */
import { addressBytes } from '../../protocol/chain/parse.ts';
import type { Misbehavior } from '../../protocol/ports/application.ts';
import type { ApplicationEvent } from '../../protocol/ports/storage.ts';
import type { BlockContext, StateWriter } from '../state/rules.ts';
import { moveTotals } from './accounts.ts';
import { punishmentEvent } from './events.ts';
import { parametersOf } from './parameters.ts';
import { applyPower, type StakeContext } from './stake.ts';
import {
  setValidatorRecord,
  unbondingSum,
  type ValidatorRecord,
  validatorRecordOf,
} from './validator-record.ts';

const BASIS_POINTS = 10_000n;

/** Whoever proved it plays no part. */
type PunishContext = Omit<StakeContext, 'sender'>;

/**
 * LG-11: of whom the block proves misbehavior is punished before its transactions, so that no stake gets away in them. Passed
 * over are those who are punished already, whom the ledger never had, and what is older than its own limit.
 */
export function punishAll(
  state: StateWriter,
  block: BlockContext,
  misbehavior: readonly Misbehavior[],
): readonly ApplicationEvent[] {
  if (misbehavior.length === 0) return [];
  const parameters = parametersOf(state);
  return misbehavior.flatMap((offence) => {
    const address = addressBytes(offence.validator.address);
    const record = validatorRecordOf(state, address);
    if (record === undefined || record.jailedAt !== 0n) return [];
    if (block.height - offence.height > parameters.evidenceHeights) return [];
    const burned = punish({ state, parameters, block }, address, record);
    return burned === undefined ? [] : [punishmentEvent(offence, burned)];
  });
}

/**
 * LG-12: a share of all that the offender holds is burned, and it leaves the set for ever. Undefined: consensus cannot run
 * without it (CS-16), and nothing happens.
 */
function punish(context: PunishContext, address: Uint8Array, record: ValidatorRecord): bigint | undefined {
  const { state, parameters, block } = context;
  const basisPoints = BigInt(parameters.slashBasisPoints);
  // Rounded against the offender: also the smallest stake loses something.
  const left = (amount: bigint): bigint => amount - (amount * basisPoints + BASIS_POINTS - 1n) / BASIS_POINTS;
  const punished: ValidatorRecord = {
    ...record,
    stake: left(record.stake),
    jailedAt: BigInt(block.height),
    unbondings: record.unbondings
      .map((entry) => ({ ...entry, amount: left(entry.amount) }))
      .filter(({ amount }) => amount > 0n),
  };
  const fromStake = record.stake - punished.stake;
  const fromUnbonding = unbondingSum(record) - unbondingSum(punished);
  if (applyPower(context, punished, undefined, 'punishment') !== undefined) return undefined;
  setValidatorRecord(state, address, punished);
  moveTotals(state, { staked: -fromStake, unbonding: -fromUnbonding, burned: fromStake + fromUnbonding });
  return fromStake + fromUnbonding;
}
