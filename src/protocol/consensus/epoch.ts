/** What everything said in one epoch is judged by: domain, validators, leaders, root. Plain data. Pure. CS-15, CS-16. */
import { epochHashOf, genesisCertificate } from '../chain/canonical.ts';
import { FIRST_EPOCH, GENESIS_HEIGHT, ROOT_ROUND } from '../chain/ordinals.ts';
import type {
  Address,
  BlockId,
  ChainDomain,
  Digest,
  Epoch,
  EpochChange,
  EpochDescriptor,
  Height,
  QuorumCertificate,
  Round,
  ValidatorSet,
} from '../chain/types.ts';
import type { Recovered } from '../ports/storage.ts';
import { type LeaderSchedule, type LeadershipParameters, leaderOf, scheduleOf } from './leader.ts';
import { emptyRecord } from './safety.ts';
import type { SafetyRecord } from './types.ts';

/** Who decides in an epoch: what votes and timeouts of it are judged by. */
export interface Electorate {
  readonly domain: ChainDomain;
  readonly epoch: Epoch;
  readonly set: ValidatorSet;
}

export interface EpochContext extends Electorate {
  readonly descriptor: EpochDescriptor;
  /** Of the descriptor: `validatorsHash` of the epoch's headers. */
  readonly hash: Digest;
  /** Heights in an epoch; 0: it ends only where validators change. From the genesis. */
  readonly epochLength: number;
  /** As the genesis chose: the same in every epoch. */
  readonly leadership: LeadershipParameters;
  readonly leaders: LeaderSchedule;
  /** What blocks up to here asked of the validators has taken effect before this epoch. */
  readonly settledHeight: Height;
  /** Certificate of the block that opens the epoch, at round 0; it has no signature and is valid by its id. */
  readonly rootQC: QuorumCertificate;
  /** Of the epoch before, whose offences are judged still (CS-14). Absent in the first. */
  readonly before?: Electorate;
}

/** Of the genesis: the same in every epoch. */
export interface EpochParameters extends LeadershipParameters {
  /** Default: 0. */
  readonly epochLength?: number;
}

/** The first epoch, which the genesis block opens. */
export const firstEpoch = (
  domain: ChainDomain,
  set: ValidatorSet,
  parameters: EpochParameters,
): EpochContext =>
  epochContext(domain, firstDescriptor(domain, set), genesisCertificate(domain, FIRST_EPOCH), parameters);

/** The first epoch's, which every node computes out of the genesis: its seed is the hash of the genesis. */
export const firstDescriptor = (domain: ChainDomain, validators: ValidatorSet): EpochDescriptor => ({
  epoch: FIRST_EPOCH,
  validators,
  seed: domain.genesisHash,
  passedOver: [],
});

/** The certificate of an epoch's root: as the QC of round 0, valid by the block's id alone, without a signature. */
export const rootCertificate = (
  epoch: Epoch,
  { height, id, parentId }: { readonly height: Height; readonly id: BlockId; readonly parentId: BlockId },
): QuorumCertificate => ({
  epoch,
  round: ROOT_ROUND,
  height,
  blockId: id,
  parentId,
  parentRound: ROOT_ROUND,
  signers: new Uint8Array(0),
  signature: new Uint8Array(0),
});

/**
 * The epoch that a change leads to: the last block of the one before is its root, at round 0 (CS-16). `change` is verified.
 * @param of any epoch of the chain @param ended the one that ends, where it is not `of`
 */
export function epochAfter(
  of: EpochContext,
  { qc, proof }: EpochChange,
  ended: Pick<EpochDescriptor, 'epoch' | 'validators'> = of.descriptor,
): EpochContext {
  const { domain, leadership, epochLength } = of;
  const { height, blockId: id, parentId } = qc;
  const rootQC = rootCertificate(proof.next.epoch, { height, id, parentId });
  const parameters = { ...leadership, epochLength };
  return {
    ...epochContext(domain, proof.next, rootQC, parameters),
    settledHeight: settledBy({ proof }),
    ...(ended.epoch === qc.epoch ? { before: { domain, epoch: qc.epoch, set: ended.validators } } : {}),
  };
}

/** The last block of an epoch states how far what was asked for takes effect with it. */
export const settledBy = ({ proof }: Pick<EpochChange, 'proof'>): Height =>
  proof.last.path[0].header.executed.height;

/** The epoch in which what is durable was left; `genesis` is the first. */
export const epochNow = (
  genesis: EpochContext,
  { change, ended }: Pick<Recovered, 'change' | 'ended'>,
): EpochContext => (change === undefined ? genesis : epochAfter(genesis, change, ended));

/**
 * What of a durable record counts in the present epoch. After a reset of the chain the record may be of a later one: then
 * nothing of it does, and nothing is signed before that epoch is reached again (ST-9).
 */
export const recordIn = (
  { epoch, rootQC }: EpochContext,
  { record }: Pick<Recovered, 'record'>,
): SafetyRecord => (record.epoch === epoch ? record : emptyRecord(rootQC));

export function epochContext(
  domain: ChainDomain,
  descriptor: EpochDescriptor,
  rootQC: QuorumCertificate,
  { leaderSchedule, leaderReputation, vrf, epochLength = 0 }: EpochParameters,
): EpochContext {
  const { epoch, validators: set } = descriptor;
  const leadership = { leaderSchedule, leaderReputation, vrf };
  const leaders = scheduleOf(descriptor, leadership);
  const hash = epochHashOf(descriptor);
  return {
    ...{ domain, epoch, set, descriptor, hash, epochLength, leadership, leaders, rootQC },
    settledHeight: GENESIS_HEIGHT,
  };
}

/**
 * Who judges an offence of an epoch (CS-14): the present one and the one before, for whoever leaves by its last block signs what
 * it likes there. Undefined: nobody any more, or not yet.
 */
export const electorateOf = (present: EpochContext, epoch: Epoch): Electorate | undefined =>
  [present, present.before].find((one) => one?.epoch === epoch);

export const leaderAt = (epoch: EpochContext, round: Round): Address => leaderOf(epoch.leaders, round);
