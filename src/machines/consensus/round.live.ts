/**
 * What a round knows, and the small steps over it. Pure. Rules CS-3, CS-9, docs/protocol/consensus.md; what its steps mean is in
 * protocol/consensus/round-state.ts. The leader's part is in round.proposing.ts, everybody's in round.voting.ts.
 */
import type { Monotonic, WallTime } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import type { VrfEngine } from '../../crypto/vrf.ts';
import { nextRound } from '../../protocol/chain/ordinals.ts';
import type { Address, BatchReference, Block, BlockId, Evidence, Round } from '../../protocol/chain/types.ts';
import { type EpochContext, leaderAt } from '../../protocol/consensus/epoch.ts';
import type { BlockLimits, ProposalWait } from '../../protocol/consensus/proposal.ts';
import {
  newRoundState,
  type RoundInput as RoundHappening,
  type RoundState,
  stepRound,
} from '../../protocol/consensus/round-state.ts';
import type { TimelinessConfig } from '../../protocol/consensus/timeliness.ts';
import type { PeerMessage, ProposalMessage } from '../../protocol/consensus/types.ts';
import type { VerifiedCertificates } from '../../protocol/consensus/verified.ts';
import type {
  ChainFacts,
  EvidenceQuestion,
  ProofRequested,
  RoundEntered,
  RoundReport,
} from '../../protocol/ports/consensus.ts';
import type { MempoolRequest } from '../../protocol/ports/mempool.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { Decision } from '../vocabulary/index.ts';

/** What every round of an epoch is given. */
export interface RoundSetting {
  readonly epoch: EpochContext;
  readonly self: Address;
  readonly bls: BlsEngine;
  readonly vrf: VrfEngine;
  readonly limits: BlockLimits;
  readonly timeliness: TimelinessConfig;
  readonly router: CellAddress;
  readonly safety: CellAddress;
  readonly viewChange: CellAddress;
  readonly mempool: CellAddress;
  readonly evidencePool: CellAddress;
}

export interface RoundInput {
  readonly setting: RoundSetting;
  readonly roundManager: CellAddress;
  readonly entered: RoundEntered;
  readonly lockedRound: Round;
  readonly facts: ChainFacts;
  /** Certificates that need no second look, those that opened the round among them. */
  readonly verified: VerifiedCertificates;
}

/** The leader's proposal, as this node received and checked it. */
export interface Candidate {
  readonly block: Block;
  readonly blockId: BlockId;
  readonly from: Address;
  readonly receivedAt: WallTime;
  readonly batches: 'missing' | 'held';
  /** Whether the evidence-pool was asked about what it carries, once its parent is known, and what it said. */
  readonly evidence: 'none' | 'unasked' | 'asked' | 'valid';
  /** Why it is not voted for yet; empty once the vote was asked for. */
  readonly waits: readonly ProposalWait[];
}

/** How far the leader's own block is: evidence asked for, payload asked for, signature asked for, sent. */
type Composition = 'none' | 'gathering' | 'selecting' | 'signing' | 'sent';

export interface RoundContext extends RoundInput {
  readonly state: RoundState;
  readonly candidate?: Candidate;
  /** Wall time at which this node entered it. */
  readonly openedAt: WallTime;
  readonly voteAsked: boolean;
  readonly composition: Composition;
  /** The leader's own, where the genesis chose VRF (CS-17). */
  readonly vrfProof?: Uint8Array;
  /** Selected for its block, which waits for that proof. */
  readonly selected?: readonly BatchReference[];
  /** What the leader's block will carry. */
  readonly evidence: readonly Evidence[];
  /** The leader's own, once it was sent. */
  readonly proposal?: ProposalMessage;
  /** Why this node did not vote, if it refused. */
  readonly refusal?: { readonly code: string; readonly detail: string };
}

export type RoundPrivateEvent =
  | { readonly type: 'proposal.dueNow' }
  | { readonly type: 'candidate.lookAgain' }
  | { readonly type: 'proposal.missed' };

export interface Clock {
  readonly now: Monotonic;
  readonly wall: WallTime;
  readonly address: CellAddress;
}

export const leads = ({ entered, setting }: RoundInput): boolean => entered.leader === setting.self;
export const isLive = ({ state }: RoundContext): boolean => state.step === 'Propose';

export const report = (context: RoundContext, message: RoundReport): Effect =>
  telling(context.roundManager, message);
export const askMempool = (context: RoundContext, request: MempoolRequest): Effect =>
  telling(context.setting.mempool, request);

export const askEvidencePool = (context: RoundContext, question: EvidenceQuestion): Effect =>
  telling(context.setting.evidencePool, question);

export const happened = (context: RoundContext, happening: RoundHappening): RoundContext => ({
  ...context,
  state: stepRound(context.state, happening),
});

export const timer = (key: string, delayMs: number, message: RoundPrivateEvent): Effect => ({
  kind: 'startTimer',
  key,
  delayMs,
  message,
});

/** CS-17: safety makes the proof of a round that this validator leads; without `replyTo`, ahead of it. */
export const askProof = (
  { setting }: RoundContext,
  round: Round,
  replyTo?: CellAddress,
): readonly Effect[] => {
  if (!setting.epoch.leadership.vrf || leaderAt(setting.epoch, round) !== setting.self) return [];
  const request: ProofRequested = { type: 'proof.requested', epoch: setting.epoch.epoch, round };
  return [telling(setting.safety, replyTo === undefined ? request : { ...request, replyTo })];
};

/** What a peer missed that was not connected: the leader's proposal, or the vote that it collects. */
export function repeatTo({ proposal, state, setting, entered }: RoundContext, peer: Address): Effect[] {
  const send = (message: PeerMessage): Effect[] => [
    telling(setting.router, { type: 'network.sendRequested', outgoing: [{ to: [peer], message }] }),
  ];
  if (state.step === 'TimedOut') return [];
  if (proposal !== undefined) return send(proposal);
  const vote = state.votes.proposal.get(setting.self);
  const collects = peer === entered.leader || peer === leaderAt(setting.epoch, nextRound(entered.round));
  return vote !== undefined && collects ? send({ kind: 'Vote', vote }) : [];
}

/** One decision after the other, over the context that the first leaves. */
export function inTurn(
  first: Decision<RoundContext>,
  context: RoundContext,
  second: (context: RoundContext) => Decision<RoundContext>,
) {
  const after = second({ ...context, ...first.context });
  return {
    context: after.context ?? first.context,
    effects: [...(first.effects ?? []), ...(after.effects ?? [])],
  };
}

/** A round that nothing was heard of; `context` of the chart. */
export function initialRound(input: RoundInput, openedAt: WallTime): RoundContext {
  const { setting, entered, lockedRound } = input;
  const { epoch } = setting.epoch;
  const { round, leader, highQC } = entered;
  const state = newRoundState({ epoch, round, proposer: leader, lockedRound, highQC });
  return { ...input, state, openedAt, voteAsked: false, composition: 'none', evidence: [] };
}
