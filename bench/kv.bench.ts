/**
 * Processor time that a transaction of 256 bytes takes in the kv application, in memory and on disk, in blocks of 2,000.
 * Run: node bench/kv.bench.ts [folder]. Set-up is outside the loops; each line is the median of 5 runs.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appHashOf } from '../src/application/answers.ts';
import { kv } from '../src/application/kv/rules.ts';
import { wallTime } from '../src/base/units.ts';
import { digestOf } from '../src/protocol/chain/canonical.ts';
import type { Application } from '../src/protocol/ports/application.ts';
import { committedBlock, height } from '../test/protocol/mempool/world.ts';
import { address } from '../test/storage/fixtures.ts';
import { spentSince } from './processor.ts';

const RUNS = 5;
const BLOCK = 2_000;
const BLOCKS = 50;
const KEYS = 50_000;
const [folder = tmpdir()] = process.argv.slice(2).filter((word) => !word.startsWith('--'));

const blocks = Array.from({ length: BLOCKS }, (_, block) =>
  Array.from({ length: BLOCK }, (_unused, index) => {
    const bytes = Buffer.alloc(256, 120);
    bytes.write(`key${(block * BLOCK + index * 7) % KEYS}=${block}/`);
    return bytes;
  }),
);

async function measure(
  name: string,
  open: () => { application: Application; done: () => void },
): Promise<void> {
  const micros: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const { application, done } = open();
    await application.initChain({
      chainId: 'bench',
      genesisHash: digestOf(new Uint8Array()),
      genesisTime: wallTime(0),
      validators: [],
      appState: {},
    });
    const requests = blocks.map((transactions, index) => {
      const { id } = committedBlock(height(index + 1), [], address(1));
      return {
        height: height(index + 1),
        blockId: id,
        time: wallTime(index),
        proposer: address(1),
        randomness: id,
        transactions,
      };
    });
    globalThis.gc?.();
    const start = process.cpuUsage();
    for (const request of requests) await application.finalizeBlock(request);
    micros.push(spentSince(start) / (BLOCK * BLOCKS));
    await application.close?.();
    done();
  }
  micros.sort((left, right) => left - right);
  const [least, median, most] = [micros[0], micros[RUNS >> 1], micros[RUNS - 1]].map((value) =>
    value?.toFixed(2),
  );
  console.log(`${name.padEnd(62)} ${median?.padStart(7)} µs/transaction (${least} to ${most})`);
}

await measure('finalizeBlock, in memory', () => ({ application: kv(), done: () => undefined }));
await measure('finalizeBlock, on disk', () => {
  const dir = mkdtempSync(join(folder, 'althing-kv-bench-'));
  return { application: kv({ dir }), done: () => rmSync(dir, { recursive: true }) };
});
await measure('checkTx', () => {
  const application = kv();
  const checking: Application = {
    info: () => application.info(),
    initChain: (request) => application.initChain(request),
    checkTx: (transaction) => application.checkTx(transaction),
    query: (path, data) => application.query(path, data),
    finalizeBlock: ({ transactions }) => {
      for (const transaction of transactions) void application.checkTx(transaction);
      return { results: [], events: [], validatorUpdates: [], appHash: appHashOf() };
    },
  };
  return { application: checking, done: () => undefined };
});
