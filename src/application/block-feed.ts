/**
 * Committed blocks with the bytes of their batches, in order of height, a window of them ahead of execution. Mutable,
 * deterministic: it says what to ask of storage and of the mempool, and is told what came. Rule EX-1, docs/applications.md.
 */
import { type BatchLimits, batchDigestOf, parseBatch, transactionsOf } from '../protocol/chain/batch.ts';
import { nextHeight } from '../protocol/chain/ordinals.ts';
import type {
  Address,
  BatchDigest,
  BatchReference,
  BlockId,
  CertifiedBlock,
  Evidence,
  Header,
  Height,
} from '../protocol/chain/types.ts';
import type { CommittedBlock } from '../protocol/ports/storage.ts';

/** Headers held ahead of execution; what is committed beyond is read from storage later. @unit blocks @source bench/sync-join.bench.ts: so far committing gets ahead in 50,000 blocks; 1 KB each */
export const WINDOW_BLOCKS = 16_384;
/** Blocks read from storage at once, when half of them are missing. @unit blocks @source the most that storage gives */
const READ_BLOCKS = 256;
/** Blocks whose batches are asked for ahead; by halves, not one by one. @unit blocks @source bench/sync.bench.ts */
const BATCHES_AHEAD = 128;
/** Batch bytes held or asked for ahead; the next block's are always asked for. @unit bytes */
const WINDOW_BYTES = 32 * 1_048_576;

/** Its proof is not there when storage was asked for it. */
type OfferedBlock = CertifiedBlock & Partial<Pick<CommittedBlock, 'commitProof'>>;

interface FedBlock {
  readonly id: BlockId;
  readonly header: Header;
  readonly evidence: readonly Evidence[];
  readonly batches: Map<BatchDigest, Uint8Array>;
  /** Of its batches. */
  readonly bytes: number;
  /** By the certificate of its child, as this node heard of it. */
  readonly isProvedByChild: boolean;
}

export interface ReadyBlock {
  readonly id: BlockId;
  readonly header: Header;
  readonly evidence: readonly Evidence[];
  /** All transactions of its batches, in order. */
  readonly transactions: readonly Uint8Array[];
  /** Of its batches. */
  readonly bytes: number;
  /** Its child is of the next round: the child's certificate commits this block alone, however this node heard of it (CS-5). */
  readonly isCommittedAlone: boolean;
}

export class BlockFeed {
  readonly #limits: BatchLimits;
  readonly #blocks = new Map<number, FedBlock>();
  #next: Height;
  #tip: Height;
  /** The first height that is not here. */
  #missing: Height;
  /** The first height whose batches were not asked for, and the bytes of those asked for and not taken. */
  #unasked: Height;
  #askedBytes = 0;

  /** @param next the first height to give out @param tip the newest committed height known */
  constructor(limits: BatchLimits, next: Height, tip: Height) {
    this.#limits = limits;
    this.#next = next;
    this.#missing = next;
    this.#unasked = next;
    this.#tip = tip;
  }

  get next(): Height {
    return this.#next;
  }

  /** The newest committed height known. */
  get tip(): Height {
    return this.#tip;
  }

  /** Keeps the blocks that belong into the window; the others are asked of storage when their turn comes. */
  offer(blocks: readonly OfferedBlock[], tip: Height): void {
    if (tip > this.#tip) this.#tip = tip;
    for (const { block, qc, commitProof } of blocks) {
      const { height } = block.header;
      if (height > this.#tip) this.#tip = height;
      if (height < this.#next || height >= this.#next + WINDOW_BLOCKS || this.#blocks.has(height)) continue;
      const { header, evidence = [] } = block;
      const bytes = header.batches.reduce((sum, reference) => sum + reference.bytes, 0);
      const isProvedByChild = commitProof?.parentId === qc.blockId;
      const id = qc.blockId;
      this.#blocks.set(height, { id, header, evidence, batches: new Map(), bytes, isProvedByChild });
    }
    while (this.#blocks.has(this.#missing)) this.#missing = nextHeight(this.#missing);
  }

  /** The first committed height of the window that is not here, and how many fit; undefined when none is missing. */
  missingBlocks(): { readonly from: Height; readonly limit: number } | undefined {
    const from = this.#missing;
    const limit = this.#next + READ_BLOCKS - from;
    if (from > this.#tip || (from > this.#next && limit < READ_BLOCKS / 2)) return undefined;
    return { from, limit };
  }

  /** Batches to ask storage for now; each is named once. */
  batchesToAsk(): readonly BatchDigest[] {
    const digests: BatchDigest[] = [];
    if (this.#unasked - this.#next > BATCHES_AHEAD / 2) return digests;
    for (; this.#unasked < this.#next + BATCHES_AHEAD; this.#unasked = nextHeight(this.#unasked)) {
      const block = this.#blocks.get(this.#unasked);
      if (block === undefined) break;
      if (this.#askedBytes + block.bytes > WINDOW_BYTES && this.#unasked > this.#next) break;
      this.#askedBytes += block.bytes;
      for (const { digest } of block.header.batches) digests.push(digest);
    }
    return digests;
  }

  /**
   * Bytes that storage found. Returns those that are another batch's: a checksum tells that they are what was written, the
   * digest alone that they are what the block names (EX-1). It costs 0.15 ms for 256 KiB.
   */
  fill(
    found: readonly { readonly digest: BatchDigest; readonly bytes: Uint8Array }[],
  ): readonly BatchDigest[] {
    const held = new Map<BatchDigest, Uint8Array>();
    const wrong: BatchDigest[] = [];
    for (const { digest, bytes } of found) {
      if (batchDigestOf(bytes) === digest) held.set(digest, bytes);
      else wrong.push(digest);
    }
    for (let height = this.#next; height < this.#unasked; height = nextHeight(height)) {
      const block = this.#blocks.get(height);
      for (const { digest } of block?.header.batches ?? []) {
        const bytes = held.get(digest);
        if (bytes !== undefined) block?.batches.set(digest, bytes);
      }
    }
    return wrong;
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
    const { id, header, evidence, batches, bytes: size, isProvedByChild } = block;
    const parts: (readonly Uint8Array[])[] = [];
    for (const { digest } of header.batches) {
      const bytes = batches.get(digest);
      if (bytes === undefined) return 'waiting';
      const view = parseBatch(bytes, this.#limits);
      if (view === 'malformed') return 'malformed';
      parts.push(transactionsOf(view));
    }
    const child = this.#blocks.get(nextHeight(this.#next));
    const isCommittedAlone = isProvedByChild || child?.header.round === header.round + 1;
    this.#blocks.delete(this.#next);
    this.#next = nextHeight(this.#next);
    this.#askedBytes -= size;
    // An empty block is complete before it was asked for.
    if (this.#unasked < this.#next) this.#unasked = this.#next;
    const transactions = parts.length === 1 ? (parts[0] ?? []) : parts.flat();
    return { id, header, evidence, bytes: size, transactions, isCommittedAlone };
  }
}
