import { describe, expect, it, vi } from 'vitest';
import { child } from '../../../src/actors/runtime/index.ts';
import { Collector } from '../../../src/observe/feed/collector.ts';
import type { Delta, NodeCard } from '../../../src/observe/feed/feed.ts';
import type { Lens } from '../../../src/observe/feed/lens.ts';
import { LiveSource } from '../../../src/observe/feed/live.ts';
import type { FeedUpdate } from '../../../src/observe/feed/source.ts';
import { contextAt, puppet, rig } from '../../actors/runtime/harness.ts';

const CARD: NodeCard = {
  ...{ id: 'a', moniker: 'm', chainId: 'c', genesisHash: 'g', version: '0', power: '1', isUp: true },
};

function live(lens: Partial<Lens> = {}) {
  const found = rig(child('w', puppet));
  const failures: unknown[] = [];
  const blind = {
    wants: () => false,
    read: () => undefined,
    chain: () => undefined,
    health: () => undefined,
  };
  const collector = new Collector({ system: found.system, lens: () => ({ ...blind, ...lens }) });
  const source = new LiveSource({
    ...{ collector, title: 't', card: () => CARD },
    failed: (failure) => void failures.push(failure),
  });
  const note = (value: number): void => {
    found.system.ref('w').tell({ type: 'note', value });
    found.clock.settle();
  };
  return { ...found, source, failures, note };
}

function look(source: LiveSource) {
  const heard: FeedUpdate[] = [];
  const ends: string[] = [];
  const subscription = source.subscribe(
    (update) => void heard.push(update),
    (detail) => void ends.push(detail),
  );
  const deltas = (): readonly Delta[] => heard.flatMap((one) => (one.type === 'delta' ? [one] : []));
  return { heard, ends, subscription, deltas };
}

describe('a node that runs, as a source', () => {
  it('is attached from the first viewer to the last (IN-1, IN-4)', async () => {
    const end = vi.fn();
    const { source, note } = live({ end });
    expect(source.isAttached).toBe(false);
    const [one, two] = [look(source), look(source)];
    expect(one.heard.map(({ type }) => type)).toEqual(['hello', 'moment']);
    note(1);
    await vi.waitFor(() => expect(two.deltas().flatMap(({ cells = [] }) => cells)).toHaveLength(1));
    one.subscription.end();
    expect(source.isAttached).toBe(true);
    two.subscription.end();
    two.subscription.end();
    expect([source.isAttached, end.mock.calls.length]).toEqual([false, 1]);
    note(2);
    const told = two.heard.length;
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(two.heard).toHaveLength(told);
  });

  it('tells each viewer the details of the cells that it watches itself', async () => {
    const { source, note } = live();
    const [one, two] = [look(source), look(source)];
    one.subscription.watch([{ node: 0, address: 'w' }]);
    note(1);
    await vi.waitFor(() => expect(one.deltas().flatMap(({ details = [] }) => details)).not.toEqual([]));
    expect(two.deltas().flatMap(({ details = [] }) => details)).toEqual([]);
    for (const { subscription } of [one, two]) subscription.end();
  });

  it('tells who came last of one cell at least, when many watch more than is looked into at once', async () => {
    const { source, note } = live();
    const many = Array.from({ length: 5 }, () => look(source));
    for (const [place, { subscription }] of many.entries()) {
      const cells = Array.from({ length: 16 }, (_, index) => ({ node: 0, address: `of-${place}/${index}` }));
      subscription.watch(cells);
    }
    const last = look(source);
    last.subscription.watch([{ node: 0, address: 'w' }]);
    note(1);
    await vi.waitFor(() => expect(last.deltas().flatMap(({ details = [] }) => details)).not.toEqual([]));
    for (const { subscription } of [...many, last]) subscription.end();
  });

  it('sends its viewers away when it fails, and what it looks at goes on (IN-4)', async () => {
    const { source, failures, note, system } = live({
      read: () => {
        throw new Error('a defect');
      },
    });
    const viewer = look(source);
    note(1);
    await vi.waitFor(() => expect(viewer.ends).toEqual([expect.stringContaining('the inspector failed')]));
    expect([source.isAttached, failures]).toEqual([false, [new Error('a defect')]]);
    note(2);
    expect(contextAt(system, 'w').notes).toEqual([1, 2]);
  });
});
