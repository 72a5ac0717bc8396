/**
 * State as it travels: its serialised bytes, or, above 1,024 of them, an LZ4 block with a checksum. What comes from outside is
 * measured before anything is allocated: size, tokens, then decompression, then the checksum. Total. Source: CRC-32 by
 * zlib; rule BR-5, docs/protocol/transport.md.
 */
import { crc32 } from 'node:zlib';
import type { StateRefusal } from '../../protocol/transport/refusal.ts';
import { checkBlock } from '../lz4/block.ts';
import type { Lz4Engine } from '../lz4/engine.ts';
import { LZ4 } from '../lz4/select.ts';

/** State that LZ4 makes shorter. */
export interface CompressedState {
  /** Of the message that it is part of. */
  readonly sequence: number;
  /** An LZ4 block. */
  readonly data: Uint8Array;
  /** CRC-32 of the serialised bytes. 0 to 2^32 - 1 */
  readonly checksum: number;
  /** @unit bytes, serialised */
  readonly originalSize: number;
}

/** Raw is a byte string, compressed a record: no byte of the one can be taken for the other. */
export type StateOnWire = Uint8Array | CompressedState;

export type StateReading =
  | { readonly outcome: 'read'; readonly serialised: Uint8Array }
  | { readonly outcome: 'refused'; readonly refusal: StateRefusal };

/** Up to this, state travels raw. @unit bytes @source BR-5 */
export const COMPRESSED_ABOVE_BYTES = 1_024;

/** `serialised` for the wire: compressed if it has more than 1,024 bytes and LZ4 makes them fewer, raw otherwise. */
export function compressState(
  serialised: Uint8Array,
  sequence: number,
  engine: Lz4Engine = LZ4.engine,
): StateOnWire {
  if (serialised.byteLength <= COMPRESSED_ABOVE_BYTES) return serialised;
  const data = engine.compress(serialised);
  if (data === undefined) return serialised;
  return { sequence, data, checksum: crc32(serialised), originalSize: serialised.byteLength };
}

/** What a reader knows beforehand. */
export interface StateExpectation {
  /** That of the message around it. */
  readonly sequence: number;
  /** The most that such a state has. @unit bytes, serialised */
  readonly bytesMax: number;
}

/** The serialised bytes of `state`; a view of it where it is raw. What they mean is not looked at. */
export function restoreState(
  state: StateOnWire,
  { sequence, bytesMax }: StateExpectation,
  engine: Lz4Engine = LZ4.engine,
): StateReading {
  const isRaw = state instanceof Uint8Array;
  const held = isRaw ? state.byteLength : state.data.byteLength;
  if (held === 0) return refused({ code: 'STATE_EMPTY', problem: 'State is empty' });
  const bytes = isRaw ? held : state.originalSize;
  if (bytes > bytesMax) {
    return refused({ code: 'STATE_TOO_LARGE', problem: 'State too large', bytes, bytesMax });
  }
  if (isRaw) return { outcome: 'read', serialised: state };
  const { originalSize } = state;
  if (state.sequence !== sequence) {
    const got = state.sequence;
    return refused({
      code: 'STATE_SEQUENCE_MISMATCH',
      problem: 'Sequence mismatch',
      expected: sequence,
      got,
    });
  }
  if (originalSize <= COMPRESSED_ABOVE_BYTES || held >= originalSize) {
    return refused({
      code: 'STATE_COMPRESSED_NEEDLESSLY',
      problem: 'State compressed needlessly',
      originalSize,
      compressedSize: held,
    });
  }
  return decompressed(state, engine);
}

function decompressed({ data, checksum, originalSize }: CompressedState, engine: Lz4Engine): StateReading {
  const check = checkBlock(data, originalSize);
  if (check.outcome === 'malformed') {
    const { fault, offset } = check;
    return refused({ code: 'STATE_BLOCK_MALFORMED', problem: 'Malformed LZ4 block', fault, offset });
  }
  if (check.outcome === 'size') {
    const got = check.produced;
    return refused({ code: 'STATE_SIZE_MISMATCH', problem: 'Size mismatch', expected: originalSize, got });
  }
  const serialised = engine.decompress(check.block);
  if (serialised === undefined) {
    return refused({ code: 'STATE_NOT_DECOMPRESSED', problem: `${engine.name} failed at a sound block` });
  }
  const got = crc32(serialised);
  if (got !== checksum) {
    const problem = 'State checksum mismatch';
    return refused({ code: 'STATE_CHECKSUM_MISMATCH', problem, expected: checksum, got });
  }
  return { outcome: 'read', serialised };
}

const refused = (refusal: StateRefusal): StateReading => ({ outcome: 'refused', refusal });
