/** Coverage of charts for a reader: a table, and below it what no run reached. Pure. Rule SM-7. */
import type { ChartCoverage, Reached } from '../../simulation/coverage.ts';
import { table } from '../output.ts';

export function coverageLines(coverage: Readonly<Record<string, ChartCoverage>>): readonly string[] {
  const charts = Object.entries(coverage);
  const of = ({ reached, all }: Reached): string => `${reached} of ${all}`;
  const missing = charts.flatMap(([, { states, transitions }]) => [
    ...states.missing.map((name) => `  state ${name}`),
    ...transitions.missing.map((name) => `  ${name}`),
  ]);
  return [
    ...table([
      ['chart', 'states', 'transitions'],
      ...charts.map(([name, { states, transitions }]) => [name, of(states), of(transitions)]),
    ]),
    ...(missing.length === 0 ? [] : ['not reached:', ...missing]),
    '',
  ];
}
