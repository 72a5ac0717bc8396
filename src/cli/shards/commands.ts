/** What the commands about shards do, over RPC. Boundary: HTTP, key files, timers. docs/sharding.md. */
import { join } from 'node:path';
import { shardOf } from '../../protocol/bridge/shard.ts';
import { messageOf, runtimeFailure, usageFailure } from '../failure.ts';
import { addressOfText, amountOfText } from '../ledger/arguments.ts';
import { type AccountKey, type LedgerChain, readKey } from '../ledger/client.ts';
import { FAUCET_FILE, RELAYER_FILE } from '../ledger/local-genesis.ts';
import type { Output } from '../output.ts';
import { pause } from '../pause.ts';
import { ChainView } from './chain-view.ts';
import { readLocalShards } from './local-shards.ts';
import { type RelayEvent, relay } from './relayer.ts';

export interface TransferRequest {
  readonly directory: string;
  readonly key: string | undefined;
  readonly from: number | undefined;
  readonly toShard: number | undefined;
  readonly recipient: string;
  readonly amount: string;
  readonly wait: boolean;
}

export interface TransferDone {
  readonly route: { readonly from: string; readonly to: string };
  /** Where it left. */
  readonly height: number;
  /** @unit units */
  readonly amount: bigint;
  /** Undefined where nobody waited. @unit ms */
  readonly creditedAfter?: number;
  readonly ledger: LedgerChain;
}

/** What somebody at a terminal waits for; the coins are on their way without them. @unit ms */
const CREDIT_WAIT_MS = 60_000;
/** Between two looks. @unit ms */
const LOOK_MS = 50;
/** Between two tries to reach chains that are not up yet, doubling. @unit ms */
const REACH_MS = 500;
const REACH_MS_MAX = 5_000;

/** Routed by `shardOf` of the addresses, where no shard is named: within one shard a transfer, else over the outbox. */
export async function transferBetween(request: TransferRequest): Promise<TransferDone> {
  const { directory, recipient, wait } = request;
  const to = addressOfText(recipient);
  const key = readKey(request.key ?? join(directory, FAUCET_FILE));
  return withShards(directory, async (views, signal) => {
    const source = request.from === undefined ? routed(views, key.address) : numbered(views, request.from);
    const target =
      request.toShard === undefined ? routed(views, recipient) : numbered(views, request.toShard);
    const amount = amountOfText(request.amount, source.ledger);
    const route = { from: source.chainId, to: target.chainId };
    const common = { route, amount, ledger: source.ledger };
    const startedAt = performance.now();
    if (source === target) {
      const { height } = await source.submit(key, { kind: 'transfer', to: to.bytes, amount });
      return { ...common, height, creditedAfter: Math.round(performance.now() - startedAt) };
    }
    await opened(source, target, signal);
    const payload = { kind: 'send', chain: target.genesisHash, to: to.bytes, amount } as const;
    const { height, result } = await source.submit(key, payload);
    if (!wait) return { ...common, height };
    const sequence = sequenceIn(result.events);
    await credited(source, target, sequence, signal);
    return { ...common, height, creditedAfter: Math.round(performance.now() - startedAt) };
  });
}

/** The place of a transfer among those of its two chains, as its events tell. */
function sequenceIn(
  events: readonly {
    readonly type: string;
    readonly attributes: readonly { readonly key: string; readonly value: string }[];
  }[],
): bigint {
  const attributes = events.find(({ type }) => type === 'ledger.outbox')?.attributes ?? [];
  const text = attributes.find(({ key }) => key === 'sequence')?.value;
  if (text === undefined)
    throw runtimeFailure('the ledger did not tell the sequence of the transfer: is it of this version?');
  return BigInt(text);
}

/** LG-31: a chain that has just begun is opened by a relayer, as its first act. */
async function opened(source: ChainView, target: ChainView, signal: AbortSignal): Promise<void> {
  const until = performance.now() + CREDIT_WAIT_MS;
  while (performance.now() < until) {
    if ((await source.about(target.chainId)).genesis_hash !== null) return;
    await pause(LOOK_MS, signal);
  }
  throw runtimeFailure(
    `${source.chainId} has no proof of ${target.chainId} yet, and nothing was sent: is there a relayer (althing relay)?`,
  );
}

async function credited(
  source: ChainView,
  target: ChainView,
  sequence: bigint,
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + CREDIT_WAIT_MS;
  while (performance.now() < until) {
    const { next_to_receive: next } = await target.about(source.chainId);
    if (next > sequence) return;
    await pause(LOOK_MS, signal);
  }
  throw runtimeFailure(
    `transfer ${sequence} has left ${source.chainId}, and has not come to ${target.chainId} within ${CREDIT_WAIT_MS / 1_000} s: is there a relayer (althing relay)? It comes as soon as there is one`,
  );
}

export async function balancesOf(directory: string, address: string) {
  const { text } = addressOfText(address);
  return withShards(directory, async (views) => {
    const home = routed(views, text);
    return Promise.all(
      views.map(async (view) => {
        const { balance } = await view.account(text);
        return { chainId: view.chainId, balance, isHome: view === home, ledger: view.ledger };
      }),
    );
  });
}

/** Coins that have left one shard and not come to another. @unit units */
export interface OnTheWay {
  readonly from: string;
  readonly to: string;
  /** Below 0: more has come than was sent, which no honest quorum does. */
  readonly units: bigint;
}

/** LG-6 over all shards: what each has, and what is on the way. */
export async function supplyOf(directory: string) {
  return withShards(directory, async (views) => {
    // What has come is asked before what has left: coins that move meanwhile are on the way, and never less than nothing.
    const receivers = await Promise.all(views.map((view) => view.chains()));
    const senders = await Promise.all(views.map((view) => view.chains()));
    const supplies = await Promise.all(views.map((view) => view.supply()));
    const shards = views.map(({ chainId, ledger }, index) => {
      const { genesis = 0n, net_received: net = 0n, burned = 0n } = supplies[index] ?? {};
      return { chainId, ledger, units: genesis + net, burned };
    });
    const onTheWay = views.flatMap(({ chainId: from }, at): readonly OnTheWay[] =>
      (senders[at] ?? []).map(({ chain_id: to, sent }) => {
        const receiver = receivers[views.findIndex(({ chainId }) => chainId === to)] ?? [];
        const received = receiver.find((chain) => chain.chain_id === from)?.received ?? 0n;
        return { from, to, units: sent - received };
      }),
    );
    return { shards, onTheWay };
  });
}

export interface RelayRequest {
  readonly directory: string | undefined;
  /** Endpoints of each further chain. */
  readonly chains: readonly (readonly string[])[];
  readonly key: string | undefined;
  readonly signal: AbortSignal;
  readonly output: Output;
}

export async function relayBetween({ directory, chains, key, signal, output }: RelayRequest): Promise<void> {
  const local = directory === undefined ? [] : await readLocalShards(directory);
  const endpoints = [...local.map((shard) => shard.endpoints), ...chains];
  const account = readKey(key ?? join(directory ?? '', RELAYER_FILE));
  await relayWhenUp(endpoints, account, signal, (event) => output.data(eventJson(event), [eventLine(event)]));
}

/** Beside the validators of the same command; failures are its own affair, since it tries again. */
export async function relayLocal(directory: string, signal: AbortSignal): Promise<void> {
  const local = await readLocalShards(directory);
  const account = readKey(join(directory, RELAYER_FILE));
  await relayWhenUp(
    local.map((shard) => shard.endpoints),
    account,
    signal,
    () => undefined,
  );
}

async function relayWhenUp(
  endpoints: readonly (readonly string[])[],
  key: AccountKey,
  signal: AbortSignal,
  onEvent: (event: RelayEvent) => void,
): Promise<void> {
  const views: ChainView[] = [];
  for (const each of endpoints) {
    const view = await reached(each, signal, onEvent);
    if (view !== undefined) views.push(view);
  }
  try {
    if (!signal.aborted) await relay(views, key, signal, onEvent);
  } finally {
    for (const view of views) view.close();
  }
}

/** Undefined where it was asked to stop before. */
async function reached(
  endpoints: readonly string[],
  signal: AbortSignal,
  onEvent: (event: RelayEvent) => void,
): Promise<ChainView | undefined> {
  let wait = REACH_MS;
  while (!signal.aborted) {
    try {
      return await ChainView.open(endpoints, signal);
    } catch (cause) {
      const [from = ''] = endpoints;
      onEvent({ from, to: '', kind: 'failed', problem: messageOf(cause) });
      await pause(wait, signal);
      wait = Math.min(2 * wait, REACH_MS_MAX);
    }
  }
  return undefined;
}

async function withShards<Result>(
  directory: string,
  run: (views: readonly ChainView[], signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const shards = await readLocalShards(directory);
  const { signal } = new AbortController();
  const views: ChainView[] = [];
  try {
    for (const { endpoints } of shards) views.push(await ChainView.open(endpoints, signal));
    return await run(views, signal);
  } finally {
    for (const view of views) view.close();
  }
}

/** Where an account is: BR-12. */
function routed(views: readonly ChainView[], address: string): ChainView {
  const [first, ...rest] = views.map(({ chainId }) => chainId);
  const name = first === undefined ? '' : shardOf(addressOfText(address).bytes, [first, ...rest]);
  const found = views.find(({ chainId }) => chainId === name);
  if (found === undefined) throw usageFailure('there are no shards');
  return found;
}

function numbered(views: readonly ChainView[], shard: number): ChainView {
  const found = views[shard];
  if (found !== undefined) return found;
  throw usageFailure(`shard ${shard}: there are 0 to ${views.length - 1}`);
}

const eventJson = ({ from, to, kind, transfers, problem }: RelayEvent): object => ({
  ...{ type: kind, from, to },
  ...(transfers === undefined ? {} : { transfers }),
  ...(problem === undefined ? {} : { problem }),
});

function eventLine({ from, to, kind, transfers, problem }: RelayEvent): string {
  const way = to === '' ? from : `${from} → ${to}`;
  if (kind === 'failed') return `${way}: ${problem}; it is tried again`;
  if (kind === 'halted')
    return `${way}: ${from} has committed two blocks of one height; nothing of it is taken any more (LG-37)`;
  return kind === 'receive' ? `${way}: ${transfers} transfers came` : `${way}: ${kind}`;
}
