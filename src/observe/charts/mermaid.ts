/**
 * A chart as text that Mermaid draws (`stateDiagram-v2`): on GitHub, in documents. It says all that the SVG says. Pure. Rule RP-7; source:
 * Mermaid's grammar of state diagrams, version 11, where ':', ';' and the end of a line end a label.
 */
import type { Chart } from '../../actors/runtime/chart.ts';
import { type Drawn, type DrawnState, drawnOf, PARALLEL } from './drawn.ts';
import { textOf } from './lines.ts';

/** The Mermaid text of a chart. */
export function mermaidOf({ id, root }: Chart): string {
  const { states, edges } = drawnOf(root);
  const names = namesFor(states);
  const [outermost] = states;
  return [
    'stateDiagram-v2',
    `accTitle: ${escaped(`The statechart ${id}`)}`,
    ...(outermost === undefined ? [] : stateLines(outermost, states, names)),
    ...edges.map(({ source, target, rows }) => {
      const label = rows.map((row) => escaped(textOf(row))).join('<br/>');
      return `${names.get(source)} --> ${names.get(target)}: ${label}`;
    }),
    '',
  ].join('\n');
}

type Names = ReadonlyMap<string, string>;

function stateLines({ state, rows }: DrawnState, states: Drawn['states'], names: Names): readonly string[] {
  const name = names.get(state.id);
  const texts = rows.map((row) => escaped(textOf(row)));
  const kind = state.type === 'parallel' ? PARALLEL : state.type === 'history' ? ' (history)' : '';
  const declared = `state "${escaped(state.key)}${kind}" as ${name}`;
  const inside = states.filter(({ parent }) => parent === state.id);
  if (inside.length === 0) {
    const end = state.type === 'final' ? [`${name} --> [*]`] : [];
    return [declared, ...texts.map((text) => `${name}: ${text}`), ...end];
  }
  const start = state.initial === undefined ? [] : [`[*] --> ${names.get(state.initial)}`];
  const parts = inside.flatMap((child, index) => {
    const lines = stateLines(child, states, names);
    return state.type === 'parallel' && index > 0 ? ['--', ...lines] : lines;
  });
  const note = texts.length === 0 ? [] : [`note right of ${name}`, ...indented(texts), 'end note'];
  return [`${declared} {`, ...indented([...start, ...parts]), '}', ...note];
}

const indented = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`);

/** Words that Mermaid reads as its own where a state's name stands. */
const RESERVED: ReadonlySet<string> = new Set([
  ...['accDescr', 'accTitle', 'as', 'class', 'classDef', 'click', 'default', 'direction', 'end', 'hide'],
  ...['href', 'note', 'root', 'scale', 'state', 'style'],
]);

/** For each id a name of letters, digits and '_', each another. */
function namesFor(states: Drawn['states']): Names {
  const names = new Map<string, string>();
  const taken = new Set(RESERVED);
  for (const { state } of states) {
    let name = state.id.replaceAll(/[^A-Za-z0-9_]/g, '_').replace(/^(?![A-Za-z])/, 's');
    while (taken.has(name)) name += '_';
    taken.add(name);
    names.set(state.id, name);
  }
  return names;
}

/** What would end a label, or be taken for markup, as an entity, which Mermaid writes `#…;`. */
const escaped = (text: string): string =>
  text
    .replaceAll(/[^\p{L}\p{N} .,()[\]/→…'?!=+$%@|-]/gu, (sign) => `#${sign.codePointAt(0)};`)
    .replaceAll('--', '-#45;');
