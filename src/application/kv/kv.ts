/**
 * The key-value application: `key=value` sets a key; a transaction without exactly one '=' is its own key and value.
 * Semantics of CometBFT's kvstore, whose users find their events and queries here. Deterministic; with a folder it
 * keeps its state in a SQLite file (store.ts), else in memory. docs/applications.md.
 */
import { concatBytes, toHex, utf8 } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/hash.ts';
import { u64 } from '../../protocol/chain/canonical.ts';
import { GENESIS_HEIGHT } from '../../protocol/chain/ordinals.ts';
import { digestBytes, digestFromBytes } from '../../protocol/chain/parse.ts';
import type { Digest, ExecutedState, Height } from '../../protocol/chain/types.ts';
import type {
  Application,
  ApplicationInfo,
  BlockResult,
  CheckResult,
  FinalizeRequest,
  InitChainRequest,
  QueryResult,
  ValidatorUpdate,
} from '../../protocol/ports/application.ts';
import type { ApplicationEvent, TransactionResult } from '../../protocol/ports/storage.ts';
import { KvStore, packed, packedValidator } from './store.ts';
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
const DOMAIN = utf8('althing/kv/v1');
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
  #pairs = new Map<string, string>();
  #changed = new Map<string, string>();
  #changedBytes = 0;
  #validators: KvValidators = new Map();
  #executed: ExecutedState = { height: GENESIS_HEIGHT, appHash: digest(sha256(DOMAIN)) };
  #flushedHeight = 0;
  /** Transactions executed since genesis. */
  #size = 0;

  constructor(options: KvOptions) {
    this.#provesPossession = options.provesPossession ?? (() => false);
    this.#flushHeights = options.flushHeights ?? 64;
    this.#flushBytes = options.flushBytes ?? 8 * 1_048_576;
    this.#store = options.dir === undefined ? undefined : new KvStore(options.dir, options.foldBytes);
    const saved = this.#store?.load();
    if (saved === undefined) return;
    this.#pairs = saved.pairs;
    this.#validators = validatorsFrom(saved.validators);
    this.#executed = saved.executed;
    this.#flushedHeight = saved.executed.height;
    this.#size = saved.size;
  }

  info(): ApplicationInfo {
    return { name: 'kv', version: '1', executed: this.#executed };
  }

  /** `appState` may hold the first pairs: an object of texts. */
  initChain(request: InitChainRequest): { readonly appHash: Digest } {
    this.#validators = request.validators.reduce<KvValidators>(updated, new Map());
    const first = new Map<string, string>();
    if (typeof request.appState === 'object' && request.appState !== null) {
      for (const [key, value] of Object.entries(request.appState).sort(byKey)) {
        if (typeof value === 'string') first.set(latin1(key), latin1(value));
      }
    }
    this.#pairs = new Map(first);
    this.#changed = first;
    this.#size = 0;
    const appHash = first.size === 0 ? sha256(DOMAIN) : sha256(concatBytes(DOMAIN, packed(first)));
    this.#executed = { height: GENESIS_HEIGHT, appHash: digest(appHash) };
    return { appHash: this.#executed.appHash };
  }

  checkTx(transaction: Uint8Array): CheckResult {
    const log = this.#problemOf(transaction);
    return { code: log === '' ? CODE_OK : CODE_INVALID_FORMAT, log, codespace: CODESPACE, priority: 0n };
  }

  finalizeBlock(request: FinalizeRequest): BlockResult {
    // What is flushed is below this height, so it was stored by the node too: never one block ahead after a crash.
    this.#flushIfDue();
    const results: TransactionResult[] = [];
    const validatorUpdates = new Map<string, ValidatorUpdate>();
    for (const transaction of request.transactions)
      results.push(this.#execute(transaction, validatorUpdates));
    const appHash = request.transactions.length === 0 ? this.#executed.appHash : this.#hashAfter(request);
    this.#executed = { height: request.height, appHash };
    this.#size += request.transactions.length;
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
    const value = this.#pairs.get(textOf(data));
    if (value === undefined) return { ...base, code: CODE_OK, log: 'does not exist', value: NOTHING };
    return { ...base, code: CODE_OK, log: 'exists', value: new Uint8Array(Buffer.from(value, 'latin1')) };
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
    this.#pairs.set(key, value);
    if (this.#store !== undefined) {
      this.#changed.set(key, value);
      this.#changedBytes += transaction.byteLength;
    }
    return succeeded(key);
  }

  #updateValidators(text: string, updates: Map<string, ValidatorUpdate>): TransactionResult {
    const ruling = ruleOnUpdate(text, this.#validators, this.#provesPossession);
    if (ruling.status === 'invalid') return failed(ruling.log);
    this.#validators = updated(this.#validators, ruling.update);
    updates.set(toHex(ruling.update.nodeKey), ruling.update);
    return succeeded(text);
  }

  /** A chain of hashes over everything executed: as deterministic as a hash of the state, and its cost is the block's alone. */
  #hashAfter({ height, transactions }: FinalizeRequest): Digest {
    const length = transactions.reduce((sum, { byteLength }) => sum + 4 + byteLength, 0);
    const bytes = Buffer.allocUnsafe(length);
    let at = 0;
    for (const transaction of transactions) {
      at = bytes.writeUInt32BE(transaction.byteLength, at);
      bytes.set(transaction, at);
      at += transaction.byteLength;
    }
    return digest(sha256(DOMAIN, digestBytes(this.#executed.appHash), u64(height), sha256(bytes)));
  }

  #flushIfDue(): void {
    const due =
      this.#executed.height - this.#flushedHeight >= this.#flushHeights ||
      this.#changedBytes >= this.#flushBytes;
    if (due) this.#flush();
  }

  #flush(): void {
    if (this.#store === undefined || this.#executed.height === this.#flushedHeight) return;
    this.#store.flush({
      executed: this.#executed,
      size: this.#size,
      changed: this.#changed,
      all: this.#pairs,
      validators: [...this.#validators.values()].map(({ nodeKey, consensusKey, power }) =>
        packedValidator(nodeKey, consensusKey, power),
      ),
    });
    this.#flushedHeight = this.#executed.height;
    this.#changed = new Map();
    this.#changedBytes = 0;
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

function digest(bytes: Uint8Array): Digest {
  const parsed = digestFromBytes(bytes);
  if (parsed === 'malformed') throw new Error(`a hash of ${bytes.byteLength} bytes`);
  return parsed;
}
