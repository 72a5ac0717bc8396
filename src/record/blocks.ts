/**
 * The blocks that a journal file consists of: a head that says how long the body is, a body, and a CRC-32 for each of them, so that a flipped
 * bit anywhere is found, and a file that only ends too soon is told from a damaged one. Pure. Rule RP-2, docs/journal.md.
 */
import { crc32 } from 'node:zlib';

/** Opens every segment: 'ALTHJRN' and the version of the layout. */
export const MAGIC = new Uint8Array([0x41, 0x4c, 0x54, 0x48, 0x4a, 0x52, 0x4e, 1]);

/**
 * Length of the body and kind, 32 bits each; turn and time, as 64-bit floating point; CRC of these 24 bytes, CRC of the body, 32 bits each;
 * little-endian. @unit bytes
 */
export const HEAD_BYTES = 32;
const CHECKED_BYTES = 24;

/** Where in the run a block stands. */
export interface Place {
  /** Pure turns that had ended before what it tells first. */
  readonly turn: number;
  /** @unit ms since 1970 */
  readonly at: number;
}

/** A longer body is damage. @unit bytes @source chosen: the greatest frame, the greatest keyframe of 240 cells, many times */
export const BODY_BYTES_MAX = 256 * 1024 * 1024;

/** A calendar has no time farther from 1970. @unit ms @source ECMA-262, time values */
export const AT_MAX = 8.64e15;

const KINDS = { opening: 1, entries: 2, keyframe: 3, closing: 4 } as const;
export type BlockKind = keyof typeof KINDS;
const KIND_BY_NUMBER = new Map<number, BlockKind>(
  (Object.keys(KINDS) as BlockKind[]).map((kind) => [KINDS[kind], kind]),
);

export interface BlockHead extends Place {
  readonly kind: BlockKind;
  /** Where it begins, and where the next one does. @unit bytes from the start of the file */
  readonly offset: number;
  readonly end: number;
  /** CRC of the body, as written. */
  readonly bodyCrc: number;
}

export interface Block extends BlockHead {
  readonly body: Uint8Array;
}

/** Why a file gives no more blocks. `torn`: it ends within a block, as after a crash; `damaged`: its bytes are not those that were written. */
export type BlocksEnd =
  | { readonly status: 'ended'; readonly offset: number }
  | { readonly status: 'torn'; readonly offset: number; readonly bytes: number }
  | { readonly status: 'damaged'; readonly offset: number; readonly detail: string };

/** The bytes of a block's head; the body follows in place, uncopied. */
export function headOf(kind: BlockKind, body: Uint8Array, { turn, at }: Place): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES);
  const view = new DataView(head.buffer);
  view.setUint32(0, body.byteLength, true);
  view.setUint32(4, KINDS[kind], true);
  view.setFloat64(8, turn, true);
  view.setFloat64(16, at, true);
  view.setUint32(24, crc32(head.subarray(0, CHECKED_BYTES)), true);
  view.setUint32(28, crc32(body), true);
  return head;
}

/** Reads the block at `offset` of the whole file's bytes; the first stands behind `MAGIC`. */
export function readBlock(file: Uint8Array, offset: number): Block | BlocksEnd {
  if (offset < MAGIC.byteLength) return readMagic(file);
  const head = readHead(file.subarray(offset, offset + HEAD_BYTES), offset, file.byteLength - offset);
  return 'status' in head ? head : checkBody(head, file.subarray(offset + HEAD_BYTES, head.end));
}

/** The block, if its body is what was written. */
export function checkBody(head: BlockHead, body: Uint8Array): Block | BlocksEnd {
  const computed = crc32(body);
  if (computed === head.bodyCrc) return { ...head, body };
  const detail = `the CRC-32 of its ${body.byteLength} bytes is ${hex(computed)}, written was ${hex(head.bodyCrc)}`;
  return { status: 'damaged', offset: head.offset, detail };
}

/**
 * What the head at `offset` says; its body is not looked at.
 * @param bytes of the head, fewer at the end of the file
 * @param left bytes of the file from `offset` on
 */
export function readHead(bytes: Uint8Array, offset: number, left: number): BlockHead | BlocksEnd {
  if (left === 0) return { status: 'ended', offset };
  if (Math.min(left, bytes.byteLength) < HEAD_BYTES) return { status: 'torn', offset, bytes: left };
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEAD_BYTES);
  const damaged = (detail: string): BlocksEnd => ({ status: 'damaged', offset, detail });
  const stated = view.getUint32(24, true);
  const found = crc32(bytes.subarray(0, CHECKED_BYTES));
  if (stated !== found) return damaged(`the head's CRC-32 is ${hex(found)}, written was ${hex(stated)}`);
  const kind = KIND_BY_NUMBER.get(view.getUint32(4, true));
  const length = view.getUint32(0, true);
  if (kind === undefined || length > BODY_BYTES_MAX) {
    return damaged(`no block has the kind ${view.getUint32(4, true)} and ${length} bytes`);
  }
  if (left - HEAD_BYTES < length) return { status: 'torn', offset, bytes: left };
  const [turn, at] = [view.getFloat64(8, true), view.getFloat64(16, true)];
  if (!(Number.isSafeInteger(turn) && turn >= 0 && Math.abs(at) <= AT_MAX))
    return damaged(`no block has the turn ${turn} and the time ${at}`);
  const bodyCrc = view.getUint32(28, true);
  return { kind, turn, at, offset, end: offset + HEAD_BYTES + length, bodyCrc };
}

/** Whether a file begins as a journal does: `ended` behind the magic when it does. */
export function readMagic(file: Uint8Array): BlocksEnd {
  const found = file.subarray(0, MAGIC.byteLength);
  if (found.every((byte, index) => byte === MAGIC[index])) {
    return found.byteLength < MAGIC.byteLength
      ? { status: 'torn', offset: 0, bytes: found.byteLength }
      : { status: 'ended', offset: MAGIC.byteLength };
  }
  return {
    status: 'damaged',
    offset: 0,
    detail: 'the file does not begin as a journal of this version does',
  };
}

const hex = (value: number): string => value.toString(16).padStart(8, '0');
