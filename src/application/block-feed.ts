/**
 * Committed blocks with the bytes of their batches, in order of height, a window of them ahead of execution. Mutable,
 * deterministic: it says what to ask of storage and of the mempool, and is told what came. Rule EX-1, docs/applications.md.
 */
import { type BatchLimits, parseBatch, transactionsOf } from '../protocol/chain/batch.ts';
import { nextHeight } from '../protocol/chain/ordinals.ts';
import type {
  Address,
  BatchDigest,
  BatchReference,
  BlockId,
  CertifiedBlock,
  Header,
  Height,
} from '../protocol/chain/types.ts';

/** Blocks held ahead of execution. @unit blocks @source chosen: a second of blocks at 32 blocks/s */
const WINDOW_BLOCKS = 32;
/** Batch bytes held or asked for ahead; the next block's are always asked for. @unit bytes */
const WINDOW_BYTES = 32 * 1_048_576;

interface FedBlock {
  readonly id: BlockId;
  readonly header: Header;
  readonly batches: Map<BatchDigest, Uint8Array>;
  /** Its batches were asked of storage. */
  asked: boolean;
}

export interface ReadyBlock {
  readonly id: BlockId;
  readonly header: Header;
  /** All transactions of its batches, in order. */
  readonly transactions: readonly Uint8Array[];
}

export class BlockFeed {
  readonly #limits: BatchLimits;
  readonly #blocks = new Map<number, FedBlock>();
  #next: Height;
  #tip: Height;

  /** @param next the first height to give out @param tip the newest committed height known */
  constructor(limits: BatchLimits, next: Height, tip: Height) {
    this.#limits = limits;
    this.#next = next;
    this.#tip = tip;
  }

  get next(): Height {
    return this.#next;
  }

  /** Keeps the blocks that belong into the window; the others are asked of storage when their turn comes. */
  offer(blocks: readonly CertifiedBlock[], tip: Height): void {
    if (tip > this.#tip) this.#tip = tip;
    for (const { block, qc } of blocks) {
      const { height } = block.header;
      if (height > this.#tip) this.#tip = height;
      if (height < this.#next || height >= this.#next + WINDOW_BLOCKS || this.#blocks.has(height)) continue;
      this.#blocks.set(height, { id: qc.blockId, header: block.header, batches: new Map(), asked: false });
    }
  }

  /** The first committed height of the window that is not here, and how many fit; undefined when none is missing. */
  missingBlocks(): { readonly from: Height; readonly limit: number } | undefined {
    let from = this.#next;
    while (from <= this.#tip && this.#blocks.has(from)) from = nextHeight(from);
    const limit = this.#next + WINDOW_BLOCKS - from;
    // Asked for by half windows, not one by one.
    if (from > this.#tip || (from > this.#next && limit < WINDOW_BLOCKS / 2)) return undefined;
    return { from, limit };
  }

  /** Batches to ask storage for now; each is named once. */
  batchesToAsk(): readonly BatchDigest[] {
    const digests: BatchDigest[] = [];
    let bytes = 0;
    for (let height = this.#next; ; height = nextHeight(height)) {
      const block = this.#blocks.get(height);
      if (block === undefined) return digests;
      bytes += block.header.batches.reduce((sum, reference) => sum + reference.bytes, 0);
      if (bytes > WINDOW_BYTES && height > this.#next) return digests;
      if (block.asked) continue;
      block.asked = true;
      for (const { digest } of block.header.batches) digests.push(digest);
    }
  }

  /** Bytes that storage found. */
  fill(found: readonly { readonly digest: BatchDigest; readonly bytes: Uint8Array }[]): void {
    const bytesOf = new Map(found.map(({ digest, bytes }) => [digest, bytes]));
    for (const block of this.#blocks.values()) {
      for (const { digest } of block.header.batches) {
        const bytes = bytesOf.get(digest);
        if (bytes !== undefined) block.batches.set(digest, bytes);
      }
    }
  }

  /** How blocks name these batches, and who proposed those blocks. */
  referencesOf(digests: readonly BatchDigest[]): {
    readonly references: readonly BatchReference[];
    readonly holders: readonly Address[];
  } {
    const wanted = new Set(digests);
    const references = new Map<BatchDigest, BatchReference>();
    const holders = new Set<Address>();
    for (const { header } of this.#blocks.values()) {
      for (const reference of header.batches) {
        if (!wanted.has(reference.digest)) continue;
        references.set(reference.digest, reference);
        holders.add(header.proposer);
      }
    }
    return { references: [...references.values()], holders: [...holders] };
  }

  /** Takes the next block out when it is complete; 'malformed' when what storage gave is no batch. */
  take(): ReadyBlock | 'waiting' | 'malformed' {
    const block = this.#blocks.get(this.#next);
    if (block === undefined) return 'waiting';
    const { id, header, batches } = block;
    const parts: (readonly Uint8Array[])[] = [];
    for (const { digest } of header.batches) {
      const bytes = batches.get(digest);
      if (bytes === undefined) return 'waiting';
      const view = parseBatch(bytes, this.#limits);
      if (view === 'malformed') return 'malformed';
      parts.push(transactionsOf(view));
    }
    this.#blocks.delete(this.#next);
    this.#next = nextHeight(this.#next);
    return { id, header, transactions: parts.length === 1 ? (parts[0] ?? []) : parts.flat() };
  }
}
