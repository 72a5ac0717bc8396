/** `althing bench` for two seconds: real validators, real load, and a result whose parts fit together. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TimeReport } from '../../src/cli/bench/profile.ts';
import type { BenchResult } from '../../src/cli/bench/result.ts';
import { althing, type CommandResult } from './support/local-network.ts';

describe('althing bench', () => {
  let directory: string;
  let run: CommandResult;
  let result: BenchResult & { readonly time: TimeReport };
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'althing-bench-test-'));
    const words = ['--seconds', '2', '--rate', '200', '--finality-rate', '5', '--dir', directory];
    run = await althing('bench', ...words, '--profile-dir', join(directory, 'profiles'), '--json');
    expect(run, run.stderr).toMatchObject({ code: 0 });
    result = JSON.parse(run.stdout);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('commits all that was admitted, and finds it again', () => {
    const [first] = result.runs;
    expect(first?.throughput.admitted).toBeGreaterThan(0);
    expect(first?.verification.committed).toBeGreaterThanOrEqual(first?.verification.admitted ?? Number.NaN);
    expect(first?.verification.found).toBe(first?.verification.sampled);
    expect(first?.verification.sampled).toBeGreaterThan(0);
  });

  it('tells throughput, finality, memory and lag of every validator, and the circumstances', () => {
    const [first] = result.runs;
    expect(first?.light.latency_ms?.samples).toBeGreaterThan(0);
    expect(first?.validators.length).toBe(4);
    for (const use of first?.validators ?? []) expect(use?.rssBytesMax).toBeGreaterThan(20 * 2 ** 20);
    expect(first?.generator?.cpuSeconds).toBeGreaterThan(0);
    expect(Object.keys(result.summary)).toEqual(
      expect.arrayContaining(['committed_per_second', 'light_p99_ms', 'rss_mib_max', 'lag_ms_p99']),
    );
    expect(result.circumstances).toMatchObject({ node: process.version, cpus: expect.any(Number) });
    expect(result.circumstances.load_average).toHaveLength(3);
  });

  it('keeps a profile of each validator and tells the functions with the most time', () => {
    const profiles = readdirSync(join(directory, 'profiles')).filter((name) => name.endsWith('.cpuprofile'));
    expect(profiles.length).toBeGreaterThanOrEqual(4);
    expect(result.time.functions).toHaveLength(10);
    expect(result.time.parts.some(({ name }) => name === 'storage')).toBe(true);
  });

  it('leaves no homes behind', () => {
    expect(readdirSync(directory).filter((name) => name.startsWith('althing-bench-'))).toEqual([]);
    expect(existsSync(join(directory, 'profiles'))).toBe(true);
  });
});

it('refuses a rate that is none, with a sentence and exit code 2', async () => {
  expect(await althing('bench', '--rate', 'fast')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('or max'),
  });
});
