import { describe, expect, it } from 'vitest';
import type { BlockLabel, BlockRow, NodeChain } from '../../../../src/observe/feed/feed.ts';
import { BlockBook } from '../../../../visualize/src/views/chain/block-book.ts';
import { HEIGHTS_MAX, layoutOf } from '../../../../visualize/src/views/chain/layout.ts';
import { readBlockAnswer } from '../../../../visualize/src/views/chain/read-block.ts';

function block(
  id: string,
  parent: string,
  height: number,
  round = height,
  status: BlockRow['status'] = 'certified',
): BlockRow {
  return { id, parent, height, round, status, epoch: 0, proposer: 'a', time: round, batches: 0 };
}

const labelOf = ({ id, height, round }: BlockRow): BlockLabel => ({ id, height, round });

function chainOf(
  node: number,
  committed: BlockRow,
  blocks: readonly BlockRow[] = [],
  more: Partial<NodeChain> = {},
): NodeChain {
  return {
    ...{ node, at: 0, epoch: 0, round: 9, leader: 'a', committed: labelOf(committed), blocks },
    executed: { height: committed.height, stateRoot: '' },
    ...more,
  };
}

const layout = (blocks: readonly BlockRow[], chains: readonly NodeChain[]) =>
  layoutOf(blocks, new Map(chains.map((chain) => [chain.node, chain])));

const [a, b, c] = [block('a', 'zero', 1), block('b', 'a', 2), block('c', 'b', 3)];
/** Proposed at the height of b, and left: the next leader did not know it. */
const left = block('left', 'a', 2, 1.5, 'proposed');
const next = block('d', 'c', 4, 4, 'proposed');

describe('the layout of the chain', () => {
  it('has a column for each height, and the committed chain in the first row', () => {
    const placed = layout([a, b, c, left, next], [chainOf(0, b, [next]), chainOf(1, c)]);
    expect(placed.heights).toEqual([1, 2, 3, 4]);
    expect(placed.blocks.map(({ block: { id }, column, row }) => [id, column, row])).toEqual([
      ...[
        ['a', 0, 0],
        ['left', 1, 1],
        ['b', 1, 0],
      ],
      ...[
        ['c', 2, 0],
        ['d', 3, 0],
      ],
    ]);
  });

  it('says of each block how far it has come, and by whom', () => {
    const { blocks, forks } = layout([a, b, c, left, next], [chainOf(0, b, [next]), chainOf(1, c)]);
    const standing = Object.fromEntries(blocks.map(({ block: { id }, standing: at }) => [id, at]));
    expect(standing).toEqual({
      a: 'executed',
      b: 'executed',
      c: 'executed',
      left: 'abandoned',
      d: 'proposed',
    });
    expect(blocks.find(({ block: { id } }) => id === 'c')?.committedBy).toEqual([1]);
    expect(blocks.find(({ block: { id } }) => id === 'a')?.committedBy).toEqual([0, 1]);
    expect(forks).toEqual([]);
  });

  it('calls it a fork when two nodes committed different blocks at one height, and only then', () => {
    const other = block('other', 'a', 2, 5);
    const { blocks, forks } = layout([a, b, c, other], [chainOf(0, c), chainOf(1, other)]);
    expect(forks).toEqual([2]);
    expect(blocks.filter(({ standing }) => standing === 'forked').map(({ block: { id } }) => id)).toEqual([
      'b',
      'other',
    ]);
    expect(layout([a, b, c, other], [chainOf(0, c), chainOf(1, a)]).forks).toEqual([]);
  });

  it('calls it a fork when two blocks of one round have a certificate, before anything is committed', () => {
    const [one, other] = [block('one', 'c', 4, 4, 'proposed'), block('other', 'c', 4, 4, 'proposed')];
    const later = block('later', 'c', 4, 5, 'proposed');
    const knows = (node: number, of: BlockRow) =>
      chainOf(node, c, [{ ...of, status: 'certified' }], { round: 5, highQc: labelOf(of) });
    const { blocks, forks, splits } = layout([a, b, c, one, other, later], [knows(0, one), knows(1, other)]);
    const standing = new Map(blocks.map(({ block: { id }, standing: at }) => [id, at]));
    expect([forks, splits]).toEqual([[], [4]]);
    expect(['one', 'other', 'later'].map((id) => standing.get(id))).toEqual(['forked', 'forked', 'proposed']);
    expect(layout([a, b, c, one, other], [knows(0, one)]).splits).toEqual([]);
  });

  it('has what is certified in the first row, and a rival of the present round as proposed, not abandoned', () => {
    const certified = block('certified', 'c', 4, 4, 'proposed');
    const [rival, old] = [block('rival', 'c', 4, 6, 'proposed'), block('old', 'c', 4, 3.5, 'proposed')];
    const chain = chainOf(0, c, [certified], { round: 6, highQc: labelOf(certified) });
    const { blocks } = layout([a, b, c, certified, rival, old], [chain]);
    expect(blocks.slice(3).map(({ block: { id }, row, standing }) => [id, row > 0, standing])).toEqual([
      ...[
        ['old', true, 'abandoned'],
        ['certified', false, 'certified'],
      ],
      ['rival', true, 'proposed'],
    ]);
  });

  it('marks what each node executed, committed, locked and knows certified', () => {
    const chain = chainOf(2, a, [], {
      executed: { height: 1, stateRoot: '' },
      locked: labelOf(b),
      highQc: labelOf(c),
    });
    const { markers } = layout([a, b, c], [chain]);
    expect(markers.get(2)?.map(({ kind, column }) => [kind, column])).toEqual([
      ...[
        ['executed', 0],
        ['committed', 0],
      ],
      ...[
        ['locked', 1],
        ['highQc', 2],
      ],
    ]);
  });

  it('shows nothing that is above the instant, and the newest heights alone', () => {
    const long = Array.from({ length: 200 }, (_, at) => block(`${at + 1}`, `${at}`, at + 1));
    const at = (height: number) => long[height - 1] ?? a;
    const then = layout(long, [chainOf(0, at(100))]);
    expect([then.heights[0], then.heights.at(-1)]).toEqual([100 - HEIGHTS_MAX + 1, 100]);
    expect(then.blocks.every(({ block: { height } }) => height <= 100)).toBe(true);
    expect(layout([], []).heights).toEqual([]);
  });
});

describe('the blocks that the page has heard of', () => {
  it('are kept when nodes tell of newer ones alone, and are bounded: the lowest go', () => {
    const book = new BlockBook();
    for (let height = 1; height <= 3_000; height += 1)
      book.take([chainOf(0, a, [block(`${height}`, `${height - 1}`, height)])]);
    expect(book.of('2999')?.height).toBe(2_999);
    expect(book.of('1')).toBeUndefined();
    expect([...book.blocks].length).toBeLessThanOrEqual(1_024);
  });
});

describe('a block as a node answers', () => {
  it('has its transactions with their results; what is malformed is left out', () => {
    const transaction = { hash: 'aa', bytes: 8, shown: 'name=ada', code: 0 };
    const { answer } = readBlockAnswer({
      header: { round: 3 },
      batches: [{ digest: 'dd', count: 2, bytes: 90 }, 7],
      transactions: [transaction, { hash: 4 }],
      transactionsTotal: 300,
    });
    expect(answer?.transactions).toEqual([transaction]);
    expect(answer?.batches).toEqual([{ digest: 'dd', count: 2, bytes: 90 }]);
    expect(answer?.transactionsTotal).toBe(300);
    expect(readBlockAnswer('no').answer).toBeUndefined();
  });
});
