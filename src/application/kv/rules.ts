/**
 * The key-value application: `key=value` sets a key; a transaction without exactly one '=' is its own key and value.
 * Semantics of CometBFT's kvstore, whose users find their events and queries here. Pure; the shell keeps the state
 * (`../state/application.ts`). docs/applications.md.
 */
import type {
  Application,
  CheckResult,
  InitChainRequest,
  Misbehavior,
} from '../../protocol/ports/application.ts';
import type { ApplicationEvent, TransactionResult } from '../../protocol/ports/storage.ts';
import { type StateOptions, stateApplication } from '../state/application.ts';
import type { Pair, StateReader, StateRules, StateWriter } from '../state/rules.ts';
import { type PossessionCheck, ruleOnUpdate, startsAsValidatorTransaction } from './validator-updates.ts';

export interface KvOptions extends StateOptions {
  /** Checks the proofs of new validators; left out, none can be added. */
  readonly provesPossession?: PossessionCheck;
}

/** CometBFT's kvstore names. */
const CODE_OK = 0;
const CODE_UNKNOWN_PATH = 1;
const CODE_INVALID_FORMAT = 2;
/** Not one of theirs: a change of validators that can be asked for again in a later block (CS-16). */
const CODE_CHANGE_TOO_LARGE = 3;
const CODESPACE = 'kv';

const EQUALS = 61;
const NOTHING = new Uint8Array(0);
const CREATOR = { key: 'creator', value: 'althing', index: true };
const INDEX_KEY = { key: 'index_key', value: 'index is working', index: true };
const NOINDEX_KEY = { key: 'noindex_key', value: 'index is working', index: false };

export const kv = ({ provesPossession, ...options }: KvOptions = {}): Application =>
  stateApplication(kvRules(provesPossession), options);

/** Version 1 hashed a chain of all transactions, version 2 a tree of branches of 16. */
export const kvRules = (provesPossession: PossessionCheck = () => false): StateRules => ({
  name: 'kv',
  version: '3',
  begin,
  check: (transaction, state) => check(transaction, state, provesPossession),
  beginBlock: (_state, _block, misbehavior) => misbehavior.map(misbehaviorEvent),
  execute: (transaction, state) =>
    startsAsValidatorTransaction(transaction)
      ? updateValidators(textOf(transaction), state, provesPossession)
      : setPair(transaction, state),
  query,
});

/** Told and nothing else: this application has no stake. */
const misbehaviorEvent = ({ type, validator, height }: Misbehavior): ApplicationEvent => ({
  type: 'misbehavior',
  attributes: [
    { key: 'type', value: type, index: true },
    { key: 'validator', value: validator.address, index: true },
    { key: 'power', value: validator.power.toString(), index: false },
    { key: 'height', value: String(height), index: false },
  ],
});

/** `appState` may hold the first pairs: an object of texts. */
function* begin({ appState }: InitChainRequest): Generator<Pair, void> {
  if (typeof appState !== 'object' || appState === null) return;
  for (const [key, value] of Object.entries(appState).sort(byKey)) {
    if (typeof value === 'string') yield [latin1(key), latin1(value)];
  }
}

function check(transaction: Uint8Array, state: StateReader, provesPossession: PossessionCheck): CheckResult {
  const log = problemOf(transaction, state, provesPossession);
  return { code: log === '' ? CODE_OK : CODE_INVALID_FORMAT, log, codespace: CODESPACE, priority: 0n };
}

function problemOf(transaction: Uint8Array, state: StateReader, provesPossession: PossessionCheck): string {
  if (transaction.byteLength === 0) return 'a transaction has at least one byte';
  if (!startsAsValidatorTransaction(transaction)) return '';
  const ruling = ruleOnUpdate(textOf(transaction), state.validators, provesPossession);
  return ruling.status === 'valid' ? '' : ruling.log;
}

function setPair(transaction: Uint8Array, state: StateWriter): TransactionResult {
  const split = transaction.indexOf(EQUALS);
  const isPair = split >= 0 && transaction.indexOf(EQUALS, split + 1) < 0;
  // Two texts of their own: slices of one would keep it alive.
  const key = textOf(transaction, 0, isPair ? split : transaction.byteLength);
  state.set(key, isPair ? textOf(transaction, split + 1) : key);
  return succeeded(key);
}

function updateValidators(
  text: string,
  state: StateWriter,
  provesPossession: PossessionCheck,
): TransactionResult {
  const ruling = ruleOnUpdate(text, state.validators, provesPossession);
  if (ruling.status === 'invalid') return failed(CODE_INVALID_FORMAT, ruling.log);
  // What could never be was refused by the ruling.
  const problem = state.setValidator(ruling.update);
  return problem === undefined ? succeeded(text) : failed(CODE_CHANGE_TOO_LARGE, problem);
}

function query(path: string, data: Uint8Array, state: StateReader): ReturnType<StateRules['query']> {
  if (path !== '' && path !== '/store' && path !== '/key') {
    const log = `unknown path '${path}': use '/store' with the key as data`;
    return { code: CODE_UNKNOWN_PATH, log, value: NOTHING };
  }
  const value = state.get(textOf(data));
  if (value === undefined) return { code: CODE_OK, log: 'does not exist', value: NOTHING };
  return { code: CODE_OK, log: 'exists', value: new Uint8Array(Buffer.from(value, 'latin1')) };
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

const failed = (code: number, log: string): TransactionResult => ({
  code,
  data: NOTHING,
  log,
  codespace: CODESPACE,
  gasWanted: 0n,
  gasUsed: 0n,
  events: [],
});
