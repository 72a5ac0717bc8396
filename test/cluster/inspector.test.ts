/** The page of a local network of real processes, at its socket: what it shows, and what it may order. Rules IN-1, IN-2, docs/inspector.md. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Control, Delta, FeedMessage, Hello, Moment, Question } from '../../src/observe/feed/feed.ts';
import { feedAddress } from '../../src/observe/feed/link.ts';
import { eventually, LocalNetwork } from './support/local-network.ts';

const NODES = [0, 1, 2, 3];

class Page {
  readonly socket: WebSocket;
  readonly heard: FeedMessage[] = [];
  #id = 0;

  constructor(url: string) {
    this.socket = new WebSocket(feedAddress(new URL(url)));
    this.socket.on('message', (data) => void this.heard.push(JSON.parse(String(data))));
  }

  get deltas(): readonly Delta[] {
    return this.heard.flatMap((one) => (one.type === 'delta' ? [one] : []));
  }

  hello(): Hello | undefined {
    return this.heard.flatMap((one) => (one.type === 'hello' ? [one] : [])).at(-1);
  }

  moment(): Promise<Moment> {
    return eventually('a moment is told', 10_000, () =>
      this.heard.flatMap((one) => (one.type === 'moment' ? [one] : [])).at(0),
    );
  }

  watch(cells: readonly { readonly node: number; readonly address: string }[]): void {
    this.socket.send(JSON.stringify({ type: 'watch', cells }));
  }

  isDetailed(node: number, address: string): boolean {
    return this.deltas.some(({ details = [] }) =>
      details.some((one) => one.node === node && one.address === address),
    );
  }

  ask(question: Question): Promise<FeedMessage> {
    return this.#say((id) => ({ type: 'ask', id, question }));
  }

  order(control: Control): Promise<FeedMessage> {
    return this.#say((id) => ({ type: 'order', id, control }));
  }

  #say(message: (id: number) => object): Promise<FeedMessage> {
    this.#id += 1;
    const id = this.#id;
    this.socket.send(JSON.stringify(message(id)));
    return eventually('it is answered', 15_000, () =>
      this.heard.find((one) => (one.type === 'answer' || one.type === 'refused') && one.id === id),
    );
  }
}

/** Newest health of a node. */
const peersOf = (page: Page, node: number): number | undefined =>
  page.deltas.flatMap(({ health = [] }) => health).findLast((one) => one.node === node)?.peers;

describe('the page of a local network', () => {
  let network: LocalNetwork;
  let url = '';
  let page: Page;
  beforeAll(async () => {
    network = await LocalNetwork.create();
    network.start();
    const ready = await eventually('it is ready', 30_000, () =>
      network.events.find(({ type }) => type === 'ready'),
    );
    url = String(ready['page']);
    page = new Page(url);
    await page.moment();
  });
  afterAll(async () => {
    page.socket.terminate();
    await network.remove();
  });

  it('is told with the token of this start, which only the owner can read besides (IN-2)', async () => {
    const file = join(network.directory, 'inspector.url');
    expect(readFileSync(file, 'utf8').trim()).toBe(url);
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(new URL(url).port).toBe(String(network.basePort + 5));
    const answer = await fetch(`http://${new URL(url).host}/`);
    expect([answer.status, answer.headers.get('content-security-policy')]).toEqual([200, expect.any(String)]);
  });

  it('shows the cells, chains and messages of all four (IN-1)', async () => {
    const { cells, chains } = await page.moment();
    for (const node of NODES) {
      expect(cells.filter((one) => one.node === node).length).toBeGreaterThan(40);
      expect(chains.some((one) => one.node === node)).toBe(true);
    }
    expect(page.hello()?.nodes.map(({ isUp, power }) => [isUp, power])).toEqual(NODES.map(() => [true, '1']));
    const sent = await page.order({ kind: 'submit', node: 2, transaction: 'name=ada' });
    expect(sent).toMatchObject({ type: 'answer', answer: { hash: expect.stringMatching(/^[0-9a-f]{64}$/) } });
    await eventually('its block is executed on all', 15_000, () => {
      const done = page.deltas
        .flatMap(({ steps = [] }) => steps)
        .filter(({ kind, detail }) => kind === 'executed' && detail === '1 transaction');
      return new Set(done.map(({ node }) => node)).size === 4 ? true : undefined;
    });
    const wire = page.deltas.flatMap(({ wire: events = [] }) => events);
    expect(new Set(wire.map(({ node }) => node))).toEqual(new Set(NODES));
    const vote = wire.find(({ kind, direction }) => kind === 'Vote' && direction === 'received');
    const answer = await page.ask({ kind: 'message', node: vote?.node ?? 0, id: vote?.id ?? '' });
    expect(answer).toMatchObject({ type: 'answer', answer: { kind: 'Vote' } });
  });

  it('gives what proves a height to who believes no node', async () => {
    const answer = await page.ask({ kind: 'certificate', node: 3, height: 1 });
    const hex = expect.stringMatching(/^[0-9a-f]+$/);
    const certificate = { genesis: expect.any(Object), proof: hex, epochs: [], scheme: 'bls12-381' };
    expect(answer).toMatchObject({ type: 'answer', answer: certificate });
    expect(await page.ask({ kind: 'block', node: 3, height: 999_999 })).toMatchObject({ code: 'NOT_STORED' });
  });

  it('tells nobody a private key, whichever cell is watched (RP-8)', async () => {
    const { cells } = await page.moment();
    const charts = cells.filter(
      ({ node, kind, address }) => node === 0 && kind === 'machine' && !/\d$/.test(address),
    );
    expect(charts.length).toBeGreaterThan(15);
    for (let from = 0; from < charts.length; from += 16) {
      const batch = charts.slice(from, from + 16);
      page.watch(batch.map(({ node, address }) => ({ node, address })));
      await eventually('all are told', 5_000, () =>
        batch.every(({ address }) => page.isDetailed(0, address)) ? true : undefined,
      );
    }
    page.watch([]);
    const told = JSON.stringify(page.heard);
    const keys = ['consensus.json', 'node.json'].map((name) =>
      readFileSync(join(network.homeOf(0), 'keys', name), 'utf8'),
    );
    const secrets = keys.flatMap((text) => text.match(/"secret": *"([0-9a-f]{64})"/)?.[1] ?? []);
    expect(secrets).toHaveLength(2);
    for (const hex of secrets) {
      const bytes = Buffer.from(hex, 'hex');
      // The beginning is enough: a view cuts what is long.
      for (const form of [
        hex.slice(0, 24),
        bytes.toString('base64').slice(0, 24),
        bytes.subarray(0, 8).join(),
      ])
        expect(told.includes(form)).toBe(false);
    }
  });

  it('parts validators from each other, and heals', async () => {
    expect(await page.order({ kind: 'partition', groups: [[0, 1, 2]] })).toMatchObject({ type: 'answer' });
    await eventually('the fourth is alone', 10_000, () => (peersOf(page, 3) === 0 ? true : undefined));
    // Who names a node that is not there has not parted the others.
    expect(await page.order({ kind: 'partition', groups: [[0, 9]] })).toMatchObject({ code: 'NO_SUCH_NODE' });
    expect(await page.order({ kind: 'partition', groups: [] })).toMatchObject({ type: 'answer' });
    await eventually('all see each other', 20_000, () =>
      NODES.every((node) => peersOf(page, node) === 3) ? true : undefined,
    );
  });

  it('kills a validator, shows that it is gone, and starts it again', async () => {
    expect(await page.order({ kind: 'kill', node: 1 })).toMatchObject({ type: 'answer' });
    await eventually('it is told as down', 5_000, () =>
      page.hello()?.nodes[1]?.isUp === false ? true : undefined,
    );
    expect(await page.order({ kind: 'stop', node: 1 })).toMatchObject({ code: 'NOT_UP' });
    const told = page.heard.length;
    expect(await page.order({ kind: 'start', node: 1 })).toMatchObject({ type: 'answer' });
    await eventually('its cells are told anew', 20_000, () => {
      const since = page.heard.slice(told).flatMap((one) => (one.type === 'delta' ? (one.cells ?? []) : []));
      return since.filter(({ node, address }) => node === 1 && address.startsWith('node/consensus')).length >
        4
        ? true
        : undefined;
    });
    expect(page.hello()?.nodes[1]?.isUp).toBe(true);
    expect(network.events.filter(({ type }) => type === 'stopped')).toMatchObject([
      { node: 1, signal: 'SIGKILL' },
    ]);
  });

  it('leaves nothing behind when the network stops', async () => {
    const { code } = await network.interrupt();
    expect(code).toBe(0);
    expect(existsSync(join(network.directory, 'inspector.url'))).toBe(false);
    for (const node of NODES)
      expect(existsSync(join(network.homeOf(node), 'keys', 'inspector.url'))).toBe(false);
  });
});
