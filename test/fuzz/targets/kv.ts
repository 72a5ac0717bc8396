/**
 * Transactions of the kv application, one a line: none throws, two instances agree, what is refused changes nothing.
 * Rules of src/application/kv/ in the shell of src/application/state/, docs/applications.md.
 */
import { kv } from '../../../src/application/kv/rules.ts';
import { packed, unpack } from '../../../src/application/state/store.ts';
import { wallTime } from '../../../src/base/units.ts';
import { digestOf } from '../../../src/protocol/chain/canonical.ts';
import { parseHeight } from '../../../src/protocol/chain/parse.ts';
import { addressOf } from '../../../src/protocol/chain/validator-set.ts';
import type { Application, ValidatorUpdate } from '../../../src/protocol/ports/application.ts';
import { LINES } from '../forms/lines.ts';
import { claim, type Target } from '../target.ts';

const base64 = (fill: number, length: number): string => Buffer.alloc(length, fill).toString('base64');
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const VALIDATORS: readonly ValidatorUpdate[] = [1, 2, 3, 4].map((fill) => ({
  nodeKey: new Uint8Array(32).fill(fill),
  consensusKey: new Uint8Array(48).fill(fill),
  possessionProof: new Uint8Array(96),
  power: 10n,
}));
const LINES_MAX = 64;
const ID = digestOf(new Uint8Array());
const PROPOSER = addressOf(new Uint8Array(32));

const words = [
  ...[
    'val:',
    '!',
    '=',
    '==',
    '0',
    '1',
    '-1',
    '1152921504606846975',
    '1152921504606846976',
    '9'.repeat(19),
    '9'.repeat(20),
  ],
  ...[1, 2, 5].flatMap((fill) => [base64(fill, 32), base64(fill, 48), base64(fill, 96)]),
  ...['\xff', '\xc3\x28', '\u0000', '__proto__', 'constructor'],
].map(bytesOf);

export const kvTransactions: Target = {
  name: 'kv',
  what: 'blocks of transactions of the kv application, into two instances and its store’s pages',
  covers: ['/src/application/kv/', '/src/application/state/'],
  mutations: LINES,
  dictionary: words,
  bytesMax: 16 * 1024,
  window: 2_000,
  seeds: () =>
    [
      'a=1\nb=2\na=3\nc',
      'k==v\n=\n=x\nx=',
      `val:${base64(1, 32)}!20\nval:${base64(2, 32)}!0`,
      `val:${base64(5, 32)}!${base64(5, 48)}!${base64(7, 96)}!5\nval:${base64(5, 32)}!6`,
      `val:${base64(6, 32)}!${base64(1, 48)}!${base64(7, 96)}!5\nval:x!1\nval:`,
    ].map(bytesOf),
  open: async () => ({ run }),
};

async function run(input: Uint8Array): Promise<string> {
  const transactions = Buffer.from(input)
    .toString('latin1')
    .split('\n')
    .slice(0, LINES_MAX)
    .map((line) => bytesOf(line));
  const [one, other] = [await started(), await started()];
  const checks = await Promise.all(transactions.map((transaction) => one.checkTx(transaction)));
  const before = checks.map(({ code }) => code);
  const codes = [await blockOf(one, transactions, 1), await blockOf(other, transactions, 1)];
  claim(JSON.stringify(codes[0]) === JSON.stringify(codes[1]), 'two instances agree on every result');
  const kinds = new Set<string>();
  for (const [index, transaction] of transactions.entries()) {
    const isUpdate = Buffer.from(transaction).toString('latin1').startsWith('val:');
    const code = codes[0]?.results[index] ?? -1;
    claim(
      isUpdate || transaction.byteLength === 0 || before[index] === code,
      'a pair that was admitted is executed',
    );
    kinds.add(`${isUpdate ? 'update' : 'pair'} ${code}`);
    await one.query('/store', transaction);
  }
  const pairs = new Map([[Buffer.from(input).toString('latin1'), 'v']]);
  const again = new Map<string, string>();
  claim(unpack(packed(pairs), again) === 1 && again.size === 1, 'a page is read as it was written');
  return `${[...kinds].sort().join(', ')}, page ${unpack(input, new Map()) === 'malformed' ? 'malformed' : 'read'}`;
}

async function started(): Promise<Application> {
  const application = kv({ provesPossession: (_, proof) => proof[0] === 7 });
  await application.initChain({
    chainId: 'fuzz',
    genesisHash: ID,
    genesisTime: wallTime(0),
    validators: VALIDATORS,
    appState: {},
  });
  return application;
}

async function blockOf(application: Application, transactions: readonly Uint8Array[], at: number) {
  const height = parseHeight(at);
  if (height === 'malformed') throw new Error('a height is a height');
  const { results, appHash, validatorUpdates } = await application.finalizeBlock({
    height,
    time: wallTime(at),
    transactions,
    blockId: ID,
    proposer: PROPOSER,
    randomness: ID,
  });
  const refusedAll = results.every(({ code }) => code !== 0);
  claim(!refusedAll || validatorUpdates.length === 0, 'what is refused changes no validator');
  const total = validatorUpdates.reduce((sum, { power }) => sum + power, 0n);
  claim(total < 2n ** 60n, 'the total power stays below 2^60 (CS-16)');
  return { results: results.map(({ code }) => code), appHash, updates: validatorUpdates.length };
}
