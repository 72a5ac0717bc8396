/**
 * The genesis document: what every node of a chain must hold identically before the first block.
 * Pure and total; the BLS engine is given as a value. JSON in, a checked document or every problem out.
 * The hash covers canonical bytes, so indentation, key order and number style of the file do not matter.
 * Rules: docs/protocol/consensus.md (validator sets, CS-15, CS-16, TM-8).
 */
import { toHex } from '../../base/bytes.ts';
import { type Millis, millis, type WallTime } from '../../base/units.ts';
import { BLS_PUBLIC_KEY_BYTES, BLS_SIGNATURE_BYTES, type BlsEngine } from '../../crypto/bls/engine.ts';
import { LEADER_SCHEDULES, type LeadershipParameters } from '../consensus/leader.ts';
import { MESSAGE_DELAY_MS_MAX, PRECISION_MS_MAX } from '../consensus/timeliness.ts';
import { BATCH_BYTES_MAX, BATCH_REFERENCES_MAX, VALIDATORS_MAX } from '../transport/limits.ts';
import { BATCH_HEADER_BYTES, TRANSACTION_OVERHEAD_BYTES } from './batch.ts';
import { digestOf } from './canonical.ts';
import { canonicalJson, type JsonValue } from './canonical-json.ts';
import { CanonicalWriter } from './canonical-writer.ts';
import { type GenesisProblem, GenesisReader } from './genesis-reader.ts';
import { ADDRESS_BYTES, POWER_LIMIT } from './parse.ts';
import type { Digest, Validator } from './types.ts';
import { addressOf, NODE_KEY_BYTES } from './validator-set.ts';

export type { GenesisProblem } from './genesis-reader.ts';

export interface GenesisValidator extends Validator {
  /** BLS proof of possession of `consensusKey`, 96 bytes. */
  readonly possessionProof: Uint8Array;
  /** For readers; at most 64 letters. */
  readonly name: string;
}

/** What all validators must agree on for the whole epoch. */
export interface ChainParameters extends LeadershipParameters {
  /** Heights in an epoch; 0 = an epoch ends only by a change of validators. */
  readonly epochLength: number;
  /** @unit bytes */
  readonly transactionBytesMax: number;
  /** Encoded batch. @unit bytes */
  readonly batchBytesMax: number;
  /** A batch made at height h expires at h + this. @unit heights */
  readonly batchTtlHeights: number;
  /** Sum of the bytes of the batches that a block names. @unit bytes */
  readonly blockBytesMax: number;
  readonly blockBatchesMax: number;
  /** No transaction executes twice within so many heights; >= batchTtlHeights. @unit heights */
  readonly deduplicationHeights: number;
  /** Evidence of an offence that is older is refused; and so is one older than `evidenceAge` (CS-14). @unit heights */
  readonly evidenceAgeHeights: number;
  readonly evidenceAge: Millis;
  /** PRECISION of TM-8. */
  readonly timePrecision: Millis;
  /** MSGDELAY of TM-8. */
  readonly messageDelay: Millis;
  /** Of the power before it, how much one block may bring in, take out and change; 100: any (CS-16). @unit percent */
  readonly validatorChangePercent: number;
}

export interface GenesisDocument {
  readonly chainId: string;
  readonly genesisTime: WallTime;
  /** In the file's order; not empty. */
  readonly validators: readonly GenesisValidator[];
  readonly parameters: ChainParameters;
  readonly application: { readonly name: string; readonly state: JsonValue };
}

export type PossessionVerifier = Pick<BlsEngine, 'verifyPossession'>;

export type GenesisRuling =
  | { readonly status: 'valid'; readonly genesis: GenesisDocument; readonly hash: Digest }
  | { readonly status: 'invalid'; readonly problems: readonly [GenesisProblem, ...GenesisProblem[]] };

const MEBIBYTE = 1_048_576;

/** Less than a third of the power. @unit percent @source two sets that follow on each other share a quorum's majority */
export const VALIDATOR_CHANGE_PERCENT_DEFAULT = 33;

/** What a new chain starts with. Age of evidence: CometBFT's defaults. Precision and delay: CometBFT's proposer-based timestamps (TM-8). */
export const DEFAULT_CHAIN_PARAMETERS: ChainParameters = {
  leaderSchedule: 'round_robin',
  leaderReputation: false,
  vrf: false,
  epochLength: 0,
  transactionBytesMax: 65_536,
  batchBytesMax: MEBIBYTE,
  batchTtlHeights: 1_000,
  blockBytesMax: 8 * MEBIBYTE,
  blockBatchesMax: 256,
  deduplicationHeights: 1_000,
  evidenceAgeHeights: 100_000,
  evidenceAge: millis(48 * 3_600_000),
  timePrecision: millis(505),
  messageDelay: millis(15_000),
  validatorChangePercent: VALIDATOR_CHANGE_PERCENT_DEFAULT,
};

/** Checks a parsed JSON value. `invalid` names up to 20 problems, each with its path. */
export function parseGenesis(json: unknown, bls: PossessionVerifier): GenesisRuling {
  const reader = new GenesisReader();
  const root = reader.object('', json, ['chain_id', 'genesis_time', 'validators', 'params', 'app']);
  const app = reader.object('app', root['app'], ['name', 'state']);
  const genesis: GenesisDocument = {
    chainId: reader.text('chain_id', root['chain_id'], {
      pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/,
      shape: '1 to 50 letters, digits, ".", "_" or "-", beginning with a letter or digit',
    }),
    genesisTime: reader.time('genesis_time', root['genesis_time']),
    validators: readValidators(reader, root['validators'], bls),
    parameters: readParameters(reader, root['params']),
    application: {
      name: reader.text('app.name', app['name'], {
        pattern: /^[a-z][a-z0-9_-]{0,31}$/,
        shape: 'the name of an application, for example "kv"',
      }),
      state: reader.json('app.state', app['state']),
    },
  };
  const [first, ...rest] = reader.problems;
  if (first !== undefined) return { status: 'invalid', problems: [first, ...rest] };
  return { status: 'valid', genesis, hash: genesisHash(genesis) };
}

/** SHA-256 over the canonical bytes: the chain's identity, bound into every signed statement. */
export const genesisHash = (genesis: GenesisDocument): Digest => digestOf(genesisBytes(genesis));

/** The document as JSON for a file; `parseGenesis` of it gives the same document. */
export function genesisToJson(genesis: GenesisDocument): JsonValue {
  return {
    chain_id: genesis.chainId,
    genesis_time: new Date(genesis.genesisTime).toISOString(),
    validators: genesis.validators.map((validator) => ({
      address: validator.address,
      name: validator.name,
      power: validator.power.toString(),
      node_key: toHex(validator.nodeKey),
      consensus_key: toHex(validator.consensusKey),
      possession_proof: toHex(validator.possessionProof),
    })),
    params: {
      leader_schedule: genesis.parameters.leaderSchedule,
      leader_reputation: genesis.parameters.leaderReputation,
      vrf: genesis.parameters.vrf,
      ...Object.fromEntries(
        INTEGER_FIELDS.map((field) => [INTEGER_PARAMETERS[field].key, genesis.parameters[field]]),
      ),
    },
    app: { name: genesis.application.name, state: genesis.application.state },
  };
}

const INTEGER_PARAMETERS = {
  epochLength: { key: 'epoch_length', min: 0, max: 2 ** 40 },
  transactionBytesMax: { key: 'transaction_bytes_max', min: 1, max: BATCH_BYTES_MAX },
  batchBytesMax: { key: 'batch_bytes_max', min: 1_024, max: BATCH_BYTES_MAX },
  batchTtlHeights: { key: 'batch_ttl_heights', min: 2, max: 1_000_000 },
  blockBytesMax: { key: 'block_bytes_max', min: 1_024, max: 64 * MEBIBYTE },
  blockBatchesMax: { key: 'block_batches_max', min: 1, max: BATCH_REFERENCES_MAX },
  deduplicationHeights: { key: 'deduplication_heights', min: 2, max: 1_000_000 },
  evidenceAgeHeights: { key: 'evidence_age_heights', min: 2, max: 2 ** 40 },
  evidenceAge: { key: 'evidence_age_ms', min: 1_000, max: 2 ** 40 },
  timePrecision: { key: 'time_precision_ms', min: 1, max: PRECISION_MS_MAX },
  messageDelay: { key: 'message_delay_ms', min: 1, max: MESSAGE_DELAY_MS_MAX },
  validatorChangePercent: { key: 'validator_change_percent', min: 1, max: 100 },
} as const;

type IntegerParameter = keyof typeof INTEGER_PARAMETERS;
/** In the order of the canonical bytes. */
const INTEGER_FIELDS = [
  'epochLength',
  'transactionBytesMax',
  'batchBytesMax',
  'batchTtlHeights',
  'blockBytesMax',
  'blockBatchesMax',
  'deduplicationHeights',
  'evidenceAgeHeights',
  'evidenceAge',
  'timePrecision',
  'messageDelay',
  'validatorChangePercent',
] as const satisfies readonly IntegerParameter[];

function readParameters(reader: GenesisReader, raw: unknown): ChainParameters {
  const given = reader.object('params', raw, [
    ...['leader_schedule', 'leader_reputation', 'vrf'],
    ...INTEGER_FIELDS.map((field) => INTEGER_PARAMETERS[field].key),
  ]);
  const integer = (field: IntegerParameter): number => {
    const { key, min, max } = INTEGER_PARAMETERS[field];
    return reader.integer(`params.${key}`, given[key], min, max);
  };
  const parameters: ChainParameters = {
    leaderSchedule: reader.choice('params.leader_schedule', given['leader_schedule'], LEADER_SCHEDULES),
    leaderReputation: reader.flag('params.leader_reputation', given['leader_reputation']),
    vrf: reader.flag('params.vrf', given['vrf']),
    epochLength: integer('epochLength'),
    transactionBytesMax: integer('transactionBytesMax'),
    batchBytesMax: integer('batchBytesMax'),
    batchTtlHeights: integer('batchTtlHeights'),
    blockBytesMax: integer('blockBytesMax'),
    blockBatchesMax: integer('blockBatchesMax'),
    deduplicationHeights: integer('deduplicationHeights'),
    evidenceAgeHeights: integer('evidenceAgeHeights'),
    evidenceAge: millis(integer('evidenceAge')),
    timePrecision: millis(integer('timePrecision')),
    messageDelay: millis(integer('messageDelay')),
    validatorChangePercent: integer('validatorChangePercent'),
  };
  if (parameters.leaderSchedule === 'stake_weighted' && !parameters.vrf) {
    reader.report(
      'params.vrf',
      parameters.vrf,
      'must be true with leader_schedule "stake_weighted": without it everyone could compute the leaders of every epoch to come',
    );
  }
  reader.ordered('params', [
    {
      key: 'transaction_bytes_max plus its overhead',
      value: parameters.transactionBytesMax + BATCH_HEADER_BYTES + TRANSACTION_OVERHEAD_BYTES,
    },
    { key: 'batch_bytes_max', value: parameters.batchBytesMax },
    { key: 'block_bytes_max', value: parameters.blockBytesMax },
  ]);
  reader.ordered('params', [
    { key: 'batch_ttl_heights', value: parameters.batchTtlHeights },
    { key: 'deduplication_heights', value: parameters.deduplicationHeights },
  ]);
  return parameters;
}

function readValidators(
  reader: GenesisReader,
  raw: unknown,
  bls: PossessionVerifier,
): readonly GenesisValidator[] {
  const entries = reader.array('validators', raw, VALIDATORS_MAX);
  const validators = entries.map((entry, index) => readValidator(reader, `validators[${index}]`, entry, bls));
  if (Array.isArray(raw) && raw.length === 0) reader.report('validators', raw, 'give at least one validator');
  for (const key of ['nodeKey', 'consensusKey'] as const) {
    const firstUse = new Map<string, number>();
    validators.forEach((validator, index) => {
      const hex = toHex(validator[key]);
      const first = firstUse.get(hex);
      if (hex !== '' && first !== undefined) {
        const name = key === 'nodeKey' ? 'node_key' : 'consensus_key';
        reader.report(
          `validators[${index}].${name}`,
          hex,
          `already the key of validators[${first}]; every key may appear once`,
        );
      }
      firstUse.set(hex, index);
    });
  }
  const total = validators.reduce((sum, validator) => sum + validator.power, 0n);
  if (total >= POWER_LIMIT) {
    reader.report(
      'validators',
      total.toString(),
      'the total power must be below 2^60; scale the powers down',
    );
  }
  return validators;
}

function readValidator(
  reader: GenesisReader,
  path: string,
  raw: unknown,
  bls: PossessionVerifier,
): GenesisValidator {
  const given = reader.object(path, raw, [
    'address',
    'name',
    'power',
    'node_key',
    'consensus_key',
    'possession_proof',
  ]);
  const nodeKey = reader.bytes(`${path}.node_key`, given['node_key'], NODE_KEY_BYTES);
  const consensusKey = reader.bytes(`${path}.consensus_key`, given['consensus_key'], BLS_PUBLIC_KEY_BYTES);
  const possessionProof = reader.bytes(
    `${path}.possession_proof`,
    given['possession_proof'],
    BLS_SIGNATURE_BYTES,
  );
  const stated = reader.bytes(`${path}.address`, given['address'], ADDRESS_BYTES);
  const address = addressOf(nodeKey);
  if (nodeKey.length > 0 && stated.length > 0 && address !== toHex(stated)) {
    reader.report(
      `${path}.address`,
      given['address'],
      `does not belong to node_key, whose address is ${address}`,
    );
  }
  const proven =
    consensusKey.length === 0 ||
    possessionProof.length === 0 ||
    bls.verifyPossession(consensusKey, possessionProof);
  if (!proven) {
    reader.report(
      `${path}.possession_proof`,
      given['possession_proof'],
      'does not prove possession of consensus_key; ask its owner for the output of `althing show-validator`',
    );
  }
  return {
    address,
    name: reader.text(`${path}.name`, given['name'], { pattern: /^.{1,64}$/u, shape: '1 to 64 letters' }),
    power: reader.power(`${path}.power`, given['power']),
    nodeKey,
    consensusKey,
    possessionProof,
  };
}

function genesisBytes(genesis: GenesisDocument): Uint8Array {
  const byAddress = genesis.validators.toSorted((left, right) => (left.address < right.address ? -1 : 1));
  const writer = new CanonicalWriter()
    .text('althing/genesis/v1')
    .text(genesis.chainId)
    .u64(genesis.genesisTime)
    .u64(byAddress.length);
  for (const { nodeKey, consensusKey, possessionProof, power, name } of byAddress) {
    writer.prefixed(nodeKey).prefixed(consensusKey).prefixed(possessionProof).u64(power).text(name);
  }
  writer.text(leadershipText(genesis.parameters));
  for (const field of INTEGER_FIELDS) writer.u64(genesis.parameters[field]);
  return writer.text(genesis.application.name).text(canonicalJson(genesis.application.state)).finish();
}

/** What is not chosen is not written: the hash of a genesis without it is what it was before there was the choice. */
const leadershipText = ({ leaderSchedule, leaderReputation, vrf }: LeadershipParameters): string =>
  [leaderSchedule, ...(leaderReputation ? ['reputation'] : []), ...(vrf ? ['vrf'] : [])].join('+');
