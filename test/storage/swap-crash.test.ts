import { spawn } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { completeSwap, rollbackSwap } from '../../src/storage/chain-swap.ts';
import { found, IDENTITY, votedFor } from './fixtures.ts';
import {
  NEW_CHAIN,
  newHome,
  OLD_CHAIN,
  openedNode,
  RECORD_VERSION,
  sealSide,
  swapOptions,
} from './swap-fixture.ts';

const WRITER = fileURLToPath(new URL('./swap-writer.ts', import.meta.url));
const CYCLES = 12;

/** Kills the process with SIGKILL so long after it said `ready`, unless it has ended. @returns what it said */
function runAndKill(home: string, what: string, thenMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [WRITER, home, what], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, errors, armed] = ['', '', false];
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
      if (armed) return;
      armed = true;
      setTimeout(() => child.kill('SIGKILL'), thenMs);
    });
    child.stderr.on('data', (chunk) => {
      errors += String(chunk);
    });
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL' || code === 0) resolve(output);
      else reject(new Error(`it ended with ${code}: ${errors}`));
    });
  });
}

const [oldTip, newTip] = [OLD_CHAIN.at(-1), NEW_CHAIN.at(-1)];
if (oldTip === undefined || newTip === undefined) throw new Error('two tips');
const seed = String(process.env['ALTHING_TEST_SEED'] ?? Date.now());
const draws = seededRandom(seed).stream('kill');

describe('kill -9 in the middle leaves the old chain whole (SY-9)', () => {
  it(`while the new one is written beside it (${CYCLES} times): the half of it is deleted at the next start`, async () => {
    const paths = newHome();
    for (let cycle = 0; cycle < CYCLES; cycle += 1) {
      const where = `seed ${seed}, cycle ${cycle}`;
      await runAndKill(paths.home, 'download', draws.next() * 150);
      const outcome = completeSwap(paths, swapOptions());
      expect(outcome, where).toMatchObject({ status: 'done', what: 'nothing' });
      const store = openedNode(paths);
      expect(found(store.tip()), where).toMatchObject({ height: 5, id: oldTip.id });
      expect(found(store.recover()), where).toMatchObject({
        recordVersion: RECORD_VERSION,
        record: votedFor(oldTip),
      });
      store.close();
      expect(
        readdirSync(paths.home).filter((name) => name.startsWith('data')),
        where,
      ).toEqual(['data']);
    }
    rmSync(dirname(paths.home), { recursive: true });
  }, 120_000);

  it(`while it is swapped in and rolled back (${CYCLES} times): one of both is there, and the record never falls`, async () => {
    const paths = newHome();
    let killed = 0;
    for (let cycle = 0; cycle < CYCLES; cycle += 1) {
      const where = `seed ${seed}, cycle ${cycle}`;
      const what = cycle % 2 === 0 ? 'swap' : 'rollback';
      if (what === 'swap') sealSide(paths);
      const said = await runAndKill(paths.home, what, draws.next() * 12);
      if (said === 'ready\n') killed += 1;
      expect(completeSwap(paths, swapOptions()), where).toMatchObject({ status: 'done' });
      const store = openedNode(paths);
      const { id } = found(store.tip());
      expect([oldTip.id, newTip.id], where).toContain(id);
      expect(found(store.recover()), where).toMatchObject({
        recordVersion: RECORD_VERSION,
        record: votedFor(oldTip),
      });
      store.close();
      if (what === 'swap') expect(id, where).toBe(newTip.id);
      else if (id === newTip.id)
        expect(rollbackSwap(paths, { chain: IDENTITY }), where).toMatchObject({ what: 'swap' });
    }
    expect(killed, `seed ${seed}: some were killed in the middle`).toBeGreaterThan(0);
    rmSync(dirname(paths.home), { recursive: true });
  }, 120_000);
});
