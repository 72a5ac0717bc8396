/**
 * The key-value application: `key=value` sets a key; a transaction without exactly one '=' is its own key and value.
 * Semantics of CometBFT's kvstore, whose users find their events and queries here. Deterministic; with a folder it
 * keeps its state in a SQLite file (store.ts), else in memory. docs/applications.md.
 */
import { toHex } from '../../base/bytes.ts';
import { GENESIS_HEIGHT } from '../../protocol/chain/ordinals.ts';
import type { Digest, ExecutedState, Height } from '../../protocol/chain/types.ts';
import type {
  Application,
  ApplicationInfo,
  ApplicationSnapshot,
  BlockResult,
  CheckResult,
  FinalizeRequest,
  InitChainRequest,
  QueryResult,
  SnapshotChunks,
  SnapshotOffer,
  ValidatorUpdate,
} from '../../protocol/ports/application.ts';
import type { ApplicationEvent, TransactionResult } from '../../protocol/ports/storage.ts';
import { SNAPSHOT_FORMAT, SnapshotReader } from './snapshot.ts';
import { KvState } from './state.ts';
import { type Flush, KvStore, packedValidator } from './store.ts';
import {
  type KvValidators,
  type PossessionCheck,
  ruleOnUpdate,
  startsAsValidatorTransaction,
  updated,
} from './validator-updates.ts';

export interface KvOptions {
  /** Folder of `kv.db`; left out, the state lives in memory and every start replays the chain. */
  readonly dir?: string;
  /** Checks the proofs of new validators; left out, none can be added. */
  readonly provesPossession?: PossessionCheck;
  /** Blocks whose state may be only in memory: a crash replays them. Default 64. @unit heights */
  readonly flushHeights?: number;
  /** … or so many bytes of changes. Default 8 MiB. @unit bytes */
  readonly flushBytes?: number;
  /** Changes are folded into a snapshot beyond this, and beyond four times the last one. Default 64 MiB. @unit bytes */
  readonly foldBytes?: number;
}

/** CometBFT's kvstore names. */
const CODE_OK = 0;
const CODE_UNKNOWN_PATH = 1;
const CODE_INVALID_FORMAT = 2;
const CODESPACE = 'kv';

const EQUALS = 61;
const NOTHING = new Uint8Array(0);
const CREATOR = { key: 'creator', value: 'althing', index: true };
const INDEX_KEY = { key: 'index_key', value: 'index is working', index: true };
const NOINDEX_KEY = { key: 'noindex_key', value: 'index is working', index: false };

export function kv(options: KvOptions = {}): Application {
  return new KvApplication(options);
}

class KvApplication implements Application {
  readonly #store: KvStore | undefined;
  readonly #provesPossession: PossessionCheck;
  readonly #flushHeights: number;
  readonly #flushBytes: number;
  #state = new KvState();
  #changed = new Map<string, string>();
  #changedBytes = 0;
  #validators: KvValidators = new Map();
  /** As kv.db and snapshots have them. */
  #blobs: readonly Uint8Array[] = [];
  #executed: ExecutedState = { height: GENESIS_HEIGHT, appHash: this.#state.appHash([]) };
  #flushedHeight = 0;

  constructor(options: KvOptions) {
    this.#provesPossession = options.provesPossession ?? (() => false);
    this.#flushHeights = options.flushHeights ?? 64;
    this.#flushBytes = options.flushBytes ?? 8 * 1_048_576;
    this.#store = options.dir === undefined ? undefined : new KvStore(options.dir, options.foldBytes);
    const saved = this.#store?.load();
    if (saved === undefined) return;
    this.#begin(saved.pairs, saved.validators, saved.executed.height);
    this.#flushedHeight = saved.executed.height;
    if (this.#executed.appHash === saved.executed.appHash) return;
    this.#store?.close();
    throw new Error(
      'kv.db: what is in it has another hash than it had: remove the file, and the node replays its blocks',
    );
  }

  info(): ApplicationInfo {
    return { name: 'kv', version: '3', executed: this.#executed, runsAhead: true };
  }

  /** `appState` may hold the first pairs: an object of texts. */
  initChain(request: InitChainRequest): { readonly appHash: Digest } {
    const first = new Map<string, string>();
    if (typeof request.appState === 'object' && request.appState !== null) {
      for (const [key, value] of Object.entries(request.appState).sort(byKey)) {
        if (typeof value === 'string') first.set(latin1(key), latin1(value));
      }
    }
    const blobs = request.validators.map(packedUpdate);
    this.#begin(new Map(first), blobs, GENESIS_HEIGHT);
    this.#changed = first;
    return { appHash: this.#executed.appHash };
  }

  checkTx(transaction: Uint8Array): CheckResult {
    const log = this.#problemOf(transaction);
    return { code: log === '' ? CODE_OK : CODE_INVALID_FORMAT, log, codespace: CODESPACE, priority: 0n };
  }

  finalizeBlock(request: FinalizeRequest): BlockResult {
    // What is flushed was stored by the node too: never ahead of it after a crash.
    if (this.#executed.height <= (request.storedHeight ?? this.#executed.height)) this.#flushIfDue();
    const results: TransactionResult[] = [];
    const validatorUpdates = new Map<string, ValidatorUpdate>();
    for (const transaction of request.transactions)
      results.push(this.#execute(transaction, validatorUpdates));
    const isSame = request.transactions.length === 0;
    const appHash = isSame ? this.#executed.appHash : this.#state.appHash(this.#blobs);
    this.#executed = { height: request.height, appHash };
    return { results, events: [], validatorUpdates: [...validatorUpdates.values()], appHash };
  }

  query(path: string, data: Uint8Array, height?: Height): QueryResult {
    const at = this.#executed.height;
    const base = { codespace: CODESPACE, key: data, height: at };
    if (height !== undefined && height !== 0 && height !== at) {
      const log = `only the newest height is held: ${at}, asked for ${height}`;
      return { ...base, code: CODE_UNKNOWN_PATH, log, value: NOTHING };
    }
    if (path !== '' && path !== '/store' && path !== '/key') {
      const log = `unknown path '${path}': use '/store' with the key as data`;
      return { ...base, code: CODE_UNKNOWN_PATH, log, value: NOTHING };
    }
    const value = this.#state.get(textOf(data));
    if (value === undefined) return { ...base, code: CODE_OK, log: 'does not exist', value: NOTHING };
    return { ...base, code: CODE_OK, log: 'exists', value: new Uint8Array(Buffer.from(value, 'latin1')) };
  }

  /** SY-10. Undefined while another is being read. */
  takeSnapshot(): ApplicationSnapshot | undefined {
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
    const reader = new SnapshotReader({
      validator: (blob) => blobs.push(blob),
      pair: (key, value) => pairs.set(key, value),
    });
    for await (const chunk of chunks) refuse(reader.add(chunk));
    refuse(reader.end());
    this.#begin(pairs, blobs, height);
    this.#changed = new Map();
    this.#changedBytes = 0;
    this.#store?.replace(this.#flushOf(new Map()));
    this.#flushedHeight = height;
  }

  /** Writes nothing: the last block may not be stored by the node, and whoever opens this again replays it. */
  close(): void {
    this.#store?.close();
  }

  #problemOf(transaction: Uint8Array): string {
    if (transaction.byteLength === 0) return 'a transaction has at least one byte';
    if (!startsAsValidatorTransaction(transaction)) return '';
    const ruling = ruleOnUpdate(textOf(transaction), this.#validators, this.#provesPossession);
    return ruling.status === 'valid' ? '' : ruling.log;
  }

  #execute(transaction: Uint8Array, updates: Map<string, ValidatorUpdate>): TransactionResult {
    if (startsAsValidatorTransaction(transaction))
      return this.#updateValidators(textOf(transaction), updates);
    const split = transaction.indexOf(EQUALS);
    const isPair = split >= 0 && transaction.indexOf(EQUALS, split + 1) < 0;
    // Two texts of their own: slices of one would keep it alive.
    const key = textOf(transaction, 0, isPair ? split : transaction.byteLength);
    const value = isPair ? textOf(transaction, split + 1) : key;
    this.#state.set(key, value);
    if (this.#store !== undefined) {
      this.#changed.set(key, value);
      this.#changedBytes += transaction.byteLength;
    }
    return succeeded(key);
  }

  #updateValidators(text: string, updates: Map<string, ValidatorUpdate>): TransactionResult {
    const ruling = ruleOnUpdate(text, this.#validators, this.#provesPossession);
    if (ruling.status === 'invalid') return failed(ruling.log);
    this.#setValidators(updated(this.#validators, ruling.update));
    updates.set(toHex(ruling.update.nodeKey), ruling.update);
    return succeeded(text);
  }

  /** The state and nothing else decides the hash. */
  #begin(pairs: Map<string, string>, blobs: readonly Uint8Array[], height: Height): void {
    this.#state = new KvState(pairs);
    this.#setValidators(validatorsFrom(blobs));
    this.#executed = { height, appHash: this.#state.appHash(this.#blobs) };
  }

  #setValidators(validators: KvValidators): void {
    this.#validators = validators;
    this.#blobs = [...validators.values()].map(packedUpdate);
  }

  #flushIfDue(): void {
    const due =
      this.#executed.height - this.#flushedHeight >= this.#flushHeights ||
      this.#changedBytes >= this.#flushBytes;
    if (due) this.#flush();
  }

  #flush(): void {
    if (this.#store === undefined || this.#executed.height === this.#flushedHeight) return;
    this.#store.flush(this.#flushOf(this.#changed));
    this.#flushedHeight = this.#executed.height;
    this.#changed = new Map();
    this.#changedBytes = 0;
  }

  #flushOf(changed: ReadonlyMap<string, string>): Flush {
    return { executed: this.#executed, changed, all: this.#state.pairs(), validators: this.#blobs };
  }
}

const POWER_BYTES = 8;
const NODE_KEY_END = POWER_BYTES + 32;

function validatorsFrom(blobs: readonly Uint8Array[]): KvValidators {
  return blobs.reduce<KvValidators>(
    (validators, blob) =>
      updated(validators, {
        power: Buffer.from(blob).readBigUInt64BE(0),
        nodeKey: blob.slice(POWER_BYTES, NODE_KEY_END),
        consensusKey: blob.slice(NODE_KEY_END),
        possessionProof: NOTHING,
      }),
    new Map(),
  );
}

const packedUpdate = ({ nodeKey, consensusKey, power }: ValidatorUpdate): Uint8Array =>
  packedValidator(nodeKey, consensusKey, power);

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw new Error(`the snapshot cannot be read: ${problem}`);
}

const byKey = ([left]: [string, unknown], [right]: [string, unknown]): number => (left < right ? -1 : 1);

/** One letter a byte: texts take less memory than byte arrays, and do not keep a whole batch alive. */
const textOf = (bytes: Uint8Array, from = 0, to = bytes.byteLength): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', from, to);

const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** A key as a reader sees it in an event. */
function readable(key: string): string {
  for (let index = 0; index < key.length; index += 1) {
    if (key.charCodeAt(index) > 127) return Buffer.from(key, 'latin1').toString('utf8');
  }
  return key;
}

const eventsOf = (key: string): readonly ApplicationEvent[] => [
  {
    type: 'app',
    attributes: [CREATOR, { key: 'key', value: readable(key), index: true }, INDEX_KEY, NOINDEX_KEY],
  },
];

const succeeded = (key: string): TransactionResult => ({
  code: CODE_OK,
  data: NOTHING,
  log: '',
  codespace: CODESPACE,
  gasWanted: 0n,
  gasUsed: 0n,
  events: eventsOf(key),
});

const failed = (log: string): TransactionResult => ({
  code: CODE_INVALID_FORMAT,
  data: NOTHING,
  log,
  codespace: CODESPACE,
  gasWanted: 0n,
  gasUsed: 0n,
  events: [],
});
