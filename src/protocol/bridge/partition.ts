/** Whether this node is cut off from a quorum, and why. Pure. Rule BR-10, docs/protocol/bridge.md. */
import type { Millis, Monotonic } from '../../base/units.ts';
import type { Address, Power, ValidatorSet } from '../chain/types.ts';
import { deadMax, isValidator, powerOf } from '../chain/validator-set.ts';

export interface PartitionFacts {
  readonly validators: ValidatorSet;
  readonly self: Address;
  readonly connected: ReadonlySet<Address>;
  /** Rounds that failed since the newest commit. */
  readonly failedRounds: number;
  /** The first of them; undefined while there is none. */
  readonly failingSince: Monotonic | undefined;
  /** The first round since the newest commit or failed round whose time was over here; undefined: none was. */
  readonly overdueSince: Monotonic | undefined;
}

export type Partition =
  | { readonly cause: 'unreachable'; readonly power: Power; readonly needed: Power }
  | { readonly cause: 'stalled'; readonly failedRounds: number; readonly since: Monotonic }
  /** Links may stand, but too few validators say with this one that its round is over. */
  | { readonly cause: 'silent'; readonly since: Monotonic };

/** Fewer failed rounds say nothing, however few may be dead. @unit rounds @source CS-11, round_timeout_grace */
const STALLED_ROUNDS_MIN = 3;

/** One round fails for each dead leader between two commits: as many as may be dead say nothing either. @unit rounds */
const stalledRoundsMin = (validators: ValidatorSet): number =>
  Math.max(STALLED_ROUNDS_MIN, deadMax(validators) + 1);

/** Power of the validators connected now, this one included. */
export const reachablePower = ({ validators, self, connected }: PartitionFacts): Power =>
  [self, ...connected].reduce((sum, address) => sum + powerOf(validators, address), 0n);

/**
 * What cuts this node off, if anything. A validator needs a quorum; another node one validator that takes its operations.
 * @param timeout no commit for so long while rounds fail
 */
export function partitionOf(facts: PartitionFacts, now: Monotonic, timeout: Millis): Partition | undefined {
  const { validators, self, failedRounds, failingSince, overdueSince } = facts;
  const power = reachablePower(facts);
  const needed = isValidator(validators, self) ? validators.quorumPower : 1n;
  if (power < needed) return { cause: 'unreachable', power, needed };
  const isOver = (since: Monotonic | undefined): since is Monotonic =>
    since !== undefined && now - since >= timeout;
  if (isOver(failingSince) && failedRounds >= stalledRoundsMin(validators)) {
    return { cause: 'stalled', failedRounds, since: failingSince };
  }
  return isOver(overdueSince) ? { cause: 'silent', since: overdueSince } : undefined;
}

/** Begins with the cause: what is stalled may have all its links. */
export function describePartition(partition: Partition, total: Power): string {
  switch (partition.cause) {
    case 'unreachable':
      return `unreachable: validators with power ${partition.power} of ${total} can be reached, ${partition.needed} are needed`;
    case 'stalled':
      return `stalled: ${partition.failedRounds} rounds failed since the newest commit; see \`althing rounds\``;
    case 'silent':
      return 'silent: the time of the present round is over, and no quorum says so';
  }
}
