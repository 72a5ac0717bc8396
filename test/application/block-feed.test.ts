import { describe, expect, it } from 'vitest';
import { BlockFeed, WINDOW_BLOCKS } from '../../src/application/block-feed.ts';
import { batch, child, height, type MadeBlock } from '../storage/fixtures.ts';

const LIMITS = { batchBytesMax: 1_048_576, transactionBytesMax: 1_024 };

function chainOf(count: number, named: (at: number) => boolean): readonly MadeBlock[] {
  const blocks: MadeBlock[] = [];
  for (let at = 1; at <= count; at += 1) {
    blocks.push(child(blocks.at(-1), { batches: named(at) ? [batch(`feed ${at}`)] : [] }));
  }
  return blocks;
}

describe('blocks ahead of execution (EX-1)', () => {
  it('empty ones need no question, and what follows them is still asked for', () => {
    const blocks = chainOf(3, (at) => at === 3);
    const feed = new BlockFeed(LIMITS, height(1), height(0));
    feed.offer(blocks, height(3));
    expect([feed.take(), feed.take()]).toMatchObject([{ transactions: [] }, { transactions: [] }]);
    expect(feed.take()).toBe('waiting');
    expect(feed.batchesToAsk()).toEqual(blocks[2]?.block.header.batches.map(({ digest }) => digest));
    expect(feed.batchesToAsk()).toEqual([]);
  });

  it('holds a bounded window, and asks storage for the rest when its turn comes', () => {
    const blocks = chainOf(WINDOW_BLOCKS + 100, () => false);
    const feed = new BlockFeed(LIMITS, height(1), height(0));
    feed.offer(blocks, height(blocks.length));
    expect(feed.missingBlocks()).toBeUndefined();
    for (let at = 1; at <= WINDOW_BLOCKS; at += 1) expect(feed.take()).not.toBe('waiting');
    expect(feed.take()).toBe('waiting');
    expect(feed.missingBlocks()).toEqual({ from: WINDOW_BLOCKS + 1, limit: 256 });
  });

  it('tells which were committed alone by the chain, however this node heard of it (CS-5)', () => {
    const blocks: MadeBlock[] = [];
    for (const round of [1, 2, 4, 5]) blocks.push(child(blocks.at(-1), { round }));
    const [newest] = blocks.slice(-1);
    if (newest === undefined) throw new Error('four were made');
    const alone = (offered: Parameters<BlockFeed['offer']>[0]) => {
      const feed = new BlockFeed(LIMITS, height(1), height(0));
      feed.offer(offered, height(4));
      return blocks.map(() => {
        const ready = feed.take();
        return typeof ready === 'object' && ready.isCommittedAlone;
      });
    };
    const live = blocks.map((block, index) => ({
      ...block,
      commitProof: blocks[index === 1 ? 3 : index + 1]?.qc ?? child(newest, { round: 6 }).qc,
    }));
    expect(alone(live)).toEqual([true, false, true, true]);
    // Fetched together, or read again: of the last one nothing is known.
    expect(alone(blocks.map((block) => ({ ...block, commitProof: newest.qc })))).toEqual([
      ...[true, false, true, false],
    ]);
    expect(alone(blocks)).toEqual([true, false, true, false]);
  });

  it('asks for the batches of a bounded number of blocks ahead, by halves', () => {
    const blocks = chainOf(300, () => true);
    const feed = new BlockFeed(LIMITS, height(1), height(0));
    feed.offer(blocks, height(300));
    expect(feed.batchesToAsk()).toHaveLength(128);
    expect(feed.batchesToAsk()).toEqual([]);
  });
});
