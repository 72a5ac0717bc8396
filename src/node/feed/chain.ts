/** What a node holds of the chain, as a row of the feed: read off its cells' snapshots. Pure reading. Rules IN-1, CS-5, docs/inspector.md. */
import type { System } from '../../actors/runtime/index.ts';
import type { BlockLabel, BlockRow, NodeChain } from '../../observe/feed/feed.ts';
import type { Block, BlockId, Round } from '../../protocol/chain/types.ts';
import type { BlockTree, TreeBlock } from '../../protocol/consensus/block-tree.ts';
import { leaderAt } from '../../protocol/consensus/epoch.ts';
import { epochOf, safetyOf, treeOf, viewOf } from '../views.ts';

/** @unit blocks @source the contract */
const BLOCKS_MAX = 64;

/** Newest committed blocks at and below a height, lowest first; where a store is at hand. */
export type CommittedBelow = (height: number, limit: number) => readonly TreeBlock[];

/** Keeps the newest committed blocks, from the store at first. */
export class ChainReader {
  readonly #system: System;
  /** By rising height; at most BLOCKS_MAX. */
  #committed: readonly TreeBlock[] = [];
  readonly #below: CommittedBelow;
  #told: readonly unknown[] = [];

  constructor(system: System, below: CommittedBelow) {
    this.#system = system;
    this.#below = below;
  }

  /** @param ifChanged undefined, too, where all is as it was told last */
  read(ifChanged: boolean): Omit<NodeChain, 'node'> | undefined {
    const system = this.#system;
    const [epoch, view, live] = [epochOf(system), viewOf(system), treeOf(system)];
    if (epoch === undefined || live === undefined) return undefined;
    const record = safetyOf(system)?.record;
    const seen = [live.tree, view?.pacemaker.round, record];
    if (ifChanged && seen.every((one, index) => one === this.#told[index])) return undefined;
    this.#told = seen;
    if (this.#committed.length === 0) this.#committed = this.#below(live.tree.root.height, BLOCKS_MAX);
    const { root } = live.tree;
    const round = view?.pacemaker.round ?? root.round;
    const highQc = view?.pacemaker.highQC ?? live.highQC;
    const locked = record === undefined ? undefined : this.#labelOf(live.tree, record.lockedRound);
    const executed = newestExecuted(live.tree);
    return {
      at: system.instant().wall,
      epoch: epoch.epoch,
      round,
      leader: leaderAt(epoch, round),
      highQc: { height: highQc.height, id: highQc.blockId, round: highQc.round },
      ...(locked === undefined ? {} : { locked }),
      committed: { height: root.height, id: root.id, round: root.round },
      executed: { height: executed.height, stateRoot: executed.appHash },
      blocks: this.#rows(live.tree),
    };
  }

  /** Told by round-manager's steps, oldest first: the tree forgets them. */
  commit(blocks: readonly TreeBlock[]): void {
    const newest = this.#committed.at(-1);
    const [first] = blocks;
    if (first === undefined) return;
    // A gap is a chain that this node fetched, or a time in which nobody looked.
    const isNext = newest?.id === first.block.header.parentId;
    this.#committed = [...(isNext ? this.#committed : []), ...blocks].slice(-BLOCKS_MAX);
  }

  #labelOf(tree: BlockTree, round: Round): BlockLabel | undefined {
    if (round === tree.root.round) return { height: tree.root.height, id: tree.root.id, round };
    const found = [...tree.blocks.values(), ...this.#committed].find(
      ({ block }) => block.header.round === round,
    );
    return found === undefined ? undefined : { height: found.block.header.height, id: found.id, round };
  }

  #rows(tree: BlockTree): readonly BlockRow[] {
    const { executedHeight, certificates, root } = tree;
    const below = this.#committed
      .filter(({ block }) => block.header.height <= root.height)
      .map((one) => blockRow(one, one.block.header.height <= executedHeight ? 'executed' : 'committed'));
    const above = [...tree.blocks.values()]
      .map((one) => blockRow(one, certificates.has(one.id) ? 'certified' : 'proposed'))
      .sort((left, right) => left.height - right.height || left.round - right.round);
    return [...below, ...above].slice(-BLOCKS_MAX);
  }
}

function newestExecuted({ executed, root }: BlockTree) {
  return [...executed.values()].reduce(
    (newest, one) => (one.height > newest.height ? one : newest),
    root.executed,
  );
}

export function blockRow(
  { id, block: { header } }: { readonly id: BlockId; readonly block: Block },
  status: BlockRow['status'],
): BlockRow {
  const { parentId: parent, height, epoch, round, proposer, time, batches } = header;
  const transactions = batches.reduce((sum, { count }) => sum + count, 0);
  return { id, parent, height, epoch, round, proposer, time, batches: batches.length, transactions, status };
}
