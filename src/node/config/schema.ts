/**
 * Every configuration key of a node. The files `config/default.toml` and `config/sync.toml` are this table in writing;
 * tests hold them together. Pure. Rules TP-1 to TP-7, CS-10, CS-11, docs/operator-guide.md.
 */
import type { z } from 'zod';
import { SOCKET_ADDRESS_OR_NONE, SOCKET_ADDRESS_SHAPE } from '../../application/socket/address.ts';
import { BRIDGE_ORDERS, BRIDGE_SETTINGS } from './bridge-schema.ts';
import { address, choice, duration, flag, integer, list, ratio, type Setting, text } from './setting.ts';
import { SYNC_ORDERS, SYNC_SETTINGS } from './sync-schema.ts';

const MEBIBYTE = 1_048_576;
/** A name or address in brackets, and a port from 1 to 65535. */
const NTP_SERVER =
  /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)(:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]))?$/;

const node = {
  moniker: text({
    default: 'althing',
    pattern: /^[\x21-\x7e]{1,64}$/,
    shape: '1 to 64 visible ASCII letters',
    note: 'Name of this node for readers; peers and `status` show it.',
    source: 'docs/operator-guide.md',
  }),
  mode: choice({
    default: 'validator',
    choices: ['validator', 'full'],
    note: 'What the operator means this node to be: its key is in the genesis, or it is not. A start that finds it otherwise is refused.',
    source: 'CS-19; wrong keys in a home are found out at once',
  }),
};

const p2p = {
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

const rpc = {
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

const consensus = {
  round_timeout_ms_min: duration({
    default: 200,
    min: 10,
    max: 60_000,
    note: "Shortest wait for a round's certificate.",
    source: 'CS-11; 4 x p99 round trip on a loopback network',
  }),
  round_timeout_ms_max: duration({
    default: 30_000,
    min: 50,
    max: 600_000,
    note: "Longest wait for a round's certificate, however many rounds failed.",
    source: 'CS-11',
  }),
  round_timeout_ms_initial: duration({
    default: 1_000,
    min: 10,
    max: 600_000,
    note: 'Wait before any round was measured.',
    source: 'CS-11; a wide-area round trip with room',
  }),
  round_timeout_growth: ratio({
    default: 1.5,
    min: 1,
    max: 4,
    note: 'Growth of the wait with each failed round.',
    source: 'CS-11',
  }),
  round_timeout_grace: integer({
    default: 3,
    min: 0,
    max: 100,
    unit: 'rounds',
    note: 'Failed rounds before the wait begins to grow.',
    source: 'CS-11; covers one dead leader of four between commits',
  }),
  propose_share: ratio({
    default: 0.5,
    min: 0.05,
    max: 0.95,
    note: 'Share of the wait within which the proposal should be here; the rest is for votes.',
    source: 'CS-11',
  }),
  view_change_share: ratio({
    default: 0.5,
    min: 0.05,
    max: 1,
    note: 'Share of the wait between two sendings of a ViewChange.',
    source: 'CS-6',
  }),
  empty_block_interval_ms: duration({
    default: 1_000,
    min: 10,
    max: 3_600_000,
    note: 'Pace of blocks while there is nothing to agree on.',
    source: 'CS-10',
  }),
};

const time = {
  source: choice({
    default: 'hybrid',
    choices: ['system', 'ntp', 'peers', 'hybrid'],
    note: 'Whom this node believes about the time; hybrid: NTP within what the validators agree on.',
    source: 'docs/protocol/time.md',
  }),
  servers: list({
    pattern: NTP_SERVER,
    shape: 'an NTP server "host" or "host:port"',
    lengthMax: 16,
    note: 'NTP servers, for ntp and hybrid; four or more, so that one may lie. None: hybrid is peers.',
    source: 'TM-3; RFC 8633 3.2',
  }),
  drift_threshold_ms: duration({
    default: 500,
    min: 1,
    max: 3_600_000,
    note: "Offset of this machine's clock above which the operator is warned.",
    source: 'TM-7; the precision of block times',
  }),
  update_interval_ms: duration({
    default: 10_000,
    min: 500,
    max: 600_000,
    note: 'Between two updates of adjusted time; the validators are asked each time. Of more than 16 proportionally longer.',
    source:
      'TM-4; clocks drift a few milliseconds meanwhile; four questions a poll, eight a second are taken (TP-5)',
  }),
  ntp_poll_interval_ms: duration({
    default: 64_000,
    min: 1_000,
    max: 1_024_000,
    note: 'Between two questions to one NTP server; the first eight are 2 s apart.',
    source: 'RFC 5905 (MINPOLL 6); ntpd (maxpoll 10)',
  }),
  answer_timeout_ms: duration({
    default: 1_000,
    min: 10,
    max: 60_000,
    note: 'How long an answer about the time is waited for.',
    source: 'docs/protocol/time.md',
  }),
  panic_threshold_ms: duration({
    default: 1_000_000,
    min: 1_000,
    max: 100_000_000_000,
    note: 'A greater correction is refused: somebody must look.',
    source: 'TM-6; RFC 5905 (PANICT)',
  }),
  drift_ppm_max: integer({
    default: 250,
    min: 1,
    max: 500,
    unit: 'ppm',
    note: "How fast this machine's clock may drift at the worst; error bounds grow by it.",
    source: 'TM-4; quartz without temperature control',
  }),
};

const mempool = {
  pending_bytes_max: integer({
    default: 64 * MEBIBYTE,
    min: MEBIBYTE,
    max: 128 * MEBIBYTE,
    unit: 'bytes',
    note: 'Own transactions that wait for a block; beyond it clients are told MEMPOOL_FULL.',
    source: '256 MB a node at full load',
  }),
  pending_count_max: integer({
    default: 250_000,
    min: 100,
    max: 10_000_000,
    unit: 'transactions',
    note: 'Own transactions that wait for a block; beyond it clients are told MEMPOOL_FULL.',
    source: 'pending_bytes_max in transactions of 256 bytes',
  }),
  seal_bytes: integer({
    default: 262_144,
    min: 1_024,
    max: 2 * MEBIBYTE - 64,
    unit: 'bytes',
    note: 'A batch is sealed when it holds so much, or more under load; at most the batch_bytes_max of the genesis.',
    source: 'batches from 64 KB to 1 MB measured alike',
  }),
  seal_bytes_max: integer({
    default: MEBIBYTE,
    min: 1_024,
    max: 2 * MEBIBYTE - 64,
    unit: 'bytes',
    note: 'What a batch grows to under load, a quarter of what comes in the time of a block; at least seal_bytes.',
    source: 'the batch_bytes_max of the genesis',
  }),
  seal_interval_ms: duration({
    default: 10,
    min: 0,
    max: 10_000,
    note: 'Batches that are not full are sealed at least so far apart; the first at once.',
    source: 'finality at light load within 25 ms',
  }),
  seal_interval_ms_max: duration({
    default: 100,
    min: 0,
    max: 10_000,
    note: 'What seal_interval_ms grows to where blocks take long: a quarter of the time of a block; at least seal_interval_ms.',
    source: 'a quarter of a block of 400 ms, as around the earth',
  }),
  block_time_target_ms: duration({
    default: 500,
    min: 10,
    max: 30_000,
    note: 'While full blocks take longer than this, and than four round trips, this node proposes smaller ones, if they are quicker.',
    source: 'chosen: two blocks are a second',
  }),
  client_transactions_per_second: integer({
    default: 100_000,
    min: 1,
    max: 100_000_000,
    unit: 'transactions/s',
    note: 'Steady rate of one client address; beyond it the client is told RATE_LIMITED.',
    source: 'docs/operator-guide.md',
  }),
  client_transactions_burst: integer({
    default: 200_000,
    min: 1,
    max: 100_000_000,
    unit: 'transactions',
    note: 'What one client address may submit at once.',
    source: 'two seconds of client_transactions_per_second',
  }),
};

const application = {
  address: text({
    default: '',
    pattern: SOCKET_ADDRESS_OR_NONE,
    shape: `${SOCKET_ADDRESS_SHAPE}, or "" for the built-in one`,
    note: 'Where the application listens that runs in a process of its own; "" for the built-in one that the genesis names.',
    source: 'AP-1',
  }),
};

const storage = {
  segment_bytes: integer({
    default: 64 * MEBIBYTE,
    min: MEBIBYTE,
    max: 4_096 * MEBIBYTE,
    unit: 'bytes',
    note: 'Size of one file of batches; allocated at once.',
    source: 'docs/operator-guide.md',
  }),
};

const log = {
  level: choice({
    default: 'info',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    note: 'Least level that is written.',
    source: 'levels of pino',
  }),
  format: choice({
    default: 'auto',
    choices: ['auto', 'json', 'pretty'],
    note: '`auto`: pretty on a terminal, JSON lines elsewhere. Always on stderr.',
    source: 'docs/operator-guide.md',
  }),
  components: list({
    pattern: /^[a-z0-9-]+:(trace|debug|info|warn|error|fatal|silent)$/,
    shape: '"component:level"',
    lengthMax: 100,
    note: 'Levels of single components, as "consensus:debug".',
    source: 'docs/operator-guide.md',
  }),
};

const runtime = {
  shutdown_timeout_ms: duration({
    default: 4_000,
    min: 100,
    max: 600_000,
    note: 'Time to stop proposing, drain, sync and close before the node is ended.',
    source: 'RT-17; a local network ends within 5 s',
  }),
  loop_lag_ms_max: duration({
    default: 2_000,
    min: 10,
    max: 600_000,
    note: '`/livez` fails while the event loop has been blocked longer.',
    source: 'docs/operator-guide.md',
  }),
};

export const SCHEMA = {
  node,
  p2p,
  rpc,
  consensus,
  time,
  mempool,
  bridge: BRIDGE_SETTINGS,
  application,
  storage,
  log,
  runtime,
  sync: SYNC_SETTINGS,
};

/** The files of a home's configuration; each section is in one of them. */
export const CONFIG_FILES = ['althing.toml', 'sync.toml'] as const;
export type ConfigFile = (typeof CONFIG_FILES)[number];
export const fileOf = (section: string): ConfigFile => (section === 'sync' ? 'sync.toml' : 'althing.toml');

type Schema = typeof SCHEMA;
type CamelCase<Key extends string> = Key extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Key;
type ValueOf<Entry> = Entry extends { readonly type: z.ZodType<infer Value> } ? Value : never;

/** The configuration that a node runs with: sections and keys of both files, keys in camel case. */
export type Config = {
  readonly [Section in keyof Schema]: {
    readonly [Key in keyof Schema[Section] & string as CamelCase<Key>]: ValueOf<Schema[Section][Key]>;
  };
};

/** One key with its place: `p2p.listen`. */
export interface SettingEntry {
  readonly section: string;
  readonly key: string;
  readonly path: string;
  readonly setting: Setting<unknown>;
}

export const SETTINGS: readonly SettingEntry[] = Object.entries(SCHEMA).flatMap(([section, settings]) =>
  Object.entries<Setting<unknown>>(settings).map(([key, setting]) => ({
    section,
    key,
    path: `${section}.${key}`,
    setting,
  })),
);

/** Pairs of keys whose values must not exceed each other: `lesser` <= `greater`. */
export const ORDERED_SETTINGS: readonly { readonly lesser: string; readonly greater: string }[] = [
  { lesser: 'p2p.dial_backoff_ms_min', greater: 'p2p.dial_backoff_ms_max' },
  { lesser: 'rpc.commit_timeout_ms', greater: 'rpc.request_timeout_ms' },
  { lesser: 'time.answer_timeout_ms', greater: 'time.update_interval_ms' },
  { lesser: 'consensus.round_timeout_ms_min', greater: 'consensus.round_timeout_ms_max' },
  { lesser: 'consensus.round_timeout_ms_initial', greater: 'consensus.round_timeout_ms_max' },
  { lesser: 'mempool.seal_bytes', greater: 'mempool.seal_bytes_max' },
  { lesser: 'mempool.seal_interval_ms', greater: 'mempool.seal_interval_ms_max' },
  ...SYNC_ORDERS,
  ...BRIDGE_ORDERS,
];
