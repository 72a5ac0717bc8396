/**
 * Four validators, the application of one of them served by its user's own program, which throws, hangs, and at last executes
 * otherwise than the others. The chain goes on, nothing is lost, and each is said in words. Rules EX-5, EX-6, BR-4.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BRIDGE } from '../../src/cli/shapes.ts';
import { CHECK_MS } from '../../src/protocol/bridge/times.ts';
import type { Fault } from './support/faulty-application.ts';
import { FINALIZE_MAX } from './support/hasty-executor.ts';
import { Load } from './support/load.ts';
import { althing, eventually } from './support/local-network.ts';
import { Validators } from './support/validators.ts';

const OWN = 1;
const OTHERS = [0, 2, 3];
const PROGRAM = join(import.meta.dirname, 'support/faulty-application.ts');
const HASTY = new URL('./support/hasty-executor.ts', import.meta.url).href;

let validators: Validators;
let application: ChildProcess;
let load: Load;

/** Resolves when the program says so. */
const said = (word: string): Promise<void> =>
  new Promise((resolve) => {
    const listen = (message: unknown): void => {
      if (message !== word) return;
      application.off('message', listen);
      resolve();
    };
    application.on('message', listen);
  });

async function begin(fault: Fault): Promise<void> {
  const begun = said(fault);
  application.send(fault);
  await begun;
}

async function executedBy(index: number): Promise<number> {
  const info = await validators.network.call(index, 'abci_info');
  return Number(info?.response?.last_block_height ?? 0);
}

/** A validator's application executes so many blocks more. */
async function executes(index: number, blocks: number, withinMs = 60_000): Promise<void> {
  const from = await executedBy(index);
  await eventually(`validator ${index} executes ${blocks} blocks`, withinMs, async () =>
    (await executedBy(index)) >= from + blocks ? true : undefined,
  );
}

async function caughtUp(): Promise<void> {
  const target = await executedBy(0);
  await eventually('its application has executed what the others have', 120_000, async () =>
    (await executedBy(OWN)) >= target ? true : undefined,
  );
}

/** What the RPC of a validator says to one transaction. */
async function submit(index: number, text: string): Promise<string> {
  const params = { tx: Buffer.from(text).toString('base64') };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'broadcast_tx_sync', params });
  return (await fetch(`http://${validators.network.rpcOf(index)}/`, { method: 'POST', body })).text();
}

const readiness = async (): Promise<string> =>
  (await fetch(`http://${validators.network.rpcOf(OWN)}/readyz`)).text();

/** The OWN validator's log says it. */
const logged = (words: RegExp, withinMs: number): Promise<true> =>
  eventually(`its log says ${words}`, withinMs, () =>
    words.test(validators.wordsOf(OWN)) ? true : undefined,
  );

beforeAll(async () => {
  validators = await Validators.create({
    launch: (index, network) =>
      index === OWN
        ? {
            env: {
              ALTHING_APPLICATION__ADDRESS: `unix:${join(network.directory, 'app.sock')}`,
              NODE_OPTIONS: `--import ${HASTY}`,
            },
          }
        : {},
  });
  application = fork(PROGRAM, [`unix:${join(validators.network.directory, 'app.sock')}`]);
  await said('listens');
  for (const index of [OWN, ...OTHERS]) validators.start(index);
  await eventually('all execute', 60_000, async () =>
    (await Promise.all([OWN, ...OTHERS].map(executedBy))).every((height) => height > 0) ? true : undefined,
  );
  load = new Load(validators.network, OTHERS);
});
afterAll(async () => {
  await load?.stop();
  await validators?.remove();
  application?.kill('SIGKILL');
});

describe("an application that its user's program serves", () => {
  it('throws in finalizeBlock: the chain goes on, the log and the probe say why, and no block is lost', async () => {
    await begin('finalizeBlock throws');
    await executes(0, 10);
    await logged(/finalizeBlock of height \d+ failed: out of paper/, 60_000);
    expect(await readiness()).toMatch(/blocks are not executed: APPLICATION_FAILED: .*out of paper/);
    expect(await submit(OWN, 'while=failing')).toMatch(/NOT_CHECKED.*out of paper/);
    expect(validators.runs(OWN)).toBe(true);
    await begin('none');
    await caughtUp();
    await logged(/execution goes on/, 60_000);
  });

  it('hangs in checkTx: that transaction is not judged, and its blocks go on', async () => {
    await begin('checkTx hangs');
    const answer = submit(OWN, 'while=hanging');
    await executes(OWN, 10);
    expect(await answer).toMatch(new RegExp(`NOT_CHECKED.*within ${CHECK_MS} ms`));
    await begin('none');
    expect(await submit(OWN, 'again=answered')).toContain('"code":0');
  });

  it('hangs in finalizeBlock: it is given up in time, opened anew, and goes on where it was', async () => {
    await begin('finalizeBlock hangs');
    await executes(0, 10);
    await logged(
      new RegExp(`finalizeBlock of height \\d+ has not answered within ${FINALIZE_MAX} ms`),
      60_000,
    );
    expect(await readiness()).toContain(`has not answered within ${FINALIZE_MAX} ms`);
    await begin('none');
    await caughtUp();
  });

  it('has lost none of what was acknowledged', async () => {
    await eventually('the load goes on', 60_000, () => load.acknowledged.length > 50 || undefined);
    const keys = load.acknowledged.slice(-100);
    await eventually('it has them', 60_000, async () => {
      const values = await validators.network.values(OWN, keys);
      return values.every((value, at) => value === load.valueOf(keys[at] ?? '')) ? true : undefined;
    });
  });

  it('executes otherwise than the others: both hashes are named and kept, and it takes no operations (BR-4)', async () => {
    await begin('another hash');
    await logged(/StateDivergence: the certificate of height \d+ states another state/, 60_000);
    const dir = join(validators.network.homeOf(OWN), 'divergences');
    const name = await eventually('the evidence is kept', 10_000, () =>
      readdirSync(dir).find((each) => each.endsWith('-certificate.json')),
    );
    const { height, ours, theirs, evidence } = JSON.parse(readFileSync(join(dir, name), 'utf8'));
    expect([ours, theirs]).toEqual([
      expect.stringMatching(/^[0-9a-f]{64}$/),
      evidence.block.header.executed.appHash,
    ]);
    expect(ours).not.toBe(theirs);
    const expected = { ours: ours.toUpperCase(), theirs: theirs.toUpperCase(), height: String(height) };
    const { stdout } = await althing('bridge', '--json', '--rpc', validators.network.rpcOf(OWN));
    expect(BRIDGE.parse(JSON.parse(stdout))).toMatchObject({
      healthy: false,
      divergences: expect.arrayContaining([{ ...expected, by: expect.stringContaining('certificate') }]),
    });
    expect(await submit(OWN, 'not=taken')).toContain('STATE_DIVERGED');
    await executes(0, 10);
  });

  it('votes for no block on that state: with another validator dead, three of four do not commit (EXECUTED_WRONG)', async () => {
    await validators.kill(3);
    await sleep(3_000);
    const stopped = await executedBy(0);
    await sleep(8_000);
    expect(await executedBy(0)).toBe(stopped);
    validators.start(3);
    await executes(0, 5, 90_000);
  });
});
