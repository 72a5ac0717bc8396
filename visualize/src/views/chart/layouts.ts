/**
 * Where everything of the node's charts stands: made when the page was built, loaded when the first chart is asked for. A chart of
 * another version has none and is listed: ELK, which places, is 1.5 MB under another licence that the package need not carry.
 */
import type { ChartLayout } from '../../../../src/observe/charts/layout.ts';
import type { ChartHash } from '../../../../src/observe/feed/feed.ts';

export async function layoutFor(hash: ChartHash): Promise<ChartLayout | undefined> {
  const { default: layouts } = await import('virtual:chart-layouts');
  return layouts[hash];
}
