/**
 * What a store in memory holds, and what each write changes of it, with the way back to its last sync. Mutable, owned by one
 * disk (memory-store.ts). What may be written is in rulings.ts.
 */
import { equalBytes } from '../base/bytes.ts';
import { blockIdOf, genesisBlockId } from '../protocol/chain/canonical.ts';
import { FIRST_EPOCH, GENESIS_HEIGHT } from '../protocol/chain/ordinals.ts';
import type {
  Address,
  BatchDigest,
  Block,
  BlockId,
  Digest,
  Epoch,
  EpochChange,
  Height,
  QuorumCertificate,
} from '../protocol/chain/types.ts';
import type { EpochStanding } from '../protocol/consensus/standing.ts';
import { isWithheld } from '../protocol/execution/outcome.ts';
import type { CommittedBlock, UpdatesAt } from '../protocol/ports/storage.ts';
import type { Reputation } from '../protocol/sync/types.ts';
import type { HeldBlock } from './ancestry.ts';
import { genesisRecord } from './epochs.ts';
import { keptReputations } from './reputations.ts';
import type { Ruling, StoreFacts } from './rulings.ts';
import { NO_APP_HASH, type StoreIdentity, type StoreWrite } from './store.ts';

export interface StoredBatch {
  readonly bytes?: Uint8Array;
  readonly committedAt?: Height;
}

type ExecutionWrite = Extract<StoreWrite, { kind: 'execution' }>;

export class MemoryImage {
  facts: StoreFacts;
  /** As of the last sync. */
  durable: StoreFacts;
  readonly committed = new Map<Height, CommittedBlock>();
  readonly heightById = new Map<BlockId, Height>();
  readonly uncommitted = new Map<BlockId, HeldBlock>();
  readonly batches = new Map<BatchDigest, StoredBatch>();
  readonly executions = new Map<Height, ExecutionWrite>();
  readonly reputations = new Map<Address, Reputation>();
  readonly changes = new Map<Epoch, EpochChange>();
  readonly updates = new Map<Height, UpdatesAt>();
  /** With the newest block that counts in it. */
  standing: { readonly height: Height; readonly standing: EpochStanding } | undefined;
  readonly places = new Map<Digest, { readonly height: Height; readonly entry: number }>();
  readonly #identity: StoreIdentity;
  #undo: (() => void)[] = [];

  constructor(identity: StoreIdentity) {
    this.#identity = identity;
    const genesisId = genesisBlockId(identity, FIRST_EPOCH);
    this.facts = {
      record: genesisRecord(identity),
      recordVersion: 0,
      tip: { height: GENESIS_HEIGHT, id: genesisId },
      executed: { height: GENESIS_HEIGHT, appHash: identity.genesisAppHash ?? NO_APP_HASH },
      genesisId,
      ...{ epoch: FIRST_EPOCH, rootId: genesisId, rootHeight: GENESIS_HEIGHT },
      settledHeight: GENESIS_HEIGHT,
    };
    this.durable = this.facts;
  }

  /** Takes what a write brings, and the facts that hold from then on. */
  take(write: StoreWrite, { facts, fresh }: Extract<Ruling, { readonly status: 'taken' }>): void {
    this.#advance(facts);
    switch (write.kind) {
      case 'record':
        if (write.block !== undefined) this.#hold(write.block);
        return;
      case 'certified':
        for (const { block, qc } of write.blocks) this.#hold(block, qc);
        return;
      case 'commit':
        this.#commit(fresh);
        if (fresh.length > 0 && write.standing !== undefined) {
          const kept = { height: this.facts.tip.height, standing: write.standing };
          const before = this.standing;
          this.#undo.push(() => {
            this.standing = before;
          });
          this.standing = kept;
        }
        return;
      case 'batches':
        for (const { digest, bytes } of write.batches) {
          const known = this.batches.get(digest);
          const isHeld = known?.bytes !== undefined && equalBytes(known.bytes, bytes);
          if (!isHeld) this.#set(this.batches, digest, { ...known, bytes });
        }
        return;
      case 'pruneBatches':
        for (const digest of write.digests) {
          const known = this.batches.get(digest);
          if (known?.committedAt === undefined) this.#set(this.batches, digest, undefined);
        }
        return;
      case 'execution':
        this.#execute(write);
        return;
      case 'plant':
        return;
      case 'restored': {
        const { blockId, executed } = write;
        const nothing = { kind: 'execution', blockId, executed, transactions: [], events: [] } as const;
        const outcome = { ...nothing, validatorUpdates: [] };
        this.#set(this.executions, executed.height, outcome);
        return;
      }
      case 'reputations':
        for (const peer of this.reputations.keys()) this.#set(this.reputations, peer, undefined);
        for (const reputation of keptReputations(write.reputations))
          this.#set(this.reputations, reputation.peer, reputation);
        return;
      case 'passed':
        this.#set(this.changes, write.change.qc.epoch, write.change);
        return;
      case 'epoch':
        this.#enterEpoch(write.change);
        return;
    }
  }

  settle(): void {
    this.#undo = [];
    this.durable = this.facts;
  }

  /** As on a disk: only a block on it makes it last (ST-11). */
  forgetPlant(): void {
    const { genesisId } = this.facts;
    if (this.committed.size === 0) this.#advance({ tip: { height: GENESIS_HEIGHT, id: genesisId } });
    this.settle();
  }

  rollback(): void {
    for (const step of this.#undo.reverse()) step();
    this.#undo = [];
  }

  #hold(block: Block, qc?: QuorumCertificate): void {
    const { uncommitted, facts } = this;
    if (block.header.height <= facts.tip.height) return;
    const id = blockIdOf(this.#identity, block);
    const known = uncommitted.get(id);
    if (known?.qc !== undefined || (known !== undefined && qc === undefined)) return;
    this.#set(uncommitted, id, {
      id,
      block: known?.block ?? block,
      ...(qc === undefined ? {} : { qc }),
    });
  }

  #commit(fresh: readonly CommittedBlock[]): void {
    for (const committed of fresh) {
      const { height, batches } = committed.block.header;
      this.#set(this.committed, height, committed);
      this.#set(this.heightById, committed.id, height);
      for (const { digest } of batches) {
        const known = this.batches.get(digest) ?? {};
        if (known.committedAt === undefined)
          this.#set(this.batches, digest, { ...known, committedAt: height });
      }
    }
    for (const { id, block } of this.uncommitted.values()) {
      if (block.header.height <= this.facts.tip.height) this.#set(this.uncommitted, id, undefined);
    }
  }

  #enterEpoch(change: EpochChange): void {
    this.#set(this.changes, change.qc.epoch, change);
    for (const id of this.uncommitted.keys()) this.#set(this.uncommitted, id, undefined);
    const { settledHeight } = this.facts;
    for (const height of this.updates.keys()) {
      if (height <= settledHeight) this.#set(this.updates, height, undefined);
    }
  }

  #execute(write: ExecutionWrite): void {
    const { height } = write.executed;
    const { validatorUpdates: updates } = write;
    if (updates.length > 0 && height > this.facts.settledHeight)
      this.#set(this.updates, height, { height, updates });
    this.#set(this.executions, height, write);
    write.transactions.forEach((transaction, entry) => {
      if (!isWithheld(transaction.result)) this.#set(this.places, transaction.hash, { height, entry });
    });
  }

  #advance(facts: Partial<StoreFacts>): void {
    const before = this.facts;
    this.#undo.push(() => {
      this.facts = before;
    });
    this.facts = { ...before, ...facts };
  }

  #set<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
    const before = map.get(key);
    this.#undo.push(() => put(map, key, before));
    put(map, key, value);
  }
}

function put<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
