/** With what a round-manager begins: the tree of what is durable, and of its earlier life what still holds. Pure. Rules CS-12, CS-16, docs/protocol/consensus.md. */
import { blockIdOf } from '../../protocol/chain/canonical.ts';
import type { ExecutedState } from '../../protocol/chain/types.ts';
import {
  type BlockTree,
  certifyBlock,
  epochRoot,
  genesisRoot,
  insertProven,
  plantTree,
  rootOf,
} from '../../protocol/consensus/block-tree.ts';
import { recoveredHighQC } from '../../protocol/consensus/entry.ts';
import { recordIn } from '../../protocol/consensus/epoch.ts';
import { countsBlocks, rootStanding } from '../../protocol/consensus/standing.ts';
import { NONE_VERIFIED, rememberQC } from '../../protocol/consensus/verified.ts';
import { EMPTY_VOTE_BOOK } from '../../protocol/consensus/vote-book.ts';
import type { Recovered } from '../../protocol/ports/storage.ts';
import type { LiveTree, RoundManagerContext } from './round-manager.live.ts';

/** The tree out of what is durable. */
export function begin(context: RoundManagerContext, recovered: Recovered): LiveTree {
  const { committed, blocks, executed } = recovered;
  const { epoch } = context.setting;
  const record = recordIn(epoch, recovered);
  const planted = plantRecovered(context, recovered);
  const nodes = blocks.map((block) => ({ id: blockIdOf(epoch.domain, block), block }));
  const grown = withOutcomes(insertProven(planted, nodes), committed, executed);
  const highQC = recoveredHighQC(record.highQC, committed?.commitProof);
  // Of what is stored only these were verified for certain: a block that was fetched carries what its sender liked.
  const proofs = committed === undefined ? [highQC] : [committed.commitProof, highQC];
  const tree = proofs.reduce(certifyBlock, grown);
  // What others told this cell holds beyond the epoch in which it was told.
  const { batchesWait = false, mayPropose = false, isDiverged = false } = context.live ?? {};
  return {
    ...{ batchesWait, mayPropose, isDiverged },
    ...(tree.root.endsEpoch && committed !== undefined ? { last: committed } : {}),
    tree,
    votes: EMPTY_VOTE_BOOK,
    verified: rememberQC(epoch.domain, NONE_VERIFIED, highQC),
    highQC,
    rounds: [],
    candidates: new Map(),
    waiting: new Map(),
    hasWork: false,
    sync: context.live?.sync ?? SYNC_UNKNOWN,
    commitTag: context.live?.commitTag ?? 0,
    committing: [],
    evidenceWaits: context.live?.evidenceWaits ?? false,
    newestVotes: new Map(),
    timeouts: new Map(),
  };
}

const SYNC_UNKNOWN = {
  status: { kind: 'Unknown', reason: 'not heard of sync yet' },
  forkProved: false,
} as const;

/** The root: genesis, the last block of the epoch before, or the newest committed block of this one. */
function plantRecovered(
  { setting: { epoch }, genesisTime: time }: RoundManagerContext,
  { committed, change, executed, updates, standing: kept }: Recovered,
): BlockTree {
  const { height: rootHeight } = epoch.rootQC;
  const isAtStart = committed === undefined || committed.block.header.height === rootHeight;
  // Of a chain that begins above the epoch's start not all blocks were seen.
  const standing = isAtStart || !countsBlocks(epoch) ? rootStanding(epoch) : kept;
  const known = {
    ...{ updates, executedHeight: executed.height },
    ...(standing?.epoch === epoch.epoch ? { standing } : {}),
  };
  if (committed === undefined) {
    return plantTree(genesisRoot(epoch, { time, appHash: executed.appHash }), epoch.rootQC, known);
  }
  if (change === undefined || committed.id !== epoch.rootQC.blockId) {
    return plantTree(rootOf(committed), undefined, known);
  }
  return plantTree(epochRoot(epoch, change.proof.last.path[0]), epoch.rootQC, known);
}

/** A certified child of consecutive rounds states its grandparent's outcome. Read off the tree, which has what no id covers from the parents. */
function withOutcomes(
  tree: BlockTree,
  committed: Recovered['committed'],
  executed: ExecutedState,
): BlockTree {
  if (committed === undefined) return tree;
  const outcomes = new Map(
    [...tree.blocks.values()]
      .filter(({ block: { qc } }) => qc.round === qc.parentRound + 1)
      .map(({ block: { qc, header } }) => [qc.parentId, header.executed]),
  );
  if (executed.height === committed.block.header.height) outcomes.set(committed.id, executed);
  return { ...tree, executed: outcomes };
}
