/**
 * State that is told and heard (seed 004: StateSync), what a quorum certifies of it, and what follows where they differ. Pure.
 * Rules BR-4, BR-7, docs/protocol/bridge.md.
 */
import type { Monotonic } from '../../base/units.ts';
import { see } from '../../protocol/bridge/deduplicator.ts';
import type { StateSyncMessage } from '../../protocol/bridge/messages.ts';
import {
  calculateNextInterval,
  certifiedDivergence,
  divergenceFrom,
  stateSyncOf,
  withExecuted,
  withStated,
} from '../../protocol/bridge/state-sync.ts';
import type { Address, ExecutedState, Height } from '../../protocol/chain/types.ts';
import { isValidator } from '../../protocol/chain/validator-set.ts';
import type { StateDiverged, StateDivergence } from '../../protocol/ports/bridge.ts';
import type { CommittedBlock } from '../../protocol/ports/storage.ts';
import { type CellAddress, telling } from '../../protocol/supervision/effect.ts';
import type { BreakerRequest } from './breaker.setup.ts';
import { type BridgeContext, CERTIFIED, counted, type Decided, toPeer } from './bridge.live.ts';

/** Tells every peer that listens what of this node's states is news to it, if anything is, at an interval that follows activity. */
export function shareStateIfDue(context: BridgeContext, now: Monotonic): Decided {
  if (now - context.lastStateSync < calculateNextInterval(context.activity, context.config)) return {};
  const message = stateSyncOf(context.recent);
  const rested = { activity: 0, lastStateSync: now };
  const { told } = context;
  const to = [...context.connected].filter((peer) => context.breakers.get(peer) !== 'open').sort();
  // Without anybody to hear it, it is not told; nor by whom nobody would listen to.
  const isHeard = to.length > 0 && isValidator(context.validators, context.self);
  if (message === undefined || !isHeard) return { context: rested };
  if (message.sequenceNumber === told?.sequenceNumber && message.stateHash === told.stateHash) {
    return { context: rested };
  }
  const newlyTold = to.map((peer) => [peer, message.sequenceNumber] as const);
  return {
    context: {
      ...{ ...rested, told: message, ...counted(context, 'stateSyncsSent', to.length) },
      toldTo: new Map([...context.toldTo, ...newlyTold]),
    },
    effects: [...byNews(context, to)].flatMap(([above, peers]) => {
      const news = stateSyncOf(context.recent, above);
      return news === undefined ? [] : [toPeer(context, peers, news)];
    }),
  };
}

/**
 * Peers by the height above which this node's states are news to them: it was told of those below, and had executed them when it told its
 * own, so it has compared them. A newcomer, and all after a replay, get everything.
 */
function byNews(
  { toldTo, heardAt }: BridgeContext,
  to: readonly Address[],
): ReadonlyMap<Height | undefined, readonly Address[]> {
  const groups = new Map<Height | undefined, Address[]>();
  for (const peer of to) {
    const told = toldTo.get(peer);
    const heard = heardAt.get(peer);
    const above = told === undefined || heard === undefined || heard >= told ? told : heard;
    const group = groups.get(above);
    if (group === undefined) groups.set(above, [peer]);
    else group.push(peer);
  }
  return groups;
}

/**
 * What a validator executed; of others anybody can make as many as they like. The same again is passed over: a peer that repeats
 * itself costs no comparison.
 */
export function hearState(
  context: BridgeContext,
  from: Address,
  message: StateSyncMessage,
  { now, address }: { readonly now: Monotonic; readonly address: CellAddress },
): Decided {
  if (!isValidator(context.validators, from)) return {};
  const { deduplicationEntries: entries, deduplicationTtl: ttl } = context.config;
  const id = `${from}/${message.sequenceNumber}/${message.stateHash}`;
  const { deduplicator: seen, isDuplicate } = see(context.seen, id, now, { entries, ttl });
  if (isDuplicate) return { context: counted(context, 'duplicates') };
  const activity = context.activity + 1;
  const heardAt = new Map(context.heardAt).set(from, message.sequenceNumber);
  const spoke: BreakerRequest = { type: 'peer.spoke' };
  const effects = context.connected.has(from) ? [telling(`${address}/${from}`, spoke)] : [];
  const divergence = divergenceFrom(context.recent, from, message);
  if (divergence !== undefined) {
    const found = recordDivergence({ ...context, seen, activity }, divergence);
    return {
      context: { seen, activity, heardAt, ...found.context },
      effects: [...effects, ...(found.effects ?? [])],
    };
  }
  return { context: { seen, activity, heardAt }, effects };
}

/** The application executed a block. */
export function noteExecuted(context: BridgeContext, executed: ExecutedState): Decided {
  const recent = withExecuted(context.recent, executed);
  const divergence = certifiedDivergence([executed], context.stated);
  const found = divergence === undefined ? {} : recordDivergence({ ...context, recent }, divergence);
  const [newest] = context.recent;
  const isReplay = newest !== undefined && executed.height <= newest.height;
  const toldTo = isReplay ? NOBODY_TOLD : context.toldTo;
  return { context: { recent, toldTo, ...found.context }, effects: found.effects ?? [] };
}

const NOBODY_TOLD: BridgeContext['toldTo'] = new Map();

/** Blocks are committed: what their headers state, a quorum executed. */
export function noteStated(context: BridgeContext, blocks: readonly CommittedBlock[]): Decided {
  const stated = withStated(context.stated, blocks);
  const divergence = certifiedDivergence(context.recent, blocks);
  const found = divergence === undefined ? {} : recordDivergence({ ...context, stated }, divergence);
  return { context: { stated, ...found.context }, effects: found.effects ?? [] };
}

/**
 * Named, told once for each who says so, and kept; what a certificate says ends this node's proposals. The round-manager hears it with every
 * such certificate: one that was restarted has forgotten it.
 */
function recordDivergence(context: BridgeContext, divergence: StateDivergence): Decided {
  const isCertified = divergence.evidence !== undefined;
  const key = isCertified ? CERTIFIED : divergence.by;
  const message: StateDiverged = { type: 'state.diverged', divergence };
  const effects = isCertified ? [telling(context.roundManager, message)] : [];
  if (context.divergences.has(key)) return { effects };
  return {
    context: { divergences: new Map(context.divergences).set(key, divergence) },
    effects: [telling(context.alarm, message), ...effects],
  };
}
