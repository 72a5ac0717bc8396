/**
 * Whether a byte string is an LZ4 block of a stated length: one pass over its tokens, without allocation, in time of the
 * block's length and not of what it claims to hold. Nothing is decompressed before. Pure. Source: LZ4 Block Format
 * Description 1.5.1 (lz4.org), its end-of-block rules too. Rule BR-5, docs/protocol/transport.md.
 */
import type { BlockFault } from '../../protocol/transport/refusal.ts';

declare const CHECKED: unique symbol;

/** A block whose tokens are sound and give exactly `originalSize` bytes. Made by `checkBlock` alone; engines take nothing else. */
export interface CheckedBlock {
  readonly [CHECKED]: true;
  readonly bytes: Uint8Array;
  readonly originalSize: number;
}

export type BlockCheck =
  /** `lastToken`: where the last literals begin. @unit bytes from the block's start */
  | { readonly outcome: 'sound'; readonly block: CheckedBlock; readonly lastToken: number }
  /** `offset`: of the byte in question. @unit bytes from the block's start */
  | { readonly outcome: 'malformed'; readonly fault: BlockFault; readonly offset: number }
  /** Sound, but gives `produced` bytes. */
  | { readonly outcome: 'size'; readonly produced: number };

/** A length of 15 goes on in the bytes that follow. */
export const LENGTH_GOES_ON = 15;
/** A byte of a length that another one follows. */
const BYTE_GOES_ON = 255;
/** @unit bytes @source block format: shorter matches are not written */
const MATCH_BYTES_MIN = 4;
/** The last bytes are literals. @unit bytes @source block format, end of block restrictions */
const LAST_LITERALS = 5;
/** The last match starts so far before the end, at least. @unit bytes @source block format, end of block restrictions */
const LAST_MATCH_DISTANCE = 12;

const malformed = (fault: BlockFault, offset: number): BlockCheck => ({
  outcome: 'malformed',
  fault,
  offset,
});

/** Checks `bytes` as one whole block of `originalSize` bytes. Total. */
export function checkBlock(bytes: Uint8Array, originalSize: number): BlockCheck {
  const end = bytes.byteLength;
  let at = 0;
  let tokenAt = 0;
  let produced = 0;
  let lastMatchStart = Number.NEGATIVE_INFINITY;
  let lastMatchEnd = Number.NEGATIVE_INFINITY;
  for (;;) {
    tokenAt = at;
    const token = bytes[at];
    if (token === undefined) return malformed('TRUNCATED', at);
    at += 1;
    let literals = token >>> 4;
    if (literals === LENGTH_GOES_ON) {
      const from = at;
      at = endOfLength(bytes, from);
      if (at > end) return malformed('TRUNCATED', end);
      literals += lengthBetween(bytes, from, at);
    }
    if (literals > end - at) return malformed('TRUNCATED', end);
    at += literals;
    produced += literals;
    if (at === end) {
      if ((token & 0x0f) !== 0) return malformed('LAST_TOKEN_HAS_MATCH', tokenAt);
      break;
    }
    if (produced === originalSize) return malformed('TRAILING_BYTES', at);
    if (end - at < 2) return malformed('TRUNCATED', end);
    const offset = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    if (offset === 0) return malformed('OFFSET_ZERO', at);
    if (offset > produced) return malformed('OFFSET_BEFORE_START', at);
    at += 2;
    let match = (token & 0x0f) + MATCH_BYTES_MIN;
    if ((token & 0x0f) === LENGTH_GOES_ON) {
      const from = at;
      at = endOfLength(bytes, from);
      if (at > end) return malformed('TRUNCATED', end);
      match += lengthBetween(bytes, from, at);
    }
    lastMatchStart = produced;
    produced += match;
    lastMatchEnd = produced;
  }
  if (produced - lastMatchEnd < LAST_LITERALS || produced - lastMatchStart < LAST_MATCH_DISTANCE) {
    return malformed('MATCH_NEAR_END', tokenAt);
  }
  if (produced !== originalSize) return { outcome: 'size', produced };
  return { outcome: 'sound', block: { bytes, originalSize } as CheckedBlock, lastToken: tokenAt };
}

/** Behind the last byte of the length whose further bytes start at `from`; behind the end of `bytes` when it has none. */
export function endOfLength(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] === BYTE_GOES_ON) at += 1;
  return at + 1;
}

/** What the bytes from `from` to before `to` add to a length: all but the last are 255. */
const lengthBetween = (bytes: Uint8Array, from: number, to: number): number =>
  BYTE_GOES_ON * (to - from - 1) + (bytes[to - 1] ?? 0);
