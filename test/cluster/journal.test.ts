/** Journals of four real processes, one of them killed: replayed to the bit, and without a secret. Rules RP-1, RP-4, RP-8. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { althing, eventually } from './support/local-network.ts';
import { type SeenEnd, Validators } from './support/validators.ts';

const VALIDATORS = [0, 1, 2, 3];
const KILLED = 1;

const verified = z.object({
  runs: z.array(
    z.object({
      run: z.string(),
      turns: z.number(),
      parts: z.number(),
      divergence: z.unknown().optional(),
      refused: z.string().optional(),
      flaws: z.array(z.object({ kind: z.string() })),
    }),
  ),
});

const standing = z.object({
  nodes: z.array(z.object({ height: z.number(), cells: z.array(z.unknown()) })),
});

/** All files below a folder. */
const filesIn = (dir: string): readonly string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));

describe('the journals of a network of processes', () => {
  let validators: Validators;
  const ends: SeenEnd[] = [];
  const height = (index: number) => validators.network.height(index);
  const dataOf = (index: number): string => join(validators.network.homeOf(index), 'journal');

  beforeAll(async () => {
    validators = await Validators.create({
      // Some segments each, so that their keyframes are compared too.
      launch: () => ({ env: { ALTHING_JOURNAL__SEGMENT_AGE_MS: '1500' } }),
      onEnd: (end) => ends.push(end),
    });
    for (const index of VALIDATORS) validators.start(index);
    const grows = async (index: number, to: number) =>
      eventually(`validator ${index} commits height ${to}`, 30_000, async () =>
        ((await height(index)) ?? 0) >= to ? true : undefined,
      );
    for (const index of VALIDATORS) await grows(index, 2);
    const rpc = validators.network.rpcOf(0);
    expect(await althing('tx', 'name=ada', '--rpc', rpc, '--json')).toMatchObject({ code: 0 });
    await validators.kill(KILLED);
    const before = (await height(0)) ?? 0;
    await grows(0, before + 2);
    validators.start(KILLED);
    await grows(KILLED, before + 3);
    for (const index of VALIDATORS) process.kill(validators.pid(index) ?? 0, 'SIGTERM');
    await eventually('all have ended', 20_000, () => (ends.length === 5 ? true : undefined));
  }, 120_000);
  afterAll(() => validators.remove());

  it('are replayed with 0 divergences, the killed one up to its kill (RP-4)', async () => {
    const { code, stdout } = await althing('replay', validators.network.directory, '--verify', '--json');
    const { runs } = verified.parse(JSON.parse(stdout));
    expect(runs).toHaveLength(5);
    for (const { divergence, refused, turns } of runs) {
      expect({ divergence, refused }).toEqual({ divergence: undefined, refused: undefined });
      expect(turns).toBeGreaterThan(100);
    }
    const kinds = runs.flatMap(({ flaws }) => flaws.map(({ kind }) => kind));
    expect(kinds).toHaveLength(1);
    expect(['unfinished', 'torn']).toContain(kinds[0]);
    expect(runs.some(({ parts }) => parts > 1)).toBe(true);
    expect(code).toBe(0);
  });

  it('show at their end what the nodes were before they were stopped in order', async () => {
    const { code, stdout } = await althing('replay', validators.network.directory, '--json');
    expect(code).toBe(0);
    const { nodes } = standing.parse(JSON.parse(stdout));
    expect(nodes).toHaveLength(4);
    for (const { height, cells } of nodes) {
      expect(height).toBeGreaterThan(1);
      expect(cells.length).toBeGreaterThan(10);
    }
  });

  it('are whole, every byte of them (RP-2)', async () => {
    const { code, stdout } = await althing('verify-log', validators.network.directory);
    expect(stdout.match(/whole/g)).toHaveLength(5);
    expect(code).toBe(0);
  });

  it('tell of the same chain at each node (RP-6)', async () => {
    const { code, stdout } = await althing('diff', dataOf(0), dataOf(2));
    expect(stdout).toMatch(/no difference: the same block at each height that both committed, \d+ to \d+/);
    expect(code).toBe(0);
  });

  it('hold no private key, in no form (RP-8)', () => {
    for (const index of VALIDATORS) {
      const keys = filesIn(join(validators.network.homeOf(index), 'keys')).map((path) =>
        readFileSync(path, 'utf8'),
      );
      const secrets = keys.flatMap((text) => text.match(/"secret": *"([0-9a-f]{64})"/)?.[1] ?? []);
      const tokens = keys.flatMap((text) => (/^[0-9A-Za-z_-]{20,}\s*$/.test(text) ? [text.trim()] : []));
      // The key of consensus, and that of the node, which is the one of the VRF too.
      expect(secrets.length).toBeGreaterThanOrEqual(2);
      const forms = [
        ...secrets.flatMap((hex) => {
          const bytes = Buffer.from(hex, 'hex');
          return [bytes, Buffer.from(hex), Buffer.from(bytes.toString('base64'))];
        }),
        ...tokens.map((token) => Buffer.from(token)),
      ];
      const journal = Buffer.concat(filesIn(dataOf(index)).map((path) => readFileSync(path)));
      expect(journal.byteLength).toBeGreaterThan(10_000);
      for (const form of forms) expect(journal.includes(form)).toBe(false);
    }
  });
});
