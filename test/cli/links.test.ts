import { describe, expect, it } from 'vitest';
import { Links } from '../../src/cli/local-network/links.ts';
import { LINKS_ORDER, type LinksOrderEvent } from '../../src/cli/node-events.ts';

function network(count: number) {
  const told = new Map<number, LinksOrderEvent>();
  const links = new Links({
    homes: Array.from({ length: count }, (_, index) => `node${index}`),
    validators: () => ({
      tell: (index, message) => {
        told.set(index, LINKS_ORDER.parse(message));
        return true;
      },
    }),
  });
  for (let index = 0; index < count; index += 1) links.met(index, `id${index}`);
  const cuts = () => [...told].map(([index, { cut }]) => [index, cut] as const);
  return { links, told, cuts };
}

describe('the links of a local network, by order of its page', () => {
  it('are cut between groups, and around whoever no group names; healed by an empty list', () => {
    const { links, cuts } = network(4);
    links.partition([[0, 1], [2]]);
    expect(cuts()).toEqual([
      [0, ['id2', 'id3']],
      [1, ['id2', 'id3']],
      [2, ['id0', 'id1', 'id3']],
      [3, ['id0', 'id1', 'id2']],
    ]);
    links.partition([]);
    expect(cuts().flatMap(([, cut]) => cut)).toEqual([]);
  });

  it('hold for a validator that starts anew', () => {
    const { links, told } = network(3);
    links.partition([[0], [1, 2]]);
    expect(links.delay(0, 250)).toBe(true);
    told.clear();
    links.met(0, 'id0');
    expect([...told]).toEqual([[0, { type: 'links', cut: ['id1', 'id2'], delay_ms: 250 }]]);
    expect(links.delay(9, 1)).toBe(false);
  });
});
