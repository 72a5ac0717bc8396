/**
 * A real store whose database was changed on disk: a row's body under a true checksum, a column's number, a byte of the
 * file. It opens or names the problem, and every read and write after it ends in a value. Rules ST-1, ST-6, ST-7.
 */
import { closeSync, cpSync, existsSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { certificateKey, committedKey, uncommittedKey } from '../../../src/storage/block-rows.ts';
import { crc32, recordKey, rowChecksum } from '../../../src/storage/checksum.ts';
import { encodeBlock, encodeCommitted, encodeQc, encodeRecord } from '../../../src/storage/codec.ts';
import { DATABASE_FILE, openStore } from '../../../src/storage/open.ts';
import { encodeResults } from '../../../src/storage/results.ts';
import type { Store } from '../../../src/storage/store.ts';
import {
  batch,
  bytesOf,
  chain,
  child,
  committed,
  execution,
  height,
  IDENTITY,
  opened,
  record,
  transaction,
  votedFor,
  write,
} from '../../storage/fixtures.ts';
import { MSGPACK, packedInteger } from '../forms/msgpack.ts';
import type { Mutation } from '../mutate.ts';
import { claim, type Target } from '../target.ts';

const FAST_FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const OPTIONS = { segmentBytes: 16_384, inlineBytesMax: 512 };
const batches = [batch('small', 100), batch('large', 2_000)];
const blocks = chain(3, (at) => (at === 2 ? batches : []));
const [first = child(undefined), second = child(undefined), third = child(undefined)] = blocks;
const loose = child(third);

/** Numbers of columns that no checksum covers. */
const COLUMNS = [
  ...['segment', 'offset', 'length', 'crc'].flatMap((column) => [
    `executions.${column}`,
    `batches.${column}`,
  ]),
  ...['executions.transactions', 'executions.height', 'executions.key_crc', 'batches.committed_at'],
  ...[
    'committed_blocks.height',
    'uncommitted_blocks.height',
    'uncommitted_blocks.round',
    'safety_record.version',
  ],
  ...['segment_tail.segment', 'segment_tail.offset', 'inline_values.id'],
];

function fill(store: Store): void {
  write(store, { kind: 'batches', batches });
  write(store, record(votedFor(third), 0, loose.block), { kind: 'certified', blocks: [third] });
  write(store, { kind: 'commit', blocks: [first, second].map(committed) });
  write(store, execution(first, ['t1']));
  write(
    store,
    execution(
      second,
      Array.from({ length: 12 }, (_, index) => `u${index}`),
    ),
  );
  store.close();
}

const tagged = (form: number, body: Uint8Array): Uint8Array =>
  new Uint8Array(Buffer.concat([Uint8Array.of(form), body]));

const behindTag = MSGPACK.map(
  (mutation): Mutation =>
    (input, draws, from) =>
      tagged(input[0] ?? 0, mutation(input.subarray(1), draws, { ...from, donor: from.donor.subarray(1) })),
);

const numberOf = (column: number, value: bigint): Uint8Array => {
  const bytes = Buffer.alloc(9);
  bytes[0] = column;
  bytes.writeBigInt64BE(value, 1);
  return tagged(5, bytes);
};

export const store: Target = {
  name: 'store',
  what: 'a store on disk with changed rows, numbers and bytes: opened, read whole, written to',
  covers: ['/src/storage/'],
  mutations: behindTag,
  dictionary: [0, 1, 31, 32, 2 ** 32, 2 ** 53 - 1, -1].map(packedInteger),
  bytesMax: 8 * 1024,
  window: 40,
  seeds: () => [
    tagged(0, encodeRecord(votedFor(second))),
    tagged(1, encodeCommitted(committed(second))),
    tagged(2, encodeBlock(loose.block)),
    tagged(3, encodeQc(third.qc)),
    tagged(4, encodeResults([transaction('t1', 0)], [{ type: 'block', attributes: [] }])),
    ...COLUMNS.flatMap((_, column) =>
      [-1n, 0n, 1n, 2n ** 31n, 2n ** 53n, 2n ** 62n].map((value) => numberOf(column, value)),
    ),
    ...[0, 24, 100, 4_096, 8_200, 12_300].map((at) =>
      tagged(6, Uint8Array.of(0, 0, at >> 8, at & 0xff, 0xff)),
    ),
  ],
  open: async () => {
    const root = mkdtempSync(join(FAST_FOLDER, 'althing-fuzz-'));
    const [whole, dir] = [join(root, 'whole'), join(root, 'run')];
    fill(opened(whole, OPTIONS));
    const run = (input: Uint8Array): string => {
      rmSync(dir, { recursive: true, force: true });
      cpSync(whole, dir, { recursive: true });
      const change = damage(join(dir, DATABASE_FILE), input);
      if (change === 'none') return 'no change';
      const found = openStore(dir, IDENTITY, OPTIONS);
      if ('status' in found) {
        claim(found.detail !== '', 'a problem has words');
        return `${change} ${found.code}`;
      }
      try {
        return `${change} ${use(found)}`;
      } finally {
        found.close();
      }
    };
    return { run, close: async () => rmSync(root, { recursive: true }) };
  },
};

/** Every read, and a write; the codes of those that failed. */
function use(found: Store): string {
  const reads = [
    found.recover(),
    found.latest(),
    ...[1, 2, 3].flatMap((at) => [found.blockAt(height(at)), found.execution(height(at))]),
    found.blocksFrom(height(1), 10, 1_000_000),
    found.committedBlock(second.id),
    found.blockWithAncestors(loose.id, 8),
    found.batches(batches.map(({ digest }) => digest)),
    found.uncommittedBatches(1_000_000),
    found.transaction(digestOf(bytesOf('t1', 40))),
    found.transaction(digestOf(bytesOf('u3', 40))),
  ];
  const failed = new Set(reads.map((read) => (read.status === 'failed' ? read.code : 'found')));
  const staged = found.stage([{ kind: 'commit', blocks: [committed(third)] }]);
  const synced = staged.status === 'staged' ? found.sync() : staged;
  return `${[...failed].sort().join('+')}, write ${synced.status}`;
}

/** Changes the database; what it has changed, or 'none' where SQLite itself refuses such a value. */
function damage(path: string, input: Uint8Array): string {
  const form = (input[0] ?? 0) % 7;
  const body = input.slice(1);
  if (form === 6) return flip(path, body);
  const db = new DatabaseSync(path);
  try {
    return form === 5 ? setNumber(db, body) : setBody(db, form, body);
  } catch {
    return 'none';
  } finally {
    db.close();
  }
}

function setBody(db: DatabaseSync, form: number, body: Uint8Array): string {
  const change = (sql: string, ...values: readonly (Uint8Array | number)[]): void =>
    void db.prepare(sql).run(...values);
  switch (form) {
    case 0: {
      const version = Number(db.prepare('SELECT version FROM safety_record').get()?.['version']);
      change('UPDATE safety_record SET body = ?, crc = ?', body, rowChecksum(recordKey(version), body));
      return 'record';
    }
    case 1:
      change(
        'UPDATE committed_blocks SET body = ?, crc = ? WHERE height = 2',
        body,
        rowChecksum(committedKey(2, second.id), body),
      );
      return 'committed';
    case 2:
      change(
        'UPDATE uncommitted_blocks SET body = ?, crc = ? WHERE id = ?',
        body,
        rowChecksum(uncommittedKey(loose.id), body),
        Buffer.from(loose.id, 'hex'),
      );
      return 'uncommitted';
    case 3:
      change(
        'UPDATE uncommitted_blocks SET qc = ?, qc_crc = ? WHERE id = ?',
        body,
        rowChecksum(certificateKey(third.id), body),
        Buffer.from(third.id, 'hex'),
      );
      return 'certificate';
    default:
      change(
        'UPDATE inline_values SET body = ? WHERE id = (SELECT offset FROM executions WHERE height = 1)',
        body,
      );
      change('UPDATE executions SET length = ?, crc = ? WHERE height = 1', body.byteLength, crc32(body));
      return 'results';
  }
}

function setNumber(db: DatabaseSync, body: Uint8Array): string {
  if (body.byteLength < 9) return 'none';
  const name = COLUMNS[(body[0] ?? 0) % COLUMNS.length] ?? '';
  const [table, column] = name.split('.');
  const value = Buffer.from(body).readBigInt64BE(1);
  db.prepare(`UPDATE ${table} SET ${column} = ?`).run(value);
  return name;
}

/** The bytes behind the first four, at the place that those name. */
function flip(path: string, body: Uint8Array): string {
  if (body.byteLength < 5) return 'none';
  const file = openSync(path, 'r+');
  writeSync(file, body, 4, body.byteLength - 4, Buffer.from(body).readUInt32BE(0) % 65_536);
  closeSync(file);
  return 'bytes';
}
