/**
 * A new home that joins by a snapshot: whether, when, and what follows where it fails. Until that is settled block-sync yields, so
 * that the home stays empty, and a start after a crash begins the join again. Pure. Rules SY-10, SY-12, docs/protocol/sync.md.
 */
import type { Monotonic } from '../../base/units.ts';
import { counted, type Decided, type NetworkSyncContext, settled, yieldNoMore } from './network-sync.live.ts';
import { asking, type Clock, targetOf } from './network-sync.tiers.ts';

/** SY-10: once, and where the network is proved to be farther than a small gap. Critical begins nothing by itself. */
export function joinsBySnapshot(context: NetworkSyncContext): boolean {
  const { joining, ownHeight, config } = context;
  if (joining !== 'undecided' || ownHeight === undefined) return false;
  const target = targetOf(context);
  return target?.kind === 'proved' && target.tip.height - ownHeight > config.tier1MaxGap;
}

/** Checks that heard nobody, after which consensus has its blocks all the same. @unit checks @source chosen: a minute and more */
const JOIN_CHECKS_MAX = 3;

/** Somebody was heard, or nobody for too long, and there is nothing to join by a snapshot: block-sync yields no longer. */
export function settleJoin(context: NetworkSyncContext, now: Monotonic): Decided {
  const { joining, heard, counts } = context;
  if (joining !== 'undecided' || (!heard && counts.checks < JOIN_CHECKS_MAX)) return {};
  return settled(context, { joining: 'none' }, now, [yieldNoMore(context)]);
}

/** SY-10: ordered by the operator's configuration, of nobody who waits for its end. */
export function requestJoin(context: NetworkSyncContext, clock: Clock): Decided {
  const change = { ...counted(context, 'joins'), joining: 'under way' } as const;
  return asking(context, context.chainSync, { type: 'resync.requested', mode: 'snapshot' }, clock, change);
}
