/** What everything said in one epoch is judged by: domain, validators, leaders, root. Plain data. Pure. CS-15, CS-16. */
import { genesisCertificate } from '../chain/canonical.ts';
import { FIRST_EPOCH } from '../chain/ordinals.ts';
import type { Address, ChainDomain, Epoch, QuorumCertificate, Round, ValidatorSet } from '../chain/types.ts';
import { type LeaderSchedule, leaderOf, roundRobin } from './leader.ts';

export interface EpochContext {
  readonly domain: ChainDomain;
  readonly epoch: Epoch;
  readonly set: ValidatorSet;
  readonly leaders: LeaderSchedule;
  /** Certificate of the block that opens the epoch, at round 0; it has no signature and is valid by its id. */
  readonly rootQC: QuorumCertificate;
}

/** The first epoch, which the genesis block opens; round-robin leaders. */
export function firstEpoch(domain: ChainDomain, set: ValidatorSet): EpochContext {
  return {
    domain,
    epoch: FIRST_EPOCH,
    set,
    leaders: roundRobin(set),
    rootQC: genesisCertificate(domain, FIRST_EPOCH),
  };
}

export const leaderAt = (epoch: EpochContext, round: Round): Address => leaderOf(epoch.leaders, round);
