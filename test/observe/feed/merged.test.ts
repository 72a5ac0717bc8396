import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { CellRow, Hello, Moment, NodeCard } from '../../../src/observe/feed/feed.ts';
import { MergedSource } from '../../../src/observe/feed/merged.ts';
import type { FeedUpdate } from '../../../src/observe/feed/source.ts';
import { delta, HELLO, MOMENT, serve, TestSource } from './support.ts';

const card = (index: number): NodeCard => ({
  ...{ id: `id${index}`, moniker: `node${index}`, chainId: 'c', genesisHash: '', version: '0', power: '1' },
  isUp: true,
});
const row = (address: string): CellRow => ({
  ...{ node: 0, address, kind: 'machine', status: 'running', incarnation: 1, restarts: 0 },
  ...{ accepted: 0, processed: 0, queued: 0, postponed: 0, lost: {} },
});

/** A node's feed: a test's, behind a real server. */
class NodeSource extends TestSource {
  readonly #index: number;
  constructor(index: number) {
    super();
    this.#index = index;
  }
  override hello(): Hello {
    return { ...HELLO, nodes: [card(this.#index)] };
  }
  override moment(): Moment {
    return { ...MOMENT, at: 10 + this.#index, cells: [row('node'), row(`own${this.#index}`)] };
  }
}

async function network(count: number) {
  const sources = Array.from({ length: count }, (_, index) => new NodeSource(index));
  const servers = await Promise.all(sources.map((source) => serve(source)));
  const merged = new MergedSource({ title: 'c', cards: sources.map((_, index) => card(index)) });
  const up = (node: number): void => merged.set(node, servers[node]?.url, `id${node}`);
  for (const node of sources.keys()) up(node);
  return { sources, servers, merged, up };
}

function look(merged: MergedSource) {
  const heard: FeedUpdate[] = [];
  const subscription = merged.subscribe(
    (update) => void heard.push(update),
    () => undefined,
  );
  onTestFinished(() => subscription.end());
  const moments = (): readonly Moment[] => heard.flatMap((one) => (one.type === 'moment' ? [one] : []));
  const deltas = () => heard.flatMap((one) => (one.type === 'delta' ? [one] : []));
  return { heard, subscription, moments, deltas };
}

describe('the feeds of several nodes as one', () => {
  it('begin with one hello and one moment of all, each row with the place of its node (IN-1)', async () => {
    const { merged } = await network(3);
    const { heard, moments } = look(merged);
    await vi.waitFor(() => expect(moments()).toHaveLength(1));
    expect(heard[0]).toMatchObject({ type: 'hello', nodes: [0, 1, 2].map(card) });
    expect(moments()[0]?.at).toBe(12);
    expect(
      moments()[0]
        ?.cells.map(({ node, address }) => `${node} ${address}`)
        .sort(),
    ).toEqual([...['0 node', '0 own0', '1 node', '1 own1', '2 node', '2 own2']]);
  });

  it('go on as deltas, in which peers are places too', async () => {
    const { merged, sources } = await network(2);
    const { moments, deltas } = look(merged);
    await vi.waitFor(() => expect(moments()).toHaveLength(1));
    const wire = { id: 'm', node: 0, turn: 1, direction: 'sent' as const, at: 20, kind: 'Vote' };
    sources[1]?.tell(
      delta(20, {
        wire: [
          { ...wire, peer: 'id0' },
          { ...wire, peer: 'stranger' },
        ],
      }),
    );
    sources[0]?.tell(delta(19, { cells: [row('node')] }));
    await vi.waitFor(() => expect(deltas().flatMap(({ wire: found = [] }) => found)).toHaveLength(2));
    await vi.waitFor(() => expect(deltas().flatMap(({ cells = [] }) => cells)).toMatchObject([{ node: 0 }]));
    expect(deltas().flatMap(({ wire: found = [] }) => found)).toMatchObject([
      { node: 1, peer: 0 },
      { node: 1, peer: 'stranger' },
    ]);
    expect(deltas().at(-1)?.at).toBe(20);
  });

  it('keep a node that is gone in the list, and tell it anew when it is back', async () => {
    const { merged, up } = await network(2);
    const { heard, moments, deltas } = look(merged);
    await vi.waitFor(() => expect(moments()).toHaveLength(1));
    merged.set(1, undefined);
    await vi.waitFor(() => expect(deltas().flatMap(({ gone = [] }) => gone)).toHaveLength(2));
    const down = heard.findLast(({ type }) => type === 'hello');
    expect(down).toMatchObject({ nodes: [{ isUp: true }, { isUp: false, moniker: 'node1' }] });
    expect(await merged.ask({ kind: 'block', node: 1, height: 1 })).toMatchObject({ code: 'NOT_UP' });
    up(1);
    await vi.waitFor(() => expect(deltas().flatMap(({ cells = [] }) => cells)).toHaveLength(2));
    expect(heard.findLast(({ type }) => type === 'hello')).toMatchObject({
      nodes: [{ isUp: true }, { isUp: true }],
    });
    expect(moments()).toHaveLength(1);
  });

  it('show those that answer, when one does not', async () => {
    const { merged, servers } = await network(2);
    await servers[1]?.close();
    const { moments } = look(merged);
    await vi.waitFor(() => expect(moments()).toHaveLength(1), { timeout: 5_000 });
    expect(moments()[0]?.cells.map(({ node }) => node)).toEqual([0, 0]);
  });

  it('are asked, each for what is its own, and watched for whom a viewer watches', async () => {
    const { merged, sources } = await network(2);
    const { moments, subscription } = look(merged);
    await vi.waitFor(() => expect(moments()).toHaveLength(1));
    subscription.watch([{ node: 1, address: 'own1' }]);
    await vi.waitFor(() => expect(sources[1]?.watched).toEqual([{ node: 0, address: 'own1' }]));
    expect(sources[0]?.watched).toEqual([]);
    const question = { kind: 'block', node: 1, height: 4 } as const;
    expect(await merged.ask(question)).toEqual({ status: 'done', answer: { ...question, node: 0 } });
    expect(await merged.ask({ ...question, node: 7 })).toMatchObject({ code: 'NO_SUCH_NODE' });
  });

  it('cost their nodes nothing while nobody looks (IN-1)', async () => {
    const { merged, sources } = await network(2);
    const { moments, subscription } = look(merged);
    await vi.waitFor(() => expect(moments()).toHaveLength(1));
    subscription.end();
    for (const { takers } of sources) await vi.waitFor(() => expect(takers.size).toBe(0));
  });
});
