/**
 * Every configuration key of a node: the small sections here, the others in the files named after them. The files
 * `config/default.toml` and `config/sync.toml` are this table in writing; tests hold them together. Pure.
 * docs/operator-guide.md.
 */
import type { z } from 'zod';
import { SOCKET_ADDRESS_OR_NONE, SOCKET_ADDRESS_SHAPE } from '../../application/socket/address.ts';
import { BRIDGE_ORDERS, BRIDGE_SETTINGS } from './bridge-schema.ts';
import { CONSENSUS_ORDERS, CONSENSUS_SETTINGS } from './consensus-schema.ts';
import { INSPECTOR_SETTINGS } from './inspector-schema.ts';
import { JOURNAL_ORDERS, JOURNAL_SETTINGS } from './journal-schema.ts';
import { MEMPOOL_ORDERS, MEMPOOL_SETTINGS } from './mempool-schema.ts';
import { P2P_ORDERS, P2P_SETTINGS } from './p2p-schema.ts';
import { RPC_ORDERS, RPC_SETTINGS } from './rpc-schema.ts';
import { choice, duration, integer, list, MEBIBYTE, type Setting, text } from './setting.ts';
import { SYNC_ORDERS, SYNC_SETTINGS } from './sync-schema.ts';
import { TIME_ORDERS, TIME_SETTINGS } from './time-schema.ts';

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
  p2p: P2P_SETTINGS,
  rpc: RPC_SETTINGS,
  inspector: INSPECTOR_SETTINGS,
  consensus: CONSENSUS_SETTINGS,
  time: TIME_SETTINGS,
  mempool: MEMPOOL_SETTINGS,
  bridge: BRIDGE_SETTINGS,
  application,
  storage,
  journal: JOURNAL_SETTINGS,
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
  ...P2P_ORDERS,
  ...RPC_ORDERS,
  ...TIME_ORDERS,
  ...CONSENSUS_ORDERS,
  ...MEMPOOL_ORDERS,
  ...JOURNAL_ORDERS,
  ...SYNC_ORDERS,
  ...BRIDGE_ORDERS,
];
