/**
 * What a socket between node and application costs: blocks of 5,000 transactions of 250 bytes through the kv application, in this
 * process and in one of its own; then checks. Run: node bench/socket.bench.ts. Set-up is outside the loops; medians of 15 blocks.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kv } from '../src/application/kv/rules.ts';
import { remoteApplication } from '../src/application/socket/remote.ts';
import { serveApplication } from '../src/application/socket/serve.ts';
import { wallTime } from '../src/base/units.ts';
import { digestOf } from '../src/protocol/chain/canonical.ts';
import type { Application } from '../src/protocol/ports/application.ts';
import { committedBlock, height } from '../test/protocol/mempool/world.ts';
import { address } from '../test/storage/fixtures.ts';

const BLOCK = 5_000;
const TRANSACTION_BYTES = 250;
const BLOCKS = 15;
const KEYS = 50_000;
const CHAIN = {
  chainId: 'bench',
  genesisHash: digestOf(new Uint8Array()),
  genesisTime: wallTime(0),
  validators: [],
  appState: {},
};

const requests = Array.from({ length: BLOCKS + 5 }, (_, block) => ({
  height: height(block + 1),
  blockId: committedBlock(height(block + 1), [], address(1)).id,
  time: wallTime(block),
  proposer: address(1),
  randomness: digestOf(new Uint8Array()),
  transactions: Array.from({ length: BLOCK }, (_unused, index) => {
    const bytes = new Uint8Array(TRANSACTION_BYTES).fill(120);
    bytes.set(new TextEncoder().encode(`key${(block * BLOCK + index * 7) % KEYS}=${block}/`));
    return bytes;
  }),
}));

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

async function measure(name: string, application: Application): Promise<void> {
  await application.initChain(CHAIN);
  const [blocks, processor]: [number[], number[]] = [[], []];
  for (const [index, request] of requests.entries()) {
    const [from, used] = [performance.now(), process.cpuUsage()];
    await application.finalizeBlock(request);
    if (index < requests.length - BLOCKS) continue;
    blocks.push(performance.now() - from);
    const { user, system } = process.cpuUsage(used);
    processor.push((user + system) / 1_000);
  }
  const checks: number[] = [];
  for (const { transactions } of requests) {
    const from = performance.now();
    await Promise.all(transactions.map((transaction) => application.checkTx(transaction)));
    checks.push(((performance.now() - from) * 1_000) / BLOCK);
  }
  const shown = [median(blocks).toFixed(1), median(processor).toFixed(1), median(checks).toFixed(2)];
  console.log(
    `${name.padEnd(34)} ${shown[0]?.padStart(6)} ms a block, ${shown[1]?.padStart(6)} ms of this process's processor, ${shown[2]} µs a check`,
  );
  await application.close?.();
}

const [role, listen = ''] = process.argv.slice(2).filter((word) => !word.startsWith('--'));
if (role === 'serve') {
  await serveApplication(() => kv(), { listen });
  console.log('listening');
} else {
  await measure('kv in this process', kv());
  const dir = mkdtempSync(join(tmpdir(), 'althing-socket-bench-'));
  for (const where of [`unix:${join(dir, 'app.sock')}`, 'tcp:127.0.0.1:26999']) {
    const child = spawn(process.execPath, [import.meta.filename, 'serve', where], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await measure(
      `kv behind ${where.slice(0, where.indexOf(':'))}`,
      await remoteApplication({ address: where, chainId: 'bench' }),
    );
    child.kill();
  }
  rmSync(dir, { recursive: true });
}
