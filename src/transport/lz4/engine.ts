/** What an LZ4 engine must offer: blocks without a frame around them. Types only. Rule BR-5, docs/protocol/transport.md. */
import type { CheckedBlock } from './block.ts';

/** Engines may write different blocks for the same bytes; what they read from a checked block is the same. */
export interface Lz4Engine {
  readonly name: 'lz4-napi' | 'lz4js';
  /** A block shorter than `bytes` that holds them, or undefined where this engine finds none. */
  compress(bytes: Uint8Array): Uint8Array | undefined;
  /** The block's `originalSize` bytes. Undefined when the engine fails at a block that was found sound: our fault. */
  decompress(block: CheckedBlock): Uint8Array | undefined;
}
