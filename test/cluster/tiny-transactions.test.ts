/**
 * Half a million transactions of three bytes, from a Byzantine validator in five batches and in many, and from clients
 * at many addresses: what cannot be legal is refused unread, what is legal is executed, and the chain does not stall
 * meanwhile. Real processes. Rules MP-5, MP-11, BATCH_TRANSACTIONS_MAX, BLOCK_TRANSACTIONS_MAX, TP-6.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BATCH_TRANSACTIONS_MAX, encodeBatch } from '../../src/protocol/chain/batch.ts';
import { height } from '../protocol/consensus/fixture.ts';
import { Attacker, bytesOf, type Line } from './support/attacker.ts';
import { Load } from './support/load.ts';
import { eventually } from './support/local-network.ts';
import { Validators } from './support/validators.ts';
import { median, Watch } from './support/watch.ts';

const HONEST = [0, 1, 2];
const MALLORY = 3;
const TRANSACTIONS = 500_000;
const MIB = 1024 * 1024;
/** Longest time without a commit on an honest validator, one leader of four being silent. @unit ms */
const GAP_MS_MAX = 8_000;
/** @unit bytes @source measured at most 530 MiB with half a million waiting; a leak would not end there */
const RSS_MAX = 768 * MIB;
/** For how long the legal batches are watched. @unit ms */
const ATTACK_MS = 7_000;
const SAMPLE_MS = 200;

const watch = new Watch();
let validators: Validators;
let attacker: Attacker;
let load: Load;
const lines: Line[] = [];

const now = (): number => performance.timeOrigin + performance.now();

/** Transaction `index`, different from all others: three bytes. */
const tiny = (index: number): Uint8Array => Uint8Array.of(index >> 16, index >> 8, index);

function batchOf(sequence: number, from: number, count: number): Uint8Array {
  return bytesOf({
    kind: 'Batch',
    bytes: encodeBatch({
      author: attacker.signer.address,
      sequence,
      expiresAtHeight: height(watch.tip(HONEST) + 900),
      transactions: Array.from({ length: count }, (_, index) => tiny(from + index)),
    }),
  });
}

/** Of the process, as the system has it: a flooded RPC need not answer. @unit bytes */
const rssOf = (index: number): number => {
  const status = readFileSync(`/proc/${validators.pid(index)}/status`, 'latin1');
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN);
};

const committedOn = (index: number): number =>
  watch.commits.reduce((sum, commit) => sum + (commit.validator === index ? commit.transactions : 0), 0);

interface Measured {
  readonly gap: number;
  readonly rss: number;
}

/** Runs an attack, and says what the honest ones were like meanwhile and up to `restMs` after. */
async function measured(name: string, restMs: number, attack: () => Promise<void>): Promise<Measured> {
  const from = now();
  const before = committedOn(0);
  let rss = 0;
  const sampling = setInterval(() => {
    rss = Math.max(rss, ...HONEST.map(rssOf));
  }, SAMPLE_MS);
  const outcome = await attack().then(
    () => sleep(restMs),
    (problem: unknown) => problem,
  );
  clearInterval(sampling);
  const to = now();
  const gap = Math.max(...HONEST.map((index) => watch.longestGap(index, from, to)));
  const times = watch.commits.filter(({ validator, at }) => validator === 0 && at > from).map(({ at }) => at);
  const interval = median(times.slice(1).map((at, index) => at - (times[index] ?? at)));
  console.log(
    `${name}: ${Math.round(to - from)} ms, ${times.length} blocks with ${committedOn(0) - before} transactions, ` +
      `median interval ${Math.round(interval)} ms, longest gap ${Math.round(gap)} ms, RSS at most ${Math.round(rss / MIB)} MiB`,
  );
  if (outcome !== undefined) throw outcome;
  return { gap, rss };
}

beforeAll(async () => {
  validators = await Validators.create({ onEvent: watch.take });
  for (const index of [...HONEST, MALLORY]) validators.start(index);
  await eventually('blocks are committed', 30_000, () => (watch.tip([0]) > 1 ? true : undefined));
  load = new Load(validators.network, HONEST);
  await eventually('the rounds have their pace', 30_000, () => (watch.tip([0]) > 60 ? true : undefined));
  await validators.kill(MALLORY);
  attacker = await Attacker.create(validators, MALLORY);
});
afterAll(async () => {
  for (const line of lines) line.close();
  await load.stop();
  await validators.remove();
});

describe('tiny transactions', () => {
  it('before them: a client at each validator, and one of four leaders silent', async () => {
    const { gap } = await measured('without an attack', 0, () => sleep(3_000));
    expect(gap).toBeLessThan(GAP_MS_MAX);
  });

  it('legal batches are executed while clients go on being served (MP-8)', async () => {
    const before = committedOn(0);
    const served = load.acknowledged.length;
    const count = Math.ceil(TRANSACTIONS / BATCH_TRANSACTIONS_MAX);
    const name = `${count} batches of ${BATCH_TRANSACTIONS_MAX}`;
    const { gap, rss } = await measured(name, ATTACK_MS, async () => {
      for (const victim of HONEST) lines.push(await attacker.connect(victim));
      const batches = Array.from({ length: count }, (_, index) =>
        batchOf(index + 10, 1_000_000 + index * BATCH_TRANSACTIONS_MAX, BATCH_TRANSACTIONS_MAX),
      );
      await Promise.all(
        lines.map((line) => line.flood(batches.length, (index) => batches[index] ?? tiny(0))),
      );
    });
    expect(lines.every((line) => line.isOpen)).toBe(true);
    expect(gap).toBeLessThan(GAP_MS_MAX);
    expect(rss).toBeLessThan(RSS_MAX);
    expect(committedOn(0) - before).toBeGreaterThan(BATCH_TRANSACTIONS_MAX);
    expect(load.acknowledged.length).toBeGreaterThan(served);
  }, 40_000);

  it('five batches of 100,000 are refused by every honest validator, and their author is banned (MP-5, TP-6)', async () => {
    const count = TRANSACTIONS / 5;
    const before = committedOn(0);
    const { gap } = await measured('five batches of 100,000', 500, async () => {
      const batches = Array.from({ length: 5 }, (_, index) => batchOf(index + 1, index * count, count));
      await Promise.all(
        lines.map((line) => line.flood(batches.length, (index) => batches[index] ?? tiny(0))),
      );
    });
    expect(gap).toBeLessThan(GAP_MS_MAX);
    expect(committedOn(0) - before).toBeLessThan(count);
    await eventually('their author is banned', 10_000, () =>
      lines.some((line) => line.isOpen) ? undefined : true,
    );
  }, 20_000);

  it('clients at ten addresses, each as fast as it may, do not stop the chain', async () => {
    const { gap, rss } = await measured('clients at ten addresses', 500, () => clientsFlood(3_000));
    expect(gap).toBeLessThan(GAP_MS_MAX);
    expect(rss).toBeLessThan(RSS_MAX);
    for (const index of HONEST) expect(validators.runs(index)).toBe(true);
    expect(validators.stderr).not.toMatch(/crash|Unhandled|Error:/);
  }, 30_000);
});

/** Batches of 100 calls, two on their way from each address to each validator. */
async function clientsFlood(durationMs: number): Promise<void> {
  const until = now() + durationMs;
  let next = 2_000_000;
  const client = async (index: number, address: string): Promise<void> => {
    const agent = new Agent({ keepAlive: true, localAddress: address });
    while (now() < until) {
      const calls = Array.from({ length: 100 }, (_, id) => {
        next += 1;
        const tx = Buffer.from(tiny(next)).toString('base64');
        return { jsonrpc: '2.0', id, method: 'broadcast_tx_async', params: { tx } };
      });
      await post(agent, validators.network.rpcOf(index), JSON.stringify(calls));
    }
    agent.destroy();
  };
  const addresses = Array.from({ length: 10 }, (_, index) => `127.0.0.${index + 2}`);
  await Promise.all(HONEST.flatMap((index) => addresses.map((address) => client(index, address))));
}

function post(agent: Agent, address: string, body: string): Promise<void> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(`http://${address}/`, { method: 'POST', agent, headers }, (response) => {
      response.resume().once('close', resolve);
    });
    sent.once('error', () => resolve());
    sent.end(body);
  });
}
