/**
 * What each segment of a journal begins with: which program recorded which node, out of which cells, and where in the run the segment stands.
 * It is all that a replay needs beside the entries. Types, and how it is read. Rules RP-1, RP-8, docs/journal.md.
 */
import type { CellBlueprint } from '../actors/runtime/index.ts';
import { unpackValues, type ValuePacker } from './values.ts';

/** Grows when what a journal says changes its meaning; the layout of files has a number of its own (`MAGIC`). */
export const JOURNAL_VERSION = 1;

export interface Opening {
  readonly version: number;
  /** One for each life of a process: equal in all segments of a run. */
  readonly run: string;
  /** From 1. */
  readonly segment: number;
  readonly program: { readonly version: string; readonly commit?: string };
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

export const packOpening = (packer: ValuePacker, opening: Opening): Uint8Array => packer.pack([opening]);

/** @throws Error for a journal of another version, which says so */
export function unpackOpening(body: Uint8Array): Opening {
  const [opening] = unpackValues(body);
  const version =
    typeof opening === 'object' && opening !== null ? Reflect.get(opening, 'version') : undefined;
  if (version !== JOURNAL_VERSION)
    throw new Error(
      `it is of version ${String(version)}, this program reads version ${JOURNAL_VERSION}: replay it with the program that recorded it`,
    );
  // Gateway: written by `packOpening` of this version, and not changed since (CRC).
  return opening as Opening;
}
