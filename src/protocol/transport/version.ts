/** The version of what is said between nodes. Pure. Rule TP-10, docs/protocol/transport.md. */
import type { ProtocolVersion } from './messages.ts';

/** This program's protocol. A frame carries the minor version; the handshake compares the major one. */
export const PROTOCOL_VERSION: ProtocolVersion = { major: 1, minor: 5 };
