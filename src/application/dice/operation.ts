/**
 * Operations of players, as bytes: what a player signs, and what a transaction is. Pure; the page makes them, the rules read them.
 * One operation has one encoding: whole numbers are big-endian u64, texts UTF-8 behind their length, nothing may follow.
 * Rule DC-1, docs/dice.md.
 */
import { concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { SECRET_BYTES } from './limits.ts';

export type Action =
  | { readonly kind: 'register'; readonly name: string }
  | {
      readonly kind: 'open';
      readonly title: string;
      readonly seats: number;
      readonly ante: number;
      readonly stake: number;
    }
  | { readonly kind: 'join'; readonly table: number; readonly stake: number }
  | { readonly kind: 'leave'; readonly table: number }
  | {
      readonly kind: 'commit';
      readonly table: number;
      readonly round: number;
      readonly commitment: Uint8Array;
    }
  | { readonly kind: 'reveal'; readonly table: number; readonly round: number; readonly secret: Uint8Array };

export interface Operation {
  /** Ed25519 public key, 32 bytes. */
  readonly player: Uint8Array;
  /** How many operations of this player were executed before. */
  readonly nonce: number;
  /** The last height at which it may be executed. */
  readonly lastHeight: number;
  readonly action: Action;
}

/** A transaction: the operation's bytes, and the signature of `statement`. */
export interface SignedOperation {
  readonly operation: Operation;
  readonly encoded: Uint8Array;
  readonly signature: Uint8Array;
}

const KINDS = [
  'register',
  'open',
  'join',
  'leave',
  'commit',
  'reveal',
] as const satisfies readonly Action['kind'][];
/** First byte of a transaction: another format would have another. */
const FORMAT = 1;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** @unit bytes @source more than the longest: open, with a title of NAME_BYTES_MAX */
const OPERATION_BYTES_MAX = 256;

/** The bytes to send. `sign` gives the 64-byte signature of the message by the player's key. */
export function signedTransaction(
  operation: Operation,
  genesisHash: string,
  sign: (message: Uint8Array) => Uint8Array,
): Uint8Array {
  const encoded = encodeOperation(operation);
  return concatBytes(encoded, sign(statement(genesisHash, encoded)));
}

/** What the player signs: of this application, this chain (by its genesis hash, in hexadecimal), this operation. */
export function statement(genesisHash: string, encoded: Uint8Array): Uint8Array {
  const writer = new Writer();
  writer.text('althing/dice/operation/v2');
  writer.fixed(hexToBytes(genesisHash));
  writer.fixed(encoded);
  return writer.bytes();
}

/** Undefined unless the bytes are exactly one operation and a signature. Whether that is right is not looked at. */
export function readTransaction(bytes: Uint8Array): SignedOperation | undefined {
  const length = bytes.byteLength - SIGNATURE_BYTES;
  if (length < 1 || length > OPERATION_BYTES_MAX) return undefined;
  const encoded = bytes.subarray(0, length);
  const operation = readOperation(encoded);
  return operation === undefined ? undefined : { operation, encoded, signature: bytes.subarray(length) };
}

export function encodeOperation({ player, nonce, lastHeight, action }: Operation): Uint8Array {
  const writer = new Writer();
  writer.byte(FORMAT);
  writer.byte(KINDS.indexOf(action.kind));
  writer.fixed(player);
  writer.number(nonce);
  writer.number(lastHeight);
  switch (action.kind) {
    case 'register':
      writer.text(action.name);
      break;
    case 'open':
      writer.text(action.title);
      writer.number(action.seats);
      writer.number(action.ante);
      writer.number(action.stake);
      break;
    case 'join':
      writer.number(action.table);
      writer.number(action.stake);
      break;
    case 'leave':
      writer.number(action.table);
      break;
    case 'commit':
      writer.number(action.table);
      writer.number(action.round);
      writer.fixed(action.commitment);
      break;
    case 'reveal':
      writer.number(action.table);
      writer.number(action.round);
      writer.fixed(action.secret);
      break;
  }
  return writer.bytes();
}

function readOperation(encoded: Uint8Array): Operation | undefined {
  try {
    const reader = new Reader(encoded);
    if (reader.byte() !== FORMAT) return undefined;
    const kind = KINDS[reader.byte()];
    const [player, nonce, lastHeight] = [reader.fixed(KEY_BYTES), reader.number(), reader.number()];
    const action = readAction(kind, reader);
    return action === undefined || !reader.isAtEnd ? undefined : { player, nonce, lastHeight, action };
  } catch (failure) {
    if (failure instanceof Unreadable) return undefined;
    throw failure;
  }
}

function readAction(kind: Action['kind'] | undefined, reader: Reader): Action | undefined {
  switch (kind) {
    case 'register':
      return { kind, name: reader.text() };
    case 'open':
      return {
        kind,
        title: reader.text(),
        seats: reader.number(),
        ante: reader.number(),
        stake: reader.number(),
      };
    case 'join':
      return { kind, table: reader.number(), stake: reader.number() };
    case 'leave':
      return { kind, table: reader.number() };
    case 'commit':
      return {
        kind,
        table: reader.number(),
        round: reader.number(),
        commitment: reader.fixed(SECRET_BYTES),
      };
    case 'reveal':
      return { kind, table: reader.number(), round: reader.number(), secret: reader.fixed(SECRET_BYTES) };
    case undefined:
      return undefined;
  }
}

/** Writes what is hashed or signed. Not `CanonicalWriter`: this one runs in a browser too. */
export class Writer {
  readonly #parts: Uint8Array[] = [];

  byte(value: number): void {
    this.#parts.push(Uint8Array.of(value));
  }

  /** A whole number in 0..2^53-1. */
  number(value: number): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
    this.#parts.push(bytes);
  }

  fixed(bytes: Uint8Array): void {
    this.#parts.push(bytes);
  }

  text(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.number(bytes.byteLength);
    this.#parts.push(bytes);
  }

  bytes(): Uint8Array {
    return concatBytes(...this.#parts);
  }
}

/** Never leaves this file. */
class Unreadable extends Error {}

class Reader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.byteLength;
  }

  fixed(length: number): Uint8Array {
    if (this.#offset + length > this.#bytes.byteLength) throw new Unreadable();
    this.#offset += length;
    return this.#bytes.slice(this.#offset - length, this.#offset);
  }

  byte(): number {
    const [value] = this.fixed(1);
    if (value === undefined) throw new Unreadable();
    return value;
  }

  number(): number {
    const value = Number(new DataView(this.fixed(8).buffer).getBigUint64(0));
    if (!Number.isSafeInteger(value)) throw new Unreadable();
    return value;
  }

  text(): string {
    const bytes = this.fixed(this.number());
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new Unreadable();
    }
  }
}
