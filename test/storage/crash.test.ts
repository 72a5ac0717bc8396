import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { blockIdOf } from '../../src/protocol/chain/canonical.ts';
import { parseBatchDigest } from '../../src/protocol/chain/parse.ts';
import { found, GENESIS_ID, height, IDENTITY, opened, transaction } from './fixtures.ts';

const CYCLES = 30;
const WRITER = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));

interface Acknowledged {
  readonly version: number;
  readonly committed: number;
  readonly executed: number;
  readonly batches: readonly string[];
}

/** Lets the writer acknowledge `acks` times and run `thenMs` more, kills it with SIGKILL, and gives what it said last. */
function runAndKill(dir: string, acks: number, thenMs: number): Promise<Acknowledged> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [WRITER, dir], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, errors] = ['', ''];
    let armed = false;
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
      if (armed || output.split('\n').length < acks + 2) return;
      armed = true;
      setTimeout(() => child.kill('SIGKILL'), thenMs);
    });
    child.stderr.on('data', (chunk) => {
      errors += String(chunk);
    });
    child.on('close', (code, signal) => {
      if (signal !== 'SIGKILL') {
        reject(new Error(`the writer ended with ${code}: ${errors}`));
        return;
      }
      const lines = output
        .split('\n')
        .slice(0, -1)
        .filter((line) => line.startsWith('ack '));
      const [, version = '0', committed = '0', executed = '0'] = lines.at(-1)?.split(' ') ?? [];
      resolve({
        version: Number(version),
        committed: Number(committed),
        executed: Number(executed),
        batches: lines.map((line) => line.split(' ')[4] ?? ''),
      });
    });
  });
}

describe('kill -9 at a random moment', () => {
  it(`loses nothing that was acknowledged, tears nothing, and the record never falls (${CYCLES} times, ST-3)`, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'althing-kill-'));
    const seed = String(process.env['ALTHING_TEST_SEED'] ?? Date.now());
    const draws = seededRandom(seed).stream('kill');
    let before: Acknowledged = { version: 0, committed: 0, executed: 0, batches: [] };
    let round = 0;
    for (let cycle = 0; cycle < CYCLES; cycle += 1) {
      const acknowledged = await runAndKill(dir, draws.below(6), draws.next() * 8);
      const store = opened(dir);
      const where = `seed ${seed}, cycle ${cycle}`;
      const { record, recordVersion, committed, executed } = found(store.recover());
      const least = acknowledged.version === 0 ? before : acknowledged;
      expect(recordVersion, where).toBeGreaterThanOrEqual(least.version);
      expect(record.lastVotedRound, where).toBeGreaterThanOrEqual(round);
      expect(committed?.block.header.height ?? 0, where).toBeGreaterThanOrEqual(least.committed);
      expect(executed.height, where).toBeGreaterThanOrEqual(least.executed);
      for (const raw of acknowledged.batches) {
        const digest = parseBatchDigest(raw);
        if (digest === 'malformed') throw new Error(`${where}: ${raw}`);
        expect(found(store.batches([digest])).missing, where).toEqual([]);
      }
      // No torn block: each is whole, has its id, joins its parent, and its transaction is found.
      let parent = GENESIS_ID;
      const from = Math.max(1, before.committed);
      const { blocks } = found(store.blocksFrom(height(from), 100_000, 1e9));
      for (const { id, block } of blocks) {
        expect(blockIdOf(IDENTITY, block), where).toBe(id);
        if (block.header.height > 1 && parent !== GENESIS_ID)
          expect(block.header.parentId, where).toBe(parent);
        parent = id;
        const { hash } = transaction(`tx ${block.header.height}`, 0);
        if (block.header.height > executed.height) continue;
        expect(found(store.transaction(hash))?.height, where).toBe(block.header.height);
      }
      store.close();
      round = record.lastVotedRound;
      before = {
        version: recordVersion,
        committed: committed?.block.header.height ?? 0,
        executed: executed.height,
        batches: [],
      };
    }
    expect(before.committed, `seed ${seed}: the writer got something done`).toBeGreaterThan(CYCLES);
    rmSync(dir, { recursive: true });
  }, 120_000);
});

describe('a device that refuses', () => {
  it('fails a write with IO when files may not grow (RLIMIT_FSIZE), and what was acknowledged is there', () => {
    const dir = mkdtempSync(join(tmpdir(), 'althing-limit-'));
    const script = `
      import { batch, chain, committed, found, opened, record, votedFor, write } from ${JSON.stringify(join(import.meta.dirname, 'fixtures.ts'))};
      const store = opened(${JSON.stringify(dir)}, { segmentBytes: 65_536 });
      const blocks = chain(4_000);
      let durable = 0;
      for (const made of blocks) {
        const staged = store.stage([{ kind: 'commit', blocks: [committed(made)] }]);
        const result = staged.status === 'failed' ? staged : store.sync();
        if (result.status === 'failed') { console.log(result.code, durable, found(store.latest()).committed); break; }
        durable += 1;
      }
      const big = store.stage([{ kind: 'batches', batches: [batch('big', 4_000_000)] }]);
      console.log(big.status === 'failed' ? big.code : store.sync().code);
      console.log(found(store.latest()).committed);`;
    // 1,024 blocks of 512 or 1,024 bytes: files of 512 KiB to 1 MiB.
    const limited = spawnSync(
      'sh',
      ['-c', 'ulimit -f 1024; exec "$0" --input-type=module -e "$1"', process.execPath, script],
      {
        encoding: 'utf8',
      },
    );
    const [first = '', big, after] = limited.stdout.trim().split('\n');
    const [code, durable, committedHeight] = first.split(' ');
    expect([code, big], limited.stderr).toEqual(['IO', 'IO']);
    expect([committedHeight, after]).toEqual([durable, durable]);
    const store = opened(dir);
    expect(found(store.latest()).committed).toBe(Number(durable));
    expect(Number(durable)).toBeGreaterThan(10);
    store.close();
    rmSync(dir, { recursive: true });
  });

  it('makes a segment file whole or not at all: a second attempt does not write to half a file', () => {
    const dir = mkdtempSync(join(tmpdir(), 'althing-segment-'));
    const script = `
      import { batch, opened } from ${JSON.stringify(join(import.meta.dirname, 'fixtures.ts'))};
      const store = opened(${JSON.stringify(dir)}, { segmentBytes: 16_000_000 });
      for (const name of ['first', 'second']) {
        const staged = store.stage([{ kind: 'batches', batches: [batch(name, 10_000)] }]);
        const result = staged.status === 'failed' ? staged : store.sync();
        console.log(result.status);
      }`;
    const limited = spawnSync(
      'sh',
      ['-c', 'ulimit -f 4096; exec "$0" --input-type=module -e "$1"', process.execPath, script],
      { encoding: 'utf8' },
    );
    expect(limited.stdout.trim().split('\n'), limited.stderr).toEqual(['failed', 'failed']);
    rmSync(dir, { recursive: true });
  });
});
