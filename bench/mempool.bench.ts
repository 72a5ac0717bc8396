/**
 * Processor time that a transaction of 256 bytes takes in the mempool's rules, in the batch's encoding and in the deduplication;
 * no storage, no network. Run: node bench/mempool.bench.ts. Set-up is outside the loops; each line is the median of 5 runs.
 */

import { wallTime } from '../src/base/units.ts';
import {
  batchDigestOf,
  encodeBatch,
  parseBatch,
  transactionHashOf,
  transactionsOf,
} from '../src/protocol/chain/batch.ts';
import { GENESIS_HEIGHT } from '../src/protocol/chain/ordinals.ts';
import { DeduplicationTable } from '../src/protocol/execution/deduplication.ts';
import { DUPLICATE_RESULT } from '../src/protocol/execution/outcome.ts';
import { DEFAULT_MEMPOOL_CONFIG } from '../src/protocol/mempool/config.ts';
import { emptyMempool, type MempoolState } from '../src/protocol/mempool/state.ts';
import { handle, type MempoolEvent } from '../src/protocol/mempool/step.ts';
import { addressAt, committedBlock, height, setOf } from '../test/protocol/mempool/world.ts';
import { spentSince } from './processor.ts';

const RUNS = 5;
const TRANSACTIONS = 100_000;
const SUBMISSION = 200;
const BYTES = 256;

const set = setOf([1, 1, 1, 1]);
const author = addressAt(set, 0);

function transactionsFrom(seed: number): readonly Uint8Array[] {
  return Array.from({ length: TRANSACTIONS }, (_, index) => {
    const bytes = Buffer.alloc(BYTES, 120);
    bytes.write(`key${index % 50_000}=${seed}/${index}/`);
    return bytes;
  });
}

function measure(name: string, prepare: (run: number) => () => void): void {
  const micros = Array.from({ length: RUNS }, (_, run) => {
    const work = prepare(run);
    globalThis.gc?.();
    const start = process.cpuUsage();
    work();
    return spentSince(start) / TRANSACTIONS;
  }).sort((left, right) => left - right);
  const [least, median, most] = [micros[0], micros[RUNS >> 1], micros[RUNS - 1]].map((value) =>
    value?.toFixed(2),
  );
  console.log(`${name.padEnd(62)} ${median?.padStart(7)} µs/transaction (${least} to ${most})`);
}

const start = (): MempoolState =>
  emptyMempool(
    {
      config: DEFAULT_MEMPOOL_CONFIG,
      author,
      validators: set,
      addresses: {
        self: 'mempool',
        storage: 'storage',
        executor: 'executor',
        network: 'network',
        bridge: 'bridge',
        pacemakers: [],
        listeners: [],
      },
    },
    wallTimeless(0),
  );

/** The whole life of a transaction at its author: submitted, checked, sealed, durable, acknowledged, committed, executed. */
function live(transactions: readonly Uint8Array[], isNamed = false): void {
  let state = start();
  let clock = 0;
  let at = 0;
  let named = 0;
  const send = (event: MempoolEvent) => {
    const step = handle(state, event, wallTimeless(clock));
    state = step.state;
    for (const effect of step.effects) if (effect.kind === 'tell') hear(effect.message);
  };
  const hear = (message: object): void => {
    if (!('type' in message && 'tag' in message) || typeof message.tag !== 'number') return;
    const { tag } = message;
    if (message.type === 'check.requested')
      send({
        type: 'check.answered',
        tag,
        results: isNamed ? namedResults(named++) : CHECKED,
        height: GENESIS_HEIGHT,
      });
    if (!('batches' in message) || !Array.isArray(message.batches)) return;
    const { batches } = message;
    if (message.type === 'batches.persistRequested') {
      const digests = batches.map(({ digest }) => digest);
      send({ type: 'batches.persisted', tag, digests });
      for (const { address } of set.validators) {
        send({ type: 'message.received', from: address, message: { kind: 'BatchAck', digests } });
      }
    }
    if (message.type === 'payload.selected') {
      at += 1;
      send({ type: 'blocks.committed', blocks: [committedBlock(height(at), batches, author)] });
    }
  };
  send({ type: 'batches.uncommittedFound', tag: 0, batches: [], more: false, height: height(0) });
  let executedTo = 0;
  for (let from = 0; from < TRANSACTIONS; from += SUBMISSION) {
    clock += 4;
    const part = transactions.slice(from, from + SUBMISSION);
    const request = { client: 'bench', transactions: part, replyTo: 'rpc', tag: from };
    send({ type: 'transactions.submitted', ...request, hashes: part.map(transactionHashOf) });
    if ((from / SUBMISSION) % 10 !== 9) continue;
    clock += 20;
    send({ type: 'seal.due' });
    const limits = { bytesMax: 8e6, countMax: 256, replyTo: 'round', tag: 1, exclude: [] };
    send({ type: 'payload.requested', height: height(at + 1), ...limits });
    const { code, codespace } = DUPLICATE_RESULT;
    const executed = transactions.slice(executedTo, from + SUBMISSION).map((bytes) => {
      const hash = HASHES.get(bytes) ?? transactionHashOf(bytes);
      return { hash, byteLength: bytes.byteLength, code, codespace };
    });
    executedTo = from + SUBMISSION;
    const { block, id } = committedBlock(height(at), [], author);
    send({
      type: 'block.executed',
      blockId: id,
      round: block.header.round,
      proposer: author,
      time: wallTime(at),
      executed: { height: height(at), appHash: id },
      transactions: executed,
      validatorUpdates: [],
    });
  }
  if (state.pending.size > 0) throw new Error(`${state.pending.size} transactions did not end`);
}

const wallTimeless = (ms: number) => ms as Parameters<typeof handle>[2];
const CHECKED = Array.from({ length: SUBMISSION }, () => ({ code: 0, log: '', codespace: '', priority: 0n }));
/** 50 senders of each submission, four transactions of each that pay more and more; what came before is executed or pending. */
const namedResults = (submission: number) =>
  CHECKED.map((result, index) => {
    const place = Math.floor(index / 50);
    const sequence = BigInt(4 * Math.floor(submission / 20) + place);
    const id = `${(submission % 20) * 50 + (index % 50)}`.padStart(40, '0');
    const next = BigInt(4 * Math.floor(submission / 20));
    return { ...result, priority: BigInt(place), sender: { id, sequence, next, cost: 1n, funds: 1_000n } };
  });
const HASHES = new Map<Uint8Array, ReturnType<typeof transactionHashOf>>();

const samples = Array.from({ length: RUNS }, (_, run) => transactionsFrom(run));
const sample = (run: number): readonly Uint8Array[] => samples[run] ?? [];

measure('hash of a transaction', (run) => () => {
  for (const transaction of sample(run)) transactionHashOf(transaction);
});
for (const transactions of samples)
  for (const bytes of transactions) HASHES.set(bytes, transactionHashOf(bytes));
measure('a life at its author, in submissions of 200 (hash included)', (run) => () => live(sample(run)));
measure(
  '… of 1,000 senders that the application names, 4 each in turn',
  (run) => () => live(sample(run), true),
);
const content = (run: number, from: number) => ({
  author,
  sequence: from,
  expiresAtHeight: height(1_000),
  transactions: sample(run).slice(from, from + 1_000),
});
measure('encoding and digest of a batch of 1,000', (run) => () => {
  for (let from = 0; from < TRANSACTIONS; from += 1_000) batchDigestOf(encodeBatch(content(run, from)));
});
measure('parsing a batch of 1,000, views and digest', (run) => {
  const encoded = Array.from({ length: TRANSACTIONS / 1_000 }, (_, at) =>
    encodeBatch(content(run, at * 1_000)),
  );
  return () => {
    for (const bytes of encoded) {
      const view = parseBatch(bytes, DEFAULT_MEMPOOL_CONFIG);
      if (view === 'malformed') throw new Error('a batch of the bench is a batch');
      transactionsOf(view);
      batchDigestOf(bytes);
    }
  };
});
measure('deduplication, 1,000,000 in the window', (run) => {
  const table = new DeduplicationTable(1_000);
  const hashes = sample(run).map((bytes) => HASHES.get(bytes) ?? transactionHashOf(bytes));
  for (let at = 0; at < 1_000_000; at += 1) {
    const filler = (at + run * 1_000_000).toString(16).padStart(8, '0').split('').reverse().join('');
    table.appears(`${filler}${hashes[at % TRANSACTIONS]?.slice(8) ?? ''}` as (typeof hashes)[number], 1);
  }
  return () => {
    for (const hash of hashes) table.appears(hash, 2);
  };
});
