/** How this program uses `ws`: one set of options, whoever dials. Rule TP-3, docs/protocol/transport.md. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { FRAME_BYTES_MAX } from '../protocol/transport/kinds.ts';
import { BUFFERED_CHUNKS_MAX, CLOSE_TIMEOUT_MS, FRAGMENTS_MAX } from '../protocol/transport/limits.ts';
import type { End } from '../protocol/transport/messages.ts';
import type { PeerIdentity } from './handshake.ts';

/** Never compressed, never above our own caps, no automatic pongs (pings are ours, kinds Ping and Pong). */
export const WS_OPTIONS = {
  perMessageDeflate: false,
  maxPayload: FRAME_BYTES_MAX,
  maxFragments: FRAGMENTS_MAX,
  maxBufferedChunks: BUFFERED_CHUNKS_MAX,
  autoPong: false,
  skipUTF8Validation: true,
  closeTimeout: CLOSE_TIMEOUT_MS,
} as const;

/** A WebSocket whose other end is proven. */
export interface ProvenSocket {
  readonly ws: WebSocket;
  readonly socket: Socket;
  readonly peer: PeerIdentity;
  /** Which end this node is. */
  readonly end: End;
  /** `host:port` of the other end, as the socket has it. */
  readonly remote: string;
}

/** `host:port`, with brackets around an IPv6 address. */
export function endpointText(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** True for addresses that never leave the machine. */
export function isLoopback(host: string): boolean {
  return host === '::1' || host === 'localhost' || /^(::ffff:)?127\./.test(host);
}
