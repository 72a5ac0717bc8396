/**
 * The named reasons for which a connection ends, and their WebSocket close codes (private range 4000 to 4999).
 * Pure. Rules TP-1, TP-2, TP-6, docs/protocol/transport.md.
 */

/** @unit WebSocket close code @source RFC 6455 section 7.4.2: 4000 to 4999 are for private use */
export const CLOSE_CODES = {
  WRONG_CHAIN: 4001,
  WRONG_GENESIS: 4002,
  WRONG_VERSION: 4003,
  WRONG_IDENTITY: 4004,
  WRONG_CERTIFICATE: 4005,
  WRONG_SIGNATURE: 4006,
  SELF_CONNECTION: 4007,
  HELLO_MALFORMED: 4008,
  HANDSHAKE_TIMEOUT: 4009,
  DUPLICATE: 4010,
  REPLACED: 4011,
  TOO_MANY_CONNECTIONS: 4012,
  BANNED: 4013,
  KEEPALIVE_TIMEOUT: 4014,
  STALLED: 4015,
  SHUTTING_DOWN: 4016,
  FRAME_REFUSED: 4017,
} as const;

export type NamedCloseReason = keyof typeof CLOSE_CODES;

/** Endings that we did not name: the network's. */
export type DeviceCloseReason =
  | 'UNREACHABLE'
  | 'TLS_FAILED'
  | 'UPGRADE_FAILED'
  | 'CONNECTION_LOST'
  | 'CONNECTION_CLOSED';

export type CloseReason = NamedCloseReason | DeviceCloseReason;

const REASONS: ReadonlyMap<number, NamedCloseReason> = new Map(
  Object.entries(CLOSE_CODES).map(([reason, code]) => [code, reason as NamedCloseReason]),
);

/** The name of a close code that the peer sent; foreign codes are CONNECTION_CLOSED, none at all is CONNECTION_LOST. */
export function closeReason(code: number): CloseReason {
  if (code === 1006) return 'CONNECTION_LOST';
  return REASONS.get(code) ?? 'CONNECTION_CLOSED';
}

/** Reads a reason by its name, as the refusal of an upgrade carries it. */
export function closeReasonByName(name: string | undefined): CloseReason | undefined {
  return name !== undefined && Object.hasOwn(CLOSE_CODES, name) ? (name as NamedCloseReason) : undefined;
}

/** Reasons after which dialing again soon cannot help: the peer's identity or chain must change first. */
const LASTING: ReadonlySet<CloseReason> = new Set<CloseReason>([
  'WRONG_CHAIN',
  'WRONG_GENESIS',
  'WRONG_VERSION',
  'WRONG_IDENTITY',
  'WRONG_CERTIFICATE',
  'WRONG_SIGNATURE',
  'SELF_CONNECTION',
  'BANNED',
]);

/** True when the next dial should wait the longest delay (TP-2). */
export const isLasting = (reason: CloseReason): boolean => LASTING.has(reason);
