/**
 * LZ4 by lz4-napi (lz4_flex in Rust). Its blocks stand behind four bytes with the length, by which it allocates: so it is
 * given checked blocks alone. Calls native code. Rule BR-5.
 */
import type { CheckedBlock } from './block.ts';
import type { Lz4Engine } from './engine.ts';

/** What of lz4-napi is used. */
export interface Lz4Library {
  compressSync(data: Uint8Array): Uint8Array;
  uncompressSync(data: Uint8Array): Uint8Array;
}

/** The length before a block, least significant byte first. @unit bytes */
const LENGTH_BYTES = 4;

export function createNativeEngine(library: Lz4Library): Lz4Engine {
  return {
    name: 'lz4-napi',
    compress(bytes) {
      const { buffer, byteOffset, byteLength } = library.compressSync(bytes);
      const length = byteLength - LENGTH_BYTES;
      return length < bytes.byteLength
        ? new Uint8Array(buffer, byteOffset + LENGTH_BYTES, length)
        : undefined;
    },
    decompress(block) {
      try {
        const { buffer, byteOffset, byteLength } = library.uncompressSync(withLength(block));
        return byteLength === block.originalSize ? new Uint8Array(buffer, byteOffset, byteLength) : undefined;
      } catch {
        return undefined;
      }
    },
  };
}

function withLength({ bytes, originalSize }: CheckedBlock): Uint8Array {
  const prefixed = new Uint8Array(LENGTH_BYTES + bytes.byteLength);
  new DataView(prefixed.buffer).setUint32(0, originalSize, true);
  prefixed.set(bytes, LENGTH_BYTES);
  return prefixed;
}
