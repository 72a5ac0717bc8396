/**
 * How many operations a SubmitOperations frame brings, read off its first bytes: what a stranger sends is charged before it is
 * decoded. Pure. Rules TP-5, TP-8, docs/protocol/transport.md.
 */
import { concatBytes, utf8 } from '../../base/bytes.ts';
import { OPERATIONS_MAX } from '../../protocol/bridge/messages.ts';
import { ENVELOPE_BYTES } from './codec.ts';

/** A map of two pairs, and its first key. */
const TAG = concatBytes(new Uint8Array([0x82, 0xa3]), utf8('tag'));
/** The second key. */
const OPERATIONS = concatBytes(new Uint8Array([0xaa]), utf8('operations'));
/** Bytes of a whole number after the one that says how it is written. msgpack: uint8, uint16, uint32, float64. */
const NUMBER_BYTES: Readonly<Record<number, number>> = { 204: 1, 205: 2, 206: 4, 203: 8 };

/** At most OPERATIONS_MAX. A frame in any other order is not the message's encoding, and is charged as the greatest. */
export function announcedOperations(frame: Uint8Array): number {
  let at = ENVELOPE_BYTES;
  if (!holdsAt(frame, at, TAG)) return OPERATIONS_MAX;
  at += TAG.byteLength;
  at += 1 + (NUMBER_BYTES[frame[at] ?? 0] ?? 0);
  if (!holdsAt(frame, at, OPERATIONS)) return OPERATIONS_MAX;
  at += OPERATIONS.byteLength;
  return Math.min(OPERATIONS_MAX, listLength(frame, at) ?? OPERATIONS_MAX);
}

/** Undefined: no list, or one that is longer than any frame of ours holds. */
function listLength(frame: Uint8Array, at: number): number | undefined {
  const [head = 0, high = 0, low = 0] = frame.subarray(at, at + 3);
  if ((head & 0xf0) === 0x90) return head & 0x0f;
  return head === 0xdc ? high * 256 + low : undefined;
}

const holdsAt = (frame: Uint8Array, at: number, part: Uint8Array): boolean =>
  part.every((byte, index) => frame[at + index] === byte);
