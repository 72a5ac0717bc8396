/**
 * The file of a wire tap: for each frame its length u32, the time f64 (ms since 1970), the receiver's port u16 and node
 * id (20 bytes), the frame. Big-endian. A kill may cut the last entry short: its frame had not been sent. Boundary: disk.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';

export interface TappedFrame {
  /** @unit ms since 1970 */
  readonly at: number;
  /** The receiver's: where it listens, if the sender dialed. */
  readonly port: number;
  /** Node id of the receiver; zeros if the sender dialed, for then Node tells the certificate only once. */
  readonly peer: string;
  readonly bytes: Uint8Array;
}

const PEER_BYTES = 20;
export const UNKNOWN_PEER = '0'.repeat(2 * PEER_BYTES);
const PEER_AT = 4 + 8 + 2;
const HEAD_BYTES = PEER_AT + PEER_BYTES;

export function encodeTapped({ at, port, peer, bytes }: TappedFrame): Uint8Array {
  const entry = Buffer.allocUnsafe(HEAD_BYTES + bytes.byteLength);
  entry.writeUInt32BE(bytes.byteLength, 0);
  entry.writeDoubleBE(at, 4);
  entry.writeUInt16BE(port, 12);
  entry.write(peer, PEER_AT, PEER_BYTES, 'hex');
  entry.set(bytes, HEAD_BYTES);
  return entry;
}

/** Whole entries, oldest first, and how many bytes they take. */
export function decodeTapped(bytes: Buffer): {
  readonly frames: readonly TappedFrame[];
  readonly length: number;
} {
  const frames: TappedFrame[] = [];
  let at = 0;
  while (at + HEAD_BYTES <= bytes.byteLength) {
    const end = at + HEAD_BYTES + bytes.readUInt32BE(at);
    if (end > bytes.byteLength) break;
    frames.push({
      at: bytes.readDoubleBE(at + 4),
      port: bytes.readUInt16BE(at + 12),
      peer: bytes.toString('hex', at + PEER_AT, at + HEAD_BYTES),
      bytes: bytes.subarray(at + HEAD_BYTES, end),
    });
    at = end;
  }
  return { frames, length: at };
}

/** Reads what was added to a tap's file since the last time; the process may still write to it. */
export class TapReader {
  readonly #path: string;
  #offset = 0;

  constructor(path: string) {
    this.#path = path;
  }

  read(): readonly TappedFrame[] {
    if (!existsSync(this.#path)) return [];
    const file = openSync(this.#path, 'r');
    try {
      const bytes = Buffer.alloc(fstatSync(file).size - this.#offset);
      const count = readSync(file, bytes, 0, bytes.byteLength, this.#offset);
      const { frames, length } = decodeTapped(bytes.subarray(0, count));
      this.#offset += length;
      return frames;
    } finally {
      closeSync(file);
    }
  }
}
