/** What everything said in one epoch is judged by: domain, validators, leaders, root. Plain data. Pure. CS-15, CS-16. */
import { epochHashOf, genesisCertificate } from '../chain/canonical.ts';
import { FIRST_EPOCH } from '../chain/ordinals.ts';
import type {
  Address,
  ChainDomain,
  Digest,
  Epoch,
  EpochDescriptor,
  QuorumCertificate,
  Round,
  ValidatorSet,
} from '../chain/types.ts';
import { type LeaderSchedule, leaderOf, roundRobin } from './leader.ts';

export interface EpochContext {
  readonly domain: ChainDomain;
  readonly epoch: Epoch;
  readonly set: ValidatorSet;
  readonly descriptor: EpochDescriptor;
  /** Of the descriptor: `validatorsHash` of the epoch's headers. */
  readonly hash: Digest;
  readonly leaders: LeaderSchedule;
  /** Certificate of the block that opens the epoch, at round 0; it has no signature and is valid by its id. */
  readonly rootQC: QuorumCertificate;
}

/** The first epoch, which the genesis block opens; round-robin leaders. */
export const firstEpoch = (domain: ChainDomain, set: ValidatorSet): EpochContext =>
  epochContext(domain, firstDescriptor(domain, set), genesisCertificate(domain, FIRST_EPOCH));

/** The first epoch's, which every node computes out of the genesis: its seed is the hash of the genesis. */
export const firstDescriptor = (domain: ChainDomain, validators: ValidatorSet): EpochDescriptor => ({
  epoch: FIRST_EPOCH,
  validators,
  seed: domain.genesisHash,
  passedOver: [],
});

export function epochContext(
  domain: ChainDomain,
  descriptor: EpochDescriptor,
  rootQC: QuorumCertificate,
): EpochContext {
  const { epoch, validators: set } = descriptor;
  return { domain, epoch, set, descriptor, hash: epochHashOf(descriptor), leaders: roundRobin(set), rootQC };
}

export const leaderAt = (epoch: EpochContext, round: Round): Address => leaderOf(epoch.leaders, round);
