import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crc32, hex32 } from '../../src/storage/checksum.ts';
import { DATABASE_FILE, type OpenOptions, type OpenProblem, openStore } from '../../src/storage/open.ts';
import { resetChainData } from '../../src/storage/reset.ts';
import type { Store } from '../../src/storage/store.ts';
import {
  address,
  asking,
  batch,
  chain,
  child,
  codes,
  committed,
  digest,
  ending,
  epoch,
  execution,
  found,
  height,
  IDENTITY,
  opened,
  opening,
  record,
  transaction,
  votedFor,
  write,
} from './fixtures.ts';

let dir = '';
let path = '';
beforeEach(() => {
  dir = join(mkdtempSync(join(tmpdir(), 'althing-open-')), 'data');
  path = join(dir, DATABASE_FILE);
});
afterEach(() => rmSync(join(dir, '..'), { recursive: true }));

function problemOf(result: Store | OpenProblem): OpenProblem {
  if ('status' in result) return result;
  result.close();
  throw new Error('it opened');
}

/** A store with 40 committed and executed blocks, a batch, and record 1. */
function filled(): Store {
  const store = opened(dir);
  const blocks = chain(40);
  const [first] = blocks;
  if (first === undefined) throw new Error('a block');
  write(store, record(votedFor(first), 0), { kind: 'batches', batches: [batch('a', 5_000)] });
  write(store, { kind: 'commit', blocks: blocks.map(committed) });
  write(store, ...blocks.map((made) => execution(made, [`tx ${made.block.header.height}`])));
  return store;
}

/** Flips one bit in every row of a column, by SQL, as damage would below SQLite's notice. */
function rowsOf(sql: string): readonly unknown[] {
  const db = new DatabaseSync(path);
  const rows = db
    .prepare(sql)
    .all()
    .map((row) => ({ ...row }));
  db.close();
  return rows;
}

function flip(table: string, column: string): void {
  change(table, column, (value) => {
    const copy = new Uint8Array(value);
    copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
    return copy;
  });
}

function change(table: string, column: string, changed: (value: Uint8Array) => Uint8Array): void {
  const db = new DatabaseSync(path);
  db.function('changed', (value) => {
    if (!(value instanceof Uint8Array)) throw new Error('bytes');
    return changed(value);
  });
  db.exec(`UPDATE ${table} SET ${column} = changed(${column})`);
  db.close();
}

describe('opening a store', () => {
  it('makes a new home for its owner only, and binds it to its chain (ST-1)', () => {
    opened(dir).close();
    expect(statSync(dir).mode & 0o077).toBe(0);
    const other = problemOf(openStore(dir, { ...IDENTITY, genesisHash: digest('other') }));
    expect(other.code).toBe('WRONG_CHAIN');
    expect([other.path, other.detail.includes(path)]).toEqual([path, false]);
    expect(other.detail).toContain(IDENTITY.genesisHash);
    expect(problemOf(openStore(dir, { ...IDENTITY, chainId: 'other' })).code).toBe('WRONG_CHAIN');
    opened(dir).close();
  });

  it('is exclusive: a second opening says who has it, and works after the close (ST-1)', () => {
    const store = opened(dir);
    const second = problemOf(openStore(dir, IDENTITY));
    expect(second.code).toBe('LOCKED');
    expect(second.detail).toContain(`process ${process.pid}`);
    const script = `import { openStore } from ${JSON.stringify(join(process.cwd(), 'src/storage/open.ts'))};
      console.log(openStore(${JSON.stringify(dir)}, ${JSON.stringify(IDENTITY)}).code);`;
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(child.stdout.trim(), child.stderr).toBe('LOCKED');
    write(store);
    store.close();
    opened(dir).close();
  });

  it('names a file that is no database, and leaves it alone', () => {
    mkdirSync(dir, { recursive: true });
    writeFileSync(path, 'a letter to nobody\n'.repeat(100));
    expect(problemOf(openStore(dir, IDENTITY))).toMatchObject({
      code: 'NOT_A_DATABASE',
      path,
      detail: expect.not.stringContaining(path),
    });
    expect(readFileSync(path, 'utf8')).toContain('a letter to nobody');
  });

  it("names another program's database, and leaves it alone", () => {
    mkdirSync(dir, { recursive: true });
    const db = new DatabaseSync(path);
    db.exec('CREATE TABLE recipes (name TEXT); PRAGMA user_version = 1');
    db.close();
    const before = readFileSync(path);
    expect(problemOf(openStore(dir, IDENTITY)).code).toBe('FOREIGN_DATABASE');
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('refuses the schema of a newer program', () => {
    opened(dir).close();
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 1000');
    db.close();
    const newer = problemOf(openStore(dir, IDENTITY));
    expect([newer.code, newer.detail]).toEqual(['NEWER_SCHEMA', expect.stringContaining('version 1000')]);
  });

  it('finds a damaged page', () => {
    filled().close();
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 4_096, Math.min(bytes.length, 65_536));
    writeFileSync(path, bytes);
    const damaged = problemOf(openStore(dir, IDENTITY));
    expect([damaged.code, damaged.detail]).toEqual(['CORRUPT', expect.stringContaining('althing reset')]);
  });

  it('finds a database that was cut off', () => {
    filled().close();
    truncateSync(path, 4_096 * 3);
    expect(problemOf(openStore(dir, IDENTITY)).code).toBe('CORRUPT');
  });

  it.each([
    ['safety_record', 'body', 'safety_record'],
    ['committed_blocks', 'body', 'committed_blocks, height 40'],
    ['committed_blocks', 'id', 'height 40'],
    ['executions', 'app_hash', 'executions'],
  ])('finds one flipped bit in %s.%s by its CRC-32 (ST-6)', (table, column, where) => {
    filled().close();
    flip(table, column);
    const damaged = problemOf(openStore(dir, IDENTITY));
    expect([damaged.code, damaged.detail]).toEqual(['CORRUPT', expect.stringContaining(where)]);
    expect([damaged.path, damaged.detail]).toEqual([path, expect.not.stringContaining(path)]);
    expect(damaged.detail).toContain('where the safety record is damaged too, reset refuses');
  });

  it('finds one flipped bit in how the newest epoch ended, and reports that of an older one where it is read (ST-6, ST-12)', () => {
    const [first] = chain(1);
    if (first === undefined) throw new Error('a block');
    const second = child(opening(first), { epoch: 1 });
    const third = child(opening(second), { epoch: 2 });
    const store = opened(dir);
    for (const last of [first, second, third]) {
      write(
        store,
        { kind: 'commit', blocks: [committed(last)] },
        { kind: 'epoch', change: ending(last, 'a') },
      );
    }
    store.close();
    rowsOf('UPDATE epochs SET crc = crc + 1 WHERE epoch = 0');
    const older = opened(dir);
    expect(older.changes(epoch(0), 9)).toMatchObject({
      code: 'CORRUPT',
      detail: expect.stringContaining('epochs, epoch 0'),
    });
    expect(found(older.changes(epoch(1), 9))).toEqual([ending(second, 'a'), ending(third, 'a')]);
    older.close();
    flip('epochs', 'body');
    const damaged = problemOf(openStore(dir, IDENTITY));
    expect([damaged.code, damaged.detail]).toEqual(['CORRUPT', expect.stringContaining('epochs, epoch 2')]);
  });

  it('finds one flipped bit in what an execution asked of the validators, before anything is judged by it (ST-6, ST-12)', () => {
    const [first] = chain(1);
    if (first === undefined) throw new Error('a block');
    const store = opened(dir);
    write(store, { kind: 'commit', blocks: [committed(first)] }, asking(first));
    store.close();
    flip('validator_updates', 'body');
    const damaged = problemOf(openStore(dir, IDENTITY));
    expect(damaged.detail).toContain('validator_updates, height 1');
    expect(damaged.code).toBe('CORRUPT');
  });

  it('reports damage in a segment where it is read, with file and offset, and goes on (ST-6)', () => {
    filled().close();
    const segment = join(dir, 'segments', '00000001.seg');
    const bytes = readFileSync(segment);
    bytes[2_500] = (bytes[2_500] ?? 0) ^ 0x10;
    writeFileSync(segment, bytes);
    const store = opened(dir);
    const read = store.batches([batch('a', 5_000).digest]);
    expect(read).toMatchObject({ status: 'failed', code: 'CORRUPT' });
    expect('detail' in read && read.detail).toContain(`${segment} at byte 0`);
    expect(found(store.latest()).committed).toBe(40);
    store.close();
    truncateSync(segment, 1_000);
    expect(problemOf(openStore(dir, IDENTITY)).detail).toContain(`${segment} at byte`);
    rmSync(segment);
    expect(problemOf(openStore(dir, IDENTITY))).toMatchObject({
      code: 'CORRUPT',
      detail: expect.stringContaining('the file is missing'),
    });
  });

  // Found by `npm run fuzz`: no checksum covers where a value lies, and each of these threw through the store.
  const places = ['offset = -1', 'length = -1', 'length = 2147483648', 'offset = 9007199254740992'];
  for (const place of places) {
    it(`reports a large value's damaged place as damage, not with a throw: ${place} (ST-6)`, () => {
      filled().close();
      rowsOf(`UPDATE batches SET ${place} WHERE segment > 0`);
      const store = opened(dir);
      const read = store.batches([batch('a', 5_000).digest]);
      expect(read).toMatchObject({ status: 'failed', code: 'CORRUPT' });
      expect(found(store.latest()).committed).toBe(40);
      store.close();
    });
  }

  for (const [table, column] of [
    ['safety_record', 'version'],
    ['committed_blocks', 'crc'],
    ['executions', 'offset'],
    ['segment_tail', 'offset'],
  ]) {
    it(`names a damaged ${table}.${column} that is beyond any number of ours, instead of a throw (ST-6)`, () => {
      filled().close();
      rowsOf(`UPDATE ${table} SET ${column} = 9007199254740992`);
      expect(problemOf(openStore(dir, IDENTITY))).toMatchObject({
        code: 'CORRUPT',
        detail: expect.stringContaining('althing reset'),
      });
    });
  }

  it('reports damage of a small value where it is read, with table and row, and goes on (ST-6)', () => {
    const store = opened(dir);
    write(store, { kind: 'batches', batches: [batch('a', 500), batch('b', 4_096), batch('c', 4_097)] });
    store.close();
    expect(rowsOf('SELECT length(body) AS bytes FROM inline_values')).toEqual([
      { bytes: 500 },
      { bytes: 4_096 },
    ]);
    flip('inline_values', 'body');
    const damaged = opened(dir);
    expect(damaged.batches([batch('a', 500).digest])).toMatchObject({
      status: 'failed',
      code: 'CORRUPT',
      detail: expect.stringContaining('inline_values, row 1: CRC-32 is'),
    });
    expect(found(damaged.batches([batch('c', 4_097).digest])).missing).toEqual([]);
    damaged.close();
    rowsOf('DELETE FROM inline_values');
    const gone = opened(dir);
    expect(gone.batches([batch('b', 4_096).digest])).toMatchObject({
      code: 'CORRUPT',
      detail: expect.stringContaining('inline_values, row 2: the row is missing'),
    });
    gone.close();
  });

  it('leaves small values alone when a large batch is released, wherever that lay in its segment', () => {
    const store = opened(dir, { inlineBytesMax: 20 });
    const small = Array.from({ length: 30 }, (_, at) => batch(`small ${at}`, 20));
    // The second lies at byte 21, and 21 is the id of a row.
    const large = [batch('first', 21), batch('second', 21)];
    write(store, { kind: 'batches', batches: [...small, ...large] });
    write(store, { kind: 'pruneBatches', digests: large.map(({ digest: name }) => name) });
    expect(found(store.batches(small.map(({ digest: name }) => name)))).toEqual({
      batches: small,
      missing: [],
    });
    store.close();
  });

  it('gives back the room of a small batch that is released', () => {
    const store = opened(dir);
    const batches = [batch('a', 100), batch('b', 100), batch('c', 100)];
    const [a, , c] = batches;
    if (a === undefined || c === undefined) throw new Error('there are three');
    write(store, { kind: 'batches', batches });
    write(store, { kind: 'pruneBatches', digests: [a.digest, c.digest] });
    write(store, { kind: 'batches', batches: [c] });
    expect(found(store.batches(batches.map(({ digest: name }) => name)))).toEqual({
      batches: batches.slice(1),
      missing: [a.digest],
    });
    store.close();
    expect(rowsOf('SELECT count(*) AS count FROM inline_values')).toEqual([{ count: 2 }]);
  });

  it.each([
    ['a segment', 0],
    ['the database', 4_096],
  ])(
    'finds one flipped bit in any transaction of a block in %s, and reads the others',
    (_, inlineBytesMax) => {
      const store = opened(dir, { inlineBytesMax });
      const [first] = chain(1);
      if (first === undefined) throw new Error('a block');
      const names = ['a', 'b', 'c'];
      write(store, { kind: 'commit', blocks: [committed(first)] }, execution(first, names));
      store.close();
      const flipped = (value: Uint8Array): Uint8Array => {
        const bytes = Buffer.from(value);
        const at = bytes.indexOf(Buffer.from('log of b'));
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        return bytes;
      };
      const segment = join(dir, 'segments', '00000001.seg');
      if (inlineBytesMax === 0) writeFileSync(segment, flipped(readFileSync(segment)));
      else change('inline_values', 'body', flipped);
      const damaged = opened(dir);
      const [a, b, c] = names.map((name, index) => damaged.transaction(transaction(name, index).hash));
      expect(a).toMatchObject({ status: 'found', value: { height: 1 } });
      expect(b).toMatchObject({ status: 'failed', code: 'CORRUPT' });
      expect(c).toMatchObject({ status: 'found', value: { height: 1 } });
      expect(damaged.execution(height(1))).toMatchObject({ status: 'failed', code: 'CORRUPT' });
      damaged.close();
    },
  );

  it('refuses a home whose database is gone, where records were acknowledged (ST-7)', () => {
    const store = opened(dir);
    const [first] = chain(1);
    if (first === undefined) throw new Error('a block');
    write(store, record(votedFor(first), 0));
    store.close();
    const copy = `${dir}-copy`;
    cpSync(dir, copy, { recursive: true });
    rmSync(path);
    expect(problemOf(openStore(dir, IDENTITY)).code).toBe('RECORD_LOST');
    truncateSync(join(copy, DATABASE_FILE), 0);
    expect(problemOf(openStore(copy, IDENTITY)).code).toBe('RECORD_LOST');
  });

  it('refuses a truncated log and an old copy put back, naming both record numbers (ST-7)', () => {
    const store = opened(dir);
    const blocks = chain(30);
    for (const [index, made] of blocks.entries()) write(store, record(votedFor(made), index));
    const crashed = `${dir}-crashed`;
    cpSync(dir, crashed, { recursive: true });
    store.close();
    const wal = join(crashed, `${DATABASE_FILE}-wal`);
    truncateSync(wal, Math.floor(statSync(wal).size * 0.6));
    const lost = problemOf(openStore(crashed, IDENTITY));
    expect([lost.code, lost.detail]).toEqual(['RECORD_LOST', expect.stringContaining('number 30')]);
    expect(problemOf(openStore(crashed, IDENTITY)).code, 'also at the second try').toBe('RECORD_LOST');
  });

  describe('with the witness beside the key (ST-7)', () => {
    const [first, second] = chain(2);
    if (first === undefined || second === undefined) throw new Error('two blocks');
    let options: OpenOptions = {};
    beforeEach(() => {
      options = { validator: address(0), witnessDir: join(dir, '..', 'keys') };
      mkdirSync(options.witnessDir ?? '', { recursive: true });
      const store = opened(dir, options);
      write(store, record(votedFor(first), 0));
      store.close();
    });
    const codeOf = (given: OpenOptions = options, identity = IDENTITY): string => {
      const store = openStore(dir, identity, given);
      if ('status' in store) return store.code;
      store.close();
      return 'opened';
    };

    it('refuses a home whose whole data folder is gone, also where a power loss tore the witness', () => {
      rmSync(dir, { recursive: true });
      expect(problemOf(openStore(dir, IDENTITY, options))).toMatchObject({
        code: 'RECORD_LOST',
        detail: expect.stringMatching(/keys\/record\.witness tells of safety record 1; put the newest copy/),
      });
      truncateSync(join(options.witnessDir ?? '', 'record.witness'), 90);
      expect(codeOf()).toBe('RECORD_LOST');
    });

    it('opens a whole database beside a torn witness, and mends it', () => {
      truncateSync(join(options.witnessDir ?? '', 'record.witness'), 90);
      expect(codeOf()).toBe('opened');
      rmSync(dir, { recursive: true });
      expect(codeOf()).toBe('RECORD_LOST');
    });

    it('keeps a line for each chain that the key has signed on', () => {
      const other = { ...IDENTITY, genesisHash: digest('other') };
      rmSync(dir, { recursive: true });
      expect(codeOf(options, other)).toBe('opened');
      const store = openStore(dir, other, options);
      if ('status' in store) throw new Error(store.detail);
      write(store, record(votedFor(first), 0));
      store.close();
      rmSync(dir, { recursive: true });
      expect([codeOf(options, other), codeOf()]).toEqual(['RECORD_LOST', 'RECORD_LOST']);
      expect(codeOf(options, { ...IDENTITY, genesisHash: digest('third') })).toBe('opened');
    });

    it('moves a witness that still stands beside the database to the key', () => {
      const former = join(dir, 'record.witness');
      const kept = `version ${'1'.padStart(16)}`;
      rmSync(join(options.witnessDir ?? '', 'record.witness'));
      writeFileSync(former, `${kept} crc ${hex32(crc32(Buffer.from(kept)))}\n`);
      expect([codeOf(), existsSync(former)]).toEqual(['opened', false]);
      rmSync(dir, { recursive: true });
      expect(codeOf()).toBe('RECORD_LOST');
    });

    it("refuses another validator's keys, and says whose record it is (ST-1)", () => {
      const keys = { validator: address(1), witnessDir: dir };
      expect(problemOf(openStore(dir, IDENTITY, keys))).toMatchObject({
        code: 'WRONG_VALIDATOR',
        detail: expect.stringMatching(new RegExp(`${address(0)}.*${address(1)}`)),
      });
      expect(codeOf()).toBe('opened');
      expect(resetChainData(dir, { keepSafetyRecord: true, ...options })).toMatchObject({ recordVersion: 1 });
      expect([codeOf(keys), codeOf()]).toEqual(['WRONG_VALIDATOR', 'opened']);
    });

    it('binds a store of a program before this one at its first start', () => {
      const db = new DatabaseSync(path);
      db.exec("DELETE FROM meta WHERE key = 'validator'");
      db.close();
      expect([codeOf(), codeOf({ ...options, validator: address(1) })]).toEqual([
        'opened',
        'WRONG_VALIDATOR',
      ]);
    });

    it('is kept by a reset that keeps the record, and by none that finds no record', () => {
      const reset = (keepSafetyRecord: boolean) => resetChainData(dir, { keepSafetyRecord, ...options });
      expect([reset(true), codeOf()]).toEqual([{ status: 'reset', recordVersion: 1 }, 'opened']);
      rmSync(dir, { recursive: true });
      expect(reset(true)).toMatchObject({ code: 'RECORD_LOST' });
      expect([codeOf(), reset(false), codeOf()]).toEqual([
        'RECORD_LOST',
        { status: 'reset', recordVersion: 0 },
        'opened',
      ]);
    });
  });

  it('opens after a crash that tore the log behind what was acknowledged', () => {
    const store = opened(dir);
    const [first] = chain(1);
    if (first === undefined) throw new Error('a block');
    write(store, record(votedFor(first), 0));
    const crashed = `${dir}-crashed`;
    cpSync(dir, crashed, { recursive: true });
    store.close();
    writeFileSync(join(crashed, `${DATABASE_FILE}-wal`), 'torn frame', { flag: 'a' });
    const recovered = opened(crashed);
    expect(found(recovered.recover()).recordVersion).toBe(1);
    recovered.close();
  });

  it('names a folder that cannot be written', () => {
    const file = `${dir}-file`;
    writeFileSync(file, '');
    expect(problemOf(openStore(file, IDENTITY))).toMatchObject({
      code: 'IO',
      detail: expect.stringContaining('must be a folder'),
    });
  });

  it('names missing permission and read-only files to a user who is not root', () => {
    filled().close();
    const run = (mode: number): string => {
      chmodSync(path, mode);
      const script = `
        if (process.getuid?.() === 0) { process.setgid?.(65534); process.setuid?.(65534); }
        const { openStore } = await import(${JSON.stringify(join(process.cwd(), 'src/storage/open.ts'))});
        console.log(openStore(${JSON.stringify(dir)}, ${JSON.stringify(IDENTITY)}).code);`;
      const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
      return child.stdout.trim() || child.stderr;
    };
    if (process.getuid?.() === 0) {
      chmodSync(join(dir, '..'), 0o755);
      for (const name of ['', DATABASE_FILE, 'segments', 'record.witness']) {
        if (existsSync(join(dir, name))) chownSync(join(dir, name), 65534, 65534);
      }
    }
    expect(run(0o000)).toBe('NO_PERMISSION');
    expect(run(0o444)).toBe('NO_PERMISSION');
  });

  it('answers FULL when the database may not grow, and stays usable', () => {
    const store = opened(dir, { databasePagesMax: 40 });
    const blocks = chain(400);
    const staged = store.stage([{ kind: 'commit', blocks: blocks.map(committed) }]);
    const result = staged.status === 'staged' ? store.sync() : staged;
    expect(result).toMatchObject({ status: 'failed', code: 'FULL', detail: expect.stringContaining(path) });
    expect(found(store.latest()).committed).toBe(0);
    const small = { kind: 'commit', blocks: blocks.slice(0, 3).map(committed) } as const;
    expect(codes(write(store, small))).toEqual(['staged']);
    store.close();
    const again = opened(dir);
    expect(found(again.latest()).committed).toBe(3);
    again.close();
  });
});
