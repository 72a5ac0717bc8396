/**
 * What follows whenever round-manager's tree grew: what it commits goes to the disk, the epoch ends with it, what is missing is
 * asked for, the round hears. Pure. Rules CS-5, CS-12, CS-16; protocol/consensus/block-tree.ts.
 */
import { signersOf } from '../../protocol/chain/signers.ts';
import { type BlockTree, missingFor } from '../../protocol/consensus/block-tree.ts';
import { type CommitStep, commitReady } from '../../protocol/consensus/commit-rule.ts';
import { standingWith } from '../../protocol/consensus/epoch-end.ts';
import type { BlocksWanted, SafetyViolated } from '../../protocol/ports/consensus.ts';
import { telling } from '../../protocol/supervision/effect.ts';
import { endEpoch, withSuffix } from './round-manager.epoch.ts';
import {
  type Clock,
  COMMITTING_MAX,
  chained,
  type LiveTree,
  type RoundManagerContext,
  type Stepped,
  standingToKeep,
  still,
  tellFacts,
  toRound,
  toStorage,
  weighWork,
} from './round-manager.live.ts';

/** CS-5, CS-12: what the tree now commits goes to the disk; what it lacks is asked for; the round hears of both. */
export function settle(context: RoundManagerContext, live: LiveTree, clock: Clock): Stepped {
  return chained(
    live,
    (now) => still(withSuffix(context, now)),
    (now) => commit(context, now, clock),
    (now) => endEpoch(context, now, clock),
    (now) => fetchMissing(context, now),
    (now) => weighWork(context, now),
    (now) => tellFacts(context, now, clock),
  );
}

function commit(context: RoundManagerContext, live: LiveTree, clock: Clock): Stepped {
  // A device that does not answer holds commits up here; the tree is bounded by itself.
  if (live.committing.length >= COMMITTING_MAX) return still(live);
  const decided = commitReady(live.tree);
  if (decided.status === 'conflict') {
    const { height, first, second, evidence } = decided;
    const detail = `height ${height}: there are proofs for block ${first} and for block ${second}`;
    const proven = evidence === undefined ? {} : { evidence };
    const violated: SafetyViolated = { type: 'safety.violated', detail, ...proven };
    const hearing = [context.alarm, context.setting.safety, context.networkSync];
    return { live, effects: hearing.map((to) => telling(to, violated)) };
  }
  if (decided.status !== 'committed') return still(live);
  const { blocks, ending } = decided;
  const tree = withStanding(context, live, decided);
  const newest = blocks.at(-1) ?? blocks[0];
  const tag = live.commitTag + 1;
  const committedRounds = new Set(blocks.map(({ block }) => block.header.round));
  // Rounds up to the root before have had their fate.
  const undecided = live.rounds.filter((round) => round > live.tree.root.round);
  const fates = undecided.flatMap((round) => {
    if (committedRounds.has(round)) return toRound(context, live, clock, round, { type: 'round.committed' });
    return round < tree.root.round ? toRound(context, live, clock, round, { type: 'round.abandoned' }) : [];
  });
  return {
    live: {
      ...live,
      tree,
      commitTag: tag,
      committing: [...live.committing, { tag, blocks, ...standingToKeep(context, tree) }],
      ...(ending === undefined ? {} : { ending, last: newest }),
    },
    effects: [
      toStorage(context, {
        ...{ type: 'blocks.commitRequested', replyTo: clock.address, tag, blocks },
        ...standingToKeep(context, tree),
      }),
      ...fates,
    ],
  };
}

/** The blocks that are committed now count, if all before them did. */
function withStanding(
  { setting: { epoch } }: RoundManagerContext,
  { tree: { standing } }: LiveTree,
  { tree, blocks }: Extract<CommitStep, { status: 'committed' }>,
): BlockTree {
  if (standing === undefined) return tree;
  const counted = blocks.map(({ block }) => block);
  return { ...tree, standing: standingWith(epoch, standing, counted) };
}

/** CS-12: the block of the high QC, or the parent of the round's proposal, is not here. Asked once for each target. */
function fetchMissing(context: RoundManagerContext, live: LiveTree): Stepped {
  const { tree, highQC, entered, candidates, proven } = live;
  // What is above the end of an epoch is never executed.
  if (tree.root.endsEpoch) return still(live);
  const candidate = entered === undefined ? undefined : candidates.get(entered.round);
  const parents = candidate === undefined ? [] : [candidate.block.qc];
  const target = (proven === undefined ? [highQC, ...parents] : [proven.qc]).find(
    (qc) => missingFor(tree, qc) !== undefined,
  );
  if (target === undefined || live.wanted === target.round) return still(live);
  const signers = signersOf(context.setting.epoch.set, target.signers);
  const request: BlocksWanted = {
    type: 'blocks.wanted',
    target,
    committedHeight: tree.root.height,
    holders:
      signers === 'malformed'
        ? []
        : signers.map(({ address }) => address).filter((one) => one !== context.setting.self),
  };
  return { live: { ...live, wanted: target.round }, effects: [telling(context.blockSync, request)] };
}
