/**
 * What a picture of a chart draws, and how great each part is. Edges are drawn between states of which neither stands in the other; all
 * other transitions are rows in their state's box, since an arrow to oneself tells less than a line of text. Pure. Rule RP-7.
 */
import type { ChartState, ChartTransition } from '../../actors/runtime/chart.ts';
import { labelOf, lengthOf, type Row, rowsOf, type TextLine, type TransitionKey } from './lines.ts';

/** A chart's parts as they are drawn. */
export interface Drawn {
  /** Each after the one that it stands in: the first is the chart itself. */
  readonly states: readonly DrawnState[];
  readonly edges: readonly DrawnEdge[];
}

export interface DrawnState {
  readonly state: ChartState;
  readonly parent?: string;
  readonly rows: readonly Row[];
  readonly head: Head;
}

/** A state's title with the rows below it. @unit px, from the corner of its box */
export interface Head {
  readonly width: number;
  readonly height: number;
  readonly rows: readonly PlacedLine[];
}

export interface PlacedLine extends TextLine {
  readonly x: number;
  /** Of the line's top. */
  readonly y: number;
}

export interface DrawnEdge {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly transitions: readonly TransitionKey[];
  readonly rows: readonly Row[];
}

/** Sizes of a picture. @unit px @source text of 11 px: a monospaced letter is 0.6 of it wide, and a bit more in some fonts */
export const SIZES = {
  letter: 6.8,
  line: 15,
  /** Of a state's name, 13 px and bold. */
  titleLetter: 9,
  title: 26,
  padding: 10,
  column: 24,
  start: 10,
  stateWidthMin: 96,
} as const;

/** More rows than this are set in columns, where a state has others inside. @unit lines */
const COLUMN_ROWS_MIN = 6;
/** @source three columns are as wide as the widest charts */
const COLUMNS_MAX = 3;

export function drawnOf(root: ChartState): Drawn {
  const keys = keysIn(root);
  const states: DrawnState[] = [];
  const edges = new Map<string, { source: string; target: string; transitions: ChartTransition[] }>();
  const visit = (state: ChartState, parent?: string): void => {
    const isDrawn = ({ target }: ChartTransition): boolean =>
      target.length > 0 && target.every((one) => !isWithin(root, one, state.id));
    const rows = rowsOf(
      state,
      state.transitions.filter((one) => !isDrawn(one)),
      (id) => keys.get(id) ?? id,
    );
    states.push({ state, ...(parent === undefined ? {} : { parent }), rows, head: headOf(state, rows) });
    for (const transition of state.transitions.filter(isDrawn)) {
      for (const target of transition.target) {
        const id = `${state.id} → ${target}`;
        const known = edges.get(id);
        if (known === undefined) edges.set(id, { source: state.id, target, transitions: [transition] });
        else known.transitions.push(transition);
      }
    }
    for (const child of state.states) visit(child, state.id);
  };
  visit(root);
  return {
    states,
    edges: [...edges].map(([id, { source, target, transitions }]) => ({
      id,
      source,
      target,
      transitions: transitions.map(({ on, index }) => ({ on, index })),
      rows: labelOf(transitions),
    })),
  };
}

/** One of the two states stands in the other, or they are the same. */
function isWithin(root: ChartState, one: string, other: string): boolean {
  const chains = [one, other].map((id) => chainOf(root, id));
  return chains[0]?.includes(other) === true || chains[1]?.includes(one) === true;
}

/** Ids from a state down to the one wanted; empty when it is not there. */
function chainOf(state: ChartState, id: string): readonly string[] {
  if (state.id === id) return [id];
  for (const child of state.states) {
    const chain = chainOf(child, id);
    if (chain.length > 0) return [state.id, ...chain];
  }
  return [];
}

const keysIn = ({ id, key, states }: ChartState): ReadonlyMap<string, string> =>
  new Map([[id, key] as const, ...states.flatMap((child) => [...keysIn(child)])]);

/** Rows one below the other; those of a state with others inside, if they are many, in columns. */
function headOf({ key, type, states }: ChartState, rows: readonly Row[]): Head {
  const { letter, line, title, titleLetter, padding, column, stateWidthMin } = SIZES;
  const count = rows.flat().length;
  const columns = states.length === 0 ? 1 : Math.min(COLUMNS_MAX, Math.ceil((count + 1) / COLUMN_ROWS_MIN));
  const placed: PlacedLine[] = [];
  let x: number = padding;
  let y: number = title;
  let [wide, deepest, filled] = [0, y, 0];
  for (const lines of rows) {
    // A row stays whole, and what is left goes to the last column.
    const isFull = y - title + (lines.length * line) / 2 > (count * line) / columns;
    if (isFull && filled < columns - 1) {
      filled += 1;
      [x, y, wide] = [x + wide + column, title, 0];
    }
    for (const one of lines) {
      placed.push({ ...one, x, y });
      y += line;
      wide = Math.max(wide, Math.ceil(letter * lengthOf(one)));
    }
    deepest = Math.max(deepest, y);
  }
  const name = titleLetter * key.length + (type === 'parallel' ? letter * PARALLEL.length : 0);
  return {
    width: Math.ceil(Math.max(stateWidthMin, x + wide, padding + name) + padding),
    height: deepest + (rows.length > 0 ? padding : 0),
    rows: placed,
  };
}

/** Stands beside the name of a state whose parts are all active at once. */
export const PARALLEL = '  parallel';
