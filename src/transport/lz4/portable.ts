/**
 * LZ4 by lz4js, in plain JavaScript: the engine of platforms without a binary, and the oracle of the tests. Its decoder checks
 * nothing (seven kilobytes kept it busy for half a minute), so it is given checked blocks alone. Rule BR-5.
 */
import { compressBlock, compressBound, decompressBlock } from 'lz4js';
import { concatBytes } from '../../base/bytes.ts';
import { checkBlock, endOfLength, LENGTH_GOES_ON } from './block.ts';
import type { Lz4Engine } from './engine.ts';

/** lz4js hashes to 16 bits. @unit entries */
const HASH_TABLE_SIZE = 65_536;
/** It starts a last match up to 10 bytes before the end, where the format asks for 12: so much of the end is kept from it. @unit bytes */
const KEPT_BACK = 2;

export function createPortableEngine(): Lz4Engine {
  const positions = new Uint32Array(HASH_TABLE_SIZE);
  return {
    name: 'lz4js',
    compress(bytes) {
      // Positions of an earlier input would become matches with themselves.
      positions.fill(0);
      const room = new Uint8Array(compressBound(bytes.byteLength));
      const shown = bytes.byteLength - KEPT_BACK;
      const length = compressBlock(bytes, room, 0, shown, positions);
      if (length === 0) return undefined;
      const block = withWholeEnd(room.subarray(0, length), bytes);
      return block !== undefined && block.byteLength < bytes.byteLength ? block : undefined;
    },
    decompress({ bytes, originalSize }) {
      const original = new Uint8Array(originalSize);
      const length = decompressBlock(bytes, original, 0, bytes.byteLength, 0);
      return length === originalSize ? original : undefined;
    },
  };
}

/** The block of all of `bytes`, out of the one of all but the bytes kept back: they become literals too. */
function withWholeEnd(block: Uint8Array, bytes: Uint8Array): Uint8Array | undefined {
  const check = checkBlock(block, bytes.byteLength - KEPT_BACK);
  const isNearEnd = check.outcome === 'malformed' && check.fault === 'MATCH_NEAR_END';
  if (check.outcome !== 'sound' && !isNearEnd) return undefined;
  const token = check.outcome === 'sound' ? check.lastToken : check.offset;
  const isLong = (block[token] ?? 0) >>> 4 === LENGTH_GOES_ON;
  const literalsAt = isLong ? endOfLength(block, token + 1) : token + 1;
  const literals = bytes.subarray(bytes.byteLength - (block.byteLength - literalsAt) - KEPT_BACK);
  return concatBytes(block.subarray(0, token), headOf(literals.byteLength), literals);
}

/** The token of the last literals, and what is left of their number. */
function headOf(literals: number): Uint8Array {
  if (literals < LENGTH_GOES_ON) return Uint8Array.of(literals << 4);
  const rest = literals - LENGTH_GOES_ON;
  const head = new Uint8Array(2 + Math.floor(rest / 255)).fill(255);
  head[0] = LENGTH_GOES_ON << 4;
  head[head.length - 1] = rest % 255;
  return head;
}
