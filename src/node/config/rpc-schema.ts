/** The keys of [rpc]: where clients connect, and how much they may ask. Pure. docs/operator-guide.md. */
import { address, duration, integer, list, MEBIBYTE } from './setting.ts';

export const RPC_SETTINGS = {
  listen: address({
    default: '127.0.0.1:26657',
    optional: true,
    note: 'Where clients connect; "" for no RPC. Behind a reverse proxy on any other than a loopback address.',
    source: "port of CometBFT's RPC",
  }),
  allowed_hosts: list({
    pattern: /^[A-Za-z0-9.:[\]-]+$/,
    shape: 'a host name without port',
    lengthMax: 100,
    note: 'Values of the Host header beside localhost and the listening address (stops DNS rebinding).',
    source: 'docs/operator-guide.md',
  }),
  allowed_origins: list({
    pattern: /^(\*|https?:\/\/[A-Za-z0-9.:[\]-]+)$/,
    shape: 'an origin "https://host", or "*"',
    lengthMax: 100,
    note: 'Web pages that may call from a browser, by their origin.',
    source: "CometBFT's cors_allowed_origins",
  }),
  other_nodes: list({
    pattern: /^https?:\/\/[A-Za-z0-9.:[\]-]+$/,
    shape: 'an address "http://host:port"',
    lengthMax: 16,
    note: 'RPC of other nodes of the chain: where pages that this node serves go on when it fails.',
    source: 'docs/dice.md',
  }),
  connections_max: integer({
    default: 900,
    min: 1,
    max: 65_000,
    unit: 'connections',
    note: 'Open connections of clients; one more closes the one that has been without a request for longest.',
    source: "CometBFT's max_open_connections",
  }),
  connections_per_address_max: integer({
    default: 300,
    min: 1,
    max: 65_000,
    unit: 'connections',
    note: 'Of them from one address, by the same rule; a reverse proxy is one address.',
    source: 'a third of connections_max',
  }),
  body_bytes_max: integer({
    default: MEBIBYTE,
    min: 1_024,
    max: 64 * MEBIBYTE,
    unit: 'bytes',
    note: "Body of one request. In base64, 4/3 of the genesis's transaction_bytes_max must fit; up to batch_requests_max such would.",
    source: "CometBFT's max_body_bytes; a hundred transactions of 7 KB, or eleven of 64 KiB",
  }),
  batch_requests_max: integer({
    default: 100,
    min: 1,
    max: 10_000,
    unit: 'requests',
    note: 'Calls in one JSON-RPC batch.',
    source: "CometBFT's max_request_batch_size is 10",
  }),
  request_timeout_ms: duration({
    default: 30_000,
    min: 100,
    max: 600_000,
    note: "From a request's head to its answer, the wait for its turn with it.",
    source: "three times CometBFT's timeout_broadcast_tx_commit",
  }),
  commit_timeout_ms: duration({
    default: 10_000,
    min: 100,
    max: 600_000,
    note: 'How long broadcast_tx_commit waits for the block; less than request_timeout_ms.',
    source: "CometBFT's timeout_broadcast_tx_commit",
  }),
  requests_per_second: integer({
    default: 5_000,
    min: 1,
    max: 10_000_000,
    unit: 'requests/s',
    note: 'Steady rate of one client address; a batch counts as its calls.',
    source: 'docs/operator-guide.md',
  }),
  requests_burst: integer({
    default: 10_000,
    min: 1,
    max: 10_000_000,
    unit: 'requests',
    note: 'What one client address may send at once.',
    source: 'two seconds of requests_per_second',
  }),
};

/** Pairs of keys whose values must not exceed each other: `lesser` <= `greater`. */
export const RPC_ORDERS = [{ lesser: 'rpc.commit_timeout_ms', greater: 'rpc.request_timeout_ms' }] as const;
