/** docs/charts.md shows the charts as they are in the code. RP-7. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { chartsPage } from '../../../scripts/charts.ts';

it('shows every chart as it is: where this fails, `npm run charts` renews the page', () => {
  expect(readFileSync(join(import.meta.dirname, '../../../docs/charts.md'), 'utf8')).toBe(chartsPage());
});
