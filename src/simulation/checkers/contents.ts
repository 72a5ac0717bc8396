/** What was executed is what the block names: its batches in the header's order, their transactions in theirs. EX-1, SM-4. */
import { parseBatch, transactionsOf } from '../../protocol/chain/batch.ts';
import { DEFAULT_MEMPOOL_CONFIG } from '../../protocol/mempool/config.ts';
import type { BlockResults } from '../../protocol/ports/execution.ts';
import type { MemoryDisk } from '../../storage/memory-store.ts';
import type { Report } from './claim.ts';

export const IN_HEADER_ORDER = 'a block executes the transactions of its batches in order, and nothing else';

export class Contents {
  readonly #report: Report;
  /** The others' are compared by their application hash. */
  readonly #judged = new Set<number>();

  constructor(report: Report) {
    this.#report = report;
  }

  executed(by: string, disk: MemoryDisk, { executed, blockId, transactions }: BlockResults): void {
    if (this.#judged.has(executed.height)) return;
    this.#judged.add(executed.height);
    const block = disk.block(blockId);
    if (block === undefined) return;
    let at = 0;
    for (const { digest } of block.header.batches) {
      const bytes = disk.batch(digest);
      const batch = bytes === undefined ? 'malformed' : parseBatch(bytes, DEFAULT_MEMPOOL_CONFIG);
      for (const transaction of batch === 'malformed' ? [] : transactionsOf(batch)) {
        const same = transactions[at]?.bytes;
        if (same === undefined || Buffer.compare(same, transaction) !== 0) {
          this.#report(
            IN_HEADER_ORDER,
            `height ${executed.height} at ${by}: transaction ${at} is another one`,
          );
          return;
        }
        at += 1;
      }
    }
    if (at !== transactions.length) {
      this.#report(
        IN_HEADER_ORDER,
        `height ${executed.height} at ${by}: ${transactions.length}, named ${at}`,
      );
    }
  }
}
