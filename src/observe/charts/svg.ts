/**
 * A chart's picture as one SVG file: text that can be selected and read out, light or dark as the reader's system is. Pure. Rule RP-7.
 */
import type { Chart } from '../../actors/runtime/chart.ts';
import { PARALLEL, SIZES } from './drawn.ts';
import type { ChartLayout, Edge, Point, StateBox } from './layout.ts';
import type { TextLine } from './lines.ts';

/** The picture of a chart; states in `active` are marked. */
export function svgOf(chart: Chart, layout: ChartLayout, active: readonly string[] = []): string {
  const { width, height } = layout;
  const isActive = new Set(active);
  // Two pictures may stand in one page.
  const id = chart.id.replaceAll(/[^A-Za-z0-9-]/g, '-');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${-MARGIN} ${-MARGIN} ${width + 2 * MARGIN} ${height + 2 * MARGIN}"`,
    ` width="${width + 2 * MARGIN}" height="${height + 2 * MARGIN}" role="img" aria-labelledby="title-${id} desc-${id}">`,
    `<title id="title-${id}">${escaped(`The statechart ${chart.id}`)}</title>`,
    `<desc id="desc-${id}">${escaped(described(layout))}</desc>`,
    `<style>${STYLE}</style>`,
    `<defs><marker id="arrow-${id}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">`,
    '<path d="M0 0.5 8 4 0 7.5z"/></marker></defs>',
    `<rect class="page" x="${-MARGIN}" y="${-MARGIN}" width="100%" height="100%"/>`,
    ...layout.states.map((box) => stateBox(box, kindsOf(box, layout), isActive.has(box.id))),
    ...layout.starts.map(({ points }) => startMark(points, id)),
    ...layout.edges.map(({ points }) => wayOf(points, id)),
    ...layout.edges.map(edgeLabel),
    '</svg>\n',
  ].join('\n');
}

/** Around the whole. @unit px */
const MARGIN = 16;

/** Colours of both themes; the page's own are the same in kind. */
const STYLE = `
:root{color-scheme:light dark}
.page{fill:#fff}
.state{fill:#fff;stroke:#8a94a6;stroke-width:1.2}
.outer{fill:#fafbfc;stroke:#c5cbd6}
.inner{fill:#f3f5f8}
.region{stroke-dasharray:5 4}
.active{stroke:#0a7d33;stroke-width:2.4;fill:#e9f7ee}
.title{font:600 13px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#16202e}
.text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#16202e;white-space:pre}
.guard{fill:#7a4b00}.actions{fill:#5a6577}.target{fill:#1d5bbf}.note{fill:#6b7585}.kind{font-weight:400;fill:#6b7585}
.edge{fill:none;stroke:#5a6577;stroke-width:1.2}
marker path,.dot{fill:#5a6577}
@media (prefers-color-scheme:dark){
.page{fill:#0f141b}
.state{fill:#161d27;stroke:#5d6a7d}
.outer{fill:#121922;stroke:#37414f}
.inner{fill:#19212c}
.active{stroke:#3fbf6b;fill:#14301f}
.title,.text{fill:#e4e9f0}
.guard{fill:#e0ab5a}.actions{fill:#9aa6b8}.target{fill:#7fb0ff}.note,.kind{fill:#8995a8}
.edge{stroke:#93a0b4}
marker path,.dot{fill:#93a0b4}
}`;

/** What a box looks like: those around others are darker, and parts that are active at once have dashed borders. */
function kindsOf({ parent, type }: StateBox, { states }: ChartLayout): string {
  if (parent === undefined) return 'state outer';
  const inner = type === 'compound' || type === 'parallel' ? ' inner' : '';
  return `state${inner}${states.find(({ id }) => id === parent)?.type === 'parallel' ? ' region' : ''}`;
}

function stateBox(
  { x, y, width, height, key, type, rows }: StateBox,
  kinds: string,
  isActive: boolean,
): string {
  const kind = isActive ? `${kinds} active` : kinds;
  const frame = (by: number): string =>
    `<rect class="${kind}" x="${x + by}" y="${y + by}" width="${width - 2 * by}" height="${height - 2 * by}" rx="${RADIUS - by}"/>`;
  const { padding, title } = SIZES;
  const note = type === 'parallel' ? `<tspan class="kind">${PARALLEL}</tspan>` : '';
  return [
    `<g>`,
    frame(0),
    ...(type === 'final' ? [frame(3)] : []),
    `<text class="title" x="${x + padding}" y="${y + title - 8}">${escaped(key)}${note}</text>`,
    ...rows.map((row) => textLine(row, x + row.x, y + row.y + TEXT_RISE)),
    '</g>',
  ].join('\n');
}

/** @unit px */
const RADIUS = 7;
/** From the top of a line to its base. @unit px */
const TEXT_RISE = 11;

const textLine = ({ spans }: TextLine, x: number, y: number): string =>
  `<text class="text" x="${x}" y="${y}" xml:space="preserve">${spans
    .map(({ style, text }) => `<tspan class="${style}">${escaped(text)}</tspan>`)
    .join('')}</text>`;

function startMark(points: readonly Point[], chart: string): string {
  const [from] = points;
  if (from === undefined) return '';
  return `<circle class="dot" cx="${from.x}" cy="${from.y}" r="${SIZES.start / 2}"/>${wayOf(points, chart)}`;
}

const wayOf = (points: readonly Point[], chart: string): string =>
  `<path class="edge" marker-end="url(#arrow-${chart})" d="${roundedPath(points)}"/>`;

/** How far a bend is rounded off. @unit px */
const BEND = 6;

/** Straight lines with their bends rounded. */
export function roundedPath(points: readonly Point[]): string {
  return points
    .map((point, index) => {
      const [before, after] = [points[index - 1], points[index + 1]];
      if (before === undefined) return `M${point.x} ${point.y}`;
      if (after === undefined) return `L${point.x} ${point.y}`;
      const [into, out] = [towards(point, before), towards(point, after)];
      return `L${into.x} ${into.y}Q${point.x} ${point.y} ${out.x} ${out.y}`;
    })
    .join('');
}

/** A point on the way from `from` to `to`, at most half of it away. */
function towards(from: Point, to: Point): Point {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy);
  const part = length === 0 ? 0 : Math.min(BEND, length / 2) / length;
  return { x: Math.round((from.x + dx * part) * 10) / 10, y: Math.round((from.y + dy * part) * 10) / 10 };
}

function edgeLabel({ label: { x, y, lines } }: Edge): string {
  return [
    '<g>',
    ...lines.map((line, index) =>
      textLine(line, x + SIZES.padding / 2, y + index * SIZES.line + TEXT_RISE + 2),
    ),
    '</g>',
  ].join('\n');
}

/** The picture in a sentence or two, for those who cannot see it. */
function described({ states, edges }: ChartLayout): string {
  const name = (id: string): string => states.find((state) => state.id === id)?.key ?? id;
  const ways = edges.map(({ source, target }) => `${name(source)} to ${name(target)}`);
  const inside = states.filter(({ parent }) => parent !== undefined).map(({ key }) => key);
  return `States: ${inside.join(', ')}. Transitions: ${ways.join('; ')}.`;
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
