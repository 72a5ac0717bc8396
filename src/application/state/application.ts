/**
 * The shell around rules: makes an application of them that keeps, hashes and snapshots their state. Deterministic; with a
 * folder it keeps the state in a SQLite file (store.ts), else in memory. docs/applications.md.
 */
import { VALIDATOR_CHANGE_PERCENT_DEFAULT } from '../../protocol/chain/genesis.ts';
import { GENESIS_HEIGHT } from '../../protocol/chain/ordinals.ts';
import type { Digest, ExecutedState, Height } from '../../protocol/chain/types.ts';
import { encodeStateProof } from '../../protocol/light/encoding.ts';
import type {
  Application,
  ApplicationInfo,
  ApplicationSnapshot,
  BlockResult,
  CheckResult,
  FinalizeRequest,
  InitChainRequest,
  ProvenValue,
  QueryResult,
  SnapshotChunks,
  SnapshotOffer,
  ValidatorUpdate,
} from '../../protocol/ports/application.ts';
import type { ApplicationEvent, TransactionResult } from '../../protocol/ports/storage.ts';
import { firstPairs } from './first-pairs.ts';
import type { BlockContext, StateReader, StateRules, StateWriter } from './rules.ts';
import { SNAPSHOT_FORMAT, SnapshotReader } from './snapshot.ts';
import { PairState } from './state.ts';
import { type Flush, StateStore } from './store.ts';
import { changesOf, joined, packedValidator, type StateValidators, validatorsFrom } from './validators.ts';
import { Writes, type WritesTarget } from './writes.ts';

export interface StateOptions {
  /** Folder of `<name>.db`; left out, the state lives in memory and every start replays the chain. */
  readonly dir?: string;
  /** Blocks whose state may be only in memory: a crash replays them. Default 64. @unit heights */
  readonly flushHeights?: number;
  /** … or so many bytes of changes. Default 2 MiB. @unit bytes */
  readonly flushBytes?: number;
  /** Of the power before it, how much one block may change; 100: any. Default 33, less than a third (CS-16). @unit percent */
  readonly validatorChangePercent?: number;
  /** The file is folded beyond this, and beyond five times the state. Default 64 MiB. @unit bytes */
  readonly foldBytes?: number;
}

/** CometBFT's kvstore has this code for what it cannot be asked. */
const CODE_NOT_HELD = 1;
const NOTHING = new Uint8Array(0);
/** The name is one of a file, the version one that a SQLite file can state. */
const NAME = /^[a-z][a-z0-9-]{0,63}$/;
const VERSION = /^[1-9][0-9]{0,8}$/;

/** @throws when name or version cannot be used, and when what is in the folder cannot */
export function stateApplication(rules: StateRules, options: StateOptions = {}): Application {
  if (!NAME.test(rules.name))
    throw new Error(`rules named "${rules.name}": a name is 1 to 64 lower-case letters, digits and '-'`);
  if (!VERSION.test(rules.version))
    throw new Error(`rules of version "${rules.version}": a version is a whole number from 1 to 999999999`);
  return new StateApplication(rules, options);
}

class StateApplication implements Application {
  readonly #rules: StateRules;
  readonly #store: StateStore | undefined;
  readonly #flushHeights: number;
  readonly #flushBytes: number;
  /** For checks and queries: the state as blocks left it. */
  readonly #reader: StateReader;
  readonly #writes: Writes;
  #state: PairState;
  /** Since the last flush; without a file, nothing. */
  #changed = new Map<string, string | undefined>();
  #changedBytes = 0;
  #validators: StateValidators = new Map();
  /** Before the block that is executed. */
  #validatorsBefore: StateValidators = new Map();
  /** As the file and snapshots have them. */
  #blobs: readonly Uint8Array[] = [];
  /** Of the block that is executed: the updates of each node key, joined. */
  #updates = new Map<string, ValidatorUpdate>();
  #executed: ExecutedState;
  #flushedHeight = 0;
  /** A block was begun and not ended: the state is that of no height. */
  #isTorn = false;

  constructor(rules: StateRules, options: StateOptions) {
    this.#rules = rules;
    this.#flushHeights = options.flushHeights ?? 64;
    this.#flushBytes = options.flushBytes ?? 2 * 1_048_576;
    this.#state = new PairState(rules);
    this.#executed = { height: GENESIS_HEIGHT, appHash: this.#state.appHash([]) };
    const target = this.#target(options.validatorChangePercent ?? VALIDATOR_CHANGE_PERCENT_DEFAULT);
    this.#reader = {
      get: target.get,
      get validators() {
        return target.validators;
      },
    };
    this.#writes = new Writes(target);
    this.#store =
      options.dir === undefined ? undefined : new StateStore(rules, options.dir, options.foldBytes);
    this.#load();
  }

  info(): ApplicationInfo {
    const { name, version } = this.#rules;
    return { name, version, executed: this.#executed, runsAhead: true };
  }

  initChain(request: InitChainRequest): { readonly appHash: Digest } {
    const first = firstPairs(this.#rules, request);
    this.#begin(new Map(first), request.validators.map(packedValidator), GENESIS_HEIGHT);
    this.#changed = this.#store === undefined ? new Map() : new Map(first);
    this.#changedBytes = 0;
    return { appHash: this.#executed.appHash };
  }

  checkTx(transaction: Uint8Array): CheckResult {
    return this.#rules.check(transaction, this.#reader, this.#executed.height);
  }

  finalizeBlock(request: FinalizeRequest): BlockResult {
    if (this.#isTorn) {
      throw new Error(
        `block ${this.#executed.height + 1} was not executed to its end: open the application again`,
      );
    }
    // What is flushed was stored by the node too: never ahead of it after a crash.
    if (this.#executed.height <= (request.storedHeight ?? this.#executed.height)) this.#flushIfDue();
    this.#isTorn = true;
    this.#updates = new Map();
    const before = this.#validators;
    this.#validatorsBefore = before;
    const { height, time, proposer, randomness, misbehavior = [] } = request;
    const block: BlockContext = { height, time, proposer, randomness };
    const { beginBlock, endBlock } = this.#rules;
    const first = this.#around(beginBlock && ((writes) => beginBlock(writes, block, misbehavior)));
    const results = request.transactions.map((transaction) => this.#execute(transaction, block));
    const last = this.#around(endBlock && ((writes) => endBlock(writes, block)));
    const events = first.length === 0 ? last : [...first, ...last];
    const appHash = this.#state.appHash(this.#blobs);
    this.#executed = { height, appHash };
    this.#isTorn = false;
    const validatorUpdates = changesOf(before, this.#validators, this.#updates);
    return { results, events, validatorUpdates, appHash };
  }

  query(path: string, data: Uint8Array, height?: Height): QueryResult {
    const at = this.#executed.height;
    const base = { codespace: this.#rules.name, key: data, height: at };
    if (height !== undefined && height !== 0 && height !== at) {
      const log = `only the newest height is held: ${at}, asked for ${height}`;
      return { ...base, code: CODE_NOT_HELD, log, value: NOTHING };
    }
    const { code, log, value } = this.#rules.query(path, data, this.#reader);
    return { ...base, code, log, value };
  }

  prove(key: Uint8Array): ProvenValue {
    if (this.#isTorn)
      throw new Error(
        `block ${this.#executed.height + 1} was not executed to its end: there is no state to prove`,
      );
    const name = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
    const proof = encodeStateProof(this.#state.prove(name, this.#blobs));
    const value = this.#state.get(name);
    const proven = { height: this.#executed.height, proof };
    return value === undefined ? proven : { ...proven, value: new Uint8Array(Buffer.from(value, 'latin1')) };
  }

  /** SY-10. Undefined while another is being read. */
  takeSnapshot(): ApplicationSnapshot | undefined {
    if (this.#isTorn) return undefined;
    const chunks = this.#state.chunks(this.#blobs);
    return chunks === undefined ? undefined : { executed: this.#executed, format: SNAPSHOT_FORMAT, chunks };
  }

  /** What was here before the first block is replaced when all has been read, and not before. */
  async restoreSnapshot({ height, format }: SnapshotOffer, chunks: SnapshotChunks): Promise<void> {
    if (this.#executed.height !== GENESIS_HEIGHT) {
      throw new Error(
        `a snapshot is for a new application, this one has executed height ${this.#executed.height}`,
      );
    }
    if (format !== SNAPSHOT_FORMAT) {
      throw new Error(`a snapshot of format ${format}; this program reads format ${SNAPSHOT_FORMAT}`);
    }
    const pairs = new Map<string, string>();
    const blobs: Uint8Array[] = [];
    const reader = new SnapshotReader(this.#rules.name, {
      validator: (blob) => blobs.push(blob),
      pair: (key, value) => pairs.set(key, value),
    });
    for await (const chunk of chunks) refuse(reader.add(chunk));
    refuse(reader.end());
    this.#begin(pairs, blobs, height);
    this.#changed = new Map();
    this.#changedBytes = 0;
    this.#store?.replace(this.#flushOf());
    this.#flushedHeight = height;
  }

  /** Writes nothing: the last block may not be stored by the node, and whoever opens this again replays it. */
  close(): void {
    this.#store?.close();
  }

  #execute(transaction: Uint8Array, block: BlockContext): TransactionResult {
    const writes = this.#writes;
    writes.open();
    const result = this.#rules.execute(transaction, writes, block);
    writes.close(result.code === 0);
    if (result.code !== 0) this.#settleFailed(transaction, block);
    return result;
  }

  /** What also a failed transaction costs. */
  #settleFailed(transaction: Uint8Array, block: BlockContext): void {
    if (this.#rules.settleFailed === undefined) return;
    this.#writes.open();
    this.#rules.settleFailed(transaction, this.#writes, block);
    this.#writes.close(true);
  }

  /** Before the block's transactions, or after them. */
  #around(
    part: ((writes: StateWriter) => readonly ApplicationEvent[]) | undefined,
  ): readonly ApplicationEvent[] {
    if (part === undefined) return [];
    this.#writes.open();
    const events = part(this.#writes);
    this.#writes.close(true);
    return events;
  }

  #target(validatorChangePercent: number): WritesTarget {
    const validators = () => this.#validators;
    const before = () => this.#validatorsBefore;
    return {
      get: (key) => this.#state.get(key),
      get validators() {
        return validators();
      },
      validatorChangePercent,
      get validatorsBefore() {
        return before();
      },
      write: (key, value) => this.#write(key, value),
      writeValidators: (after, updates) => {
        this.#setValidators(after);
        for (const [nodeKey, update] of updates)
          this.#updates.set(nodeKey, joined(this.#updates.get(nodeKey), update));
      },
    };
  }

  #write(key: string, value: string | undefined): void {
    // The file must not hear of it: its rows have a letter a byte, and a key of other letters would be another one there.
    if (value === undefined && this.#state.get(key) === undefined) return;
    if (value === undefined) this.#state.delete(key);
    else this.#state.set(key, value);
    if (this.#store === undefined) return;
    this.#changed.set(key, value);
    this.#changedBytes += key.length + (value?.length ?? 0);
  }

  #load(): void {
    const saved = this.#store?.load();
    if (saved === undefined) return;
    this.#begin(saved.pairs, saved.validators, saved.executed.height);
    this.#flushedHeight = saved.executed.height;
    if (this.#executed.appHash === saved.executed.appHash) return;
    this.#store?.close();
    throw new Error(
      `${this.#rules.name}.db: what is in it has another hash than it had: remove the file, and the node replays its blocks`,
    );
  }

  /** The state and nothing else decides the hash. */
  #begin(pairs: Iterable<readonly [string, string]>, blobs: readonly Uint8Array[], height: Height): void {
    this.#state = new PairState(this.#rules, pairs);
    this.#setValidators(validatorsFrom(blobs));
    this.#executed = { height, appHash: this.#state.appHash(this.#blobs) };
  }

  #setValidators(validators: StateValidators): void {
    this.#validators = validators;
    this.#blobs = [...validators.values()].map(packedValidator);
  }

  #flushIfDue(): void {
    const due =
      this.#executed.height - this.#flushedHeight >= this.#flushHeights ||
      this.#changedBytes >= this.#flushBytes;
    if (due) this.#flush();
  }

  #flush(): void {
    if (this.#store === undefined || this.#executed.height === this.#flushedHeight) return;
    this.#store.flush(this.#flushOf());
    this.#flushedHeight = this.#executed.height;
    this.#changed = new Map();
    this.#changedBytes = 0;
  }

  #flushOf(): Flush {
    return {
      executed: this.#executed,
      changed: this.#changed,
      all: this.#state.pairs(),
      validators: this.#blobs,
    };
  }
}

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw new Error(`the snapshot cannot be read: ${problem}`);
}
