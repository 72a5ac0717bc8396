/**
 * Operations a second of the store on disk, at fixed sizes, each durable; beside them the device's own sync.
 * Run: node bench/storage.bench.ts [folder]. Set-up is outside the loops; each line is the median of 5 runs.
 */
import { fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutedTransaction } from '../src/protocol/ports/storage.ts';
import type { Store, StoreWrite } from '../src/storage/store.ts';
import {
  batch,
  chain,
  committed,
  digest,
  found,
  height,
  opened,
  record,
  transaction,
  votedFor,
  write,
} from '../test/storage/fixtures.ts';

const RUNS = 5;
const [folder = tmpdir()] = process.argv.slice(2);

interface Bench {
  readonly name: string;
  readonly unit: string;
  /** Units that one run does. */
  readonly amount: number;
  /** Returns what is measured. */
  prepare(store: Store, dir: string): () => void;
}

function measure({ name, unit, amount, prepare }: Bench): void {
  const rates: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const dir = mkdtempSync(join(folder, 'althing-bench-'));
    const store = opened(join(dir, 'data'));
    const work = prepare(store, dir);
    const start = process.hrtime.bigint();
    work();
    rates.push((amount * 1e9) / Number(process.hrtime.bigint() - start));
    store.close();
    rmSync(dir, { recursive: true });
  }
  rates.sort((left, right) => left - right);
  const show = (rate: number | undefined): string => Math.round(rate ?? Number.NaN).toLocaleString('en');
  const spread = `${show(rates[0])} to ${show(rates[RUNS - 1])}`;
  console.log(`${name.padEnd(58)} ${show(rates[RUNS >> 1]).padStart(10)} ${unit.padEnd(14)} (${spread})`);
}

const BLOCKS = chain(10_000);
const COMMITTED = BLOCKS.map(committed);
const BATCHES = Array.from({ length: 100 }, (_, at) => batch(`bench ${at}`, 512 * 1_024));

/** Transactions of 256 bytes, as many as a batch of 512 KiB holds. */
const TRANSACTIONS = 2_000;
const EXECUTIONS: readonly StoreWrite[] = BLOCKS.slice(0, 50).map((made, block) => ({
  kind: 'execution',
  blockId: made.id,
  executed: { height: made.block.header.height, appHash: digest(`app ${block}`) },
  transactions: Array.from({ length: TRANSACTIONS }, (_, index): ExecutedTransaction => {
    const base = transaction(`${block}/${index}`, index);
    return {
      ...base,
      bytes: new Uint8Array(256).fill(block),
      result: { ...base.result, events: [], log: '' },
    };
  }),
  events: [],
  validatorUpdates: [],
}));

function commitAll(store: Store): void {
  for (let at = 0; at < COMMITTED.length; at += 1_000) {
    write(store, { kind: 'commit', blocks: COMMITTED.slice(at, at + 1_000) });
  }
}

measure({
  name: 'reference: write 4 KiB + fdatasync',
  unit: 'syncs/s',
  amount: 1_000,
  prepare: (_, dir) => {
    const file = openSync(join(dir, 'reference'), 'w');
    const page = new Uint8Array(4_096).fill(7);
    return () => {
      for (let at = 0; at < 1_000; at += 1) {
        writeSync(file, page);
        fdatasyncSync(file);
      }
    };
  },
});
measure({
  name: 'safety record + block voted for, one transaction each',
  unit: 'commits/s',
  amount: 1_000,
  prepare: (store) => () => {
    for (const [at, made] of BLOCKS.slice(0, 1_000).entries()) {
      write(store, record(votedFor(made), at, made.block));
    }
  },
});
for (const group of [1, 10, 100]) {
  const amount = group === 1 ? 1_000 : BLOCKS.length;
  measure({
    name: `blocks committed, in groups of ${group}`,
    unit: 'blocks/s',
    amount,
    prepare: (store) => () => {
      for (let at = 0; at < amount; at += group) {
        write(store, { kind: 'commit', blocks: COMMITTED.slice(at, at + group) });
      }
    },
  });
}
measure({
  name: 'committed blocks read by id',
  unit: 'reads/s',
  amount: BLOCKS.length,
  prepare: (store) => {
    commitAll(store);
    return () => {
      for (const { id } of BLOCKS) found(store.committedBlock(id));
    };
  },
});
measure({
  name: 'committed blocks read in ranges of 256',
  unit: 'blocks/s',
  amount: BLOCKS.length,
  prepare: (store) => {
    commitAll(store);
    return () => {
      for (let at = 1; at <= BLOCKS.length; at += 256) found(store.blocksFrom(height(at), 256, 1e9));
    };
  },
});
for (const group of [1, 4]) {
  measure({
    name: `batches of 512 KiB written, in groups of ${group}`,
    unit: 'MB/s',
    amount: (BATCHES.length * 512 * 1_024) / 1e6,
    prepare: (store) => () => {
      for (let at = 0; at < BATCHES.length; at += group) {
        write(store, { kind: 'batches', batches: BATCHES.slice(at, at + group) });
      }
    },
  });
}
measure({
  name: 'batches of 512 KiB read',
  unit: 'MB/s',
  amount: (BATCHES.length * 512 * 1_024) / 1e6,
  prepare: (store) => {
    write(store, { kind: 'batches', batches: BATCHES });
    return () => {
      for (const entry of BATCHES) found(store.batches([entry.digest]));
    };
  },
});
measure({
  name: `executions of ${TRANSACTIONS} transactions of 256 bytes written`,
  unit: 'transactions/s',
  amount: EXECUTIONS.length * TRANSACTIONS,
  prepare: (store) => {
    commitAll(store);
    return () => {
      for (const execution of EXECUTIONS) write(store, execution);
    };
  },
});
measure({
  name: 'transactions found by hash, among 100,000',
  unit: 'reads/s',
  amount: 2_000,
  prepare: (store) => {
    commitAll(store);
    write(store, ...EXECUTIONS);
    const hashes = EXECUTIONS.flatMap((entry) =>
      entry.kind === 'execution' ? entry.transactions.slice(0, 40).map(({ hash }) => hash) : [],
    );
    return () => {
      for (const hash of hashes) found(store.transaction(hash));
    };
  },
});
