/**
 * What the ledger keeps of a validator, in the set or out of it: its keys, who owns it, its stake, and what is on its way out.
 * Records stay, so that a later offence still finds its owner. Pure. LG-9 and LG-10, docs/ledger.md.
 */
import { toHex } from '../../base/bytes.ts';
import type { StateReader, StateWriter } from '../state/rules.ts';
import { CODES, type Refusal, refused } from './codes.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { bytesOf, textOf } from './pairs.ts';
import { ADDRESS_BYTES, BLS_KEY_BYTES, KEY_BYTES, NUMBER_BYTES } from './widths.ts';

/** Stake that has left and cannot be withdrawn yet. */
export interface Unbonding {
  /** @unit units */
  readonly amount: bigint;
  /** From this height on it can be withdrawn. */
  readonly releaseHeight: bigint;
}

export interface ValidatorRecord {
  readonly nodeKey: Uint8Array;
  readonly consensusKey: Uint8Array;
  /** Account that owns it. */
  readonly operator: Uint8Array;
  /** @unit units */
  readonly stake: bigint;
  /** Height of the evidence against it; 0 where there is none. For ever. */
  readonly jailedAt: bigint;
  /** By rising height; at most UNBONDINGS_MAX. */
  readonly unbondings: readonly Unbonding[];
}

/** Beyond, one must wait or withdraw. @unit entries @source chosen: a record stays below half a KiB */
export const UNBONDINGS_MAX = 16;

const VALIDATOR = 'v';
const CONSENSUS_KEY = 'c';
/** Node key, consensus key, operator, stake, jailed, count. @unit bytes */
const HEAD_BYTES = KEY_BYTES + BLS_KEY_BYTES + ADDRESS_BYTES + 2 * NUMBER_BYTES + 1;
const UNBONDING_BYTES = 2 * NUMBER_BYTES;

/** @param address 20 bytes: the first of SHA-256 of the node key */
export function validatorRecordOf(state: StateReader, address: Uint8Array): ValidatorRecord | undefined {
  const text = state.get(VALIDATOR + textOf(address));
  if (text === undefined) return undefined;
  const reader = new FieldReader(bytesOf(text));
  return {
    nodeKey: reader.fixed(KEY_BYTES),
    consensusKey: reader.fixed(BLS_KEY_BYTES),
    operator: reader.fixed(ADDRESS_BYTES),
    stake: reader.u64(),
    jailedAt: reader.u64(),
    unbondings: Array.from({ length: reader.u8() }, () => ({
      amount: reader.u64(),
      releaseHeight: reader.u64(),
    })),
  };
}

/** @param address 40 letters */
export const neverRegistered = (address: string): Refusal =>
  refused(CODES.unknownValidator, `no validator ${address} has ever been registered here`);

/** The record, where `operator` owns it. */
export function ownRecordOf(
  state: StateReader,
  address: Uint8Array,
  operator: Uint8Array,
): ValidatorRecord | Refusal {
  const record = validatorRecordOf(state, address);
  if (record === undefined) return neverRegistered(toHex(address));
  if (textOf(record.operator) === textOf(operator)) return record;
  return refused(CODES.notTheOperator, `validator ${toHex(address)} belongs to another account`);
}

export function setValidatorRecord(state: StateWriter, address: Uint8Array, record: ValidatorRecord): void {
  for (const pair of validatorPairs(address, record)) {
    if (state.get(pair[0]) !== pair[1]) state.set(...pair);
  }
}

/** The record, and the mark that its consensus key is taken. */
export function validatorPairs(
  address: Uint8Array,
  record: ValidatorRecord,
): readonly (readonly [string, string])[] {
  const writer = new FieldWriter(HEAD_BYTES + UNBONDING_BYTES * record.unbondings.length)
    .fixed(record.nodeKey, KEY_BYTES)
    .fixed(record.consensusKey, BLS_KEY_BYTES)
    .fixed(record.operator, ADDRESS_BYTES)
    .u64(record.stake)
    .u64(record.jailedAt)
    .u8(record.unbondings.length);
  for (const { amount, releaseHeight } of record.unbondings) writer.u64(amount).u64(releaseHeight);
  return [
    [VALIDATOR + textOf(address), textOf(writer.finish())],
    [CONSENSUS_KEY + textOf(record.consensusKey), textOf(address)],
  ];
}

/** Address of the validator that has, or had, this consensus key. */
export function ownerOfConsensusKey(state: StateReader, consensusKey: Uint8Array): Uint8Array | undefined {
  const text = state.get(CONSENSUS_KEY + textOf(consensusKey));
  return text === undefined ? undefined : bytesOf(text);
}

export const unbondingSum = ({ unbondings }: ValidatorRecord): bigint =>
  unbondings.reduce((sum, { amount }) => sum + amount, 0n);
