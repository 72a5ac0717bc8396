/**
 * A store in memory with a disk's two images: what is staged, and what a crash leaves. For the deterministic cluster.
 * The disk outlives its stores: crash it, open it again. Deterministic; faults are asked of the caller.
 * Same rules as the store on disk; one suite of tests holds both (test/storage/contract.ts).
 */
import { invariant } from '../base/invariant.ts';
import { blockIdOf, genesisBlockId } from '../protocol/chain/canonical.ts';
import { FIRST_EPOCH, GENESIS_HEIGHT, nextHeight } from '../protocol/chain/ordinals.ts';
import type {
  Address,
  BatchDigest,
  Block,
  BlockId,
  CertifiedBlock,
  Digest,
  Height,
  QuorumCertificate,
} from '../protocol/chain/types.ts';
import type { CommittedBlock, Recovered } from '../protocol/ports/storage.ts';
import type { Reputation } from '../protocol/sync/types.ts';
import { ancestry, type HeldBlock } from './ancestry.ts';
import { encodeCommitted } from './codec.ts';
import { keptReputations } from './reputations.ts';
import { isDuplicate } from './results.ts';
import {
  ruleOnCommit,
  ruleOnExecution,
  ruleOnPlant,
  ruleOnRecord,
  ruleOnRestored,
  type StoredChain,
  type StoreFacts,
} from './rulings.ts';
import { genesisRecord } from './sqlite-reader.ts';
import {
  type BatchBytes,
  type BatchesFound,
  type BlockRange,
  type DeviceFailure,
  type LatestHeights,
  NO_APP_HASH,
  type Read,
  type StageResult,
  type Store,
  type StoredBlockId,
  type StoredExecution,
  type StoredTip,
  type StoreIdentity,
  type StoreWrite,
  type SyncResult,
  type TransactionFound,
  type UncommittedBatches,
  type WriteOutcome,
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
  const image = new Image(identity);
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

interface StoredBatch {
  readonly bytes?: Uint8Array;
  readonly committedAt?: Height;
}

type ExecutionWrite = Extract<StoreWrite, { kind: 'execution' }>;

/** Everything stored, with the way back to the last sync. */
class Image {
  facts: StoreFacts;
  /** As of the last sync. */
  durable: StoreFacts;
  readonly committed = new Map<Height, CommittedBlock>();
  readonly heightById = new Map<BlockId, Height>();
  readonly uncommitted = new Map<BlockId, HeldBlock>();
  readonly batches = new Map<BatchDigest, StoredBatch>();
  readonly executions = new Map<Height, ExecutionWrite>();
  readonly reputations = new Map<Address, Reputation>();
  readonly places = new Map<Digest, { readonly height: Height; readonly entry: number }>();
  #undo: (() => void)[] = [];

  constructor(identity: StoreIdentity) {
    const genesisId = genesisBlockId(identity, FIRST_EPOCH);
    this.facts = {
      record: genesisRecord(identity),
      recordVersion: 0,
      tip: { height: GENESIS_HEIGHT, id: genesisId },
      executed: { height: GENESIS_HEIGHT, appHash: identity.genesisAppHash ?? NO_APP_HASH },
      genesisId,
    };
    this.durable = this.facts;
  }

  set<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
    const before = map.get(key);
    this.#undo.push(() => put(map, key, before));
    put(map, key, value);
  }

  advance(facts: Partial<StoreFacts>): void {
    const before = this.facts;
    this.#undo.push(() => {
      this.facts = before;
    });
    this.facts = { ...before, ...facts };
  }

  settle(): void {
    this.#undo = [];
    this.durable = this.facts;
  }

  /** As on a disk: only a block on it makes it last (ST-11). */
  forgetPlant(): void {
    const { genesisId } = this.facts;
    if (this.committed.size === 0) this.advance({ tip: { height: GENESIS_HEIGHT, id: genesisId } });
    this.settle();
  }

  rollback(): void {
    for (const step of this.#undo.reverse()) step();
    this.#undo = [];
  }
}

class MemoryStore implements Store {
  readonly identity: StoreIdentity;
  closed = false;
  readonly #image: Image;
  readonly #faults: MemoryFaults;
  readonly #chain: StoredChain;
  #staged = false;

  constructor(identity: StoreIdentity, image: Image, faults: MemoryFaults) {
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
      const joined = new Set<BlockId>([facts.tip.id]);
      const blocks: Block[] = [];
      for (const { id, block } of [...uncommitted.values()].sort(byHeightRoundId)) {
        if (!joined.has(block.header.parentId)) continue;
        joined.add(id);
        blocks.push(block);
      }
      return {
        record: facts.record,
        recordVersion: facts.recordVersion,
        ...(newest === undefined ? {} : { committed: newest }),
        blocks,
        executed: facts.executed,
      };
    });
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

  blockWithAncestors(id: BlockId, ancestors: number): Read<readonly CertifiedBlock[]> {
    const held = (wanted: BlockId): HeldBlock | undefined =>
      this.#image.uncommitted.get(wanted) ?? this.#committedById(wanted);
    return this.#read(() => ancestry(id, ancestors, held, this.#image.facts.record.highQC));
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

  transaction(hash: Digest): Read<TransactionFound | undefined> {
    return this.#read(() => {
      const place = this.#image.places.get(hash);
      if (place === undefined) return undefined;
      const executed = this.#image.executions.get(place.height)?.transactions[place.entry];
      return executed === undefined ? undefined : { height: place.height, executed };
    });
  }

  reputations(): Read<readonly Reputation[]> {
    return this.#read(() => keptReputations([...this.#image.reputations.values()]));
  }

  #committedById(id: BlockId): CommittedBlock | undefined {
    const height = this.#image.heightById.get(id);
    return height === undefined ? undefined : this.#image.committed.get(height);
  }

  #read<Value>(read: () => Value): Read<Value> {
    if (this.closed) return CRASHED;
    invariant(!this.#staged, 'a store is read between groups only');
    if (this.#faults.onRead?.() === true) {
      return { status: 'failed', code: 'CORRUPT', detail: 'injected damage' };
    }
    return { status: 'found', value: read() };
  }

  #write(write: StoreWrite): WriteOutcome {
    const refused = this.#tryWrite(write);
    if (refused !== undefined) return refused;
    const { recordVersion, tip } = this.#image.facts;
    return { status: 'staged', version: recordVersion, height: tip.height };
  }

  #tryWrite(write: StoreWrite): WriteOutcome | undefined {
    const image = this.#image;
    switch (write.kind) {
      case 'record': {
        const refused = ruleOnRecord(image.facts, write);
        if (refused !== undefined) return refused;
        if (write.block !== undefined) this.#hold(blockIdOf(this.identity, write.block), write.block);
        image.advance({ record: write.record, recordVersion: image.facts.recordVersion + 1 });
        return undefined;
      }
      case 'certified':
        for (const { block, qc } of write.blocks) this.#hold(qc.blockId, block, qc);
        return undefined;
      case 'commit':
        return this.#commit(write.blocks);
      case 'batches':
        for (const { digest, bytes } of write.batches) {
          const known = image.batches.get(digest);
          if (known?.bytes !== undefined) continue;
          image.set(image.batches, digest, { ...known, bytes });
        }
        return undefined;
      case 'pruneBatches':
        for (const digest of write.digests) {
          const known = image.batches.get(digest);
          if (known !== undefined && known.committedAt === undefined) {
            image.set(image.batches, digest, undefined);
          }
        }
        return undefined;
      case 'execution':
        return this.#execute(write);
      case 'plant': {
        const refused = ruleOnPlant(image.facts, write);
        if (refused !== undefined) return refused;
        image.advance({ tip: { height: write.height, id: write.id } });
        return undefined;
      }
      case 'restored': {
        const refused = ruleOnRestored(image.facts, this.#chain, write);
        if (refused !== undefined) return refused;
        const { blockId, executed } = write;
        const nothing = { kind: 'execution', blockId, executed, transactions: [], events: [] } as const;
        image.set(image.executions, executed.height, nothing);
        image.advance({ executed });
        return undefined;
      }
      case 'reputations':
        for (const peer of image.reputations.keys()) image.set(image.reputations, peer, undefined);
        for (const reputation of keptReputations(write.reputations)) {
          image.set(image.reputations, reputation.peer, reputation);
        }
        return undefined;
    }
  }

  #hold(id: BlockId, block: Block, qc?: QuorumCertificate): void {
    const { uncommitted, facts } = this.#image;
    if (block.header.height <= facts.tip.height) return;
    const known = uncommitted.get(id);
    if (known?.qc !== undefined) return;
    this.#image.set(uncommitted, id, { id, block, ...(qc === undefined ? {} : { qc }) });
  }

  #commit(blocks: readonly CommittedBlock[]): WriteOutcome | undefined {
    const image = this.#image;
    const fresh = ruleOnCommit(image.facts, this.#chain, blocks);
    if ('status' in fresh) return fresh;
    for (const committed of fresh) {
      const { height, batches } = committed.block.header;
      image.set(image.committed, height, committed);
      image.set(image.heightById, committed.id, height);
      for (const { digest } of batches) {
        const known = image.batches.get(digest) ?? {};
        if (known.committedAt === undefined) {
          image.set(image.batches, digest, { ...known, committedAt: height });
        }
      }
      image.advance({ tip: { height, id: committed.id } });
    }
    for (const { id, block } of image.uncommitted.values()) {
      if (block.header.height <= image.facts.tip.height) image.set(image.uncommitted, id, undefined);
    }
    return undefined;
  }

  #execute(write: ExecutionWrite): WriteOutcome | undefined {
    const image = this.#image;
    const ruling = ruleOnExecution(image.facts, this.#chain, write);
    if (ruling === 'known') return undefined;
    if (ruling !== 'fresh') return ruling;
    const { height } = write.executed;
    image.set(image.executions, height, write);
    write.transactions.forEach((transaction, entry) => {
      if (!isDuplicate(transaction)) image.set(image.places, transaction.hash, { height, entry });
    });
    image.advance({ executed: write.executed });
    return undefined;
  }
}

const CRASHED: DeviceFailure = { status: 'failed', code: 'IO', detail: 'the disk has crashed' };

function put<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

const byDigest = ([left]: [BatchDigest, StoredBatch], [right]: [BatchDigest, StoredBatch]): number =>
  left < right ? -1 : 1;

function byHeightRoundId(left: HeldBlock, right: HeldBlock): number {
  const [a, b] = [left.block.header, right.block.header];
  return a.height - b.height || a.round - b.round || (left.id < right.id ? -1 : 1);
}
