/**
 * Frames between a node and an application in a process of its own: length u32, then [kind, id, body] in msgpack.
 * Cuts a stream into frames; what is announced takes memory only as it comes. Pure. Rules AP-2, AP-3,
 * docs/application-protocol.md.
 */
import { Packr } from 'msgpackr';
import { Nonsense, WireReader } from './reader.ts';

/** A frame beyond it ends the connection; so does one of no bytes. @unit bytes @source the largest block_bytes_max: a query's answer and an app.state are below */
export const FRAME_BYTES_MAX = 67_108_864;
/** Before the greeting nobody knows who it is. @unit bytes */
export const GREETING_BYTES_MAX = 4_096;
/** Transactions and results of a block go in parts: one ends with the value that reaches it. @unit bytes @source chosen: small enough that both sides work on a block at once */
export const PART_BYTES = 262_144;
/** First memory for a frame that comes in pieces; doubles as they come. @unit bytes @source what one read of a socket gives */
const FIRST_BYTES = 65_536;
/** A frame below it is copied out of what was read, so that a transaction kept from it keeps no more. @unit bytes */
const COPY_BYTES_MAX = 32_768;
const HEADER_BYTES = 4;

export const KIND = {
  greeting: 1,
  refusal: 2,
  info: 16,
  initChain: 17,
  checkTx: 18,
  finalizeBlock: 19,
  query: 20,
  takeSnapshot: 21,
  readChunk: 22,
  leaveSnapshot: 23,
  restoreSnapshot: 24,
  prove: 25,
  transactions: 32,
  chunk: 33,
  chunksEnded: 34,
  chunksFailed: 35,
  answer: 48,
  failure: 49,
  results: 50,
  chunkWanted: 51,
  chunksLeft: 52,
} as const;

export type KindName = keyof typeof KIND;

const isKind = (name: string): name is KindName => Object.hasOwn(KIND, name);
const NAMES: ReadonlyMap<number, KindName> = new Map(
  Object.keys(KIND).flatMap((name) => (isKind(name) ? [[KIND[name], name] as const] : [])),
);

/** Ids are 1 to this; 0 for greeting and refusal. */
export const ID_MAX = 0x7fffffff;

/** What a body is made of: all that goes over the wire. */
export type Packable = number | bigint | string | boolean | null | Uint8Array | readonly Packable[];

export interface Frame {
  readonly kind: KindName;
  readonly id: number;
  /** Stands before the body. */
  readonly reader: WireReader;
}

const packr = new Packr({ useRecords: false, moreTypes: false, variableMapSize: true });

/** Whole numbers in their shortest form: beyond 32 bits as 64-bit integers, which all languages read. */
export const whole = (value: number | bigint): number | bigint => {
  if (typeof value === 'bigint') return value >= 0n && value <= 0xffffffffn ? Number(value) : value;
  return value <= 0xffffffff && value >= -0x80000000 ? value : BigInt(value);
};

/** The frame, length and all. Refused in words when it would be too large for the other side. */
export function encodeFrame(kind: KindName, id: number, body: Packable): readonly [Uint8Array, Uint8Array] {
  const payload = packr.pack([KIND[kind], id, body]);
  const { byteLength } = payload;
  if (byteLength > FRAME_BYTES_MAX) {
    throw new Error(`${kind} has ${byteLength} bytes; a frame has at most ${FRAME_BYTES_MAX} (AP-2)`);
  }
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32BE(byteLength);
  return [header, payload];
}

/** Kind and id of what is in a frame. @throws Nonsense */
export function openFrame(bytes: Uint8Array): Frame {
  const reader = new WireReader(bytes);
  reader.tuple('the frame', 3);
  const number = reader.whole('the kind', 0x7f);
  const kind = NAMES.get(number);
  if (kind === undefined) throw new Nonsense(`there is no kind ${number} of frames`);
  return { kind, id: reader.whole('the id', ID_MAX), reader };
}

export class FrameSplitter {
  #bytesMax = GREETING_BYTES_MAX;
  #headerBytes = 0;
  #length = 0;
  #body: Uint8Array = EMPTY;
  #filled = 0;

  /** The greeting is done: frames may be as large as they get. */
  admitAll(): void {
    this.#bytesMax = FRAME_BYTES_MAX;
  }

  /** Gives on each frame that is whole, in order. @throws Nonsense at a length that no frame has */
  push(chunk: Uint8Array, take: (frame: Uint8Array) => void): void {
    let at = 0;
    while (at < chunk.byteLength) {
      while (this.#headerBytes < HEADER_BYTES && at < chunk.byteLength) {
        this.#length = this.#length * 256 + (chunk[at] ?? 0);
        this.#headerBytes += 1;
        at += 1;
        if (this.#headerBytes === HEADER_BYTES) this.#checkLength();
      }
      if (this.#headerBytes < HEADER_BYTES) return;
      const piece = chunk.subarray(at, at + this.#length - this.#filled);
      at += piece.byteLength;
      const frame = this.#add(piece);
      if (frame === undefined) return;
      this.#headerBytes = 0;
      this.#length = 0;
      this.#filled = 0;
      this.#body = EMPTY;
      take(frame);
    }
  }

  #checkLength(): void {
    if (this.#length > 0 && this.#length <= this.#bytesMax) return;
    throw new Nonsense(
      `a frame of ${this.#length} bytes is announced; here one has 1 to ${this.#bytesMax} (docs/application-protocol.md)`,
    );
  }

  /** The frame, if this was its last piece. */
  #add(piece: Uint8Array): Uint8Array | undefined {
    const { byteLength } = piece;
    if (this.#filled === 0 && byteLength === this.#length) {
      return byteLength < COPY_BYTES_MAX ? new Uint8Array(piece) : plain(piece);
    }
    const filled = this.#filled + byteLength;
    if (filled > this.#body.byteLength) {
      const room = Math.max(filled, FIRST_BYTES, this.#body.byteLength * 2);
      const grown = new Uint8Array(Math.min(this.#length, room));
      grown.set(this.#body.subarray(0, this.#filled));
      this.#body = grown;
    }
    this.#body.set(piece, this.#filled);
    this.#filled = filled;
    return filled === this.#length ? this.#body : undefined;
  }
}

const EMPTY = new Uint8Array(0);
/** Not a Buffer, whose `slice` does not copy: an application may keep what it gets. */
const plain = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
