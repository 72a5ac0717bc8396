/** When a node is ready to be used, and why not: `/readyz`, `althing health`, `catching_up`. Pure and total. */
import { isDiverged, load } from '../machines/bridge/bridge.setup.ts';
import { describePartition } from '../protocol/bridge/partition.ts';
import type { Address, Height, Power } from '../protocol/chain/types.ts';
import type { SyncStatus } from '../protocol/sync/types.ts';
import type { CloseReason } from '../protocol/transport/closing.ts';
import type { BridgeView } from './bridge-report.ts';

/** How far this node is with the chain. */
export interface Standing {
  /** As network-sync has it; undefined while its cell is down. */
  readonly sync: SyncStatus | undefined;
  /** Committed blocks are being fetched from peers. */
  readonly fetching: boolean;
  /** Why blocks are not executed; undefined while they are. */
  readonly executionFailure: string | undefined;
  readonly committedHeight: Height;
  readonly executedHeight: Height;
}

export interface HealthFacts extends Standing {
  /** In the present set: else it follows, and needs no quorum in reach and no time to propose by (CS-19). */
  readonly isValidator: boolean;
  /** Why this validator cannot sign in the epoch; undefined: it can (CS-16). */
  readonly missingKey: string | undefined;
  /** Of peers that could not be connected, and why not; each once. */
  readonly refusedBy: readonly PeerRefusal[];
  readonly reachablePower: Power;
  readonly quorumPower: Power;
  /** Consensus has read its state back. */
  readonly recovered: boolean;
  /** There is adjusted time (TM-7). */
  readonly mayPropose: boolean;
  /** The one way in for operations; undefined while its cell is down. */
  readonly bridge: Pick<BridgeView, 'reach' | 'context'> | undefined;
  /** Longest recent stall of the event loop. @unit ms */
  readonly loopLagMs: number;
  readonly loopLagMsMax: number;
}

/** Why this node is not connected to a peer, where trying again will not help by itself (TP-1). */
export interface PeerRefusal {
  readonly peer: Address;
  readonly reason: CloseReason;
}

/** Committed blocks that may wait for the application before what it answers is stale. @unit heights @source chosen: seconds at full pace */
export const EXECUTED_BEHIND_MAX = 100;

const behind = ({ committedHeight, executedHeight }: Standing): number => committedHeight - executedHeight;

/**
 * True while the answers of this node's application are not, or may not be, those of the chain's tip: also on a fork, and far
 * behind with nobody to fetch from. Whoever reads `catching_up` does so before using what a node answers.
 */
export const isCatchingUp = (standing: Standing): boolean =>
  standing.fetching ||
  standing.sync?.kind === 'Critical' ||
  behind(standing) > EXECUTED_BEHIND_MAX ||
  (standing.executionFailure !== undefined && behind(standing) > 0);

/** One sentence for each reason; none means ready. */
export function reasonsAgainst(facts: HealthFacts): readonly string[] {
  const { executionFailure, executedHeight, committedHeight, loopLagMs } = facts;
  const reasons: string[] = [...reachReasons(facts)];
  if (facts.fetching) reasons.push('blocks are being fetched from peers');
  reasons.push(...behindNetwork(facts.sync));
  if (!facts.recovered) reasons.push('consensus has not recovered from the store');
  if (facts.isValidator && !facts.mayPropose) reasons.push('no adjusted time: this node does not propose');
  if (facts.missingKey !== undefined) reasons.push(facts.missingKey);
  if (executionFailure !== undefined) reasons.push(`blocks are not executed: ${executionFailure}`);
  if (behind(facts) > EXECUTED_BEHIND_MAX) {
    reasons.push(`the application is at height ${executedHeight}, the chain at ${committedHeight}`);
  }
  reasons.push(...bridgeReasons(facts.bridge));
  if (loopLagMs > facts.loopLagMsMax) {
    reasons.push(`the event loop stalled for ${Math.round(loopLagMs)} ms`);
  }
  return reasons;
}

/** A validator needs a quorum; another node one validator, which takes its operations. */
function reachReasons(facts: HealthFacts): readonly string[] {
  const { isValidator, reachablePower, quorumPower, refusedBy } = facts;
  if (reachablePower >= (isValidator ? quorumPower : 1n)) return [];
  const missing = isValidator
    ? `reachable validators have power ${reachablePower}, a quorum needs ${quorumPower}`
    : 'no validator is connected: there is nobody to tell the height of the chain, or to hand operations to';
  return [missing, ...refusedBy.map(describePeerRefusal)];
}

function describePeerRefusal({ peer, reason }: PeerRefusal): string {
  const wrong = reason === 'WRONG_GENESIS' || reason === 'WRONG_CHAIN';
  return `no connection to ${peer}: ${reason}${wrong ? '; compare config/genesis.json with theirs' : ''}`;
}

/** A small gap is the way of a tip that moves; whether anybody answers is the quorum's line. */
function behindNetwork(sync: SyncStatus | undefined): readonly string[] {
  switch (sync?.kind) {
    case 'MediumGap':
    case 'LargeGap':
      return [`${sync.gap} blocks behind the network`];
    case 'Critical':
      return [`sync needs its operator: ${sync.reason}`];
    default:
      return [];
  }
}

/** BR-9. That a quorum cannot be reached is said already. */
function bridgeReasons(bridge: HealthFacts['bridge']): readonly string[] {
  if (bridge === undefined) return ['no operations are taken: the bridge is down'];
  const { partition, config } = bridge.context;
  const reasons: string[] = [];
  if (isDiverged(bridge.context))
    reasons.push("the state of this node is not the chain's: see divergences/ in its home");
  if (partition !== undefined && partition.cause !== 'unreachable') {
    reasons.push(describePartition(partition, 0n));
  }
  if (load(bridge.context) >= config.maxPendingOperations) {
    reasons.push(`${config.maxPendingOperations} operations are pending: no more are taken`);
  }
  return reasons;
}
