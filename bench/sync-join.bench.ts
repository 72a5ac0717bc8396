/**
 * How long a fresh validator takes to join a network with a long chain: real processes, TLS, disks, everything verified
 * and executed. Run: npm run bench -- sync-join [--blocks=50000] [--body=2048] [--joins=blocks,snapshot,bad]. The chain is made first, which takes some milliseconds a block. 'snapshot': the holders keep
 * snapshots and it joins by one; 'bad': one of the four holders lies and one gives nothing.
 */
import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { althing } from '../test/cluster/support/local-network.ts';
import { writeLongChain } from '../test/cluster/support/long-chain.ts';
import { SyncLiar } from '../test/cluster/support/sync-liars.ts';
import { Validators } from '../test/cluster/support/validators.ts';
import { numberOf, wordOf } from './flags.ts';

const words = (name: string, otherwise: string): readonly string[] => (wordOf(name) ?? otherwise).split(',');

const blocks = numberOf('blocks', 50_000);
const bodyBytes = numberOf('body', 2_048);
/** Holders of the chain; one validator more joins them. */
const HOLDERS = 4;
/** Of them, in the join among bad ones, those that serve it; one of the others lies and one gives nothing. */
const HONEST = 2;
const JOINS = ['blocks', 'snapshot', 'bad'] as const;
type Join = (typeof JOINS)[number];
const joins = JOINS.filter((join) => words('joins', 'blocks').includes(join));
const SNAPSHOTS = { ALTHING_SYNC__JOIN: 'snapshot', ALTHING_SYNC__SNAPSHOT_INTERVAL_HEIGHTS: '8' };

interface Standing {
  readonly committed: number;
  readonly executed: number;
}

const seconds = (since: number): string => ((performance.now() - since) / 1_000).toFixed(1);

let underWay: Join = 'blocks';
const validators = await Validators.create({
  count: HOLDERS + 1,
  launch: () => (underWay === 'snapshot' ? { env: SNAPSHOTS } : {}),
});
const { network } = validators;
const liars: SyncLiar[] = [];
try {
  const began = performance.now();
  const homes = Array.from({ length: HOLDERS }, (_, index) => network.homeOf(index));
  await writeLongChain({ signers: homes, into: homes.map((home) => ({ home, blocks })), bodyBytes });
  console.log(`chain of ${blocks} blocks of ${bodyBytes} bytes made in ${seconds(began)} s`);
  for (underWay of joins) {
    await measure(underWay, underWay === 'bad' ? HONEST : HOLDERS);
    for (let index = 0; index <= HOLDERS; index += 1) await validators.kill(index);
    await forget(network.homeOf(HOLDERS));
  }
} finally {
  for (const liar of liars) {
    console.log(`a bad holder was asked ${JSON.stringify([...liar.asked])}`);
    liar.end();
  }
  for (let index = 0; index <= HOLDERS; index += 1) await validators.kill(index);
  rmSync(network.directory, { recursive: true, force: true });
}

async function measure(join: Join, honest: number): Promise<void> {
  const serving = Array.from({ length: honest }, (_, index) => index);
  for (const index of serving) validators.start(index);
  for (const index of serving) await until(index, ({ executed }) => executed >= blocks);
  if (join === 'snapshot') for (const index of serving) await keepsSnapshot(index);
  const began = performance.now();
  validators.start(HOLDERS);
  await until(HOLDERS, () => true);
  if (join === 'bad') {
    liars.push(await SyncLiar.start(validators, honest, HOLDERS, 'lies'));
    liars.push(await SyncLiar.start(validators, honest + 1, HOLDERS, 'stalls'));
  }
  const ready = performance.now();
  const before = new Map([...serving, HOLDERS].map((index) => [index, processorOf(validators.pid(index))]));
  console.log(`\n${join}: the joiner answers after ${seconds(began)} s`);
  await until(HOLDERS, ({ committed }) => committed >= blocks);
  const committedIn = performance.now() - ready;
  await until(HOLDERS, ({ executed }) => executed >= blocks);
  const executedIn = performance.now() - ready;
  const rate = (ms: number): string => Math.round((blocks * 1_000) / ms).toLocaleString('en');
  console.log(
    `joined in ${(executedIn / 1_000).toFixed(1)} s: committed ${rate(committedIn)}, executed ${rate(executedIn)} blocks/s`,
  );
  const used = (index: number): string =>
    `${Math.round(((processorOf(validators.pid(index)) - (before.get(index) ?? 0)) * 1_000) / blocks)} µs`;
  console.log(`processor a block: joiner ${used(HOLDERS)}, holders ${serving.map(used).join(', ')}`);
  console.log(`peak memory of the joiner ${peak(validators.pid(HOLDERS))} MiB; ${await fetchedBy(HOLDERS)}`);
}

/** What it was given, and what it asked for twice. */
async function fetchedBy(index: number): Promise<string> {
  const answer = await fetch(`http://${network.rpcOf(index)}/althing_sync`);
  const { counts } = ((await answer.json()) as { result: { counts: Record<string, number> } }).result;
  const mebibytes = Math.round((counts['bytes_fetched'] ?? 0) / 1_048_576);
  return `${counts['blocks_fetched']} blocks and ${mebibytes} MiB fetched, ${counts['batches_retried']} batches asked for again`;
}

/** All that it has of a chain, and what it keeps against signing twice. */
async function forget(home: string): Promise<void> {
  const { code, stderr } = await althing('reset', '--home', home, '--force');
  if (code !== 0) throw new Error(stderr);
}

async function until(index: number, fits: (standing: Standing) => boolean): Promise<void> {
  for (;;) {
    const standing = await standingOf(index);
    if (standing !== undefined && fits(standing)) return;
    if (!validators.runs(index)) throw new Error(`validator ${index} ended: ${validators.wordsOf(index)}`);
    await sleep(100);
  }
}

async function keepsSnapshot(index: number): Promise<void> {
  while (!validators.wordsOf(index).includes('snapshot of the application is kept')) {
    if (!validators.runs(index)) throw new Error(`validator ${index} ended: ${validators.wordsOf(index)}`);
    await sleep(100);
  }
}

async function standingOf(index: number): Promise<Standing | undefined> {
  try {
    const get = async (path: string): Promise<Record<string, unknown>> =>
      (
        (await (await fetch(`http://${network.rpcOf(index)}/${path}`)).json()) as {
          result: Record<string, unknown>;
        }
      ).result;
    const status = (await get('status')) as { sync_info: { latest_block_height: string } };
    const info = (await get('abci_info')) as { response: { last_block_height?: string } };
    return {
      committed: Number(status.sync_info.latest_block_height),
      executed: Number(info.response.last_block_height ?? 0),
    };
  } catch {
    return undefined;
  }
}

/** User and kernel time of all threads so far. @unit ms */
function processorOf(pid: number | undefined): number {
  // What stands before ')' may hold spaces; utime and stime are the fields 14 and 15, in hundredths of a second.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** @unit MiB */
function peak(pid: number | undefined): number {
  const kib = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib) / 1_024);
}
