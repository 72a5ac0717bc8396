/**
 * Frames: what a message looks like on the wire, and what is taken from it. Envelope [minor version, kind, body]
 * in msgpack; a message has exactly one encoding. Never throws on foreign bytes. Rules TP-8 to TP-11,
 * docs/protocol/transport.md.
 */
import type { z } from 'zod';
import { concatBytes, equalBytes, utf8 } from '../../base/bytes.ts';
import type { Encoding } from '../../protocol/transport/frame.ts';
import { KINDS, kindByNumber, type WireKind } from '../../protocol/transport/kinds.ts';
import type { WireMessage } from '../../protocol/transport/messages.ts';
import type { FrameRefusal } from '../../protocol/transport/refusal.ts';
import { PROTOCOL_VERSION } from '../../protocol/transport/version.ts';
import { type ChainRefusal, readChain, writeChain } from './chain.ts';
import { packr } from './packr.ts';
import { readPartialState, writePartialState } from './partial-state.ts';
import { type StructureRefusal, StructureScanner } from './prescan.ts';
import { BODIES, type Body } from './schemas.ts';

/** What the first three bytes and the length of a frame say (stage one). */
export type Envelope =
  | { readonly outcome: 'known'; readonly kind: WireKind }
  | { readonly outcome: 'ignored'; readonly number: number; readonly version: number }
  | { readonly outcome: 'refused'; readonly refusal: FrameRefusal };

export type Decoding =
  | { readonly outcome: 'decoded'; readonly message: WireMessage }
  /** A kind that a newer minor version has and this one has not: counted, not scored (TP-10). */
  | { readonly outcome: 'ignored'; readonly number: number; readonly version: number }
  | { readonly outcome: 'refused'; readonly refusal: FrameRefusal };

/** First byte of every frame: an array of three. */
const ENVELOPE = 0x93;
/** Array head, version and kind, one byte each. @unit bytes */
export const ENVELOPE_BYTES = 3;
/** A frame below this is copied once, so that a signature kept from it does not keep a whole socket chunk. @unit bytes */
const COPY_BYTES_MAX = 32 * 1024;

/** A value that is none: a packet without payload. */
const NIL = 0xc0;

const scanner = new StructureScanner();

const refused = (refusal: FrameRefusal): { readonly outcome: 'refused'; readonly refusal: FrameRefusal } => ({
  outcome: 'refused',
  refusal,
});

/** The message in its one encoding. Refused when we ourselves would refuse it: too large, or not of its shape. */
export function encode(message: WireMessage): Encoding {
  const { kind, ...body } = message;
  switch (message.kind) {
    case 'Blocks': {
      const writing = writeChain(message.blocks);
      return writing.outcome === 'refused'
        ? refused(misplaced(writing))
        : encodeBody(kind, { ...body, blocks: writing.bytes });
    }
    case 'StateSync': {
      const writing = writePartialState(message);
      return writing.outcome === 'refused'
        ? writing
        : encodeBody(kind, { ...body, partialState: writing.state });
    }
    default:
      return encodeBody(kind, body);
  }
}

function encodeBody(kind: WireKind, body: object): Encoding {
  const parsed = parseBody(kind, body);
  if (parsed.outcome === 'refused') return parsed;
  const rule = KINDS[kind];
  const bytes =
    kind === 'Batch' && 'bytes' in body && body.bytes instanceof Uint8Array
      ? packBytes(rule.number, body.bytes)
      : new Uint8Array(pack(rule.number, parsed.body));
  if (bytes.byteLength > rule.bytesMax) {
    return refused({ code: 'FRAME_TOO_LARGE', kind, bytes: bytes.byteLength, bytesMax: rule.bytesMax });
  }
  const structure = scanner.scan(bytes, ENVELOPE_BYTES, rule);
  if (structure !== undefined) return refused(unreadable(kind, structure));
  return { outcome: 'encoded', frame: { kind, bytes } };
}

/** Stage one: kind and size, from the first three bytes. Costs nothing; a rate limit belongs behind it. */
export function readEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.byteLength < ENVELOPE_BYTES) return refused({ code: 'FRAME_TOO_SHORT', bytes: bytes.byteLength });
  const [head = 0, version = 0, number = 0] = bytes;
  if (head !== ENVELOPE) return refused({ code: 'ENVELOPE_MALFORMED', byte: 0 });
  if (version > 127) return refused({ code: 'ENVELOPE_MALFORMED', byte: 1 });
  if (number > 127) return refused({ code: 'ENVELOPE_MALFORMED', byte: 2 });
  const kind = kindByNumber(number);
  if (kind === undefined) {
    return version > PROTOCOL_VERSION.minor
      ? { outcome: 'ignored', number, version }
      : refused({ code: 'KIND_UNKNOWN', number, version });
  }
  const { bytesMax } = KINDS[kind];
  if (bytes.byteLength > bytesMax) {
    return refused({ code: 'FRAME_TOO_LARGE', kind, bytes: bytes.byteLength, bytesMax });
  }
  return { outcome: 'known', kind };
}

/**
 * The message in a frame. Its byte strings are views of the frame (large frames) or of one copy of it (small ones).
 * Total: every byte string ends in one of the three outcomes.
 */
export function decode(bytes: Uint8Array): Decoding {
  const envelope = readEnvelope(bytes);
  return envelope.outcome === 'known' ? decodeBody(envelope.kind, bytes) : envelope;
}

/** Stage two: structure, decoding, shape, and the proof that this is the message's one encoding. */
export function decodeBody(kind: WireKind, bytes: Uint8Array): Decoding {
  if (
    bytes.byteLength === ENVELOPE_BYTES ||
    (bytes.byteLength === ENVELOPE_BYTES + 1 && bytes[ENVELOPE_BYTES] === NIL)
  )
    return refused({ code: 'PACKET_EMPTY', kind, problem: 'Packet has no payload' });
  const structure = scanner.scan(bytes, ENVELOPE_BYTES, KINDS[kind]);
  if (structure !== undefined) return refused(unreadable(kind, structure));
  const raw = unpack(bytes);
  if (raw === MALFORMED) return refused({ code: 'NOT_CANONICAL', kind });
  if (kind === 'Blocks') return blocksOf(raw, bytes.byteLength);
  const parsed = parseBody(kind, raw);
  if (parsed.outcome === 'refused') return parsed;
  if (!isItsEncoding(kind, parsed.body, bytes)) return refused({ code: 'NOT_CANONICAL', kind });
  return kind === 'StateSync'
    ? stateSyncOf(parsed.body as Body<'StateSync'>)
    : { outcome: 'decoded', message: messageOf(kind, parsed.body) };
}

function stateSyncOf(body: Body<'StateSync'>): Decoding {
  const reading = readPartialState(body.partialState, body.sequenceNumber);
  if (reading.outcome === 'refused') return reading;
  return { outcome: 'decoded', message: { kind: 'StateSync', ...body, partialState: reading.partialState } };
}

const unreadable = (kind: WireKind, structure: StructureRefusal): FrameRefusal => ({
  code: 'STRUCTURE',
  kind,
  ...structure,
  problem: `Failed to deserialize: ${structure.fault} at byte ${structure.offset}`,
});

/** As for any kind; but the byte string of the blocks has one encoding anyway, and so have keys in their one order. */
function blocksOf(raw: unknown, frameBytes: number): Decoding {
  const parsed = BODIES.Blocks.safeParse(raw);
  if (!parsed.success) return refused(malformed('Blocks', parsed.error));
  const { data } = parsed;
  if (!hasItsOrder(raw, data)) return refused({ code: 'NOT_CANONICAL', kind: 'Blocks' });
  const reading = readChain(data.blocks);
  if (reading.outcome === 'refused') return refused(misplaced(reading));
  const batches = data.batches.map((bytes) => keptApart(bytes, frameBytes));
  return { outcome: 'decoded', message: { kind: 'Blocks', ...data, blocks: reading.blocks, batches } };
}

const hasItsOrder = (raw: unknown, body: object): boolean => {
  const keys = Object.keys(body);
  return (
    typeof raw === 'object' && raw !== null && Object.keys(raw).every((key, place) => key === keys[place])
  );
};

/** Whoever keeps a batch keeps at most twice its bytes: one that is half of the frame stays in it, others are copied. */
const keptApart = (bytes: Uint8Array, frameBytes: number): Uint8Array =>
  bytes.byteLength * 2 >= frameBytes ? bytes : bytes.slice();

const misplaced = ({ index, problem }: ChainRefusal): FrameRefusal => ({
  code: 'SCHEMA',
  kind: 'Blocks',
  path: `blocks.${index}`,
  problem,
});

const MALFORMED: unique symbol = Symbol('malformed');

/** The value after the envelope. The scan has ruled out what makes msgpackr throw; if it does, the frame is refused. */
function unpack(bytes: Uint8Array): unknown {
  const owned =
    bytes.byteLength <= COPY_BYTES_MAX
      ? new Uint8Array(bytes.subarray(ENVELOPE_BYTES))
      : new Uint8Array(bytes.buffer, bytes.byteOffset + ENVELOPE_BYTES, bytes.byteLength - ENVELOPE_BYTES);
  try {
    return packr.unpack(owned);
  } catch {
    return MALFORMED;
  }
}

type ParsedBody =
  | { readonly outcome: 'parsed'; readonly body: object }
  | { readonly outcome: 'refused'; readonly refusal: FrameRefusal };

function parseBody(kind: WireKind, raw: unknown): ParsedBody {
  const schema: z.ZodType<object> = BODIES[kind];
  const parsed = schema.safeParse(raw);
  if (parsed.success) return { outcome: 'parsed', body: parsed.data };
  return refused(malformed(kind, parsed.error));
}

function malformed(kind: WireKind, { issues }: z.ZodError): FrameRefusal {
  const [issue] = issues;
  const path = issue?.path.map(String).join('.') ?? '';
  return { code: 'SCHEMA', kind, path, problem: issue?.message ?? 'malformed' };
}

/** The gateway's one statement of trust: `BODIES[kind]` has checked that `body` is the body of `kind`. */
const messageOf = (kind: WireKind, body: object): WireMessage => ({ kind, ...body }) as WireMessage;

/** A view of msgpackr's pool: to be compared or copied at once, never kept, or it would keep megabytes. */
const pack = (number: number, body: object): Uint8Array => packr.pack([PROTOCOL_VERSION.minor, number, body]);

/** `pack` for `{ bytes }`, the kind that carries nearly all traffic: one copy, no pool. */
function packBytes(number: number, payload: Uint8Array): Uint8Array {
  const { byteLength } = payload;
  const width = byteLength <= 0xff ? 1 : byteLength <= 0xffff ? 2 : 4;
  const head = ENVELOPE_BYTES + BYTES_KEY.byteLength + 1 + width;
  // Not zeroed first: every byte is written below.
  const slab = Buffer.allocUnsafeSlow(head + byteLength);
  const frame = new Uint8Array(slab.buffer, slab.byteOffset, slab.byteLength);
  frame.set([ENVELOPE, PROTOCOL_VERSION.minor, number]);
  frame.set(BYTES_KEY, ENVELOPE_BYTES);
  const view = new DataView(frame.buffer, frame.byteOffset);
  view.setUint8(head - width - 1, width === 1 ? 0xc4 : width === 2 ? 0xc5 : 0xc6);
  if (width === 1) view.setUint8(head - 1, byteLength);
  else if (width === 2) view.setUint16(head - 2, byteLength);
  else view.setUint32(head - 4, byteLength);
  frame.set(payload, head);
  return frame;
}

/** A map of one pair, and its key `bytes`. */
const BYTES_KEY = concatBytes(new Uint8Array([0x81, 0xa5]), utf8('bytes'));

/**
 * True when encoding `body` gives `bytes`, the sender's minor version aside. A batch's body has one key and the
 * scan admits one form of it: there is nothing left to differ.
 */
function isItsEncoding(kind: WireKind, body: object, bytes: Uint8Array): boolean {
  if (kind === 'Batch') return true;
  const again = pack(KINDS[kind].number, body);
  return equalBytes(again.subarray(ENVELOPE_BYTES), bytes.subarray(ENVELOPE_BYTES));
}
