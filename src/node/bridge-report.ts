/** The bridge for readers, read off its snapshot, with the votes of its operations' blocks. Pure. Rules BR-1 to BR-10, docs/protocol/bridge.md. */
import { type Millis, type Monotonic, millis } from '../base/units.ts';
import type { BreakerState } from '../machines/bridge/breaker.setup.ts';
import { type BridgeContext, getStats, isConsensusHealthy, load } from '../machines/bridge/bridge.setup.ts';
import { queueFullLog } from '../protocol/bridge/admission.ts';
import { type Operations, type PendingOperation, pendingOperations } from '../protocol/bridge/operations.ts';
import { describePartition, reachablePower } from '../protocol/bridge/partition.ts';
import { calculateNextInterval } from '../protocol/bridge/state-sync.ts';
import type { Address, Height } from '../protocol/chain/types.ts';
import type { BridgeReport, PacingReport, ReachState } from '../rpc/bridge-port.ts';
import type { SubmissionsRefused } from '../rpc/node-port.ts';
import { type VoteOwners, votesReceived } from './operation-votes.ts';

export interface BridgeView {
  readonly reach: ReachState;
  readonly context: BridgeContext;
}

/** What of the report other cells own. */
export interface BesideBridge extends Omit<VoteOwners, 'validators'> {
  readonly pacing: PacingReport | undefined;
  /** Operations that the links dropped. */
  readonly turnedAway: number;
  /** Of the validators, in the genesis. */
  readonly names: ReadonlyMap<Address, string>;
}

/** @param limit operations that are shown, the oldest first */
export function bridgeReport(
  { reach, context }: BridgeView,
  { pacing, turnedAway, names, ...owners }: BesideBridge,
  now: Monotonic,
  limit: number,
): BridgeReport {
  const { config, validators, partition, operations, counts, told, lastStateSync } = context;
  const stats = getStats(context);
  const closed: BreakerState = 'closed';
  const shown = oldestOf(operations, limit);
  const ids = new Set(shown.map(({ proposalId }) => proposalId));
  const votesOf = votesReceived(ids, { ...owners, validators });
  const since = (at: number): Millis => millis(Math.max(0, now - at));
  return {
    reach,
    partition: partition === undefined ? undefined : describePartition(partition, validators.totalPower),
    healedAfter: context.healedAfter === undefined ? undefined : millis(context.healedAfter),
    healthy: isConsensusHealthy(context),
    reachablePower: reachablePower(context),
    requiredVotes: validators.quorumPower,
    pending: load(context),
    pendingMax: config.maxPendingOperations,
    queued: context.queue.size,
    overdue: context.overdue,
    counts: {
      ...counts,
      ...operations.counts,
      failedOperations: stats.failedOperations,
      turnedAway,
    },
    divergences: [...context.divergences.values()],
    breakers: validators.validators
      .filter(({ address }) => address !== context.self)
      .map(({ address }) => ({ peer: address, state: context.breakers.get(address) ?? closed })),
    missing: validators.validators
      .filter(({ address }) => address !== context.self && !context.connected.has(address))
      .map(({ address }) => ({ peer: address, name: names.get(address) ?? '' })),
    stateSync: {
      height: told?.sequenceNumber,
      age: since(lastStateSync),
      interval: calculateNextInterval(context.activity, config),
    },
    pacing,
    operations: shown.map(({ proposalId, bytes, submittedAt, expiresAtHeight }) => ({
      id: proposalId,
      bytes,
      age: since(submittedAt),
      // The gateway: a height of the operation's own, or the committed height and twice a batch's life.
      expiresAtHeight: expiresAtHeight as Height,
      votesReceived: votesOf(proposalId),
    })),
  };
}

/** As the bridge's door refuses, where no place is left (BR-2); what is on its way to the bridge is not counted yet. */
export function refusalOfSubmissions(view: BridgeView | undefined): SubmissionsRefused | undefined {
  if (view === undefined) return undefined;
  const { maxPendingOperations } = view.context.config;
  if (load(view.context) < maxPendingOperations) return undefined;
  return { code: 'QUEUE_FULL', log: queueFullLog(maxPendingOperations) };
}

/** Metrics ask for none of them, often: then none is looked at. */
const oldestOf = (operations: Operations, limit: number): readonly PendingOperation[] =>
  limit === 0
    ? []
    : pendingOperations(operations)
        .sort((left, right) => left.submittedAt - right.submittedAt)
        .slice(0, limit);
