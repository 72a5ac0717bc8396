/** What a store in memory holds, with the way back to its last sync. Mutable, owned by one disk (memory-store.ts). */
import { genesisBlockId } from '../protocol/chain/canonical.ts';
import { FIRST_EPOCH, GENESIS_HEIGHT } from '../protocol/chain/ordinals.ts';
import type { Address, BatchDigest, BlockId, Digest, Height } from '../protocol/chain/types.ts';
import type { CommittedBlock } from '../protocol/ports/storage.ts';
import type { Reputation } from '../protocol/sync/types.ts';
import type { HeldBlock } from './ancestry.ts';
import type { StoreFacts } from './rulings.ts';
import { genesisRecord } from './sqlite-reader.ts';
import { NO_APP_HASH, type StoreIdentity, type StoreWrite } from './store.ts';

export interface StoredBatch {
  readonly bytes?: Uint8Array;
  readonly committedAt?: Height;
}

export type ExecutionWrite = Extract<StoreWrite, { kind: 'execution' }>;

/** Everything stored, with the way back to the last sync. */
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

function put<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
