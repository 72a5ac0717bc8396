/** `althing chart`: the node's charts for people and for programs. RP-7. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeCharts } from '../../src/node/charts.ts';
import { mermaidOf } from '../../src/observe/charts/mermaid.ts';
import { althingHere } from './here.ts';
import { althing } from './run.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'althing-chart-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const breaker = nodeCharts().find(({ id }) => id === 'breaker');

describe('althing chart', () => {
  it('lists all charts where none is named', async () => {
    const { code, stdout } = await althing(['chart', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(
      nodeCharts().map(({ id, hash }) => ({ name: id, states: expect.any(Number), hash })),
    );
  });

  it('prints a chart as text that Mermaid draws, and as data with --json', async () => {
    const text = await althingHere(['chart', 'breaker']);
    const data = await althingHere(['chart', 'breaker', '--json']);
    expect(text.stdout).toBe(breaker && mermaidOf(breaker));
    expect(JSON.parse(data.stdout)).toEqual(breaker);
  });

  it('writes a picture to a file, with the active state marked', async () => {
    const file = join(directory, 'breaker.svg');
    const args = ['chart', 'breaker', '--format', 'svg', '--active', 'open', '--output', file];
    expect(await althingHere(args)).toEqual({ code: 0, stdout: '', stderr: `written to ${file}\n` });
    const svg = readFileSync(file, 'utf8');
    expect(svg.match(/class="state[^"]* active"/g)).toHaveLength(1);
    expect(svg).toMatch(/active"[^>]*\/>\s*<text class="title"[^>]*>open</);
  });

  it.each([
    [['chart', 'rond'], "unknown chart 'rond'; did you mean round?"],
    [['chart', 'xyzzyx'], "unknown chart 'xyzzyx'; see `althing chart --list`"],
    [['chart', 'round', '--active', 'propose'], '--active belongs to --format svg'],
    [
      ['chart', 'breaker', '--format', 'svg', '--active', 'ajar'],
      '--active ajar: the chart breaker has no such state; it has breaker.closed, breaker.open, breaker.halfOpen',
    ],
    [
      ['chart', 'network-sync', '--format', 'svg', '--active', 'awaiting'],
      '--active awaiting: network-sync.catchingUp.awaiting or network-sync.resyncing.awaiting?',
    ],
  ])('althing %j: exit 2, and what to do', async (args, expected) => {
    const { code, stdout, stderr } = await althingHere(args);
    expect(stderr).toContain(expected);
    expect([code, stdout]).toEqual([2, '']);
  });
});
