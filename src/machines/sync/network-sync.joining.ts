/**
 * A new home that joins by a snapshot: whether, when, and what follows where it fails. Until that is settled block-sync yields, so
 * that the home stays empty, and a start after a crash begins the join again. Pure. Rules SY-10, SY-12, docs/protocol/sync.md.
 */
import type { Monotonic } from '../../base/units.ts';
import { GENESIS_HEIGHT } from '../../protocol/chain/ordinals.ts';
import { counted, type Decided, type NetworkSyncContext, settled, yieldNoMore } from './network-sync.live.ts';
import { asking, type Clock, targetOf } from './network-sync.tiers.ts';

/** Checks without an agreement, after which what is known decides. @unit checks @source chosen: a minute and more */
const JOIN_CHECKS_MAX = 3;

/** SY-10: one voice alone, early or lying, decides nothing, and nothing is fetched for it. A home with blocks never joins. */
export function joinIsOpen({ joining, check, later, counts, ownHeight }: NetworkSyncContext): boolean {
  const isDecidable = check.status === 'agreed' || later !== undefined || counts.checks >= JOIN_CHECKS_MAX;
  return joining === 'undecided' && ownHeight === GENESIS_HEIGHT && !isDecidable;
}

/**
 * SY-10: once, and where the network is proved to be farther than a small gap, or somebody claims that in a later epoch: what that
 * is worth, the walk to there will show. Critical begins nothing by itself.
 */
export function joinsBySnapshot(context: NetworkSyncContext): boolean {
  const { joining, ownHeight, config } = context;
  if (joining !== 'undecided' || ownHeight !== GENESIS_HEIGHT || joinIsOpen(context)) return false;
  const target = targetOf(context);
  const proved = target?.kind === 'proved' ? target.tip.height : GENESIS_HEIGHT;
  const mayLook = context.genesis === undefined && context.status.kind !== 'Critical';
  const claimed = mayLook ? (context.claimedLater ?? GENESIS_HEIGHT) : GENESIS_HEIGHT;
  return Math.max(proved, claimed) - ownHeight > config.tier1MaxGap;
}

/** There is nothing to join by a snapshot: block-sync yields no longer. */
export const settleJoin = (context: NetworkSyncContext, now: Monotonic): Decided =>
  context.joining === 'undecided' && !joinIsOpen(context)
    ? settled(context, { joining: 'none' }, now, [yieldNoMore(context)])
    : {};

/** SY-10: ordered by the operator's configuration, of nobody who waits for its end. */
export function requestJoin(context: NetworkSyncContext, clock: Clock): Decided {
  const change = { ...counted(context, 'joins'), joining: 'under way' } as const;
  return asking(context, context.chainSync, { type: 'resync.requested', mode: 'snapshot' }, clock, change);
}
