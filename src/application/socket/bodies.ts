/**
 * What stands in the bodies of requests and answers, both ways: fields in a fixed order, no names. Writers throw in words
 * for what cannot be sent; readers throw `Nonsense`. Pure. Rule AP-4, docs/application-protocol.md.
 */

import { toHex } from '../../base/bytes.ts';
import type { WallTime } from '../../base/units.ts';
import {
  ADDRESS_BYTES,
  addressBytes,
  DIGEST_BYTES,
  digestBytes,
  digestFromBytes,
  type Malformed,
  parseAddress,
  parseBlockTime,
  parseDigest,
  parseHeight,
} from '../../protocol/chain/parse.ts';
import type { Address, Digest, Height } from '../../protocol/chain/types.ts';
import type {
  ApplicationInfo,
  ApplicationSnapshot,
  BlockResult,
  CheckResult,
  FinalizeRequest,
  InitChainRequest,
  Misbehavior,
  ProvenValue,
  QueryResult,
  SenderPlace,
  SnapshotOffer,
  ValidatorUpdate,
} from '../../protocol/ports/application.ts';
import type { ApplicationEvent, TransactionResult } from '../../protocol/ports/storage.ts';
import { SENDER_ID_BYTES_MAX } from '../answer-shapes.ts';
import { type Packable, whole } from './frames.ts';
import { Nonsense, type WireReader } from './reader.ts';

const CODE_MAX = 0xffffffff;
const DIGEST_RANGE = { min: DIGEST_BYTES, max: DIGEST_BYTES };
const ADDRESS_RANGE = { min: ADDRESS_BYTES, max: ADDRESS_BYTES };

/** What the gateway of brands has refused is nonsense. */
function sound<Value>(field: string, value: Value | Malformed): Value {
  if (value === 'malformed') throw new Nonsense(`${field} is malformed`);
  return value;
}

const readDigest = (reader: WireReader, field: string): Digest =>
  sound<Digest>(field, digestFromBytes(reader.bytes(field, DIGEST_RANGE)));
const readHeight = (reader: WireReader, field: string): Height =>
  sound<Height>(field, parseHeight(reader.whole(field)));
const readTime = (reader: WireReader, field: string): WallTime =>
  sound<WallTime>(field, parseBlockTime(reader.whole(field)));

const readAddress = (reader: WireReader, field: string): Address =>
  sound<Address>(field, parseAddress(toHex(reader.bytes(field, ADDRESS_RANGE))));

/** An application that gives another hash is told so in the words of whoever asked. */
function writeDigest(field: string, digest: Digest): Uint8Array {
  if (parseDigest(digest) !== 'malformed') return digestBytes(digest);
  throw new Error(`${field} is '${digest}': give 64 lower-case hex letters`);
}

export const INFO = {
  write: ({ name, version, executed, runsAhead = false }: ApplicationInfo): Packable => [
    ...[name, version, whole(executed.height), writeDigest('the hash of info', executed.appHash), runsAhead],
  ],
  read(reader: WireReader): ApplicationInfo {
    reader.tuple('info', 5);
    return {
      name: reader.text('name'),
      version: reader.text('version'),
      executed: { height: readHeight(reader, 'height'), appHash: readDigest(reader, 'appHash') },
      runsAhead: reader.flag('runsAhead'),
    };
  },
};

export const GENESIS = {
  write: ({ chainId, genesisHash, genesisTime, validators, appState }: InitChainRequest): Packable => [
    chainId,
    writeDigest('the genesis hash', genesisHash),
    whole(genesisTime),
    writeUpdates(validators),
    JSON.stringify(appState) ?? 'null',
  ],
  read(reader: WireReader): InitChainRequest {
    reader.tuple('initChain', 5);
    const chainId = reader.text('chainId');
    const genesisHash = readDigest(reader, 'genesisHash');
    const genesisTime = readTime(reader, 'genesisTime');
    const validators = readUpdates(reader);
    return { chainId, genesisHash, genesisTime, validators, appState: readJson(reader.text('appState')) };
  },
};

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Nonsense('appState is not JSON', { cause });
  }
}

export const APP_HASH = {
  write: ({ appHash }: { readonly appHash: Digest }): Packable =>
    writeDigest('the hash of initChain', appHash),
  read: (reader: WireReader): { readonly appHash: Digest } => ({ appHash: readDigest(reader, 'appHash') }),
};

export const CHECK = {
  write: ({ code, log, codespace, priority, sender }: CheckResult): Packable => [
    ...[code, log, codespace, whole(priority), sender === undefined ? null : writeSender(sender)],
  ],
  read(reader: WireReader): CheckResult {
    reader.tuple('checkTx', 5);
    const result = {
      code: reader.whole('code', CODE_MAX),
      log: reader.text('log'),
      codespace: reader.text('codespace'),
      priority: reader.wide('priority'),
    };
    return reader.isNil() ? result : { ...result, sender: readSender(reader) };
  },
};

const writeSender = ({ id, sequence, next, cost, funds }: SenderPlace): Packable => [
  id,
  ...[sequence, next, cost, funds].map(whole),
];

function readSender(reader: WireReader): SenderPlace {
  reader.tuple('sender', 5);
  return {
    id: reader.text('sender.id', SENDER_ID_BYTES_MAX),
    sequence: reader.unsigned('sender.sequence'),
    next: reader.unsigned('sender.next'),
    cost: reader.unsigned('sender.cost'),
    funds: reader.unsigned('sender.funds'),
  };
}

export interface Query {
  readonly path: string;
  readonly data: Uint8Array;
  readonly height: Height | undefined;
}

export const QUERY = {
  write: ({ path, data, height }: Query): Packable => [
    path,
    data,
    height === undefined ? null : whole(height),
  ],
  read(reader: WireReader): Query {
    reader.tuple('query', 3);
    const path = reader.text('path');
    const data = reader.bytes('data');
    return { path, data, height: reader.isNil() ? undefined : readHeight(reader, 'height') };
  },
};

export const FOUND = {
  write: ({ code, log, codespace, key, value, height }: QueryResult): Packable => [
    ...[code, log, codespace, key, value, whole(height)],
  ],
  read(reader: WireReader): QueryResult {
    reader.tuple('query', 6);
    return {
      code: reader.whole('code', CODE_MAX),
      log: reader.text('log'),
      codespace: reader.text('codespace'),
      key: reader.bytes('key'),
      value: reader.bytes('value'),
      height: readHeight(reader, 'height'),
    };
  },
};

export const PROVEN = {
  write: ({ height, value, proof }: ProvenValue): Packable => [whole(height), value ?? null, proof],
  read(reader: WireReader): ProvenValue {
    reader.tuple('prove', 3);
    const height = readHeight(reader, 'height');
    const value = reader.isNil() ? {} : { value: reader.bytes('value') };
    return { height, ...value, proof: reader.bytes('proof') };
  },
};

/** A block without its transactions, which follow in parts. */
export interface BlockHead extends Omit<FinalizeRequest, 'transactions'> {
  /** How many follow. */
  readonly count: number;
}

export const BLOCK = {
  write: (
    { height, blockId, time, proposer, randomness, storedHeight, misbehavior }: FinalizeRequest,
    count: number,
  ): Packable => [
    whole(height),
    digestBytes(blockId),
    whole(time),
    addressBytes(proposer),
    digestBytes(randomness),
    storedHeight === undefined ? null : whole(storedHeight),
    misbehavior === undefined ? null : misbehavior.map(writeMisbehavior),
    count,
  ],
  read(reader: WireReader): BlockHead {
    reader.tuple('finalizeBlock', 8);
    const height = readHeight(reader, 'height');
    const blockId = readDigest(reader, 'blockId');
    const time = readTime(reader, 'time');
    const proposer = readAddress(reader, 'proposer');
    const randomness = readDigest(reader, 'randomness');
    const stored = reader.isNil() ? {} : { storedHeight: readHeight(reader, 'storedHeight') };
    const proven = reader.isNil() ? {} : { misbehavior: readMisbehavior(reader) };
    const count = reader.whole('count', CODE_MAX);
    return { height, blockId, time, proposer, randomness, ...stored, ...proven, count };
  },
};

const MISBEHAVIOR_TYPES = ['DUPLICATE_VOTE', 'HIDDEN_QC'] as const satisfies readonly Misbehavior['type'][];

const writeMisbehavior = ({ type, validator, height, time, totalVotingPower }: Misbehavior): Packable => [
  MISBEHAVIOR_TYPES.indexOf(type) + 1,
  addressBytes(validator.address),
  ...[validator.power, height, time, totalVotingPower].map(whole),
];

function readMisbehavior(reader: WireReader): readonly Misbehavior[] {
  const list: Misbehavior[] = [];
  for (let left = reader.list('misbehavior'); left > 0; left -= 1) {
    reader.tuple('misbehavior', 6);
    const type = MISBEHAVIOR_TYPES[reader.whole('type', MISBEHAVIOR_TYPES.length) - 1];
    if (type === undefined) throw new Nonsense('the type of a misbehavior is unknown');
    const address = readAddress(reader, 'validator');
    const validator = { address, power: reader.unsigned('power') };
    const [height, time] = [readHeight(reader, 'height'), readTime(reader, 'time')];
    list.push({ type, validator, height, time, totalVotingPower: reader.unsigned('totalVotingPower') });
  }
  return list;
}

/** The rest of a block's answer, when all results have gone. */
export type BlockTail = Omit<BlockResult, 'results'>;

export const EXECUTED = {
  write: ({ events, validatorUpdates, appHash }: BlockTail): Packable => [
    writeEvents(events),
    writeUpdates(validatorUpdates),
    writeDigest('the hash of finalizeBlock', appHash),
  ],
  read(reader: WireReader): BlockTail {
    reader.tuple('finalizeBlock', 3);
    const events = readEvents(reader);
    const validatorUpdates = readUpdates(reader);
    return { events, validatorUpdates, appHash: readDigest(reader, 'appHash') };
  },
};

export const RESULT = {
  write: ({ code, data, log, codespace, gasWanted, gasUsed, events }: TransactionResult): Packable => [
    ...[code, data, log, codespace, whole(gasWanted), whole(gasUsed), writeEvents(events)],
  ],
  read(reader: WireReader): TransactionResult {
    reader.tuple('result', 7);
    return {
      code: reader.whole('code', CODE_MAX),
      data: reader.bytes('data'),
      log: reader.text('log'),
      codespace: reader.text('codespace'),
      gasWanted: reader.wide('gasWanted'),
      gasUsed: reader.wide('gasUsed'),
      events: readEvents(reader),
    };
  },
  /** About what it takes in a frame. @unit bytes */
  bytesOf({ data, log, events }: TransactionResult): number {
    let bytes = 32 + data.byteLength + 3 * log.length;
    for (const { type, attributes } of events) {
      bytes += 8 + type.length;
      for (const { key, value } of attributes) bytes += 8 + 3 * (key.length + value.length);
    }
    return bytes;
  },
};

const writeEvents = (events: readonly ApplicationEvent[]): Packable =>
  events.map(({ type, attributes }) => [
    type,
    attributes.map(({ key, value, index }) => [key, value, index]),
  ]);

function readEvents(reader: WireReader): readonly ApplicationEvent[] {
  const events: ApplicationEvent[] = [];
  for (let left = reader.list('events'); left > 0; left -= 1) {
    reader.tuple('event', 2);
    const type = reader.text('event type');
    const attributes: ApplicationEvent['attributes'][number][] = [];
    for (let more = reader.list('attributes'); more > 0; more -= 1) {
      reader.tuple('attribute', 3);
      const key = reader.text('key');
      const value = reader.text('value');
      attributes.push({ key, value, index: reader.flag('index') });
    }
    events.push({ type, attributes });
  }
  return events;
}

const writeUpdates = (updates: readonly ValidatorUpdate[]): Packable =>
  updates.map(({ consensusKey, nodeKey, possessionProof, power }) => [
    ...[consensusKey, nodeKey, possessionProof, whole(power)],
  ]);

function readUpdates(reader: WireReader): readonly ValidatorUpdate[] {
  const updates: ValidatorUpdate[] = [];
  for (let left = reader.list('validators'); left > 0; left -= 1) {
    reader.tuple('validator', 4);
    updates.push({
      consensusKey: reader.bytes('consensusKey'),
      nodeKey: reader.bytes('nodeKey'),
      possessionProof: reader.bytes('possessionProof'),
      power: reader.wide('power'),
    });
  }
  return updates;
}

/** What a snapshot is of; its chunks are asked for one by one. */
export type SnapshotHead = Pick<ApplicationSnapshot, 'executed' | 'format'>;

export const SNAPSHOT = {
  write: (snapshot: SnapshotHead | undefined): Packable =>
    snapshot === undefined
      ? null
      : [
          whole(snapshot.executed.height),
          writeDigest('the hash of takeSnapshot', snapshot.executed.appHash),
          whole(snapshot.format),
        ],
  read(reader: WireReader): SnapshotHead | undefined {
    if (reader.isNil()) return undefined;
    reader.tuple('takeSnapshot', 3);
    const height = readHeight(reader, 'height');
    return { executed: { height, appHash: readDigest(reader, 'appHash') }, format: reader.whole('format') };
  },
};

export const OFFER = {
  write: ({ height, format }: SnapshotOffer): Packable => [whole(height), whole(format)],
  read(reader: WireReader): SnapshotOffer {
    reader.tuple('restoreSnapshot', 2);
    return { height: readHeight(reader, 'height'), format: reader.whole('format') };
  },
};
