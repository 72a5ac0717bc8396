/**
 * Where the blocks of a run stand: a column for each height, the chain that was committed in the first row, what competes with it below;
 * and what each node says of them. Two committed blocks at one height are a fork, which must never be; so are two certificates of one round. Pure.
 */
import type { BlockLabel, BlockRow, NodeChain, NodeIndex } from '../../../../src/observe/feed/feed.ts';

export interface PlacedBlock {
  readonly block: BlockRow;
  readonly column: number;
  readonly row: number;
  /** Of the nodes at that instant, those that have committed it. */
  readonly committedBy: readonly NodeIndex[];
  readonly standing: 'executed' | 'committed' | 'certified' | 'proposed' | 'abandoned' | 'forked';
}

export interface Marker {
  readonly kind: 'executed' | 'committed' | 'locked' | 'highQc';
  readonly column: number;
  readonly label: BlockLabel;
}

export interface ChainLayout {
  /** The height of each column, rising by one. */
  readonly heights: readonly number[];
  readonly rows: number;
  readonly blocks: readonly PlacedBlock[];
  /** By node. */
  readonly markers: ReadonlyMap<NodeIndex, readonly Marker[]>;
  /** Heights at which nodes committed different blocks. */
  readonly forks: readonly number[];
  /** Rounds in which different blocks got a certificate. */
  readonly splits: readonly number[];
}

/** Heights that are shown: the newest. @unit heights @source as many as one node tells of */
export const HEIGHTS_MAX = 64;

export function layoutOf(known: Iterable<BlockRow>, chains: ReadonlyMap<NodeIndex, NodeChain>): ChainLayout {
  const states = [...chains.values()];
  const top = Math.max(0, ...states.map(topOf));
  const inSight = [...known].filter(({ height }) => height <= top && height > top - HEIGHTS_MAX);
  const bottom = Math.min(top, ...inSight.map(({ height }) => height));
  const heights =
    inSight.length === 0 ? [] : Array.from({ length: top - bottom + 1 }, (_, at) => bottom + at);
  const blocks = new Map(inSight.map((block) => [block.id, block]));
  const committers = committersOf(blocks, states);
  const certified = certifiedOf(committers, states);
  const split = splitOf(inSight, certified);
  const main = mainOf(blocks, states, certified);
  const forks = forksOf(blocks, committers);
  const rows = rowsOf(blocks, main);
  const executed = Math.max(0, ...states.map((chain) => chain.executed.height));
  const present = Math.max(0, ...states.map(({ round }) => round));
  const placed = inSight
    .toSorted((one, other) => one.height - other.height || one.round - other.round)
    .map((block): PlacedBlock => {
      const committedBy = committers.get(block.id) ?? [];
      const standing = standingOf(block, {
        ...{ main, committedBy, forks, executed, present },
        ...{ isCertified: certified.has(block.id), isSplit: split.has(block.id) },
      });
      return { block, column: block.height - bottom, row: rows.get(block.id) ?? 0, committedBy, standing };
    });
  return {
    heights,
    rows: 1 + Math.max(0, ...rows.values()),
    blocks: placed,
    markers: new Map(states.map((chain) => [chain.node, markersOf(chain, bottom)])),
    forks,
    splits: [...new Set(inSight.filter(({ id }) => split.has(id)).map(({ round }) => round))],
  };
}

const topOf = ({ blocks, highQc, committed }: NodeChain): number =>
  Math.max(committed.height, highQc?.height ?? 0, ...blocks.map(({ height }) => height));

/** Ids from the newest block on the committed chain down. */
function mainOf(
  blocks: ReadonlyMap<string, BlockRow>,
  states: readonly NodeChain[],
  certified: ReadonlySet<string>,
): ReadonlySet<string> {
  const highest = states.toSorted((one, other) => other.committed.height - one.committed.height)[0]
    ?.committed;
  // A proposal beside the highest certificate is no rival of what that certifies.
  const highestQc = Math.max(
    0,
    ...[...blocks.values()].map(({ id, round }) => (certified.has(id) ? round : 0)),
  );
  const rank = ({ id, parent, round }: BlockRow): number =>
    certified.has(id) || blocks.get(parent)?.round === highestQc ? round : 0;
  const tips = [...blocks.values()].toSorted(
    (one, other) => rank(other) - rank(one) || other.round - one.round || other.height - one.height,
  );
  const isOn = (tip: BlockRow): boolean => highest === undefined || pathOf(blocks, tip.id).has(highest.id);
  const tip = tips.find(isOn)?.id ?? highest?.id ?? tips[0]?.id;
  return tip === undefined ? new Set() : pathOf(blocks, tip);
}

function pathOf(blocks: ReadonlyMap<string, BlockRow>, from: string): ReadonlySet<string> {
  const path = new Set<string>();
  for (let id: string | undefined = from; id !== undefined && !path.has(id); id = blocks.get(id)?.parent)
    path.add(id);
  return path;
}

/** Those that any node knows a certificate of, or has committed, at that instant. */
function certifiedOf(
  committers: ReadonlyMap<string, readonly NodeIndex[]>,
  states: readonly NodeChain[],
): ReadonlySet<string> {
  const labels = states.flatMap(({ highQc, locked }) => [highQc?.id ?? [], locked?.id ?? []].flat());
  const told = states.flatMap(({ blocks }) =>
    blocks.flatMap(({ id, status }) => (status === 'proposed' ? [] : id)),
  );
  return new Set([...committers.keys(), ...labels, ...told]);
}

/** Certified blocks that are not the only ones of their round. */
function splitOf(blocks: readonly BlockRow[], certified: ReadonlySet<string>): ReadonlySet<string> {
  const byRound = new Map<string, string[]>();
  for (const { id, epoch, round } of blocks) {
    const label = `${epoch}/${round}`;
    if (certified.has(id)) byRound.set(label, [...(byRound.get(label) ?? []), id]);
  }
  return new Set([...byRound.values()].flatMap((ids) => (ids.length > 1 ? ids : [])));
}

/** A node has committed all that is below what it committed last. */
function committersOf(
  blocks: ReadonlyMap<string, BlockRow>,
  states: readonly NodeChain[],
): ReadonlyMap<string, readonly NodeIndex[]> {
  const committers = new Map<string, NodeIndex[]>();
  for (const { node, committed } of states)
    for (const id of pathOf(blocks, committed.id)) committers.set(id, [...(committers.get(id) ?? []), node]);
  return committers;
}

function forksOf(
  blocks: ReadonlyMap<string, BlockRow>,
  committers: ReadonlyMap<string, readonly NodeIndex[]>,
): readonly number[] {
  const heights = new Map<number, number>();
  for (const id of committers.keys()) {
    const height = blocks.get(id)?.height;
    if (height !== undefined) heights.set(height, (heights.get(height) ?? 0) + 1);
  }
  return [...heights].filter(([, count]) => count > 1).map(([height]) => height);
}

/** A block stands in the row of its parent where that is free, so that a branch is a line. */
function rowsOf(
  blocks: ReadonlyMap<string, BlockRow>,
  main: ReadonlySet<string>,
): ReadonlyMap<string, number> {
  const rows = new Map<string, number>();
  const taken = new Set<string>();
  const byHeight = [...blocks.values()].toSorted(
    (one, other) => one.height - other.height || one.round - other.round,
  );
  for (const { id, height } of byHeight) {
    if (!main.has(id)) continue;
    rows.set(id, 0);
    taken.add(`${height} 0`);
  }
  for (const { id, height, parent } of byHeight) {
    if (main.has(id)) continue;
    let row = Math.max(1, rows.get(parent) ?? 1);
    while (taken.has(`${height} ${row}`)) row += 1;
    rows.set(id, row);
    taken.add(`${height} ${row}`);
  }
  return rows;
}

function standingOf(
  block: BlockRow,
  of: {
    readonly main: ReadonlySet<string>;
    readonly committedBy: readonly NodeIndex[];
    readonly forks: readonly number[];
    readonly executed: number;
    /** The highest round that a node is in. */
    readonly present: number;
    readonly isCertified: boolean;
    readonly isSplit: boolean;
  },
): PlacedBlock['standing'] {
  if (of.isSplit) return 'forked';
  const isCommitted = of.committedBy.length > 0;
  if (isCommitted && of.forks.includes(block.height)) return 'forked';
  if (isCommitted) return block.height <= of.executed ? 'executed' : 'committed';
  if (of.main.has(block.id)) return of.isCertified ? 'certified' : 'proposed';
  // One of the present round may still get its certificate.
  return !of.isCertified && block.round >= of.present ? 'proposed' : 'abandoned';
}

function markersOf({ executed, committed, locked, highQc }: NodeChain, bottom: number): readonly Marker[] {
  const marker = (kind: Marker['kind'], label: BlockLabel | undefined): readonly Marker[] =>
    label === undefined ? [] : [{ kind, label, column: label.height - bottom }];
  const at = {
    height: executed.height,
    id: committed.height === executed.height ? committed.id : '',
    round: 0,
  };
  return [
    ...marker('executed', at),
    ...marker('committed', committed),
    ...marker('locked', locked),
    ...marker('highQc', highQc),
  ];
}
