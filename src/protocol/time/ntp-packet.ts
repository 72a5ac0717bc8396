/**
 * NTP packets: 48 bytes over UDP. The question tells nothing of this machine: its transmit timestamp is a random nonce,
 * which the answer must bring back. Pure. Rule TM-3, docs/protocol/time.md; RFC 5905 §7.3 and §7.4, RFC 4330.
 */
import { toHex } from '../../base/bytes.ts';
import { type WallTime, wallTime } from '../../base/units.ts';
import { DISPERSION_MS_MAX } from './clock-filter.ts';

/** @unit bytes */
export const NTP_PACKET_BYTES = 48;
/** @unit bytes */
export const NTP_NONCE_BYTES = 8;

/** Answers are of the version asked for, or the one before. @source RFC 5905 (4), RFC 1305 (3) */
const VERSIONS = [4, 3];
/** Version 4, mode 3 (client), no leap: the first byte of a question. */
const CLIENT_HEAD = 0x23;
const SERVER_MODE = 4;
const LEAP_UNKNOWN = 3;
/** This stratum and those above: not synchronised. @source RFC 5905 (MAXSTRAT) */
const STRATUM_MAX = 16;
/** The codes of stratum 0 that say "not synchronised (yet)" and are no kiss. @source RFC 5905 figure 13 */
const UNSYNCHRONISED_CODES: readonly string[] = ['', 'INIT', 'STEP'];

/** Where the fields are. @unit bytes @source RFC 5905 figure 8 */
const AT = {
  stratum: 1,
  precision: 3,
  rootDelay: 4,
  rootDispersion: 8,
  reference: 12,
  origin: 24,
  receive: 32,
  transmit: 40,
} as const;
const MS_PER_SECOND = 1_000;
/** NTP counts from 1900. @unit ms @source RFC 5905 figure 4 */
const MS_1900_TO_1970 = 2_208_988_800_000;
/** Seconds of a timestamp wrap after so long: 2036-02-07, 2172-03-15. @unit ms @source RFC 5905 §6 */
const ERA_MS = 2 ** 32 * MS_PER_SECOND;
/** 2026-01-01: no earlier time is believed of this machine when an era is chosen. @unit ms since 1970 @source this software's age */
const NEAR_MIN = 1_767_225_600_000;

/** What a server said, taken apart and checked to be the answer to our question. */
export interface NtpAnswer {
  /** 0 to 2: no leap second is near, one is added, one is left out. */
  readonly leap: number;
  /** 1 (has a reference clock) to 15. */
  readonly stratum: number;
  /** At stratum 1 the reference clock, as `GPS`; else the address or hash of the server's server. For readers. */
  readonly reference: string;
  /** Round trip to the reference clock. @unit ms */
  readonly rootDelay: number;
  /** What the server may be wrong by. @unit ms */
  readonly rootDispersion: number;
  /** What one reading of its clock may be wrong by. @unit ms */
  readonly precision: number;
  /** T2 */
  readonly receivedAt: WallTime;
  /** T3 */
  readonly repliedAt: WallTime;
}

/** Why a packet gives no time. */
export type NtpRefusal =
  | { readonly code: 'SHORT'; readonly bytes: number; readonly bytesMin: number }
  | { readonly code: 'MODE'; readonly mode: number; readonly expected: number }
  | { readonly code: 'ORIGIN_MISMATCH'; readonly origin: string; readonly nonce: string }
  | { readonly code: 'VERSION'; readonly version: number; readonly expected: readonly number[] }
  /** The server refuses to serve; `RATE`, `DENY` and `RSTR` must be obeyed (RFC 5905 §7.4). */
  | { readonly code: 'KISS'; readonly kiss: string }
  | {
      readonly code: 'UNSYNCHRONISED';
      readonly leap: number;
      readonly stratum: number;
      readonly reference: string;
    }
  | { readonly code: 'NO_TIME'; readonly receive: string; readonly transmit: string }
  /** A field is not within `least` to `most`. */
  | {
      readonly code: 'ABSURD';
      readonly field: 'rootDelay' | 'rootDispersion' | 'precision' | 'repliedAt';
      readonly value: number;
      readonly least: number;
      readonly most: number;
    };

export const isNtpRefusal = (answer: NtpAnswer | NtpRefusal): answer is NtpRefusal => 'code' in answer;

/** Only who has seen our nonce can end our question: another's packet is passed over, and the answer still waited for. */
export const endsExchange = ({ code }: NtpRefusal): boolean =>
  code !== 'SHORT' && code !== 'MODE' && code !== 'ORIGIN_MISMATCH';

/**
 * A question with a nonce of 8 bytes: nothing but that and the version. A shorter nonce is filled up with zeros.
 *
 * @example encodeNtpRequest(crypto.getRandomValues(new Uint8Array(8))).byteLength // 48
 */
export function encodeNtpRequest(nonce: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(NTP_PACKET_BYTES);
  bytes[0] = CLIENT_HEAD;
  bytes.set(nonce.subarray(0, NTP_NONCE_BYTES), AT.transmit);
  return bytes;
}

/**
 * Any bytes, as the answer to the question with this nonce. What follows the 48 bytes (extensions, a MAC) is not read.
 * `near` chooses the era: each timestamp is the one nearest to it, or to 2026 when that is later.
 */
export function readNtpAnswer(bytes: Uint8Array, nonce: Uint8Array, near: WallTime): NtpAnswer | NtpRefusal {
  if (bytes.byteLength < NTP_PACKET_BYTES) {
    return { code: 'SHORT', bytes: bytes.byteLength, bytesMin: NTP_PACKET_BYTES };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, NTP_PACKET_BYTES);
  const head = view.getUint8(0);
  const [leap, version, mode] = [head >> 6, (head >> 3) & 7, head & 7];
  if (mode !== SERVER_MODE) return { code: 'MODE', mode, expected: SERVER_MODE };
  const origin = hexAt(bytes, AT.origin);
  if (origin !== toHex(nonce)) return { code: 'ORIGIN_MISMATCH', origin, nonce: toHex(nonce) };
  if (!VERSIONS.includes(version)) return { code: 'VERSION', version, expected: VERSIONS };
  const stratum = view.getUint8(AT.stratum);
  const reference = referenceOf(bytes.subarray(AT.reference, AT.reference + 4), stratum);
  if (stratum === 0 && !UNSYNCHRONISED_CODES.includes(reference)) return { code: 'KISS', kiss: reference };
  if (leap === LEAP_UNKNOWN || stratum === 0 || stratum >= STRATUM_MAX) {
    return { code: 'UNSYNCHRONISED', leap, stratum, reference };
  }
  const [receive, transmit] = [hexAt(bytes, AT.receive), hexAt(bytes, AT.transmit)];
  if (/^0+$/.test(receive) || /^0+$/.test(transmit)) return { code: 'NO_TIME', receive, transmit };
  const answer: NtpAnswer = {
    leap,
    stratum,
    reference,
    // Signed, as RFC 4330 has it: a negative one is told as such.
    rootDelay: (view.getInt32(AT.rootDelay) / 2 ** 16) * MS_PER_SECOND,
    rootDispersion: (view.getUint32(AT.rootDispersion) / 2 ** 16) * MS_PER_SECOND,
    precision: MS_PER_SECOND * 2 ** view.getInt8(AT.precision),
    receivedAt: timestampAt(view, AT.receive, near),
    repliedAt: timestampAt(view, AT.transmit, near),
  };
  return absurdityOf(answer) ?? answer;
}

function absurdityOf(answer: NtpAnswer): NtpRefusal | undefined {
  const { receivedAt } = answer;
  const most = DISPERSION_MS_MAX;
  const bounds = [
    { field: 'rootDelay', least: 0, most },
    { field: 'rootDispersion', least: 0, most },
    { field: 'precision', least: 0, most },
    { field: 'repliedAt', least: receivedAt, most: receivedAt + most },
  ] as const;
  const broken = bounds.find(({ field, least, most }) => !(answer[field] >= least && answer[field] <= most));
  return broken === undefined ? undefined : { code: 'ABSURD', value: answer[broken.field], ...broken };
}

/** A timestamp of 32.32 bits, in the era that brings it nearest. */
function timestampAt(view: DataView, at: number, near: WallTime): WallTime {
  const seconds = view.getUint32(at) + view.getUint32(at + 4) / 2 ** 32;
  const inEra0 = seconds * MS_PER_SECOND - MS_1900_TO_1970;
  const pivot = Number.isFinite(near) ? Math.max(near, NEAR_MIN) : NEAR_MIN;
  return wallTime(inEra0 + Math.round((pivot - inEra0) / ERA_MS) * ERA_MS);
}

const hexAt = (bytes: Uint8Array, at: number): string => toHex(bytes.subarray(at, at + 8));

/** Strata 0 and 1: letters, up to the first zero, '' when there are none; else an IPv4 address, or what looks like one. */
function referenceOf(id: Uint8Array, stratum: number): string {
  if (stratum > 1) return id.join('.');
  const end = id.indexOf(0);
  const letters = end === -1 ? id : id.subarray(0, end);
  return letters.every((byte) => byte > 0x20 && byte < 0x7f) ? String.fromCharCode(...letters) : '';
}
