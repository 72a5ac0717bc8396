/**
 * Reads the structure of a msgpack value without building it: bounds depth, values, keys and texts, and admits
 * one encoding of each value only. Total: every input ends in a fault or in undefined; time is linear in the
 * frame. Pure but for its scratch space. Source: the msgpack specification. Rules TP-8, TP-11.
 */
import { isUtf8 } from 'node:buffer';
import type { KindRule, TextKind } from '../../protocol/transport/kinds.ts';
import type { StructureFault } from '../../protocol/transport/refusal.ts';

/** A certified block inside an array inside the body is eight deep. @unit levels */
export const DEPTH_MAX = 10;
/** The widest record, a header, has 13; above 15 msgpack needs a longer form, which is refused as such. */
export const KEYS_MAX = 15;
/** The longest key of any record has 18. @unit bytes */
const KEY_BYTES_MAX = 20;
/** @unit bytes @source a digest in hex has 64 letters, a DNS name at most 253 bytes */
const TEXT_BYTES_MAX: Readonly<Record<TextKind, number>> = { digests: 64, names: 256 };

/** Where a frame's structure is wrong. */
export interface StructureRefusal {
  readonly fault: StructureFault;
  /** @unit bytes from the frame's start */
  readonly offset: number;
}

/** What a frame of a kind may hold: a `KindRule` is one. */
export type StructureBounds = Pick<KindRule, 'nodesMax' | 'texts'>;

/** Scans values of one byte string. One instance is used for all frames: it holds no state between two calls. */
export class StructureScanner {
  #bytes: Uint8Array = new Uint8Array();
  #offset = 0;
  #nodesLeft = 0;
  #texts: TextKind = 'digests';
  #fault: StructureFault | undefined;
  #faultOffset = 0;
  readonly #keyStarts = new Int32Array(DEPTH_MAX * KEYS_MAX);
  readonly #keyEnds = new Int32Array(DEPTH_MAX * KEYS_MAX);

  /** The first fault of the value that starts at `start` and must end with the bytes; undefined when there is none. */
  scan(bytes: Uint8Array, start: number, bounds: StructureBounds): StructureRefusal | undefined {
    this.#bytes = bytes;
    this.#offset = start;
    this.#nodesLeft = bounds.nodesMax;
    this.#texts = bounds.texts;
    this.#fault = undefined;
    const sound = this.#value(0);
    if (sound && this.#offset !== bytes.byteLength) this.#fail('TRAILING_BYTES', this.#offset);
    this.#bytes = EMPTY;
    return this.#fault === undefined ? undefined : { fault: this.#fault, offset: this.#faultOffset };
  }

  #fail(fault: StructureFault, offset: number): false {
    this.#fault = fault;
    this.#faultOffset = offset;
    return false;
  }

  /** A number of `width` bytes, big-endian; undefined past the end. */
  #unsigned(width: 1 | 2 | 4): number | undefined {
    const at = this.#offset;
    const end = at + width;
    if (end > this.#bytes.byteLength) return undefined;
    this.#offset = end;
    let value = 0;
    for (let index = at; index < end; index += 1) value = value * 256 + (this.#bytes[index] ?? 0);
    return value;
  }

  #value(depth: number): boolean {
    const at = this.#offset;
    const token = this.#bytes[at];
    if (token === undefined) return this.#fail('TRUNCATED', at);
    if (this.#nodesLeft <= 0) return this.#fail('TOO_MANY_NODES', at);
    this.#nodesLeft -= 1;
    this.#offset = at + 1;
    if (token < 0x80 || token >= 0xe0) return true;
    if (token < 0x90) return this.#map(token & 0x0f, depth, at);
    if (token < 0xa0) return this.#array(token & 0x0f, depth, at);
    if (token < 0xc0) return this.#text(token & 0x1f, at);
    return this.#long(token, depth, at);
  }

  #long(token: number, depth: number, at: number): boolean {
    switch (token) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return true;
      case 0xc4:
        return this.#binary(1, -1, at);
      case 0xc5:
        return this.#binary(2, 0xff, at);
      case 0xc6:
        return this.#binary(4, 0xffff, at);
      case 0xca:
        return this.#fail('FLOAT_32_BIT', at);
      case 0xcb:
        return this.#double(at);
      case 0xcc:
        return this.#integer(1, 0x80, at);
      case 0xcd:
        return this.#integer(2, 0x100, at);
      case 0xce:
        return this.#integer(4, 0x10000, at);
      case 0xcf:
      case 0xd3:
        return this.#fail('INTEGER_64_BIT', at);
      case 0xd0:
        return this.#negative(1, 0x80, 0xe0, at);
      case 0xd1:
        return this.#negative(2, 0x8000, 0x10000 - 0x80, at);
      case 0xd2:
        return this.#negative(4, 0x80000000, 0x100000000 - 0x8000, at);
      default:
        return this.#longer(token, depth, at);
    }
  }

  #longer(token: number, depth: number, at: number): boolean {
    switch (token) {
      case 0xd9:
        return this.#longText(1, 0x1f, at);
      case 0xda:
        return this.#longText(2, 0xff, at);
      case 0xdb:
        return this.#longText(4, 0xffff, at);
      case 0xdc:
        return this.#longArray(2, 0x0f, depth, at);
      case 0xdd:
        return this.#longArray(4, 0xffff, depth, at);
      case 0xde:
      case 0xdf:
        return this.#fail('TOO_MANY_KEYS', at);
      case 0xc1:
        return this.#fail('BYTE_UNUSED', at);
      default:
        return this.#fail('EXTENSION_TYPE', at);
    }
  }

  /** An unsigned integer that the next shorter form could not hold. */
  #integer(width: 1 | 2 | 4, valueMin: number, at: number): boolean {
    const value = this.#unsigned(width);
    if (value === undefined) return this.#fail('TRUNCATED', at);
    return value >= valueMin || this.#fail('INTEGER_NOT_MINIMAL', at);
  }

  /** A two's complement integer: negative, and below what the next shorter form holds. */
  #negative(width: 1 | 2 | 4, rawMin: number, rawEnd: number, at: number): boolean {
    const raw = this.#unsigned(width);
    if (raw === undefined) return this.#fail('TRUNCATED', at);
    return (raw >= rawMin && raw < rawEnd) || this.#fail('INTEGER_NOT_MINIMAL', at);
  }

  /** Whole numbers beyond 32 bits travel as doubles, exact up to 2^53; nothing else does. */
  #double(at: number): boolean {
    const bytes = this.#bytes;
    if (at + 9 > bytes.byteLength) return this.#fail('TRUNCATED', at);
    const value = new DataView(bytes.buffer, bytes.byteOffset + at + 1, 8).getFloat64(0);
    this.#offset = at + 9;
    if (!Number.isSafeInteger(value)) return this.#fail('NUMBER_NOT_SAFE_INTEGER', at);
    const fits32 = value >= -0x80000000 && value <= 0xffffffff;
    return !fits32 || this.#fail('INTEGER_NOT_MINIMAL', at);
  }

  #binary(width: 1 | 2 | 4, shorterMax: number, at: number): boolean {
    const length = this.#unsigned(width);
    if (length === undefined) return this.#fail('TRUNCATED', at);
    if (length <= shorterMax) return this.#fail('LENGTH_NOT_MINIMAL', at);
    this.#offset += length;
    return this.#offset <= this.#bytes.byteLength || this.#fail('TRUNCATED', at);
  }

  #longText(width: 1 | 2 | 4, shorterMax: number, at: number): boolean {
    const length = this.#unsigned(width);
    if (length === undefined) return this.#fail('TRUNCATED', at);
    return length <= shorterMax ? this.#fail('LENGTH_NOT_MINIMAL', at) : this.#text(length, at);
  }

  #text(length: number, at: number): boolean {
    if (length > TEXT_BYTES_MAX[this.#texts]) return this.#fail('STRING_TOO_LONG', at);
    const start = this.#offset;
    const end = start + length;
    if (end > this.#bytes.byteLength) return this.#fail('TRUNCATED', at);
    this.#offset = end;
    for (let index = start; index < end; index += 1) {
      if ((this.#bytes[index] ?? 0) < 0x80) continue;
      if (this.#texts === 'digests') return this.#fail('TEXT_NOT_ASCII', at);
      return isUtf8(this.#bytes.subarray(index, end)) || this.#fail('TEXT_NOT_UTF8', at);
    }
    return true;
  }

  #longArray(width: 2 | 4, shorterMax: number, depth: number, at: number): boolean {
    const length = this.#unsigned(width);
    if (length === undefined) return this.#fail('TRUNCATED', at);
    return length <= shorterMax ? this.#fail('LENGTH_NOT_MINIMAL', at) : this.#array(length, depth, at);
  }

  #array(length: number, depth: number, at: number): boolean {
    if (depth >= DEPTH_MAX) return this.#fail('TOO_DEEP', at);
    if (length > this.#nodesLeft) return this.#fail('TOO_MANY_NODES', at);
    for (let index = 0; index < length; index += 1) {
      if (!this.#value(depth + 1)) return false;
    }
    return true;
  }

  #map(length: number, depth: number, at: number): boolean {
    if (depth >= DEPTH_MAX) return this.#fail('TOO_DEEP', at);
    for (let index = 0; index < length; index += 1) {
      if (!this.#key(depth * KEYS_MAX, index)) return false;
      if (!this.#value(depth + 1)) return false;
    }
    return true;
  }

  /** A key: a short text that this map has not had. `base`: where the map's keys stand in the scratch space. */
  #key(base: number, index: number): boolean {
    const at = this.#offset;
    const token = this.#bytes[at];
    if (token === undefined) return this.#fail('TRUNCATED', at);
    if (token < 0xa0 || token >= 0xc0) return this.#fail('KEY_NOT_TEXT', at);
    if ((token & 0x1f) > KEY_BYTES_MAX) return this.#fail('KEY_TOO_LONG', at);
    if (this.#nodesLeft <= 0) return this.#fail('TOO_MANY_NODES', at);
    this.#nodesLeft -= 1;
    this.#offset = at + 1;
    if (!this.#text(token & 0x1f, at)) return false;
    const end = this.#offset;
    for (let other = base; other < base + index; other += 1) {
      if (this.#sameKey(other, at, end)) return this.#fail('KEY_DUPLICATE', at);
    }
    this.#keyStarts[base + index] = at;
    this.#keyEnds[base + index] = end;
    return true;
  }

  /** True when the key noted at `other` has the same bytes as the one in [start, end), its length byte included. */
  #sameKey(other: number, start: number, end: number): boolean {
    const otherStart = this.#keyStarts[other] ?? 0;
    if ((this.#keyEnds[other] ?? 0) - otherStart !== end - start) return false;
    for (let index = 0; index < end - start; index += 1) {
      if (this.#bytes[start + index] !== this.#bytes[otherStart + index]) return false;
    }
    return true;
  }
}

const EMPTY = new Uint8Array();
