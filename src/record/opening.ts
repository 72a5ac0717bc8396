/**
 * What each segment of a journal begins with: which program recorded which node, out of which cells, and where in the run the segment stands.
 * It is all that a replay needs beside the entries. Types, and how it is read. Rules RP-1, RP-8, docs/journal.md.
 */
import { z } from 'zod';
import type { CellBlueprint } from '../actors/runtime/index.ts';
import { AT_MAX } from './blocks.ts';
import { unpackValues, type ValuePacker } from './values.ts';

/** Grows when what a journal says changes its meaning; the layout of files has a number of its own (`MAGIC`). */
export const JOURNAL_VERSION = 2;

/** What recorded a run. */
export interface Program {
  readonly version: string;
  /** Of its modules: the first 64 bits of a SHA-256, hexadecimal. */
  readonly digest: string;
}

export interface Opening {
  readonly version: number;
  /** One for each life of a process: equal in all segments of a run. */
  readonly run: string;
  /** From 1. */
  readonly segment: number;
  readonly program: Program;
  readonly node: { readonly id: string; readonly moniker: string };
  readonly chain: { readonly id: string; readonly genesisHash: string };
  /** @unit ms since 1970 */
  readonly startedAt: number;
  /** What the cells' draws come from. */
  readonly seed: string;
  /** @unit turns */
  readonly digestEvery: number;
  readonly blueprints: readonly CellBlueprint[];
  /** It is a copy without what users sent (RP-8), and cannot be replayed. */
  readonly redacted?: true;
  /** Whoever recorded it: a node, or a simulated one with the seed of its run. */
  readonly source: { readonly kind: 'node' } | { readonly kind: 'simulation'; readonly scenario: string };
}

const cells = z.lazy(() => z.array(CELL));

/** What a replay needs of a cell to begin; what is in it, whoever builds it finds out. */
const CELL: z.ZodType = z.looseObject({
  id: z.string(),
  logic: z.discriminatedUnion('kind', [
    z.looseObject({ kind: z.literal('boundary') }),
    z.looseObject({
      kind: z.literal('chart'),
      chart: z.string(),
      hash: z.string(),
      spawned: z.array(z.string()),
    }),
    z.looseObject({ kind: z.literal('supervisor'), children: cells, templates: cells }),
  ]),
});

/** What a journal of this version begins with; those of others come from anywhere, and a CRC says nothing of who wrote them. */
const OPENING = z.object({
  run: z.string(),
  segment: z.int().positive(),
  program: z.object({ version: z.string(), digest: z.string() }),
  node: z.object({ id: z.string(), moniker: z.string() }),
  chain: z.object({ id: z.string(), genesisHash: z.string() }),
  startedAt: z.number().min(-AT_MAX).max(AT_MAX),
  seed: z.string(),
  digestEvery: z.int().nonnegative(),
  blueprints: z.array(CELL).min(1),
  redacted: z.literal(true).optional(),
  source: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('node') }),
    z.object({ kind: z.literal('simulation'), scenario: z.string() }),
  ]),
});

export const packOpening = (packer: ValuePacker, opening: Opening): Uint8Array => packer.pack([opening]);

/** @throws Error for a journal of another version, which says so, and for what is no opening */
export function unpackOpening(body: Uint8Array): Opening {
  const [opening] = unpackValues(body);
  const version =
    typeof opening === 'object' && opening !== null ? Reflect.get(opening, 'version') : undefined;
  if (version !== JOURNAL_VERSION)
    throw new Error(
      `it is of version ${String(version)}, this program reads version ${JOURNAL_VERSION}: replay it with the program that recorded it`,
    );
  const { error } = OPENING.safeParse(opening);
  const [issue] = error?.issues ?? [];
  if (issue !== undefined)
    throw new Error(`its opening is none of this program: ${issue.path.join('.')}: ${issue.message}`);
  // Gateway: it has the shape.
  return opening as Opening;
}
