/**
 * What a round does with the leader's proposal: examines it, holds it until it may be voted for, then asks safety; or refuses
 * it, and says whose fault that is. Pure. Rule CS-3, docs/protocol/consensus.md; what is valid is in
 * protocol/consensus/proposal.ts.
 */
import { nextRound } from '../../protocol/chain/ordinals.ts';
import type { Address } from '../../protocol/chain/types.ts';
import { leaderAt } from '../../protocol/consensus/epoch.ts';
import { checkProposal, judgeProposal } from '../../protocol/consensus/proposal.ts';
import { describeRefusal, type Refusal } from '../../protocol/consensus/refusals.ts';
import type {
  ChainFacts,
  EvidenceAnswer,
  EvidenceQuestion,
  ProposalCondemned,
  RoundRequest,
  VoteRequested,
} from '../../protocol/ports/consensus.ts';
import type { MempoolReply } from '../../protocol/ports/mempool.ts';
import { type CellAddress, type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { Decision } from '../vocabulary/index.ts';
import {
  askMempool,
  type Candidate,
  type Clock,
  happened,
  isLive,
  leads,
  type RoundContext,
  report,
  timer,
} from './round.live.ts';

type Received = Extract<RoundRequest, { type: 'proposal.received' }>;

/** Form, signatures and certificates, once. A second block of the same leader is left to the votes (CS-4). */
export function examine(
  context: RoundContext,
  { proposal, from, receivedAt }: Received,
  clock: Clock,
): Decision<RoundContext> {
  const { setting, verified, entered } = context;
  if (context.candidate !== undefined || leads(context)) return {};
  const check = checkProposal(setting.epoch, setting, verified, setting.limits, {
    message: proposal,
    from,
  });
  if (check.status === 'refused') return refuse(context, check, from);
  const { block } = proposal;
  const { blockId } = check;
  const evidence = block.evidence === undefined ? 'none' : 'unasked';
  const candidate: Candidate = {
    block,
    blockId,
    from,
    receivedAt,
    batches: 'missing',
    evidence,
    waits: ['parent'],
  };
  const { namedBatches, namedOffences, evidenceWaits, hasWork, mayPropose, sync, committedRound } =
    context.facts;
  // What is known is about the high QC's block; the candidate's parent may be another.
  const parentId = block.qc.blockId;
  const named = { namedBatches, namedOffences };
  const facts: ChainFacts = { parentId, ...named, evidenceWaits, hasWork, mayPropose, sync, committedRound };
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

/** Refusals that say nothing about the sender: the message only came late. */
const BLAMELESS: ReadonlySet<Refusal['code']> = new Set<Refusal['code']>(['ROUND_PASSED', 'TIME_TOO_LATE']);

/** A refusal is visible in the round; an author that signed nonsense loses its round at once (CS-3). */
function refuse(
  context: RoundContext,
  { refusal, condemns }: { readonly refusal: Refusal; readonly condemns: boolean },
  from: Address,
) {
  return {
    context: { ...context, refusal: { code: refusal.code, detail: describeRefusal(refusal) } },
    effects: [
      ...(BLAMELESS.has(refusal.code) ? [] : [blame(context, from, refusal.code)]),
      ...(condemns ? [condemn(context)] : []),
    ],
  };
}

/** What the block says of its batches is not so; only the author can have signed that (CS-3). */
export function refuseBatches(
  context: RoundContext,
  { code, detail }: Extract<MempoolReply, { type: 'batches.refused' }>,
): Decision<RoundContext> {
  const { candidate } = context;
  if (candidate === undefined) return {};
  const ours = code === 'TOO_MANY_WANTED';
  return {
    context: { voteAsked: true, refusal: { code, detail } },
    effects: ours ? [] : [blame(context, candidate.from, code), condemn(context)],
  };
}

const blame = ({ setting }: RoundContext, peer: Address, code: string): Effect =>
  telling(setting.router, { type: 'peer.misbehaved', peer, code });

function condemn({ setting, entered: { epoch, round } }: RoundContext): Effect {
  const message: ProposalCondemned = { type: 'proposal.condemned', epoch, round, reason: 'InvalidProposal' };
  return telling(setting.viewChange, message);
}

/** Facts about another parent than the candidate's tell only of work and commits: they were sent before it came. */
export function factsFor({ candidate, facts: known }: RoundContext, facts: ChainFacts): ChainFacts {
  if (candidate === undefined || facts.parentId === candidate.block.qc.blockId) return facts;
  const { evidenceWaits, hasWork, mayPropose, sync, committedRound } = facts;
  return { ...known, evidenceWaits, hasWork, mayPropose, sync, committedRound };
}

/** The round is over: nobody needs its batches fetched for a vote any more. */
export const unwant = ({ candidate, setting, entered }: RoundContext, address: CellAddress): Effect[] =>
  candidate?.batches === 'missing'
    ? [telling(setting.mempool, { type: 'batches.unwanted', replyTo: address, tag: entered.round })]
    : [];

const isJudged = ({ evidence }: Candidate): boolean => evidence === 'none' || evidence === 'valid';

/** CS-14: once the parent is known, and with it what the block's ancestors carry, which never changes: asked once. */
function askAboutEvidence(
  { facts, setting, entered }: RoundContext,
  candidate: Candidate,
  clock: Clock,
): Effect[] {
  const { header, evidence } = candidate.block;
  if (candidate.evidence !== 'unasked' || evidence === undefined || facts.parent === undefined) return [];
  const question: EvidenceQuestion = {
    type: 'evidence.judgeRequested',
    replyTo: clock.address,
    tag: entered.round,
    evidence,
    at: { height: header.height, time: header.time },
    named: facts.namedOffences,
  };
  return [telling(setting.evidencePool, question)];
}

/** What the author has put into its block it has signed: evidence that does not belong there condemns it (CS-3). */
export function recordVerdict(
  context: RoundContext,
  { verdict }: Extract<EvidenceAnswer, { type: 'evidence.judged' }>,
  clock: Clock,
): Decision<RoundContext> {
  const { candidate } = context;
  if (candidate === undefined || !isLive(context)) return {};
  if (verdict === 'valid')
    return judge({ ...context, candidate: { ...candidate, evidence: 'valid' } }, clock);
  const refused = refuse(context, { refusal: verdict, condemns: true }, candidate.from);
  return { ...refused, context: { ...refused.context, voteAsked: true } };
}

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
    nextHash: facts.nextHash,
    batches: { status: candidate.batches },
    evidence: isJudged(candidate) ? undefined : 'unjudged',
    receivedAt,
    now: clock.wall,
    roundsSinceCommit: entered.round - facts.committedRound,
    timeliness: setting.timeliness,
  });
  if (verdict.status === 'refused') {
    const refused = refuse(context, verdict, from);
    return { ...refused, context: { ...refused.context, voteAsked: true } };
  }
  if (verdict.status === 'parked') {
    const again =
      verdict.until === undefined
        ? []
        : [timer('again', verdict.until - clock.wall, { type: 'candidate.lookAgain' })];
    const asking = askAboutEvidence(context, candidate, clock);
    const evidence = asking.length > 0 ? 'asked' : candidate.evidence;
    return {
      context: { ...context, candidate: { ...candidate, evidence, waits: verdict.waits } },
      effects: [...again, ...asking],
    };
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
