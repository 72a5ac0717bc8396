/**
 * Which chain a start goes on with: the home's, or a new one that a full re-sync has left beside it; and whether a fork was proved in an
 * earlier life. Boundary: disk. Rules SY-5, SY-9, docs/protocol/sync.md.
 */
import { wallTime } from '../base/units.ts';
import type { NodeLog } from '../observe/log.ts';
import type { ChainDomain } from '../protocol/chain/types.ts';
import type { SyncConfig } from '../protocol/sync/config.ts';
import type { ForkEvidence } from '../protocol/sync/types.ts';
import { completeSwap } from '../storage/chain-swap.ts';
import { readForkEvidence } from '../storage/fork-evidence.ts';
import type { HomePaths } from './config/home.ts';
import { StartRefused } from './config/start-refused.ts';

type Log = Pick<ReturnType<NodeLog['of']>, 'error' | 'warn'>;

/** What an earlier life kept: this one signs nothing. */
export interface Forked {
  readonly detail: string;
  /** Absent where only words are known. */
  readonly evidence?: ForkEvidence;
}

/** Before the store is opened. Throws StartRefused. */
export function takeChain(
  paths: HomePaths,
  chain: ChainDomain,
  { tier3BackupRetention }: SyncConfig,
  log: Log,
): Forked | undefined {
  const now = wallTime(Date.now());
  const swap = completeSwap(paths, { chain, now, backupRetention: tier3BackupRetention });
  if (swap.status === 'problem')
    throw new StartRefused('store', [{ where: swap.path, message: swap.detail }]);
  if (swap.what !== 'nothing') {
    const { what } = swap;
    if (what.did === 'recovered')
      log.warn(`a swap of chains that was cut off is settled: data comes from ${what.from}`);
    else {
      const backup = what.backup === undefined ? '' : `; the old one is kept in ${what.backup}`;
      log.warn({ height: what.height }, `the chain was replaced${backup}`);
    }
  }
  for (const dir of swap.deleted) log.warn({ dir }, 'deleted: a backup that is too old, or half a chain');
  const found = readForkEvidence(paths);
  if (found === undefined) return undefined;
  log.error(`${found.path}: ${found.detail}; this validator signs nothing while the file is there`);
  return {
    detail: found.detail,
    ...(found.status === 'kept' && found.evidence !== undefined ? { evidence: found.evidence } : {}),
  };
}
