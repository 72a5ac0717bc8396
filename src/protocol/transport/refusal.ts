/**
 * Why a frame or a handshake was not taken: values with a code and every operand, never a throw.
 * Types only. Rules TP-1, TP-8 to TP-11, docs/protocol/transport.md.
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
  | { readonly code: 'ENVELOPE_MALFORMED'; readonly byte: number }
  | { readonly code: 'KIND_UNKNOWN'; readonly number: number; readonly version: number }
  | { readonly code: 'KIND_OUT_OF_PHASE'; readonly kind: string }
  | { readonly code: 'KIND_NOT_FOR_ROLE'; readonly kind: string; readonly role: string }
  | {
      readonly code: 'STRUCTURE';
      readonly kind: string;
      readonly fault: StructureFault;
      readonly offset: number;
    }
  | { readonly code: 'SCHEMA'; readonly kind: string; readonly path: string; readonly problem: string }
  | { readonly code: 'NOT_CANONICAL'; readonly kind: string }
  | { readonly code: 'RATE_EXCEEDED'; readonly kind: string }
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
