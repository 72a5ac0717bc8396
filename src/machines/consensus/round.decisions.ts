/**
 * What a round does with its proposal: as the leader makes the block, else holds it until it may be voted for, then asks
 * safety. Pure. Rules CS-3, CS-4b, CS-9, CS-10, docs/protocol/consensus.md; what is valid is in
 * protocol/consensus/{proposal,round-state}.ts.
 */

import type { Monotonic, WallTime } from '../../base/units.ts';
import type { BlsEngine } from '../../crypto/bls/engine.ts';
import { blockIdOf } from '../../protocol/chain/canonical.ts';
import { nextHeight, nextRound, previousRound } from '../../protocol/chain/ordinals.ts';
import type { Address, BatchReference, Block, BlockId, Round } from '../../protocol/chain/types.ts';
import { type EpochContext, leaderAt } from '../../protocol/consensus/epoch.ts';
import {
  type BlockLimits,
  buildBlock,
  checkProposal,
  fitPayload,
  judgeProposal,
  type ProposalWait,
} from '../../protocol/consensus/proposal.ts';
import { describeRefusal, type Refusal } from '../../protocol/consensus/refusals.ts';
import {
  newRoundState,
  type RoundInput as RoundHappening,
  type RoundState,
  stepRound,
} from '../../protocol/consensus/round-state.ts';
import { blockTime, type TimelinessConfig } from '../../protocol/consensus/timeliness.ts';
import type { PeerMessage, ProposalMessage } from '../../protocol/consensus/types.ts';
import type { VerifiedCertificates } from '../../protocol/consensus/verified.ts';
import type {
  ChainFacts,
  ProposalCondemned,
  ProposalRequested,
  RoundEntered,
  RoundReport,
  RoundRequest,
  VoteRequested,
} from '../../protocol/ports/consensus.ts';
import type { MempoolReply, MempoolRequest } from '../../protocol/ports/mempool.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import { syncBeforeProduction } from '../../protocol/sync/production.ts';
import type { Decision } from '../vocabulary/index.ts';

/** What every round of an epoch is given. */
export interface RoundSetting {
  readonly epoch: EpochContext;
  readonly self: Address;
  readonly bls: BlsEngine;
  readonly limits: BlockLimits;
  readonly timeliness: TimelinessConfig;
  readonly router: CellAddress;
  readonly safety: CellAddress;
  readonly viewChange: CellAddress;
  readonly mempool: CellAddress;
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
interface Candidate {
  readonly block: Block;
  readonly blockId: BlockId;
  readonly from: Address;
  readonly receivedAt: WallTime;
  readonly batches: 'missing' | 'held';
  /** Why it is not voted for yet; empty once the vote was asked for. */
  readonly waits: readonly ProposalWait[];
}

/** How far the leader's own block is: payload asked for, signature asked for, sent. */
type Composition = 'none' | 'selecting' | 'signing' | 'sent';

export interface RoundContext extends RoundInput {
  readonly state: RoundState;
  readonly candidate?: Candidate;
  /** Wall time at which this node entered it. */
  readonly openedAt: WallTime;
  readonly voteAsked: boolean;
  readonly composition: Composition;
  /** The leader's own, once it was sent. */
  readonly proposal?: ProposalMessage;
  /** Why this node did not vote, if it refused. */
  readonly refusal?: { readonly code: string; readonly detail: string };
}

export type RoundPrivateEvent =
  | { readonly type: 'proposal.dueNow' }
  | { readonly type: 'candidate.lookAgain' }
  | { readonly type: 'proposal.missed' };

interface Clock {
  readonly now: Monotonic;
  readonly wall: WallTime;
  readonly address: CellAddress;
}

const leads = ({ entered, setting }: RoundInput): boolean => entered.leader === setting.self;
export const isLive = ({ state }: RoundContext): boolean => state.step === 'Propose';

const report = (context: RoundContext, message: RoundReport): Effect =>
  telling(context.roundManager, message);
const askMempool = (context: RoundContext, request: MempoolRequest): Effect =>
  telling(context.setting.mempool, request);

export const happened = (context: RoundContext, happening: RoundHappening): RoundContext => ({
  ...context,
  state: stepRound(context.state, happening),
});

const timer = (key: string, delayMs: number, message: RoundPrivateEvent): Effect => ({
  kind: 'startTimer',
  key,
  delayMs,
  message,
});

/** CS-4b: whoever holds the QC that opened the round, and proposes nothing now, tells it to all. */
export function tellQc({ entered: { entry }, setting }: RoundContext): Effect[] {
  if (entry.by !== 'qc' || entry.qc.round === setting.epoch.rootQC.round) return [];
  const message = { kind: 'QC', qc: entry.qc } as const;
  return [telling(setting.router, { type: 'network.sendRequested', outgoing: [{ to: 'all', message }] })];
}

/** The round opens: its leader proposes or says what it holds; the leader before it watches for a silent one. */
export function open(context: RoundContext, clock: Clock): Decision<RoundContext> {
  const { entered, setting } = context;
  const opened = happened(context, { type: 'entered', deadlines: entered.deadlines });
  if (leads(context)) {
    const composing = compose(opened, clock);
    // CS-4b: the collector of the QC proposes at once, or tells it.
    return composing.context?.composition === 'selecting'
      ? composing
      : { context: composing.context, effects: [...tellQc(context), ...(composing.effects ?? [])] };
  }
  const previous = previousRound(entered.round);
  const wasLeader = previous !== undefined && leaderAt(setting.epoch, previous) === setting.self;
  const missedIn = Math.max(0, entered.deadlines.propose - clock.now);
  const watchful = timer('missed', missedIn, { type: 'proposal.missed' });
  return { context: opened, effects: wasLeader ? [watchful] : [] };
}

/** SY-7: what the round holds answers it; nobody is asked. Whoever has entered a round holds the certificate that opened it. */
const mayProduce = ({ parent, executed, sync }: ChainFacts): boolean =>
  syncBeforeProduction({
    holdsEntry: true,
    holdsParent: parent !== undefined,
    hasExecuted: executed !== undefined,
    ...sync,
  }).proceed;

/** CS-9, CS-10: with work at once, else when it is due; never before this node holds and executed the parent. */
export function compose(context: RoundContext, clock: Clock): Decision<RoundContext> {
  const { facts, composition, entered, setting } = context;
  if (!leads(context) || !isLive(context) || composition !== 'none') return { context };
  // TM-7: a node without adjusted time proposes nothing; it votes all the same.
  if (!facts.mayPropose) return { context };
  if (facts.parent === undefined || !mayProduce(facts)) return { context };
  const idleFor = facts.hasWork ? 0 : entered.idleUntil - clock.now;
  // TM-8: a block's time is not ahead of this clock by more than the precision.
  const earlyFor = blockTime(setting.timeliness, clock.wall, facts.parent.time).notBefore - clock.wall;
  const waitFor = Math.max(idleFor, earlyFor);
  if (waitFor > 0) return { context, effects: [timer('due', waitFor, { type: 'proposal.dueNow' })] };
  const { batchesMax, bytesMax } = setting.limits;
  const request: MempoolRequest = {
    type: 'payload.requested',
    replyTo: clock.address,
    tag: entered.round,
    height: nextHeight(entered.highQC.height),
    exclude: facts.namedBatches,
    bytesMax,
    countMax: batchesMax,
  };
  return {
    context: { ...context, composition: 'selecting' },
    effects: [{ kind: 'cancelTimer', key: 'due' }, askMempool(context, request)],
  };
}

/** The leader's block, for safety to sign; it stands in this node's own tree before anyone else sees it. */
export function propose(
  context: RoundContext,
  batches: readonly BatchReference[],
  clock: Clock,
): Decision<RoundContext> {
  const { facts, entered, setting } = context;
  if (context.composition !== 'selecting' || !isLive(context)) return {};
  if (facts.parent === undefined || facts.executed === undefined || !facts.mayPropose)
    return { context: { composition: 'none' } };
  const block = buildBlock(setting.epoch, {
    round: entered.round,
    proposer: setting.self,
    qc: entered.highQC,
    time: blockTime(setting.timeliness, clock.wall, facts.parent.time).time,
    executed: facts.executed,
    batches: fitPayload(setting.limits, batches, facts.namedBatches),
  });
  const blockId = blockIdOf(setting.epoch.domain, block);
  const { entry, leader, round } = entered;
  const request: ProposalRequested = {
    type: 'proposal.requested',
    replyTo: clock.address,
    block,
    blockId,
    entry,
    leader,
  };
  return {
    context: { ...happened(context, { type: 'proposed', block, id: blockId }), composition: 'signing' },
    effects: [
      report(context, { type: 'proposal.authenticated', round, blockId, block }),
      telling(setting.safety, request),
    ],
  };
}

type Received = Extract<RoundRequest, { type: 'proposal.received' }>;

/** Facts about another parent than the candidate's tell only of work and commits: they were sent before it came. */
export function factsFor({ candidate, facts: known }: RoundContext, facts: ChainFacts): ChainFacts {
  if (candidate === undefined || facts.parentId === candidate.block.qc.blockId) return facts;
  const { hasWork, mayPropose, sync, committedRound } = facts;
  return { ...known, hasWork, mayPropose, sync, committedRound };
}

/** Form, signatures and certificates, once. A second block of the same leader is left to the votes (CS-4). */
export function examine(
  context: RoundContext,
  { proposal, from, receivedAt }: Received,
  clock: Clock,
): Decision<RoundContext> {
  const { setting, verified, entered } = context;
  if (context.candidate !== undefined || leads(context)) return {};
  const check = checkProposal(setting.epoch, setting.bls, verified, setting.limits, {
    message: proposal,
    from,
  });
  if (check.status === 'refused')
    return refuse(context, check.refusal, check.condemns ? from : undefined, from);
  const { block } = proposal;
  const { blockId } = check;
  const candidate: Candidate = { block, blockId, from, receivedAt, batches: 'missing', waits: ['parent'] };
  const { namedBatches, hasWork, mayPropose, sync, committedRound } = context.facts;
  // What is known is about the high QC's block; the candidate's parent may be another.
  const parentId = block.qc.blockId;
  const facts: ChainFacts = { parentId, namedBatches, hasWork, mayPropose, sync, committedRound };
  const seen = happened({ ...context, candidate, facts }, { type: 'proposed', block, id: blockId });
  const { batches } = block.header;
  // A round that was given up votes for nothing: its block is kept for the chain, its batches are not asked for.
  const wanted: Effect[] =
    batches.length === 0 || !isLive(context)
      ? []
      : [
          askMempool(context, {
            type: 'batches.wanted',
            replyTo: clock.address,
            tag: entered.round,
            references: batches,
            holders: [block.header.proposer],
            height: block.header.height,
          }),
        ];
  const held: RoundContext =
    batches.length === 0 ? { ...seen, candidate: { ...candidate, batches: 'held' } } : seen;
  return {
    context: held,
    effects: [
      { kind: 'cancelTimer', key: 'missed' },
      report(context, { type: 'proposal.authenticated', round: entered.round, blockId, block }),
      ...wanted,
    ],
  };
}

/** A refusal is visible in the round; an author that signed nonsense loses its round at once (CS-3). */
function refuse(
  context: RoundContext,
  refusal: Refusal,
  condemned: Address | undefined,
  from: Address,
): Decision<RoundContext> {
  const { setting, entered } = context;
  const message: ProposalCondemned = {
    type: 'proposal.condemned',
    round: entered.round,
    reason: 'InvalidProposal',
  };
  return {
    context: { ...context, refusal: { code: refusal.code, detail: describeRefusal(refusal) } },
    effects: [
      ...(BLAMELESS.has(refusal.code)
        ? []
        : [telling(setting.router, { type: 'peer.misbehaved', peer: from, code: refusal.code })]),
      ...(condemned === undefined ? [] : [telling(setting.viewChange, message)]),
    ],
  };
}

/** What the block says of its batches is not so; only the author can have signed that (CS-3). */
export function refuseBatches(
  context: RoundContext,
  refused: Extract<MempoolReply, { type: 'batches.refused' }>,
): Decision<RoundContext> {
  const { setting, entered, candidate } = context;
  if (candidate === undefined) return {};
  const { code, detail } = refused;
  const message: ProposalCondemned = {
    type: 'proposal.condemned',
    round: entered.round,
    reason: 'InvalidProposal',
  };
  const blame = { type: 'peer.misbehaved', peer: candidate.from, code } as const;
  const ours = code === 'TOO_MANY_WANTED';
  return {
    context: { voteAsked: true, refusal: { code, detail } },
    effects: ours ? [] : [telling(setting.router, blame), telling(setting.viewChange, message)],
  };
}

/** The round is over: nobody needs its batches fetched for a vote any more. */
export const unwant = ({ candidate, setting, entered }: RoundContext, address: CellAddress): Effect[] =>
  candidate?.batches === 'missing'
    ? [telling(setting.mempool, { type: 'batches.unwanted', replyTo: address, tag: entered.round })]
    : [];

/** Refusals that say nothing about the sender: the message only came late. */
const BLAMELESS: ReadonlySet<Refusal['code']> = new Set<Refusal['code']>(['ROUND_PASSED', 'TIME_TOO_LATE']);

/** The part of CS-3 that depends on this node: looked at again whenever one of its facts changes. */
export function judge(context: RoundContext, clock: Clock): Decision<RoundContext> {
  const { candidate, facts, entered, setting } = context;
  if (candidate === undefined || context.voteAsked || !isLive(context)) return { context };
  const { block, blockId, from, receivedAt } = candidate;
  const verdict = judgeProposal({
    block,
    currentRound: entered.round,
    parent: facts.parent,
    executed: facts.executed,
    batches: { status: candidate.batches },
    receivedAt,
    now: clock.wall,
    roundsSinceCommit: entered.round - facts.committedRound,
    timeliness: setting.timeliness,
  });
  if (verdict.status === 'refused') {
    const refused = refuse(context, verdict.refusal, verdict.condemns ? from : undefined, from);
    return { ...refused, context: { ...refused.context, voteAsked: true } };
  }
  if (verdict.status === 'parked') {
    const again =
      verdict.until === undefined
        ? []
        : [timer('again', verdict.until - clock.wall, { type: 'candidate.lookAgain' })];
    return { context: { ...context, candidate: { ...candidate, waits: verdict.waits } }, effects: again };
  }
  const next = leaderAt(setting.epoch, nextRound(entered.round));
  const request: VoteRequested = {
    type: 'vote.requested',
    replyTo: clock.address,
    block,
    blockId,
    entry: entered.entry,
    // The next leader collects; the present one is its backup.
    sendTo: next === entered.leader ? [next] : [next, entered.leader],
  };
  return {
    context: { ...context, voteAsked: true, candidate: { ...candidate, waits: [] } },
    effects: [telling(setting.safety, request)],
  };
}

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
  return { ...input, state, openedAt, voteAsked: false, composition: 'none' };
}
