/**
 * What coins between chains cost a validator: a send, a receipt of 1 and of 128 transfers, an acknowledgement, with four signers' blst
 * certificates; and what routing a key costs. Run: node bench/shards.bench.ts. Set-up is outside the loops; medians of 15 runs.
 */

import type { Payload } from '../src/application/ledger/transaction.ts';
import { loadBlsEngine } from '../src/crypto/bls/select.ts';
import { shardOf } from '../src/protocol/bridge/shard.ts';
import { keyOf, type LedgerChain } from '../test/application/ledger/chain-of-ledger.ts';
import {
  acknowledgePayload,
  outboxFor,
  RELAYER,
  receivePayload,
  sendPayload,
  TwoChains,
} from '../test/application/ledger/two-chains.ts';
import { spentSince } from './processor.ts';

const RUNS = 15;
const FULL = 128;
const ROUTED = 10_000;
const given = { feeMax: 100_000_000n };

const { engine } = await loadBlsEngine();
const balances = { ada: 1_000_000_000_000n, relayer: 1_000_000_000_000n };
const { one, two } = new TwoChains({ balances }, {}, engine).open();
const [ada, bob] = [keyOf('ada'), keyOf('bob')];

/** Processor time of one block with these transactions; all of them must succeed. @unit ms */
function blockOf(chain: LedgerChain, transactions: readonly Uint8Array[]): number {
  const before = process.cpuUsage();
  const results = chain.block(transactions);
  const spent = spentSince(before);
  const failed = results.find(({ code }) => code !== 0);
  if (failed !== undefined) throw new Error(failed.log);
  return spent / 1_000;
}

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.trunc(values.length / 2)] ?? Number.NaN;

function tell(name: string, values: readonly number[], per = 1): void {
  const [low, mid, high] = [Math.min(...values), median(values), Math.max(...values)].map(
    (value) => value / per,
  );
  console.log(`${name.padEnd(36)} ${mid?.toFixed(3)} ms (${low?.toFixed(3)} to ${high?.toFixed(3)})`);
}

const sizes = new Map<string, number>();
const spent = new Map<string, number[]>();
const add = (name: string, ms: number): void => void spent.set(name, [...(spent.get(name) ?? []), ms]);
function carried(chain: LedgerChain, name: string, payload: Payload): void {
  const signed = chain.sign(RELAYER, payload, given);
  sizes.set(name, signed.byteLength);
  add(name, blockOf(chain, [signed]));
}

for (let run = 0; run < RUNS; run += 1) {
  const nonce = one.nonce(ada);
  const sends = Array.from({ length: FULL + 1 }, (_, index) =>
    one.sign(ada, sendPayload(two, bob, 1n), { ...given, nonce: nonce + BigInt(index) }),
  );
  add('send', blockOf(one, sends) / sends.length);
  carried(two, 'receive, 1 transfer', receivePayload(one, two, outboxFor(one, two, undefined, 1)));
  carried(two, `receive, ${FULL} transfers`, receivePayload(one, two));
  carried(one, `acknowledge, ${FULL + 1} transfers`, acknowledgePayload(one, two));
}
for (const [name, values] of spent) {
  const bytes = sizes.get(name);
  tell(bytes === undefined ? name : `${name}, ${bytes} bytes`, values);
}
for (const count of [2, 16, 64]) {
  const [first = '', ...rest] = Array.from({ length: count }, (_, index) => `shard-${index}`);
  const values = Array.from({ length: RUNS }, (_, run) => {
    const keys = Array.from({ length: ROUTED }, (_unused, index) => Buffer.from(`key ${run} ${index}`));
    const before = process.cpuUsage();
    for (const key of keys) shardOf(key, [first, ...rest]);
    return spentSince(before) / 1_000;
  });
  tell(`shardOf, ${count} shards`, values, ROUTED);
}
