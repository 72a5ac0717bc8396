import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { type KvOptions, kv } from '../../../src/application/kv/rules.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { wallTime } from '../../../src/base/units.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { parseBlockId } from '../../../src/protocol/chain/parse.ts';
import type { Application, BlockResult, ValidatorUpdate } from '../../../src/protocol/ports/application.ts';
import { address, digest, height } from '../../storage/fixtures.ts';

const folders: string[] = [];
const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'althing-kv-'));
  folders.push(dir);
  return dir;
};
afterEach(() => {
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true });
});

const validator = (name: string, power: bigint): ValidatorUpdate => ({
  nodeKey: new Uint8Array(32).fill(name.charCodeAt(0)),
  consensusKey: new Uint8Array(48).fill(name.charCodeAt(0)),
  possessionProof: new Uint8Array(96).fill(1),
  power,
});
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

function opened(options: KvOptions = {}): Application {
  return kv({ provesPossession: (_, proof) => proof[0] === 1, ...options });
}

async function started(options: KvOptions = {}, appState: unknown = {}): Promise<Application> {
  const application = opened(options);
  const validators = [validator('a', 3n), validator('b', 2n)];
  await application.initChain({
    chainId: 'c',
    genesisHash: digestOf(new Uint8Array()),
    genesisTime: wallTime(0),
    validators,
    appState,
  });
  return application;
}

async function block(
  application: Application,
  at: number,
  ...texts: readonly string[]
): Promise<BlockResult> {
  const id = parseBlockId(digest(`block ${at}`));
  if (id === 'malformed') throw new Error('a digest is an id');
  const transactions = texts.map(utf8);
  const time = wallTime(at);
  return application.finalizeBlock({
    height: height(at),
    blockId: id,
    time,
    proposer: address(1),
    randomness: id,
    transactions,
  });
}

const valueOfKey = async (application: Application, key: string) => {
  const { value, log } = await application.query('/store', utf8(key));
  return [textOf(value), log];
};

describe('the kv application', () => {
  it('sets a key by `key=value`, and a key to itself by anything else', async () => {
    const application = await started();
    const { results } = await block(application, 1, 'name=ada', 'plain', 'a=b=c', '=x', 'y=');
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
    expect(await valueOfKey(application, 'name')).toEqual(['ada', 'exists']);
    expect(await valueOfKey(application, 'plain')).toEqual(['plain', 'exists']);
    expect(await valueOfKey(application, 'a=b=c')).toEqual(['a=b=c', 'exists']);
    expect(await valueOfKey(application, '')).toEqual(['x', 'exists']);
    expect(await valueOfKey(application, 'y')).toEqual(['', 'exists']);
    expect(await valueOfKey(application, 'nobody')).toEqual(['', 'does not exist']);
  });

  it('emits the events of kvstore, with the key readable', async () => {
    const { results } = await block(await started(), 1, 'Þingvellir=1930');
    expect(results[0]?.events).toEqual([
      {
        type: 'app',
        attributes: [
          { key: 'creator', value: 'althing', index: true },
          { key: 'key', value: 'Þingvellir', index: true },
          { key: 'index_key', value: 'index is working', index: true },
          { key: 'noindex_key', value: 'index is working', index: false },
        ],
      },
    ]);
  });

  it('answers the newest height only, and says so', async () => {
    const application = await started();
    await block(application, 1, 'k=1');
    await block(application, 2, 'k=2');
    expect(await application.query('', utf8('k'))).toMatchObject({ code: 0, height: 2, value: utf8('2') });
    expect(await application.query('', utf8('k'), height(2))).toMatchObject({ code: 0 });
    expect(await application.query('', utf8('k'), height(1))).toMatchObject({ code: 1 });
    expect(await application.query('/else', utf8('k'))).toMatchObject({ code: 1 });
  });

  it('takes first pairs from the genesis', async () => {
    const application = await started({}, { motto: 'með lögum', wrong: 3 });
    expect(await valueOfKey(application, 'motto')).toEqual(['með lögum', 'exists']);
    expect(await valueOfKey(application, 'wrong')).toEqual(['', 'does not exist']);
  });

  it('has one hash for one state, whatever led to it, and another for every other', async () => {
    const hashes = async (...blocks: readonly (readonly string[])[]) => {
      const application = await started();
      let last = (await application.info()).executed.appHash;
      for (const [index, texts] of blocks.entries())
        last = (await block(application, index + 1, ...texts)).appHash;
      return last;
    };
    const one = await hashes(['a=1', 'b=2']);
    expect(await hashes(['b=2', 'a=1'])).toBe(one);
    expect(await hashes(['a=1'], ['b=2'])).toBe(one);
    expect(await hashes(['a=9', 'b=9'], [], ['b=2', 'a=1', 'b=2'])).toBe(one);
    expect(await hashes(['a=1', 'b=2'], [])).toBe(one);
    expect(await hashes(['a=2', 'b=1'])).not.toBe(one);
    expect(await hashes(['a=1'])).not.toBe(one);
    expect(await hashes(['ab', 'c'])).not.toBe(await hashes(['a', 'bc']));
  });

  it('has a hash of its validators too', async () => {
    const application = await started({ validatorChangePercent: 100 });
    const before = (await application.info()).executed.appHash;
    const nodeKey = Buffer.from(validator('a', 1n).nodeKey).toString('base64');
    expect((await block(application, 1, `val:${nodeKey}!9`)).appHash).not.toBe(before);
    expect((await block(application, 2, `val:${nodeKey}!3`)).appHash).toBe(before);
  });
});

describe('validator updates of kv', () => {
  const change = (name: string, power: number) => `val:${base64(validator(name, 1n).nodeKey)}!${power}`;
  const add = (name: string, power: number, proof = 1) => {
    const { nodeKey, consensusKey } = validator(name, 1n);
    const proofBytes = new Uint8Array(96).fill(proof);
    return `val:${[nodeKey, consensusKey, proofBytes].map(base64).join('!')}!${power}`;
  };

  const rotate = (name: string, key: string, power: number, proof = 1) => {
    const { nodeKey } = validator(name, 1n);
    const { consensusKey } = validator(key, 1n);
    return `val:${[nodeKey, consensusKey, new Uint8Array(96).fill(proof)].map(base64).join('!')}!${power}`;
  };

  it('take keys as show-validator prints them, in hexadecimal', async () => {
    const hex = (text: string) =>
      text.replaceAll(/[A-Za-z0-9+/]{40,}=*/g, (key) => Buffer.from(key, 'base64').toString('hex'));
    const asked = [add('c', 5), change('a', 9)];
    const outcome = async (transactions: readonly string[]) =>
      block(await started({ validatorChangePercent: 100 }), 1, ...transactions);
    expect((await outcome(asked)).validatorUpdates).toHaveLength(2);
    expect((await outcome(asked.map(hex))).validatorUpdates).toEqual((await outcome(asked)).validatorUpdates);
    const cut = hex(change('a', 3)).replace('!', '0!');
    expect((await outcome([cut])).results).toMatchObject([
      { log: expect.stringContaining('must be 32 bytes in hexadecimal or base64') },
    ]);
  });

  it('change, add and remove, and come back from finalizeBlock', async () => {
    const application = await started({ validatorChangePercent: 100 });
    const { results, validatorUpdates } = await block(
      application,
      1,
      change('a', 9),
      add('c', 5),
      change('b', 0),
    );
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(validatorUpdates).toMatchObject([{ power: 0n }, { power: 9n }, { power: 5n }]);
    expect(validatorUpdates[2]?.consensusKey).toEqual(validator('c', 1n).consensusKey);
  });

  it.each([
    ['an unknown node key', change('z', 1)],
    ['a key of another length', 'val:AAAA!1'],
    ['a power that is no number', change('a', 1).replace(/1$/, '-1')],
    ['a power of 2^60', change('a', 1).replace(/1$/, String(2n ** 60n))],
    ['a consensus key that the validator has already', add('a', 1)],
    ["another validator's consensus key", rotate('a', 'b', 3)],
    ['a proof that does not verify', add('c', 1, 2)],
    ['a new validator without power', add('c', 0)],
    ['nonsense', 'val:'],
  ])('refuses %s in checkTx and in the block alike', async (_, text) => {
    const application = await started();
    expect(await application.checkTx(utf8(text))).toMatchObject({ code: 2 });
    const { results, validatorUpdates } = await block(application, 1, text);
    expect(results).toMatchObject([{ code: 2, events: [] }]);
    expect(validatorUpdates).toEqual([]);
  });

  it('give a validator another consensus key, whose possession is proven (CS-16)', async () => {
    const application = await started({ validatorChangePercent: 100 });
    const { results, validatorUpdates } = await block(application, 1, rotate('a', 'new', 3));
    expect(results).toMatchObject([{ code: 0 }]);
    const { nodeKey } = validator('a', 1n);
    const { consensusKey } = validator('new', 1n);
    const possessionProof = new Uint8Array(96).fill(1);
    expect(validatorUpdates).toEqual([{ nodeKey, consensusKey, possessionProof, power: 3n }]);
    expect(await application.checkTx(utf8(rotate('a', 'other', 3, 2)))).toMatchObject({ code: 2 });
    expect((await block(application, 2, rotate('a', 'a', 3))).results).toMatchObject([{ code: 0 }]);
  });

  it('beyond a third of the power are refused with a code of their own, and pass in later blocks (CS-16)', async () => {
    const application = await started();
    // 3 and 2: one unit at once.
    const first = await block(application, 1, change('a', 4), change('b', 1), add('c', 1));
    expect(first.results.map(({ code, log }) => [code, log.slice(0, 41)])).toEqual([
      [0, ''],
      [3, 'the block would change 2 of the power 5, '],
      [3, 'the block would change 2 of the power 5, '],
    ]);
    expect(first.validatorUpdates).toMatchObject([{ power: 4n }]);
    expect((await block(application, 2, add('c', 1))).results).toMatchObject([{ code: 0 }]);
    // 7, of which 2 may change; a new key counts with all of its power.
    expect((await block(application, 3, rotate('a', 'new', 4))).results).toMatchObject([{ code: 3 }]);
    expect((await block(application, 4, change('b', 0), change('b', 2))).results).toMatchObject([
      { code: 0 },
      { code: 2 },
    ]);
  });

  it('never leave a set without power (CS-16)', async () => {
    const application = await started({ validatorChangePercent: 100 });
    const { results } = await block(application, 1, change('a', 0), change('b', 0));
    expect(results.map(({ code }) => code)).toEqual([0, 2]);
  });
});

describe('kv on disk', () => {
  it('finds after a crash the state of a block it had, and replays to the same hash', async () => {
    const texts = fc.array(
      fc.nat(9).map((index) => `k${index}=${index * 7}`),
      { maxLength: 5 },
    );
    const blocks = fc.array(texts, { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(blocks, fc.integer({ min: 1, max: 5 }), async (made, flushHeights) => {
        const dir = folder();
        const memory = await started();
        const hashes = ['genesis'];
        for (const [index, each] of made.entries())
          hashes.push((await block(memory, index + 1, ...each)).appHash);
        const first = await started({ dir, flushHeights });
        for (const [index, each] of made.entries()) await block(first, index + 1, ...each);
        await first.close?.();
        const second = opened({ dir, flushHeights });
        const { executed } = await second.info();
        // Never ahead of what the node has stored: the last block is not on disk yet.
        expect(executed.height).toBeLessThan(Math.max(1, made.length));
        expect(executed.height).toBeGreaterThanOrEqual(made.length - flushHeights - 1);
        if (executed.height > 0) expect(executed.appHash).toBe(hashes[executed.height]);
        const third = executed.height > 0 ? second : await started();
        for (let at = executed.height + 1; at <= made.length; at += 1) {
          expect((await block(third, at, ...(made[at - 1] ?? []))).appHash).toBe(hashes[at]);
        }
        for (let index = 0; index <= 9; index += 1) {
          expect(await valueOfKey(third, `k${index}`)).toEqual(await valueOfKey(memory, `k${index}`));
        }
      }),
      { numRuns: 15 },
    );
  });

  it('keeps its validators, and folds its file', async () => {
    const dir = folder();
    const first = await started({ dir, flushHeights: 1, foldBytes: 20_000 });
    const value = 'v'.repeat(1_000);
    for (let at = 1; at <= 80; at += 1) await block(first, at, `key=${at}${value}`, `other ${at}=1`);
    await block(first, 81, `val:${base64(validator('a', 1n).nodeKey)}!4`);
    await block(first, 82);
    await first.close?.();
    const second = opened({ dir });
    expect((await second.info()).executed.height).toBe(81);
    expect((await valueOfKey(second, 'key'))[0]?.slice(0, 3)).toBe('80v');
    expect(await valueOfKey(second, 'other 1')).toEqual(['1', 'exists']);
    const lower = await block(second, 82, `val:${base64(validator('b', 1n).nodeKey)}!1`);
    expect(lower.results).toMatchObject([{ code: 0 }]);
    await second.close?.();
  });
});

/** All of the state, as it is read while `meanwhile` goes on. */
async function snapshotOf(
  application: Application,
  meanwhile: () => Promise<unknown> | undefined = () => undefined,
) {
  const snapshot = await application.takeSnapshot?.();
  if (snapshot === undefined) throw new Error('no snapshot');
  const chunks: Uint8Array[] = [];
  for await (const chunk of snapshot.chunks) {
    chunks.push(chunk);
    await meanwhile();
  }
  return { ...snapshot, chunks };
}

describe('snapshots of kv (SY-10)', () => {
  const texts = fc.array(
    fc.nat(400).map((index) => `k${index}=${'x'.repeat(index)}`),
    { maxLength: 300, size: 'max' },
  );

  it('lead a new application to the same state and hash, in memory and on disk, and over a restart', async () => {
    await fc.assert(
      fc.asyncProperty(texts, texts, async (before, after) => {
        const first = await started({}, { motto: 'með lögum' });
        await block(first, 1, ...before);
        const { executed, format, chunks } = await snapshotOf(first);
        const dir = folder();
        for (const options of [{}, { dir }]) {
          const second = await started(options);
          await second.restoreSnapshot?.({ height: executed.height, format }, chunks);
          expect((await second.info()).executed).toEqual(executed);
          if (options.dir !== undefined) await second.close?.();
        }
        const third = opened({ dir });
        expect((await third.info()).executed).toEqual(executed);
        const change = `val:${base64(validator('b', 1n).nodeKey)}!0`;
        const next = await block(first, 2, ...after, change);
        expect((await block(third, 2, ...after, change)).appHash).toBe(next.appHash);
        for (const key of ['motto', 'k0', 'k200', 'k400']) {
          expect(await valueOfKey(third, key)).toEqual(await valueOfKey(first, key));
        }
        await third.close?.();
      }),
      { numRuns: 15 },
    );
  });

  it('are the same bytes on every node, whatever its history of restarts', async () => {
    const made = Array.from({ length: 400 }, (_, index) => `key${(index * 7) % 331}=${index}`);
    const dir = folder();
    const memory = await started();
    let disk = await started({ dir, flushHeights: 1, foldBytes: 1_000 });
    for (let at = 1; at <= 10; at += 1) {
      const mine = made.slice(40 * (at - 1), 40 * at);
      await block(memory, at, ...mine);
      await block(disk, at, ...mine);
      await disk.close?.();
      disk = opened({ dir, flushHeights: 1, foldBytes: 1_000 });
      const from = (await disk.info()).executed.height;
      if (from === 0) disk = await started({ dir, flushHeights: 1, foldBytes: 1_000 });
      for (let again = from + 1; again <= at; again += 1) {
        await block(disk, again, ...made.slice(40 * (again - 1), 40 * again));
      }
    }
    const [left, right] = [await snapshotOf(memory), await snapshotOf(disk)];
    expect(right.executed).toEqual(left.executed);
    expect(Buffer.concat(right.chunks).equals(Buffer.concat(left.chunks))).toBe(true);
    const restored = await started();
    await restored.restoreSnapshot?.({ height: height(10), format: 1 }, left.chunks);
    expect(Buffer.concat((await snapshotOf(restored)).chunks).equals(Buffer.concat(left.chunks))).toBe(true);
    await disk.close?.();
  });

  it('are of the height at which they were taken, whatever blocks follow while they are read', async () => {
    const application = await started();
    const value = 'v'.repeat(400_000);
    await block(application, 1, ...['a', 'b', 'c', 'd', 'e'].map((key) => `${key}=${value}`));
    let at = 1;
    const { executed, format, chunks } = await snapshotOf(application, () => {
      at += 1;
      return block(
        application,
        at,
        'a=1',
        'e=1',
        `new${at}=1`,
        `val:${base64(validator('b', 1n).nodeKey)}!9`,
      );
    });
    expect(at).toBeGreaterThan(3);
    const second = await started();
    await second.restoreSnapshot?.({ height: executed.height, format }, chunks);
    expect((await second.info()).executed).toEqual(executed);
    expect(executed.height).toBe(1);
    expect(await valueOfKey(second, 'e')).toEqual([value, 'exists']);
  });

  it('are one at a time', async () => {
    const application = await started();
    const first = await application.takeSnapshot?.();
    expect(first).toBeDefined();
    expect(await application.takeSnapshot?.()).toBeUndefined();
  });

  it('that cannot be read change nothing, and say why', async () => {
    const first = await started();
    await block(first, 1, 'a=1');
    const { executed, format, chunks } = await snapshotOf(first);
    const { height: at } = executed;
    const dir = folder();
    const second = await started({ dir }, { kept: 'yes' });
    const before = await second.info();
    const cut = chunks.map((chunk) => chunk.subarray(0, -1));
    await expect(second.restoreSnapshot?.({ height: at, format }, cut)).rejects.toThrow(
      'the snapshot cannot be read: it ends within a pair',
    );
    await expect(second.restoreSnapshot?.({ height: at, format: 9 }, chunks)).rejects.toThrow(
      'a snapshot of format 9; this program reads format 1',
    );
    expect(await second.info()).toEqual(before);
    expect(await valueOfKey(second, 'kept')).toEqual(['yes', 'exists']);
    await block(second, 1, 'b=1');
    await expect(second.restoreSnapshot?.({ height: at, format }, chunks)).rejects.toThrow(
      'a snapshot is for a new application, this one has executed height 1',
    );
    await second.close?.();
  });
});

describe('the file of kv', () => {
  it('of version 1 is refused with words, and left as it is', () => {
    const dir = folder();
    const old = new DatabaseSync(join(dir, 'kv.db'));
    old.exec('CREATE TABLE standing (id INTEGER PRIMARY KEY, height INTEGER, app_hash TEXT, size INTEGER)');
    old.close();
    expect(() => opened({ dir })).toThrow(/kv\.db: a file of kv version 1, this program writes version 3/);
    const again = new DatabaseSync(join(dir, 'kv.db'));
    expect(again.prepare('SELECT name FROM sqlite_schema').all()).toHaveLength(1);
    again.close();
  });

  it('whose pairs are not those that it was written with is refused', async () => {
    const dir = folder();
    const first = await started({ dir, flushHeights: 1 });
    await block(first, 1, 'a=1');
    await block(first, 2, 'b=1');
    await block(first, 3, 'c=1');
    await first.close?.();
    const file = new DatabaseSync(join(dir, 'kv.db'));
    const [row] = file.prepare('SELECT position, pairs FROM log ORDER BY position').all();
    const pairs = row?.['pairs'];
    if (!(pairs instanceof Uint8Array)) throw new Error('no pairs');
    pairs[pairs.byteLength - 1] = 50;
    file.prepare('UPDATE log SET pairs = ? WHERE position = ?').run(pairs, Number(row?.['position']));
    file.close();
    expect(() => opened({ dir })).toThrow(/kv\.db: what is in it has another hash than it had/);
  });
});
