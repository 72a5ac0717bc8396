/**
 * What round-manager does with proposals, votes, rounds and blocks that come. Pure. Rules CS-4, CS-5, CS-12, CS-13,
 * docs/protocol/consensus.md; the rules are in protocol/consensus/{block-tree,vote-book}.ts.
 */
import { blockIdOf } from '../../protocol/chain/canonical.ts';
import { previousRound, ROOT_ROUND } from '../../protocol/chain/ordinals.ts';
import type { Address, Block, Round, Vote } from '../../protocol/chain/types.ts';
import {
  certifyBlock,
  insertBlock,
  insertProven,
  noteExecuted,
} from '../../protocol/consensus/block-tree.ts';
import { leaderAt } from '../../protocol/consensus/epoch.ts';
import { describeProblem, setAfter } from '../../protocol/consensus/epoch-end.ts';
import { checkCertifiedBlock } from '../../protocol/consensus/fetched.ts';
import type { ProposalMessage } from '../../protocol/consensus/types.ts';
import { rememberTC } from '../../protocol/consensus/verified.ts';
import { addVote, forgetVotesBelow, votesBelow } from '../../protocol/consensus/vote-book.ts';
import type {
  BlocksFetched,
  RoundEntered,
  RoundRequest,
  SafetyViolated,
} from '../../protocol/ports/consensus.ts';
import type { BlockExecuted } from '../../protocol/ports/execution.ts';
import { type Effect, telling } from '../../protocol/supervision/effect.ts';
import type { Decision } from '../vocabulary/index.ts';
import type { RoundInput } from './round.live.ts';
import { metEpoch } from './round-manager.epoch.ts';
import {
  adopt,
  blamed,
  type Clock,
  COMMITTING_MAX,
  chained,
  factsOf,
  insertCandidates,
  type LiveTree,
  ROUNDS_KEPT_MAX,
  type RoundManagerContext,
  roundCellId,
  type Stepped,
  still,
  tellFacts,
  toRound,
  toStorage,
  toViewChange,
  type Waiting,
} from './round-manager.live.ts';
import { offenceSeen, showContradicted, watchVote, withNewestVotes } from './round-manager.offences.ts';
import { settle } from './round-manager.settling.ts';

/** Proposals of rounds not entered yet, kept of one leader; its oldest makes room (CS-13). @unit proposals */
const WAITING_PER_LEADER_MAX = 2;

export function enter(
  context: RoundManagerContext,
  live: LiveTree,
  entered: RoundEntered,
  clock: Clock,
): Stepped {
  const { setting } = context;
  const { domain, epoch } = setting.epoch;
  const { round, entry, highQC } = entered;
  // What block-sync was asked for before may be lost with it: a new round asks again (CS-12).
  const { wanted: _, ...asking } = live;
  return chained(
    asking,
    (now) => ({ live: now, effects: showContradicted(context, now, highQC) }),
    (now) => (highQC.round === ROOT_ROUND ? still(now) : adopt(context, now, highQC, clock)),
    (now) => {
      const verified = entry.by === 'tc' ? rememberTC(domain, now.verified, entry.tc) : now.verified;
      const kept = [...now.rounds.filter((one) => one !== round), round].slice(-ROUNDS_KEPT_MAX);
      const dropped = now.rounds.filter((one) => !kept.includes(one));
      const oldest = kept[0] ?? round;
      const facts = factsOf(setting.epoch, now, highQC);
      // A round that is there already hears anew.
      const { told: _, ...others } = now;
      const isNew = !now.rounds.includes(round);
      const next: LiveTree = {
        ...others,
        ...(isNew ? { told: facts } : {}),
        entered,
        verified,
        rounds: kept,
        newestVotes: withNewestVotes(now, votesBelow(now.votes, votesKeptFrom(round))),
        votes: forgetVotesBelow(now.votes, votesKeptFrom(round)),
        candidates: new Map([...now.candidates].filter(([one]) => one >= oldest)),
      };
      const input: RoundInput = {
        setting,
        roundManager: clock.address,
        entered,
        lockedRound: highQC.round,
        facts,
        verified,
      };
      const opened: Effect[] = isNew
        ? [{ kind: 'spawn', logic: 'round', id: roundCellId(epoch, round), input }]
        : [];
      const closed = dropped.map((one): Effect => ({ kind: 'stop', id: roundCellId(epoch, one) }));
      return { live: next, effects: [...closed, ...opened] };
    },
    (now) => deliverWaiting(context, now, clock),
    (now) => settle(context, now, clock),
  );
}

/** The backup collector of a round may be one behind, and a late vote two. */
function votesKeptFrom(round: Round): Round {
  const before = previousRound(round) ?? round;
  return previousRound(before) ?? before;
}

/** Proposals that came before their round was entered; blocks of rounds gone by may be certified. */
function deliverWaiting(context: RoundManagerContext, live: LiveTree, clock: Clock): Stepped {
  const round = live.entered?.round ?? ROOT_ROUND;
  const due: Effect[] = [];
  const late: Block[] = [];
  const waiting = new Map<Address, readonly Waiting[]>();
  for (const [leader, proposals] of live.waiting) {
    for (const { proposal, receivedAt } of proposals) {
      if (proposal.block.header.round < round) late.push(proposal.block);
      if (proposal.block.header.round !== round) continue;
      due.push(
        ...toRound(context, live, clock, round, {
          type: 'proposal.received',
          proposal,
          from: leader,
          receivedAt,
        }),
      );
    }
    const later = proposals.filter(({ proposal }) => proposal.block.header.round > round);
    if (later.length > 0) waiting.set(leader, later);
  }
  return chained(
    { ...live, waiting },
    (now) => ({ live: now, effects: due }),
    ...late.map((block) => (now: LiveTree) => receiveLate(context, now, block, clock)),
  );
}

/** A proposal comes from its leader only; its certificates go to view-change before anything else (CS-13). */
export function receiveProposal(
  context: RoundManagerContext,
  live: LiveTree,
  from: Address,
  proposal: ProposalMessage,
  clock: Clock,
): Stepped {
  const { block, vote, tc } = proposal;
  const { round, epoch } = block.header;
  const { setting } = context;
  if (epoch !== setting.epoch.epoch) return { live, effects: [metEpoch(context, from, epoch)] };
  if (leaderAt(setting.epoch, round) !== from || vote.validator !== from || vote.round !== round) {
    return { live, effects: blamed(context, from, 'NOT_THE_LEADER') };
  }
  const certificates = toViewChange(context, {
    type: 'certificates.received',
    from,
    qc: block.qc,
    ...(tc === undefined ? {} : { tc }),
  });
  const counted = countVote(context, live, from, vote, clock);
  const effects = [certificates, ...counted.effects];
  const current = live.entered?.round ?? ROOT_ROUND;
  if (round > current) {
    const before = live.waiting.get(from) ?? [];
    const waiting = new Map(live.waiting).set(
      from,
      [...before, { proposal, receivedAt: clock.wall }].slice(-WAITING_PER_LEADER_MAX),
    );
    return { live: { ...counted.live, waiting }, effects };
  }
  if (round === current) {
    const message: RoundRequest = { type: 'proposal.received', proposal, from, receivedAt: clock.wall };
    return { live: counted.live, effects: [...effects, ...toRound(context, live, clock, round, message)] };
  }
  const late = receiveLate(context, counted.live, block, clock);
  return { live: late.live, effects: [...effects, ...late.effects] };
}

/** A block that came after its QC: it is not voted for, but the chain needs it (CS-12). */
function receiveLate(context: RoundManagerContext, live: LiveTree, block: Block, clock: Clock): Stepped {
  const { epoch, bls } = context.setting;
  const id = blockIdOf(epoch.domain, block);
  const qc = live.tree.certificates.get(id);
  if (qc === undefined || live.tree.blocks.has(id)) return still(live);
  const check = checkCertifiedBlock(epoch, bls, live.verified, { block, qc });
  if (check.status === 'refused') return still({ ...live, verified: check.verified });
  const certified = [{ block, qc }];
  return chained(
    { ...live, verified: check.verified, tree: insertBlock(live.tree, { id, block }, true).tree },
    (now) => ({ live: now, effects: [toStorage(context, { type: 'blocks.certified', blocks: certified })] }),
    (now) => settle(context, insertCandidates(now), clock),
  );
}

export function countVote(
  context: RoundManagerContext,
  live: LiveTree,
  from: Address,
  vote: Vote,
  clock: Clock,
): Stepped {
  const { epoch, bls } = context.setting;
  if (vote.epoch !== epoch.epoch) return { live, effects: [metEpoch(context, from, vote.epoch)] };
  const { book, outcome } = addVote(live.votes, epoch, bls, vote);
  const next: LiveTree = { ...live, votes: book };
  const seen = toRound(context, live, clock, vote.round, { type: 'vote.seen', vote });
  const watched = watchVote(context, live, vote);
  switch (outcome.status) {
    case 'known':
      return still(next);
    case 'counted':
      return { live: next, effects: [...seen, ...watched] };
    case 'certified': {
      const bad = outcome.offenders.flatMap((one) => blamed(context, one, 'SIGNATURE_INVALID'));
      return {
        live: next,
        effects: [...seen, ...watched, ...bad, toViewChange(context, { type: 'qc.formed', qc: outcome.qc })],
      };
    }
    case 'spoiled':
      return {
        live: next,
        effects: outcome.offenders.flatMap((one) => blamed(context, one, 'SIGNATURE_INVALID')),
      };
    case 'conflict':
      return { live: next, effects: [...watched, ...offenceSeen(context, outcome.evidence)] };
    case 'refused':
      return {
        live: next,
        effects:
          outcome.refusal.code === 'ROUND_BELOW_WINDOW' ? [] : blamed(context, from, outcome.refusal.code),
      };
  }
}

/** CS-12: the whole chain at once; then what it commits, and only what is still uncommitted is stored as certified. */
export function takeFetched(
  context: RoundManagerContext,
  live: LiveTree,
  { blocks, verified }: BlocksFetched,
  clock: Clock,
): Stepped {
  const { self } = context.setting;
  const { wanted: _, ...rest } = live;
  const nodes = blocks.map(({ block, qc }) => ({ id: qc.blockId, block }));
  const tree = verified.reduce(certifyBlock, insertProven(live.tree, nodes));
  const newest = verified.at(-1);
  const higher: Effect[] =
    newest !== undefined && newest.round > live.highQC.round
      ? [toViewChange(context, { type: 'certificates.received', from: self, qc: newest })]
      : [];
  return chained(
    { ...rest, tree },
    (now) => ({ live: now, effects: higher }),
    (now) => settle(context, insertCandidates(now), clock),
    (now) => {
      // As the tree has them: neither what no id covers is the sender's to say, nor a certificate that nobody verified.
      const held = blocks.flatMap(({ qc: { blockId } }) => {
        const node = now.tree.blocks.get(blockId);
        const qc = now.tree.certificates.get(blockId);
        return node === undefined ? [] : [{ block: node.block, ...(qc === undefined ? {} : { qc }) }];
      });
      const kept = held.length === 0 ? [] : [toStorage(context, { type: 'blocks.certified', blocks: held })];
      return { live: now, effects: kept };
    },
  );
}

/** What a block's execution came to, and what it asked for: validators that no node can follow halt every node (CS-16). */
export function recordExecuted(
  context: RoundManagerContext,
  live: LiveTree,
  { blockId, executed, validatorUpdates }: BlockExecuted,
  clock: Clock,
): Stepped {
  const { epoch, bls } = context.setting;
  // Who was told how an epoch ended may execute what it came of only now: that has taken effect.
  const asked = executed.height > epoch.settledHeight ? validatorUpdates : [];
  const tree = noteExecuted(live.tree, blockId, executed, asked);
  const next = { ...live, tree };
  if (asked.length === 0) {
    return tree.root.endsEpoch ? settle(context, next, clock) : tellFacts(context, next, clock);
  }
  const after = setAfter(
    epoch.set,
    tree.updates.flatMap(({ updates }) => updates),
    bls,
  );
  if (!('code' in after)) return settle(context, next, clock);
  const detail = `the block at height ${executed.height} asks for validators that cannot be: ${describeProblem(after)}`;
  const violated: SafetyViolated = { type: 'safety.violated', detail };
  return {
    live: next,
    effects: [context.alarm, context.setting.safety].map((to) => telling(to, violated)),
  };
}

export function recordDurableCommit(
  context: RoundManagerContext,
  live: LiveTree,
  tag: number,
  clock: Clock,
): Stepped {
  const done = live.committing.filter((one) => one.tag <= tag);
  const blocks = done.flatMap((one) => one.blocks);
  const newest = blocks.at(-1);
  if (newest === undefined) return still(live);
  const { epoch, height, round } = newest.block.header;
  const told: Effect[] = [
    ...context.commitListeners.map((listener) => telling(listener, { type: 'blocks.committed', blocks })),
    toViewChange(context, { type: 'commit.advanced', epoch, height, round }),
  ];
  return chained(
    { ...live, committing: live.committing.filter((one) => one.tag > tag) },
    (now) => ({ live: now, effects: told }),
    // Commits that did not fit on the way to the disk; and the end of an epoch waits for all of them.
    (now) =>
      live.committing.length < COMMITTING_MAX && !now.tree.root.endsEpoch
        ? still(now)
        : settle(context, now, clock),
  );
}

/** A step over the live part; nothing happens before recovery. */
export function alive(
  { live }: RoundManagerContext,
  decide: (live: LiveTree) => Stepped,
): Decision<RoundManagerContext> {
  if (live === undefined) return {};
  const stepped = decide(live);
  return { context: { live: stepped.live }, effects: stepped.effects };
}
