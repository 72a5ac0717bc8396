/**
 * What an application answers, read by shape: each place holds what is asked for there, or the answer is nonsense. It is copied, so that
 * what the application changes afterwards changes nothing here. Throws `MisshapenAnswer` with the field and the value. Pure. Results of 5,000
 * transactions with an event each take 2 ms; with zod 18 ms, as long as kv's execution of them. Rules EX-5, EX-6, docs/applications.md.
 */
import { utf8 } from '../base/bytes.ts';
import { parseDigest, parseHeight } from '../protocol/chain/parse.ts';
import type { Digest, ExecutedState, Height } from '../protocol/chain/types.ts';
import type {
  ApplicationInfo,
  ApplicationSnapshot,
  BlockResult,
  CheckResult,
  ProvenValue,
  QueryResult,
  SenderPlace,
  SnapshotChunks,
  ValidatorUpdate,
} from '../protocol/ports/application.ts';
import { NODE_CODESPACE } from '../protocol/ports/execution.ts';
import type { ApplicationEvent, TransactionResult } from '../protocol/ports/storage.ts';

/** Of all results, events and updates of a block, about as they are stored. @unit bytes @source twice the largest block_bytes_max: events that repeat every transaction have room */
export const BLOCK_ANSWER_BYTES_MAX = 134_217_728;
/** Of a sender's id, in UTF-8. @unit bytes @source chosen: a key in hex and a prefix */
export const SENDER_ID_BYTES_MAX = 128;
/** Of a check's log: it is for a client's eyes. @unit letters @source chosen */
const CHECK_LOG_MAX = 65_536;
/** Of a text that a complaint shows. @unit letters */
const SHOWN_MAX = 80;
/** What a result, an event, an attribute or an update takes beside its texts and bytes. @unit bytes @source chosen: what holds it in memory */
const ITEM_BYTES = 64;
const CODE_MAX = 0xffffffff;
const WIDE_END = 2n ** 64n;
const WIDE_MIN = -(2n ** 63n);
const NOTHING = new Uint8Array(0);

/** The application's answer is none. The message says what stands where. */
export class MisshapenAnswer extends Error {
  override readonly name = 'MisshapenAnswer';
  readonly #field: string;
  readonly #problem: string;

  /** @param field empty: the answer itself */
  constructor(field: string, problem: string) {
    super(field === '' ? problem : `${field}: ${problem}`);
    this.#field = field;
    this.#problem = problem;
  }

  /** The same of a greater answer, which has this one at `place`. */
  within(place: string): MisshapenAnswer {
    return new MisshapenAnswer(this.#field === '' ? place : `${place}.${this.#field}`, this.#problem);
  }
}

/** What is asked of an answer that comes at once or later. @throws (or rejects with) MisshapenAnswer */
export const readAnswer = <Value>(
  answer: unknown,
  read: (given: unknown) => Value,
): Value | Promise<Value> => (answer instanceof Promise ? answer.then(read) : read(answer));

export function readInfo(given: unknown): ApplicationInfo {
  const { name, version, executed, runsAhead } = object(given, '');
  return {
    name: text(name, 'name'),
    version: text(version, 'version'),
    executed: readState(executed, 'executed'),
    runsAhead: runsAhead === undefined ? false : flag(runsAhead, 'runsAhead'),
  };
}

export const readGenesisState = (given: unknown): { readonly appHash: Digest } => ({
  appHash: digest(object(given, '')['appHash'], 'appHash'),
});

export function readCheck(given: unknown): CheckResult {
  const { code, log, codespace, priority, sender } = object(given, '');
  const words = text(log, 'log');
  if (words.length > CHECK_LOG_MAX) {
    throw new MisshapenAnswer('log', `${words.length} letters, at most ${CHECK_LOG_MAX} may be`);
  }
  const result = {
    code: whole(code, 'code', CODE_MAX),
    log: words,
    codespace: ownCodespace(codespace),
    priority: wide(priority, 'priority'),
  };
  return sender === undefined ? result : { ...result, sender: readSender(sender) };
}

function readSender(given: unknown): SenderPlace {
  const { id, sequence, next, cost, funds } = object(given, 'sender');
  const name = text(id, 'sender.id');
  if (name.length > SENDER_ID_BYTES_MAX || utf8(name).byteLength > SENDER_ID_BYTES_MAX) {
    const problem = `${shown(name)} has more than ${SENDER_ID_BYTES_MAX} bytes`;
    throw new MisshapenAnswer('sender.id', problem);
  }
  return {
    id: name,
    sequence: unsigned(sequence, 'sender.sequence'),
    next: unsigned(next, 'sender.next'),
    cost: unsigned(cost, 'sender.cost'),
    funds: unsigned(funds, 'sender.funds'),
  };
}

export function readQuery(given: unknown): QueryResult {
  const { code, log, codespace, key, value, height } = object(given, '');
  return {
    code: whole(code, 'code', CODE_MAX),
    log: text(log, 'log'),
    codespace: text(codespace, 'codespace'),
    key: bytes(key, 'key'),
    value: bytes(value, 'value'),
    height: heightOf(height, 'height'),
  };
}

export function readProven(given: unknown): ProvenValue {
  const { height, value, proof } = object(given, '');
  const proven = { height: heightOf(height, 'height'), proof: bytes(proof, 'proof') };
  return value === undefined ? proven : { ...proven, value: bytes(value, 'value') };
}

/** A block's answer, and about what it takes in memory and on disk. @unit bytes */
export interface ReadBlock {
  readonly result: BlockResult;
  readonly bytes: number;
}

export function readBlock(given: unknown): ReadBlock {
  const { results, events, validatorUpdates, appHash } = object(given, '');
  const room = new Room();
  const result = {
    results: list(results, 'results', (item) => readResult(item, room)),
    events: list(events, 'events', (item) => readEvent(item, room)),
    validatorUpdates: list(validatorUpdates, 'validatorUpdates', (item) => readUpdate(item, room)),
    appHash: digest(appHash, 'appHash'),
  };
  return { result, bytes: room.taken };
}

/** Undefined: none now. Its chunks are read one by one. */
export function readSnapshot(given: unknown): ApplicationSnapshot | undefined {
  if (given === undefined) return undefined;
  const { executed, format, chunks } = object(given, '');
  return {
    executed: readState(executed, 'executed'),
    format: whole(format, 'format', Number.MAX_SAFE_INTEGER),
    chunks: iterable(chunks, 'chunks'),
  };
}

/** Undefined: there are no more. */
export function readChunk(given: unknown): Uint8Array | undefined {
  const { done, value } = object(given, '');
  return done === true ? undefined : bytes(value, 'value');
}

/** What is left of an answer's room. */
class Room {
  taken = 0;

  take(bytesMore: number): void {
    this.taken += ITEM_BYTES + bytesMore;
    if (this.taken <= BLOCK_ANSWER_BYTES_MAX) return;
    throw new MisshapenAnswer(
      '',
      `with it the answer has ${this.taken} bytes, at most ${BLOCK_ANSWER_BYTES_MAX} may be`,
    );
  }
}

function readResult(given: unknown, room: Room): TransactionResult {
  const { code, data, log, codespace, gasWanted, gasUsed, events } = object(given, '');
  const result = {
    code: whole(code, 'code', CODE_MAX),
    data: bytes(data, 'data'),
    log: text(log, 'log'),
    codespace: ownCodespace(codespace),
    gasWanted: wide(gasWanted, 'gasWanted'),
    gasUsed: wide(gasUsed, 'gasUsed'),
  };
  room.take(result.data.byteLength + result.log.length + result.codespace.length);
  return { ...result, events: list(events, 'events', (item) => readEvent(item, room)) };
}

function readEvent(given: unknown, room: Room): ApplicationEvent {
  const { type, attributes } = object(given, '');
  const name = text(type, 'type');
  room.take(name.length);
  return { type: name, attributes: list(attributes, 'attributes', (item) => readAttribute(item, room)) };
}

function readAttribute(given: unknown, room: Room): ApplicationEvent['attributes'][number] {
  const { key, value, index } = object(given, '');
  const attribute = { key: text(key, 'key'), value: text(value, 'value'), index: flag(index, 'index') };
  room.take(attribute.key.length + attribute.value.length);
  return attribute;
}

function readUpdate(given: unknown, room: Room): ValidatorUpdate {
  const { consensusKey, nodeKey, possessionProof, power } = object(given, '');
  const keys = {
    consensusKey: bytes(consensusKey, 'consensusKey'),
    nodeKey: bytes(nodeKey, 'nodeKey'),
    possessionProof: bytes(possessionProof, 'possessionProof'),
  };
  room.take(keys.consensusKey.byteLength + keys.nodeKey.byteLength + keys.possessionProof.byteLength);
  return { ...keys, power: unsigned(power, 'power') };
}

function readState(given: unknown, field: string): ExecutedState {
  const { height, appHash } = object(given, field);
  return { height: heightOf(height, `${field}.height`), appHash: digest(appHash, `${field}.appHash`) };
}

const isObject = (given: unknown): given is Readonly<Record<string, unknown>> =>
  typeof given === 'object' && given !== null;

const isIterable = (given: unknown): given is SnapshotChunks =>
  isObject(given) && (Symbol.asyncIterator in given || Symbol.iterator in given);

function object(given: unknown, field: string): Readonly<Record<string, unknown>> {
  if (isObject(given)) return given;
  throw needed(field, 'an object', given);
}

function iterable(given: unknown, field: string): SnapshotChunks {
  if (isIterable(given)) return given;
  throw needed(field, 'an iterable of chunks', given);
}

/** Holes are read too, as undefined. */
function list<Value>(given: unknown, field: string, read: (item: unknown) => Value): Value[] {
  if (!Array.isArray(given)) throw needed(field, 'a list', given);
  const items: readonly unknown[] = given;
  const values: Value[] = [];
  let index = 0;
  try {
    for (; index < items.length; index += 1) values.push(read(items[index]));
  } catch (error) {
    throw error instanceof MisshapenAnswer ? error.within(`${field}[${index}]`) : error;
  }
  return values;
}

function text(given: unknown, field: string): string {
  if (typeof given === 'string') return given;
  throw needed(field, 'a text', given);
}

/** The node tells its own results by it (EX-2, EX-7). */
function ownCodespace(given: unknown): string {
  const codespace = text(given, 'codespace');
  if (codespace !== NODE_CODESPACE) return codespace;
  throw new MisshapenAnswer('codespace', `"${NODE_CODESPACE}" is the node's own: choose another name`);
}

/** A copy: it may be a view of memory that is used again. */
function bytes(given: unknown, field: string): Uint8Array {
  if (!(given instanceof Uint8Array)) throw needed(field, 'a Uint8Array', given);
  return given.byteLength === 0 ? NOTHING : new Uint8Array(given);
}

function flag(given: unknown, field: string): boolean {
  if (typeof given === 'boolean') return given;
  throw needed(field, 'true or false', given);
}

function whole(given: unknown, field: string, max: number): number {
  if (typeof given !== 'number') throw needed(field, 'a number', given);
  if (Number.isInteger(given) && given >= 0 && given <= max) return given;
  throw new MisshapenAnswer(field, `${given} is not a whole number from 0 to ${max}`);
}

function wide(given: unknown, field: string): bigint {
  if (typeof given !== 'bigint') throw needed(field, 'a bigint', given);
  if (given >= WIDE_MIN && given < WIDE_END) return given;
  throw new MisshapenAnswer(field, `${shown(given)} is not from -2^63 to 2^64 - 1`);
}

function unsigned(given: unknown, field: string): bigint {
  if (typeof given !== 'bigint') throw needed(field, 'a bigint', given);
  if (given >= 0n && given < WIDE_END) return given;
  throw new MisshapenAnswer(field, `${shown(given)} is not from 0 to 2^64 - 1`);
}

function heightOf(given: unknown, field: string): Height {
  const height = parseHeight(whole(given, field, Number.MAX_SAFE_INTEGER));
  if (height === 'malformed') throw new MisshapenAnswer(field, `${shown(given)} is no height`);
  return height;
}

function digest(given: unknown, field: string): Digest {
  const hash = typeof given === 'string' ? parseDigest(given) : 'malformed';
  if (hash !== 'malformed') return hash;
  throw new MisshapenAnswer(field, `${shown(given)} is not 64 lower-case hex letters`);
}

const needed = (field: string, what: string, given: unknown): MisshapenAnswer =>
  new MisshapenAnswer(field, `${what} is needed, not ${shown(given)}`);

/** In a few letters, and by no code of the application's. */
function shown(given: unknown): string {
  switch (typeof given) {
    case 'string':
      return JSON.stringify(given.length > SHOWN_MAX ? `${given.slice(0, SHOWN_MAX)}…` : given);
    case 'bigint':
      return given > -(2n ** 256n) && given < 2n ** 256n ? `${given}n` : 'a number beyond all';
    case 'object':
      if (given === null) return 'null';
      return Array.isArray(given) ? 'a list' : 'an object';
    case 'symbol':
    case 'function':
      return `a ${typeof given}`;
    default:
      return String(given);
  }
}
