/**
 * Why a frame or a handshake was not taken: values with a code and every operand, never a throw.
 * Types only. Rules BR-5, BR-6, TP-1, TP-8 to TP-11, docs/protocol/transport.md.
 */

/** What the pre-scan of a frame's structure can object to. */
export type StructureFault =
  | 'TRUNCATED'
  | 'TRAILING_BYTES'
  | 'TOO_DEEP'
  | 'TOO_MANY_NODES'
  | 'TOO_MANY_KEYS'
  | 'STRING_TOO_LONG'
  | 'EXTENSION_TYPE'
  | 'INTEGER_NOT_MINIMAL'
  | 'LENGTH_NOT_MINIMAL'
  | 'INTEGER_64_BIT'
  | 'FLOAT_32_BIT'
  | 'NUMBER_NOT_SAFE_INTEGER'
  | 'KEY_NOT_TEXT'
  | 'KEY_DUPLICATE'
  | 'KEY_TOO_LONG'
  | 'TEXT_NOT_ASCII'
  | 'TEXT_NOT_UTF8'
  | 'BYTE_UNUSED';

/** What a walk over the tokens of an LZ4 block can object to. */
export type BlockFault =
  | 'TRUNCATED'
  | 'TRAILING_BYTES'
  | 'OFFSET_ZERO'
  | 'OFFSET_BEFORE_START'
  | 'MATCH_NEAR_END'
  | 'LAST_TOKEN_HAS_MATCH';

/** Why a state, raw or compressed, was not taken (BR-5). Sizes in bytes. */
export type StateRefusal =
  | { readonly code: 'STATE_EMPTY'; readonly problem: 'State is empty' }
  | {
      readonly code: 'STATE_TOO_LARGE';
      readonly problem: 'State too large';
      readonly bytes: number;
      readonly bytesMax: number;
    }
  | {
      readonly code: 'STATE_COMPRESSED_NEEDLESSLY';
      readonly problem: 'State compressed needlessly';
      readonly originalSize: number;
      readonly compressedSize: number;
    }
  | {
      readonly code: 'STATE_SEQUENCE_MISMATCH';
      readonly problem: 'Sequence mismatch';
      readonly expected: number;
      readonly got: number;
    }
  | {
      readonly code: 'STATE_BLOCK_MALFORMED';
      readonly problem: 'Malformed LZ4 block';
      readonly fault: BlockFault;
      readonly offset: number;
    }
  | {
      readonly code: 'STATE_SIZE_MISMATCH';
      readonly problem: 'Size mismatch';
      readonly expected: number;
      readonly got: number;
    }
  | {
      readonly code: 'STATE_CHECKSUM_MISMATCH';
      readonly problem: 'State checksum mismatch';
      readonly expected: number;
      readonly got: number;
    }
  /** The engine failed at a block that was found sound: nobody's fault but ours. */
  | { readonly code: 'STATE_NOT_DECOMPRESSED'; readonly problem: string };

/** A frame that was refused. `kind` is the name when the number is known. */
export type FrameRefusal =
  | { readonly code: 'FRAME_TOO_SHORT'; readonly bytes: number }
  | {
      readonly code: 'FRAME_TOO_LARGE';
      readonly kind: string;
      readonly bytes: number;
      readonly bytesMax: number;
    }
  | { readonly code: 'FRAME_NOT_BINARY' }
  | { readonly code: 'PACKET_EMPTY'; readonly kind: string; readonly problem: 'Packet has no payload' }
  | { readonly code: 'ENVELOPE_MALFORMED'; readonly byte: number }
  | { readonly code: 'KIND_UNKNOWN'; readonly number: number; readonly version: number }
  | { readonly code: 'KIND_OUT_OF_PHASE'; readonly kind: string }
  | { readonly code: 'KIND_NOT_FOR_ROLE'; readonly kind: string; readonly role: string }
  | {
      readonly code: 'STRUCTURE';
      readonly kind: string;
      readonly fault: StructureFault;
      readonly offset: number;
      /** Begins with "Failed to deserialize: " (BR-6). */
      readonly problem: string;
    }
  | { readonly code: 'SCHEMA'; readonly kind: string; readonly path: string; readonly problem: string }
  | { readonly code: 'NOT_CANONICAL'; readonly kind: string }
  | (StateRefusal & { readonly kind: string })
  | { readonly code: 'RATE_EXCEEDED'; readonly kind: string }
  /** More than a node that is no validator may hand over; not one of them was looked at. */
  | { readonly code: 'OPERATIONS_RATE_EXCEEDED'; readonly kind: string; readonly operations: number }
  | { readonly code: 'SYNC_LANE_BANNED'; readonly kind: string };

/** Why a connection does not come to be, or ends. Each has a WebSocket close code (see `closing.ts`). */
export type HandshakeRefusal =
  | { readonly code: 'WRONG_CHAIN'; readonly expected: string; readonly got: string }
  | { readonly code: 'WRONG_GENESIS'; readonly expected: string; readonly got: string }
  | { readonly code: 'WRONG_VERSION'; readonly expected: number; readonly got: number }
  | { readonly code: 'WRONG_IDENTITY'; readonly expected: string; readonly got: string }
  | { readonly code: 'WRONG_CERTIFICATE'; readonly problem: string }
  | { readonly code: 'WRONG_SIGNATURE'; readonly peer: string }
  | { readonly code: 'SELF_CONNECTION'; readonly peer: string }
  | { readonly code: 'HELLO_MALFORMED'; readonly problem: string };
