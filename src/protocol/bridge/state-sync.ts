/**
 * What this node executed of late, what it tells its peers of it, how often, and whether they executed the same. Pure.
 * Rule BR-4, docs/protocol/bridge.md. Not to be taken for the tier of sync of that name: nothing is fetched here.
 */
import { type Millis, millis } from '../../base/units.ts';
import type { Digest, ExecutedState, Height } from '../chain/types.ts';
import type { StateDivergence } from '../ports/bridge.ts';
import type { CommittedBlock } from '../ports/storage.ts';
import type { BridgeConfig } from './config.ts';
import { STATES_MAX, type StateSyncMessage } from './messages.ts';

/** States after the newest heights, newest first. At most STATES_MAX + 1. */
export type RecentStates = readonly ExecutedState[];

/** With the state after one more height. A height that comes again begins anew from there: the application was replayed. */
export const withExecuted = (recent: RecentStates, executed: ExecutedState): RecentStates => [
  executed,
  ...recent.filter(({ height }) => height < executed.height).slice(0, STATES_MAX),
];

/** What peers are told; undefined before the first block. @param above states of lower heights they know; absent: none */
export function stateSyncOf(recent: RecentStates, above?: Height): StateSyncMessage | undefined {
  const [newest, ...before] = recent;
  if (newest === undefined) return undefined;
  const { height: sequenceNumber, appHash: stateHash } = newest;
  const partialState = above === undefined ? before : before.filter(({ height }) => height > above);
  return { kind: 'StateSync', stateHash, sequenceNumber, partialState };
}

/** Activity in an interval above which state is told more often. @unit messages and operations @source seed 004 */
const ACTIVITY_HIGH = 100;
const ACTIVITY_NORMAL = 10;

/** How long until state is told again (seed 004: calculateNextInterval). @param activity since the last time */
export function calculateNextInterval(
  activity: number,
  config: Pick<BridgeConfig, 'stateSyncIntervalMin' | 'stateSyncInterval' | 'stateSyncIntervalMax'>,
): Millis {
  if (activity > ACTIVITY_HIGH) return config.stateSyncIntervalMin;
  return millis(activity > ACTIVITY_NORMAL ? config.stateSyncInterval : config.stateSyncIntervalMax);
}

/** The lowest height at which a peer's state is another than ours; undefined: none that both know. */
export function divergenceFrom(
  recent: RecentStates,
  by: string,
  { stateHash, sequenceNumber, partialState }: StateSyncMessage,
): StateDivergence | undefined {
  const ours = new Map<Height, Digest>(recent.map(({ height, appHash }) => [height, appHash]));
  const theirs: readonly ExecutedState[] = [{ height: sequenceNumber, appHash: stateHash }, ...partialState];
  return theirs.reduce<StateDivergence | undefined>((lowest, { height, appHash }) => {
    const own = ours.get(height);
    if (own === undefined || own === appHash || (lowest !== undefined && lowest.height < height))
      return lowest;
    return { height, ours: own, theirs: appHash, by };
  }, undefined);
}

/** States that committed blocks state, newest last: what a quorum executed. At most STATES_MAX. */
export type StatedStates = readonly CommittedBlock[];

export const withStated = (stated: StatedStates, blocks: readonly CommittedBlock[]): StatedStates =>
  [...stated, ...blocks].slice(-STATES_MAX);

/** A quorum certified another state than ours after some height: ours is not the chain's. Either list may be of what is new. */
export function certifiedDivergence(recent: RecentStates, stated: StatedStates): StateDivergence | undefined {
  for (const evidence of stated) {
    const { header } = evidence.block;
    const own = recent.find(({ height }) => height === header.executed.height);
    if (own === undefined || own.appHash === header.executed.appHash) continue;
    const by = `the certificate of height ${header.height}`;
    return { height: own.height, ours: own.appHash, theirs: header.executed.appHash, by, evidence };
  }
  return undefined;
}
