import { describe, expect, it } from 'vitest';
import { become, emptyModel, greet } from '../../../visualize/src/feed/model.ts';
import { find } from '../../../visualize/src/shell/finding.ts';
import { glanceAt } from '../../../visualize/src/shell/node-state.ts';
import {
  clockTime,
  duration,
  milliseconds,
  nameOf,
  short,
  shortNamesOf,
} from '../../../visualize/src/shell/words.ts';
import { clockOf } from '../../../visualize/src/views/words.ts';
import { heard } from '../support/run.ts';

const { hello, moment, deltas } = heard(100);
const chains = deltas.at(-1)?.chains ?? [];
const model = become(greet(emptyModel, hello), {
  ...moment,
  chains,
  wire: deltas.flatMap(({ wire }) => wire ?? []),
});

describe('figures', () => {
  it('are as short as they can be read', () => {
    expect([0.25, 7, 999, 1_234, 45_678, 2_500_000].map(short)).toEqual([
      '0.3',
      '7',
      '999',
      '1.2k',
      '46k',
      '2.5M',
    ]);
    expect([0.04, 9.95, 12.3, 1_500].map(milliseconds)).toEqual(['0.0 ms', '9.9 ms', '12 ms', '1.5 s']);
    expect([400, 12_000, 185_000, 7_440_000].map(duration)).toEqual([
      '0.4 s',
      '12 s',
      '3 min 5 s',
      '2 h 4 min',
    ]);
  });

  it('tell the time as the views and the logs do, wherever the reader is', () => {
    expect(clockTime(Date.UTC(2026, 6, 1, 9, 5, 7, 250))).toBe('09:05:07.250');
    expect(clockTime(Date.UTC(2026, 6, 1, 9, 5, 7, 250))).toBe(clockOf(Date.UTC(2026, 6, 1, 9, 5, 7, 250)));
  });

  it('shorten names so that they still differ', () => {
    const numbered = Array.from({ length: 16 }, (_, node) => `node${node}`);
    expect(new Set(shortNamesOf(numbered)).size).toBe(16);
    expect(shortNamesOf(['node8', 'node9', 'node10'])).toEqual(['8', '9', '10']);
    expect(shortNamesOf(['node10', 'node11', 'node12'])).toEqual(['10', '11', '12']);
    expect(shortNamesOf(['alfa', 'bravo', 'charlie'])).toEqual(['alf', 'bra', 'cha']);
    expect(shortNamesOf(['same', 'same'])).toEqual(['sam', 'sam']);
  });

  it('name a peer by its moniker, and an unknown one by the start of its id', () => {
    const [first] = hello.nodes;
    expect(nameOf(`node/network/peer/${first?.id}`, hello.nodes)).toBe('alfa');
    expect(nameOf(`node/network/peer/${'0'.repeat(40)}`, hello.nodes)).toBe('00000000…');
    expect(nameOf('node/consensus/safety', hello.nodes)).toBe('safety');
    expect(nameOf('node/consensus/round-manager/round/0/37', hello.nodes)).toBe('round/0/37');
  });
});

describe('a node at a glance', () => {
  it('is up with its height, behind with the reason, or down', () => {
    expect(glanceAt(model, 0)).toMatchObject({ state: 'up', moniker: 'alfa' });
    const health = new Map([...model.health, ...moment.health.map((row) => [row.node, row] as const)]);
    const one = health.get(1);
    if (one !== undefined) health.set(1, { ...one, isReady: false, reasons: ['syncing'] });
    expect(glanceAt({ ...model, health }, 1)).toMatchObject({
      state: 'behind',
      says: 'bravo is not ready: syncing',
    });
    const nodes = model.nodes.map((card, node) => ({ ...card, isUp: node !== 2 }));
    expect(glanceAt({ ...model, nodes }, 2)).toMatchObject({ state: 'down' });
  });
});

describe('finding', () => {
  it('takes all words, in any order, and puts first what begins with them', () => {
    expect(find(model, 'mempool charlie').map(({ detail }) => detail)).toEqual([
      'charlie node/consensus/mempool',
    ]);
    expect(find(model, 'sync')[0]?.title).toMatch(/^sync/);
    expect(find(model, 'nothing of the kind')).toEqual([]);
  });

  it('finds blocks by height and id, and messages by their id', () => {
    const block = chains[0]?.blocks.at(-1);
    expect(find(model, `block ${block?.height}`)[0]?.leadsTo).toEqual({ view: 'chain', block: block?.id });
    const message = deltas.at(-1)?.wire?.[0];
    expect(find(model, message?.id ?? '').map(({ what }) => what)).toContain('message');
  });

  it('shows no more than a list has room for', () => {
    expect(find(model, '').length).toBe(40);
  });
});
