/**
 * This node's state, or a peer's, is not the chain's: the log says so, and what shows it stays on the disk for whoever looks
 * into the application. Boundary: disk, the log. Rule BR-4, docs/protocol/bridge.md.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeLog } from '../observe/log.ts';
import type { StateDivergence } from '../protocol/ports/bridge.ts';

export interface DivergenceKeeperOptions {
  /** Made when there is something to keep. */
  readonly dir: string;
  readonly wall: () => number;
  readonly log: Pick<ReturnType<NodeLog['of']>, 'error' | 'warn'>;
}

/** Files are named by height and by who says so: at most one for each validator and height. */
export function keepDivergence(
  { dir, wall, log }: DivergenceKeeperOptions,
  divergence: StateDivergence,
): void {
  const { height, ours, theirs, by, evidence } = divergence;
  const facts = { height, ours, theirs, by };
  const file = join(dir, `${height}-${evidence === undefined ? by : 'certificate'}.json`);
  const words =
    evidence === undefined
      ? `StateDivergence: ${by} has another state after height ${height}`
      : `StateDivergence: ${by} states another state after height ${height} than this node has: it proposes no more; its application is not deterministic, or its data is damaged`;
  try {
    mkdirSync(dir, { recursive: true });
    const kept = {
      ...facts,
      at: new Date(wall()).toISOString(),
      ...(evidence === undefined ? {} : { evidence }),
    };
    writeFileSync(file, `${JSON.stringify(kept, plain, 2)}\n`);
  } catch (error) {
    log.error(
      { ...facts, why: error instanceof Error ? error.message : String(error) },
      `${words}; not kept`,
    );
    return;
  }
  if (evidence === undefined) log.warn({ ...facts, file }, words);
  else log.error({ ...facts, file }, words);
}

const plain = (_: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
};
