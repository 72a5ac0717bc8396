/** What a relayer asks of several nodes of one chain: which is furthest, and whether they contradict each other. LG-37; docs/sharding.md. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { askNonce } from '../../src/cli/ledger/client.ts';
import { ChainView } from '../../src/cli/shards/chain-view.ts';
import { type RelayEvent, relay } from '../../src/cli/shards/relayer.ts';
import { watchForks } from '../../src/cli/shards/watch.ts';
import type { ProvenHeader } from '../../src/protocol/chain/types.ts';
import { ada, bob, LedgerChain } from '../application/ledger/chain-of-ledger.ts';
import { RELAYER, TwoChains } from '../application/ledger/two-chains.ts';
import { chainOf } from '../protocol/consensus/fixture.ts';
import { proofOf } from '../protocol/light/fixture.ts';
import { startTestServer, type TestServer } from '../rpc/server.ts';
import { LedgerNode } from './ledger-node.ts';

const servers: TestServer[] = [];
const views: ChainView[] = [];
let stopping = new AbortController();
afterEach(async () => {
  stopping.abort();
  stopping = new AbortController();
  for (const view of views.splice(0)) view.close();
  for (const { server } of servers.splice(0)) await server.close();
});
const key = { ...RELAYER, address: RELAYER.text };

/** What the watcher of this chain tells, as long as the test goes on. */
function watched(source: ChainView, all: readonly ChainView[]): RelayEvent[] {
  const events: RelayEvent[] = [];
  const onEvent = (event: RelayEvent): void => void events.push(event);
  void watchForks(source, all, key, { lookMs: 10, signal: stopping.signal, onEvent });
  return events;
}

/** A node of this ledger, at a height, that proves this header of it, which is of height 2, and perhaps another. */
async function nodeOf(
  chain: LedgerChain,
  header?: ProvenHeader,
  at = 2,
  other?: ProvenHeader,
): Promise<string> {
  const node = LedgerNode.over(chain);
  node.idle(at);
  const proven = [header, other].flatMap((one) => one ?? []);
  if (header !== undefined)
    node.proofs = { headers: new Map(proven.map((one) => [one.path[0].header.height, one])) };
  const server = await startTestServer({ port: node });
  servers.push(server);
  return server.url;
}

async function viewOf(...endpoints: readonly string[]): Promise<ChainView> {
  const view = await ChainView.open(endpoints, stopping.signal);
  views.push(view);
  return view;
}

describe('a relayer with several nodes of a chain (LG-37)', () => {
  const headersOf = ({ place }: LedgerChain): readonly [ProvenHeader, ProvenHeader] => [
    proofOf(chainOf(place, [1, 2, 3]), 1, 2),
    proofOf(chainOf(place, [1, 7, 8]), 1, 2),
  ];

  it('shows two blocks of one height to the ledger that trusts the chain, once, and carries nothing of it any more', async () => {
    const { one, two } = new TwoChains().open();
    const [left, right] = headersOf(one);
    const source = await viewOf(await nodeOf(one, left), await nodeOf(one, right));
    const destination = await viewOf(await nodeOf(two));
    const events = watched(source, [source, destination]);
    await expect
      .poll(() => events, { timeout: 10_000 })
      .toEqual([{ from: 'one', to: 'two', kind: 'contradict' }]);
    expect(two.ask('/chains')).toMatchObject([{ halted_at: '2' }]);
    void relay([source, destination], key, stopping.signal, (event) => events.push(event));
    await expect
      .poll(() => events.slice(1), { timeout: 10_000 })
      .toEqual([{ from: 'one', to: 'two', kind: 'halted' }]);
  });

  it('shows them though the first of the nodes lies: what that one gives contradicts both, and proves nothing', async () => {
    const { one, two } = new TwoChains().open();
    const [left, right] = headersOf(one);
    const other = proofOf(chainOf(one.place, [1, 9, 10]), 1, 2);
    const lie = { ...other, certificate: { ...other.certificate, signature: left.certificate.signature } };
    const copied = { ...left, certificate: lie.certificate };
    const headers = [lie, left, right, copied];
    const nodes = await Promise.all(headers.map((header) => nodeOf(one, header)));
    const events = watched(await viewOf(...nodes), [await viewOf(await nodeOf(two))]);
    await expect
      .poll(() => events.map(({ kind }) => kind), { timeout: 10_000 })
      .toEqual(['failed', 'contradict']);
    expect(two.ask('/chains')).toMatchObject([{ halted_at: '2' }]);
  });

  it('shows them though two of four lie, at heights of their own too', async () => {
    const { one, two } = new TwoChains().open();
    const [left, right] = headersOf(one);
    const lieOf = (rounds: readonly number[], at: number): ProvenHeader => {
      const header = proofOf(chainOf(one.place, rounds), at - 1, at);
      return { ...header, certificate: { ...header.certificate, signature: left.certificate.signature } };
    };
    const liar = (round: number, at: number) => {
      const rounds = [1, ...Array.from({ length: 8 }, (_, index) => round + index)];
      return nodeOf(one, lieOf(rounds, 2), at, lieOf(rounds, 8));
    };
    const nodes = [await nodeOf(one, left), await liar(20, 8), await liar(40, 9), await nodeOf(one, right)];
    const events = watched(await viewOf(...nodes), [await viewOf(await nodeOf(two))]);
    await expect
      .poll(() => events.map(({ kind }) => kind), { timeout: 10_000 })
      .toEqual([...new Array<string>(5).fill('failed'), 'contradict']);
  });

  it.each([1, 9])('shows them though another node is at height %i, or says so', async (at) => {
    const { one, two } = new TwoChains().open();
    const [left, right] = headersOf(one);
    const nodes = [await nodeOf(one, undefined, at), await nodeOf(one, left), await nodeOf(one, right)];
    const events = watched(await viewOf(...nodes), [await viewOf(await nodeOf(two))]);
    await expect.poll(() => events.map(({ kind }) => kind), { timeout: 10_000 }).toEqual(['contradict']);
  });

  it('says nothing where all nodes have one block, or one of them has none', async () => {
    const { one, two } = new TwoChains().open();
    const [left] = headersOf(one);
    const source = await viewOf(await nodeOf(one, left), await nodeOf(one, left), await nodeOf(one));
    const destination = await viewOf(await nodeOf(two));
    const events = watched(source, [destination]);
    await expect.poll(() => servers[1]?.calls.length ?? 0, { timeout: 10_000 }).toBeGreaterThan(4);
    expect([events, two.ask('/chains')]).toEqual([[], [expect.objectContaining({ halted_at: null })]]);
  });
});

describe("an account's next nonce", () => {
  it('is the greatest that any node says, whichever is behind, dead or silent', async () => {
    const [behind, ahead] = [new LedgerChain(), new LedgerChain()];
    ahead.run(ada, { kind: 'transfer', to: bob.address, amount: 1n });
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const urls = [
      await nodeOf(behind),
      'http://127.0.0.1:1',
      `http://127.0.0.1:${port}`,
      await nodeOf(ahead),
    ];
    const targets = urls.map((url) => ({ url, token: undefined }));
    const before = performance.now();
    expect(await askNonce(targets, ada.text)).toBe(1n);
    expect(performance.now() - before).toBeLessThan(5_000);
    silent.closeAllConnections();
    silent.close();
    await expect(askNonce(targets.slice(1, 2), ada.text)).rejects.toThrow('no node answers');
  });

  it('is asked of all of them before a transaction is signed', async () => {
    const chain = new LedgerChain();
    const behind = LedgerNode.over(chain);
    // It takes what is sent, and answers by the state before the first block.
    const old = LedgerNode.over(new LedgerChain());
    behind.query = (asked) => old.query(asked);
    chain.run(ada, { kind: 'transfer', to: bob.address, amount: 1n });
    const server = await startTestServer({ port: behind });
    servers.push(server);
    const view = await viewOf(server.url, await nodeOf(chain));
    await view.submit({ ...ada, address: ada.text }, { kind: 'transfer', to: bob.address, amount: 2n });
    expect(chain.balance(bob)).toBe(500_003n);
  });
});
