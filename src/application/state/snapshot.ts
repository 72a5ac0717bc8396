/**
 * Snapshots of an application whose state is pairs, format 1: header, validators by node key, pairs by rising hash of the key, as one
 * stream that is cut into chunks of one length. One state has one encoding; the reader takes no other. Pure.
 * Rule SY-10, docs/applications.md.
 */
import { compareBytes, equalBytes, utf8 } from '../../base/bytes.ts';
import { SNAPSHOT_CHUNK_BYTES_MAX } from '../../protocol/sync/messages.ts';
import type { Pair } from './rules.ts';
import { keyHashOf } from './state-tree.ts';

export const SNAPSHOT_FORMAT = 1;
/** Reading one takes 5 ms of the executor's time. @unit bytes @source half of what may be sent */
export const STATE_CHUNK_BYTES = SNAPSHOT_CHUNK_BYTES_MAX / 2;

/** Validators as the file has them: power u64, node key of 32 bytes, BLS key of 48. @unit bytes */
const VALIDATOR_BYTES = 8 + 32 + 48;
const NODE_KEY_AT = 8;
const NODE_KEY_END = NODE_KEY_AT + 32;
/** Beyond, a snapshot is refused. @unit validators @source far above what consensus runs with */
const VALIDATORS_MAX = 65_536;
/** The number of validators behind the name of application and format. @unit bytes */
const COUNT_BYTES = 4;
const magicOf = (name: string): Uint8Array => utf8(`althing/${name}/${SNAPSHOT_FORMAT}`);
const PAIR_HEADER_BYTES = 8;

/** What a snapshot holds, as it is read. */
export interface SnapshotSink {
  validator(blob: Uint8Array): void;
  pair(key: string, value: string): void;
}

/** @param name of the application @param validators by rising node key @param pairs by rising hash of the key */
export function* encodeSnapshot(
  name: string,
  validators: readonly Uint8Array[],
  pairs: Iterable<Pair>,
): Generator<Uint8Array, void> {
  const writer = new ChunkWriter();
  const magic = magicOf(name);
  const header = Buffer.alloc(magic.byteLength + COUNT_BYTES);
  header.set(magic);
  header.writeUInt32BE(validators.length, magic.byteLength);
  yield* writer.write(header);
  for (const validator of validators) yield* writer.write(validator);
  for (const [key, value] of pairs) {
    const pair = Buffer.allocUnsafe(PAIR_HEADER_BYTES + key.length + value.length);
    pair.writeUInt32BE(key.length, 0);
    pair.writeUInt32BE(value.length, 4);
    pair.write(key, PAIR_HEADER_BYTES, 'latin1');
    pair.write(value, PAIR_HEADER_BYTES + key.length, 'latin1');
    yield* writer.write(pair);
  }
  yield* writer.rest();
}

/** Validators in the order of a snapshot. */
export const byNodeKey = (validators: readonly Uint8Array[]): readonly Uint8Array[] =>
  [...validators].sort((left, right) => compareBytes(nodeKeyOf(left), nodeKeyOf(right)));

/** Reads chunks that anybody may have made. Holds one pair at a time, and never more than it was given. */
export class SnapshotReader {
  readonly #name: string;
  readonly #sink: SnapshotSink;
  readonly #input = new Input();
  #validatorsLeft: number | undefined;
  #lastNodeKey: Uint8Array | undefined;
  #lastPlace: string | undefined;
  #ended: string | undefined;

  constructor(name: string, sink: SnapshotSink) {
    this.#name = name;
    this.#sink = sink;
  }

  /** The next chunk. A sentence when it cannot be read: nothing after it is read either. */
  add(chunk: Uint8Array): string | undefined {
    if (this.#ended !== undefined) return this.#ended;
    this.#input.add(chunk);
    this.#ended = this.#readOn();
    return this.#ended;
  }

  /** After the last chunk. A sentence when something is missing. */
  end(): string | undefined {
    if (this.#ended !== undefined) return this.#ended;
    const left = this.#input.available;
    if (this.#validatorsLeft === undefined) return `it ends after ${left} bytes, within its header`;
    if (this.#validatorsLeft > 0) return `it ends ${this.#validatorsLeft} validators too early`;
    return left === 0 ? undefined : `it ends within a pair, of which ${left} bytes are there`;
  }

  #readOn(): string | undefined {
    if (this.#validatorsLeft === undefined) {
      const magic = magicOf(this.#name);
      const header = this.#input.take(magic.byteLength + COUNT_BYTES);
      if (header === undefined) return undefined;
      if (!equalBytes(header.subarray(0, magic.byteLength), magic))
        return `it is no snapshot of ${this.#name}, format ${SNAPSHOT_FORMAT}`;
      const count = header.readUInt32BE(magic.byteLength);
      if (count > VALIDATORS_MAX) return `it announces ${count} validators, at most ${VALIDATORS_MAX}`;
      this.#validatorsLeft = count;
    }
    while (this.#validatorsLeft > 0) {
      const validator = this.#input.take(VALIDATOR_BYTES);
      if (validator === undefined) return undefined;
      const nodeKey = nodeKeyOf(validator);
      if (this.#lastNodeKey !== undefined && compareBytes(this.#lastNodeKey, nodeKey) >= 0) {
        return 'its validators are not in the order of their node keys';
      }
      this.#lastNodeKey = nodeKey;
      this.#validatorsLeft -= 1;
      this.#sink.validator(new Uint8Array(validator));
    }
    return this.#readPairs();
  }

  #readPairs(): string | undefined {
    for (;;) {
      const lengths = this.#input.peek(PAIR_HEADER_BYTES);
      if (lengths === undefined) return undefined;
      const keyEnd = PAIR_HEADER_BYTES + lengths.readUInt32BE(0);
      const pair = this.#input.take(keyEnd + lengths.readUInt32BE(4));
      if (pair === undefined) return undefined;
      const key = pair.toString('latin1', PAIR_HEADER_BYTES, keyEnd);
      const place = keyHashOf(key);
      if (this.#lastPlace !== undefined && this.#lastPlace >= place)
        return 'its pairs are not in the order of their keys’ hashes';
      this.#lastPlace = place;
      this.#sink.pair(key, pair.toString('latin1', keyEnd));
    }
  }
}

/** Cuts a stream into chunks of one length; the last one is what is left. */
class ChunkWriter {
  #chunk = Buffer.allocUnsafe(STATE_CHUNK_BYTES);
  #filled = 0;

  *write(bytes: Uint8Array): Generator<Uint8Array, void> {
    for (let at = 0; at < bytes.byteLength; ) {
      const part = bytes.subarray(at, at + STATE_CHUNK_BYTES - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.byteLength;
      at += part.byteLength;
      if (this.#filled < STATE_CHUNK_BYTES) continue;
      yield this.#chunk;
      this.#chunk = Buffer.allocUnsafe(STATE_CHUNK_BYTES);
      this.#filled = 0;
    }
  }

  *rest(): Generator<Uint8Array, void> {
    if (this.#filled > 0) yield this.#chunk.subarray(0, this.#filled);
  }
}

/** Bytes that came in pieces, joined only as far as they are wanted. */
class Input {
  #pieces: Uint8Array[] = [];
  #at = 0;
  available = 0;

  add(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.available += piece.byteLength;
  }

  /** The next bytes, which stay; undefined while there are not so many. */
  peek(length: number): Buffer | undefined {
    if (length > this.available) return undefined;
    const first = this.#pieces[0];
    if (first === undefined) return Buffer.alloc(0);
    if (first.byteLength - this.#at < length) return this.#joined().subarray(0, length);
    return Buffer.from(first.buffer, first.byteOffset + this.#at, length);
  }

  /** The next bytes, which are taken away. */
  take(length: number): Buffer | undefined {
    const bytes = this.peek(length);
    if (bytes === undefined) return undefined;
    this.#at += length;
    this.available -= length;
    const first = this.#pieces[0];
    if (first !== undefined && this.#at === first.byteLength) {
      this.#pieces.shift();
      this.#at = 0;
    }
    return bytes;
  }

  /** Once for each chunk, whatever is asked: a pair over many chunks is joined when all of it is there. */
  #joined(): Buffer {
    const whole = Buffer.concat(this.#pieces).subarray(this.#at);
    this.#pieces = [whole];
    this.#at = 0;
    return whole;
  }
}

const nodeKeyOf = (validator: Uint8Array): Uint8Array => validator.subarray(NODE_KEY_AT, NODE_KEY_END);
