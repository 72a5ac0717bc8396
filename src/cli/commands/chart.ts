/** `chart`: the statecharts that a node runs, as pictures (SVG), as text that Mermaid draws, or as data. RP-7, docs/charts.md. */
import { writeFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import type { Chart, ChartState } from '../../actors/runtime/chart.ts';
import { nearest } from '../../node/config/suggest.ts';
import { type CommonOptions, collectText, withJson } from '../command.ts';
import { messageOf, runtimeFailure, usageFailure } from '../failure.ts';
import { createOutput, type Output, table } from '../output.ts';

const FORMATS = ['mermaid', 'svg', 'json'] as const;

interface ChartOptions extends CommonOptions {
  readonly list?: boolean;
  readonly format: (typeof FORMATS)[number];
  readonly active?: readonly string[];
  readonly output?: string;
}

export function addChartCommand(program: Command): void {
  withJson(program.command('chart').description('a statechart of the node as a picture, as text or as data'))
    .argument('[name]', 'which chart; without it, all their names')
    .option('--list', 'the names of all charts')
    .addOption(
      new Option('--format <format>', 'text that Mermaid draws, a picture, or data')
        .choices(FORMATS)
        .default('mermaid'),
    )
    .option('--active <state>', 'svg: mark a state as active; repeatable', collectText)
    .option('--output <file>', 'write there instead of stdout')
    .action(printChart);
}

async function printChart(name: string | undefined, options: ChartOptions): Promise<void> {
  const output = createOutput(options.json === true);
  const { nodeCharts } = await import('../../node/charts.ts');
  const charts = nodeCharts();
  if (name === undefined || options.list === true) return list(charts, output);
  const chart = charts.find(({ id }) => id === name) ?? unknownChart(name, charts);
  const format = output.json ? 'json' : options.format;
  if (options.active !== undefined && format !== 'svg')
    throw usageFailure('--active belongs to --format svg');
  const text = await textOf(chart, format, options.active ?? []);
  if (options.output === undefined) process.stdout.write(text);
  else write(options.output, text, output);
}

function list(charts: readonly Chart[], output: Output): void {
  const rows = charts.map(({ id, hash, root }) => ({ name: id, states: statesIn(root).length - 1, hash }));
  output.data(
    rows,
    table([['chart', 'states', 'hash'], ...rows.map(({ name, states, hash }) => [name, `${states}`, hash])]),
  );
}

async function textOf(
  chart: Chart,
  format: ChartOptions['format'],
  active: readonly string[],
): Promise<string> {
  switch (format) {
    case 'mermaid': {
      const { mermaidOf } = await import('../../observe/charts/mermaid.ts');
      return mermaidOf(chart);
    }
    case 'svg': {
      const ids = active.map((given) => activeState(chart, given));
      const { layoutFor } = await import('../chart-layouts.ts');
      const { svgOf } = await import('../../observe/charts/svg.ts');
      return svgOf(chart, await layoutFor(chart), ids);
    }
    case 'json':
      return `${JSON.stringify(chart)}\n`;
  }
}

const statesIn = (state: ChartState): readonly ChartState[] => [state, ...state.states.flatMap(statesIn)];

/** The id of the state that is meant: whole, or its end. */
function activeState({ id: chart, root }: Chart, given: string): string {
  const ids = statesIn(root).map(({ id }) => id);
  const meant = ids.includes(given) ? [given] : ids.filter((id) => id.endsWith(`.${given}`));
  const [id] = meant;
  if (id !== undefined && meant.length === 1) return id;
  throw usageFailure(
    id === undefined
      ? `--active ${given}: the chart ${chart} has no such state; it has ${ids.slice(1).join(', ')}`
      : `--active ${given}: ${meant.join(' or ')}?`,
  );
}

function unknownChart(name: string, charts: readonly Chart[]): never {
  const near = nearest(
    name,
    charts.map(({ id }) => id),
  );
  const advice = near === undefined ? 'see `althing chart --list`' : `did you mean ${near}?`;
  throw usageFailure(`unknown chart '${name}'; ${advice}`);
}

function write(file: string, text: string, output: Output): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw runtimeFailure(`--output ${file} cannot be written (${messageOf(cause)})`);
  }
  output.note(`written to ${file}`);
}
