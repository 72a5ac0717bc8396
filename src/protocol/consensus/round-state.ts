/**
 * One round in Tendermint's words, for its chart and its readers. The step is a label without safety weight: what
 * may be signed is safety.ts' to say. Pure transitions; one that is out of order changes nothing. "RoundState".
 */
import type { Monotonic } from '../../base/units.ts';
import type {
  Address,
  Block,
  BlockId,
  Epoch,
  Height,
  QuorumCertificate,
  Round,
  Vote,
} from '../chain/types.ts';
import type { RoundDeadlines } from './pacemaker.ts';
import type { ViewChangeMessage } from './types.ts';

/** For readers of Tendermint: the vote on round r's block is the prevote of r and the precommit of its parent. */
export type RoundStep =
  | 'NewRound'
  | 'Propose'
  /** This validator voted. */
  | 'Prevote'
  /** The block's QC was seen. */
  | 'Precommit'
  /** Its child's QC committed it. */
  | 'Commit'
  | 'TimedOut'
  /** Another chain was committed past it. */
  | 'Abandoned';

export interface RoundState {
  readonly epoch: Epoch;
  readonly round: Round;
  /** Filled in by the proposal. */
  readonly height?: Height;
  readonly step: RoundStep;
  readonly proposal?: Block;
  readonly proposalId?: BlockId;
  readonly proposer: Address;
  /** Vote types: for the proposal, and for giving the round up. */
  readonly votes: {
    readonly proposal: ReadonlyMap<Address, Vote>;
    readonly timeout: ReadonlyMap<Address, ViewChangeMessage>;
  };
  readonly lockedRound: Round;
  readonly lockedValue?: BlockId;
  /** Of the highest QC known. */
  readonly validRound: Round;
  readonly validValue?: BlockId;
  /** When the wait of each step ends. */
  readonly timeouts: { readonly Propose?: Monotonic; readonly Prevote?: Monotonic };
}

export type RoundInput =
  | { readonly type: 'entered'; readonly deadlines: RoundDeadlines }
  | { readonly type: 'proposed'; readonly block: Block; readonly id: BlockId }
  /** This validator's vote; its block's parent is the lock now. */
  | { readonly type: 'voted'; readonly vote: Vote }
  | { readonly type: 'voteSeen'; readonly vote: Vote }
  | { readonly type: 'timeoutSeen'; readonly message: ViewChangeMessage }
  | { readonly type: 'certified'; readonly qc: QuorumCertificate }
  | { readonly type: 'committed' }
  | { readonly type: 'timedOut' }
  | { readonly type: 'abandoned' };

/** A round that has not been entered. `lock` and `highQC` are what this validator holds at that moment. */
export function newRoundState(start: {
  readonly epoch: Epoch;
  readonly round: Round;
  readonly proposer: Address;
  readonly lockedRound: Round;
  readonly lockedValue?: BlockId | undefined;
  readonly highQC: QuorumCertificate;
}): RoundState {
  const { epoch, round, proposer, lockedRound, lockedValue, highQC } = start;
  return {
    epoch,
    round,
    step: 'NewRound',
    proposer,
    votes: { proposal: new Map(), timeout: new Map() },
    lockedRound,
    ...(lockedValue === undefined ? {} : { lockedValue }),
    validRound: highQC.round,
    validValue: highQC.blockId,
    timeouts: {},
  };
}

/** Where each step may lead; a step that is not named leads nowhere. */
const NEXT_STEPS: Readonly<Record<RoundStep, readonly RoundStep[]>> = {
  NewRound: ['Propose', 'Prevote', 'Precommit', 'Commit', 'TimedOut', 'Abandoned'],
  Propose: ['Prevote', 'Precommit', 'Commit', 'TimedOut', 'Abandoned'],
  Prevote: ['Precommit', 'Commit', 'TimedOut', 'Abandoned'],
  Precommit: ['Commit', 'Abandoned'],
  TimedOut: ['Precommit', 'Commit', 'Abandoned'],
  Commit: [],
  Abandoned: [],
};

/** Nothing can happen to the round any more. */
export const isFinished = ({ step }: RoundState): boolean => NEXT_STEPS[step].length === 0;

/** Applies one thing that happened to the round. */
export function stepRound(state: RoundState, input: RoundInput): RoundState {
  switch (input.type) {
    case 'entered':
      return {
        ...moved(state, 'Propose'),
        timeouts: { Propose: input.deadlines.propose, Prevote: input.deadlines.vote },
      };
    case 'proposed':
      if (state.proposal !== undefined) return state;
      return { ...state, proposal: input.block, proposalId: input.id, height: input.block.header.height };
    case 'voted':
      return {
        ...withVote(moved(state, 'Prevote'), input.vote),
        ...(input.vote.parentRound > state.lockedRound
          ? { lockedRound: input.vote.parentRound, lockedValue: input.vote.parentId }
          : {}),
      };
    case 'voteSeen':
      return withVote(state, input.vote);
    case 'timeoutSeen': {
      const timeout = new Map(state.votes.timeout).set(input.message.validator, input.message);
      return { ...state, votes: { ...state.votes, timeout } };
    }
    case 'certified':
      return {
        ...moved(state, 'Precommit'),
        ...(input.qc.round > state.validRound
          ? { validRound: input.qc.round, validValue: input.qc.blockId }
          : {}),
      };
    case 'committed':
      return moved(state, 'Commit');
    case 'timedOut':
      return moved(state, 'TimedOut');
    case 'abandoned':
      return moved(state, 'Abandoned');
  }
}

function moved(state: RoundState, step: RoundStep): RoundState {
  return NEXT_STEPS[state.step].includes(step) ? { ...state, step } : state;
}

function withVote(state: RoundState, vote: Vote): RoundState {
  if (state.votes.proposal.has(vote.validator)) return state;
  const proposal = new Map(state.votes.proposal).set(vote.validator, vote);
  return { ...state, votes: { ...state.votes, proposal } };
}
