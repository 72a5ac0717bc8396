/**
 * Blocks that any node told of, gathered by id: nodes tell of the newest alone, the reader wants to see where those came from. Mutable, no
 * I/O. Bounded: beyond `BLOCKS_MAX` the lowest go.
 */
import type { BlockRow, NodeChain } from '../../../../src/observe/feed/feed.ts';

/** @unit blocks @source 64 heights are shown; the rest is for who scrubs back */
const BLOCKS_MAX = 1_024;

export class BlockBook {
  readonly #blocks = new Map<string, BlockRow>();

  take(chains: Iterable<NodeChain>): void {
    for (const { blocks } of chains) for (const block of blocks) this.#blocks.set(block.id, block);
    if (this.#blocks.size <= BLOCKS_MAX) return;
    const lowest = [...this.#blocks.values()].toSorted((one, other) => one.height - other.height);
    for (const { id } of lowest.slice(0, this.#blocks.size - BLOCKS_MAX * 0.75)) this.#blocks.delete(id);
  }

  get blocks(): Iterable<BlockRow> {
    return this.#blocks.values();
  }

  of(id: string): BlockRow | undefined {
    return this.#blocks.get(id);
  }

  clear(): void {
    this.#blocks.clear();
  }
}
