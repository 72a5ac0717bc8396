/** The rounds for readers, read off their owners' snapshots: steps, votes, and why this node does not vote. Pure. CS-3, CS-10. */
import type { RoundContext } from '../machines/consensus/round.setup.ts';
import type { FailedRound, LiveView } from '../machines/consensus/view-change.setup.ts';
import { nextHeight, ROOT_ROUND } from '../protocol/chain/ordinals.ts';
import type { Address, Power } from '../protocol/chain/types.ts';
import { powerOf } from '../protocol/chain/validator-set.ts';
import type { EpochContext } from '../protocol/consensus/epoch.ts';
import type { SafetyRecord } from '../protocol/consensus/types.ts';
import type { RoundReport, RoundsReport, ViewChangeReport } from '../rpc/node-port.ts';

/** What other cells own of it; undefined where one is down. */
export interface RoundsFacts {
  readonly view: LiveView | undefined;
  readonly record: SafetyRecord | undefined;
  /** The oldest first. */
  readonly rounds: readonly RoundContext[];
  /** Why blocks are not executed; undefined while they are. */
  readonly executionFailure: string | undefined;
}

export function roundsReport(epoch: EpochContext, facts: RoundsFacts): RoundsReport {
  const { view, record, rounds, executionFailure } = facts;
  return {
    epoch: epoch.epoch,
    current: view?.pacemaker.round ?? ROOT_ROUND,
    highQcRound: view?.pacemaker.highQC.round ?? ROOT_ROUND,
    lockedRound: record?.lockedRound ?? ROOT_ROUND,
    lastVotedRound: record?.lastVotedRound ?? ROOT_ROUND,
    quorumPower: epoch.set.quorumPower,
    rounds: rounds.map((round) => roundReport(epoch, round, executionFailure)),
    viewChanges: (view?.failures ?? []).map(viewChangeReport),
  };
}

export const viewChangeReport = (failed: FailedRound): ViewChangeReport => ({
  epoch: failed.epoch,
  round: failed.round,
  leader: failed.leader,
  reason: failed.reason,
  duration: failed.duration,
  at: failed.at,
});

function roundReport(
  epoch: EpochContext,
  context: RoundContext,
  executionFailure: string | undefined,
): RoundReport {
  const { state } = context;
  const { proposal, proposalId, height } = state;
  const sumOf = (voters: Iterable<Address>): Power =>
    [...voters].reduce((sum, address) => sum + powerOf(epoch.set, address), 0n);
  const refusal = whyNoVote(context, executionFailure);
  return {
    epoch: epoch.epoch,
    round: state.round,
    height: height ?? nextHeight(context.entered.highQC.height),
    leader: state.proposer,
    step: state.step,
    ...(proposal === undefined || proposalId === undefined ? {} : { proposal: proposalId }),
    votePower: sumOf(state.votes.proposal.keys()),
    timeoutPower: sumOf(state.votes.timeout.keys()),
    ...(refusal === undefined ? {} : { refusal }),
    enteredAt: context.openedAt,
  };
}

/**
 * What was refused, or what the vote still waits for; a leader, what its own block waits for. Without the state after the parent there
 * is neither vote nor block: where the application fails, that is the reason, and its words are given.
 */
export function whyNoVote(
  { refusal, candidate, composition, entered, facts, setting, voteAsked }: RoundContext,
  executionFailure: string | undefined,
): string | undefined {
  if (refusal !== undefined) return `${refusal.code} (${refusal.detail})`;
  if (voteAsked) return undefined;
  const leads = entered.leader === setting.self;
  const composes = leads && composition === 'none' && facts.parent !== undefined;
  const waits = candidate?.waits ?? (composes && facts.executed === undefined ? ['execution'] : []);
  if (waits.length === 0) return undefined;
  if (!waits.includes('execution')) return `waits for: ${waits.join(', ')}`;
  return executionFailure === undefined ? 'not executed yet' : `not executed: ${executionFailure}`;
}
