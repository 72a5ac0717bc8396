import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FIRST_EPOCH } from '../../src/protocol/chain/ordinals.ts';
import { committedKey } from '../../src/storage/block-rows.ts';
import { recordKey, rowChecksum } from '../../src/storage/checksum.ts';
import { encodeCommitted, encodeRecord } from '../../src/storage/codec.ts';
import { MIGRATIONS, migrate, SCHEMA_VERSION, schemaVersion } from '../../src/storage/migrations.ts';
import { DATABASE_FILE } from '../../src/storage/open.ts';
import {
  asking,
  batch,
  chain,
  committed,
  execution,
  found,
  IDENTITY,
  opened,
  record,
  reputation,
  transaction,
  votedFor,
  write,
} from './fixtures.ts';

let dir = '';
let path = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'althing-migrate-'));
  path = join(dir, DATABASE_FILE);
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('migrations', () => {
  it('rise by one from 1, so that none is passed over', () => {
    expect(MIGRATIONS.map(({ to }) => to)).toEqual(Array.from({ length: SCHEMA_VERSION }, (_, at) => at + 1));
  });

  it('upgrades a home of schema 1, which knew no executions, with everything in it', () => {
    const blocks = chain(3);
    const [first] = blocks;
    if (first === undefined) throw new Error('a block');
    const old = new DatabaseSync(path);
    old.exec('PRAGMA journal_mode = WAL; PRAGMA application_id = 0x414c5448');
    migrate(old, MIGRATIONS.slice(0, 1));
    expect(schemaVersion(old)).toBe(1);
    const meta = old.prepare('INSERT INTO meta (key, value) VALUES (?, ?)');
    meta.run('genesis_hash', IDENTITY.genesisHash);
    meta.run('chain_id', IDENTITY.chainId);
    const body = encodeRecord(votedFor(first));
    old
      .prepare('INSERT INTO safety_record (id, version, body, crc) VALUES (1, 7, ?, ?)')
      .run(body, rowChecksum(recordKey(7), body));
    const put = old.prepare('INSERT INTO committed_blocks (height, id, body, crc) VALUES (?, ?, ?, ?)');
    for (const made of blocks) {
      const encoded = encodeCommitted(committed(made));
      const { height } = made.block.header;
      put.run(
        height,
        Buffer.from(made.id, 'hex'),
        encoded,
        rowChecksum(committedKey(height, made.id), encoded),
      );
    }
    old.close();

    const store = opened(dir);
    expect(found(store.recover())).toMatchObject({ recordVersion: 7, record: votedFor(first) });
    expect(found(store.latest())).toEqual({ earliest: 1, committed: 3, executed: 0 });
    write(store, execution(first, ['a']));
    expect(found(store.transaction(transaction('a', 0).hash))?.height).toBe(1);
    store.close();
    const db = new DatabaseSync(path);
    expect(schemaVersion(db)).toBe(SCHEMA_VERSION);
    db.close();
  });

  it('upgrades a home of schema 2, whose values all lie in segments, and reads them beside new ones', () => {
    const [first, second] = chain(2);
    if (first === undefined || second === undefined) throw new Error('two blocks');
    const before = opened(dir, { inlineBytesMax: 0 });
    write(before, { kind: 'batches', batches: [batch('old', 100)] });
    write(before, { kind: 'commit', blocks: [committed(first)] }, execution(first, ['a']));
    before.close();
    const old = new DatabaseSync(path);
    expect(old.prepare('SELECT count(*) AS count FROM inline_values').get()).toMatchObject({ count: 0 });
    old.exec(
      'DROP TABLE inline_values; DROP TABLE reputations; DROP TABLE evidence_blocks; PRAGMA user_version = 2',
    );
    old.exec('DROP TABLE epochs; DROP TABLE validator_updates; DROP TABLE standing');
    old.close();

    const store = opened(dir);
    write(store, { kind: 'batches', batches: [batch('new', 100)] });
    write(store, { kind: 'commit', blocks: [committed(second)] }, execution(second, ['b']));
    const both = [batch('old', 100), batch('new', 100)];
    expect(found(store.batches(both.map(({ digest }) => digest)))).toEqual({ batches: both, missing: [] });
    for (const name of ['a', 'b']) {
      expect(found(store.transaction(transaction(name, 0).hash))).toBeDefined();
    }
    store.close();
  });

  it('upgrades a home of schema 3, which knew nothing of its peers', () => {
    const [first] = chain(1);
    if (first === undefined) throw new Error('a block');
    const before = opened(dir);
    write(before, { kind: 'commit', blocks: [committed(first)] });
    before.close();
    const old = new DatabaseSync(path);
    old.exec('DROP TABLE reputations; DROP TABLE epochs; DROP TABLE validator_updates; DROP TABLE standing');
    old.exec('DROP TABLE evidence_blocks; PRAGMA user_version = 3');
    old.close();

    const store = opened(dir);
    expect(found(store.reputations())).toEqual([]);
    write(store, { kind: 'reputations', reputations: [reputation(1)] });
    expect(found(store.reputations())).toEqual([reputation(1)]);
    expect(found(store.tip())).toMatchObject({ base: 1, height: 1, id: first.id });
    store.close();
  });

  it('upgrades a home of schema 4, which knew one epoch only (ST-12)', () => {
    const [first] = chain(1);
    if (first === undefined) throw new Error('a block');
    const before = opened(dir);
    write(before, { kind: 'commit', blocks: [committed(first)] }, record(votedFor(first), 0));
    before.close();
    const old = new DatabaseSync(path);
    old.exec(
      'DROP TABLE epochs; DROP TABLE standing; DROP TABLE validator_updates; DROP TABLE evidence_blocks',
    );
    old.exec('PRAGMA user_version = 4');
    old.close();

    const store = opened(dir);
    const recovered = found(store.recover());
    expect(recovered).toMatchObject({ recordVersion: 1, updates: [], committed: { id: first.id } });
    expect(recovered.change).toBeUndefined();
    expect(found(store.changes(FIRST_EPOCH, 10))).toEqual([]);
    write(store, asking(first));
    expect(found(store.recover()).updates).toMatchObject([{ height: 1 }]);
    store.close();
  });

  it('leaves the database at the former version when a step fails, and goes on at the next start', () => {
    mkdirSync(dir, { recursive: true });
    const db = new DatabaseSync(path);
    const one = { to: 1, what: 'a table', up: () => db.exec('CREATE TABLE a (x); INSERT INTO a VALUES (1)') };
    const broken = {
      to: 2,
      what: 'half of it',
      up: () => {
        db.exec('ALTER TABLE a ADD COLUMN y; UPDATE a SET x = 2');
        throw new Error('the power fails');
      },
    };
    expect(() => migrate(db, [one, broken])).toThrow('the power fails');
    expect(schemaVersion(db)).toBe(1);
    expect(db.prepare('SELECT * FROM a').all()).toEqual([{ x: 1 }]);
    const whole = { ...broken, up: () => db.exec('ALTER TABLE a ADD COLUMN y; UPDATE a SET x = 3') };
    expect(migrate(db, [one, whole])).toBe(1);
    expect(db.prepare('SELECT * FROM a').all()).toEqual([{ x: 3, y: null }]);
    expect(migrate(db, [one, whole]), 'nothing left to do').toBe(2);
    db.close();
  });
});
