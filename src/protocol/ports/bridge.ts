/**
 * What the surface asks of the bridge, and what it tells others. Messages only; the chart is `src/machines/bridge/`,
 * the rules `src/protocol/bridge/`, docs/protocol/bridge.md.
 */
import type { Digest, Height } from '../chain/types.ts';
import type { Admission } from './mempool.ts';
import type { CommittedBlock } from './storage.ts';

/** From the RPC, a client or a page: the one way in (BR-1). Answered once by `operations.answered`. */
export interface OperationsSubmitted {
  readonly type: 'operations.submitted';
  readonly replyTo: string;
  readonly tag: number;
  /** Keys the rate limit. */
  readonly client: string;
  readonly transactions: readonly Uint8Array[];
}

/** One admission for each transaction, in order. Its hash is the operation's id (seed 004: ProposalId). */
export interface OperationsAnswered {
  readonly type: 'operations.answered';
  readonly tag: number;
  readonly admissions: readonly Admission[];
}

/** To the listeners: these operations of this node can never execute any more. Those that execute are told by `block.executed`. */
export interface OperationsExpired {
  readonly type: 'operations.expired';
  readonly ids: readonly Digest[];
  readonly height: Height;
}

/** A state that is not this node's after the same height (BR-4). */
export interface StateDivergence {
  readonly height: Height;
  readonly ours: Digest;
  readonly theirs: Digest;
  /** Who says so: a validator, or a certificate, and then this node's state is not the chain's. */
  readonly by: string;
  /** Of a block that states `theirs`, where a certificate says so. */
  readonly evidence?: CommittedBlock;
}

/** bridge → alarm, safety */
export interface StateDiverged {
  readonly type: 'state.diverged';
  readonly divergence: StateDivergence;
}
