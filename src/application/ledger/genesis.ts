/**
 * The ledger's first state: `app.state` of the genesis file. Strict: an unknown member, a coin too many or a validator without
 * an operator is an error that names it. Gateway: zod. Pure. LG-13, docs/ledger.md.
 */
import { z } from 'zod';
import { DEFAULT_CHAIN_PARAMETERS, type PossessionVerifier } from '../../protocol/chain/genesis.ts';
import { addressBytes } from '../../protocol/chain/parse.ts';
import { addressOf } from '../../protocol/chain/validator-set.ts';
import type { InitChainRequest } from '../../protocol/ports/application.ts';
import { VALIDATORS_MAX } from '../../protocol/transport/limits.ts';
import type { Pair } from '../state/rules.ts';
import { accountPair, totalsPair } from './accounts.ts';
import { addressText, parseAddressText } from './address.ts';
import { chainPairs, chainsSchema } from './chains-genesis.ts';
import { feePair } from './fees.ts';
import { U64_MAX } from './fields.ts';
import { type LedgerParameters, parametersPair } from './parameters.ts';
import { type OrderingParameters, orderingFrom, orderingPair } from './sealed/parameters.ts';
import { validatorPairs } from './validator-record.ts';

/** What a chain has that says nothing else: see the table of LG-13 for units and reasons. */
export const DEFAULT_LEDGER_PARAMETERS: LedgerParameters = {
  symbol: 'ALT',
  decimals: 6,
  stakeUnit: 1_000_000n,
  stakeMin: 1_000_000n,
  unbondingHeights: DEFAULT_CHAIN_PARAMETERS.evidenceAgeHeights,
  evidenceHeights: DEFAULT_CHAIN_PARAMETERS.evidenceAgeHeights,
  slashBasisPoints: 500,
  feePriceMin: 100n,
  feePriceMax: 1_000_000_000n,
  blockWorkTarget: 5_000,
  validatorsMax: 128,
};

/** Prices times work stay far below 2^64. @unit units @source chosen */
const PRICE_MAX = 2n ** 48n;
/** @unit heights @source ORDINAL_MAX, and room to add a height */
const HEIGHTS_MAX = 2 ** 40;
/** @unit heights @source chosen: what a seal waits for must end */
const REVEAL_HEIGHTS_MAX = 10_000;
/** @unit ms: a day @source chosen, as above */
const REVEAL_MS_MAX = 86_400_000;
/** Open at once. @unit seals @source chosen: about 1 KB each in memory when revealed */
const SEALS_MAX = 1_000_000;

const amount = (min: bigint, max: bigint) =>
  z
    .string()
    .regex(/^(0|[1-9][0-9]{0,19})$/, 'expected a whole number of units in quotes, as in "1000000"')
    .transform(BigInt)
    .refine((units) => units >= min && units <= max, `expected ${min} to ${max} units`);
const whole = (min: number, max: number) => z.int().min(min).max(max);
const account = z.string().transform((text, context) => {
  const address = parseAddressText(text);
  if (!('problem' in address)) return address;
  context.addIssue({ code: 'custom', message: address.problem });
  return z.NEVER;
});

const parametersSchema = z
  .strictObject({
    symbol: z.string().regex(/^[A-Z][A-Z0-9]{1,9}$/, 'expected 2 to 10 capital letters and digits'),
    decimals: whole(0, 18),
    stake_unit: amount(1n, U64_MAX),
    stake_min: amount(1n, U64_MAX),
    unbonding_heights: whole(1, HEIGHTS_MAX),
    evidence_heights: whole(1, HEIGHTS_MAX),
    slash_basis_points: whole(1, 10_000),
    fee_price_min: amount(0n, PRICE_MAX),
    fee_price_max: amount(1n, PRICE_MAX),
    block_work_target: whole(1, 2 ** 32),
    validators_max: whole(1, VALIDATORS_MAX),
    ordering: z.enum(['plain', 'commit_reveal']),
    reveal_heights: whole(1, REVEAL_HEIGHTS_MAX),
    reveal_ms: whole(0, REVEAL_MS_MAX),
    seal_deposit: amount(1n, PRICE_MAX),
    seal_fee: amount(0n, PRICE_MAX),
    seals_per_sender_max: whole(1, SEALS_MAX),
    seals_open_max: whole(1, SEALS_MAX),
  })
  .partial();

const stateSchema = z.strictObject({
  parameters: parametersSchema.optional(),
  accounts: z.array(z.strictObject({ address: account, balance: amount(1n, U64_MAX) })),
  operators: z.array(
    z.strictObject({
      validator: z
        .string()
        .regex(/^[0-9a-f]{40}$/, 'expected the 40 letters of a validator, as show-node-id says'),
      operator: account,
    }),
  ),
  chains: chainsSchema.optional(),
});

/** Each as it stands in the state: the pairs before the first block. @throws with clear words when it cannot be read */
export function firstPairs(request: InitChainRequest, bls: PossessionVerifier): readonly Pair[] {
  const { appState, validators } = request;
  const parsed = stateSchema.safeParse(appState);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refusal(issue?.path.join('.') ?? '', issue?.message ?? 'cannot be read');
  }
  const { accounts, operators, parameters: given, chains = [] } = parsed.data;
  const parameters = parametersFrom(given ?? {});
  const ordering = chosenOrdering(given ?? {}, validators);
  const owned = validatorsOf(validators, operators, parameters);
  const balances = uniqueBy(accounts, ({ address }) => addressText(address), 'accounts');
  const staked = owned.reduce((sum, { stake }) => sum + stake, 0n);
  const genesis = accounts.reduce((sum, { balance }) => sum + balance, staked);
  if (genesis > U64_MAX) {
    throw refusal('accounts', `all coins together are ${genesis} units, and ${U64_MAX} is the most (LG-1)`);
  }
  return [
    parametersPair(parameters),
    ...(ordering === undefined ? [] : [orderingPair(ordering)]),
    totalsPair({ genesis, burned: 0n, staked, unbonding: 0n }),
    feePair({ price: parameters.feePriceMin, work: 0n }),
    ...balances.map(({ address, balance }) => accountPair(address, { nonce: 0n, balance })),
    ...owned.flatMap(({ address, ...rest }) =>
      validatorPairs(address, { ...rest, jailedAt: 0n, unbondings: [] }),
    ),
    ...chainPairs(chains, request, genesis, bls, refusal),
  ];
}

/** Parameters as a genesis file and a query have them. */
export const parametersJson = (parameters: LedgerParameters) => ({
  symbol: parameters.symbol,
  decimals: parameters.decimals,
  stake_unit: parameters.stakeUnit.toString(),
  stake_min: parameters.stakeMin.toString(),
  unbonding_heights: parameters.unbondingHeights,
  evidence_heights: parameters.evidenceHeights,
  slash_basis_points: parameters.slashBasisPoints,
  fee_price_min: parameters.feePriceMin.toString(),
  fee_price_max: parameters.feePriceMax.toString(),
  block_work_target: parameters.blockWorkTarget,
  validators_max: parameters.validatorsMax,
});

function chosenOrdering(
  given: z.infer<typeof parametersSchema>,
  validators: InitChainRequest['validators'],
): OrderingParameters | undefined {
  const { ordering, reveal_heights, reveal_ms, ...rest } = given;
  const { seal_deposit, seal_fee, seals_per_sender_max, seals_open_max } = rest;
  const chosen = orderingFrom(
    { ordering, reveal_heights, reveal_ms, seal_deposit, seal_fee, seals_per_sender_max, seals_open_max },
    validators.map(({ power }) => power),
  );
  if (chosen !== undefined && 'problem' in chosen)
    throw refusal(`parameters.${chosen.where}`, chosen.problem);
  return chosen;
}

function parametersFrom(given: z.infer<typeof parametersSchema>): LedgerParameters {
  const base = DEFAULT_LEDGER_PARAMETERS;
  const parameters: LedgerParameters = {
    symbol: given.symbol ?? base.symbol,
    decimals: given.decimals ?? base.decimals,
    stakeUnit: given.stake_unit ?? base.stakeUnit,
    stakeMin: given.stake_min ?? base.stakeMin,
    unbondingHeights: given.unbonding_heights ?? base.unbondingHeights,
    evidenceHeights: given.evidence_heights ?? base.evidenceHeights,
    slashBasisPoints: given.slash_basis_points ?? base.slashBasisPoints,
    feePriceMin: given.fee_price_min ?? base.feePriceMin,
    feePriceMax: given.fee_price_max ?? base.feePriceMax,
    blockWorkTarget: given.block_work_target ?? base.blockWorkTarget,
    validatorsMax: given.validators_max ?? base.validatorsMax,
  };
  const { stakeMin, stakeUnit, evidenceHeights, unbondingHeights, feePriceMin, feePriceMax } = parameters;
  if (stakeMin < stakeUnit) {
    throw refusal(
      'parameters.stake_min',
      `${stakeMin} units would give no power: at least stake_unit, ${stakeUnit}`,
    );
  }
  if (evidenceHeights > unbondingHeights) {
    throw refusal(
      'parameters.evidence_heights',
      `${evidenceHeights} is above unbonding_heights, ${unbondingHeights}: stake would be gone before its punishment`,
    );
  }
  if (feePriceMin > feePriceMax) {
    throw refusal('parameters.fee_price_min', `${feePriceMin} is above fee_price_max, ${feePriceMax}`);
  }
  return parameters;
}

function validatorsOf(
  validators: InitChainRequest['validators'],
  operators: z.infer<typeof stateSchema>['operators'],
  { stakeUnit, stakeMin, validatorsMax }: LedgerParameters,
) {
  if (validators.length > validatorsMax) {
    throw refusal(
      'parameters.validators_max',
      `${validatorsMax}, and the genesis has ${validators.length} validators`,
    );
  }
  const owners = new Map<string, Uint8Array>(
    uniqueBy(operators, ({ validator }) => validator, 'operators').map((entry) => [
      entry.validator,
      entry.operator,
    ]),
  );
  const owned = validators.map(({ nodeKey, consensusKey, power }) => {
    const address = addressOf(nodeKey);
    const operator = owners.get(address);
    if (operator === undefined) {
      throw refusal('operators', `validator ${address} has no operator: name the account that owns it`);
    }
    owners.delete(address);
    const stake = power * stakeUnit;
    if (stake < stakeMin) {
      throw refusal(
        'parameters.stake_min',
        `validator ${address} has power ${power}, a stake of ${stake} units`,
      );
    }
    return { address: addressBytes(address), nodeKey, consensusKey, operator, stake };
  });
  const [stranger] = owners.keys();
  if (stranger !== undefined) throw refusal('operators', `${stranger} is no validator of this genesis`);
  return owned;
}

function uniqueBy<Entry>(
  entries: readonly Entry[],
  nameOf: (entry: Entry) => string,
  where: string,
): readonly Entry[] {
  const seen = new Set<string>();
  for (const entry of entries) {
    const name = nameOf(entry);
    if (seen.has(name)) throw refusal(where, `${name} is there twice`);
    seen.add(name);
  }
  return entries;
}

const refusal = (where: string, problem: string): Error =>
  new Error(`genesis app.state${where === '' ? '' : `.${where}`}: ${problem}`);
