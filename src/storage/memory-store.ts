/**
 * A store in memory with a disk's two images: what is staged, and what a crash leaves. For the deterministic cluster.
 * The disk outlives its stores: crash it, open it again. Deterministic; faults are asked of the caller.
 * Same rules as the store on disk; one suite of tests holds both (test/storage/contract.ts).
 */

import { invariant } from '../base/invariant.ts';
import { GENESIS_HEIGHT, nextHeight } from '../protocol/chain/ordinals.ts';
import type {
  BatchDigest,
  Block,
  BlockId,
  CertifiedBlock,
  Digest,
  Epoch,
  EpochChange,
  Height,
} from '../protocol/chain/types.ts';
import { type ChainEvidence, momentOf } from '../protocol/consensus/evidence-pool.ts';
import { isWithheld } from '../protocol/execution/outcome.ts';
import type { CommittedBlock, Recovered } from '../protocol/ports/storage.ts';
import type { Reputation } from '../protocol/sync/types.ts';
import { ancestry, type HeldBlock, joinedTo } from './ancestry.ts';
import { encodeCommitted } from './codec.ts';
import { EPOCHS_MAX } from './epochs.ts';
import { MemoryImage, type StoredBatch } from './memory-image.ts';
import { keptReputations } from './reputations.ts';
import { ruleOn, type StoredChain, type StoreFacts } from './rulings.ts';
import type {
  BatchBytes,
  BatchesFound,
  BlockRange,
  DeviceFailure,
  HeightRange,
  LatestHeights,
  Read,
  StageResult,
  Store,
  StoredBlockId,
  StoredExecution,
  StoredTip,
  StoreIdentity,
  StoreWrite,
  SyncResult,
  TransactionFound,
  UncommittedBatches,
  WriteOutcome,
} from './store.ts';

/**
 * What the device does with a group: `ok`, or a failure of staging or syncing. `IO_AFTER_WRITE` is the ugly one:
 * the group is durable, and an error is reported all the same.
 */
export type SyncFault = 'ok' | 'IO' | 'FULL' | 'IO_AFTER_WRITE';

export interface MemoryFaults {
  /** Asked at each sync. */
  readonly onSync?: () => SyncFault;
  /** Asked at each read; true: what is read is damaged. */
  readonly onRead?: () => boolean;
}

export interface MemoryDisk {
  /** A store on the durable image. The one before must be closed or crashed first, as with a lock. */
  open(): Store;
  /** The power fails: what was staged is gone, and the open store answers nothing any more. */
  crash(): void;
  /** What a crash would leave at this moment. For whoever judges a run. */
  durable(): StoreFacts;
  /** What the group that is being written leaves, if it becomes durable. */
  staged(): StoreFacts;
  /** A block that is stored, or about to be. */
  block(id: BlockId): Block | undefined;
  /** The bytes of a batch that is stored, or about to be. */
  batch(digest: BatchDigest): Uint8Array | undefined;
}

/** A disk for one node; `faults` may change what they answer at any time. */
export function memoryDisk(identity: StoreIdentity, faults: MemoryFaults = {}): MemoryDisk {
  const image = new MemoryImage(identity);
  let current: MemoryStore | undefined;
  return {
    open() {
      invariant(current === undefined || current.closed, 'one store at a time has the disk open');
      image.forgetPlant();
      current = new MemoryStore(identity, image, faults);
      return current;
    },
    crash() {
      current?.close();
    },
    durable: () => image.durable,
    staged: () => image.facts,
    block(id) {
      const height = image.heightById.get(id);
      return height === undefined ? image.uncommitted.get(id)?.block : image.committed.get(height)?.block;
    },
    batch: (digest) => image.batches.get(digest)?.bytes,
  };
}

class MemoryStore implements Store {
  readonly identity: StoreIdentity;
  closed = false;
  readonly #image: MemoryImage;
  readonly #faults: MemoryFaults;
  readonly #chain: StoredChain;
  #staged = false;

  constructor(identity: StoreIdentity, image: MemoryImage, faults: MemoryFaults) {
    this.identity = identity;
    this.#image = image;
    this.#faults = faults;
    this.#chain = {
      committedIdAt: (height) => image.committed.get(height)?.id,
      executionAt: (height) => {
        const stored = image.executions.get(height);
        return stored === undefined ? undefined : { blockId: stored.blockId, ...stored.executed };
      },
    };
  }

  stage(writes: readonly StoreWrite[]): StageResult {
    invariant(!this.#staged, 'a group is synced before the next is staged');
    if (this.closed) return CRASHED;
    this.#staged = true;
    return { status: 'staged', outcomes: writes.map((write) => this.#write(write)) };
  }

  sync(): SyncResult {
    if (this.closed) return CRASHED;
    invariant(this.#staged, 'a group is staged before it is synced');
    this.#staged = false;
    const fault = this.#faults.onSync?.() ?? 'ok';
    if (fault === 'ok' || fault === 'IO_AFTER_WRITE') this.#image.settle();
    else this.#image.rollback();
    if (fault === 'ok') return { status: 'durable' };
    return { status: 'failed', code: fault === 'FULL' ? 'FULL' : 'IO', detail: `injected ${fault}` };
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#image.rollback();
  }

  recover(): Read<Recovered> {
    return this.#read(() => {
      const { facts, committed, uncommitted } = this.#image;
      const newest = committed.get(facts.tip.height);
      const blocks = joinedTo(facts.tip.id, [...uncommitted.values()].sort(byHeightRoundId));
      const changes = [...this.#image.changes.values()];
      const change = changes.at(-1);
      const ended = changes.find(({ proof }) => proof.next.epoch === change?.qc.epoch);
      const kept = this.#image.standing;
      return {
        ...(change === undefined ? {} : { change }),
        ...(ended === undefined ? {} : { ended: ended.proof.next }),
        ...(kept?.height === facts.tip.height ? { standing: kept.standing } : {}),
        updates: [...this.#image.updates.values()].sort((left, right) => left.height - right.height),
        record: facts.record,
        recordVersion: facts.recordVersion,
        ...(newest === undefined ? {} : { committed: newest }),
        blocks,
        executed: facts.executed,
      };
    });
  }

  /** Also while a group is staged, as no disk of production's is seen: how an epoch ended never changes. */
  changes(from: Epoch, limit: number): Read<readonly EpochChange[]> {
    return this.#readAnytime(() =>
      [...this.#image.changes.values()]
        .filter(({ qc: { epoch } }) => epoch >= from)
        .slice(0, Math.min(limit, EPOCHS_MAX)),
    );
  }

  latest(): Read<LatestHeights> {
    return this.#read(() => {
      const { tip, executed } = this.#image.facts;
      const [earliest] = this.#image.committed.keys();
      return {
        ...(earliest === undefined ? {} : { earliest }),
        committed: tip.height,
        executed: executed.height,
      };
    });
  }

  tip(): Read<StoredTip> {
    return this.#read(() => {
      const { tip, executed } = this.#image.facts;
      const [base = GENESIS_HEIGHT] = this.#image.committed.keys();
      const proof = this.#image.committed.get(tip.height)?.commitProof;
      return { ...tip, base, ...(proof === undefined ? {} : { proof }), executed };
    });
  }

  blockIds(heights: readonly Height[]): Read<readonly StoredBlockId[]> {
    return this.#read(() =>
      [...new Set(heights)]
        .sort((left, right) => left - right)
        .flatMap((height) => {
          const id = this.#image.committed.get(height)?.id;
          return id === undefined ? [] : [{ height, id }];
        }),
    );
  }

  blockAt(height: Height): Read<CommittedBlock | undefined> {
    return this.#read(() => this.#image.committed.get(height));
  }

  committedBlock(id: BlockId): Read<CommittedBlock | undefined> {
    return this.#read(() => this.#committedById(id));
  }

  blocksFrom(from: Height, limit: number, bytesMax: number): Read<BlockRange> {
    return this.#read(() => {
      const blocks: CommittedBlock[] = [];
      let bytes = 0;
      for (let height = from; blocks.length < limit; height = nextHeight(height)) {
        const found = this.#image.committed.get(height);
        if (found === undefined) break;
        bytes += encodeCommitted(found).byteLength;
        if (blocks.length > 0 && bytes > bytesMax) break;
        blocks.push(found);
      }
      return { blocks, height: this.#image.facts.tip.height };
    });
  }

  chainEvidence(heights: number, stride: number): Read<ChainEvidence> {
    return this.#read(() => {
      const { committed, facts } = this.#image;
      const newest = committed.get(facts.tip.height);
      const [base = GENESIS_HEIGHT] = committed.keys();
      const held = [...committed.values()].filter(
        ({ block }) => block.header.height >= facts.tip.height - heights,
      );
      return {
        base,
        ...(newest === undefined ? {} : { tip: momentOf(newest) }),
        blocks: held.filter(({ block }) => block.evidence !== undefined),
        moments: held.filter(({ block }) => block.header.height % stride === 0).map(momentOf),
      };
    });
  }

  blockWithAncestors(id: BlockId, ancestors: number): Read<readonly CertifiedBlock[]> {
    const held = (wanted: BlockId): HeldBlock | undefined =>
      this.#image.uncommitted.get(wanted) ?? this.#committedById(wanted);
    return this.#read(() => {
      const { facts, uncommitted } = this.#image;
      const above = [...uncommitted.values()].sort(byHeightRoundId).map(({ block }) => block.qc);
      return ancestry(id, ancestors, held, [facts.record.highQC, ...above]);
    });
  }

  batches(digests: readonly BatchDigest[]): Read<BatchesFound> {
    return this.#read(() => {
      const found = digests.map((digest) => ({ digest, bytes: this.#image.batches.get(digest)?.bytes }));
      return {
        batches: found.flatMap(({ digest, bytes }) => (bytes === undefined ? [] : [{ digest, bytes }])),
        missing: found.flatMap(({ digest, bytes }) => (bytes === undefined ? [digest] : [])),
      };
    });
  }

  uncommittedBatches(bytesMax: number, after?: BatchDigest): Read<UncommittedBatches> {
    return this.#read(() => {
      const batches: BatchBytes[] = [];
      let total = 0;
      for (const [digest, { bytes, committedAt }] of [...this.#image.batches].sort(byDigest)) {
        if (bytes === undefined || committedAt !== undefined) continue;
        if (after !== undefined && digest <= after) continue;
        total += bytes.byteLength;
        if (batches.length > 0 && total > bytesMax) return { batches, more: true };
        batches.push({ digest, bytes });
      }
      return { batches, more: false };
    });
  }

  execution(height: Height): Read<StoredExecution | undefined> {
    return this.#read(() => {
      const stored = this.#image.executions.get(height);
      if (stored === undefined) return undefined;
      const { executed, transactions, events } = stored;
      return { executed, transactions, events };
    });
  }

  transaction(hash: Digest, within?: HeightRange): Read<TransactionFound | undefined> {
    return this.#read(() => {
      if (within !== undefined) return this.#transactionWithin(hash, within);
      const place = this.#image.places.get(hash);
      if (place === undefined) return undefined;
      const executed = this.#image.executions.get(place.height)?.transactions[place.entry];
      return executed === undefined ? undefined : { height: place.height, executed };
    });
  }

  reputations(): Read<readonly Reputation[]> {
    return this.#read(() => keptReputations([...this.#image.reputations.values()]));
  }

  #transactionWithin(hash: Digest, { above, upTo }: HeightRange): TransactionFound | undefined {
    for (const [height, { transactions }] of [...this.#image.executions].reverse()) {
      const isIn = height > above && height <= upTo;
      const executed = isIn
        ? transactions.find((one) => one.hash === hash && !isWithheld(one.result))
        : undefined;
      if (executed !== undefined) return { height, executed };
    }
    return undefined;
  }

  #committedById(id: BlockId): CommittedBlock | undefined {
    const height = this.#image.heightById.get(id);
    return height === undefined ? undefined : this.#image.committed.get(height);
  }

  #read<Value>(read: () => Value): Read<Value> {
    invariant(this.closed || !this.#staged, 'a store is read between groups only');
    return this.#readAnytime(read);
  }

  #readAnytime<Value>(read: () => Value): Read<Value> {
    if (this.closed) return CRASHED;
    if (this.#faults.onRead?.() === true) {
      return { status: 'failed', code: 'CORRUPT', detail: 'injected damage' };
    }
    return { status: 'found', value: read() };
  }

  #write(write: StoreWrite): WriteOutcome {
    const image = this.#image;
    const ruling = ruleOn(image.facts, this.#chain, write);
    if (ruling.status === 'refused') return ruling;
    if (ruling.status === 'taken') image.take(write, ruling);
    const { recordVersion, tip } = image.facts;
    return { status: 'staged', version: recordVersion, height: tip.height };
  }
}

const CRASHED: DeviceFailure = { status: 'failed', code: 'IO', detail: 'the disk has crashed' };

const byDigest = ([left]: [BatchDigest, StoredBatch], [right]: [BatchDigest, StoredBatch]): number =>
  left < right ? -1 : 1;

function byHeightRoundId(left: HeldBlock, right: HeldBlock): number {
  const [a, b] = [left.block.header, right.block.header];
  return a.height - b.height || a.round - b.round || (left.id < right.id ? -1 : 1);
}
