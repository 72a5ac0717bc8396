/**
 * What a slow viewer has still to be told, in one delta of bounded size: rows of cells, chains and health by their newest, events the
 * newest of them, with the number of those that were left out. Pure. Rule IN-1, docs/inspector.md.
 */
import type { CellDetail, Delta, NodeIndex } from './feed.ts';

/** @unit rows @source the diagram shows fewer; about 1 MB of JSON together */
const WIRE_MAX = 4_096;
const STEPS_MAX = 1_024;
const DEAD_LETTERS_MAX = 128;
/** Of each watched cell. @unit rows @source the contract */
const TRANSITIONS_MAX = 64;

/** The later of two deltas of one feed after the earlier, as one. */
export function mergeDeltas(earlier: Delta, later: Delta): Delta {
  const gone = goneAfter(earlier, later);
  const isGone = new Set(gone.map(keyOf));
  const cells = newest(earlier.cells, later.cells, keyOf).filter((row) => !isGone.has(keyOf(row)));
  const chains = newest(earlier.chains, later.chains, nodeOf);
  const health = newest(earlier.health, later.health, nodeOf);
  const wire = lastOf(earlier.wire, later.wire, WIRE_MAX);
  const steps = lastOf(earlier.steps, later.steps, STEPS_MAX);
  const deadLetters = lastOf(earlier.deadLetters, later.deadLetters, DEAD_LETTERS_MAX);
  const { details, cut } = mergeDetails(earlier.details ?? [], later.details ?? []);
  return {
    type: 'delta',
    at: later.at,
    ...(cells.length === 0 ? {} : { cells }),
    ...(gone.length === 0 ? {} : { gone }),
    ...(chains.length === 0 ? {} : { chains }),
    ...(health.length === 0 ? {} : { health }),
    ...(wire.rows.length === 0 ? {} : { wire: wire.rows }),
    ...(steps.rows.length === 0 ? {} : { steps: steps.rows }),
    ...(details.length === 0 ? {} : { details }),
    ...(earlier.charts === undefined && later.charts === undefined
      ? {}
      : { charts: { ...earlier.charts, ...later.charts } }),
    ...(deadLetters.rows.length === 0 ? {} : { deadLetters: deadLetters.rows }),
    turns: earlier.turns + later.turns,
    dropped: earlier.dropped + later.dropped + wire.cut + steps.cut + deadLetters.cut + cut,
  };
}

interface OfCell {
  readonly node: NodeIndex;
  readonly address: string;
}

const keyOf = ({ node, address }: OfCell): string => `${node} ${address}`;
const nodeOf = ({ node }: { readonly node: NodeIndex }): NodeIndex => node;

function newest<Row, Key>(
  earlier: readonly Row[] | undefined,
  later: readonly Row[] | undefined,
  key: (row: Row) => Key,
): readonly Row[] {
  if (earlier === undefined || later === undefined) return later ?? earlier ?? [];
  const rows = new Map(earlier.map((row) => [key(row), row]));
  for (const row of later) rows.set(key(row), row);
  return [...rows.values()];
}

/** Whoever came again after it was gone is not gone. */
function goneAfter(earlier: Delta, later: Delta): readonly OfCell[] {
  if (earlier.gone === undefined) return later.gone ?? [];
  const back = new Set((later.cells ?? []).map(keyOf));
  return newest(
    earlier.gone.filter((one) => !back.has(keyOf(one))),
    later.gone,
    keyOf,
  );
}

function lastOf<Row>(
  earlier: readonly Row[] = [],
  later: readonly Row[] = [],
  most: number,
): { readonly rows: readonly Row[]; readonly cut: number } {
  const rows = [...earlier, ...later];
  return { rows: rows.slice(-most), cut: Math.max(0, rows.length - most) };
}

function mergeDetails(
  earlier: readonly CellDetail[],
  later: readonly CellDetail[],
): { readonly details: readonly CellDetail[]; readonly cut: number } {
  let left = 0;
  const before = new Map(earlier.map((detail) => [keyOf(detail), detail.transitions]));
  const joined = later.map((detail): CellDetail => {
    const { rows: transitions, cut } = lastOf(before.get(keyOf(detail)), detail.transitions, TRANSITIONS_MAX);
    left += cut;
    return { ...detail, transitions };
  });
  return { details: newest(earlier, joined, keyOf), cut: left };
}
