/** The engine finds what is planted, by its seed, and says nothing of what is sound. Rule SM-11. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { BlockMap, type Reading } from './coverage.ts';
import { readFinding, shrunk, writeFinding } from './finding.ts';
import { MSGPACK, valuesIn } from './forms/msgpack.ts';
import { type FuzzOptions, fuzz } from './loop.ts';
import { drawsOf, mutated } from './mutate.ts';
import { crash, leak, quiet, slow } from './planted.ts';

const OPTIONS: FuzzOptions = { seed: 1, seconds: 20, heap: false };
const written: string[] = [];
afterEach(() => {
  for (const path of written.splice(0)) rmSync(path);
});

describe('the loop', { timeout: 90_000 }, () => {
  it('finds a crash behind three nested byte comparisons, which blind draws do not, and shrinks it', async () => {
    const { findings, executions } = await fuzz(async () => crash, {
      ...OPTIONS,
      executionsMax: 30_000,
      findingsMax: 1,
    });
    expect(findings).toMatchObject([{ claim: 'no exception' }]);
    expect(executions).toBeLessThan(60_000);
    // Nothing after the third byte is left, and what does not count is 0.
    expect([...(findings[0]?.input ?? [])]).toEqual([0, 0xb7, 0, 0x42, 0, 0x99]);
  });

  it('finds an input of 60 ms, and no other slow one', async () => {
    const { findings, slowestMs } = await fuzz(async () => slow, {
      ...OPTIONS,
      executionsMax: 1_500,
      findingsMax: 1,
    });
    expect(findings.map(({ claim, input }) => [claim, input[0]])).toEqual([['no input over 50 ms', 0x53]]);
    expect(slowestMs).toBeGreaterThan(50);
  });

  it('finds memory that grows', async () => {
    const { findings, heap } = await fuzz(async () => leak, { ...OPTIONS, executionsMax: 500, heap: true });
    expect(findings).toMatchObject([{ claim: 'no growth of memory' }]);
    expect(heap?.perRun).toBeGreaterThan(300);
  });

  it('finds nothing in a sound target, and counts its blocks', async () => {
    const { findings, blocks, outcomes } = await fuzz(async () => quiet, {
      ...OPTIONS,
      executionsMax: 500,
      heap: true,
    });
    expect(findings).toEqual([]);
    expect(blocks.covered).toBeGreaterThan(8);
    expect(blocks.covered).toBeLessThanOrEqual(blocks.known);
    expect(Object.keys(outcomes).sort()).toEqual(['little', 'much']);
  });

  it('ends a process whose input never ends, with the finding written', () => {
    const script = join(import.meta.dirname, 'planted-endless.ts');
    const child = spawnSync(process.execPath, [script], { encoding: 'utf8', timeout: 25_000 });
    expect(child.signal).toBe('SIGKILL');
    const path = /--replay (\S+)/.exec(child.stderr)?.[1] ?? '';
    written.push(path);
    expect(readFinding(path)).toMatchObject({ target: 'planted-endless' });
    expect(readFinding(path).input[0]).toBe(0x45);
  });
});

describe('mutation', () => {
  const from = { donor: new Uint8Array(20).fill(3), dictionary: [], bytesMax: 40 };

  it('makes the same inputs of the same seed, other ones of another, none too long', () => {
    const made = (seed: number): readonly Uint8Array[] => {
      const draws = drawsOf(seed);
      return Array.from({ length: 200 }, () => mutated(new Uint8Array(20), draws, from, MSGPACK));
    };
    expect(made(1)).toEqual(made(1));
    expect(made(1)).not.toEqual(made(2));
    expect(Math.max(...made(1).map(({ byteLength }) => byteLength))).toBeLessThanOrEqual(40);
  });

  it('of msgpack keeps most inputs msgpack', () => {
    // { a: [1, 'x', {}], b: 300 }
    const value = Uint8Array.of(0x82, 0xa1, 0x61, 0x93, 1, 0xa1, 0x78, 0x80, 0xa1, 0x62, 0xcd, 0x01, 0x2c);
    const draws = drawsOf(1);
    const made = Array.from({ length: 500 }, () => {
      const mutation = draws.pick(MSGPACK);
      return mutation?.(value, draws, { ...from, donor: value }) ?? value;
    });
    const whole = made.filter((bytes) => valuesIn(bytes)[0]?.byteLength === bytes.byteLength);
    expect(whole.length).toBeGreaterThan(300);
    expect(new Set(made.map((bytes) => Buffer.from(bytes).toString('hex'))).size).toBeGreaterThan(100);
  });
});

describe('coverage', () => {
  const reading = (idle: readonly (readonly [number, number])[]): Reading => [
    { id: 'f', idle, edges: [0, 10, 20, 30] },
  ];

  it('is news when a range ran that never did, and never twice', () => {
    const map = new BlockMap();
    expect(map.merge(reading([[10, 20]]))).toBe(true);
    expect(map.isNews(reading([[10, 20]]))).toBe(false);
    // Another part idles now: the first one has run.
    expect(map.merge(reading([[20, 30]]))).toBe(true);
    expect(map.merge(reading([[0, 30]]))).toBe(false);
    expect(map.count()).toEqual({ covered: 3, known: 3, functions: 1 });
  });

  it('counts what never ran as known and not covered', () => {
    const map = new BlockMap();
    map.merge(reading([[10, 20]]));
    expect(map.count()).toEqual({ covered: 2, known: 3, functions: 1 });
  });
});

describe('a finding', () => {
  it('is made as short as it still fails', async () => {
    const fails = async (input: Uint8Array): Promise<boolean> => input.includes(7) && input.includes(9);
    const least = await shrunk(
      Uint8Array.from({ length: 300 }, (_, index) => index % 256),
      fails,
    );
    expect([...least]).toEqual([7, 9]);
  });

  it('is written with the command that replays it', () => {
    const finding = {
      target: 'codec',
      claim: 'ends',
      detail: 'd',
      key: 'k',
      input: Uint8Array.of(1, 2),
    } as const;
    const { path, command } = writeFinding(finding);
    written.push(path);
    expect(readFinding(path)).toEqual({ target: 'codec', input: Uint8Array.of(1, 2) });
    expect(command).toBe(`npm run fuzz -- --replay ${path}`);
    expect(readFileSync(path, 'utf8')).toContain('"claim": "ends"');
  });
});
