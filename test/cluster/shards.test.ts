/**
 * Two chains of four validators, each a process, and a relayer between them: transfers both ways with kill -9 of a validator of each
 * chain and of the relayer, and while the validators of one change. Sums are conserved, each transfer comes once. LG-30 to LG-34;
 * BR-12, docs/sharding.md.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountAddressOf, addressText } from '../../src/application/ledger/address.ts';
import { CODES } from '../../src/application/ledger/codes.ts';
import { type Payload, signTransaction } from '../../src/application/ledger/transaction.ts';
import { fromHex, utf8 } from '../../src/base/bytes.ts';
import { type AccountKey, askAccount, askValidators, readKey } from '../../src/cli/ledger/client.ts';
import { ChainView } from '../../src/cli/shards/chain-view.ts';
import { type LocalShard, readLocalShards } from '../../src/cli/shards/local-shards.ts';
import { type Client, connect, type Outcome } from '../../src/client/index.ts';
import { sha256 } from '../../src/crypto/hash.ts';
import { homePaths } from '../../src/node/config/home.ts';
import { ACKNOWLEDGED_MIN } from '../../src/protocol/bridge/relay.ts';
import { althing, eventually, freeBasePort, MAIN, type NetworkEvent } from './support/local-network.ts';

/** In all; more with ALTHING_SHARD_TRANSFERS. @unit transfers */
const TRANSFERS = Number(process.env['ALTHING_SHARD_TRANSFERS'] ?? 200);
/** Of one account, that are on their way into blocks: below the greatest gap of nonces (LG-5). @unit transfers */
const AT_ONCE = 50;
/** @unit ms */
const SETTLED_WITHIN = 120_000;
/** Of one operation that is refused for now. */
const ATTEMPTS_MAX = 100;
const KILLED = 1;
/** Of either direction, while an epoch ends. @unit transfers */
const WHILE_ENDING = 60;
/** Of either direction, in the epoch after it: some are acknowledged. @unit transfers */
const AFTERWARDS = Number(ACKNOWLEDGED_MIN);
/** What buys one power on a chain that the command made. @unit units */
const STAKE = 100_000_000_000n;

const directory = mkdtempSync(join(tmpdir(), 'althing-shards-'));
const events: NetworkEvent[] = [];
const relayed: NetworkEvent[] = [];
const stopping = new AbortController();
let network: ChildProcess;
let relayer: ChildProcess;
const revived: ChildProcess[] = [];
let shards: readonly LocalShard[];
let views: readonly ChainView[];

function run(words: readonly string[], into: NetworkEvent[]): ChildProcess {
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.stdout !== null)
    createInterface({ input: child.stdout }).on('line', (line) => {
      into.push(JSON.parse(line));
    });
  return child;
}

const startRelayer = (): ChildProcess => run(['relay', '--data', directory, '--json'], relayed);

async function kill(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

const recipientOf = (shard: number, index: number): Uint8Array =>
  sha256(utf8(`recipient ${index} of shard ${shard}`)).subarray(0, 20);
/** No two are alike, so that one credited for another would be seen. @unit units */
const amountOf = (index: number): bigint => BigInt(1_000 + index);

beforeAll(async () => {
  const basePort = await freeBasePort(8);
  const words = ['shards', 'start', '--no-relayer', '--json', '--data', directory];
  network = run([...words, '--base-port', String(basePort)], events);
  await eventually('all eight validators are up', 60_000, () => events.find(({ type }) => type === 'ready'));
  shards = await readLocalShards(directory);
  views = await Promise.all(shards.map(({ endpoints }) => ChainView.open(endpoints, stopping.signal)));
  relayer = startRelayer();
  await eventually('both chains know each other', 60_000, async () => {
    const known = await Promise.all(views.map((view) => view.chains()));
    return known.flat().every((chain) => chain.genesis_hash !== null) ? true : undefined;
  });
}, 150_000);

afterAll(async () => {
  stopping.abort();
  for (const view of views ?? []) view.close();
  // Asked, not killed: its validators would still write into what is removed.
  for (const child of [relayer, network, ...revived]) await kill(child, 'SIGTERM');
  rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
});

/** Sends transfers `first` to `end` - 1 from one shard to the other, in order, with the faucet's key; none may fail. */
async function sendAll(from: number, to: number, first: number, end: number): Promise<void> {
  const [source, target] = [views[from], views[to]];
  if (source === undefined || target === undefined) throw new Error('no such shard');
  const key = readKey(join(directory, 'faucet.json'));
  const client = connect({ endpoints: source.endpoints });
  try {
    for (let at = first; at < end; at += AT_ONCE) {
      const { height } = await client.status();
      const nonce = await nextNonce(source, key);
      const lastHeight = height + 400;
      const outcomes = Array.from({ length: Math.min(AT_ONCE, end - at) }, async (_, offset) => {
        const payload = {
          ...{ kind: 'send' as const, chain: target.genesisHash },
          ...{ to: recipientOf(to, at + offset), amount: amountOf(at + offset) },
        };
        const turn = { nonce: nonce + BigInt(offset), lastHeight: BigInt(lastHeight) };
        const unsigned = { publicKey: key.publicKey, ...turn, feeMax: 1_000_000n, tip: 0n, payload };
        const signed = signTransaction(unsigned, key.secret, source.ledger.domain);
        return done(client, { signed, nonce: turn.nonce, key, source }, lastHeight);
      });
      await Promise.all(outcomes);
    }
  } finally {
    client.close();
  }
}

/** Of the validator that is furthest: one that is behind would have a nonce given twice. */
async function nextNonce({ endpoints }: ChainView, { address }: AccountKey): Promise<bigint> {
  const accounts = endpoints.map((url) => askAccount({ url, token: undefined }, address));
  const nonces = (await Promise.allSettled(accounts)).map((told) =>
    told.status === 'fulfilled' ? Number(told.value.nonce) : 0,
  );
  return BigInt(Math.max(...nonces));
}

/** As `ChainView.submit`, again where a validator that is behind refused it: what failed was not done (LG-18). */
async function submitted(view: ChainView, key: AccountKey, payload: Payload): Promise<void> {
  let problem: unknown;
  for (let attempt = 0; attempt < 10; attempt += 1) {
    try {
      await view.submit(key, payload);
      return;
    } catch (cause) {
      problem = cause;
      await sleep(200);
    }
  }
  throw problem;
}

/**
 * Until the transaction was executed. A validator that is behind refuses a nonce that is too far ahead of its own state; and when the
 * one that held those before it is killed, a nonce comes into a block before them (LG-5, code 4): it did nothing, and is sent again.
 */
async function done(
  client: Client,
  { signed, nonce, key, source }: Sent,
  expiresAtHeight: number,
): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const outcome = await (await client.submit(signed, { expiresAtHeight })).outcome;
    if (outcome.status === 'committed' && outcome.result.code === CODES.ok) return;
    const isForNow =
      outcome.status === 'rejected' ||
      (outcome.status === 'committed' && outcome.result.code === CODES.nonceWrong);
    if (!isForNow || attempt === ATTEMPTS_MAX) throw new Error(`nonce ${nonce}: ${wordsOf(outcome)}`);
    // Done by another attempt: nobody else has this key, and its nonces are given once (LG-18).
    if ((await source.account(key.address)).nonce > nonce) {
      console.log(`nonce ${nonce}, attempt ${attempt}: was done, and yet ${wordsOf(outcome)}`);
      return;
    }
    await sleep(200);
  }
}

const wordsOf = (outcome: Outcome): string => {
  if (outcome.status === 'rejected') return `rejected: ${outcome.code}: ${outcome.reason}`;
  return outcome.status === 'committed'
    ? `committed with code ${outcome.result.code} at ${outcome.height}: ${outcome.result.log}`
    : outcome.status;
};

interface Sent {
  readonly signed: Uint8Array;
  readonly nonce: bigint;
  readonly key: AccountKey;
  readonly source: ChainView;
}

const receipts = (): number => relayed.filter(({ type }) => type === 'receive').length;
/** By whichever relayer lives. */
const oneMoreReceipt = (before: number): Promise<true> =>
  eventually('the relayer has carried something', SETTLED_WITHIN, () =>
    receipts() > before ? true : undefined,
  );

/** While they work. */
async function killOneOfEach(): Promise<void> {
  const [ready] = events.filter(({ type }) => type === 'ready');
  for (const [shard, { homes }] of shards.entries()) {
    const at = shard * homes.length + KILLED;
    const pid = ready?.nodes?.find(({ node }) => node === at)?.pid;
    if (pid === undefined) throw new Error(`validator ${at} told no process`);
    process.kill(pid, 'SIGKILL');
  }
}

describe('two chains of four validators', () => {
  it(
    `${TRANSFERS} transfers both ways, a validator of each and twice the relayer killed meanwhile: each comes once, none is lost`,
    async () => {
      const half = Math.ceil(TRANSFERS / 2);
      const startedAt = performance.now();
      const some = Math.ceil(half / 2);
      const both = (first: number, end: number) =>
        Promise.all([sendAll(0, 1, first, end), sendAll(1, 0, first, end)]);
      await both(0, some);
      await oneMoreReceipt(0);
      const rest = both(some, half);
      await killOneOfEach();
      await kill(relayer);
      await rest;
      const sentAfter = performance.now() - startedAt;
      // The next one is killed right after its first receipt, with the other direction on its way.
      const before = receipts();
      relayer = startRelayer();
      await oneMoreReceipt(before);
      await kill(relayer);
      relayer = startRelayer();
      for (const { homes } of shards)
        revived.push(run(['start', '--home', homes[KILLED] ?? '', '--json'], []));
      await eventually('all have come', SETTLED_WITHIN, async () => {
        const known = (await Promise.all(views.map((view) => view.chains()))).flat();
        return known.every(({ next_to_receive: next }) => next === BigInt(half) + 1n) ? true : undefined;
      });
      const cameAfter = performance.now() - startedAt;
      // A validator that was killed answers with the state that it has caught up with; more than was sent would stay.
      const amounts = Array.from({ length: half }, (_, index) => amountOf(index)).join();
      for (const [shard, view] of views.entries()) {
        await eventually(`every recipient on shard ${shard} has its amount, once`, 60_000, async () => {
          const accounts = Array.from({ length: half }, (_, index) =>
            view.account(addressText(recipientOf(shard, index))),
          );
          const balances = (await Promise.all(accounts)).map(({ balance }) => balance);
          return balances.join() === amounts ? true : undefined;
        });
      }
      const total = Array.from({ length: half }, (_, index) => amountOf(index)).reduce(
        (sum, one) => sum + one,
        0n,
      );
      await eventually('both say that all came that was sent, and no more', 60_000, async () => {
        const told = (await Promise.all(views.map((view) => view.chains()))).flat();
        return told.every(({ sent, received }) => sent === total && received === total) ? true : undefined;
      });
      expect(events.some(({ type }) => type === 'view-change')).toBe(true);
      console.log(
        `${2 * half} transfers: sent after ${Math.round(sentAfter)} ms, all came after ${Math.round(cameAfter)} ms, in ${receipts()} receipts that were told; ` +
          `${events.filter(({ type }) => type === 'view-change').length} view changes seen`,
      );
    },
    SETTLED_WITHIN + 180_000,
  );

  it('the sums are conserved, as the command says, also on the validators that were killed', async () => {
    const supply = await althing('shards', 'supply', '--data', directory, '--json');
    expect(supply.code, supply.stderr).toBe(0);
    const told = JSON.parse(supply.stdout);
    expect(told.on_the_way.map(({ amount }: { readonly amount: string }) => amount)).toEqual(['0', '0']);
    const [one, two] = told.shards.map((shard: { readonly supply: string }) => shard.supply);
    expect(one).toBe(two);
    for (const { endpoints } of shards) {
      await eventually('the one that was killed has the state of the others', 60_000, async () => {
        const answers = await Promise.all(endpoints.map(chainsAt));
        return new Set(answers).size === 1 && answers[0] !== undefined ? true : undefined;
      });
    }
  }, 90_000);

  it('a command routes by the address, and waits until the coins have come', async () => {
    const recipient = addressText(recipientOf(9, 9));
    const done = await althing('shards', 'transfer', recipient, '1.5', '--data', directory, '--json');
    expect(done.code, done.stderr).toBe(0);
    const found = JSON.parse(
      (await althing('shards', 'balance', recipient, '--data', directory, '--json')).stdout,
    );
    expect(found.filter(({ home }: { readonly home: boolean }) => home)).toMatchObject([
      { balance: '1500000' },
    ]);
    expect(found.filter(({ home }: { readonly home: boolean }) => !home)).toMatchObject([{ balance: '0' }]);
  }, 90_000);

  it(
    'the validators of one change while transfers flow: the other follows, by proof, and each transfer comes once (LG-32)',
    async () => {
      const [source, other] = views;
      const [shard] = shards;
      if (source === undefined || other === undefined || shard === undefined) throw new Error('two shards');
      expect((await source.epochs(0)).current).toBe(0);
      const { operator, payload } = await stakeFor(shard);
      const to = accountAddressOf(operator.publicKey);
      const faucet = readKey(join(directory, 'faucet.json'));
      await submitted(source, faucet, { kind: 'transfer', to, amount: STAKE });
      const first = 1_000_000;
      const [next, end] = [first + WHILE_ENDING, first + WHILE_ENDING + AFTERWARDS];
      const both = (from: number, to: number) =>
        Promise.all([sendAll(0, 1, from, to), sendAll(1, 0, from, to)]);
      const sent = both(first, next);
      await submitted(source, operator, payload);
      await sent;
      await eventually('an epoch has ended', 60_000, async () =>
        (await source.epochs(0)).current === 1 ? true : undefined,
      );
      await both(next, end);
      await eventually('the other chain trusts the next epoch', SETTLED_WITHIN, async () =>
        (await other.about(source.chainId)).trusted_epoch === 1 ? true : undefined,
      );
      const indices = Array.from({ length: end - first }, (_, offset) => first + offset);
      for (const [at, view] of views.entries()) {
        await eventually(`every recipient on shard ${at} has its amount, once`, SETTLED_WITHIN, async () => {
          const accounts = indices.map((index) => view.account(addressText(recipientOf(at, index))));
          const balances = (await Promise.all(accounts)).map(({ balance }) => balance);
          return balances.join() === indices.map(amountOf).join() ? true : undefined;
        });
      }
      await eventually('both have acknowledged what came', SETTLED_WITHIN, async () => {
        const told = (await Promise.all(views.map((view) => view.chains()))).flat();
        const isLittle = told.every((one) => one.next_to_send - one.first_unacknowledged < ACKNOWLEDGED_MIN);
        return isLittle ? true : undefined;
      });
      expect(relayed.filter(({ type }) => type === 'follow')).toMatchObject([
        { from: source.chainId, to: other.chainId },
      ]);
    },
    SETTLED_WITHIN + 120_000,
  );
});

/** The operator of a validator of this shard, and what puts one power more on it: LG-9, and so an epoch ends (CS-16). */
async function stakeFor({ homes, endpoints }: LocalShard) {
  const operator = readKey(join(homePaths(homes[0] ?? '').keys, 'account.json'));
  const validators = await askValidators({ url: endpoints[0] ?? '', token: undefined });
  const validator = fromHex(validators.find((one) => one.operator === operator.address)?.address ?? '');
  if (validator === undefined) throw new Error(`${operator.address} operates no validator`);
  return { operator, payload: { kind: 'stake', validator, amount: STAKE } as const };
}

/** What one validator itself says; undefined while it does not answer. */
async function chainsAt(endpoint: string): Promise<string | undefined> {
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'abci_query',
    params: { path: '/chains', data: '' },
  });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(endpoint, { method: 'POST', headers, body }).catch(() => undefined);
  if (response === undefined) return undefined;
  const { result } = (await response.json()) as {
    readonly result?: { readonly response: { readonly value: string } };
  };
  return result?.response.value;
}
