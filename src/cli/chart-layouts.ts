/**
 * Where the pictures of charts get their layouts: those of the node's charts are in the package, placed when it was made; a clone
 * places them anew. elkjs is 1.6 MB and 1.5 s for nothing that a node needs, so it is no dependency of the product. Boundary: disk.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { Chart, ChartHash } from '../actors/runtime/chart.ts';
import { nodeCharts } from '../node/charts.ts';
import { type ChartLayout, layoutOf } from '../observe/charts/layout.ts';
import { runtimeFailure } from './failure.ts';

export type ChartLayouts = Readonly<Record<ChartHash, ChartLayout>>;

/** Beside this file, in a package only: scripts/package.ts writes it. */
const SHIPPED = new URL('./chart-layouts.json', import.meta.url);

/** The layout of one of the node's charts. */
export async function layoutFor(chart: Chart): Promise<ChartLayout> {
  const shipped: ChartLayouts = existsSync(SHIPPED) ? JSON.parse(readFileSync(SHIPPED, 'utf8')) : {};
  return shipped[chart.hash] ?? (await layoutOf(chart, await openEngine()));
}

/** The layouts of all charts of a node, for a package and for the page. */
export async function nodeChartLayouts(): Promise<ChartLayouts> {
  const engine = await openEngine();
  const layouts: [ChartHash, ChartLayout][] = [];
  for (const chart of nodeCharts()) layouts.push([chart.hash, await layoutOf(chart, engine)]);
  return Object.fromEntries(layouts);
}

async function openEngine() {
  try {
    const { default: elkjs } = await import('elkjs/lib/elk.bundled.js');
    return new elkjs.default();
  } catch (cause) {
    throw runtimeFailure(
      `this chart has no layout in the package, and elkjs, which would place it, is not installed (${cause}): take --format mermaid, or \`npm install elkjs\``,
    );
  }
}
