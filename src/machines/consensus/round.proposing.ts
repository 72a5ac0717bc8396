/**
 * How a round opens, and what its leader does: when the block is due, what is in it, and who is told the QC where none comes.
 * Pure. Rules CS-4b, CS-9, CS-10, TM-7, TM-8, SY-7, docs/protocol/consensus.md; protocol/consensus/proposal.ts makes the block.
 */
import { wallTime } from '../../base/units.ts';
import { blockIdOf } from '../../protocol/chain/canonical.ts';
import { nextHeight, previousRound } from '../../protocol/chain/ordinals.ts';
import type { BatchReference, Evidence } from '../../protocol/chain/types.ts';
import { leaderAt } from '../../protocol/consensus/epoch.ts';
import { buildBlock, fitPayload } from '../../protocol/consensus/proposal.ts';
import { blockTime } from '../../protocol/consensus/timeliness.ts';
import type { ChainFacts, ProposalRequested, SafetyAnswer } from '../../protocol/ports/consensus.ts';
import type { MempoolRequest } from '../../protocol/ports/mempool.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
import { syncBeforeProduction } from '../../protocol/sync/production.ts';
import type { Decision } from '../vocabulary/index.ts';
import {
  askEvidencePool,
  askMempool,
  askProof,
  type Clock,
  happened,
  inTurn,
  isLive,
  leads,
  type RoundContext,
  report,
  timer,
} from './round.live.ts';

/** The round opens: its leader proposes or says what it holds; the leader before it watches for a silent one. */
export function open(context: RoundContext, clock: Clock): Decision<RoundContext> {
  const { entered, setting } = context;
  const opened = happened(context, { type: 'entered', deadlines: entered.deadlines });
  if (leads(context)) {
    const composing = compose(opened, clock);
    const effects = [...askProof(context, entered.round, clock.address), ...(composing.effects ?? [])];
    // CS-4b: the collector of the QC proposes at once, or tells it.
    return isComposing(composing.context?.composition)
      ? { context: composing.context, effects }
      : { context: composing.context, effects: [...tellQc(context), ...effects] };
  }
  const previous = previousRound(entered.round);
  const wasLeader = previous !== undefined && leaderAt(setting.epoch, previous) === setting.self;
  const missedIn = Math.max(0, entered.deadlines.propose - clock.now);
  const watchful = timer('missed', missedIn, { type: 'proposal.missed' });
  return { context: opened, effects: wasLeader ? [watchful] : [] };
}

/** How much later than it is selected evidence may be proposed. @unit ms @source chosen: above the wait for a payload */
const EVIDENCE_LEAD_MS = 10_000;

const isComposing = (composition: RoundContext['composition'] | undefined): boolean =>
  composition === 'gathering' || composition === 'selecting';

/** SY-7: what the round holds answers it; nobody is asked. Whoever has entered a round holds the certificate that opened it. */
const mayProduce = ({ parent, executed, nextHash, sync }: ChainFacts): boolean =>
  syncBeforeProduction({
    holdsEntry: true,
    holdsParent: parent !== undefined,
    hasExecuted: executed !== undefined && nextHash !== undefined,
    ...sync,
  }).proceed;

/** CS-9, CS-10: with work at once, else when it is due; never before this node holds and executed the parent. */
export function compose(context: RoundContext, clock: Clock): Decision<RoundContext> {
  const { facts, composition, entered } = context;
  if (!leads(context) || !isLive(context) || composition !== 'none') return { context };
  // TM-7: a node without adjusted time proposes nothing; it votes all the same.
  if (!facts.mayPropose) return { context };
  if (facts.parent === undefined || !mayProduce(facts)) return { context };
  const idleFor = facts.hasWork ? 0 : entered.idleUntil - clock.now;
  // TM-8: a block's time is not ahead of this clock by more than the precision.
  const { notBefore, time } = blockTime(context.setting.timeliness, clock.wall, facts.parent.time);
  const earlyFor = notBefore - clock.wall;
  const waitFor = Math.max(idleFor, earlyFor);
  if (waitFor > 0) return { context, effects: [timer('due', waitFor, { type: 'proposal.dueNow' })] };
  if (!facts.evidenceWaits) return select(context, clock);
  // CS-14: a block of a later time must not be too late for it either.
  const at = { height: nextHeight(entered.highQC.height), time: wallTime(time + EVIDENCE_LEAD_MS) };
  const named = facts.namedOffences;
  const question = {
    type: 'evidence.requested',
    replyTo: clock.address,
    tag: entered.round,
    at,
    named,
  } as const;
  return {
    context: { ...context, composition: 'gathering' },
    effects: [{ kind: 'cancelTimer', key: 'due' }, askEvidencePool(context, question)],
  };
}

/** The evidence that the block will carry, however little; then its payload. */
export function gathered(
  context: RoundContext,
  evidence: readonly Evidence[],
  clock: Clock,
): Decision<RoundContext> {
  if (context.composition !== 'gathering' || !isLive(context)) return {};
  return select({ ...context, evidence }, clock);
}

function select(context: RoundContext, clock: Clock): Decision<RoundContext> {
  const { facts, entered, setting } = context;
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
  const { vrfProof } = context;
  if (setting.epoch.leadership.vrf && vrfProof === undefined) return { context: { selected: batches } };
  const { parent, executed, nextHash } = facts;
  if (parent === undefined || executed === undefined || nextHash === undefined || !facts.mayPropose)
    return { context: { composition: 'none', evidence: [] } };
  // CS-16: what ends an epoch, and what is above it, is empty.
  const goesOn = nextHash === setting.epoch.hash;
  const block = buildBlock(setting.epoch, {
    round: entered.round,
    proposer: setting.self,
    qc: entered.highQC,
    time: blockTime(setting.timeliness, clock.wall, parent.time).time,
    executed,
    nextHash,
    batches: goesOn ? fitPayload(setting.limits, batches, facts.namedBatches) : [],
    evidence: goesOn ? context.evidence : [],
    vrfProof,
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

/** CS-17: the block may be made, if it waited for this alone. */
export function proved(
  context: RoundContext,
  { round, proof }: Extract<SafetyAnswer, { type: 'proof.made' }>,
  clock: Clock,
): Decision<RoundContext> {
  if (round !== context.entered.round) return {};
  const known = { ...context, vrfProof: proof };
  if (known.selected === undefined) return { context: known };
  return inTurn({ context: known }, context, (next) => propose(next, known.selected ?? [], clock));
}

/** CS-4b: whoever holds the QC that opened the round, and proposes nothing now, tells it to all. */
export function tellQc({ entered: { entry }, setting }: RoundContext): Effect[] {
  if (entry.by !== 'qc' || entry.qc.round === setting.epoch.rootQC.round) return [];
  const message = { kind: 'QC', qc: entry.qc } as const;
  return [telling(setting.router, { type: 'network.sendRequested', outgoing: [{ to: 'all', message }] })];
}
