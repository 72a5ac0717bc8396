/**
 * How long a fresh validator takes to join a network with a long chain: real processes, TLS, disks, everything verified
 * and executed. Run: npm run bench -- sync-join [--blocks=50000] [--body=2048] [--bad=1] [--snapshot=1]. The chain is made
 * first, which takes some milliseconds a block. With --bad=1 one of the four holders lies and one gives nothing; with
 * --snapshot=1 the holders keep snapshots and it joins by one.
 */
import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeLongChain } from '../test/cluster/support/long-chain.ts';
import { SyncLiar } from '../test/cluster/support/sync-liars.ts';
import { Validators } from '../test/cluster/support/validators.ts';

const flag = (name: string, otherwise: number): number => {
  const word = process.argv.find((one) => one.startsWith(`--${name}=`));
  return word === undefined ? otherwise : Number(word.slice(name.length + 3));
};

const blocks = flag('blocks', 50_000);
const bodyBytes = flag('body', 2_048);
/** Holders of the chain; one validator more joins them. */
const HOLDERS = 4;
/** Of them, those that serve it. */
const honest = HOLDERS - 2 * flag('bad', 0);

interface Standing {
  readonly committed: number;
  readonly executed: number;
}

const seconds = (since: number): string => ((performance.now() - since) / 1_000).toFixed(1);

const bySnapshot = flag('snapshot', 0) === 1;
const joining = { ALTHING_SYNC__JOIN: 'snapshot', ALTHING_SYNC__SNAPSHOT_INTERVAL_HEIGHTS: '8' };

const validators = await Validators.create({
  count: HOLDERS + 1,
  ...(bySnapshot ? { launch: () => ({ env: joining }) } : {}),
});
const { network } = validators;
const holders = Array.from({ length: HOLDERS }, (_, index) => network.homeOf(index));
const liars: SyncLiar[] = [];
try {
  let began = performance.now();
  await writeLongChain({ signers: holders, into: holders.map((home) => ({ home, blocks })), bodyBytes });
  console.log(`chain of ${blocks} blocks of ${bodyBytes} bytes made in ${seconds(began)} s`);
  for (let index = 0; index < honest; index += 1) validators.start(index);
  for (let index = 0; index < honest; index += 1) await until(index, ({ executed }) => executed >= blocks);
  if (bySnapshot) for (let index = 0; index < honest; index += 1) await keepsSnapshot(index);
  began = performance.now();
  validators.start(HOLDERS);
  await until(HOLDERS, () => true);
  if (honest < HOLDERS) {
    liars.push(await SyncLiar.start(validators, honest, HOLDERS, 'lies'));
    liars.push(await SyncLiar.start(validators, honest + 1, HOLDERS, 'stalls'));
  }
  const ready = performance.now();
  const running = [...Array.from({ length: honest }, (_, index) => index), HOLDERS];
  const before = new Map(running.map((index) => [index, processorOf(validators.pid(index))]));
  console.log(`joiner answers after ${seconds(began)} s`);
  await until(HOLDERS, ({ committed }) => committed >= blocks);
  const committedIn = performance.now() - ready;
  await until(HOLDERS, ({ executed }) => executed >= blocks);
  const executedIn = performance.now() - ready;
  const rate = (ms: number): string => Math.round((blocks * 1_000) / ms).toLocaleString('en');
  console.log(`committed ${rate(committedIn)} blocks/s, executed ${rate(executedIn)} blocks/s`);
  const used = (index: number): string =>
    `${Math.round(((processorOf(validators.pid(index)) - (before.get(index) ?? 0)) * 1_000) / blocks)} µs`;
  const servers = Array.from({ length: honest }, (_, index) => used(index)).join(', ');
  console.log(`processor a block: joiner ${used(HOLDERS)}, holders ${servers}`);
  console.log(`peak memory of the joiner ${peak(validators.pid(HOLDERS))} MiB`);
} finally {
  for (const liar of liars) {
    console.log(`a bad holder was asked ${JSON.stringify([...liar.asked])}`);
    liar.end();
  }
  for (let index = 0; index <= HOLDERS; index += 1) await validators.kill(index);
  rmSync(network.directory, { recursive: true, force: true });
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
