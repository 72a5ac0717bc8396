/**
 * What a picture of a chart says in words: of a state what it does and what it handles without leaving, of an edge which transitions
 * it stands for. Text is broken into lines of spans here, since an SVG breaks none. Pure. Rule RP-7.
 */
import type { ChartState, ChartTransition } from '../../actors/runtime/chart.ts';

/** A run of text of one meaning. */
export interface Span {
  readonly style: 'event' | 'guard' | 'actions' | 'target' | 'note';
  readonly text: string;
}

/** Which transition of a state is meant: its event's descriptor, and its place among those. */
export interface TransitionKey {
  readonly on: string;
  readonly index: number;
}

export interface TextLine {
  readonly spans: readonly Span[];
  /** What the line tells of, wholly or in part; absent for what is done on entry and exit, and for what is ignored. */
  readonly of?: TransitionKey;
}

/** @unit characters @source looking at the node's charts: longer labels make wide pictures, shorter ones tall */
const LABEL_CHARS_MAX = 34;
/** @unit characters @source the same */
const ROW_CHARS_MAX = 54;

/** Lines that belong together: those of one transition, or of what is done on entry. */
export type Row = readonly TextLine[];

/** What an edge says. */
export const labelOf = (transitions: readonly ChartTransition[]): readonly Row[] =>
  transitions.map((one) => linesOf(one, eventSpans(one), LABEL_CHARS_MAX));

/**
 * What stands in a state's box, row by row: actions on entry and exit, then each of `inside`, then what is ignored on purpose (RT-8).
 * `nameOf` gives a state's key by its id.
 */
export function rowsOf(
  { id, entry, exit, initialActions = [] }: ChartState,
  inside: readonly ChartTransition[],
  nameOf: (id: string) => string,
): readonly Row[] {
  const handled = inside.filter((one) => !isIgnoring(one));
  const ignored = inside.filter(isIgnoring);
  const names = [...new Set(ignored.map(ignoredName))];
  return [
    ...doneRow('entry', entry),
    ...doneRow('exit', exit),
    ...doneRow('initially', initialActions),
    ...handled.map((one) =>
      linesOf(one, [...eventSpans(one), ...targetSpans(id, one, nameOf)], ROW_CHARS_MAX),
    ),
    ...(names.length === 0 ? [] : [wrapped(spansOf('note', `ignores ${names.join(', ')}`), ROW_CHARS_MAX)]),
  ];
}

/** A transition that leads nowhere and does nothing says that its event is expected. */
const isIgnoring = ({ target, actions }: ChartTransition): boolean =>
  target.length === 0 && actions.length === 0;

const ignoredName = ({ on, index, guard }: ChartTransition): string =>
  guard !== undefined ? `${on} [${guard}]` : index > 0 ? `${on} otherwise` : on;

const doneRow = (when: string, actions: readonly string[]): readonly Row[] =>
  actions.length === 0 ? [] : [wrapped([...spansOf('note', when), ...actionSpans(actions)], ROW_CHARS_MAX)];

const linesOf = (one: ChartTransition, head: readonly Span[], charsMax: number): Row => {
  const { on, index, actions } = one;
  return wrapped([...head, ...actionSpans(actions)], charsMax).map((line) => ({
    ...line,
    of: { on, index },
  }));
};

const actionSpans = (actions: readonly string[]): readonly Span[] =>
  actions.map((name, index) => ({
    style: 'actions',
    text: `${index === 0 ? '/ ' : ''}${name}${index < actions.length - 1 ? ',' : ''}`,
  }));

function eventSpans({ on, index, guard }: ChartTransition): readonly Span[] {
  const guards = guard === undefined ? [] : spansOf('guard', `[${guard}]`);
  if (on !== '') return [...spansOf('event', on), ...guards];
  return guards.length > 0 ? guards : spansOf('guard', index > 0 ? 'else' : 'at once');
}

function targetSpans(
  id: string,
  { target, reenter }: ChartTransition,
  nameOf: (id: string) => string,
): readonly Span[] {
  const names = target.map((one) => (one === id ? (reenter ? 'itself, anew' : 'itself') : nameOf(one)));
  return names.length === 0 ? [] : spansOf('target', `→ ${names.join(', ')}`);
}

const spansOf = (style: Span['style'], text: string): readonly Span[] =>
  text.split(' ').map((word) => ({ style, text: word }));

/** How far lines after the first one of a row stand in. @unit characters */
const INDENT = '  ';

/** Words into lines; a word that is longer than a line has one of its own. */
function wrapped(words: readonly Span[], charsMax: number): Row {
  const lines: Span[][] = [];
  let [line, length]: [Span[], number] = [[], 0];
  for (const { style, text } of words) {
    const isFull = line.length > 0 && length + 1 + text.length > charsMax;
    if (isFull) {
      lines.push(line);
      [line, length] = [[{ style: 'note', text: INDENT }], INDENT.length];
    }
    const spaced = line.length === 0 || isFull ? text : ` ${text}`;
    const last = line.at(-1);
    if (last?.style === style) line[line.length - 1] = { style, text: last.text + spaced };
    else line.push({ style, text: spaced });
    length += spaced.length;
  }
  return [...lines, line].map((spans) => ({ spans }));
}

/** A row in one line. */
export const textOf = (row: Row): string =>
  row
    .map(({ spans }) =>
      spans
        .map(({ text }) => text)
        .join('')
        .trim(),
    )
    .join(' ');

export const lengthOf = ({ spans }: TextLine): number =>
  spans.reduce((sum, { text }) => sum + text.length, 0);
