/** The keys of [p2p]: whom this node meets, and what guests may hand over. Pure. Rules TP-1 to TP-7, docs/operator-guide.md. */
import { address, duration, flag, integer, list } from './setting.ts';

export const P2P_SETTINGS = {
  listen: address({
    default: '127.0.0.1:26656',
    optional: false,
    note: 'Where peers connect to this node. 0.0.0.0 for every interface.',
    source: "port of CometBFT's peers",
  }),
  external_address: address({
    default: '',
    optional: true,
    note: 'What peers are told to dial; "" means the address of `listen`.',
    source: 'TP-7',
  }),
  peers: list({
    pattern: /^[0-9a-f]{40}@(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$/,
    shape: '"id@host:port" with an id of 40 hexadecimal digits (`althing show-node-id`)',
    lengthMax: 1_000,
    note: 'Peers to dial and keep. Each entry is "id@host:port".',
    source: 'TP-7',
  }),
  dial_backoff_ms_min: duration({
    default: 200,
    min: 10,
    max: 60_000,
    note: 'Wait before the second attempt to reach a peer; doubles from there.',
    source: 'TP-2; a restarted neighbour listens again within a second',
  }),
  dial_backoff_ms_max: duration({
    default: 30_000,
    min: 100,
    max: 600_000,
    note: 'Longest wait between two attempts to reach a peer.',
    source: 'TP-2; one that is gone is asked twice a minute',
  }),
  guest_operations_per_second: integer({
    default: 1_000,
    min: 1,
    max: 1_000_000,
    unit: 'operations/s',
    note: 'What one node that is no validator, or one address (IPv6: one /64), may hand to this one; more is dropped unread. Two seconds of it at once.',
    source: 'TP-5; chosen: what a full node with some hundred clients hands over',
  }),
  guest_operation_bytes_per_second: integer({
    default: 1_048_576,
    min: 1_024,
    max: 134_217_728,
    unit: 'bytes/s',
    note: '… in bytes.',
    source: 'TP-5',
  }),
  all_guests_operations_per_second: integer({
    default: 4_000,
    min: 1,
    max: 1_000_000,
    unit: 'operations/s',
    note: 'What all of them may hand over together; nodes named in `peers` have their own share besides.',
    source: 'TP-5; measured: a fiftieth of a processor',
  }),
  all_guests_operation_bytes_per_second: integer({
    default: 4_194_304,
    min: 1_024,
    max: 1_073_741_824,
    unit: 'bytes/s',
    note: '… in bytes.',
    source: 'TP-5',
  }),
  plaintext_on_loopback: flag({
    default: false,
    note: 'Development only: no TLS between nodes on 127.0.0.1.',
    source: 'TP-1',
  }),
};

/** Pairs of keys whose values must not exceed each other: `lesser` <= `greater`. */
export const P2P_ORDERS = [
  { lesser: 'p2p.dial_backoff_ms_min', greater: 'p2p.dial_backoff_ms_max' },
] as const;
