/** One plot of a line for each node, by uPlot: made once, then given columns. Boundary: canvas. */
import { type ReactNode, useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { watchTheme } from '../diagram/palette.ts';
import { clockOf, duration } from '../words.ts';
import { type Columns, hasValues } from './series.ts';

interface PlotProps {
  readonly title: string;
  readonly says: string;
  readonly columns: Columns;
  readonly names: readonly string[];
  readonly chosen: number;
  /** The last two columns are the high and the low of the chosen node's band. */
  readonly hasBand?: boolean;
  /** Why there is nothing to see, if so. */
  readonly nothing: string;
}

/** @unit px */
const HEIGHT = 168;
/** Around the only instant that there is. @unit s */
const LONE_S = 5;
/** Lines beyond are dashed: so many colours are told apart. */
const COLOURS = 8;

export function Plot({
  title,
  says,
  columns,
  names,
  chosen,
  hasBand = false,
  nothing,
}: PlotProps): ReactNode {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef(columns);
  latest.current = columns;
  const shape = `${names.join(' ')} ${chosen} ${hasBand}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `shape` stands for the names
  useEffect(() => {
    const element = host.current;
    if (element === null) return undefined;
    const make = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(element, names, chosen, hasBand), latest.current, element);
    };
    make();
    const unwatch = watchTheme(make);
    const observer = new ResizeObserver(() => {
      plot.current?.setSize({ width: Math.max(120, element.clientWidth), height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      unwatch();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(columns), [columns]);
  return (
    <figure className="health-plot">
      <figcaption>
        <b>{title}</b> <span className="is-muted">{says}</span>
      </figcaption>
      <div ref={host} />
      {hasValues(columns) ? null : <p className="health-none">{nothing}</p>}
    </figure>
  );
}

function optionsOf(
  element: HTMLElement,
  names: readonly string[],
  chosen: number,
  hasBand: boolean,
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = colourReader(element);
  const font = `11px ${style.fontFamily}`;
  const [ink, grid] = [colour('--muted'), colour('--line-soft')];
  const axis = { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  const lines = names.map((label, node): uPlot.Series => {
    const isChosen = node === chosen;
    const dash = node >= COLOURS ? { dash: [5, 3] } : {};
    return {
      ...{
        label,
        stroke: colour(`--node-${node % COLOURS}`),
        width: isChosen ? 2.2 : 1,
        spanGaps: true,
        ...dash,
      },
      ...{ points: { show: ({ data }) => data[0].length < 2 }, alpha: isChosen ? 1 : 0.7 },
    };
  });
  const edge: uPlot.Series = { stroke: 'transparent', width: 0, points: { show: false } };
  const fill = colour('--health-band');
  return {
    ...{ width: Math.max(120, element.clientWidth), height: HEIGHT, legend: { show: false } },
    cursor: { drag: { x: false, y: false }, points: { size: 5 }, sync: { key: 'health' } },
    // Durations are compared from nothing; offsets have two sides.
    scales: {
      x: { time: false, range: ({ data: [times] }) => spanOf(times) },
      y: hasBand ? {} : { range: (_, __, greatest) => [0, (greatest || 1) * 1.1] },
    },
    axes: [
      {
        ...axis,
        size: 24,
        space: 90,
        // Without any row the axis begins at 1970.
        values: (_, seconds) => seconds.map((at) => (at < 1e6 ? '' : clockOf(at * 1_000, false))),
      },
      { ...axis, size: 62, space: 28, values: (_, values) => values.map((value) => duration(value)) },
    ],
    series: [{}, ...lines, ...(hasBand ? [edge, edge] : [])],
    ...(hasBand ? { bands: [{ series: [names.length + 1, names.length + 2], fill }] } : {}),
  };
}

/** From the first row to the last; one alone is not stretched to 1970. */
function spanOf(times: uPlot.AlignedData[0]): [number, number] {
  const [first = 0, last = first] = [times[0], times[times.length - 1]];
  return first === last ? [first - LONE_S, first + LONE_S] : [first, last];
}

function colourReader(element: HTMLElement): (name: string) => string {
  return (name) => {
    const probe = document.createElement('i');
    probe.style.color = `var(${name})`;
    element.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
}
