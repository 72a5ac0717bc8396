/** What the find field finds: nodes, cells, blocks and messages of the run that is shown. Pure. */
import { cellKey, type Model } from '../feed/model.ts';
import type { Selection } from '../feed/selection.ts';
import { newest } from '../feed/timeline.ts';

export interface Found {
  readonly key: string;
  readonly what: 'node' | 'cell' | 'block' | 'message';
  readonly title: string;
  readonly detail: string;
  readonly leadsTo: Partial<Selection>;
}

/** @unit rows */
const FOUND_MAX = 40;
/** Of messages only the newest are searched. @unit rows */
const SEARCHED_MAX = 2_000;

/** Every word must occur; what begins with the first word goes first. */
export function find(model: Model, text: string): readonly Found[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = ({ title, detail }: Found): boolean => {
    const where = `${title} ${detail}`.toLowerCase();
    return words.every((word) => where.includes(word));
  };
  const isFirst = ({ title }: Found): number => (title.toLowerCase().startsWith(words[0] ?? '') ? 0 : 1);
  const found = [...nodes(model), ...cells(model), ...blocks(model), ...messages(model, words[0] ?? '')];
  return found
    .filter(matches)
    .toSorted((left, right) => isFirst(left) - isFirst(right))
    .slice(0, FOUND_MAX);
}

const nodes = ({ nodes: cards }: Model): readonly Found[] =>
  cards.map(({ moniker, id }, node) => ({
    key: `node ${id}`,
    what: 'node',
    title: moniker,
    detail: id,
    leadsTo: { node, cell: undefined },
  }));

const cells = ({ cells: rows, nodes: cards }: Model): readonly Found[] =>
  [...rows.values()].map(({ node, address }) => ({
    key: cellKey(node, address),
    what: 'cell',
    title: address.slice(address.lastIndexOf('/') + 1),
    detail: `${cards[node]?.moniker ?? node} ${address}`,
    leadsTo: { node, cell: address },
  }));

function blocks({ chains }: Model): readonly Found[] {
  const found = new Map<string, Found>();
  for (const chain of chains.values())
    for (const { id, height, round } of chain.blocks)
      found.set(id, {
        key: `block ${id}`,
        what: 'block',
        title: `block ${height}`,
        detail: `round ${round} ${id}`,
        leadsTo: { view: 'chain', block: id },
      });
  return [...found.values()].toReversed();
}

/** Only by the beginning of their id: by kind there are too many. */
function messages({ wire }: Model, word: string): readonly Found[] {
  if (word.length < 4) return [];
  return newest(wire, SEARCHED_MAX)
    .filter(({ id }) => id.startsWith(word))
    .map(({ id, kind, round, direction }) => ({
      key: `message ${id} ${direction}`,
      what: 'message',
      title: `${kind} ${direction}`,
      detail: `${round === undefined ? '' : `round ${round} `}${id}`,
      leadsTo: { view: 'messages', message: id },
    }));
}
