/**
 * Evidence in a transaction: an offence that proves itself takes stake from the offender and its place in the set, once.
 * Pure; the BLS engine is given as a value. LG-11 and LG-12, docs/ledger.md; CS-14.
 */
import { toHex } from '../../base/bytes.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { createRecentCache } from '../../crypto/recent-cache.ts';
import { DEFAULT_CHAIN_PARAMETERS } from '../../protocol/chain/genesis.ts';
import {
  addressBytes,
  digestBytes,
  digestFromBytes,
  parseAddress,
  parseBlockId,
  parseEpoch,
  parseHeight,
  parseRound,
} from '../../protocol/chain/parse.ts';
import type { Address, ChainDomain, Epoch, Height, Vote } from '../../protocol/chain/types.ts';
import { validatorSet } from '../../protocol/chain/validator-set.ts';
import { firstEpoch } from '../../protocol/consensus/epoch.ts';
import {
  accusedOf,
  doubleVote,
  type Evidence,
  epochOf,
  verifyEvidence,
} from '../../protocol/consensus/evidence.ts';
import type { StateReader } from '../state/rules.ts';
import { moveTotals } from './accounts.ts';
import { CODES, type Refusal, refused } from './codes.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import type { LedgerParameters } from './parameters.ts';
import { applyPower, type StakeContext } from './stake.ts';
import { EVIDENCE_LENGTHS, EVIDENCE_NUMBERS } from './transaction.ts';
import {
  neverRegistered,
  setValidatorRecord,
  unbondingSum,
  type ValidatorRecord,
  validatorRecordOf,
} from './validator-record.ts';
import { ADDRESS_BYTES, BLOCK_ID_BYTES, BLS_SIGNATURE_BYTES } from './widths.ts';

/** Says what the signatures of an accusation prove. */
export interface Judge {
  /** 'valid', or the code of what is wrong. */
  readonly verdictOf: (accusation: Accusation) => string;
  /** How often signatures were verified so far; what is remembered costs nothing. */
  readonly verifications: () => number;
}

/** Each with its evidence, about 0.5 KB. @unit verdicts @source chosen: all validators' offences, and a flood of false ones, 0.5 MB */
const VERDICTS_KEPT_MAX = 1_024;

/** A verdict follows from the evidence alone: a validator keeps its consensus key for ever (LG-9). */
export function createJudge(domain: ChainDomain, bls: BlsEngine): Judge {
  const verdicts = createRecentCache<string>(VERDICTS_KEPT_MAX);
  let verifications = 0;
  return {
    verdictOf: (accusation) =>
      verdicts.of(accusation.bytes, () => {
        verifications += 1;
        return verified(accusation, domain, bls);
      }),
    verifications: () => verifications,
  };
}

const BASIS_POINTS = 10_000n;

/** The bytes that a transaction carries. */
export function encodeEvidence(evidence: Evidence): Uint8Array {
  const kind: number = EVIDENCE_NUMBERS[evidence.kind];
  const writer = new FieldWriter(EVIDENCE_LENGTHS.get(kind) ?? 0)
    .u8(kind)
    .u64(BigInt(epochOf(evidence)))
    .fixed(addressBytes(accusedOf(evidence)), ADDRESS_BYTES);
  if (evidence.kind === 'DoubleVote') {
    writeVote(writer, evidence.first);
    return writeVote(writer, evidence.second).finish();
  }
  const { round, highQcRound, signature } = evidence.timeout;
  return writeVote(writer, evidence.vote)
    .u64(BigInt(round))
    .u64(BigInt(highQcRound))
    .fixed(signature, BLS_SIGNATURE_BYTES)
    .finish();
}

/** The evidence of these bytes, or why they are none. One offence of two votes has one order (CS-14). */
export function parseEvidence(bytes: Uint8Array): Evidence | { readonly problem: string } {
  const length = EVIDENCE_LENGTHS.get(bytes[0] ?? 0);
  if (length === undefined || bytes.byteLength !== length) return { problem: 'of no known kind and length' };
  const reader = new FieldReader(bytes, 1);
  const epoch = parseEpoch(Number(reader.u64()));
  const validator = parseAddress(toHex(reader.fixed(ADDRESS_BYTES)));
  if (epoch === 'malformed' || validator === 'malformed') return { problem: 'an epoch beyond 2^52' };
  const first = readVote(reader, epoch, validator);
  if (first === 'malformed') return BEYOND;
  if (bytes[0] === EVIDENCE_NUMBERS.DoubleVote) {
    const second = readVote(reader, epoch, validator);
    if (second === 'malformed') return BEYOND;
    const evidence = doubleVote(first, second);
    if (evidence === undefined) return { problem: 'the votes are the same, or of two rounds' };
    return evidence.first === first ? evidence : { problem: 'the votes stand in the other order' };
  }
  const [round, highQcRound] = [parseRound(Number(reader.u64())), parseRound(Number(reader.u64()))];
  if (round === 'malformed' || highQcRound === 'malformed') return BEYOND;
  const timeout = { epoch, validator, round, highQcRound, signature: reader.fixed(BLS_SIGNATURE_BYTES) };
  return { kind: 'QcHiding', vote: first, timeout };
}

/** Evidence that its signatures alone can still refute. */
export interface Accusation {
  readonly evidence: Evidence;
  readonly accused: Address;
  /** The same, as bytes. */
  readonly address: Uint8Array;
  /** The evidence, as it was read. */
  readonly bytes: Uint8Array;
  readonly record: ValidatorRecord;
}

/** LG-12 without its pairings: what can be read, of a validator that can be punished, not too old for a block of `height`. */
export function accusationOf(
  bytes: Uint8Array,
  state: StateReader,
  { evidenceHeights }: Pick<LedgerParameters, 'evidenceHeights'>,
  height: Height,
): Accusation | Refusal {
  const evidence = parseEvidence(bytes);
  if ('problem' in evidence)
    return refused(CODES.evidenceWrong, `the evidence cannot be read: ${evidence.problem}`);
  const accused = accusedOf(evidence);
  const address = addressBytes(accused);
  const record = validatorRecordOf(state, address);
  if (record === undefined) return neverRegistered(accused);
  if (record.jailedAt !== 0n) {
    return refused(
      CODES.alreadyJailed,
      `validator ${accused} was punished at height ${record.jailedAt} already`,
    );
  }
  const age = height - heightOf(evidence);
  if (age > evidenceHeights) {
    return refused(
      CODES.evidenceTooOld,
      `the offence is ${age} heights old; up to ${evidenceHeights} it is punished`,
    );
  }
  return { evidence, accused, address, bytes, record };
}

/** LG-12: a share of all that the offender holds is burned, and it leaves the set for ever. */
export function punish(context: PunishContext, accusation: Accusation, judge: Judge): Refusal | undefined {
  const problem = verdictProblem(judge.verdictOf(accusation));
  return problem ?? slash(context, accusation.address, accusation.record);
}

export const verdictProblem = (verdict: string): Refusal | undefined =>
  verdict === 'valid' ? undefined : refused(CODES.evidenceWrong, `the evidence proves nothing: ${verdict}`);

/** Whoever reports it plays no part. */
type PunishContext = Omit<StakeContext, 'sender'>;

function slash(context: PunishContext, address: Uint8Array, record: ValidatorRecord): Refusal | undefined {
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
  setValidatorRecord(state, address, punished);
  moveTotals(state, {
    staked: -fromStake,
    unbonding: -fromUnbonding,
    burned: fromStake + fromUnbonding,
  });
  return applyPower(context, punished);
}

/** Verified with the key that the validator has registered, whatever epoch its votes are of: it never gets another. */
function verified({ evidence, accused, record }: Accusation, domain: ChainDomain, bls: BlsEngine): string {
  const { nodeKey, consensusKey } = record;
  const set = validatorSet([{ address: accused, nodeKey, consensusKey, power: 1n }]);
  if ('code' in set) return set.code;
  const epoch = { ...firstEpoch(domain, set, DEFAULT_CHAIN_PARAMETERS), epoch: epochOf(evidence) };
  const verdict = verifyEvidence(epoch, bls, evidence);
  return verdict === 'valid' ? verdict : verdict.code;
}

/** The later of its statements': to be old, all must be. */
const heightOf = (evidence: Evidence): number =>
  evidence.kind === 'DoubleVote'
    ? Math.max(evidence.first.height, evidence.second.height)
    : evidence.vote.height;

const BEYOND = { problem: 'a round or height beyond 2^52' };

function writeVote(writer: FieldWriter, vote: Vote): FieldWriter {
  return writer
    .u64(BigInt(vote.round))
    .u64(BigInt(vote.height))
    .fixed(digestBytes(vote.blockId), BLOCK_ID_BYTES)
    .fixed(digestBytes(vote.parentId), BLOCK_ID_BYTES)
    .u64(BigInt(vote.parentRound))
    .fixed(vote.signature, BLS_SIGNATURE_BYTES);
}

function readVote(reader: FieldReader, epoch: Epoch, validator: Address): Vote | 'malformed' {
  const [round, height] = [parseRound(Number(reader.u64())), parseHeight(Number(reader.u64()))];
  const blockId = parseBlockId(digestFromBytes(reader.fixed(BLOCK_ID_BYTES)));
  const parentId = parseBlockId(digestFromBytes(reader.fixed(BLOCK_ID_BYTES)));
  const parentRound = parseRound(Number(reader.u64()));
  const signature = reader.fixed(BLS_SIGNATURE_BYTES);
  if (round === 'malformed' || height === 'malformed' || parentRound === 'malformed') return 'malformed';
  if (blockId === 'malformed' || parentId === 'malformed') return 'malformed';
  return { epoch, round, height, blockId, parentId, parentRound, validator, signature };
}
