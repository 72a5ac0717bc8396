/**
 * Stake and the power that it gives: register, rotate, stake, unstake, withdraw. Pure; signatures are checked by functions given.
 * What consensus cannot run with is refused by the state itself (CS-16). LG-9, LG-10, LG-19, docs/ledger.md.
 */
import { equalBytes, toHex } from '../../base/bytes.ts';
import { addressBytes } from '../../protocol/chain/parse.ts';
import { addressOf } from '../../protocol/chain/validator-set.ts';
import type { BlockContext, ChangeKind, StateWriter } from '../state/rules.ts';
import { credit, debit, moveTotals } from './accounts.ts';
import { bothText } from './amount.ts';
import { CODES, type Refusal, refused } from './codes.ts';
import type { LedgerParameters } from './parameters.ts';
import {
  type Payload,
  registrationBytes,
  type SigningDomain,
  type UnsignedTransaction,
} from './transaction.ts';
import {
  ownerOfConsensusKey,
  ownRecordOf,
  setValidatorRecord,
  UNBONDINGS_MAX,
  type ValidatorRecord,
  validatorRecordOf,
} from './validator-record.ts';

/** What stake rules need to know besides the state. */
export interface StakeContext {
  readonly state: StateWriter;
  readonly parameters: LedgerParameters;
  readonly block: BlockContext;
  readonly sender: Uint8Array;
}

export interface RegistrationChecks {
  readonly domain: SigningDomain;
  readonly verifyEd25519: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
  readonly verifyPossession: (consensusKey: Uint8Array, proof: Uint8Array) => boolean;
}

const NO_PROOF: Uint8Array = new Uint8Array(0);
type Registering = Pick<UnsignedTransaction, 'nonce' | 'lastHeight'>;
type PayloadOf<Kind extends Payload['kind']> = Extract<Payload, { readonly kind: Kind }>;

/** The 20 bytes by which transactions name the validator of a node key. */
export const validatorAddressOf = (nodeKey: Uint8Array): Uint8Array => addressBytes(addressOf(nodeKey));

export const powerOfStake = (stake: bigint, { stakeUnit }: LedgerParameters): bigint => stake / stakeUnit;

/** LG-9: a new validator, or one that has left and withdrawn all. The sender owns it. @param transaction that registers it */
export function register(
  context: StakeContext,
  payload: PayloadOf<'register'>,
  transaction: Registering,
  checks: RegistrationChecks,
): Refusal | undefined {
  const { state, parameters, sender } = context;
  const { nodeKey, consensusKey, amount } = payload;
  const address = validatorAddressOf(nodeKey);
  const problem =
    whyTaken(context, address, consensusKey) ??
    stakeProblem(amount, parameters) ??
    (state.validators.size >= parameters.validatorsMax
      ? refused(CODES.setWrong, `there are ${state.validators.size} validators, the most of this chain`)
      : undefined) ??
    debit(state, sender, amount) ??
    whyUnproven(payload, sender, transaction, checks);
  if (problem !== undefined) return problem;
  moveTotals(state, { staked: amount });
  const record = { nodeKey, consensusKey, operator: sender, stake: amount, jailedAt: 0n, unbondings: [] };
  setValidatorRecord(state, address, record);
  return applyPower(context, record, payload.possessionProof);
}

/**
 * LG-19: another consensus key for a validator in the set, from the next epoch on. Its old ones stay taken, by it alone: an offence
 * under any of them is this validator's.
 */
export function rotate(
  { state, sender }: StakeContext,
  { validator, consensusKey, possessionProof }: PayloadOf<'rotate'>,
  { verifyPossession }: Pick<RegistrationChecks, 'verifyPossession'>,
): Refusal | undefined {
  const record = ownRecordOf(state, validator, sender);
  if ('code' in record) return record;
  if (record.jailedAt !== 0n) return jailed(validator, record);
  const before = state.validators.get(toHex(record.nodeKey));
  if (before === undefined) return hasLeft(validator);
  if (equalBytes(record.consensusKey, consensusKey))
    return refused(CODES.registrationWrong, `validator ${toHex(validator)} has this consensus key already`);
  const taken = takenByOther(state, validator, consensusKey);
  if (taken !== undefined) return taken;
  if (!verifyPossession(consensusKey, possessionProof)) return UNPOSSESSED;
  setValidatorRecord(state, validator, { ...record, consensusKey });
  const { nodeKey, power } = before;
  const problem = state.setValidator({ nodeKey, consensusKey, possessionProof, power }, 'request');
  return problem === undefined ? undefined : refused(CODES.setWrong, problem);
}

/** LG-9: more stake for a validator in the set. */
export function stake(context: StakeContext, { validator, amount }: PayloadOf<'stake'>): Refusal | undefined {
  const { state, sender } = context;
  const record = ownRecordOf(state, validator, sender);
  if ('code' in record) return record;
  if (record.jailedAt !== 0n) return jailed(validator, record);
  if (record.stake === 0n) return hasLeft(validator);
  const short = debit(state, sender, amount);
  if (short !== undefined) return short;
  moveTotals(state, { staked: amount });
  return change(context, validator, { ...record, stake: record.stake + amount });
}

/** LG-10: less stake; what is left is nothing, or the least stake and more. */
export function unstake(
  context: StakeContext,
  { validator, amount }: PayloadOf<'unstake'>,
): Refusal | undefined {
  const { state, parameters, block, sender } = context;
  const record = ownRecordOf(state, validator, sender);
  if ('code' in record) return record;
  if (amount > record.stake) {
    return refused(
      CODES.stakeWrong,
      `the stake is ${bothText(record.stake, parameters)}, asked to take ${bothText(amount, parameters)}`,
    );
  }
  const left = record.stake - amount;
  if (left !== 0n && left < parameters.stakeMin) {
    return refused(
      CODES.stakeWrong,
      `${bothText(left, parameters)} would be left: take all, or leave at least ${bothText(parameters.stakeMin, parameters)}`,
    );
  }
  const unbondings = added(record, {
    amount,
    releaseHeight: BigInt(block.height) + BigInt(parameters.unbondingHeights),
  });
  if ('code' in unbondings) return unbondings;
  moveTotals(state, { staked: -amount, unbonding: amount });
  return change(context, validator, { ...record, stake: left, unbondings });
}

/** LG-10: what has waited long enough, all of it, to the operator. */
export function withdraw(context: StakeContext, { validator }: PayloadOf<'withdraw'>): Refusal | undefined {
  const { state, block, sender } = context;
  const record = ownRecordOf(state, validator, sender);
  if ('code' in record) return record;
  const height = BigInt(block.height);
  const ripe = record.unbondings.filter(({ releaseHeight }) => releaseHeight <= height);
  const rest = record.unbondings.filter(({ releaseHeight }) => releaseHeight > height);
  if (ripe.length === 0) {
    const next = rest[0] === undefined ? 'nothing was unstaked' : `the next at ${rest[0].releaseHeight}`;
    return refused(CODES.nothingToWithdraw, `nothing can be withdrawn at height ${height}: ${next}`);
  }
  const amount = ripe.reduce((sum, entry) => sum + entry.amount, 0n);
  setValidatorRecord(state, validator, { ...record, unbondings: rest });
  moveTotals(state, { unbonding: -amount });
  credit(state, sender, amount);
  return undefined;
}

/** Gives consensus the power that the record's stake is worth. */
export function applyPower(
  { state, parameters }: Pick<StakeContext, 'state' | 'parameters'>,
  { nodeKey, consensusKey, stake: held, jailedAt }: ValidatorRecord,
  possessionProof: Uint8Array = NO_PROOF,
  as: ChangeKind = 'request',
): Refusal | undefined {
  const power = jailedAt === 0n ? powerOfStake(held, parameters) : 0n;
  const before = state.validators.get(toHex(nodeKey))?.power ?? 0n;
  if (power === before) return undefined;
  const problem = state.setValidator({ nodeKey, consensusKey, possessionProof, power }, as);
  return problem === undefined ? undefined : refused(CODES.setWrong, problem);
}

function change(context: StakeContext, address: Uint8Array, record: ValidatorRecord): Refusal | undefined {
  setValidatorRecord(context.state, address, record);
  return applyPower(context, record);
}

function added(
  { unbondings }: ValidatorRecord,
  entry: ValidatorRecord['unbondings'][number],
): ValidatorRecord['unbondings'] | Refusal {
  const last = unbondings.at(-1);
  if (last?.releaseHeight === entry.releaseHeight) {
    return [...unbondings.slice(0, -1), { ...entry, amount: last.amount + entry.amount }];
  }
  if (unbondings.length < UNBONDINGS_MAX) return [...unbondings, entry];
  return refused(
    CODES.tooManyUnbondings,
    `${UNBONDINGS_MAX} amounts are on their way out already, the most of one validator: withdraw, or wait until one can be`,
  );
}

function stakeProblem(amount: bigint, parameters: LedgerParameters): Refusal | undefined {
  const { stakeMin } = parameters;
  if (amount >= stakeMin) return undefined;
  return refused(
    CODES.stakeWrong,
    `a stake of ${bothText(amount, parameters)}; the least is ${bothText(stakeMin, parameters)}`,
  );
}

function whyTaken(
  { state }: StakeContext,
  address: Uint8Array,
  consensusKey: Uint8Array,
): Refusal | undefined {
  const record = validatorRecordOf(state, address);
  if (record !== undefined) {
    if (record.jailedAt !== 0n) return jailed(address, record);
    if (record.stake > 0n) {
      return refused(CODES.registrationWrong, `validator ${toHex(address)} is registered: use stake`);
    }
    // Its record would be written over, and with it the operator's claim to what is unbonding.
    if (record.unbondings.length > 0) {
      return refused(
        CODES.registrationWrong,
        `validator ${toHex(address)} still has unbonding stake: its operator must withdraw it first`,
      );
    }
    // A key that was let go could be punished no more.
    if (!equalBytes(record.consensusKey, consensusKey)) {
      return refused(
        CODES.registrationWrong,
        `validator ${toHex(address)} comes back with its old consensus key only`,
      );
    }
  }
  return takenByOther(state, address, consensusKey);
}

function takenByOther(
  state: StateWriter,
  address: Uint8Array,
  consensusKey: Uint8Array,
): Refusal | undefined {
  const owner = ownerOfConsensusKey(state, consensusKey);
  if (owner === undefined || equalBytes(owner, address)) return undefined;
  return refused(CODES.registrationWrong, `validator ${toHex(owner)} has this consensus key`);
}

function whyUnproven(
  { nodeKey, consensusKey, possessionProof, nodeSignature }: PayloadOf<'register'>,
  sender: Uint8Array,
  transaction: Registering,
  { domain, verifyEd25519, verifyPossession }: RegistrationChecks,
): Refusal | undefined {
  if (!verifyEd25519(nodeKey, registrationBytes(consensusKey, sender, transaction, domain), nodeSignature)) {
    return refused(
      CODES.registrationWrong,
      `the node key has not signed that this account may own its validator by its transaction of nonce ${transaction.nonce}, up to height ${transaction.lastHeight}: sign that`,
    );
  }
  return verifyPossession(consensusKey, possessionProof) ? undefined : UNPOSSESSED;
}

const UNPOSSESSED = refused(
  CODES.registrationWrong,
  'the proof of possession of the consensus key does not verify',
);

const hasLeft = (validator: Uint8Array): Refusal =>
  refused(CODES.stakeWrong, `validator ${toHex(validator)} has left: register it again`);

const jailed = (address: Uint8Array, { jailedAt }: ValidatorRecord): Refusal =>
  refused(
    CODES.alreadyJailed,
    `validator ${toHex(address)} was punished at height ${jailedAt}: its stake can only leave; a new node key begins anew`,
  );
